"""A handshake that is suspended while an `async def` callback runs.

The callback's coroutine runs in a separate task. The socket is not read meanwhile: the client's
next message has to wait anyway. But if the client hangs up, the wait ends, because there is nobody
left to answer: as long as nothing has arrived, a readable socket is peeked at without consuming
anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .._connection.decision import PendingDecision

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Suspension:
    """The task that a handshake waits for.

    Args:
        loop: the connection's.
        decision: the pending decision, which receives the result.
        limit: in seconds; None for no limit.
        then: called at the end, unless it was cancelled.
    """

    __slots__ = ("_decision", "_expired", "_limit", "_task", "_then", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        decision: PendingDecision,
        limit: float | None,
        then: Callable[[], None],
    ) -> None:
        self._decision, self._limit = decision, limit
        self._then: Callable[[], None] | None = then
        self._expired = False
        self._timer = None if limit is None else loop.call_later(limit, self._expire)
        self._task = loop.create_task(_result_of(decision.awaited))
        self._task.add_done_callback(self._done)

    def cancel(self) -> None:
        """Cancel the task: the handshake no longer waits for it."""
        self._then = None
        self._stop_timer()
        self._task.cancel()

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._stop_timer()
        error = None if task.cancelled() else task.exception()
        then, self._then = self._then, None
        if then is None:
            return
        if self._expired:
            self._decision.fail(
                TimeoutError(
                    f"a callback took longer than callback_timeout allows ({self._limit} seconds): "
                    "the handshake was abandoned"
                )
            )
        elif task.cancelled():
            self._decision.fail(ConnectionAbortedError("a callback was cancelled"))
        elif error is not None:
            self._decision.fail(error)
        else:
            self._decision.give(task.result())
        then()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


async def _result_of(awaitable: Any) -> Any:
    return await awaitable
