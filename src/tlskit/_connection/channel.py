"""A connection that follows tlskit's rules; `SSLSocket._sslobj` and `SSLObject._sslobj` are
Channels.

The rules: the server's name is sent in the ClientHello, and the certificate is verified against it;
a session is offered only where its own handshake would have been accepted (sessions/binding.py).
Everything about resumption is up to the connection's strategy (_resumption/strategy.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from weakref import ref

from .._core.certificate import fields_of
from .._core.connection import Connection
from .._core.fault import plain_error
from .._core.names import server_name
from .._core.session import Session
from .._lazy import LateModule
from .._resumption.reasons import Reason, Resumption
from .._resumption.strategy import UNDECIDED, NoResumption, Strategy
from .._state import Settings, State
from .._state.removals import tell_removed
from ..errors import SSLError
from .stdlib_names import StdlibNames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._core.bio import MemoryBIO
    from .._core.callbacks import Callbacks
    from .._core.pauses import Steps
    from .._resumption import client, server
    from ..sessions import info as infos
    from ..sessions import session as sessions
    from ..sessions.info import SessionInfo
    from ..sessions.session import SSLSession
    from . import callbacks, encrypted_hello, log, pausing, policy
    from .context import ConnectionContext
    from .decision import PendingDecision
    from .requests import CertificateRequest
else:  # a plain connection needs none of these
    callbacks = LateModule(".callbacks", __package__)
    client = LateModule(".._resumption.client", __package__)
    encrypted_hello = LateModule(".encrypted_hello", __package__)
    infos = LateModule("..sessions.info", __package__)
    log = LateModule(".log", __package__)
    pausing = LateModule(".pausing", __package__)
    policy = LateModule(".policy", __package__)
    server = LateModule(".._resumption.server", __package__)
    sessions = LateModule("..sessions.session", __package__)


class Channel(StdlibNames, Connection):
    """A Connection that knows its SSLContext, its owner and its session. Unless it `concludes`, the
    end of its handshake is only logged.

    Attributes:
        may_await: whether an event loop drives the connection.
        pending_decision: the decision of a callback that the handshake waits for, or None.
        pending_verdict: the future that a client's verify_callback has returned, or None.
        chains_to_judge: what a server's verify_callback has to decide on after the handshake.
        asked_name: the server name in a ClientHello for which the handshake has paused.
    """

    may_await = False
    asked_name: str | None
    __slots__ = (
        "_callback_refused",
        "_chosen_policy",
        "_context_now",
        "_first_state",
        "_owner",
        "_port",
        "_resumption",
        "_sni_answered",
        "_state",
        "asked_name",
        "chains_to_judge",
        "concludes",
        "pending_decision",
        "pending_verdict",
        "server_hostname",
        "server_side",
    )  # fmt: skip

    def __init__(
        self,
        context: ConnectionContext,
        owner: Any,
        *,
        server_side: bool,
        server_hostname: str | None,
        fd: int = -1,
        bios: tuple[MemoryBIO, MemoryBIO] | None = None,
    ) -> None:
        server_side = bool(server_side)  # programs give numbers and None, too
        state = context._settings.use()
        if state.role != "any" and (state.role == "server") is not server_side:
            raise _wrong_role(server_side)
        if fd >= 0 and state.awaited[server_side] and not self.may_await:
            raise pausing.cannot_await(state.awaited[server_side])
        self._state = self._first_state = state
        self.pending_decision: PendingDecision | None = None
        self._sni_answered = self._callback_refused = self.concludes = False
        self._context_now = context
        self.server_side = server_side
        self.server_hostname = server_hostname
        if server_side:
            if state.keyring is not None:
                state.keyring._before_connection()
            Connection.__init__(self, state.core, server=True, fd=fd, bios=bios)
        else:
            name = server_name(server_hostname) if server_hostname else None
            Connection.__init__(
                self, state.core, server=False, fd=fd, bios=bios, name=name,
                checked=state.compares_name,
            )  # fmt: skip
            if state.hidden_names is not None:
                encrypted_hello.hide_name(self, state.hidden_names, server_hostname)
        self._owner: ref[Any] = ref(self if owner is None else owner)
        self._port = -1  # until it is needed
        self.chains_to_judge: Sequence[tuple[Any, tuple[bytes, ...]]] = ()
        self.pending_verdict: Any = None
        self.hostname = server_hostname
        self._chosen_policy: policy.ConnectionPolicy | None = None  # until it is needed
        self._resumption: Strategy = UNDECIDED
        if state.keeps_sessions:
            self._strategy().prepare(self)
            if state.reports_sessions:
                self.report_sessions(self._session_arrived)
                # until the handshake is complete, in any operation
                self.always_hands_out = True

    def _strategy(self) -> Strategy:
        """Return this connection's resumption strategy, which the first call chooses."""
        if self._resumption is UNDECIDED:
            self._resumption = self._choose_strategy(self._first_state)
            self.concludes = True
        return self._resumption

    def _choose_strategy(self, state: State) -> Strategy:
        if self.server_side:
            return server.ServerResumption(state.server_cache, self._policy)
        if state.uses_psk:
            return NoResumption(Reason.PRE_SHARED_KEY)
        if state.certificate_choice is not None:
            return NoResumption(Reason.CERTIFICATE_CALLBACK)
        if state.verify_callback is not None or state.verify_each is not None:
            return NoResumption(Reason.VERIFY_CALLBACK)
        return client.ClientResumption(state.client_cache, self._policy)

    @property
    def _policy(self) -> policy.ConnectionPolicy:
        """Return the rules by which it verifies its peer."""
        chosen = self._chosen_policy
        if chosen is None:
            name = self.server_hostname
            chosen = policy.ConnectionPolicy(
                self._first_state, server_name(name).lower if name else None,
                encrypts_hello=self._first_state.hidden_names is not None and self.encrypts_hello,
            )  # fmt: skip
            self._chosen_policy = chosen
        return chosen

    # -- context -----------------------------------------------------------------------------------

    @property
    def owner(self) -> Any:
        """Return the SSLSocket or SSLObject, or None if it no longer exists."""
        return self._owner()

    def patience(self) -> float | None:
        """Return how many seconds an operation may wait: a blocking socket's timeout."""
        gettimeout = getattr(self._owner(), "gettimeout", None)
        seconds: float | None = 0.0 if gettimeout is None else gettimeout()
        return seconds

    @property
    def peer_address(self) -> Any:
        """The peer's address; None if unknown, as over byte queues."""
        getpeername = getattr(self._owner(), "getpeername", None)
        if getpeername is not None:  # over byte queues there is none
            with suppress(OSError, AttributeError):  # not connected, or no address
                return getpeername()
        return None

    @property
    def port(self) -> int | None:
        """The TCP port that the connection goes to; None if unknown, as over byte queues."""
        if self._port < 0:
            address = self.peer_address
            known = isinstance(address, tuple) and len(address) > 1 and type(address[1]) is int
            self._port = address[1] if known else 0
        return self._port or None

    @property
    def context(self) -> Any:
        """The context in force; a server's `sni_callback` may set it."""
        return self._context_now

    @context.setter
    def context(self, value: Any) -> None:
        if not isinstance(getattr(value, "_settings", None), Settings):
            raise TypeError("The value must be a SSLContext")
        state = value._settings.use()
        if state is not self._state:
            self.set_context(state.core)
            self._policy.switch()
        self._context_now, self._state = value, state

    @property
    def callbacks(self) -> Callbacks:
        return callbacks.ChannelCallbacks(self)

    @property
    def callback_refused(self) -> bool:
        return self._callback_refused

    @property
    def expected_name(self) -> str | None:
        if self.encrypts_hello:
            status, outer = self.ech()
            if status == "rejected":  # the certificate must be for the outer name
                return outer
        return " or ".join(self._first_state.settings["verify_names"]) or self.hostname

    @property
    def unverified(self) -> bool:
        """Whether the handshake continued although the peer failed verification."""
        allows_unverified = self._state.allows_unverified or self._first_state.allows_unverified
        return allows_unverified and self.facts().verify_code != 0

    def chain(self, *, verified: bool) -> list[bytes]:
        """Return the chain, as Connection does; on a resumed connection, the one from the handshake
        that made its session.
        """
        found = super().chain(verified=verified)
        info = self.info if self.session_reused else None
        if info is None:
            return found
        noted = info.verified_chain if verified else info.peer_certificate_chain
        return list(noted) if len(noted) > len(found) else found

    def getpeercert(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        if binary_form:
            return self.answers.certificate()
        return self.peer_fields() if self.answers.has_certificate() else None

    def peer_fields(self) -> dict[str, Any] | None:
        """Return the fields of the peer's certificate; an empty dictionary if it was not
        verified.
        """
        if not self._first_state.verifies or self.unverified:
            return {}
        der = self.answers.certificate()
        return None if der is None else fields_of(der)

    @property
    def info(self) -> SessionInfo | None:
        """Everything that was negotiated; None before the handshake is complete."""
        session = self.current_session() if self.handshake_done else None
        return (
            None if session is None else infos.info_of(session, self.notes(), self.reverified_chain)
        )

    # -- session -----------------------------------------------------------------------------------

    @property
    def session(self) -> SSLSession | None:
        """The connection's current session; a server manages its own, as in the stdlib."""
        current = self.current_session()
        return None if current is None else self._made(current)

    @session.setter
    def session(self, value: SSLSession) -> None:
        if not isinstance(value, sessions.SSLSession):
            raise TypeError("Value is not a SSLSession.")
        if value._scope is not None and value._scope is not self._context_now._scope:
            raise ValueError("Session refers to a different SSLContext.")
        if self.server_side:
            raise ValueError("Cannot set session for server-side SSLSocket.")
        if self.handshake_done:
            raise ValueError("Cannot set session after handshake.")
        given = None if self.handshake_begun else value
        self._strategy().offer(self, given, Reason.TOO_LATE)

    @property
    def resumption(self) -> Resumption | None:
        """Whether the handshake resumed a session, or why not; None until it is complete."""
        return self._strategy().outcome(self) if self.handshake_done else None

    def answer(self, reason: int) -> int | None:
        return pausing.answer(self, reason)

    def certificate_request(self) -> CertificateRequest | None:
        """Return what the peer accepts as this side's certificate; None if it has not requested
        one.
        """
        return pausing.certificate_request(self)

    def before_handshake(self) -> Steps | None:
        """Decide what to resume now: since the session was set or the connection was made, time has
        passed and the context may have changed.
        """
        return self._resumption.before_handshake(self)

    def handshake_complete(self) -> None:
        if self.chains_to_judge:
            pausing.judge_client(self)
        if self._resumption is not UNDECIDED:
            self._conclude()
        if "logging" in sys.modules:
            log.complete(self)

    def _conclude(self) -> None:
        self._resumption.conclude(self)
        self.always_hands_out = self._state.sessions.on_remove is not None

    def log_failure(self, error: Exception) -> None:
        reason = getattr(error, "reason", None) or type(error).__name__
        self._context_now._settings.failures.count(str(reason).lower())
        if "logging" in sys.modules:
            log.failure(self, error)

    def handshake_failed(self) -> None:
        self._resumption.handshake_failed(self)

    def _made(self, session: Session) -> SSLSession:
        if self.server_side:
            return sessions.SSLSession._make(session, None, self._context_now._scope)
        sound = self.handshake_done and not self._policy.has_changed() and not self.unverified
        scope, binding = self._context_now._scope, self._policy.binding
        return sessions.SSLSession._make(session, binding, scope, sound=sound, port=self.port)

    def hand_out(self) -> None:
        super().hand_out()
        if self.handshake_done:
            self._conclude()
        tell_removed(self._context_now._settings)

    def _session_arrived(self, session: Session) -> None:
        made = self._made(session)
        self._resumption.session_arrived(self, made)
        on_new, owner = self._context_now.sessions.on_new, self._owner()
        if on_new is not None and owner is not None:
            on_new(owner, made)


def _wrong_role(server_side: bool) -> SSLError:
    side, other = ("server", "CLIENT") if server_side else ("client", "SERVER")
    return plain_error(f"Cannot create a {side} socket with a PROTOCOL_TLS_{other} context")
