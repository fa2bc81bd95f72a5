"""The reading half of the transport: from the socket to the protocol's callbacks."""

from __future__ import annotations

import asyncio
from asyncio import protocols

from .._core.stream import NOTHING
from .._lazy import LateName
from ._log import logger
from ._writing import LOST, OPEN, WritingTransport, limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")

_HIGH_WATER = 256 * 1024  # bytes, asyncio's own limit for TLS
_CHUNKS = 64  # how often one turn of the loop calls a protocol with a small buffer


class ReadingTransport(WritingTransport):
    """Everything between the socket and `data_received` or `buffer_updated`.

    One event is one call into C (`Traffic`): receive, decrypt, deliver. Data that cannot be
    delivered (the protocol has paused, or its buffer was full) stays in the connection until
    `_read_again` fetches it.

    A StreamReader pauses and resumes with every large message. So a pause leaves the socket to the
    loop, and only an event during the pause removes it: usually there is none.
    """

    __slots__ = ("_ended", "_paused", "_read_limits", "_reader_on")

    def __init__(self, loop: asyncio.AbstractEventLoop, extra: dict[str, Any]) -> None:
        super().__init__(loop, extra)
        self._paused = False
        self._reader_on = False
        self._ended = False  # the peer will send nothing more

    # -- for the protocol --------------------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Call `protocol` from the next delivery on."""
        self._protocol = self._traffic.protocol = protocol
        self._traffic.buffered = isinstance(protocol, protocols.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the current protocol."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_reading(self) -> bool:
        """Return whether the protocol receives incoming data."""
        return self._state is OPEN and not self._paused

    def pause_reading(self) -> None:
        """Deliver nothing until `resume_reading` is called, not even the peer's end."""
        if self._state is OPEN and not self._paused:
            self._paused = self._traffic.paused = True

    def resume_reading(self) -> None:
        """Resume delivery, starting with data that has already arrived."""
        if self._state is OPEN and self._paused:
            self._paused = False
            self._start_reading()

    def get_read_buffer_size(self) -> int:
        """Return 0: tlskit's transports hold no data that they could deliver."""
        return 0

    def set_read_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Check and keep the limits, which have no effect: there is no read buffer.

        Raises:
            ValueError: `low` is negative, or above `high`.
        """
        self._read_limits = limits(high, low, _HIGH_WATER)

    def get_read_buffer_limits(self) -> tuple[int, int]:
        """Return the low and the high limit."""
        high, low = getattr(self, "_read_limits", None) or limits(None, None, _HIGH_WATER)
        return low, high

    # -- registering -------------------------------------------------------------------------------

    def _start_reading(self) -> None:
        """Watch the socket for the protocol, and look for data that has already arrived."""
        if self._state is not OPEN or self._ended:
            return
        if self._paused:  # in connection_made
            self._stop_reader()
            return
        self._traffic.paused = False
        self._start_reader()
        if self._channel.holds_bytes():
            self._read_soon()

    def _start_reader(self) -> None:
        if not self._reader_on:
            self._reader_on = True
            self._loop.add_reader(self._fd, self._traffic.read_ready)

    def _stop_reader(self) -> None:
        if self._reader_on:
            self._reader_on = False
            self._loop.remove_reader(self._fd)

    def _readable(self) -> None:
        """Handle a readable socket while the protocol gets nothing: if it has paused, stop
        watching.
        """
        self._stop_reader()

    # -- delivering --------------------------------------------------------------------------------

    def _not_delivered(self, error: BaseException, method: str) -> None:
        self._fatal_error(error, f"Fatal error: protocol.{method}() call failed.")

    def _pulled(self, n: int, data: bytes | None) -> None:
        """Handle the result of a read that is not just its bytes: `data`, if they have left the
        stage.
        """
        if not n and not self._traffic.stalled:
            return
        try:
            result = self._channel.pulled(n, data)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._read_failed(error)
            return
        if result.__class__ is bytes:
            try:
                self._protocol.data_received(result)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._not_delivered(error, "data_received")
                return
        elif result != NOTHING:
            self._peer_ended(result)
            return
        self._read_on()

    def _read_into_protocol(self, buffer: Any = None) -> None:
        """Read straight into the buffer of a BufferedProtocol; `buffer` is one that it has given
        already.
        """
        channel = self._channel
        for _ in range(_CHUNKS):
            protocol, channel.again = self._protocol, False
            try:
                if buffer is None:
                    buffer = protocol.get_buffer(-1)
                if not len(buffer):
                    raise RuntimeError("get_buffer() returned an empty buffer")
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._not_delivered(error, "get_buffer")
                return
            try:
                n = channel.receive_into(buffer)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._read_failed(error)
                return
            if not self._updated(n):
                return
            if not channel.again or not self.is_reading() or self._protocol is not protocol:
                break
            buffer = None
        if channel.again or channel.unsent or self._traffic.stalled:
            self._read_on()

    def _filled(self, n: int) -> None:
        """Handle the result of a read into a protocol's buffer that is not just a number of
        bytes.
        """
        try:
            result = self._channel.filled(n)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._read_failed(error)
            return
        if self._updated(result):
            self._read_on()

    def _updated(self, n: int) -> bool:
        """Tell the protocol what a read has returned, and return whether reading may go on."""
        if n < 0:
            self._peer_ended(n)
            return False
        if n:
            try:
                self._protocol.buffer_updated(n)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._not_delivered(error, "buffer_updated")
                return False
        return True

    def _left_over(self) -> None:
        """Continue in the next turn: a read has left something."""
        self._channel.again = True
        self._read_on()

    def _read_on(self) -> None:
        """Check what else a read has left to do."""
        if self._state is LOST:
            return
        error, self._channel.late_error = self._channel.late_error, None
        if error is not None:  # raised by a callback; the bytes arrived first
            self._read_failed(error)
            return
        if self._channel.again and self.is_reading():
            self._read_soon()
        self._after_receive()

    def _read_soon(self) -> None:
        if not self._traffic.again_due:
            self._traffic.again_due = True
            self._loop.call_soon(self._read_again)

    def _read_again(self) -> None:
        """Deliver data that the loop does not know about."""
        self._traffic.again_due = False
        if self._state is OPEN and not self._paused and not self._ended:
            self._channel.again = False
            self._traffic.read_ready()

    # -- the end of the peer's data ----------------------------------------------------------------

    def _peer_ended(self, how: int) -> None:
        """Handle the end of the peer's data: notify the protocol, then close."""
        self._ended = self._traffic.paused = True
        self._stop_reader()
        if self._loop.get_debug():
            logger.debug("%r received EOF", self)
        try:
            keep_open = self._protocol.eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._fatal_error(error, "Fatal error: protocol.eof_received() call failed.")
            return
        if keep_open:
            logger.warning("returning true from eof_received() has no effect when using ssl")
        self.close()

    def _read_failed(self, error: BaseException) -> None:
        self._fatal_error(error, "Fatal read error on TLS transport")

    def close(self) -> None:
        raise NotImplementedError
