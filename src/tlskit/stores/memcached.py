"""MemcachedStore: sessions for many processes on many machines, in memcached.

Each key has one item, which holds all its values, the newest first, each with its expiry time:

    version 1 || (milliseconds since 1970 8 || length 4 || sealed value) ...

To change an item, the store reads it and writes it back only if no other client has changed it
meanwhile (`gets` and `cas`). So a value is taken exactly once, in two round trips, or in a few more
when several clients take under one key at the same time.
"""

from __future__ import annotations

import inspect
import math
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Protocol

from .._digest import sha256
from .._forks import Forked, watch
from .seal import Seal, Secrets
from .store import Entry, Unpicklable, check_key, check_value, closed, leave_out, lifetime

_VERSION = b"\x01"
_HEAD = struct.Struct(">QI")
_ITEM = 1_000_000  # bytes in an item: memcached takes 1 MiB, the key and its own header included
_LARGEST = 900_000  # bytes of one value
_LONGEST = 30 * 24 * 3600  # memcached reads a larger number of seconds as a date
_ATTEMPTS = 50

_Held = list[tuple[int, bytes]]


class MemcachedClient(Protocol):
    """The part of pymemcache's clients that the store uses."""

    def gets(self, key: Any) -> Any:
        """Return the value and its version, or (None, None)."""

    def cas(self, key: Any, value: Any, cas: Any, expire: int = ..., noreply: bool = ...) -> Any:
        """Write if the version is still this one. Returns whether it was; None without an item."""

    def add(self, key: Any, value: Any, expire: int = ..., noreply: bool = ...) -> Any:
        """Write if there is no item."""

    def delete(self, key: Any, noreply: bool = ...) -> Any:
        """Remove the item."""

    def close(self) -> Any:
        """Close the connections; the next call opens new ones."""


class MemcachedStore(Unpicklable, Forked):
    """Keep sessions in memcached, which expires them itself and evicts the oldest when it is full.

    Any thread may use the store: one at a time through a `Client`, all at once through a
    `PooledClient`. A forked child opens its own connections. A call blocks for two round trips.
    memcached cannot list its keys, so `entries` and `clear` raise NotImplementedError. Times come
    from the machines' clocks, in whole seconds.

    Args:
        client: a `Client`, `PooledClient` or `HashClient` of pymemcache, with a timeout.
        secret: one secret or a list of them, each at least 16 random bytes: the first one seals,
            all of them open. All machines need the same secrets.
        prefix: a prefix for the store's keys: up to 100 printable ASCII characters, no spaces.

    Attributes:
        unreadable: how many values were skipped because they did not open.

    Raises:
        ValueError: the client has no timeout, or retries calls.
    """

    unreadable: int

    __slots__ = (
        "__weakref__",
        "_client",
        "_closed",
        "_inherited",
        "_lock",
        "_now",
        "_patience",
        "_prefix",
        "_seal",
        "unreadable",
    )

    in_process = False
    sealed = True

    def __init__(
        self,
        client: MemcachedClient,
        *,
        secret: Secrets,
        prefix: str = "tlskit:",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if inspect.iscoroutinefunction(getattr(client, "gets", None)):
            raise TypeError(
                "a session store is called in the middle of a handshake: it needs a synchronous "
                "client"
            )
        if type(client).__name__ == "RetryingClient":
            raise ValueError(
                "a client that retries could put a session twice, to be taken twice: pass the "
                "client that it wraps"
            )
        if len(prefix) > 100 or not all("!" <= letter <= "~" for letter in prefix):
            raise ValueError(
                "the prefix of memcached keys must be up to 100 printable ASCII characters "
                "without spaces"
            )
        self._patience = _timeout_of(client)
        self._client, self._seal, self._prefix, self._now = client, Seal(secret), prefix, clock
        self._closed, self.unreadable, self._inherited = False, 0, False
        pooled = hasattr(client, "client_pool") or getattr(client, "use_pooling", False) is True
        self._lock: Lock | None = None if pooled else Lock()
        watch(self)

    def _after_fork(self) -> None:
        self._inherited = True
        self._lock = None if self._lock is None else Lock()

    @contextmanager
    def _use(self) -> Iterator[MemcachedClient]:
        """Lend the client to this thread, exclusively where the client is not thread-safe."""
        if self._lock is not None and not self._lock.acquire(timeout=self._patience):
            raise TimeoutError(
                f"other threads have been using the memcached client for {self._patience} seconds"
            )
        try:
            if self._closed:
                closed()
            if self._inherited:
                # the connections are the parent's: two processes would read each other's answers
                self._client.close()
                self._inherited = False
            yield self._client
        finally:
            if self._lock is not None:
                self._lock.release()

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int = 1) -> None:
        """Keep `value` under `key` for `seconds`, and drop the oldest values above `most`."""
        check_value(value, _LARGEST)
        seconds = lifetime(key, seconds, most)
        if seconds <= 0:
            if self._closed:
                closed()
            return
        name, sealed = self._name(key), self._seal.close(key, value)
        deadline = int((self._now() + seconds) * 1000)

        def change(held: _Held) -> tuple[_Held, None]:
            return _fitting([(deadline, sealed), *held][:most]), None

        self._change(name, change)

    def take(self, key: bytes) -> bytes | None:
        """Remove and return the newest value under `key`; None if there is none that opens."""

        def change(held: _Held) -> tuple[_Held | None, bytes | None]:
            return (held[1:], held[0][1]) if held else (None, None)

        return self._opened(key, self._change(self._name(key), change))

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value under `key` and keep it; None if there is none that opens."""
        with self._use() as client:
            held, _ = self._held(client, self._name(key))
        return self._opened(key, held[0][1] if held else None)

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        """Remove one value, or all values under `key`. Returns whether there was anything."""
        name = self._name(key)
        wanted = None if value is None else self._seal.every(key, value)

        def change(held: _Held) -> tuple[_Held | None, bool]:
            at = next(
                (at for at, (_, sealed) in enumerate(held) if wanted is None or sealed in wanted),
                None,
            )
            if at is None:
                return None, False
            return [] if wanted is None else held[:at] + held[at + 1 :], True

        return bool(self._change(name, change))

    def purge(self) -> int:
        """Return 0: memcached itself drops what has expired."""
        return 0

    def clear(self) -> None:
        """Raise NotImplementedError."""
        raise NotImplementedError(
            "memcached cannot list its keys, and flushing it would drop other programs' items too"
        )

    def entries(self) -> Iterator[Entry]:
        """Raise NotImplementedError."""
        raise NotImplementedError("memcached cannot list its keys")

    def close(self) -> None:
        """Stop using the client, which stays open."""
        self._closed = True

    def __repr__(self) -> str:
        return (
            f"<MemcachedStore {self._prefix!r} through a "
            f"{type(self._client).__name__}{', closed' if self._closed else ''}>"
        )

    def _name(self, key: bytes) -> str:
        check_key(key)
        return (
            self._prefix + sha256(key).hexdigest()
        )  # a key of memcached has 250 characters at most

    def _held(self, client: MemcachedClient, name: str) -> tuple[_Held, Any]:
        """Return the values under a key that have not expired, and the item's version, which is
        None if there is no item.
        """
        item, version = client.gets(name)
        if version is None:
            return [], None
        found = _unpacked(item)
        if found is None:
            leave_out(self)
            return [], version
        now = self._now() * 1000
        return [pair for pair in found if pair[0] > now], version

    def _change(self, name: str, change: Callable[[_Held], tuple[_Held | None, Any]]) -> Any:
        """Apply `change`, which returns the new values (None to change nothing) and the result.
        Repeat it while other clients are faster.
        """
        with self._use() as client:
            for _ in range(_ATTEMPTS):
                held, version = self._held(client, name)
                wanted, answer = change(held)
                if wanted is None:
                    return answer
                item, seconds = (
                    _VERSION
                    + b"".join(_HEAD.pack(at, len(sealed)) + sealed for at, sealed in wanted),
                    self._seconds(wanted),
                )
                if version is None:
                    written = client.add(name, item, expire=seconds, noreply=False)
                else:
                    written = client.cas(name, item, version, expire=seconds, noreply=False)
                if written:
                    return answer
        raise TimeoutError(
            f"other clients changed the same memcached item during each of {_ATTEMPTS} attempts "
            f"to change it"
        )

    def _seconds(self, held: _Held) -> int:
        """Return an item's lifetime: one second for an empty one, which only keeps other clients
        from writing its old values back.
        """
        last = max((deadline for deadline, _ in held), default=0)
        return min(max(1, math.ceil(last / 1000 - self._now()) + 1), _LONGEST)

    def _opened(self, key: bytes, sealed: bytes | None) -> bytes | None:
        value = None if sealed is None else self._seal.open(key, sealed)
        if sealed is not None and value is None:
            leave_out(self)
        return value


def _fitting(held: _Held) -> _Held:
    """Return as many of the newest values as fit into an item."""
    room, count = _ITEM, 0
    for _, sealed in held:
        room -= _HEAD.size + len(sealed)
        if room < 0:
            break
        count += 1
    return held[:count]


def _unpacked(item: object) -> _Held | None:
    """Return the values of an item; None if it was not written by this store."""
    if type(item) is not bytes or item[:1] != _VERSION:
        return None
    found, at = [], 1
    while at < len(item):
        if at + _HEAD.size > len(item):
            return None
        deadline, size = _HEAD.unpack_from(item, at)
        at += _HEAD.size + size
        if at > len(item):
            return None
        found.append((deadline, item[at - size : at]))
    return found


def _timeout_of(client: object) -> float:
    """Return a client's timeout."""
    settings = getattr(client, "default_kwargs", None)  # HashClient's
    unknown = object()
    found = (
        settings.get("timeout")
        if isinstance(settings, dict)
        else getattr(client, "timeout", unknown)
    )
    if found is None:
        raise ValueError(
            "this client has no timeout, so a memcached that hangs would hang every handshake: "
            "give it one, for example 0.25 seconds"
        )
    return float(found) if isinstance(found, (int, float)) else 1.0
