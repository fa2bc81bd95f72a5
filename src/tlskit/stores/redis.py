"""RedisStore: sessions for many processes on many machines, in Redis or Valkey.

Each key has a list of values, the newest first. A value is its expiry time in 15 digits
(milliseconds, by the server's own clock) and the sealed value in base64, so that clients that
decode replies work as well. Each call is one script with one key, which the server runs atomically:
so a value is taken exactly once, in one round trip, and in a cluster each key may be on any node.
"""

from __future__ import annotations

import base64
import binascii
import inspect
import re
from collections.abc import Iterator
from copy import copy
from functools import partial
from importlib import import_module
from itertools import islice
from typing import Any, Protocol

from .seal import Seal, Secrets
from .store import Entry, Unpicklable, check_key, check_value, closed, leave_out, lifetime

_LARGEST = 1 << 20
_BATCH = 1000  # keys that are scanned, or dropped, in one round trip

_NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
_LIVE = "local function live(v) return (tonumber(string.sub(v, 1, 15)) or 0) > now end "

_PUT = (
    _NOW
    + """
    redis.call('LPUSH', KEYS[1], string.format('%015d', now + ARGV[2]) .. ARGV[1])
    redis.call('LTRIM', KEYS[1], 0, ARGV[3] - 1)
    if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
    end
    """
)
_TAKE = (
    _NOW
    + _LIVE
    + """
    local v = redis.call('LPOP', KEYS[1])
    while v and not live(v) do v = redis.call('LPOP', KEYS[1]) end
    return v and string.sub(v, 16)
    """
)
_GET = (
    _NOW
    + _LIVE
    + """
    for _, v in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
        if live(v) then return string.sub(v, 16) end
    end
    return false
    """
)
_REMOVE = (
    _NOW
    + _LIVE
    + """
    local found = 0
    for _, v in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
        if #ARGV == 0 and live(v) then found = 1 end
        for _, wanted in ipairs(ARGV) do
            if string.sub(v, 16) == wanted and live(v) then
                redis.call('LREM', KEYS[1], 1, v)
                return 1
            end
        end
    end
    if #ARGV == 0 then redis.call('DEL', KEYS[1]) end
    return found
    """
)
_LIST = (
    _NOW
    + _LIVE
    + """
    local found = {}
    for _, v in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
        if live(v) then
            found[#found + 1] = tonumber(string.sub(v, 1, 15)) - now
            found[#found + 1] = string.sub(v, 16)
        end
    end
    return found
    """
)
_DROP = """
    local found = redis.pcall('LLEN', KEYS[1])
    redis.call('DEL', KEYS[1])
    return tonumber(found) or 1
"""


class RedisClient(Protocol):
    """The part of redis-py's `Redis` and `RedisCluster`, and of Valkey's client, that is used."""

    def register_script(self, script: Any) -> Any:
        """Return a callable of (keys, args)."""

    def scan_iter(self, match: Any = ..., count: Any = ...) -> Any:
        """Iterate over the keys that match."""

    def delete(self, *names: Any) -> Any:
        """Remove keys."""


class RedisStore(Unpicklable):
    """Keep sessions in Redis 5 or later, or in Valkey, which expires them itself: one server, one
    that a Sentinel watches, or a cluster.

    A command is never repeated, because a session that is put twice could be taken twice. From a
    plain client, or from a Sentinel's `master_for()`, the store takes the address and the
    credentials, and opens its own connections, which time out after `timeout` seconds and never
    retry. With a cluster's client it shares the connections, follows MOVED and ASK, and does not
    retry after other errors; this client must have a `socket_timeout`. Any other client is used as
    it is: turn its retries off, and set its timeouts.

    Limit the memory of all keys together in the server (`maxmemory`, with the policy
    `volatile-ttl`). Any thread may use the store, and so may a forked child. A call blocks for one
    round trip.

    Args:
        client: a synchronous client of redis-py or valkey-py.
        secret: one secret or a list of them, each at least 16 random bytes: the first one seals,
            all of them open. All machines need the same secrets.
        prefix: a prefix for the store's keys.
        timeout: how many seconds to wait for the server. A cluster's client has its own.

    Attributes:
        unreadable: how many values were skipped because they did not open.

    Raises:
        TypeError: the client is asynchronous.
        ValueError: the client may wait for ever, or reads from replicas.
    """

    unreadable: int

    __slots__ = (
        "__weakref__",
        "_client",
        "_closed",
        "_drop",
        "_get",
        "_list",
        "_own",
        "_prefix",
        "_put",
        "_remove",
        "_seal",
        "_take",
        "unreadable",
    )

    in_process = False
    sealed = True

    def __init__(
        self,
        client: RedisClient,
        *,
        secret: Secrets,
        prefix: str = "tlskit:",
        timeout: float = 0.25,
    ) -> None:
        if inspect.iscoroutinefunction(getattr(client, "execute_command", None)):
            raise TypeError(
                "a session store is called in the middle of a handshake: it needs a synchronous "
                "client"
            )
        self._seal, self._prefix = Seal(secret), prefix
        own = _own_client(client, timeout)
        self._own = own is not None
        self._client: Any = own or _without_retries(client)
        self._closed, self.unreadable = False, 0
        scripts = (
            self._client.register_script(script)
            for script in (_PUT, _TAKE, _GET, _REMOVE, _LIST, _DROP)
        )
        self._put, self._take, self._get, self._remove, self._list, self._drop = scripts

    @classmethod
    def from_url(
        cls, url: str, *, secret: Secrets, prefix: str = "tlskit:", timeout: float = 0.25
    ) -> RedisStore:
        """Make a store and its client from a URL: `redis://host:6379/0`, `rediss://` for TLS, or
        `unix:///path`. Needs redis-py.
        """
        try:
            import redis
        except ImportError:
            raise ImportError(
                "RedisStore.from_url() needs redis-py: pip install 'tlskit[redis]'"
            ) from None
        return cls(redis.Redis.from_url(url), secret=secret, prefix=prefix, timeout=timeout)

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int = 1) -> None:
        """Keep `value` under `key` for `seconds`, and drop the oldest values above `most`."""
        check_value(value, _LARGEST)
        milliseconds = int(lifetime(key, seconds, most) * 1000)
        name = self._name(key)
        if milliseconds > 0:
            self._put(
                keys=[name],
                args=[base64.b64encode(self._seal.close(key, value)), milliseconds, most],
            )

    def take(self, key: bytes) -> bytes | None:
        """Remove and return the newest value under `key`; None if there is none that opens."""
        return self._opened(key, self._take(keys=[self._name(key)]))

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value under `key` and keep it; None if there is none that opens."""
        return self._opened(key, self._get(keys=[self._name(key)]))

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        """Remove one value, or all values under `key`. Returns whether there was anything."""
        name = self._name(key)
        values = (
            []
            if value is None
            else [base64.b64encode(sealed) for sealed in self._seal.every(key, value)]
        )
        return bool(self._remove(keys=[name], args=values))

    def purge(self) -> int:
        """Return 0: Redis itself drops what has expired."""
        return 0

    def clear(self) -> None:
        """Drop every key with the store's prefix. This scans all keys of the server."""
        names = iter(self._names())
        while some := list(islice(names, _BATCH)):
            self._client.delete(*some)

    def _drop_all(self) -> int:
        """Drop every key with the store's prefix, and return how many values that was."""
        return sum(self._drop(keys=[name]) for name in self._names())

    def close(self) -> None:
        """Close the store's own connections. The client that was passed in stays open."""
        if self._own and not self._closed:
            self._client.connection_pool.disconnect()
        self._closed = True

    def entries(self) -> Iterator[Entry]:
        """Iterate over the entries that open. This scans all keys of the server."""
        return self._entries_under("")

    def _entries_under(self, digits: str) -> Iterator[Entry]:
        """Iterate over the entries that open and whose keys begin with these hexadecimal digits."""
        for name in self._names(digits):
            text = name if isinstance(name, str) else name.decode("utf-8", "replace")
            try:
                key = bytes.fromhex(text[len(self._prefix) :])
            except ValueError:
                continue  # another program's key with this prefix
            listed = self._list(keys=[name])
            for milliseconds, sealed in zip(listed[::2], listed[1::2], strict=True):
                value = self._opened(key, sealed)
                if value is not None:
                    yield Entry(key, value, int(milliseconds) / 1000)

    def __repr__(self) -> str:
        return (
            f"<RedisStore {self._prefix!r} through a "
            f"{type(self._client).__name__}{', closed' if self._closed else ''}>"
        )

    def _name(self, key: bytes) -> str:
        check_key(key)
        if self._closed:
            closed()
        return self._prefix + key.hex()

    def _names(self, digits: str = "") -> Any:
        if self._closed:
            closed()
        beginning = re.sub(r"([*?\[\]\\])", r"\\\1", self._prefix) + digits
        return self._client.scan_iter(match=beginning + "*", count=_BATCH)

    def _opened(self, key: bytes, said: object) -> bytes | None:
        if said is None:
            return None
        try:
            sealed = (
                base64.b64decode(said, validate=True) if isinstance(said, (bytes, str)) else None
            )
        except (binascii.Error, ValueError):
            sealed = None
        value = self._seal.open(key, sealed)
        if value is None:
            leave_out(self)
        return value


def _own_client(client: RedisClient, timeout: float) -> Any:
    """Return a client for the same server, or for the same service of a Sentinel, without retries
    and with this timeout; None for other clients.
    """
    kinds = [
        kind
        for kind in type(client).__mro__
        if kind.__module__ in ("redis.client", "valkey.client")
        and kind.__name__ in ("Redis", "Valkey")
    ]
    pool: Any = getattr(client, "connection_pool", None)
    names = [kind.__name__ for kind in type(pool).__mro__]
    watched = "SentinelConnectionPool" in names
    if not kinds or not (watched or names[0] in ("ConnectionPool", "BlockingConnectionPool")):
        return None
    about_the_pool = ("maint_", "oss_", "orig_", "cache", "event_dispatcher", "connection_pool")
    settings = {
        name: value
        for name, value in pool.connection_kwargs.items()
        if not name.startswith(about_the_pool)
    }
    settings.update(retry=None, retry_on_timeout=False, retry_on_error=[], socket_timeout=timeout)
    if "path" not in settings:
        settings["socket_connect_timeout"] = timeout
    settings["connection_class"] = pool.connection_class
    if watched and not pool.is_master:
        raise ValueError("the client reads from replicas: use the Sentinel's master_for()")
    wanted = "SentinelConnectionPool" if watched else "ConnectionPool"
    plain = next(kind for kind in type(pool).__mro__ if kind.__name__ == wanted)
    service = (pool.service_name, pool.sentinel_manager) if watched else ()
    own = kinds[0](connection_pool=plain(*service, **settings))
    own.auto_close_connection_pool = True
    return own


def _without_retries(client: Any) -> Any:
    """Return a cluster's client with the same connections and the same map of the cluster, but
    without retries; any other client as it is.
    """
    manager = getattr(client, "nodes_manager", None)
    if manager is None:
        return client
    if manager.connection_kwargs.get("socket_timeout") is None:
        raise ValueError(
            "the cluster's client has no socket_timeout: a node that does not answer would block "
            "handshakes for ever"
        )
    library = import_module(type(manager).__module__.partition(".")[0])
    own = copy(client)
    own.cluster_error_retry_attempts = 0  # read by redis-py 5 and valkey-py
    own.retry = library.retry.Retry(library.backoff.NoBackoff(), 0)
    # When the copy goes, the connections must stay, for the client that was passed in; and while
    # there is the copy, the client must not go.
    own.close = partial(_nothing, client)
    return own


def _nothing(kept: object) -> None:
    """Do nothing. The partial that calls this keeps `kept` alive."""
