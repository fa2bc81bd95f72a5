"""Helper: a thread that calls a store on behalf of an event loop's thread, which must not block."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


class Helper:
    """A thread that makes one call at a time. If a call does not return in time, the thread is
    abandoned, and ends once the call returns.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], Any], _Answer] | None] = SimpleQueue()
        self.is_busy: bool = False
        threading.Thread(target=self._run, name="tlskit store", daemon=True).start()

    def ask(self, call: Callable[[], Any], seconds: float) -> Any:
        """Make the call; return what it returns, or raise what it raises.

        Raises:
            TimeoutError: the call did not return within `seconds`.
        """
        answer = _Answer()
        self.is_busy = True
        self._calls.put((call, answer))
        if not answer.there.wait(seconds):
            self._calls.put(None)
            raise TimeoutError(f"the store did not answer within {seconds} seconds")
        self.is_busy = False
        if answer.error is not None:
            raise answer.error
        return answer.value

    def _run(self) -> None:
        while (work := self._calls.get()) is not None:
            call, answer = work
            try:
                answer.value = call()
            except BaseException as error:
                answer.error = error
            answer.there.set()
            del call, answer, work


class _Answer:
    def __init__(self) -> None:
        self.there = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None


def in_event_loop() -> bool:
    """Whether this thread is running an event loop: asyncio's or one like it, or trio's."""
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return True
    if trio is None:
        return False
    try:
        trio.lowlevel.current_trio_token()
    except (RuntimeError, AttributeError):
        return False
    return True
