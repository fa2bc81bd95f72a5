"""What programs ask of each connection, where _tlsbind/direct/answers.c cannot answer it."""

from __future__ import annotations

from .certificate import Certificate
from .facts import alpn_of, look, put_back, text_of
from .native import ffi, lib, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ciphers: dict[int, tuple[str, str, int]] = {}  # by OpenSSL's number: a few dozen
_versions: dict[int, str] = {}


class Answers:
    """Answers about one connection. None of them waits for the peer, nor for a thread that reads.

    Args:
        conn: the tk_conn.
    """

    __slots__ = ("_conn",)

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    def cipher(self) -> tuple[str, str, int] | None:
        """Return the suite in use: its name, its protocol, and its bits. Corresponds to
        SSL_get_current_cipher(3).
        """
        f = look(self._conn)
        number = f.cipher_id if f.cipher_name else 0
        found = None
        if number:
            try:
                found = _ciphers[number]  # not `get`, which takes a lock without the GIL
            except KeyError:
                name, protocol = text_of(f.cipher_name) or "", text_of(f.cipher_protocol) or ""
                found = _ciphers[number] = name, protocol, f.cipher_bits
        put_back(f)
        return found

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """Return the suites of a ClientHello that this server has too, as `cipher()` names them;
        None if there are none, or a resumption has left only notes of them.
        """
        return None

    def version(self) -> str | None:
        """Return the name of the version once the handshake is complete. Corresponds to
        SSL_get_version(3).
        """
        f = look(self._conn)
        found = None
        if f.done:
            try:
                found = _versions[f.version]
            except KeyError:
                found = _versions[f.version] = text_of(f.version_name) or ""
        put_back(f)
        return found

    def selected_alpn_protocol(self) -> str | None:
        """Return the application protocol. Corresponds to SSL_get0_alpn_selected(3)."""
        f = look(self._conn)
        found = alpn_of(f)
        put_back(f)
        return found

    def compression(self) -> str | None:
        """Return the compression in use. Corresponds to SSL_get_current_compression(3)."""
        f = look(self._conn)
        found = text_of(f.compression)
        put_back(f)
        return found

    def unique(self) -> bytes | None:
        """Return the Finished message that came first in the last handshake, which is tls-unique
        (RFC 5929, 3); None before it.
        """
        f = look(self._conn)
        peer = bool(f.reused_last) == (not f.server)
        put_back(f)
        into = ffi.new("char[]", 64)
        return bytes(ffi.buffer(into, lib.tk_conn_finished(self._conn, peer, into, 64))) or None

    def session_reused(self) -> bool:
        """Return whether the handshake resumed a session. Corresponds to SSL_session_reused(3)."""
        return bool(lib.tk_conn_reused(self._conn))

    def has_certificate(self) -> bool:
        """Return whether the peer has sent a certificate.

        Raises:
            ValueError: the handshake is not complete.
        """
        return self.certificate() is not None

    def certificate(self) -> bytes | None:
        """Return the peer's certificate in DER; None if it has sent none. Corresponds to
        SSL_get1_peer_certificate(3).

        Raises:
            ValueError: the handshake is not complete.
        """
        if not lib.tk_conn_handshake_done(self._conn):
            raise ValueError("handshake not done yet")
        x509 = lib.tk_conn_peer(self._conn)
        return None if x509 == ffi.NULL else Certificate(x509).der

    def chain(self, verified: bool, /) -> list[bytes] | None:
        """Return the peer's chain in DER, its own certificate first: as it was sent, or as it was
        verified. None if a session was resumed, whose notes may say more.
        """
        if self.session_reused():
            return None
        return [der for _, der in listed(lambda out: lib.tk_conn_chain(self._conn, verified, out))]
