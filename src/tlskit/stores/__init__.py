"""Stores: where sessions are kept beyond the connection that made them."""

from .memcached import MemcachedStore
from .memory import MemoryStore
from .redis import RedisStore
from .seal import SealedStore
from .sqlite import SQLiteStore
from .store import Entry, SessionStore

__all__ = [
    "Entry",
    "MemcachedStore",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "SealedStore",
    "SessionStore",
]
