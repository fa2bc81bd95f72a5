"""Locks across forks. A child has only the thread that forked, and must never wait for a lock that
another thread of its parent held.

There are three methods, and `tests/test_architecture.py` checks that every lock uses one of them:

- The lock of a module is a `ForkLock`: a fork waits until no other thread holds it. So a child does
  not see a half-finished change either.
- The lock of an object is replaced in the child: the object is `Forked`, and watched.
- Objects too numerous to be watched, connections, compare `process` before they use a lock.
"""

from __future__ import annotations

import os
import weakref
from threading import RLock
from time import monotonic

_PATIENCE = 5.0  # seconds that a fork waits for a lock before it continues anyway; as in tk_fork.c

process = object()  #: a different object in every forked child


class ForkLock:
    """A reentrant lock that a fork waits for. If it is not free in time, it is still free in the
    child.
    """

    __slots__ = ("_held", "_lock")

    def __init__(self) -> None:
        self._lock, self._held = RLock(), False
        _locks.append(self)

    def enter(self, seconds: float) -> bool:
        """Acquire the lock, and return whether that was possible in time; -1 waits for ever."""
        return self._lock.acquire(timeout=seconds)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()

    def _before_fork(self) -> bool:
        """Hold the lock for the fork, if it is free."""
        self._held = self._lock.acquire(blocking=False)
        return self._held

    def _wait(self, seconds: float) -> bool:
        if self._lock.acquire(timeout=max(0.0, seconds)):
            self._lock.release()
            return True
        return False

    def _after_fork_in_parent(self) -> None:
        if self._held:
            self._held = False
            self._lock.release()

    def _after_fork(self) -> None:
        if self._held:
            self._after_fork_in_parent()
        else:
            self._lock = RLock()


class Forked:
    """An object with work to do at a fork, once it has been given to `watch`."""

    __slots__ = ()

    def _before_fork(self) -> None:
        """Run in the parent, in the forking thread: finish anything that a fork must not
        interrupt.
        """

    def _after_fork_in_parent(self) -> None:
        """Undo `_before_fork`."""

    def _after_fork(self) -> None:
        """Run in the child before anything else does, while it has one thread. Takes no lock that
        another thread may have held, and does not block.
        """


# Never removed.
_locks: list[ForkLock] = []
# By identity. Not a WeakSet: those cannot be listed while another thread adds to them.
_watched: weakref.WeakValueDictionary[int, Forked] = weakref.WeakValueDictionary()
_forking: list[ForkLock | Forked] = []


def watch(thing: Forked) -> None:
    """Call the object's methods at every fork, for as long as the object lives."""
    _watched[id(thing)] = thing


def _before() -> None:
    locks = _locks.copy()
    _forking[:] = locks
    _hold(locks)
    found = (reference() for reference in _watched.valuerefs())
    things = [thing for thing in found if thing is not None]
    for thing in things:
        thing._before_fork()
    _forking[:] = [*locks, *things]


def _hold(locks: list[ForkLock]) -> None:
    """Hold all of them, or those that are free when patience ends. None is held while this waits
    for another, so their order does not matter.
    """
    end = monotonic() + _PATIENCE
    while True:
        busy = next((lock for lock in locks if not lock._before_fork()), None)
        if busy is None:
            return
        for lock in locks[: locks.index(busy)]:
            lock._after_fork_in_parent()
        if not busy._wait(end - monotonic()):
            break
    for lock in locks:
        lock._before_fork()


def _in_parent() -> None:
    try:
        while _forking:
            _forking.pop()._after_fork_in_parent()
    finally:
        if _forking:  # a signal's handler has raised; Python goes on after the fork
            _in_parent()


def _in_child() -> None:
    global process
    process = object()
    try:
        while _forking:
            _forking.pop()._after_fork()
    finally:
        if _forking:
            _in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
