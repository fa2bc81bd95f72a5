"""MemoryStore: sessions for as long as the process lives."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from functools import partial
from threading import RLock
from typing import Any, NamedTuple

from .._forks import Forked, watch
from .store import Entry, Unpicklable, check_key, closed, lifetime

#: A monotonic clock, which goes on while the machine sleeps where the system has such a clock.
_clock: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)


def _size(value: Any) -> int:
    """As `sys.getsizeof`, which PyPy does not have: there, only the content of bytes counts."""
    return sys.getsizeof(value, 0) or (len(value) if isinstance(value, bytes) else 0)


class _Kept(NamedTuple):
    deadline: float
    value: Any
    size: int  # bytes


class MemoryStore(Unpicklable, Forked):
    """Keep sessions in this process. The least recently used key is evicted first.

    Any object may be a value. A forked child begins with an empty store; otherwise parent and child
    could both take the same ticket. Any thread may use it; no call blocks.

    Args:
        size: the largest number of values.
        memory: the largest number of bytes that they may take together, as `sys.getsizeof` counts
            them (for a session, its certificates included).
    """

    __slots__ = (
        "__weakref__", "_bytes", "_count", "_kept", "_lock", "_memory", "_now", "_size",
    )  # fmt: skip

    in_process = True
    sealed = False

    _kept: OrderedDict[bytes, deque[_Kept]] | None

    def __init__(
        self, size: int = 1000, *, memory: int = 64 << 20, clock: Callable[[], float] = _clock
    ) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1 value, got {size}")
        if memory < 1:
            raise ValueError(f"memory must be at least 1 byte, got {memory}")
        self._size, self._memory, self._now = size, memory, clock
        self._kept = OrderedDict()
        self._after_fork()
        watch(self)

    def _after_fork(self) -> None:
        # Reentrant: a signal handler or a finaliser may interrupt a call and make a connection of
        # its own. It may change the store, so the methods below do not rely on what they read a
        # line before.
        self._lock = RLock()
        self._count = self._bytes = 0
        self._kept = None if self._kept is None else OrderedDict()

    def _open(self) -> OrderedDict[bytes, deque[_Kept]]:
        return closed() if self._kept is None else self._kept

    def put(self, key: bytes, value: Any, seconds: float, *, most: int = 1) -> None:
        """Keep `value` under `key` for `seconds`, and drop the oldest values above `most`."""
        if value is None:
            raise TypeError(
                "the value must not be None: take() and get() return None for a key without a value"
            )
        seconds = lifetime(key, seconds, most)
        if seconds <= 0:
            return
        with self._lock:
            kept = self._open()
            held = kept.setdefault(key, deque())
            item = _Kept(self._now() + seconds, value, _size(value))
            held.append(item)
            self._count += 1
            self._bytes += item.size
            while len(held) > most:
                self._drop_first(held)
            if key in kept:
                kept.move_to_end(key)
            while kept and (self._count > self._size or self._bytes > self._memory):
                self._drop_oldest(kept)

    def _drop_first(self, held: deque[_Kept]) -> None:
        size = held[0].size
        held.popleft()  # a finaliser may use the store here, so the counts change afterwards
        self._count -= 1
        self._bytes -= size

    def _let_go(self, item: _Kept) -> None:
        self._count -= 1
        self._bytes -= item.size

    def _drop_oldest(self, kept: OrderedDict[bytes, deque[_Kept]]) -> None:
        """Drop the oldest value of the least recently used key."""
        key, held = kept.popitem(last=False)
        self._drop_first(held)
        if held:
            kept[key] = held
            kept.move_to_end(key, last=False)

    def take(self, key: bytes) -> Any:
        """Remove and return the newest value under `key`; None if there is none."""
        return self._newest(key, leave=False)

    def get(self, key: bytes) -> Any:
        """Return the newest value under `key` and keep it; None if there is none."""
        return self._newest(key, leave=True)

    def _newest(self, key: bytes, *, leave: bool) -> Any:
        check_key(key)
        with self._lock:
            kept = self._open()
            held = kept.get(key)
            if held is None:
                return None
            now, value = self._now(), None
            while held:
                newest = held[-1]
                if newest.deadline > now and leave:
                    value = newest.value
                    break
                self._let_go(held.pop())
                if newest.deadline > now:
                    value = newest.value
                    break
            if not held:
                kept.pop(key, None)
            elif key in kept:
                kept.move_to_end(key)
            return value

    def remove(self, key: bytes, value: Any = None) -> bool:
        """Remove one value, or all values under `key`. Returns whether there was anything."""
        check_key(key)
        with self._lock:
            kept = self._open()
            held, now, stay, found = kept.pop(key, ()), self._now(), deque[_Kept](), False
            for item in held:
                if value is None or item.value is value or item.value == value:
                    self._let_go(item)
                    found = found or item.deadline > now
                else:
                    stay.append(item)
            if stay:
                kept[key] = stay
            return found

    def purge(self) -> int:
        """Drop what has expired. Returns the number of values dropped."""
        with self._lock:
            kept, now, before = self._open(), self._now(), self._count
            for key, held in list(kept.items()):
                stay = deque(item for item in held if item.deadline > now)
                if stay:
                    kept[key] = stay
                else:
                    kept.pop(key, None)
            self._count = sum(map(len, kept.values()))
            self._bytes = sum(item.size for held in kept.values() for item in held)
            return max(0, before - self._count)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._open().clear()
            self._count = self._bytes = 0

    def close(self) -> None:
        """Drop everything. Every other call raises ValueError from then on."""
        with self._lock:
            self._kept, self._count, self._bytes = None, 0, 0

    def entries(self) -> Iterator[Entry]:
        """Iterate over a snapshot of the entries, the least recently used first."""
        with self._lock:
            now = self._now()
            found = [
                Entry(key, item.value, item.deadline - now)
                for key, held in self._open().items()
                for item in held
            ]
        return (entry for entry in found if entry.seconds_left > 0)

    def __len__(self) -> int:
        """The number of values, including expired ones that have not been dropped yet."""
        return self._count

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return (
            "<MemoryStore, closed>"
            if self._kept is None
            else f"<MemoryStore with {self._count} of {self._size} values>"
        )
