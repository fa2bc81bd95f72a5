"""`ctx.sessions`: the session cache of a context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import time as now
from typing import TYPE_CHECKING

from .._core.context import Context
from .._core.session import Session
from ..enums import SessionCacheMode
from .session import SSLSession

if TYPE_CHECKING:
    from .._object import SSLObject
    from .._socket import SSLSocket

OnNew = Callable[["SSLSocket | SSLObject", SSLSession], object]


@dataclass(frozen=True)
class SessionStats:
    """The twelve counters of a context, at one moment. Corresponds to SSL_CTX_sess_number(3)."""

    number: int
    """Sessions in the internal cache now."""
    connect: int
    """Handshakes begun as a client."""
    connect_good: int
    """... and completed."""
    connect_renegotiate: int
    """Renegotiations as a client."""
    accept: int
    """Handshakes begun as a server."""
    accept_good: int
    """... and completed."""
    accept_renegotiate: int
    """Renegotiations as a server."""
    hits: int
    """Sessions reused. As a client: offered, and accepted by the server."""
    misses: int
    """Sessions that a client named and the cache did not have."""
    timeouts: int
    """Sessions that were found, but had expired. """
    cache_full: int
    """Sessions that were removed because the cache was full."""
    cb_hits: int
    """Sessions that an external cache gave."""


class ContextSessions:
    """The sessions of one context: its cache, the cache's settings and counters, and news of new sessions.

    Safe from any thread; settings apply to handshakes that begin later.
    """

    __slots__ = ("_context", "_id_context", "_on_new")

    def __init__(self, context: Context) -> None:
        self._context = context
        self.id_context = b"Python"  # the stdlib's
        self._on_new: OnNew | None = None

    @property
    def mode(self) -> SessionCacheMode:
        """What the cache does; SERVER unless changed. Corresponds to SSL_CTX_set_session_cache_mode(3)."""
        return SessionCacheMode(self._context.cache_mode)

    @mode.setter
    def mode(self, value: SessionCacheMode | int) -> None:
        known = int(SessionCacheMode.BOTH | SessionCacheMode.NO_AUTO_CLEAR | SessionCacheMode.NO_INTERNAL | SessionCacheMode.UPDATE_TIME)
        if _whole(value, "a cache mode") & ~known or value < 0:
            raise ValueError(f"{int(value):#x} has bits that are no SessionCacheMode")
        self._context.cache_mode = int(value)

    @property
    def size(self) -> int:
        """How many sessions the cache holds before it drops some; 0: no bound. Corresponds to SSL_CTX_sess_set_cache_size(3)."""
        return self._context.cache_size

    @size.setter
    def size(self, value: int) -> None:
        self._context.cache_size = _whole(value, "a cache size", most=2**31 - 1)

    @property
    def timeout(self) -> int:
        """How long a new session is good for, in seconds: 7200 unless changed. Corresponds to SSL_CTX_set_timeout(3)."""
        return self._context.session_timeout

    @timeout.setter
    def timeout(self, seconds: int) -> None:
        self._context.session_timeout = _whole(seconds, "a session timeout", most=2**31 - 1)

    @property
    def id_context(self) -> bytes:
        """Sessions made under one id context are not resumed under another: up to 32 bytes, b"Python" unless changed.

        Corresponds to SSL_CTX_set_session_id_context(3).
        """
        return self._id_context

    @id_context.setter
    def id_context(self, value: bytes) -> None:
        raw = bytes(memoryview(value))
        self._context.set_id_context(raw)
        self._id_context = raw

    def stats(self) -> SessionStats:
        """All twelve counters of OpenSSL."""
        return SessionStats(**self._context.statistics())

    def flush(self, at: float | datetime | None = None) -> None:
        """Remove every session that has expired by `at` (seconds since 1970, or a datetime; now by default).

        Corresponds to SSL_CTX_flush_sessions(3).
        """
        when = now() if at is None else at.timestamp() if isinstance(at, datetime) else at
        # OpenSSL takes 0 for "all"; a time before the epoch would mean "none", so nothing is asked of it.
        if when >= 1:
            self._context.flush_sessions(int(when))

    def clear(self) -> None:
        """Remove every session. Corresponds to SSL_CTX_flush_sessions(3) with a time of 0."""
        self._context.flush_sessions(0)

    def add(self, session: SSLSession) -> bool:
        """Put a session into the cache: False when it is there already. Corresponds to SSL_CTX_add_session(3)."""
        return self._context.add_session(_session(session))

    def remove(self, session: SSLSession) -> bool:
        """Take a session out of the cache, and withdraw it: nobody will resume from it.

        False when it was not there. Corresponds to SSL_CTX_remove_session(3).
        """
        return self._context.remove_session(_session(session))

    def __len__(self) -> int:
        return self._context.statistics()["number"]

    @property
    def on_new(self) -> OnNew | None:
        """Called as `on_new(connection, session)` for each new session, after the operation in which it was made or came.

        A full TLS 1.3 handshake brings a client two tickets, with its first read, a resumed one brings one. The call is
        made in the thread that did the operation, with no lock held; what it raises comes out of that operation.
        Setting it adds CLIENT to `mode`, without which OpenSSL tells a client nothing, and on a client's context
        NO_INTERNAL_STORE. It holds for connections made later.
        """
        return self._on_new

    @on_new.setter
    def on_new(self, callback: OnNew | None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"on_new has to be callable or None, not {type(callback).__name__}")
        if callback is not None:
            self.mode |= SessionCacheMode.CLIENT | (SessionCacheMode.NO_INTERNAL_STORE if self._context.role == "client" else 0)
        self._on_new = callback
        self._context.want_sessions(callback is not None)


def _whole(value: int, what: str, most: int | None = None) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{what} is a whole number, not {type(value).__name__}")
    if most is not None and not 0 <= value <= most:
        raise ValueError(f"{what} lies between 0 and {most}, not at {value}")
    return int(value)


def _session(value: SSLSession) -> Session:
    if not isinstance(value, SSLSession):
        raise TypeError("Value is not a SSLSession.")
    return value._session
