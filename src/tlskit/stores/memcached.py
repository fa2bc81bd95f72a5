"""MemcachedStore: sessions for many processes on many machines, in memcached.

Under each key there is one item with all its values, the newest first, each with the time at which
it expires:

    version 1 || (milliseconds since 1970 8 || length 4 || sealed value) ...

Who changes an item reads it, and writes it back if nobody else has done so meanwhile (`gets` and
`cas`); so a value is taken once, in two round trips, or a few more when several take under one key
at the same time.
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
from .forks import Forked, watch
from .seal import Seal, Secrets
from .store import Entry, Unpicklable, check_key, check_value, closed, leave_out, lifetime

_VERSION = b"\x01"
_HEAD = struct.Struct(">QI")
_ITEM = 1_000_000  # bytes in an item: memcached takes 1 MiB, with the key and its own part
_LARGEST = 900_000  # bytes of one value
_LONGEST = 30 * 24 * 3600  # more seconds than that mean a date
_ATTEMPTS = 50

_Held = list[tuple[int, bytes]]


class MemcachedClient(Protocol):
    """As much of pymemcache's clients as the store uses."""

    def gets(self, key: Any) -> Any:
        """Give the value and its version, or None twice."""

    def cas(self, key: Any, value: Any, cas: Any, expire: int = ..., noreply: bool = ...) -> Any:
        """Write if the version is still this one: True, False, or None when there is nothing."""

    def add(self, key: Any, value: Any, expire: int = ..., noreply: bool = ...) -> Any:
        """Write if there is nothing."""

    def delete(self, key: Any, noreply: bool = ...) -> Any:
        """Remove."""

    def close(self) -> Any:
        """Close the connections; the next call opens new ones."""


class MemcachedStore(Unpicklable, Forked):
    """Keep sessions in memcached. They expire there by themselves, and the oldest go when it is
    full.

    Any thread may use it: one at a time through a `Client`, all at once through a `PooledClient`. A
    forked child makes connections of its own. A call is two round trips, and blocks for those.
    memcached cannot list what it has: `entries` and `clear` say so. Times are those of the
    machines' clocks, in whole seconds.

    Args:
        client: of pymemcache, with a timeout: a `Client`, `PooledClient` or `HashClient`.
        secret: one secret or several, of 16 random bytes or more each: the first seals, all open.
            All machines need the same.
        prefix: what the store's keys begin with: up to 100 printable ASCII characters, no spaces.

    Attributes:
        unreadable: how many values were left out because they did not open.

    Raises:
        ValueError: the client would wait for ever for a server that hangs, or would do a call
            twice.
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
                "a session store is asked in the middle of a handshake: it needs a client that "
                "is not asynchronous"
            )
        if type(client).__name__ == "RetryingClient":
            raise ValueError(
                "a client that does a call again could put a session twice, to be taken twice: "
                "give the store the client inside"
            )
        if len(prefix) > 100 or not all("!" <= letter <= "~" for letter in prefix):
            raise ValueError(
                "a prefix of memcached's keys is up to 100 printable ASCII characters without "
                "spaces"
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
        """The client, which this thread has for itself where it has to."""
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
        """Keep `value` under `key` for `seconds`; at most `most` values are under it then, and the
        oldest go.
        """
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
        """Remove the newest value under `key`, and return it; None also when it does not open."""

        def change(held: _Held) -> tuple[_Held | None, bytes | None]:
            return (held[1:], held[0][1]) if held else (None, None)

        return self._opened(key, self._change(self._name(key), change))

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value under `key`, which stays; None also when it does not open."""
        with self._use() as client:
            held, _ = self._held(client, self._name(key))
        return self._opened(key, held[0][1] if held else None)

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        """Remove one value, or all that there is under `key`; False when it was not there."""
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
        """Return 0: memcached drops by itself what has expired."""
        return 0

    def clear(self) -> None:
        """Say that this cannot be done."""
        raise NotImplementedError(
            "memcached cannot list its keys, and to flush it would be to empty it for everybody"
        )

    def entries(self) -> Iterator[Entry]:
        """Say that this cannot be done."""
        raise NotImplementedError("memcached cannot list its keys")

    def close(self) -> None:
        """Use the client no more; it stays as it is."""
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
        """What is under a key and has not expired, and the item's version; None: there is no
        item.
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
        """Let `change` say what is to be there and what the answer is; again while others are
        faster. None: leave it.
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
            f"others have changed the same item of memcached {_ATTEMPTS} times while it was "
            f"being changed"
        )

    def _seconds(self, held: _Held) -> int:
        """How long an item is of use: a second for an empty one, whose only purpose is that nobody
        writes the old one.
        """
        last = max((deadline for deadline, _ in held), default=0)
        return min(max(1, math.ceil(last / 1000 - self._now()) + 1), _LONGEST)

    def _opened(self, key: bytes, sealed: bytes | None) -> bytes | None:
        value = None if sealed is None else self._seal.open(key, sealed)
        if sealed is not None and value is None:
            leave_out(self)
        return value


def _fitting(held: _Held) -> _Held:
    """As many of the newest as go into an item."""
    room, count = _ITEM, 0
    for _, sealed in held:
        room -= _HEAD.size + len(sealed)
        if room < 0:
            break
        count += 1
    return held[:count]


def _unpacked(item: object) -> _Held | None:
    """The values of an item; None: it is none."""
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
    """How long a client waits for an answer."""
    settings = getattr(client, "default_kwargs", None)  # HashClient's
    unknown = object()
    found = (
        settings.get("timeout")
        if isinstance(settings, dict)
        else getattr(client, "timeout", unknown)
    )
    if found is None:
        raise ValueError(
            "this client waits for ever when memcached hangs, and handshakes with it: give it a "
            "timeout, of 0.25 seconds say"
        )
    return float(found) if isinstance(found, (int, float)) else 1.0
