"""StreamChannel: a Channel for an event loop's transport."""

from __future__ import annotations

from typing import Any

from .._core.stream import Stage, Stream
from .channel import Channel


class Wire:
    """What stands in for a pair of BIOs in `wrap_bio`: a socket, and the stage of its loop.

    Without a descriptor (-1), bytes are fed to the connection and taken from it.
    """

    __slots__ = ("fd", "stage")

    def __init__(self, stage: Stage, fd: int = -1) -> None:
        self.stage, self.fd = stage, fd


class StreamChannel(Channel, Stream):
    """A Channel whose bytes an event loop's transport carries."""

    __slots__ = ("_plain", "_room", "_stage", "again", "stalled", "taken", "unsent")

    def __init__(self, *args: Any, wire: Wire, **kwargs: Any) -> None:
        super().__init__(*args, fd=wire.fd, **kwargs)
        self.open(wire.stage)
