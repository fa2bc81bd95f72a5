"""Sessions: what a session is, what binds it, and how it is written down. The stores are here under
their first names.
"""

from ..stores import MemcachedStore, MemoryStore, RedisStore, SealedStore, SessionStore, SQLiteStore
from .info import CipherInfo, KeyInfo, SessionInfo
from .session import SSLSession
from .statistics import SessionStats

__all__ = [
    "CipherInfo",
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
