"""A server's resumption: which session of its client a connection resumes, and where new sessions
are kept.

`ctx.sessions.store` and the hooks of the context form one place for lookups: ServerCache. A session
that a handshake makes is put into the store under its id; one that a client offers is looked up
there, in a pause at the ClientHello, with no lock held (tk_lookup.c). So the processes and machines
that share a store resume each other's sessions: by session id up to TLS 1.2, by stateful tickets in
TLS 1.3.

libssl still checks a session that was found: the id context must be this server's (which, on a
server that verifies its clients, stands for its policy: binding.py), and the session must be in
date. So must the client's certificate. An entry that cannot be parsed counts as missing.
"""

from __future__ import annotations

from time import time as now

from .._core.facts import Facts
from .._core.session import Session
from .._digest import sha256
from ..sessions.session import SSLSession
from .reasons import NotOffered, Reason, Refused, Resumed, Resumption
from .strategy import Lookup, NoServerCache, Policy, Resumable
from .tally import Tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._core.pauses import Steps
    from ..stores.guard import Guard
    from ..stores.store import SessionStore
    from .strategy import OnGet


_TICKETS = {
    "unknown": Reason.TICKET_KEY_UNKNOWN, "retired": Reason.TICKET_KEY_RETIRED,
    "tampered": Reason.TICKET_DAMAGED, "expired": Reason.EXPIRED,
    "elsewhere": Reason.TICKET_ELSEWHERE, "context": Reason.OTHER_ID_CONTEXT,
}  # fmt: skip


class ServerCache:
    """Where a server's connections keep their sessions and look up those of others. Safe from any
    thread.

    Args:
        names: 32 bytes that stand for the names in the server's certificate.
        store: None if there are only hooks.
        tally: counts the outcomes.
    """

    external = True

    def __init__(self, names: bytes, store: SessionStore | None, tally: Tally) -> None:
        self._names = names
        self.store: Guard | None = None
        if store is not None:
            from ..stores.guard import guarded

            self.store = guarded(store)
        self._in_process = store is not None and store.in_process
        self.tally = tally
        self.on_get: OnGet | None = None
        # Whether sessions of verified clients may leave the process.
        self.client_certificates = False

    def before(self, names: bytes) -> ServerCache:
        """Return a copy for a certificate with other names; both share what is known of the
        store.
        """
        from copy import copy

        twin = copy(self)
        twin._names = names
        return twin

    def find(self, session_id: bytes, *, once: bool = False) -> Lookup:
        """Look up a session in the store by its id.

        Args:
            session_id: up to 32 bytes, from the client.
            once: take it out of the store, because it is for one use.
        """
        if self.store is None:
            return Lookup(None, Reason.UNKNOWN_SESSION)
        answer = (self.store.take if once else self.store.get)(self._key(session_id))
        if answer.bad:
            return Lookup(None, Reason.UNREADABLE)
        if answer.value is None:
            return Lookup(None, Reason.STORE_DOWN if answer.trouble else Reason.UNKNOWN_SESSION)
        session = SSLSession._from_value(answer.value)
        if session is None:
            self.tally.count("bad_entry")
            return Lookup(None, Reason.UNREADABLE)
        return Lookup(session._session, once=once)

    def keep(self, session: Session) -> bool:
        """Put a new session into the store, and return whether it is there now."""
        if self.store is None or not session.id:
            return False
        if session.peer_not_after >= 0 and not self._in_process and not self.client_certificates:
            self.tally.count("withheld")
            return False
        value = SSLSession._make(session)._to_value(in_process=self._in_process)
        kept = self.store.put(
            self._key(session.id), value, max(1.0, session.time + session.timeout - now())
        )
        if kept:
            self.tally.count("stored")
        return kept

    def forget(self, session_id: bytes) -> bool:
        """Remove the session with this id from the store, and return whether it was there."""
        return self.store is not None and self.store.remove(self._key(session_id))

    def count(self, outcome: Resumption) -> None:
        """Count a connection's outcome."""
        self.tally.add(outcome)

    def _key(self, session_id: bytes) -> bytes:
        """Return the store key of a session id. Servers with different certificate names share
        nothing: a connection that is diverted to another such server must not be resumed there,
        because the client would not see that certificate.
        """
        return sha256(b"tlskit server 1\0" + self._names + session_id).digest()


class ServerResumption:
    """Look up the session that the client offers, and keep those that the handshake makes.

    Args:
        cache: the context's.
        policy: the connection's.
    """

    __slots__ = ("_cache", "_found", "_outcome", "_policy")

    def __init__(self, cache: ServerCache | NoServerCache, policy: Policy) -> None:
        self._cache, self._policy = cache, policy
        self._found = Lookup(None)
        self._outcome: Resumption | None = None  # set when it is concluded

    def prepare(self, connection: Resumable) -> None:
        if self._cache.external:
            connection.use_external()

    def before_handshake(self, connection: Resumable) -> Steps | None:
        wanted = connection.offered_session_id()
        return self._look_up(connection, wanted) if wanted else None

    def _look_up(self, connection: Resumable, wanted: bytes) -> Steps:
        # Early data must not be accepted twice.
        once = self._policy.takes_early_data and connection.facts().offered == "psk"
        found, ask, owner = self._cache.find(wanted, once=once), self._cache.on_get, None
        if found.session is None and ask is not None:
            owner = connection.owner
        if ask is not None and owner is not None:
            found = _given((yield ask(owner, wanted)), found)
        self._found = _in_date(found)
        if self._found.session is not None:
            connection.resume_from(self._found.session, once=self._found.once)
        return None

    def offer(self, connection: Resumable, session: SSLSession | None, reason: Reason) -> None: ...

    def handshake_failed(self, connection: Resumable) -> None: ...

    def session_arrived(self, connection: Resumable, session: SSLSession) -> None:
        self._cache.keep(session._session)

    def key_given(self) -> None:
        # In TLS 1.3, libssl treats such a handshake as a resumption.
        self._outcome = NotOffered(Reason.PRE_SHARED_KEY)

    def conclude(self, connection: Resumable) -> None:
        if self._outcome is None and self._cache.external:
            self._outcome = self.outcome(connection)
            self._found = Lookup(None)
            self._cache.count(self._outcome)

    def outcome(self, connection: Resumable) -> Resumption:
        return self._judge(connection.facts()) if self._outcome is None else self._outcome

    def _judge(self, facts: Facts) -> Resumption:
        found = self._found
        if facts.reused:
            return Resumed(self._age(facts), None, found.session is not None)
        if facts.offered in ("nothing", "unknown"):
            return NotOffered(Reason.CLIENT_OFFERED_NOTHING)
        if facts.refused_ticket:
            return Refused(_TICKETS[facts.refused_ticket])
        if found.session is None:
            return Refused(found.reason or Reason.UNKNOWN_SESSION)
        if found.session.id_context != self._policy.id_context:
            return Refused(Reason.OTHER_ID_CONTEXT)
        if found.session.time + found.session.timeout <= now():
            return Refused(Reason.EXPIRED)
        other_version = found.session.version != facts.version
        return Refused(Reason.OTHER_VERSION if other_version else Reason.OTHER_CIPHER)

    def _age(self, facts: Facts) -> int | None:
        if self._found.session is not None:
            made = self._found.session.time
        elif facts.version_name == "TLSv1.3":
            return None  # by now, the session in force is the new one
        else:
            made = facts.session_time
        return max(0, facts.completed - made)


def _given(session: object, otherwise: Lookup) -> Lookup:
    """Convert the return value of a hook."""
    if session is None:
        return otherwise
    if not isinstance(session, SSLSession):
        raise TypeError(f"on_get must return an SSLSession or None, got {type(session).__name__}")
    return Lookup(session._session)


def _in_date(found: Lookup) -> Lookup:
    """Return nothing if the client's certificate has expired: a session never outlives it."""
    ended = found.session is not None and 0 <= found.session.peer_not_after < now()
    return Lookup(None, Reason.CERTIFICATE_OUT_OF_DATE) if ended else found
