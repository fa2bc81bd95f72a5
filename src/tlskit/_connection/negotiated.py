"""What SSLSocket and SSLObject have in common: everything that is asked of a connection, and
nothing that moves bytes.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any, Literal, overload

from .._core.certificate import Certificate
from .._resumption.reasons import Resumption
from ..sessions import SessionInfo, SSLSession
from .channel import Channel
from .exporting import Exporting
from .observing import Observing
from .rekeying import Rekeying

if TYPE_CHECKING:
    from .._context import SSLContext

CHANNEL_BINDING_TYPES = ["tls-unique"]


class _CertificateBytes(bytes):
    """DER of a certificate that also answers as the stdlib's private Certificate does: before
    Python 3.13, truststore asks it to.
    """

    __slots__ = ()

    def public_bytes(self, encoding: int = 1, /) -> str | bytes:
        return Certificate.from_der(self).public_bytes(encoding)


def _chain(ders: list[bytes]) -> list[bytes]:
    return ders if sys.version_info >= (3, 13) else [_CertificateBytes(der) for der in ders]


class Negotiated(Exporting, Observing, Rekeying):
    """The questions. Before a connection exists they answer None. They do not block, and any thread
    may ask them. While a renegotiation is under way (up to TLS 1.2), they tell of the handshake
    before it.
    """

    _sslobj: Channel | None

    # -- certificates ------------------------------------------------------------------------------

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
            None when the peer showed none; an empty dictionary when it was not verified.

        Raises:
            ValueError: the handshake has not been made yet.
        """
        return self._channel().getpeercert(binary_form)

    def get_verified_chain(self) -> list[bytes]:
        """Return the chain that was verified, in DER, from the peer's certificate to the trust
        anchor.

        On a resumed connection, in which nothing is verified, the chain from the handshake that
        made the session; empty when that is not known (a session from bare DER, or a chain that was
        too long for a server's ticket). Without verification, the chain as it was sent. Corresponds
        to SSL_get0_verified_chain(3).
        """
        return _chain(self._channel().chain(verified=True))

    def get_unverified_chain(self) -> list[bytes]:
        """Return the chain as the peer sent it, in DER, its own certificate first; after a
        resumption too.

        Corresponds to SSL_get_peer_cert_chain(3).
        """
        return _chain(self._channel().chain(verified=False))

    # -- what was agreed on ------------------------------------------------------------------------

    def version(self) -> str | None:
        """Return the protocol version, "TLSv1.3" for one; None before the handshake. Corresponds to
        SSL_get_version(3).
        """
        return self._sslobj.version() if self._sslobj is not None else None

    def cipher(self) -> tuple[str, str, int] | None:
        """Return the cipher suite as (name, protocol, bits of secret), or None. Corresponds to
        SSL_get_current_cipher(3).
        """
        return self._sslobj.cipher() if self._sslobj is not None else None

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """Return, on a server, the suites that both sides have, as `cipher()` names them.
        Corresponds to SSL_get_client_ciphers(3).
        """
        return self._sslobj.shared_ciphers() if self._sslobj is not None else None

    def group(self) -> str | None:
        """Return the name of the key exchange group, "x25519" for one, or None. Corresponds to
        SSL_get_negotiated_group(3).
        """
        return self._sslobj.group() if self._sslobj is not None else None

    @property
    def psk_identity(self) -> str | None:
        """Whose pre-shared key authenticated this connection, on either side; None where
        certificates did, and before the handshake is complete. Corresponds to
        SSL_get_psk_identity(3).
        """
        return None if self._sslobj is None else self._sslobj.psk_identity()

    def client_sigalg(self) -> str | None:
        """Return the algorithm that the client has signed with, or None where it showed no
        certificate.

        Corresponds to SSL_get0_signature_name(3) and SSL_get0_peer_signature_name(3).

        Raises:
            NotImplementedError: OpenSSL is older than 3.5.
        """
        return self._sslobj.client_sigalg() if self._sslobj is not None else None

    def server_sigalg(self) -> str | None:
        """Return the algorithm that the server has signed with, or None. See `client_sigalg`."""
        return self._sslobj.server_sigalg() if self._sslobj is not None else None

    def compression(self) -> str | None:
        """Return the name of the compression method, or None. Corresponds to
        SSL_get_current_compression(3).
        """
        return self._sslobj.compression() if self._sslobj is not None else None

    def selected_alpn_protocol(self) -> str | None:
        """Return the application protocol that was agreed on, or None. Corresponds to
        SSL_get0_alpn_selected(3).
        """
        return self._sslobj.selected_alpn_protocol() if self._sslobj is not None else None

    def selected_npn_protocol(self) -> None:
        """Return None: the predecessor of ALPN is gone from OpenSSL."""
        warnings.warn("ssl NPN is deprecated, use ALPN instead", DeprecationWarning, stacklevel=2)

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """Return channel binding data as the stdlib does, or None when there is none yet.

        With TLS 1.3, "tls-unique" is not defined, and what this returns is not unique to the
        connection's keys in a way that has been studied. Use `channel_binding`.

        Args:
            cb_type: "tls-unique" (RFC 5929, 3), the only one so far.

        Raises:
            ValueError: another type was asked for.
        """
        if cb_type not in CHANNEL_BINDING_TYPES:
            raise ValueError(f"{cb_type} channel binding type not implemented")
        return self._sslobj.get_channel_binding(cb_type) if self._sslobj is not None else None

    @property
    def info(self) -> SessionInfo | None:
        """Everything that was negotiated, also on a resumed connection; None before the handshake
        is complete.
        """
        return self._sslobj.info if self._sslobj is not None else None

    # -- context and session -----------------------------------------------------------------------

    @property
    def context(self) -> SSLContext:
        """The context in force. A server may set another one in `sni_callback`."""
        context: SSLContext = self._channel().context
        return context

    @property
    def session(self) -> SSLSession | None:
        """The session of this connection; None before there is one.

        With TLS 1.3 it can be resumed from the first read on, when the ticket has come. Set one
        before the handshake to resume from it; it is offered only to the server name and under the
        verification policy that it was made with, and otherwise the handshake is a full one.

        Raises:
            TypeError: the value is not a tlskit SSLSession.
            ValueError: it belongs to another context, or this is a server, or the handshake has
                been made.
        """
        return self._sslobj.session if self._sslobj is not None else None

    @property
    def session_reused(self) -> bool | None:
        """Whether the handshake resumed a session; of several, the first, as `resumption`.

        Corresponds to SSL_session_reused(3), which tells of the last.
        """
        return self._sslobj.session_reused if self._sslobj is not None else None

    @property
    def resumption(self) -> Resumption | None:
        """Why the handshake resumed a session, or did not; None until it is complete.

        A `Resumed`, which is true, or a `NotOffered` or `Refused`, which are not and have a
        `reason`.
        """
        return self._sslobj.resumption if self._sslobj is not None else None

    def verify_client_post_handshake(self) -> None:
        """Ask a TLS 1.3 client for its certificate, now that the handshake is over (RFC 8446,
        4.6.2).

        The answer comes with a later read. Corresponds to SSL_verify_client_post_handshake(3).

        Raises:
            SSLError: this is a client, the version is not TLS 1.3, or the client did not offer it.
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
        """How many seconds an operation may wait: a socket's time-out; without a socket, none."""
        gettimeout = getattr(self, "gettimeout", None)
        return 0.0 if gettimeout is None else gettimeout()
