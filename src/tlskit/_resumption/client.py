"""A client's resumption: which session a connection offers, and where those that arrive are kept.

How it works. A context with a store has a ClientCache. Each connection that it makes has a
ClientResumption, which goes through three moments:

1. *Before the handshake* it asks the cache for an `Offer` under its binding: the server's name and
   a digest of all that verification depends on (binding.py). The binding is the key in the store,
   so what was earned under other rules is not even found. What is found is checked once more
   (objection.py): is it whole, in date, bound to just this?
2. *When a session arrives* (a TLS 1.3 ticket comes after the handshake, with a read) it is kept
   under the binding that its own connection had all along. If the context was changed meanwhile, it
   is not kept.
3. *When the handshake fails*, the session that was offered is dropped, and no other.

A TLS 1.3 ticket is for one use (RFC 8446, C.4): it is *taken*, and the store makes sure that nobody
else gets it, in any process. A TLS 1.2 session may be used at once by many connections and is
*looked at*; a resumption does not move its deadline. The two are kept under keys of their own,
because nobody knows beforehand which version the server will speak; the version that it spoke last
is remembered here, to save a question.

Nothing here can fail a connection. Every doubt, about a session, a store or an entry, means a full
handshake, and is counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import RLock
from time import time as now
from typing import Any, NamedTuple

from ..sessions.binding import Binding
from ..sessions.session import SSLSession
from ..stores.forks import Forked, watch
from ..stores.guard import Answer, guarded
from ..stores.store import SessionStore
from .objection import objection
from .reasons import NotOffered, Reason, Refused, Resumed, Resumption
from .strategy import Policy, Resumable
from .tally import Tally

TRIES = 4  # how many entries that turn out useless a connection looks at
PEERS_REMEMBERED = 4096
MANY = 8  # tickets per peer: as many connections may be opened at once and resume


class Offer(NamedTuple):
    """What `ClientCache.offer` found.

    Attributes:
        session: the one to offer; None: nothing.
        reason: why nothing; None when there is something.
        key, value: where a shared session is kept, and as what, for `drop`.
    """

    session: SSLSession | None
    reason: Reason | None = None
    key: bytes = b""
    value: Any = None

    def __repr__(self) -> str:
        return f"<Offer: {self.session or self.reason}>"


class NoCache:
    """Stand in for the cache of a context that does not resume automatically."""

    automatic = False

    def offer(self, connection: Resumable, policy: Policy) -> Offer:
        return Offer(None, Reason.NOT_ENABLED)

    def keep(self, session: SSLSession, binding: Binding, *, shows_certificate: bool) -> bool:
        return False

    def drop(self, offer: Offer) -> None: ...

    def count(self, outcome: Resumption) -> None: ...


NO_CACHE = NoCache()


class ClientCache(Forked):
    """The sessions that the connections of one context offer and keep.

    Safe from any thread; it holds no lock while it asks the store.

    Args:
        store: where they are kept.
        tally: where the outcomes are counted.
    """

    automatic = True

    def __init__(self, store: SessionStore, tally: Tally) -> None:
        self.store = guarded(store)
        self._in_process = store.in_process
        self.tally = tally
        self.per_peer = MANY
        self.client_certificates = False  # whether sessions made with one may leave the process
        # Peers, and whether they spoke TLS 1.3 last.
        self._speaks: OrderedDict[bytes, bool] = OrderedDict()
        self._after_fork()
        watch(self)

    def _after_fork(self) -> None:
        # A finaliser or a signal handler may end a connection in the middle of another's lines.
        self._lock = RLock()

    # -- before the handshake ----------------------------------------------------------------------

    def offer(self, connection: Resumable, policy: Policy) -> Offer:
        """Find a session for this connection.

        Args:
            connection: its handshake has not begun.
            policy: the connection's.
        """
        peer = policy.binding.key
        speaks = self._remembered(peer)
        reason = Reason.NOTHING_STORED
        if speaks is not False:
            found = self._try(connection, policy, _single(peer), self.store.take)
            if found.session is not None:
                return found
            reason = (
                Reason.ALREADY_TAKEN
                if speaks and found.reason is Reason.NOTHING_STORED
                else found.reason or reason
            )
        if not speaks:
            found = self._try(connection, policy, _shared(peer), self.store.get)
            if found.session is not None or reason is Reason.NOTHING_STORED:
                return found
        return Offer(None, reason)

    def _try(
        self,
        connection: Resumable,
        policy: Policy,
        key: bytes,
        ask: Callable[[bytes], Answer],
    ) -> Offer:
        reason = Reason.NOTHING_STORED
        for _ in range(TRIES):
            answer = ask(key)
            value = answer.value
            if value is None and not answer.bad:
                return Offer(None, Reason.STORE_DOWN if answer.trouble else reason)
            session = None if answer.bad else self._read(value)
            if session is None:
                reason = Reason.UNREADABLE
            else:
                objected = objection(session, connection, policy)
                if objected is None:
                    return Offer(session, None, key, value)
                reason = objected
            if ask != self.store.take:
                if not answer.bad:
                    self.store.remove(key, value)
                break
        return Offer(None, reason)

    def _read(self, value: Any) -> SSLSession | None:
        session = SSLSession._from_value(value)
        # It must say itself what it may be used for: a store's key is not enough.
        if session is None or session._binding is None:
            self.tally.count("bad_entry")
            return None
        return session

    # -- afterwards --------------------------------------------------------------------------------

    def keep(self, session: SSLSession, binding: Binding, *, shows_certificate: bool) -> bool:
        """Keep a session that has arrived, and return whether it was kept.

        Args:
            session: the session.
            binding: its connection's.
            shows_certificate: whether this side has shown, or could have shown, a certificate.
        """
        if (
            binding.hostname is None
            or session._binding != binding
            or not session._sound
            or not session.is_resumable
        ):
            return False
        seconds = session.expires_at - now()
        if seconds <= 0:
            return False
        if shows_certificate and not self._in_process and not self.client_certificates:
            self.tally.count("withheld")
            return False
        peer, single = binding.key, session.protocol == "TLSv1.3"
        self._remember(peer, single)
        kept = self.store.put(
            _single(peer) if single else _shared(peer),
            session._to_value(in_process=self._in_process),
            seconds,
            most=self.per_peer if single else 1,
        )
        if kept:
            self.tally.count("stored")
        return kept

    def drop(self, offer: Offer) -> None:
        """Forget the session of a handshake that failed. One that was taken is gone already."""
        if (
            offer.value is not None
            and offer.session is not None
            and offer.session.protocol != "TLSv1.3"
        ):
            self.store.remove(offer.key, offer.value)

    def count(self, outcome: Resumption) -> None:
        """Count what became of a connection."""
        self.tally.add(outcome)

    # -- what the peers speak ----------------------------------------------------------------------

    def _remembered(self, peer: bytes) -> bool | None:
        with self._lock:
            return self._speaks.get(peer)

    def _remember(self, peer: bytes, single: bool) -> None:
        with self._lock:
            self._speaks.pop(peer, None)
            self._speaks[peer] = single
            while len(self._speaks) > PEERS_REMEMBERED:
                self._speaks.popitem(last=False)


class ClientResumption:
    """Offer the session that was set by hand, or else what the context's cache finds, and keep the
    sessions that arrive.

    Args:
        cache: the context's.
        policy: the connection's.
    """

    __slots__ = ("_arrived", "_automatic", "_cache", "_offer", "_outcome", "_policy")

    def __init__(self, cache: ClientCache | NoCache, policy: Policy) -> None:
        self._cache, self._policy = cache, policy
        self._automatic = cache.automatic  # until somebody sets a session
        self._offer = Offer(None, Reason.NOT_ENABLED)
        self._outcome: Resumption | None = None  # once it is concluded
        self._arrived = 0  # how many sessions have

    @property
    def offered(self) -> Offer:
        """What is offered, or why nothing is, as far as has been decided."""
        return self._offer

    def prepare(self, connection: Resumable) -> None:
        if self._automatic:
            connection.pause()

    def offer(self, connection: Resumable, session: SSLSession | None, reason: Reason) -> None:
        self._automatic = False
        self._offer = Offer(session, reason if session is None else None)
        if session is not None:
            self.before_handshake(connection)

    def before_handshake(self, connection: Resumable) -> None:
        if self._automatic:
            self._offer = self._search(connection)
        elif self._offer.session is not None:
            self._offer = self._checked(self._offer.session, connection)
        session = self._offer.session
        connection.set_session(None if session is None else session._session)

    def _search(self, connection: Resumable) -> Offer:
        if self._policy.binding.hostname is None:
            return Offer(None, Reason.NO_NAME)
        if self._policy.has_changed():
            return Offer(None, Reason.CONTEXT_CHANGED)
        return self._cache.offer(connection, self._policy)

    def _checked(self, session: SSLSession, connection: Resumable) -> Offer:
        if self._policy.has_changed():
            return Offer(None, Reason.CONTEXT_CHANGED)
        reason = objection(session, connection, self._policy)
        return Offer(session) if reason is None else Offer(None, reason)

    def handshake_failed(self) -> None:
        self._cache.drop(self._offer)
        self._offer = Offer(None, self._offer.reason)

    def session_arrived(self, session: SSLSession) -> None:
        self._arrived += 1
        session._number = self._arrived
        policy = self._policy
        self._cache.keep(session, policy.binding, shows_certificate=policy.shows_certificate)

    def key_given(self) -> None: ...

    def conclude(self, connection: Resumable) -> None:
        if self._outcome is None and (self._cache.automatic or self._offer.session is not None):
            self._outcome = self.outcome(connection)
            if not self._outcome:
                self._offer = Offer(None, self._offer.reason)
            self._cache.count(self._outcome)

    def outcome(self, connection: Resumable) -> Resumption:
        if self._outcome is not None:
            return self._outcome
        offered = self._offer.session
        if offered is None:
            return NotOffered(self._offer.reason or Reason.NOT_ENABLED)
        if connection.session_reused:
            return Resumed(max(0, int(now()) - offered.time), offered._number, self._automatic)
        facts = connection.facts()
        if offered.protocol != facts.version_name:
            return Refused(Reason.OTHER_VERSION)
        # RFC 8446, 4.2.11: a ticket goes with the hash of its suite.
        if facts.version_name == "TLSv1.3" and _hash(offered.cipher) != _hash(facts.cipher_name):
            return Refused(Reason.OTHER_CIPHER)
        return Refused(Reason.NOT_ACCEPTED)


def _single(peer: bytes) -> bytes:
    return peer + b"\x03"


def _shared(peer: bytes) -> bytes:
    return peer + b"\x02"


def _hash(cipher: str | None) -> str:
    return (cipher or "").rpartition("_")[2]
