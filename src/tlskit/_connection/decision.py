"""Callback decisions that are in progress, and what they wait for.

A decision is a generator (_core/pauses.py). A callback may return the answer itself; an awaitable,
for an event loop; or a future of `concurrent.futures`, which other code completes. A connection
over a blocking socket waits for a future itself. One in memory, or over a non-blocking socket,
raises SSLWantReadError, and checks the future again on each call. Where OpenSSL cannot pause, as in
a server's verification, only a blocking socket waits.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._core.pauses import Steps


class PendingDecision:
    """A decision that is in progress.

    Args:
        steps: the decision.
        limit: how many seconds it may wait for a future; None for no limit.

    Attributes:
        awaited: the future or awaitable that must complete before the decision continues.
    """

    __slots__ = ("_deadline", "_error", "_limit", "_steps", "_value", "awaited")

    def __init__(self, steps: Steps, limit: float | None = None) -> None:
        self._steps, self._limit = steps, limit
        self._value: Any = None
        self._error: BaseException | None = None
        self._deadline: float | None = None
        self.awaited: Any = None

    def give(self, value: Any) -> None:
        """Pass in the result of waiting."""
        self._value, self._error, self.awaited = value, None, None

    def fail(self, error: BaseException) -> None:
        """Pass in an exception that waiting raised."""
        self._value, self._error, self.awaited = None, error, None

    def run(self, *, may_await: bool, patience: float | None = 0.0) -> int | None:
        """Continue until the end, or until there is something to wait for; then `awaited` is set.

        Args:
            may_await: whether an event loop can wait for awaitables.
            patience: how many seconds this thread may wait for a future; None for no limit.
        """
        if is_future(self.awaited) and not self._look(patience):
            return None
        while True:
            error, self._error = self._error, None
            try:
                step = self._steps.send(self._value) if error is None else self._steps.throw(error)
            except StopIteration as end:
                found: int | None = end.value
                return found
            future = is_future(step)
            if not future and not hasattr(type(step), "__await__"):
                self._value = step
            elif may_await:
                self.awaited = _awaitable(step) if future else step
                return None
            elif future:
                self.awaited = step
                self._deadline = None if self._limit is None else monotonic() + self._limit
                if not self._look(patience):
                    return None
            else:
                self.fail(not_here(step))

    def _look(self, patience: float | None) -> bool:
        """Wait up to `patience` seconds, and return whether the decision can continue."""
        future = self.awaited
        left = None if self._deadline is None else max(0.0, self._deadline - monotonic())
        if not future.done() and patience != 0.0:
            ended = Event()
            future.add_done_callback(lambda _: ended.set())
            ended.wait(min((s for s in (patience, left) if s is not None), default=None))
        if future.done():
            self._take(future)
            return True
        if self._deadline is None or monotonic() < self._deadline:
            return False
        future.cancel()
        self.fail(
            TimeoutError(
                f"a callback took longer than callback_timeout allows ({self._limit} seconds): the "
                "handshake was abandoned"
            )
        )
        return True

    def _take(self, future: Any) -> None:
        if future.cancelled():
            self.fail(ConnectionAbortedError("a callback was cancelled"))
        elif (error := future.exception()) is not None:
            self.fail(error)
        else:
            self.give(future.result())


def is_future(value: object) -> bool:
    """Return whether a value is a future of `concurrent.futures` or has the same methods."""
    kind = type(value)
    return hasattr(kind, "add_done_callback") and not hasattr(kind, "__await__")


def given(future: Any) -> Callable[..., Any]:
    """Return a callback that returns this future."""
    return lambda *_: future


def wait_here(future: Any, limit: float | None, patience: float | None) -> Any:
    """Wait for a future where OpenSSL cannot pause, and return its result.

    Args:
        limit: the callback's, in seconds; None for none.
        patience: how many seconds this thread may wait; None for no limit.

    Raises:
        TypeError: the thread may not wait, and the future is not done.
        TimeoutError: the time is over.
    """
    found: list[Any] = []

    def steps() -> Steps:
        found.append((yield future))
        return None

    decision = PendingDecision(steps(), limit)
    decision.run(may_await=False, patience=patience)
    if found:
        return found[0]
    future.cancel()
    if patience != 0.0:
        raise TimeoutError("the operation timed out while it waited for a callback")
    raise TypeError(
        "verify_callback returned a future that is not done, and OpenSSL cannot pause a server's "
        "verification. A blocking socket waits, and so does a connection of tlskit.aio"
    )


def _awaitable(future: Any) -> Any:
    from asyncio import wrap_future  # already imported where there is an event loop

    return wrap_future(future)


def not_here(step: Any) -> TypeError:
    """Return the error for an awaitable on a connection that cannot wait for it."""
    if hasattr(step, "close"):
        step.close()  # otherwise Python warns that it was never awaited
    name = getattr(step, "__qualname__", type(step).__name__)
    return TypeError(
        f"a callback returned an awaitable ({name}), and this connection cannot wait: only the "
        f"first handshake of a connection of tlskit.aio can (see tlskit.aio.install)"
    )
