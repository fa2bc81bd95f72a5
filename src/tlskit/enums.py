"""Flags and numbers: the stdlib's own types where it has them, so that both modules' values can be
mixed.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from ssl import (
    AlertDescription,
    Options,
    SSLErrorNumber,
    TLSVersion,
    VerifyFlags,
    VerifyMode,
    _SSLMethod,
)

from _tlsbind import CONST

__all__ = [
    "AlertDescription", "EarlyDataStatus", "Options", "SSLErrorNumber", "SessionCacheMode",
    "TLSVersion", "VerifyFlags", "VerifyMode",
    "_SSLMethod",
]  # fmt: skip


class SessionCacheMode(IntFlag):
    """The mode of a context's session cache: `ctx.sessions.mode`. Corresponds to
    SSL_CTX_set_session_cache_mode(3).
    """

    OFF = CONST.SSL_SESS_CACHE_OFF
    """No session is kept for reuse."""
    CLIENT = CONST.SSL_SESS_CACHE_CLIENT
    """Sessions of client connections are offered to the cache."""
    SERVER = CONST.SSL_SESS_CACHE_SERVER
    """Sessions of server connections are kept, to be resumed by their id."""
    BOTH = CLIENT | SERVER
    NO_AUTO_CLEAR = CONST.SSL_SESS_CACHE_NO_AUTO_CLEAR
    """Expired sessions are not flushed automatically at every 255th connection."""
    NO_INTERNAL_LOOKUP = CONST.SSL_SESS_CACHE_NO_INTERNAL_LOOKUP
    """A server does not look sessions up in OpenSSL's own cache."""
    NO_INTERNAL_STORE = CONST.SSL_SESS_CACHE_NO_INTERNAL_STORE
    """Sessions are not put into OpenSSL's own cache."""
    NO_INTERNAL = NO_INTERNAL_LOOKUP | NO_INTERNAL_STORE
    UPDATE_TIME = CONST.SSL_SESS_CACHE_UPDATE_TIME
    """A session's timeout restarts whenever it is resumed."""


class EarlyDataStatus(IntEnum):
    """The fate of early data: `conn.early_data_status`. Corresponds to
    SSL_get_early_data_status(3).
    """

    NOT_SENT = CONST.SSL_EARLY_DATA_NOT_SENT
    """The client sent none with its ClientHello."""
    REJECTED = CONST.SSL_EARLY_DATA_REJECTED
    """The server rejected it; the client has sent it again after the handshake."""
    ACCEPTED = CONST.SSL_EARLY_DATA_ACCEPTED
    """The server accepted it."""
