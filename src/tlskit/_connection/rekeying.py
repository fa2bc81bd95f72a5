"""New keys for an open connection: renegotiation up to TLS 1.2, key updates in TLS 1.3."""

from __future__ import annotations

from collections.abc import Callable

from .._lazy import LateName
from ..enums import TLSVersion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .channel import Channel
else:
    Channel = LateName("tlskit._connection.channel", "Channel")


class Rekeying:
    """Methods of SSLSocket and SSLObject. Other threads may read and write meanwhile."""

    _sslobj: Channel | None
    _open_channel: Callable[[], Channel]
    _waiting_time: Callable[[], float | None]

    def renegotiate(self) -> None:
        """Make another handshake on this connection (TLS 1.2 or below).

        On a client, this returns when the handshake is complete; application data that arrives
        meanwhile makes it fail. A server only sends its request; the client replies while the
        server reads. Peers refuse by default: an OpenSSL server needs
        `OP_ALLOW_CLIENT_RENEGOTIATION`. To refuse on this side, set `OP_NO_RENEGOTIATION` in
        `context.options`. Corresponds to SSL_renegotiate(3).

        Raises:
            SSLError: the peer refuses, or the handshake fails.
            SSLWantReadError: the transport is non-blocking: call `do_handshake` once the peer has
                replied.
            ValueError: there is no connection with a complete handshake, or it is TLS 1.3, which
                has `key_update` instead.
        """
        channel = self._established()
        if channel.facts().version >= TLSVersion.TLSv1_3:
            raise ValueError("TLS 1.3 has no renegotiation: use key_update()")
        channel.renegotiate(self._waiting_time())

    @property
    def renegotiations(self) -> int:
        """How many handshakes this connection has made after the first, at either side's
        request.
        """
        return 0 if self._sslobj is None else self._sslobj.renegotiations()

    def key_update(self, *, request_peer: bool = False) -> None:
        """Use new keys for sending from now on (TLS 1.3; RFC 8446, 4.6.3).

        OpenSSL does this automatically before a key has been used too often, so it is only needed
        for protocols that demand it.

        Args:
            request_peer: ask the peer to change its keys too.

        Raises:
            ValueError: there is no connection with a complete handshake, or it is not TLS 1.3; up
                to TLS 1.2, use `renegotiate`.

        Corresponds to SSL_key_update(3).
        """
        channel = self._established()
        if channel.facts().version < TLSVersion.TLSv1_3:
            raise ValueError("before TLS 1.3 there are no key updates: use renegotiate()")
        channel.update_keys(both=request_peer, timeout=self._waiting_time())

    def _established(self) -> Channel:
        channel = self._open_channel()
        if not channel.handshake_done:
            raise ValueError("there is no complete handshake yet")
        return channel
