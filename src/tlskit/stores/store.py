"""The protocol of session stores: bytes, kept for some seconds under opaque keys.

A store knows nothing of TLS. To keep sessions elsewhere, write a class with these methods, run
`tlskit.sessions.contract` against it, and wrap it in `SealedStore` if others can read or write the
place.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn, Protocol, runtime_checkable

__all__ = ["Entry", "SessionStore"]

_LONGEST = 10 * 366 * 24 * 3600.0


class Entry(NamedTuple):
    """One value in a store. Its repr does not show the value."""

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
        raise TypeError("an Entry cannot be pickled: it may hold a session with its secret")


@runtime_checkable
class SessionStore(Protocol):
    """Where sessions are kept between connections.

    Any thread may call any method at any time. A method may block, but it blocks the thread that is
    making a handshake, so it should return within milliseconds, use at most one round trip where
    possible, and time out by itself if a server hangs. It may raise any Exception; that never fails
    a handshake.

    A store is a cache: it may drop any value at any time, and holds a limited number.
    """

    @property
    def in_process(self) -> bool:
        """Whether values never leave this process. If so, any object may be a value, and a forked
        child begins with an empty store.
        """

    @property
    def sealed(self) -> bool:
        """Whether values are encrypted and authenticated, so that anyone who can read and write
        the place can neither read them nor alter them unnoticed.
        """

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int = 1) -> None:
        """Keep `value` under `key`.

        Args:
            key: any bytes.
            value: the bytes to keep. A store takes at least 64 KiB, and may refuse more with a
                ValueError.
            seconds: how long to keep it; nothing is kept unless this is positive.
            most: the largest number of values under this key; the oldest are dropped.
        """

    def take(self, key: bytes) -> bytes | None:
        """Remove and return the newest value under `key`; None if there is none.

        Exactly one caller, in all processes and on all machines, gets a value.
        """

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value under `key` and keep it; None if there is none."""

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        """Remove one value, or all values under `key`. Returns whether there was anything."""

    def purge(self) -> int:
        """Drop what has expired. Returns the number of values dropped, or 0 for a store that
        expires them on its own.
        """

    def clear(self) -> None:
        """Drop everything."""

    def close(self) -> None:
        """Release files and connections. Closing twice is allowed; all other calls raise ValueError
        from then on.
        """

    def entries(self) -> Iterator[Entry]:
        """Iterate over the entries, in any order; not necessarily a snapshot. Raises
        NotImplementedError if the store cannot list them.
        """


def lifetime(key: bytes, seconds: float, most: int) -> float:
    """Check the arguments of `put` other than the value; for this package's stores. Returns the
    seconds, capped at ten years.

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
    """Refuse a key that is not bytes: stores would treat text differently."""
    if not isinstance(key, bytes):
        raise TypeError(f"the key must be bytes, got {type(key).__name__}")


def check_value(value: bytes, largest: int | None = None) -> None:
    """Refuse a value that is not bytes, or that is larger than the store takes."""
    if not isinstance(value, bytes):
        raise TypeError(f"the value must be bytes, got {type(value).__name__}")
    if largest is not None and len(value) > largest:
        raise ValueError(f"the value must have at most {largest} bytes, got {len(value)}")


def closed() -> NoReturn:
    """Raise ValueError for a call after `close()`."""
    raise ValueError("this session store is closed")


class UnreadableEntry(Exception):
    """An entry exists but cannot be opened. `take` and `get` of a store may raise this; a handshake
    treats it as no entry.
    """


class Unreadable(threading.local):
    """Whether the store call that this thread is in met an entry that does not open."""

    met: bool = False


unreadable: Unreadable = Unreadable()


def leave_out(store: Any) -> None:
    """Count an entry that does not open in `store.unreadable`, and let the calling guard know."""
    store.unreadable += 1
    unreadable.met = True


class Unpicklable:
    """Base of this package's stores, which hold secrets and connections and cannot be pickled."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} cannot be pickled: make one in each process, for the same "
            f"place"
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
