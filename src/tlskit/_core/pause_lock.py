"""The thread that answers for a paused handshake, and how long other threads wait for it.

Answering may call a store, which can take a while. So other threads in the same handshake wait with
the timeouts of their own calls, and a forked child, which lacks the answering thread, starts again.
"""

from __future__ import annotations

from threading import RLock

from .. import _forks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

_lock = _forks.ForkLock()


class PauseLock:
    """A reentrant lock of one process: a forked child gets a new one, even if the parent's was held
    at the fork.
    """

    __slots__ = ("_lock", "_process")

    def __init__(self, *, usable: bool = True) -> None:
        self._lock = RLock()
        self._process = _forks.process if usable else None

    def begin(self, seconds: float) -> bool:
        """Acquire the lock, and return whether that was possible in time; -1 waits for ever."""
        return self._lock.acquire(timeout=seconds)

    def end(self) -> None:
        """Release the lock."""
        self._lock.release()


NOBODY = PauseLock(usable=False)  #: until a handshake pauses: few do


class Pausing(Protocol):
    """An object that may pause: `_pause_lock` is NOBODY at first."""

    _pause_lock: PauseLock


def pause_lock_of(connection: Pausing) -> PauseLock:
    """Return the connection's PauseLock in this process, the same for all threads."""
    with _lock:
        if connection._pause_lock._process is not _forks.process:
            connection._pause_lock = PauseLock()
        return connection._pause_lock
