"""Attempt: what one client connection does about resumption, from before its handshake to its
end.
"""

from __future__ import annotations

from time import time as now
from typing import TYPE_CHECKING

from ..sessions.binding import Binding
from .client_cache import NOTHING, ClientCache, Offer
from .reasons import NotOffered, Reason, Refused, Resumed, Resumption, objection

if TYPE_CHECKING:
    from .._core.connection import Connection
    from ..sessions.session import SSLSession


class Attempt:
    """The session that was set by hand, or else what the context's cache finds; what became of it;
    and what came.

    Attributes:
        cache: the context's, or None.
        session: what is offered, or was; None: nothing.
        objection: why nothing is offered; None when something is, or nobody wanted to.
        outcome: once the handshake is complete.
    """

    __slots__ = ("_found", "_tickets", "automatic", "cache", "objection", "outcome", "session")

    def __init__(self, cache: ClientCache | None) -> None:
        self.cache = cache
        self.session: SSLSession | None = None
        self.objection: Reason | None = None
        self.outcome: Resumption | None = None
        self.automatic = cache is not None  # until somebody sets a session
        self._found: Offer = NOTHING
        self._tickets = 0

    def set(self, session: SSLSession | None, reason: Reason | None) -> None:
        """Somebody has set a session: it is offered, unless there is a reason not to."""
        self.automatic = False
        self.session, self.objection = (session, None) if reason is None else (None, reason)

    def look(
        self, connection: Connection, binding: Binding, *, verifies: bool, changed: bool
    ) -> SSLSession | None:
        """The handshake is about to begin: the session to offer in it, or None."""
        if self.automatic and self.cache is not None:
            self._search(self.cache, connection, binding, verifies, changed)
        elif self.session is not None:
            self.set(
                self.session,
                Reason.CONTEXT_CHANGED
                if changed
                else objection(self.session, connection, binding, verifies),
            )
        return self.session

    def _search(
        self,
        cache: ClientCache,
        connection: Connection,
        binding: Binding,
        verifies: bool,
        changed: bool,
    ) -> None:
        if binding.hostname is None:
            self.objection = Reason.NO_NAME
        elif changed:
            self.objection = Reason.CONTEXT_CHANGED
        else:
            self._found = cache.offer(connection, binding, verifies=verifies)
            self.session, self.objection = self._found.session, self._found.reason

    def conclude(self, connection: Connection) -> Resumption:
        """The handshake is complete."""
        if self.outcome is None:
            self.outcome = self._judge(connection)
            if not self.outcome:
                self.session = None
            if self.cache is not None:
                self.cache.tally.add(self.outcome)
        return self.outcome

    def _judge(self, connection: Connection) -> Resumption:
        offered = self.session
        if offered is None:
            return NotOffered(self.objection or Reason.NOT_ENABLED)
        if connection.session_reused:
            return Resumed(max(0, int(now()) - offered.time), offered._number, self.automatic)
        facts = connection.facts()
        if offered.protocol != facts.version_name:
            return Refused(Reason.OTHER_VERSION)
        if facts.version_name == "TLSv1.3" and _hash(offered.cipher) != _hash(facts.cipher_name):
            return Refused(
                Reason.OTHER_CIPHER
            )  # RFC 8446, 4.2.11: a ticket goes with the hash of its suite
        return Refused(Reason.NOT_ACCEPTED)

    def failed(self) -> None:
        """The handshake has failed, and with it what was offered; other sessions of the peer
        stay.
        """
        if self.cache is not None and self._found is not NOTHING:
            self.cache.drop(self._found)
            self._found = NOTHING

    def came(self, session: SSLSession, binding: Binding, *, with_certificate: bool) -> None:
        """A new session has come: number it, and keep it."""
        self._tickets += 1
        session._number = self._tickets
        if self.cache is not None:
            self.cache.keep(binding, session, with_certificate=with_certificate)


def _hash(cipher: str | None) -> str:
    return (cipher or "").rpartition("_")[2]
