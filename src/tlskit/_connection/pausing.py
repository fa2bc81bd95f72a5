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
    from collections.abc import Iterable, Sequence
    from typing import Any, Protocol
    from weakref import ref

    from .._core.credential import Credential
    from .._core.facts import Facts
    from .._core.pauses import Steps
    from .._core.peer import Name
    from .._state import State
else:
    Protocol = object

_INTERNAL_ERROR = int(AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
_DECODE_ERROR = int(AlertDescription.ALERT_DESCRIPTION_DECODE_ERROR)
_ABOUT_RESUMPTION = (pauses.BEFORE, pauses.LOOKUP)


class Pausing(Protocol):
    """A Channel, as its decisions see it.

    Attributes:
        may_await: whether an event loop drives the connection.
        pending_verdict: the future that a client's verify_callback has returned, or None.
        pending_decision: the decision that the handshake waits for, or None.
        chains_to_judge: what a server's verify_callback has to decide on after the handshake.
    """

    asked_name: str | None
    chains_to_judge: Sequence[tuple[Any, tuple[bytes, ...]]]
    late_error: BaseException | None
    may_await: bool
    pending_decision: PendingDecision | None
    pending_verdict: Any
    server_side: bool
    _context_now: Any
    _owner: ref[Any]
    _sni_answered: bool
    _state: State

    @property
    def handshake_done(self) -> bool: ...
    def before_handshake(self) -> Steps | None: ...
    def chain_to_judge(self) -> tuple[bytes, ...]: ...
    def client_hello(self) -> bytes: ...
    def close(self) -> None: ...
    def facts(self) -> Facts: ...
    def log_failure(self, error: Exception) -> None: ...
    def patience(self) -> float | None: ...
    def requested(self) -> tuple[list[Name], tuple[int, ...], tuple[int, ...]] | None: ...
    def show(self, credentials: Sequence[Credential]) -> None: ...


def answer(channel: Pausing, reason: int) -> int | None:
    """Decide what the handshake of a channel has paused for: return None to continue, or the alert
    to refuse with.
    """
    decision = channel.pending_decision
    channel.pending_decision = None
    try:
        if decision is None:
            _refuse_to_wait(channel)
            steps = _decision(channel, reason)
            if steps is None:
                return None
            decision = PendingDecision(steps, channel._state.callback_timeout)
        patience = 0.0 if channel.may_await else channel.patience()
        alert = decision.run(
            may_await=channel.may_await and not channel.handshake_done, patience=patience
        )
    except BaseException as error:
        if reason in _ABOUT_RESUMPTION:
            raise
        if channel.late_error is None:
            channel.late_error = error
        return _INTERNAL_ERROR
    if decision.awaited is not None:
        channel.pending_decision = decision
        if patience != 0.0:
            raise TimeoutError("the operation timed out while it waited for a callback")
        raise want_read()
    return alert


def _refuse_to_wait(channel: Pausing) -> None:
    if not channel.may_await and (names := channel._state.awaited[channel.server_side]):
        raise cannot_await(names)


def _decision(channel: Pausing, reason: int) -> Steps | None:
    if reason == pauses.HELLO:
        return _greet(channel)
    if reason == pauses.CERTIFICATE:
        return _choose(channel)
    if reason == pauses.VERIFY:
        if channel.pending_verdict is not None:
            return _wait_for_verdict(channel)
        return _judge(channel, [(channel._state.verify_callback, channel.chain_to_judge())])
    return channel.before_handshake()


# -- certificates ----------------------------------------------------------------------------------


def _choose(channel: Pausing) -> Steps:
    """Decide which certificate to send."""
    owner, choice = channel._owner(), channel._state.certificate_choice
    if owner is None or choice is None:  # the answer may depend on the connection
        return _INTERNAL_ERROR
    credentials = choice.read((yield choice.callback(owner, certificate_request(channel))))
    if credentials is not None:
        channel.show(credentials)
    return None


def certificate_request(channel: Pausing) -> CertificateRequest | None:
    """Return what the peer accepts as this side's certificate; None if it has not requested one."""
    requested = channel.requested()
    if requested is None and not channel.server_side:
        return None
    names, algorithms, types = requested or ([], (), ())
    name = channel.facts().server_name
    return CertificateRequest(channel.server_side, name, tuple(names), algorithms, types)


def _wait_for_verdict(channel: Pausing) -> Steps:
    """Wait for the future that a client's plain verify_callback has returned."""
    future, channel.pending_verdict = channel.pending_verdict, None
    accepts("verify_callback", (yield future))
    return None


def judge_client(channel: Pausing) -> None:
    """Ask a server's verify_callback that is a coroutine function: until it answers, nothing is
    read from the client, and its connection is not handed out.
    """
    decision = channel.pending_decision or PendingDecision(_judge(channel, channel.chains_to_judge))
    channel.pending_decision = None
    try:
        decision.run(may_await=channel.may_await)
    except BaseException as error:
        if isinstance(error, Exception):
            channel.log_failure(error)
        channel.close()
        raise
    if decision.awaited is not None:
        channel.pending_decision = decision
        raise want_read()
    channel.chains_to_judge = ()


def _judge(channel: Pausing, chains: Iterable[tuple[Any, tuple[bytes, ...]]]) -> Steps:
    """Pass chains that were verified to callbacks, which raise to refuse them."""
    owner = channel._owner()
    if owner is None:
        raise plain_error("the connection was closed while its peer was being verified")
    for callback, chain in chains:
        accepts("verify_callback", (yield callback(owner, chain)))
    return None


# -- the ClientHello, and the server name in it ----------------------------------------------------


def _greet(channel: Pausing) -> Steps:
    owner = channel._owner()
    if owner is None:  # the answer may depend on the connection
        return _INTERNAL_ERROR
    from .._hello import ClientHello

    try:
        hello = ClientHello.parse(channel.client_hello())
    except ValueError as error:
        channel.late_error = plain_error(f"the client sent a malformed ClientHello: {error}")
        return _DECODE_ERROR
    channel.asked_name = hello.server_name
    callback = channel._state.client_hello_callback
    if callback is not None:
        refusal = alert_or_none("client_hello_callback", (yield callback(owner, hello)))
        if refusal is not None:
            return refusal
    callback = channel._state.sni_callback  # of the context that is now in force
    if callback is not None and is_coroutine_function(callback):
        channel._sni_answered = True
        answer = yield callback(owner, hello.server_name, channel._context_now)
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
