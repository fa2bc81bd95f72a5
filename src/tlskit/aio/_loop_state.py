"""Shared by the TLS connections of one event loop: buffers for their bytes, and a bound on the time
that handshakes take from one turn of the loop.

A handshake costs a hundred times as much as a message. When hundreds arrive at once, those that
exceed the bound wait: their sockets stay readable, so the loop calls again in its next turn.
uvloop does not if the socket has an error.
"""

from __future__ import annotations

import asyncio
from asyncio import selector_events
from time import perf_counter
from weakref import WeakKeyDictionary

from .._core.stream import Stage
from .._forks import ForkLock

_BOUND = 0.01  # seconds of handshakes in one turn

_lock = ForkLock()
_all: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopState] = WeakKeyDictionary()


class LoopState:
    """Measures the time of handshakes. Only the loop's thread uses it.

    Attributes:
        stage: the buffers.
        forgets: whether the loop stops watching a socket that has an error, after one call.

    The time counts from one time that it was used up to the next: what is left of it at the end of
    a turn goes into the following one, so that a single handshake schedules nothing.
    """

    __slots__ = ("__weakref__", "_began", "_counting", "_spent", "forgets", "stage")

    def __init__(self, *, forgets: bool) -> None:
        self.stage = Stage(forgets=forgets)
        self.forgets = forgets
        self._spent = self._began = 0.0
        self._counting = False

    def begin(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether this turn has time for a step of a handshake; if so, `end` must follow.
        Otherwise the next turn has.
        """
        if self._spent >= _BOUND:
            if not self._counting:
                self._counting = True
                loop.call_soon(self._next)
            return False
        self._began = perf_counter()
        return True

    def end(self) -> None:
        """End a step of a handshake."""
        self._spent += perf_counter() - self._began

    def _next(self) -> None:
        self._counting = False
        self._spent = 0.0


def loop_state_of(loop: asyncio.AbstractEventLoop) -> LoopState:
    """Return this loop's LoopState."""
    found = _all.get(loop)
    if found is None:
        # libuv stops watching a socket that has an error (uv_poll_start(3)), and uvloop calls the
        # reader once more.
        forgets = not isinstance(loop, selector_events.BaseSelectorEventLoop)
        with _lock:
            found = _all.setdefault(loop, LoopState(forgets=forgets))
    return found
