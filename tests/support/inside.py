"""The one place where tests reach into tlskit's objects, for what its public face cannot arrange:
that a lock is held.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import tlskit
from tlskit import _forks


def lock_of(thing: Any) -> Any:
    """The lock that an object, or a module, changes itself under."""
    if isinstance(thing, ModuleType):
        return vars(thing)["_lock"]
    if isinstance(thing, tlskit.SSLContext):
        return thing._settings._lock
    return thing._lock


def fork_locks() -> list[Any]:
    """The locks of modules, which forks wait for."""
    return _forks._locks.copy()


@contextlib.contextmanager
def short_patience(seconds: float) -> Iterator[None]:
    """Let forks wait that long for such a lock."""
    before, _forks._PATIENCE = _forks._PATIENCE, seconds
    try:
        yield
    finally:
        _forks._PATIENCE = before


@contextlib.contextmanager
def held_elsewhere(lock: Any) -> Iterator[Callable[[], None]]:
    """Another thread holds the lock, until the block ends or what this yields is called."""
    begun, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            begun.set()
            let_go.wait(60)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert begun.wait(20)
    try:
        yield let_go.set
    finally:
        let_go.set()
        thread.join(20)
