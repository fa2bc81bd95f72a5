"""What runs for every message of a transport: the loop's callback for a readable socket, and
`write`.

On CPython it is in C (_tlsbind/direct/traffic.c). The class here does the same, for where that is
not compiled in. Both do what is usual, and leave the rest to their owner, the transport.
"""

from __future__ import annotations

from .._connection.stream import StreamChannel
from .._core import direct
from .._core.stream import ROOM
from ._backlog import check_data
from ._log import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol
else:
    Protocol = object

_LATE_WRITES = 5  # how many writes after the end are ignored, as in asyncio


class Traffic(Protocol):
    """Carries the bytes of an open connection.

    Attributes:
        owner: the transport, and after its end `Late`.
        protocol: whose `data_received` gets the data.
        idle: nothing is pending, so a write is sent at once.
        stalled: pending data has to wait for bytes from the peer.
        again_due: `_read_again` is scheduled, and an event need not read.
        paused: the protocol gets nothing now, and an event is for the owner's `_readable`.
        buffered: the protocol is a BufferedProtocol.
    """

    owner: Any
    protocol: Any
    idle: bool
    stalled: bool
    again_due: bool
    paused: bool
    buffered: bool

    def read_ready(self) -> None:
        """Receive, decrypt and deliver: the socket is readable."""

    def write(self, data: Any) -> None:
        """Encrypt `data` and send it, as much at once as the socket accepts."""


def traffic(channel: StreamChannel, owner: Any) -> Traffic:
    """Return the Traffic of a connection."""
    made: Traffic | None = direct.traffic(channel, owner)
    return PythonTraffic(channel, owner) if made is None else made


class PythonTraffic:
    """A Traffic in Python."""

    __slots__ = (
        "_plain", "_pull", "_push", "again_due", "buffered", "idle", "owner", "paused", "protocol",
        "stalled",
    )  # fmt: skip

    def __init__(self, channel: StreamChannel, owner: Any) -> None:
        self._plain, self._pull, self._push = channel.plain, channel.pull, channel.push
        self.owner: Any = owner
        self.protocol: Any = None
        self.idle = self.stalled = self.again_due = self.paused = self.buffered = False

    def read_ready(self) -> None:
        """Receive, decrypt and deliver: the socket is readable."""
        if self.again_due:  # once per turn, or a flood would get more turns with each event
            return
        if self.paused:
            self.owner._readable()
            return
        if self.buffered:
            self.owner._read_into_protocol()
            return
        n = self._pull()
        if 0 < n <= ROOM:  # plain data
            try:
                self.protocol.data_received(self._plain[:n])
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self.owner._not_delivered(error, "data_received")
            else:
                if self.stalled:
                    self.owner._after_receive()
        else:
            self.owner._pulled(n, None)

    def write(self, data: Any) -> None:
        """Encrypt `data` and send it, as much at once as the socket accepts."""
        if self.idle and data.__class__ is bytes:
            size = len(data)
            n = self._push(data, size)
            if n != size:
                self.owner._pushed(n, data)
            return
        self.owner._write_slowly(data)


class Late:
    """Answers what is called after the transport's end: it holds no transport in memory."""

    __slots__ = ("_writes",)

    def __init__(self) -> None:
        self._writes = 0

    def _write_slowly(self, data: Any) -> None:
        """Drop the data. From the sixth write on, log a warning."""
        check_data(data)
        self.refuse()

    def refuse(self) -> None:
        """Count a write that is dropped."""
        if self._writes >= _LATE_WRITES:
            logger.warning("SSL connection is closed")
        self._writes += 1

    def _pulled(self, n: int, data: bytes | None) -> None:
        """Do nothing: there is nobody to deliver to."""

    def _read_into_protocol(self) -> None:
        """Do nothing: there is nobody to deliver to."""

    def _readable(self) -> None:
        """Do nothing: the loop no longer watches the socket."""
