"""New keys for a connection that is under way: renegotiation up to TLS 1.2, key updates in 1.3."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..enums import TLSVersion

if TYPE_CHECKING:
    from .channel import Channel


class Rekeying:
    """Methods of SSLSocket and SSLObject. Threads may read and write meanwhile."""

    _sslobj: Channel | None
    _open_channel: Callable[[], Channel]
    _waiting_time: Callable[[], float | None]

    def renegotiate(self) -> None:
        """Make another handshake on this connection (TLS 1.2 or below).

        A client returns when it is complete; application data that comes meanwhile fails it. A
        server sends its request and returns; the client answers while the server reads. Peers
        refuse by default: an OpenSSL server needs `OP_ALLOW_CLIENT_RENEGOTIATION`. To refuse on
        this side, set `OP_NO_RENEGOTIATION` in `context.options`. Corresponds to
        SSL_renegotiate(3).

        Raises:
            SSLError: the peer refuses, or the handshake fails.
            SSLWantReadError: the transport does not wait: call `do_handshake` once the peer has
                answered.
            ValueError: there is no connection with a complete handshake, or it is TLS 1.3, which
                has `key_update` instead.
        """
        channel = self._established()
        if channel.facts().version >= TLSVersion.TLSv1_3:
            raise ValueError("TLS 1.3 has no renegotiation: use key_update()")
        channel.renegotiate(self._waiting_time())

    @property
    def renegotiations(self) -> int:
        """How many handshakes this connection has made after the first, whichever side asked for
        them.
        """
        return 0 if self._sslobj is None else self._sslobj.renegotiations()

    def key_update(self, *, request_peer: bool = False) -> None:
        """Send with new keys from now on (TLS 1.3; RFC 8446, 4.6.3).

        OpenSSL changes them by itself before a key has been used too often, so this is for
        protocols that ask for it.

        Args:
            request_peer: ask the peer to change its keys too.

        Raises:
            ValueError: there is no connection with a complete handshake, or it is not TLS 1.3: up
                to TLS 1.2 there is `renegotiate`.

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
