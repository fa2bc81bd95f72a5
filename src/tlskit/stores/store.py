"""The protocol of session stores: bytes and seconds, under keys that mean nothing to the store.

A store knows nothing of TLS. Whoever has another place to keep sessions in writes a class of this
shape, runs
`tlskit.sessions.contract` against it, and, if others can read or write that place, wraps it in
`SealedStore`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn, Protocol, runtime_checkable

__all__ = ["Entry", "SessionStore"]

_LONGEST = 10 * 366 * 24 * 3600.0


class Entry(NamedTuple):
    """One value of a store. Its repr does not show the value."""

    key: bytes
    value: Any
    seconds_left: float

    def __repr__(self) -> str:
        what = (
            f"{len(self.value)} bytes"
            if isinstance(self.value, bytes)
            else f"a {type(self.value).__name__}"
        )
        return f"<Entry {what} under {self.key.hex()[:16]}, {self.seconds_left:.0f} seconds left>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Entry may hold a session with its secret, and is not pickled")


@runtime_checkable
class SessionStore(Protocol):
    """Where sessions are kept between connections.

    Every method may be called by any thread at any time. A method may block, in the thread that is
    making a handshake and under asyncio in the loop's thread: so it should come back within
    milliseconds, with one round trip at most where that can be done, and give up by itself when its
    other side hangs. It may raise any Exception: no handshake fails of it.

    Values are kept for a time, not for good: a store may drop any of them at any moment, and holds
    a bounded number.
    """

    @property
    def in_process(self) -> bool:
        """Whether values never leave this process. Then any object may be a value, and a forked
        child begins with nothing.
        """

    @property
    def sealed(self) -> bool:
        """Whether what is kept cannot be read, nor changed unnoticed, by those who can read and
        write the place.
        """

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int = 1) -> None:
        """Keep `value` under `key`.

        Args:
            key: any bytes.
            value: up to 64 KiB at least; a store may refuse more with a ValueError.
            seconds: for how long; nothing is kept when that is not positive.
            most: how many values there may be under this key afterwards; the oldest go.
        """

    def take(self, key: bytes) -> bytes | None:
        """Remove the newest value under `key`, and return it; None when there is none.

        What has been taken is gone: of all callers in all processes and on all machines, one gets
        it.
        """

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value under `key`, which stays; None when there is none."""

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        """Remove one value, or all that there is under `key`; False when it was not there."""

    def purge(self) -> int:
        """Drop what has expired, and return how many that were. Stores that do so by themselves
        return 0.
        """

    def clear(self) -> None:
        """Drop everything."""

    def close(self) -> None:
        """Let go of files and connections. A second time is allowed; other calls raise ValueError
        from now on.
        """

    def entries(self) -> Iterator[Entry]:
        """What there is, in no certain order, and not as of one moment. NotImplementedError where a
        store cannot tell.
        """


def lifetime(key: bytes, seconds: float, most: int) -> float:
    """Check what `put` was given beside its value, and return the seconds, ten years at most: for
    the stores of this package.

    Raises:
        TypeError: the key is not bytes.
        ValueError: `seconds` is not a finite number, or `most` is less than 1.
    """
    check_key(key)
    if not math.isfinite(seconds):
        raise ValueError(f"seconds must be a finite number, got {seconds}")
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}")
    return min(seconds, _LONGEST)


def check_key(key: bytes) -> None:
    """Refuse a key that is not bytes: one store would find text under it, another would not."""
    if not isinstance(key, bytes):
        raise TypeError(f"the key must be bytes, got {type(key).__name__}")


def check_value(value: bytes, largest: int | None = None) -> None:
    """Refuse a value that is not bytes, or is larger than the store takes."""
    if not isinstance(value, bytes):
        raise TypeError(f"the value must be bytes, got {type(value).__name__}")
    if largest is not None and len(value) > largest:
        raise ValueError(f"the value must have at most {largest} bytes, got {len(value)}")


def closed() -> NoReturn:
    """Say that a store is used after `close()`."""
    raise ValueError("this session store is closed")


class UnreadableEntry(Exception):
    """There is an entry, and it cannot be opened. A store's `take` and `get` may raise it: to a
    handshake it is as good as none.
    """


class Unreadable(threading.local):
    """Whether this thread has met an entry that does not open, in the call that it is in."""

    met: bool = False


unreadable: Unreadable = Unreadable()


def leave_out(store: Any) -> None:
    """Count an entry that does not open in `store.unreadable`, and tell the guard that asks."""
    store.unreadable += 1
    unreadable.met = True


class Unpicklable:
    """What the stores of this package have in common: they hold secrets, and a place of their own,
    and are not pickled.
    """

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} is not pickled: make one in each process, for the same place"
        )


def check_store(store: SessionStore) -> None:
    """Refuse an object that is not a store (TypeError), or one that keeps sessions outside the
    process unencrypted (ValueError).
    """
    if not isinstance(store, SessionStore):
        missing = [
            name
            for name in dir(SessionStore)
            if not name.startswith("_") and not hasattr(store, name)
        ]
        raise TypeError(
            f"{type(store).__name__} is not a session store: it has no {', '.join(missing)}"
        )
    if not store.in_process and not store.sealed:
        raise ValueError(
            f"{type(store).__name__} keeps sessions outside this process unencrypted: wrap it in a "
            f"SealedStore"
        )
