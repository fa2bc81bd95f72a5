"""The logger "tlskit": one line for each handshake at DEBUG, and for each failed one at INFO.

A server's operator has no other trace of a refused client: asyncio drops such connections silently.

A handler may itself send its records over TLS. Its own handshakes are not logged; otherwise each
would create one more record for it to send. And a handshake never waits long for a busy handler,
which may be busy with a request that this very handshake must serve.

It loads with the first connection of a program that has loaded `logging`. Any other program has no
handlers, and loading `logging` for it would cost more than all of tlskit.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

from .._core.facts import Facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Protocol
else:
    Protocol = object

_PATIENCE = 0.25  # seconds that a handshake waits for a handler; after that the line is dropped
_log: Any = None


class Logged(Protocol):
    """What a line tells of a connection."""

    server_side: bool
    server_hostname: str | None

    @property
    def peer_address(self) -> Any: ...
    @property
    def resumption(self) -> object: ...
    def facts(self) -> Facts: ...


def complete(channel: Logged) -> None:
    """Log the result of a handshake."""
    if not _wanted("DEBUG"):
        return
    facts = channel.facts()
    reason = getattr(channel.resumption, "reason", None)
    _say(
        "DEBUG",
        "handshake with %s complete: %s, %s, %s, ALPN %s, %s",
        _peer(channel),
        facts.version_name,
        facts.cipher_name,
        facts.group,
        facts.alpn,
        "resumed" if facts.reused else f"full: {reason}" if reason else "full",
    )


def failure(channel: Logged, error: Exception) -> None:
    """Log why a handshake failed."""
    if _wanted("INFO"):
        _say("INFO", "handshake with %s failed: %s", _peer(channel), error)


def _wanted(level: str) -> bool:
    """Return whether any handler is listening."""
    global _log
    logging = sys.modules["logging"]
    if _log is None:
        _log = logging.getLogger("tlskit")
    return _log.isEnabledFor(getattr(logging, level)) and not _inside(logging.Handler.handle)


def _inside(function: Any) -> bool:
    """Return whether this thread is inside a call of `function`."""
    code = function.__code__
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False


def _say(level: str, words: str, *arguments: object) -> None:
    with ExitStack() as held:
        for lock in _handler_locks():
            if not lock.acquire(timeout=_PATIENCE):
                return
            held.callback(lock.release)
        _log.log(getattr(sys.modules["logging"], level), words, *arguments)


def _handler_locks() -> list[Any]:
    """Return the locks of the handlers that would get a record of this logger."""
    locks = []
    logger = _log
    while logger is not None:
        locks += [handler.lock for handler in logger.handlers if handler.lock is not None]
        logger = logger.parent if logger.propagate else None
    return locks


def _peer(channel: Logged) -> str:
    """Return a name for the peer: its address, if there is a socket, and the requested server
    name.
    """
    name = channel.facts().server_name or channel.server_hostname
    name = name or getattr(channel, "asked_name", None) or "-"
    address = channel.peer_address
    where = f"{address[0]}:{address[1]} " if isinstance(address, tuple) and len(address) > 1 else ""
    return f"{'client' if channel.server_side else 'server'} {where}({name})"
