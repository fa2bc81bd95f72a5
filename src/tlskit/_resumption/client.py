"""A client's resumption: which session a connection offers, and where new sessions are kept.

How it works. A context with a store has a ClientCache. Each connection made from the context has a
ClientResumption, which acts at three moments:

1. *Before the handshake* it asks the cache for an `Offer` under its binding: the server's name and
   a digest of everything that verification depends on (binding.py). The binding is the key in the
   store (store_keys.py), so sessions made under other rules are not even found. A session that is
   found is checked once more (objection.py): is it complete, in date, and made under exactly this
   binding? If the objection concerns only this connection, such as a cipher suite that it does not
   offer, the session stays in the store.
2. *When a session arrives* (a TLS 1.3 ticket arrives after the handshake, with a read) it is kept
   under the binding that its own connection had all along. If the context was changed meanwhile, it
   is not kept.
3. *When the handshake fails* although a session was offered, all sessions of that peer are dropped:
   a server, or a middlebox in front of it, that fails on one would fail on each.

A TLS 1.3 ticket should be used once (RFC 8446, C.4): it is *taken*, and the store makes sure that
no other connection gets it, in any process. But some servers send no new ticket on a resumed
connection, and a client may open more connections at once than it has tickets. So unless
`single_use` is set, the first ticket of each full handshake is set aside, and when no other is left
it is offered, as often as needed. An observer can link the connections that use it; nothing else is
lost, since early data is never sent with it. A TLS 1.2 session may be used by many connections
anyway.

Nothing here can fail a connection. Any doubt about a session, a store or an entry leads to a full
handshake, and is counted.
"""

from __future__ import annotations

from time import monotonic
from time import time as now

from .objection import objection, second
from .reasons import NotOffered, Reason, Refused, Resumed, Resumption
from .strategy import NoClientCache, Offer, Policy, Resumable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..sessions.session import SSLSession
    from .client_cache import ClientCache

_ONE_MORE = 60.0  # seconds after which a connection may keep one ticket beyond `per_peer`


class ClientResumption:
    """Offer the session that was set explicitly, or one that the context's cache finds, and keep
    new sessions.

    Args:
        cache: the context's.
        policy: the connection's.
    """

    __slots__ = (
        "_arrived", "_automatic", "_cache", "_checked_at", "_first", "_kept", "_offer", "_outcome",
        "_policy",
    )  # fmt: skip

    def __init__(self, cache: ClientCache | NoClientCache, policy: Policy) -> None:
        self._cache, self._policy = cache, policy
        self._automatic = cache.automatic  # until a session is set explicitly
        self._offer = Offer(None, Reason.NOT_ENABLED)
        self._checked_at = -1  # the second in which the session was found to be good
        self._outcome: Resumption | None = None  # set when it is concluded
        self._arrived = self._kept = 0  # counts of sessions
        self._first = 0.0  # when the first one arrived

    @property
    def offered(self) -> Offer:
        """The offer as decided so far, or the reason for not making one."""
        return self._offer

    def prepare(self, connection: Resumable) -> None:
        if self._automatic:
            connection.pause()

    def offer(self, connection: Resumable, session: SSLSession | None, reason: Reason) -> None:
        self._automatic, self._checked_at = False, -1
        self._offer = Offer(session, reason if session is None else None)
        if session is not None:
            self.before_handshake(connection)

    def before_handshake(self, connection: Resumable) -> None:
        if self._automatic:
            self._offer = self._search(connection)
        elif self._offer.session is not None:
            if self._is_still_good(self._offer.session):
                return
            self._offer = self._checked(self._offer.session, connection)
        session = self._offer.session
        if session is None:
            connection.set_session(None, early=False)
            return
        # Early data is for one use, and for the service that issued the ticket: another port's
        # service might treat it in any way.
        early = (
            session.max_early_data > 0
            and not self._offer.shared
            and session._port == connection.port
            and not self._policy.encrypts_hello
        )
        connection.set_session(session._session, early=early)

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
        if reason is not None:
            return Offer(None, reason)
        self._checked_at = second()
        return Offer(session)

    def _is_still_good(self, session: SSLSession) -> bool:
        """Return whether another check would find the same: it compares times in seconds, and the
        connection's rules and trust do not change, except for another context.
        """
        return (
            second() == self._checked_at
            and not self._policy.has_changed()
            and session._session.is_resumable
        )

    def handshake_failed(self, connection: Resumable) -> None:
        if self._offer.session is not None and self._automatic:
            self._cache.drop(connection, self._policy, self._offer)
        self._offer = self._offer.without()

    def session_arrived(self, connection: Resumable, session: SSLSession) -> None:
        self._arrived += 1
        session._number = self._arrived
        if self._has_room():
            self._kept += 1
            self._cache.keep(connection, session, self._policy, self._offer)

    def _has_room(self) -> bool:
        """Return whether another session may be kept. A peer may send any number of tickets: only
        `per_peer` are kept, and then one more each minute.
        """
        if not self._first:
            self._first = monotonic()
        allowed = self._cache.per_peer + 1
        return (
            self._kept < allowed or self._kept < allowed + (monotonic() - self._first) / _ONE_MORE
        )

    def key_given(self) -> None: ...

    def conclude(self, connection: Resumable) -> None:
        if self._outcome is None and (self._cache.automatic or self._offer.session is not None):
            self._outcome = self.outcome(connection)
            if not self._outcome:
                self._cache.refused(connection, self._policy, self._offer)
                self._offer = self._offer.without()
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
        # RFC 8446, 4.2.11: a ticket is bound to the hash of its cipher suite.
        if facts.version_name == "TLSv1.3" and _hash(offered.cipher) != _hash(facts.cipher_name):
            return Refused(Reason.OTHER_CIPHER)
        return Refused(Reason.NOT_ACCEPTED)


def _hash(cipher: str | None) -> str:
    return (cipher or "").rpartition("_")[2]
