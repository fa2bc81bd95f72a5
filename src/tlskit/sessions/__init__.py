"""Sessions: what a session is, what it is bound to, and its formats. The stores can be imported
from here as well.
"""

from .._lazy import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..stores import (
        MemcachedStore,
        MemoryStore,
        RedisStore,
        SealedStore,
        SessionStore,
        SQLiteStore,
    )
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

if not TYPE_CHECKING:
    __getattr__, __dir__ = names(
        __name__,
        __all__,
        {
            "..stores": [
                "MemcachedStore",
                "MemoryStore",
                "RedisStore",
                "SQLiteStore",
                "SealedStore",
                "SessionStore",
            ],
            ".info": ["CipherInfo", "KeyInfo", "SessionInfo"],
            ".session": ["SSLSession"],
            ".statistics": ["SessionStats"],
        },
    )
