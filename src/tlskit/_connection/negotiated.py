"""What SSLSocket and SSLObject have in common: all queries about a connection, and nothing that
moves bytes.
"""

from __future__ import annotations

import sys
import warnings

from .._core.certificate import Certificate
from .._lazy import LateName, late_names
from .exporting import Exporting
from .observing import Observing
from .rekeying import Rekeying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, overload

    from .._context import SSLContext
    from .._resumption.reasons import Resumption
    from ..sessions.info import SessionInfo
    from ..sessions.session import SSLSession
    from .channel import Channel
else:
    SSLContext, SSLSession, SessionInfo = late_names("tlskit", "SSLContext SSLSession SessionInfo")
    Channel = LateName("tlskit._connection.channel", "Channel")
    Resumption = LateName("tlskit._resumption.reasons", "Resumption")
    Any = LateName("typing", "Any")

CHANNEL_BINDING_TYPES = ["tls-unique"]


class _CertificateBytes(bytes):
    """DER of a certificate that also has the methods of the stdlib's private Certificate, which
    truststore calls before Python 3.13.
    """

    __slots__ = ()

    def public_bytes(self, encoding: int = 1, /) -> str | bytes:
        return Certificate.from_der(self).public_bytes(encoding)


_BYTES = sys.version_info >= (3, 13)  # a chain is of plain bytes


class Negotiated(Exporting, Observing, Rekeying):
    """The queries. Before there is a connection they return None. They do not block, and any thread
    may call them. During a renegotiation (up to TLS 1.2), they refer to the previous handshake.
    """

    _sslobj: Channel | None

    # -- certificates ------------------------------------------------------------------------------

    if TYPE_CHECKING:

        @overload
        def getpeercert(self, binary_form: Literal[False] = False) -> dict[str, Any] | None: ...

        @overload
        def getpeercert(self, binary_form: Literal[True]) -> bytes | None: ...

        @overload
        def getpeercert(self, binary_form: bool = False) -> dict[str, Any] | bytes | None: ...

    def getpeercert(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """Return the peer's certificate.

        Args:
            binary_form: True for DER; False for a dictionary of its fields.

        Returns:
            None if the peer sent none; an empty dictionary if it was not verified.

        Raises:
            ValueError: the handshake has not been completed yet.
        """
        channel = self._sslobj or self._channel()
        if binary_form:
            return channel.answers.certificate()
        return channel.peer_fields() if channel.answers.has_certificate() else None

    def get_verified_chain(self) -> list[bytes]:
        """Return the chain that was verified, in DER, from the peer's certificate to the trust
        anchor.

        On a resumed connection, where nothing is verified, this is the chain from the handshake
        that made the session; it is empty if that is not known (a session from plain DER, or a
        chain that was too long for a server's ticket). Without verification, it is the chain as it
        was sent. Corresponds to SSL_get0_verified_chain(3).
        """
        channel = self._sslobj or self._channel()
        found = channel.answers.chain(True)
        if found is None:
            found = channel.chain(verified=True)
        return found if _BYTES else [_CertificateBytes(der) for der in found]

    def get_unverified_chain(self) -> list[bytes]:
        """Return the chain as the peer sent it, in DER, its own certificate first; also after a
        resumption.

        Corresponds to SSL_get_peer_cert_chain(3).
        """
        channel = self._sslobj or self._channel()
        found = channel.answers.chain(False)
        if found is None:
            found = channel.chain(verified=False)
        return found if _BYTES else [_CertificateBytes(der) for der in found]

    # -- what was agreed on ------------------------------------------------------------------------

    def version(self) -> str | None:
        """Return the protocol version, such as "TLSv1.3", or None before the handshake. Corresponds
        to SSL_get_version(3).
        """
        channel = self._sslobj
        return None if channel is None else channel.answers.version()

    def cipher(self) -> tuple[str, str, int] | None:
        """Return the cipher suite as (name, protocol, bits of secret), or None. Corresponds to
        SSL_get_current_cipher(3).
        """
        channel = self._sslobj
        return None if channel is None else channel.answers.cipher()

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """Return, on a server, the suites that both sides have, as `cipher()` names them.
        Corresponds to SSL_get_client_ciphers(3).
        """
        channel = self._sslobj
        if channel is None or not channel.server_side:
            return None
        return channel.answers.shared_ciphers() or channel.shared_ciphers()

    def group(self) -> str | None:
        """Return the name of the key exchange group, such as "x25519", or None. Corresponds to
        SSL_get_negotiated_group(3).
        """
        return self._sslobj.group() if self._sslobj is not None else None

    @property
    def psk_identity(self) -> str | None:
        """The identity whose pre-shared key authenticated this connection, on either side; None if
        certificates did, and before the handshake is complete. Corresponds to
        SSL_get_psk_identity(3).
        """
        found = self.psk_identity_bytes
        return None if found is None else found.decode("utf-8", "replace")

    @property
    def psk_identity_bytes(self) -> bytes | None:
        """`psk_identity` as it was sent: in TLS 1.3 an identity need not be text."""
        return None if self._sslobj is None else self._sslobj.psk_identity()

    def client_sigalg(self) -> str | None:
        """Return the algorithm that the client signed with, or None if it sent no certificate.

        Corresponds to SSL_get0_signature_name(3) and SSL_get0_peer_signature_name(3).

        Raises:
            NotImplementedError: OpenSSL is older than 3.5.
        """
        return self._sslobj.client_sigalg() if self._sslobj is not None else None

    def server_sigalg(self) -> str | None:
        """Return the algorithm that the server signed with, or None. See `client_sigalg`."""
        return self._sslobj.server_sigalg() if self._sslobj is not None else None

    def compression(self) -> str | None:
        """Return the name of the compression method, or None. Corresponds to
        SSL_get_current_compression(3).
        """
        channel = self._sslobj
        return None if channel is None else channel.answers.compression()

    def selected_alpn_protocol(self) -> str | None:
        """Return the negotiated application protocol (ALPN), or None. Corresponds to
        SSL_get0_alpn_selected(3).
        """
        channel = self._sslobj
        return None if channel is None else channel.answers.selected_alpn_protocol()

    def selected_npn_protocol(self) -> None:
        """Return None: OpenSSL no longer has NPN, the predecessor of ALPN."""
        warnings.warn("ssl NPN is deprecated, use ALPN instead", DeprecationWarning, stacklevel=2)

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """Return channel binding data as the stdlib does, or None if there is none yet.

        With TLS 1.3, "tls-unique" is not defined, and the result of this method is not known to be
        unique to the connection's keys. Use `channel_binding` instead.

        Args:
            cb_type: "tls-unique" (RFC 5929, 3), the only one that the stdlib has.

        Raises:
            ValueError: any other type.
            TypeError: `cb_type` is not a string.
        """
        channel = self._sslobj
        if channel is not None:
            return channel.get_channel_binding(cb_type)
        if cb_type not in CHANNEL_BINDING_TYPES:
            raise ValueError(f"{cb_type} channel binding type not implemented")
        return None

    @property
    def info(self) -> SessionInfo | None:
        """Everything that was negotiated, also on a resumed connection; None before the handshake
        is complete.
        """
        return self._sslobj.info if self._sslobj is not None else None

    # -- context and session -----------------------------------------------------------------------

    @property
    def context(self) -> SSLContext:
        """The context in force. A server may set another in a callback, such as `sni_callback`."""
        context: SSLContext = self._channel().context
        return context

    @property
    def session(self) -> SSLSession | None:
        """The session of this connection; None before there is one.

        With TLS 1.3 it can be resumed after the first read, which receives the ticket. Set one
        before the handshake to resume it. It is offered only for the server name and under the
        verification policy that it was made with; otherwise the handshake is a full one.

        Raises:
            TypeError: the value is not a tlskit SSLSession.
            ValueError: it belongs to another context, this is a server, or the handshake has been
                made already.
        """
        return self._sslobj.session if self._sslobj is not None else None

    @property
    def ticket_app_data(self) -> bytes | None:
        """The data that this server put into the ticket that the client has resumed from: see
        `ctx.tickets.app_data`. None on a full handshake, on a client, and without such data.
        Corresponds to SSL_SESSION_get0_ticket_appdata(3).
        """
        return None if self._sslobj is None else self._sslobj.app_data()

    @property
    def session_reused(self) -> bool | None:
        """Whether the handshake resumed a session. After a renegotiation, it still refers to the
        first handshake, as `resumption` does.

        Corresponds to SSL_session_reused(3), which refers to the last one.
        """
        channel = self._sslobj
        return None if channel is None else channel.answers.session_reused()

    @property
    def resumption(self) -> Resumption | None:
        """Whether the handshake resumed a session, or why not; None until it is complete.

        The value is a `Resumed`, which is true, or a `NotOffered` or `Refused`, which are false and
        have a `reason`.
        """
        return self._sslobj.resumption if self._sslobj is not None else None

    def verify_client_post_handshake(self) -> None:
        """Ask a TLS 1.3 client for its certificate after the handshake (RFC 8446, 4.6.2).

        The reply arrives with a later read. Corresponds to SSL_verify_client_post_handshake(3).

        Raises:
            SSLError: this is a client, the version is not TLS 1.3, or the client does not support
                it.
            ValueError: there is no TLS connection.
        """
        if self._sslobj is None:
            raise ValueError(f"No SSL wrapper around {self}")
        self._sslobj.verify_client_post_handshake()

    def _channel(self) -> Channel:
        return self._open_channel()

    def _open_channel(self) -> Channel:
        if self._sslobj is None:
            raise ValueError("there is no TLS connection: not connected yet, unwrapped or closed")
        return self._sslobj

    def _waiting_time(self) -> float | None:
        """How many seconds an operation may wait: the socket's timeout, or 0 without a socket."""
        gettimeout = getattr(self, "gettimeout", None)
        return 0.0 if gettimeout is None else gettimeout()
