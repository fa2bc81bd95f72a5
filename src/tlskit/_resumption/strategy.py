"""A connection's strategy for resumption, as one object that is chosen when the connection is made.

There are three: `ClientResumption` (client.py) offers a session and keeps new ones,
`ServerResumption` (server.py) looks up what its client offers, and `NoResumption` does nothing, for
connections that are authenticated by a pre-shared key, and for those whose peers a callback judges.
If a context keeps no sessions, its connections share UNDECIDED, and choose one of the three only
when a session is offered or the outcome is queried. The connection calls its strategy at five
moments, the methods of `Strategy`; nothing about resumption is decided elsewhere.

A strategy uses two objects, both described by protocols: the connection (`Resumable`), and the
policy by which the connection verifies its peer (`Policy`).
"""

from __future__ import annotations

from collections.abc import Sequence

from .reasons import NotOffered, Reason, Resumption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, NamedTuple, NoReturn, Protocol

    from .._core.certificate import Certificate
    from .._core.facts import Facts
    from .._core.pauses import Steps
    from .._core.session import Session
    from ..sessions.binding import Binding
    from ..sessions.session import SSLSession

    OnGet = Callable[[Any, bytes], SSLSession | Awaitable[SSLSession | None] | None]
else:
    from .._frozen import NamedTuple

    Protocol = object


class Policy(Protocol):
    """The rules by which a connection verifies its peer."""

    @property
    def binding(self) -> Binding:
        """The server's name and a digest of the rules."""

    @property
    def verifies(self) -> bool:
        """Whether the peer must send, or is asked for, a certificate."""

    @property
    def reverifies(self) -> bool:
        """Whether a session's chain is verified again before the session is offered."""

    @property
    def requires_staple(self) -> bool:
        """Whether the peer's certificate needs an OCSP response that is in date."""

    @property
    def uses_psk(self) -> bool:
        """Whether a pre-shared key may replace a certificate."""

    @property
    def shows_certificate(self) -> bool:
        """Whether this side has a certificate of its own."""

    @property
    def encrypts_hello(self) -> bool:
        """Whether the ClientHello is encrypted (ECH)."""

    @property
    def takes_early_data(self) -> bool:
        """Whether a server accepts early data."""

    @property
    def id_context(self) -> bytes:
        """The session id context of a server's connection."""

    def has_changed(self) -> bool:
        """Return whether the connection has been given another context since it was made."""


class Resumable(Protocol):
    """A connection, as its strategy sees it."""

    reverified_chain: Sequence[bytes]

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
    def reverify(
        self, certificate: Certificate, others: Sequence[bytes] = ()
    ) -> Sequence[bytes]: ...
    def use_external(self) -> None: ...
    def offered_session_id(self) -> bytes: ...
    def resume_from(self, session: Session, *, once: bool) -> None: ...


class Strategy(Protocol):
    """The five moments of a connection, and the outcome."""

    def prepare(self, connection: Resumable) -> None:
        """Prepare a new connection, so that the strategy is called before its handshake."""

    def before_handshake(self, connection: Resumable) -> Steps | None:
        """Decide what to resume: the handshake begins, or a server has received the ClientHello.
        Returns steps if a callback must be called.
        """

    def handshake_failed(self, connection: Resumable) -> None:
        """Handle a failed handshake."""

    def session_arrived(self, connection: Resumable, session: SSLSession) -> None:
        """Handle a new session of the connection."""

    def conclude(self, connection: Resumable) -> None:
        """Settle and count the outcome of resumption once the handshake is complete. Repeated calls
        change nothing.
        """

    def offer(self, connection: Resumable, session: SSLSession | None, reason: Reason) -> None:
        """Offer a session that was set explicitly, or None and the reason for offering none."""

    def key_given(self) -> None:
        """Note that a server's callback has returned a pre-shared key."""

    def outcome(self, connection: Resumable) -> Resumption:
        """Return whether a complete handshake resumed a session, and why not. Changes nothing."""


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


#: For connections that have not chosen a strategy yet. There is nothing to do until they do.
UNDECIDED = NoResumption(Reason.NOT_ENABLED)


# -- what a search finds, and the caches that keep nothing -----------------------------------------


class Offer(NamedTuple):
    """The session to offer to a server, or the reason for offering none.

    Attributes:
        session: the one to offer, or None.
        reason: why there is none, or None if there is one.
        place: where the cache found it; b"" if it was set explicitly.
        shared: other connections may offer it too.
        apart: the session in the common place is not for this connection.
    """

    session: SSLSession | None
    reason: Reason | None = None
    place: bytes = b""
    shared: bool = False
    apart: bool = False

    def __repr__(self) -> str:
        return f"<Offer: {self.session or self.reason}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Offer cannot be pickled: it may hold a session with its secret")

    def without(self, reason: Reason | None = None) -> Offer:
        """Return a copy without a session, if it turns out that none can be offered."""
        return self._replace(session=None, reason=reason or self.reason)


class NoClientCache:
    """Replaces the cache of a context that does not resume automatically."""

    automatic = False
    per_peer = 0

    def offer(self, connection: Resumable, policy: Policy) -> Offer:
        return Offer(None, Reason.NOT_ENABLED)

    def keep(
        self, connection: Resumable, session: SSLSession, policy: Policy, offer: Offer
    ) -> None: ...

    def refused(self, connection: Resumable, policy: Policy, offer: Offer) -> None: ...

    def drop(self, connection: Resumable, policy: Policy, offer: Offer) -> None: ...

    def count(self, outcome: Resumption) -> None: ...

    def remove(self, session: SSLSession) -> bool:
        return False


NO_CLIENT_CACHE = NoClientCache()


class Lookup(NamedTuple):
    """The result of a lookup.

    Attributes:
        session: the session, or None.
        reason: why there is none.
        once: the session was taken, and nobody else will find it.
    """

    session: Session | None
    reason: Reason | None = None
    once: bool = False


class NoServerCache:
    """Replaces the cache of a context that keeps its sessions nowhere else."""

    external = False
    on_get: OnGet | None = None

    def find(self, session_id: bytes, *, once: bool = False) -> Lookup:
        return Lookup(None, Reason.UNKNOWN_SESSION)

    def keep(self, session: Session) -> bool:
        return False

    def forget(self, session_id: bytes) -> bool:
        return False

    def count(self, outcome: Resumption) -> None: ...


NO_SERVER_CACHE = NoServerCache()
