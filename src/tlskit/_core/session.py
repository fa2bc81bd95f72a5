"""The owner of an SSL_SESSION. Immutable: changing its times creates another session."""

from __future__ import annotations

from . import direct
from .certificate import Certificate
from .cipher import CipherFacts, cipher_facts
from .fault import from_queue
from .native import address_of, ffi, lib, listed, owned
from .notes import Notes, read_notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Session:
    """An SSL_SESSION, read once: its facts are plain attributes. Any thread may use it.

    Attributes:
        id: the session id; for TLS 1.3 a name that the client made up for the ticket.
        id_context: the server's session id context.
        time, timeout: its creation time (seconds since 1970), and how long this side keeps it
            (seconds).
        lifetime_hint: the ticket's lifetime according to the server (seconds); 0 if not stated.
        has_ticket, ticket: whether there is a ticket, and its bytes.
        version: the protocol version as a number of the wire; cipher: OpenSSL's name of it.
        alpn: the negotiated protocol, or None; hostname: the name that the server acknowledged, or
            None.
        max_early_data: how many bytes of early data the server would accept.
        peer_not_after: when the peer's certificate expires (seconds since 1970); -1 without one.
    """

    __slots__ = (
        "_session", "alpn", "cipher", "has_ticket", "hostname", "id", "id_context",
        "lifetime_hint", "max_early_data", "peer_not_after", "ticket", "time", "timeout", "version",
    )  # fmt: skip

    id: bytes
    id_context: bytes
    time: int
    timeout: int
    lifetime_hint: int
    has_ticket: bool
    ticket: bytes
    version: int
    peer_not_after: int
    cipher: str | None
    alpn: str | None
    hostname: str | None
    max_early_data: int

    def __init__(self, session: Any) -> None:
        self._session = owned(session, lib.tk_session_free)
        (
            self.id, self.id_context, self.time, self.timeout, self.lifetime_hint, self.has_ticket,
            self.ticket, self.version, self.peer_not_after, self.cipher, self.alpn, self.hostname,
            self.max_early_data,
        ) = _facts_of(self._session)  # fmt: skip

    @property
    def is_resumable(self) -> bool:
        """Whether it can be offered now: OpenSSL may have withdrawn it. Corresponds to
        SSL_SESSION_is_resumable(3).
        """
        return bool(lib.tk_session_is_resumable(self._session))

    @classmethod
    def from_der(cls, der: bytes) -> Session:
        """Parse the output of `der()`. Corresponds to d2i_SSL_SESSION(3); trailing bytes are
        refused.
        """
        fault = ffi.new("tk_fault *")
        session = lib.tk_session_from_der(der, len(der), fault)
        if session == ffi.NULL:
            raise from_queue(fault)
        return cls(session)

    def der(self) -> bytes:
        """Serialise the session with its secret. Corresponds to i2d_SSL_SESSION(3)."""
        bodies = [body for _, body in listed(lambda out: lib.tk_session_der(self._session, out))]
        if not bodies:
            raise ValueError(
                "this session cannot be written as DER: no cipher has been agreed on yet"
            )
        return bodies[0]

    def with_times(self, *, time: int | None = None, timeout: int | None = None) -> Session:
        """Return a copy with another creation time or timeout. Corresponds to
        SSL_SESSION_set_time(3).
        """
        fault = ffi.new("tk_fault *")
        copy = lib.tk_session_with_times(
            self._session, -1 if time is None else time, -1 if timeout is None else timeout, fault
        )
        if copy == ffi.NULL:
            raise from_queue(fault)
        return Session(copy)

    @property
    def address(self) -> int:
        """Return a number that no other SSL_SESSION has while this one exists."""
        return address_of(self._session)

    def size(self) -> int:
        """Return roughly how many bytes of memory it takes."""
        return int(lib.tk_session_size(self._session))

    def secret(self) -> bytes:
        """Return the master secret; with TLS 1.3, the resumption secret. Corresponds to
        SSL_SESSION_get_master_key(3).
        """
        into = ffi.new("unsigned char[]", 256)
        try:
            return bytes(ffi.buffer(into, lib.tk_session_secret(self._session, into, len(into))))
        finally:
            lib.tk_wipe(into, len(into))

    def secret_digest(self) -> bytes:
        """Return the SHA-256 of the secret, without copying the secret; b"" if there is none."""
        into = ffi.new("unsigned char[]", 32)
        found = lib.tk_session_digest(self._session, into)
        return bytes(ffi.buffer(into)) if found else b""

    def cipher_facts(self) -> CipherFacts | None:
        """Return the details of the cipher suite. Corresponds to SSL_SESSION_get0_cipher(3)."""
        return next(cipher_facts(lambda out: lib.tk_session_cipher(self._session, out)), None)

    def notes(self) -> Notes:
        """Return the notes of the handshake that made it, if there are any."""
        found = read_notes(listed(lambda out: lib.tk_session_info(self._session, out)))
        return found[0] if found else Notes()

    def set_notes(self, blob: bytes) -> None:
        """Set the notes of a session that was read from DER and is not shared yet."""
        if lib.tk_session_set_info(self._session, blob, len(blob)) < 0:
            raise MemoryError("there was no memory for what is known of a session")

    def peer(self) -> Certificate | None:
        """Return the peer's own certificate, the only one of its chain that an SSL_SESSION keeps in
        DER.
        """
        x509 = lib.tk_session_peer(self._session)
        return None if x509 == ffi.NULL else Certificate(x509)


def _facts_of(session: Any) -> tuple[Any, ...]:
    """Return what _tlsbind/direct/session.c returns, in its order."""
    if direct.session_facts is not None:
        facts: tuple[Any, ...] = direct.session_facts(address_of(session))
        return facts
    f = ffi.new("tk_session_facts *")
    lib.tk_session_facts_of(session, f)
    alpn = bytes(ffi.buffer(f.alpn, f.alpn_size)) if f.alpn_size else None
    return (
        bytes(ffi.buffer(f.id, f.id_size)),
        bytes(ffi.buffer(f.id_context, f.id_context_size)),
        f.time,
        f.timeout,
        f.lifetime_hint,
        bool(f.has_ticket),
        bytes(ffi.buffer(f.ticket, f.ticket_size)) if f.ticket_size else b"",
        f.version,
        f.peer_not_after,
        ffi.string(f.cipher).decode() if f.cipher else None,
        None if alpn is None else alpn.decode("ascii", "backslashreplace"),
        ffi.string(f.hostname).decode("latin-1") if f.hostname else None,
        f.max_early_data,
    )
