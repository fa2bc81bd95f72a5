"""Stores: where sessions are kept beyond the connection that made them."""

from .._lazy import names

TYPE_CHECKING = False
if TYPE_CHECKING:
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

if not TYPE_CHECKING:
    __getattr__, __dir__ = names(
        __name__,
        __all__,
        {
            ".memcached": ["MemcachedStore"],
            ".memory": ["MemoryStore"],
            ".redis": ["RedisStore"],
            ".seal": ["SealedStore"],
            ".sqlite": ["SQLiteStore"],
            ".store": ["Entry", "SessionStore"],
        },
    )
