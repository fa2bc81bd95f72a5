"""The logger "tlskit": a line for each handshake at DEBUG, and for each that fails at INFO.

A server's operator sees nothing else of a client that was refused: asyncio drops such connections
without a word.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .channel import Channel

_log: Any = None


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
    return bool(_log.isEnabledFor(getattr(logging, level)))


def complete(channel: Channel) -> None:
    """Say what a handshake came to."""
    if not _wanted("DEBUG"):
        return
    facts = channel.facts()
    reason = getattr(channel.resumption, "reason", None)
    _log.debug(
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
        _log.info("handshake with %s failed: %s", _peer(channel), error)


def _peer(channel: Channel) -> str:
    """The other side: its address where there is a socket, and the name that was asked for."""
    name = channel.facts().server_name or channel.server_hostname or "-"
    owner = channel.owner
    try:
        address = owner.getpeername() if isinstance(owner, socket.socket) else None
    except OSError:  # it is gone already
        address = None
    where = f"{address[0]}:{address[1]} " if isinstance(address, tuple) and len(address) > 1 else ""
    return f"{'client' if channel.server_side else 'server'} {where}({name})"
