"""The part of a Connection that handles sessions: offered, looked up, and in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .certificate import Certificate
from .fault import from_queue
from .native import ffi, lib, listed
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .answers import Answers


class Resumable:
    """Settings before the handshake, and queries after it. None of them waits."""

    __slots__ = ("on_session", "reverified_chain")

    answers: Answers
    _conn: Any
    on_session: Callable[[Session], None] | None
    reverified_chain: Sequence[bytes]

    def set_session(self, session: Session | None, *, early: bool) -> None:
        """Offer this session, or none, in the next handshake; `early` allows early data with it.
        Corresponds to SSL_set_session(3).
        """
        fault = ffi.new("tk_fault *")
        pointer = ffi.NULL if session is None else session._session
        if lib.tk_conn_set_session(self._conn, pointer, early, fault) < 0:
            raise from_queue(fault)

    def report_sessions(self, callback: Callable[[Session], None]) -> None:
        """Call `callback` with each new session, as `on_session`; once, before the handshake."""
        self.on_session = callback
        lib.tk_conn_report_sessions(self._conn)

    def pause(self) -> None:
        """Call `before_handshake` even if no session is set."""
        lib.tk_conn_pause(self._conn)

    def use_external(self) -> None:
        """On a server, pause at the ClientHello of a client that offers a session, to look it up.
        Sets SSL_OP_NO_TICKET.
        """
        lib.tk_conn_use_external(self._conn)

    def offered_session_id(self) -> bytes:
        """Return, in that pause, the id of the offered session; b"" in another pause."""
        into = ffi.new("uint8_t[32]")
        return bytes(ffi.buffer(into, lib.tk_conn_offered_id(self._conn, into)))

    def resume_from(self, session: Session, *, once: bool) -> None:
        """Pass in the session; with `once` nobody else will find it, so it may carry early data.
        Corresponds to SSL_CTX_sess_set_get_cb(3).
        """
        lib.tk_conn_resume_from(self._conn, session._session, once)

    def suites(self) -> bytes:
        """Return the cipher suites that this connection offers, as IANA's numbers. Corresponds to
        SSL_get_ciphers(3).
        """
        into = ffi.new("uint16_t[512]")
        return bytes(ffi.buffer(into, 2 * lib.tk_conn_suites(self._conn, into, len(into))))

    def offers_cipher_of(self, session: Session) -> bool:
        """Return whether this connection offers the session's cipher suite, or, with TLS 1.3, one
        with the same hash.
        """
        return bool(lib.tk_conn_has_cipher_of(self._conn, session._session))

    def reverify(self, certificate: Certificate, others: Sequence[bytes] = ()) -> Sequence[bytes]:
        """Return the chain by which the peer's certificate passes this connection's verification
        now, including name and dates; empty if it does not pass.

        `others` are untrusted certificates in DER that may serve as intermediates.
        """
        given, x509 = b"".join(others), certificate._x509
        self.reverified_chain = [
            der
            for _, der in listed(
                lambda out: lib.tk_conn_reverify(self._conn, x509, given, len(given), out)
            )
        ]
        return self.reverified_chain

    def set_early_data(self, data: bytes) -> None:
        """On a client before its handshake, send this data with the ClientHello if the session
        allows it, and otherwise after the handshake.

        Corresponds to SSL_write_early_data(3).
        """
        if lib.tk_conn_set_early(self._conn, data, len(data)) < 0:
            raise ValueError(
                "early data can only be given to a client, before its handshake begins"
            )

    @property
    def session_reused(self) -> bool:
        """Return whether the handshake resumed a session. Corresponds to SSL_session_reused(3)."""
        return self.answers.session_reused()

    def current_session(self) -> Session | None:
        """Return the session in force, new or resumed; None before there is one. Corresponds to
        SSL_get1_session(3).
        """
        session = lib.tk_conn_session(self._conn)
        return None if session == ffi.NULL else Session(session)
