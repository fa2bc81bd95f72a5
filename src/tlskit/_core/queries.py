"""The part of a Connection that answers queries."""

from __future__ import annotations

from .certificate import Certificate
from .facts import Facts, look, put_back, read_facts, text_of
from .native import CONST, ffi, lib, listed
from .notes import Notes, read_notes
from .resumable import Resumable

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


class Queries(Resumable):
    """All queries about a connection. None of them waits for the peer, nor for a thread that reads:
    see tk_lock.c.
    """

    __slots__ = ()

    psk_offered: bytes | None

    def pending(self) -> int:
        """Return the number of decrypted bytes that can be read. Corresponds to SSL_pending(3)."""
        n: int = lib.tk_conn_pending(self._conn)
        return n

    def feed(self, data: bytes) -> None:
        """Take in bytes that were read from the socket before this connection existed."""
        if not lib.tk_conn_feed(self._conn, data, len(data)):
            raise MemoryError(f"no memory for {len(data)} bytes in a connection")

    def leftover(self) -> bytes:
        """Return, after a shutdown, bytes after the peer's close_notify that were read ahead:
        plaintext of the socket.
        """
        room = 1 << 17
        into = ffi.new("char[]", room)
        got = bytearray()
        while n := lib.tk_conn_leftover(self._conn, into, room):
            got += ffi.buffer(into, n)
        return bytes(got)

    @property
    def handshake_begun(self) -> bool:
        """Whether the handshake has begun. Corresponds to SSL_in_before(3)."""
        return bool(lib.tk_conn_begun(self._conn))

    @property
    def handshake_done(self) -> bool:
        """Whether the handshake is complete. Corresponds to SSL_is_init_finished(3)."""
        return bool(lib.tk_conn_handshake_done(self._conn))

    def facts(self) -> Facts:
        """Return what was negotiated, in one call into C."""
        f = look(self._conn)
        facts = read_facts(f)
        put_back(f)
        return facts

    def peer(self) -> Certificate | None:
        """Return the peer's own certificate. Corresponds to SSL_get1_peer_certificate(3)."""
        x509 = lib.tk_conn_peer(self._conn)
        return None if x509 == ffi.NULL else Certificate(x509)

    def rejected(self) -> bytes | None:
        """Return the certificate at which verification failed, in DER."""
        x509 = lib.tk_conn_rejected(self._conn)
        return None if x509 == ffi.NULL else Certificate(x509).der

    def chain(self, *, verified: bool) -> list[bytes]:
        """Return the peer's chain in DER, its own certificate first: as it was sent, or as it was
        verified.
        """
        return [der for _, der in listed(lambda out: lib.tk_conn_chain(self._conn, verified, out))]

    def app_data(self) -> bytes | None:
        """Return the application's data in the resumed ticket on a server. Corresponds to
        SSL_SESSION_get0_ticket_appdata(3).
        """
        found = [data for _, data in listed(lambda out: lib.tk_conn_app_data(self._conn, out))]
        return found[0] if found else None

    def notes(self) -> list[Notes]:
        """Return the notes of the handshake that made the session, followed by those of this
        connection's, if that is another one.
        """
        return read_notes(listed(lambda out: lib.tk_conn_info(self._conn, out)))

    def client_hello(self) -> bytes:
        """Return the received ClientHello, in a server's pause at it."""
        return next((body for _, body in listed(lambda o: lib.tk_conn_hello(self._conn, o))), b"")

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """Return the suites that the client offered and this server has: (name, protocol, bits);
        None without a ClientHello.
        """
        found = list(listed(lambda out: lib.tk_conn_shared_ciphers(self._conn, out)))
        rows = [
            (
                found[i + 1][1].decode(),
                found[i + 2][1].decode(),
                memoryview(found[i][1]).cast("I")[0],
            )
            for i in range(0, len(found), 3)
        ]
        return rows or None

    def signature_algorithm(self, *, peer: bool) -> str | None:
        """Return the algorithm that a side has signed its handshake with, by its IANA name.

        Corresponds to SSL_get0_signature_name(3) and SSL_get0_peer_signature_name(3).
        """
        return text_of(lib.tk_conn_signature(self._conn, peer))

    def psk_identity(self) -> bytes | None:
        """Return the identity whose pre-shared key the handshake used. Corresponds to
        SSL_get_psk_identity(3), which does not support TLS 1.3.
        """
        into = ffi.new("char[]", 256)
        found = bytes(ffi.buffer(into, lib.tk_conn_psk_identity(self._conn, into, len(into))))
        if not found and self.psk_offered is not None:
            facts = self.facts()
            if facts.done and facts.reused and facts.version >= CONST.TLS1_3_VERSION:
                found = self.psk_offered
        return found or None
