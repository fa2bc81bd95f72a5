"""Stores: where sessions are kept beyond the connection that made them."""

from typing import TYPE_CHECKING

from .._lazy import names
from .memory import MemoryStore
from .store import Entry, SessionStore

if TYPE_CHECKING:
    from .memcached import MemcachedStore
    from .redis import RedisStore
    from .seal import SealedStore
    from .sqlite import SQLiteStore

__all__ = [
    "Entry",
    "MemcachedStore",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "SealedStore",
    "SessionStore",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = names(
        __name__,
        __all__,
        {
            ".memcached": ["MemcachedStore"],
            ".redis": ["RedisStore"],
            ".sqlite": ["SQLiteStore"],
            ".seal": ["SealedStore"],
        },
    )
