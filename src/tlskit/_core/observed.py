"""Observed: the part of a Connection that answers questions."""

from __future__ import annotations

from typing import Any

from .certificate import Certificate
from .facts import Facts, read_facts, text_of
from .native import CONST, ffi, lib, listed
from .notes import Notes, read_notes
from .resumable import Resumable

_spare: list[Any] = []  # rooms for facts, which cost more to make than to fill
_ciphers: dict[int, tuple[str, str, int]] = {}  # by OpenSSL's number: a few dozen


class Observed(Resumable):
    """What there is to know of a connection. No question waits for a peer, nor for a thread that
    reads: see tk_lock.c.
    """

    __slots__ = ()

    psk_offered: bytes | None

    def pending(self) -> int:
        """How many decrypted bytes wait to be read. Corresponds to SSL_pending(3)."""
        n: int = lib.tk_conn_pending(self._conn)
        return n

    def feed(self, data: bytes) -> None:
        """Take in bytes that were read from the socket before this connection was there."""
        if not lib.tk_conn_feed(self._conn, data, len(data)):
            raise MemoryError(f"no memory for {len(data)} bytes in a connection")

    def leftover(self) -> bytes:
        """After a shutdown: what came behind the peer's close_notify and was read ahead; plain
        bytes of the socket.
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
        """What was negotiated, in one crossing."""
        f = self._look()
        facts = read_facts(f)
        _spare.append(f)
        return facts

    def cipher(self) -> tuple[str, str, int] | None:
        """The suite in use: its name, the protocol that it belongs to, and its bits. Corresponds to
        SSL_get_current_cipher(3).
        """
        f = self._look()
        number = f.cipher_id if f.cipher_name else 0
        found = _ciphers.get(number)
        if found is None and number:
            name, protocol = text_of(f.cipher_name) or "", text_of(f.cipher_protocol) or ""
            found = _ciphers[number] = name, protocol, f.cipher_bits
        _spare.append(f)
        return found

    def compression(self) -> str | None:
        """The compression in use. Corresponds to SSL_get_current_compression(3)."""
        f = self._look()
        found = text_of(f.compression)
        _spare.append(f)
        return found

    def _look(self) -> Any:
        try:
            f = _spare.pop()
        except IndexError:
            f = ffi.new("tk_conn_facts *")
        lib.tk_conn_facts_of(self._conn, f)
        return f

    def peer(self) -> Certificate | None:
        """The peer's own certificate. Corresponds to SSL_get1_peer_certificate(3)."""
        x509 = lib.tk_conn_peer(self._conn)
        return None if x509 == ffi.NULL else Certificate(x509)

    def rejected(self) -> bytes | None:
        """DER of the certificate at which verification failed."""
        x509 = lib.tk_conn_rejected(self._conn)
        return None if x509 == ffi.NULL else Certificate(x509).der

    def chain(self, *, verified: bool) -> list[bytes]:
        """DER of the peer's chain, its own certificate first: as it sent it, or as it was
        verified.
        """
        return [der for _, der in listed(lambda out: lib.tk_conn_chain(self._conn, verified, out))]

    def app_data(self) -> bytes | None:
        """A server: the user's own data in the ticket that was resumed. Corresponds to
        SSL_SESSION_get0_ticket_appdata(3).
        """
        found = [data for _, data in listed(lambda out: lib.tk_conn_app_data(self._conn, out))]
        return found[0] if found else None

    def notes(self) -> list[Notes]:
        """What was noted of handshakes: of the one that made the session, and after it of this
        connection's, if that is another.
        """
        return read_notes(listed(lambda out: lib.tk_conn_info(self._conn, out)))

    def client_hello(self) -> bytes:
        """A server, in the pause at its ClientHello: the message as it came."""
        return next((body for _, body in listed(lambda o: lib.tk_conn_hello(self._conn, o))), b"")

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """On a server, what the client offered and this side has: (name, protocol, bits); None
        without a ClientHello.
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
        """What a side has signed its handshake with, by its IANA name.

        Corresponds to SSL_get0_signature_name(3) and SSL_get0_peer_signature_name(3).
        """
        return text_of(lib.tk_conn_signature(self._conn, peer))

    def psk_identity(self) -> str | None:
        """Whose pre-shared key the handshake was made with. Corresponds to
        SSL_get_psk_identity(3), which has nothing for TLS 1.3.
        """
        into = ffi.new("char[]", 256)
        found = bytes(ffi.buffer(into, lib.tk_conn_psk_identity(self._conn, into, len(into))))
        if not found and self.psk_offered is not None:
            facts = self.facts()
            if facts.done and facts.reused and facts.version >= CONST.TLS1_3_VERSION:
                found = self.psk_offered
        return found.decode("utf-8", "replace") or None
