"""The channels in memory: between tlskit's MemoryBIOs, and between the stdlib's."""

from __future__ import annotations

from .._core.bio import MemoryBIO
from .._core.memory import MemoryConnection
from .._core.queued import SLOTS, QueuedConnection
from .channel import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class MemoryChannel(MemoryConnection, Channel):
    """A Channel between two of tlskit's MemoryBIOs."""

    __slots__ = ()


class QueueChannel(QueuedConnection, Channel):
    """A Channel between two of the stdlib's MemoryBIOs."""

    __slots__ = SLOTS

    def __init__(
        self, *args: Any, bios: tuple[MemoryBIO, MemoryBIO], given: tuple[Any, Any], **kwargs: Any
    ) -> None:
        super().__init__(*args, bios=bios, **kwargs)
        self.connect_queues(bios, given)
