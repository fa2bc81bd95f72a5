"""The sessions that the connections of one context offer and keep, in a store.

client.py explains when it is called, and store_keys.py the keys under which sessions are kept.
"""

from __future__ import annotations

from collections.abc import Callable

from ..sessions.binding import Binding
from ..sessions.session import SSLSession
from .objection import objection
from .reasons import Reason, Resumption
from .store_keys import PeerMemory, common_place, own_place, shared, single
from .strategy import Offer, Policy, Resumable
from .tally import Tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..stores.guard import Guard
    from ..stores.store import SessionStore

TRIES = 4  # how many unusable entries a connection looks at

#: Objections that concern only one connection: the session may be good for another one.
_OWN_OBJECTIONS = {Reason.CIPHER_NOT_OFFERED}


class ClientCache:
    """The sessions that the connections of one context offer and keep.

    Safe from any thread. It holds no lock while it calls the store.

    Args:
        store: where the sessions are kept.
        tally: counts the outcomes.
        per_peer: the attribute.

    Attributes:
        per_peer: how many TLS 1.3 tickets of one peer are kept.
        single_use: whether a TLS 1.3 ticket is never offered twice.
        client_certificates: whether sessions made with a client certificate may leave the process.
    """

    automatic = True

    def __init__(self, store: SessionStore, tally: Tally, per_peer: int) -> None:
        from ..stores.guard import guarded

        self.store: Guard = guarded(store)
        self._in_process = store.in_process
        self.tally = tally
        self.per_peer = per_peer
        self.single_use = False
        self.client_certificates = False
        self._peers = PeerMemory()

    # -- before the handshake ----------------------------------------------------------------------

    def offer(self, connection: Resumable, policy: Policy) -> Offer:
        """Find a session for this connection.

        Args:
            connection: its handshake has not begun.
            policy: the connection's.
        """
        common = common_place(policy.binding)
        own, apart = b"", False
        if self._peers.has_apart(common):
            own = own_place(common, connection.port, connection.suites())
            apart = self._peers.is_apart(own)
            if apart:
                found = self._find(own, common, connection, policy)
                if found.session is not None:
                    return found._replace(apart=True)
        found = self._find(common, common, connection, policy)
        if apart or not _is_for_others(found, connection):
            return found._replace(apart=apart)
        own = own or own_place(common, connection.port, connection.suites())
        better = self._find(own, common, connection, policy)
        if better.session is None:
            return found._replace(apart=True)
        if found.session is not None and not found.shared:
            self._put_back(found.session, single(common))
        return better._replace(apart=True)

    def _find(self, place: bytes, common: bytes, connection: Resumable, policy: Policy) -> Offer:
        tls13 = self._peers.spoke_tls13(common)
        reason = Reason.NOTHING_STORED
        if tls13 is not False:
            found = self._taken(place, connection, policy)
            if found.session is not None or found.reason is Reason.STORE_DOWN:
                return found
            reason = found.reason or reason
        if not (tls13 and self.single_use):
            found = self._looked_at(place, connection, policy)
            if found.session is not None:
                return found
            reason = found.reason or reason if reason is Reason.NOTHING_STORED else reason
        if tls13 and reason is Reason.NOTHING_STORED:
            reason = Reason.ALREADY_TAKEN
        return Offer(None, reason, place)

    def _taken(self, place: bytes, connection: Resumable, policy: Policy) -> Offer:
        reason = Reason.NOTHING_STORED
        for _ in range(TRIES):
            answer = self.store.take(single(place))
            if answer.value is None and not answer.bad:
                return Offer(None, Reason.STORE_DOWN if answer.trouble else reason, place)
            session = None if answer.bad else self._read(answer.value)
            if session is None:
                reason = Reason.UNREADABLE
                continue
            objected = objection(session, connection, policy)
            if objected is None:
                return Offer(session, None, place)
            reason = objected
            if objected in _OWN_OBJECTIONS:
                self._put_back(session, single(place))
                break
        return Offer(None, reason, place)

    def _looked_at(self, place: bytes, connection: Resumable, policy: Policy) -> Offer:
        key = shared(place)
        answer = self.store.get(key)
        if answer.bad:
            return Offer(None, Reason.UNREADABLE, place)
        if answer.value is None:
            reason = Reason.STORE_DOWN if answer.trouble else Reason.NOTHING_STORED
            return Offer(None, reason, place)
        session = self._read(answer.value)
        if session is not None and session.protocol == "TLSv1.3" and self.single_use:
            return Offer(None, Reason.ALREADY_TAKEN, place)
        objected = Reason.UNREADABLE if session is None else objection(session, connection, policy)
        if session is not None and objected is None:
            if session.protocol == "TLSv1.3" and self._peers.is_reuse(place, session.id):
                self.tally.count("ticket_reused")
            return Offer(session, None, place, shared=True)
        if objected not in _OWN_OBJECTIONS:
            self.store.remove(key, answer.value)
        return Offer(None, objected, place)

    def _put_back(self, session: SSLSession, key: bytes) -> None:
        value, seconds = session._to_value(in_process=self._in_process), session.expires_in
        if seconds > 0:
            self.store.put(key, value, seconds, most=self.per_peer)

    def _read(self, value: Any) -> SSLSession | None:
        session = SSLSession._from_value(value)
        # The session itself must say what it may be used for: a store's key is not enough.
        if session is None or session._binding is None:
            self.tally.count("bad_entry")
            return None
        return session

    # -- afterwards --------------------------------------------------------------------------------

    def keep(
        self, connection: Resumable, session: SSLSession, policy: Policy, offer: Offer
    ) -> None:
        """Keep a new session of a connection.

        Args:
            connection: the connection.
            session: the session.
            policy: the connection's.
            offer: what the connection had offered.
        """
        if not self._may_keep(session, policy.binding, policy.shows_certificate):
            return
        common = common_place(policy.binding)
        resumed = connection.session_reused
        self._peers.note_version(common, tls13=session.protocol == "TLSv1.3")
        # Each full handshake sets one ticket aside, which replaces the previous one.
        aside = session._number == 1 and (offer.shared or not resumed)
        if not offer.apart or (resumed and offer.place == common):
            self._put(common, session, aside=aside)
            return
        own = own_place(common, connection.port, connection.suites())
        self._peers.note_apart(common, own)
        self._put(own, session, aside=aside)
        if aside and offer.place == common and offer.reason is None and not self.single_use:
            # The session there was refused: this one serves connections to new ports.
            self._put(common, session, aside=True)

    def add(self, session: SSLSession, *, shows_certificate: bool) -> bool:
        """Keep a session that the application adds, and return whether it was kept."""
        binding = session._binding
        if binding is None or not self._may_keep(session, binding, shows_certificate):
            return False
        self._peers.note_version(common_place(binding), tls13=session.protocol == "TLSv1.3")
        return self._put(common_place(binding), session, aside=False)

    def _may_keep(self, session: SSLSession, binding: Binding, shows_certificate: bool) -> bool:
        if (
            binding.hostname is None
            or session._binding != binding
            or not session.is_resumable
            or session.expires_in <= 0
        ):
            return False
        if shows_certificate and not self._in_process and not self.client_certificates:
            self.tally.count("withheld")
            return False
        return True

    def _put(self, place: bytes, session: SSLSession, *, aside: bool) -> bool:
        value, seconds = session._to_value(in_process=self._in_process), session.expires_in
        tls13 = session.protocol == "TLSv1.3"
        kept = False
        if not tls13 or (aside and not self.single_use):
            kept = self.store.put(shared(place), value, seconds)
        # The session set aside never carries early data, so a ticket that allows it is taken, too.
        if tls13 and (not kept or session.max_early_data > 0):
            most = self.per_peer if self.single_use else max(1, self.per_peer - 1)
            kept = self.store.put(single(place), value, seconds, most=most)
        if kept:
            self.tally.count("stored")
        return kept

    def refused(self, connection: Resumable, policy: Policy, offer: Offer) -> None:
        """Handle a server's refusal of an offered session. If it came from another port's service,
        it is still good there.
        """
        common, session = common_place(policy.binding), offer.session
        if session is None or offer.place != common or not _is_for_others(offer, connection):
            return
        own = own_place(common, session._port, connection.suites())
        self._peers.note_apart(common, own)
        self._put(own, session, aside=offer.shared)

    def drop(self, connection: Resumable, policy: Policy, offer: Offer) -> None:
        """Drop all sessions of the peer after a failed handshake in which one was offered."""
        common = common_place(policy.binding)
        places = {common, offer.place or common}
        if offer.apart:
            places.add(own_place(common, connection.port, connection.suites()))
        for place in places:
            self.store.remove(single(place))
            self.store.remove(shared(place))
        self.tally.count("peer_dropped")

    def count(self, outcome: Resumption) -> None:
        """Count a connection's outcome."""
        self.tally.add(outcome)

    # -- taking out --------------------------------------------------------------------------------

    def remove(self, session: SSLSession) -> bool:
        """Remove a session from the store, and return whether it was there. If the store cannot
        list its entries, remove all sessions of the session's peer.
        """
        binding = session._binding
        if binding is None:
            return False
        try:
            return self.remove_where(lambda one: one == session) > 0
        except NotImplementedError:
            common = common_place(binding)
            gone = [self.store.remove(key) for key in (single(common), shared(common))]
            return any(gone)

    def remove_where(self, wanted: Callable[[SSLSession], bool]) -> int:
        """Remove all sessions for which `wanted` returns true, and return their number.

        Raises:
            NotImplementedError: the store cannot list its entries.
        """
        removed = 0
        for entry in list(self.store.store.entries()):
            session = SSLSession._from_value(entry.value)
            if session is not None and session._binding is not None and wanted(session):
                removed += self.store.remove(entry.key, entry.value)
        return removed


def _is_for_others(found: Offer, connection: Resumable) -> bool:
    """Return whether the common place holds a session that may not suit this connection: one from
    another port's service, or one that only other connections can use.
    """
    if found.session is None:
        return found.reason in _OWN_OBJECTIONS
    earned, port = found.session._port, connection.port
    return earned is not None and port is not None and earned != port
