"""Automatic client resumption: which session a connection offers, and where those that come are
kept.

How it works. A context with a store has a ClientCache, and each connection that it makes to a named
server goes through three moments:

1. *Before the handshake* the connection asks for an `offer` under its binding: the server's name
and a digest of all that
   verification depends on (key.py). The binding is the key in the store, so what was earned under
   other rules is not even found. What is found is looked at once more (resumption.objection): is it
   whole, in date, bound to just this?
2. *When a session comes* (a TLS 1.3 ticket comes after the handshake, with a read) it is kept under
the binding that its own
   connection had all along. If the context was changed meanwhile, it is not kept.
3. *When the handshake fails*, the session that was offered is dropped, and no other.

A TLS 1.3 ticket is for one use (RFC 8446, C.4): it is *taken*, and the store sees to it that nobody
else gets it, in whichever process. A TLS 1.2 session may be used at once by many and is *looked
at*; a resumption does not move its deadline. The two are kept under keys of their own, because
nobody knows beforehand which version the server will speak; what it spoke last is remembered here,
to save a question.

Nothing here can fail a connection. Every doubt, about a session, a store or an entry, means a full
handshake, and is counted.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import RLock
from time import time as now
from typing import TYPE_CHECKING, Any, NamedTuple

from ..sessions import envelope
from ..sessions.session import SSLSession
from ..stores.forks import Forked, watch
from ..stores.guard import guarded
from .reasons import Reason, Tally, objection

if TYPE_CHECKING:
    from .._core.connection import Connection
    from ..sessions.binding import Binding
    from ..stores.store import SessionStore

TRIES = 4  # how many entries that turn out useless a connection looks at
PEERS_REMEMBERED = 4096
MANY = 8  # tickets per peer: as many connections may be opened at once and resume


class Offer(NamedTuple):
    """What `ClientCache.offer` found.

    Attributes:
        session: to be offered; None: nothing.
        reason: why nothing; None when there is something.
        key, value: where a shared session is kept, and as what, for `drop`.
    """

    session: SSLSession | None
    reason: Reason | None = None
    key: bytes = b""
    value: Any = None


NOTHING = Offer(None, Reason.NOTHING_STORED)


class ClientCache(Forked):
    """The sessions that the connections of one context offer and keep. Safe from any thread; it
    holds no lock while it asks the store.

    Args:
        store: where they are kept.
        tally: where it is counted what became of them.
    """

    def __init__(self, store: SessionStore, tally: Tally) -> None:
        self.store = guarded(store)
        self._in_process = store.in_process
        self.tally = tally
        self.per_peer = MANY
        self.client_certificates = False  # whether sessions made with one may leave the process
        self._speaks: OrderedDict[bytes, bool] = (
            OrderedDict()
        )  # peers, and whether they spoke TLS 1.3 last
        self._after_fork()
        watch(self)

    def _after_fork(self) -> None:
        self._lock = (
            RLock()
        )  # a finaliser or a signal handler may end a connection in the middle of another's lines

    # -- before the handshake ----------------------------------------------------------------------

    def offer(self, connection: Connection, binding: Binding, *, verifies: bool) -> Offer:
        """Find a session for this connection.

        Args:
            connection: whose handshake has not begun.
            binding: its name and its policy.
            verifies: whether it verifies its peer.
        """
        peer = binding.key
        speaks = self._remembered(peer)
        reason = Reason.NOTHING_STORED
        if speaks is not False:
            found = self._try(connection, binding, verifies, _single(peer), self.store.take)
            if found.session is not None:
                return found
            reason = (
                Reason.ALREADY_TAKEN
                if speaks and found.reason is Reason.NOTHING_STORED
                else found.reason or reason
            )
        if not speaks:
            found = self._try(connection, binding, verifies, _shared(peer), self.store.get)
            if found.session is not None or reason is Reason.NOTHING_STORED:
                return found
        return Offer(None, reason)

    def _try(
        self, connection: Connection, binding: Binding, verifies: bool, key: bytes, ask: Any
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
                objected = objection(session, connection, binding, verifies)
                if objected is None:
                    return Offer(session, None, key, value)
                reason = objected
            if ask != self.store.take:
                if not answer.bad:
                    self.store.remove(key, value)
                break
        return Offer(None, reason)

    def _read(self, value: Any) -> SSLSession | None:
        session = envelope.read(value)
        if (
            session is None or session._binding is None
        ):  # it must say itself what it is good for: a store's key is not enough
            self.tally.count("bad_entry")
            return None
        return session

    # -- afterwards --------------------------------------------------------------------------------

    def keep(self, binding: Binding, session: SSLSession, *, with_certificate: bool) -> bool:
        """Keep a session that has come: whether it was.

        Args:
            binding: the name and the policy of its connection.
            session: one that was made under them.
            with_certificate: whether this side has shown, or could have shown, a certificate of its
                own.
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
        if with_certificate and not self._in_process and not self.client_certificates:
            self.tally.count("withheld")
            return False
        peer, single = binding.key, session.protocol == "TLSv1.3"
        self._remember(peer, single)
        value = session if self._in_process else envelope.encode(session)
        kept = self.store.put(
            _single(peer) if single else _shared(peer),
            value,
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


def _single(peer: bytes) -> bytes:
    return peer + b"\x03"


def _shared(peer: bytes) -> bytes:
    return peer + b"\x02"
