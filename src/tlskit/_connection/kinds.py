"""What an SSLContext makes connections of. It loads with the first connection: a program that only
makes a context does not wait for it.
"""

from __future__ import annotations

from .._core.bio import MemoryBIO
from .._core.direct import over_socket
from .bridge import OwnChannel, SocketChannel, transport
from .channel import Channel
from .object import SSLObject
from .queues import MemoryChannel, QueueChannel
from .socket import SSLSocket

__all__ = [
    "Channel",
    "MemoryBIO",
    "MemoryChannel",
    "OwnChannel",
    "QueueChannel",
    "SSLObject",
    "SSLSocket",
    "SocketChannel",
    "over_socket",
    "transport",
]
