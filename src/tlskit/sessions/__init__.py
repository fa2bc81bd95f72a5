"""Sessions: what binds them, what keeps them, and the part of a context that has to do with them."""

from .facet import ContextSessions, SessionStats
from .info import CipherInfo, KeyInfo, SessionInfo
from .memcached import MemcachedStore
from .memory import MemoryStore
from .redis import RedisStore
from .seal import SealedStore
from .session import SSLSession
from .sqlite import SQLiteStore
from .store import SessionStore

__all__ = [
    "CipherInfo",
    "ContextSessions",
    "KeyInfo",
    "MemcachedStore",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "SSLSession",
    "SealedStore",
    "SessionInfo",
    "SessionStats",
    "SessionStore",
]
