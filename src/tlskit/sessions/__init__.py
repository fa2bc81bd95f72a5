"""Sessions: what a session is, what it is bound to, and its formats. The stores can be imported
from here as well.
"""

from typing import TYPE_CHECKING

from .._lazy import names
from ..stores.memory import MemoryStore
from ..stores.store import SessionStore
from .info import CipherInfo, KeyInfo, SessionInfo
from .session import SSLSession
from .statistics import SessionStats

if TYPE_CHECKING:
    from ..stores import MemcachedStore, RedisStore, SealedStore, SQLiteStore

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

if not TYPE_CHECKING:
    __getattr__, __dir__ = names(
        __name__,
        __all__,
        {"..stores": ["MemcachedStore", "RedisStore", "SQLiteStore", "SealedStore"]},
    )
