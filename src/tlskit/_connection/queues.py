"""The channels in memory: between tlskit's MemoryBIOs, and between the stdlib's."""

from __future__ import annotations

from .._core.memory import MemoryConnection
from .._core.queued import SLOTS, QueuedConnection
from .channel import Channel


class MemoryChannel(MemoryConnection, Channel):
    """A Channel between two of tlskit's MemoryBIOs."""

    __slots__ = ()


class QueueChannel(QueuedConnection, Channel):
    """A Channel between two of the stdlib's MemoryBIOs. Its maker calls `connect_queues`."""

    __slots__ = SLOTS
