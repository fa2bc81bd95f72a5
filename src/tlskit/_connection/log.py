"""The logger "tlskit": a line for each handshake at DEBUG, and for each that fails at INFO.

A server's operator sees nothing else of a client that was refused: asyncio drops such connections
without a word.

A handler may itself send its records over TLS. Its own handshakes are not logged, or each would be
one more record for it to send. And a handshake never waits long for a handler that is busy: it may
be busy with a request that this very handshake has to serve.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from .channel import Channel

_PATIENCE = 0.25  # seconds that a handshake waits for a handler; then the line is left out
_log: Any = None


def complete(channel: Channel) -> None:
    """Say what a handshake came to."""
    if "logging" not in sys.modules or not _wanted("DEBUG"):
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


def failure(channel: Channel, error: Exception) -> None:
    """Say why a handshake failed."""
    if _wanted("INFO"):
        _say("INFO", "handshake with %s failed: %s", _peer(channel), error)


def _wanted(level: str) -> bool:
    """Whether anybody wants to hear. A program that has never loaded `logging` does not, and
    loading it here would cost more than all of tlskit.
    """
    global _log
    logging = sys.modules.get("logging")
    if logging is None:
        return False
    if _log is None:
        _log = logging.getLogger("tlskit")
    return _log.isEnabledFor(getattr(logging, level)) and not _inside(logging.Handler.handle)


def _inside(function: Any) -> bool:
    """Whether this thread is in a call of `function`."""
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
    """The locks of the handlers that a record of ours would go through."""
    locks = []
    logger = _log
    while logger is not None:
        locks += [handler.lock for handler in logger.handlers if handler.lock is not None]
        logger = logger.parent if logger.propagate else None
    return locks


def _peer(channel: Channel) -> str:
    """The other side: its address where there is a socket, and the name that was asked for."""
    name = channel.facts().server_name or channel.server_hostname or "-"
    address = channel.peer_address
    where = f"{address[0]}:{address[1]} " if isinstance(address, tuple) and len(address) > 1 else ""
    return f"{'client' if channel.server_side else 'server'} {where}({name})"
