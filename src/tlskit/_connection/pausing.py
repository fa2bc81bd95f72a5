"""How a connection's callbacks decide while its handshake is paused.

Where libssl can stop and be called again, a decision is not made inside it: the operation ends with
a pause (tk_pause.c), no lock is held, and `answer` is called. A decision is a generator
(_core/pauses.py), so the same code serves a plain function, whose result is available at once, and
an `async def`, whose result must be awaited.

Waiting needs an event loop. A connection of `tlskit.aio` (`may_await`) keeps the decision in
`pending_decision` and reports that it wants to read; its transport sees `pending_decision`, has a
task wait, and then continues the handshake (aio/_suspension.py). Only this handshake is suspended.
Any other connection refuses a coroutine function: over a socket, when it is created; in memory, in
the first pause, where the peer still gets an alert, and where the TLS of event loops catches and
reports exceptions. A coroutine that a plain function returns is refused when it is returned.

A connection without an event loop can still wait for a future of `concurrent.futures`
(decision.py).

If a callback raises, the handshake ends: the peer gets an alert, and the operation raises the same
exception. A new decision needs a reason in `_core/pauses.py`, a generator here, and, if the
callback may be `async def`, its name in `_state/coroutines.py`.
"""

from __future__ import annotations

from ssl import AlertDescription

from .._core import pauses
from .._core.fault import plain_error, want_read
from .._state.coroutines import is_coroutine_function
from .decision import PendingDecision, not_here
from .requests import CertificateRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from .._core.credential import Credential
    from .._core.facts import Facts
    from .._core.pauses import Steps
    from .._core.peer import Name
    from .._state import State

_INTERNAL_ERROR = int(AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
_DECODE_ERROR = int(AlertDescription.ALERT_DESCRIPTION_DECODE_ERROR)
_ABOUT_RESUMPTION = (pauses.BEFORE, pauses.LOOKUP)
_NO_SLOTS: tuple[str, ...] = ()  # allows combining it with another base that has slots


class Pausing:
    """The decisions of a Channel.

    Attributes:
        may_await: whether an event loop drives the connection.
        pending_verdict: the future that a client's verify_callback has returned, or None.
        pending_decision: the decision that the handshake waits for, or None.
    """

    __slots__ = _NO_SLOTS

    may_await = False
    pending_decision: PendingDecision | None
    before_handshake: Callable[[], Steps | None]
    chain_to_judge: Callable[[], tuple[bytes, ...]]
    facts: Callable[[], Facts]
    requested: Callable[[], tuple[list[Name], tuple[int, ...], tuple[int, ...]] | None]
    show: Callable[[Sequence[Credential]], None]
    client_hello: Callable[[], bytes]
    handshake_done: bool
    late_error: BaseException | None
    patience: Callable[[], float | None]
    pending_verdict: Any
    _context_now: Any
    _sni_answered: bool
    asked_name: str | None
    _owner: Any
    _state: State
    server_side: bool

    def answer(self, reason: int) -> int | None:
        decision = self.pending_decision
        self.pending_decision = None
        try:
            if decision is None:
                self._refuse_to_wait()
                steps = self._decision(reason)
                if steps is None:
                    return None
                decision = PendingDecision(steps, self._state.callback_timeout)
            patience = 0.0 if self.may_await else self.patience()
            alert = decision.run(
                may_await=self.may_await and not self.handshake_done, patience=patience
            )
        except BaseException as error:
            if reason in _ABOUT_RESUMPTION:
                raise
            if self.late_error is None:
                self.late_error = error
            return _INTERNAL_ERROR
        if decision.awaited is not None:
            self.pending_decision = decision
            if patience != 0.0:
                raise TimeoutError("the operation timed out while it waited for a callback")
            raise want_read()
        return alert

    def _refuse_to_wait(self) -> None:
        if not self.may_await and (names := self._state.awaited[self.server_side]):
            raise cannot_await(names)

    def _decision(self, reason: int) -> Steps | None:
        if reason == pauses.HELLO:
            return self._greet()
        if reason == pauses.CERTIFICATE:
            return self._choose()
        if reason == pauses.VERIFY:
            if self.pending_verdict is not None:
                return self._wait_for_verdict()
            return self.judge([(self._state.verify_callback, self.chain_to_judge())])
        return self.before_handshake()

    # -- certificates ------------------------------------------------------------------------------

    def _choose(self) -> Steps:
        """Decide which certificate to send."""
        owner, choice = self._owner(), self._state.certificate_choice
        if owner is None or choice is None:  # the answer may depend on the connection
            return _INTERNAL_ERROR
        credentials = choice.read((yield choice.callback(owner, self.certificate_request())))
        if credentials is not None:
            self.show(credentials)
        return None

    def certificate_request(self) -> CertificateRequest | None:
        """What the peer accepts as this side's certificate; None if it has not requested one."""
        requested = self.requested()
        if requested is None and not self.server_side:
            return None
        names, algorithms, types = requested or ([], (), ())
        name = self.facts().server_name
        return CertificateRequest(self.server_side, name, tuple(names), algorithms, types)

    def _wait_for_verdict(self) -> Steps:
        """Wait for the future that a client's plain verify_callback has returned."""
        future, self.pending_verdict = self.pending_verdict, None
        accepts("verify_callback", (yield future))
        return None

    def judge(self, chains: Iterable[tuple[Any, tuple[bytes, ...]]]) -> Steps:
        """Pass chains that were verified to callbacks, which raise to refuse them."""
        owner = self._owner()
        if owner is None:
            raise plain_error("the connection was closed while its peer was being verified")
        for callback, chain in chains:
            accepts("verify_callback", (yield callback(owner, chain)))
        return None

    # -- the ClientHello, and the server name in it ------------------------------------------------

    def _greet(self) -> Steps:
        owner = self._owner()
        if owner is None:  # the answer may depend on the connection
            return _INTERNAL_ERROR
        from .._hello import ClientHello

        try:
            hello = ClientHello.parse(self.client_hello())
        except ValueError as error:
            self.late_error = plain_error(f"the client sent a malformed ClientHello: {error}")
            return _DECODE_ERROR
        self.asked_name = hello.server_name
        callback = self._state.client_hello_callback
        if callback is not None:
            refusal = alert_or_none("client_hello_callback", (yield callback(owner, hello)))
            if refusal is not None:
                return refusal
        callback = self._state.sni_callback  # of the context that is now in force
        if callback is not None and is_coroutine_function(callback):
            self._sni_answered = True
            answer = yield callback(owner, hello.server_name, self._context_now)
            return alert_or_none("sni_callback", answer)
        return None


def accepts(callback: str, answer: Any) -> None:
    """Check the return value of a callback that raises to refuse."""
    if answer is None:
        return
    if hasattr(type(answer), "__await__"):
        raise not_here(answer)
    raise TypeError(
        f"{callback} must return None, or raise to refuse the chain, got {type(answer).__name__}"
    )


def alert_or_none(callback: str, answer: Any) -> int | None:
    """Return the alert, or None, that a callback which may refuse a handshake has returned."""
    if answer is None:
        return None
    if isinstance(answer, bool) or not isinstance(answer, int):
        raise TypeError(
            f"{callback} must return None, or the number of an alert to refuse with, got "
            f"{type(answer).__name__}"
        )
    if not 0 <= answer <= 255:
        raise ValueError(f"{callback} must return an alert between 0 and 255, got {answer}")
    return int(answer)


def cannot_await(names: tuple[str, ...]) -> TypeError:
    """Return the error for a connection that could not wait for these callbacks."""
    listed = " and ".join(names)
    is_are, it = ("are coroutine functions", "them") if len(names) > 1 else (
        "is a coroutine function", "it"
    )  # fmt: skip
    return TypeError(
        f"{listed} {is_are} (async def): only connections of tlskit.aio can wait for {it}. Call "
        f"tlskit.aio.install() before the event loop makes connections, or make them with "
        f"tlskit.aio.start_server() and the like; for blocking sockets and for wrap_bio(), use a "
        f"plain function"
    )
