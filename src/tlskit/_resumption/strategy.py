"""What a connection does about resumption, as one object that is chosen when the connection is
made.

There are three: `ClientResumption` (client.py) offers a session and keeps those that arrive,
`ServerResumption` (server.py) looks up what its client offers, and `NoResumption` does nothing, for
connections that are authenticated by a pre-shared key, and for those whose peers a callback judges.
Where a context keeps no sessions, its connections share UNDECIDED, and choose one of the three only
when somebody offers a session or asks for the outcome.
The connection calls its strategy at five moments, which are the methods of `Strategy`; nothing else
of resumption is decided elsewhere.

A strategy asks two things of its surroundings, both given as protocols: the connection
(`Resumable`), and the policy that the connection verifies its peer by (`Policy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from .._core.certificate import Certificate
from .._core.facts import Facts
from .._core.pauses import Steps
from .._core.session import Session
from ..sessions.binding import Binding
from ..sessions.session import SSLSession
from .reasons import NotOffered, Reason, Resumption


class Policy(Protocol):
    """The rules that a connection verifies its peer by."""

    @property
    def binding(self) -> Binding:
        """The server's name and a digest of the rules."""

    @property
    def verifies(self) -> bool:
        """Whether the peer has to show a certificate, or is asked for one."""

    @property
    def reverifies(self) -> bool:
        """Whether a session's chain is verified again before the session is offered."""

    @property
    def requires_staple(self) -> bool:
        """Whether the peer's certificate needs an OCSP response that is in date."""

    @property
    def by_key(self) -> bool:
        """Whether a pre-shared key may stand in place of a certificate."""

    @property
    def shows_certificate(self) -> bool:
        """Whether this side has a certificate of its own."""

    @property
    def takes_early_data(self) -> bool:
        """Whether a server takes early data."""

    @property
    def id_context(self) -> bytes:
        """The session id context of a server's connection."""

    def has_changed(self) -> bool:
        """Whether the connection has been given another context since it was made."""


class Resumable(Protocol):
    """A connection, as its strategy sees it."""

    vouched: Sequence[bytes]

    @property
    def owner(self) -> Any: ...
    @property
    def session_reused(self) -> bool: ...
    def facts(self) -> Facts: ...
    def pause(self) -> None: ...
    @property
    def port(self) -> int | None: ...
    def set_session(self, session: Session | None, *, early: bool) -> None: ...
    def suites(self) -> bytes: ...
    def offers_cipher_of(self, session: Session) -> bool: ...
    def vouches_for(
        self, certificate: Certificate, others: Sequence[bytes] = ()
    ) -> Sequence[bytes]: ...
    def use_external(self) -> None: ...
    def wanted(self) -> bytes: ...
    def found(self, session: Session, *, once: bool) -> None: ...


class Strategy(Protocol):
    """The five moments of a connection, and the question why."""

    def prepare(self, connection: Resumable) -> None:
        """The connection has been made: arrange to be asked before its handshake."""

    def before_handshake(self, connection: Resumable) -> Steps | None:
        """The handshake begins, or on a server the ClientHello is here: decide what to resume.
        Steps, if a callback is asked.
        """

    def handshake_failed(self, connection: Resumable) -> None:
        """The handshake has ended without success."""

    def session_arrived(self, connection: Resumable, session: SSLSession) -> None:
        """The connection has a new session."""

    def conclude(self, connection: Resumable) -> None:
        """The handshake is complete: settle and count the outcome of resumption. Repeating this
        changes nothing.
        """

    def offer(self, connection: Resumable, session: SSLSession | None, reason: Reason) -> None:
        """Offer a session that was set by hand; None: nothing, for that reason."""

    def key_given(self) -> None:
        """A server's callback has given a pre-shared key."""

    def outcome(self, connection: Resumable) -> Resumption:
        """Why a complete handshake resumed a session, or did not. Changes nothing."""


class NoResumption:
    """Offer nothing and keep nothing.

    Args:
        reason: why.
    """

    __slots__ = ("_outcome",)

    def __init__(self, reason: Reason) -> None:
        self._outcome = NotOffered(reason)

    def prepare(self, connection: Resumable) -> None: ...
    def before_handshake(self, connection: Resumable) -> Steps | None: ...
    def handshake_failed(self, connection: Resumable) -> None: ...
    def session_arrived(self, connection: Resumable, session: SSLSession) -> None: ...
    def conclude(self, connection: Resumable) -> None: ...
    def key_given(self) -> None: ...

    def offer(self, connection: Resumable, session: SSLSession | None, reason: Reason) -> None: ...

    def outcome(self, connection: Resumable) -> Resumption:
        return self._outcome


#: Of a connection that has not chosen its strategy yet. There is nothing to do until it does.
UNDECIDED = NoResumption(Reason.NOT_ENABLED)
