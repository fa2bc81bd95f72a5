"""Connections: sockets, objects, what carries their bytes, and what they have negotiated.

These names are what an SSLContext makes connections of. Each loads with the first connection that
needs it.
"""

from .._lazy import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .bridge import transport
    from .channel import Channel
    from .object import SSLObject
    from .queues import MemoryChannel, QueueChannel
    from .socket import SSLSocket
    from .sockets import OwnChannel, SocketChannel

__all__ = [
    "Channel",
    "MemoryChannel",
    "OwnChannel",
    "QueueChannel",
    "SSLObject",
    "SSLSocket",
    "SocketChannel",
    "transport",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = names(
        __name__,
        __all__,
        {
            ".bridge": ["transport"],
            ".channel": ["Channel"],
            ".object": ["SSLObject"],
            ".queues": ["MemoryChannel", "QueueChannel"],
            ".socket": ["SSLSocket"],
            ".sockets": ["OwnChannel", "SocketChannel"],
        },
    )
