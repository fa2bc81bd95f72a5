"""The writing half of the transport: sending, pending data, and flow control."""

from __future__ import annotations

import asyncio
from asyncio import transports
from collections.abc import Iterable

from .._connection.stream import StreamChannel
from .._lazy import LateName
from ._backlog import Backlog, check_data, frozen, joined
from ._traffic import Late, Traffic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final
else:
    Any = LateName("typing", "Any")

HANDSHAKE: Final = 0
OPEN: Final = 1
CLOSING: Final = 2  # close() was called, or the peer has ended: pending data is sent, then the end
LOST: Final = 3  # connection_lost was called or scheduled, or will never be called

_HIGH_WATER = 512  # KiB, asyncio's own limit for TLS

_SLOTS: tuple[str, ...] = (  # beside those of asyncio's class
    "_backlog", "_broken", "_channel", "_fd", "_late", "_protocol", "_state", "_traffic",
    "_writer_on",
)  # fmt: skip


if TYPE_CHECKING:

    class _Flow(asyncio.Transport):
        """asyncio's class, whose attributes its stubs do not all declare."""

        def __init__(self, extra: Any = None, loop: Any = None) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...
else:
    _Flow = transports._FlowControlMixin  # the class that loop.sendfile checks for


def limits(high: int | None, low: int | None, most: int) -> tuple[int, int]:
    """Return both limits of a buffer as asyncio completes them; `most` is the usual high one.

    Raises:
        ValueError: `low` is negative, or above `high`.
    """
    if high is None:
        high = most if low is None else 4 * low
    if low is None:
        low = high // 4
    if not high >= low >= 0:
        raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
    return high, low


class WritingTransport(_Flow):
    """Everything between `write` and the socket.

    While nothing is pending, a write is one call into C: encrypt and send (`Traffic`). Otherwise
    the data joins the backlog, and the loop calls when the socket is writable. The plaintext in the
    backlog and the ciphertext that the socket refused are counted together.
    """

    __slots__ = _SLOTS

    _loop: asyncio.AbstractEventLoop
    _channel: StreamChannel
    _traffic: Traffic
    _protocol: Any
    _protocol_paused: bool
    _high_water: int
    _low_water: int

    def __init__(self, loop: asyncio.AbstractEventLoop, extra: dict[str, Any]) -> None:
        super().__init__(extra, loop)
        self._state = HANDSHAKE
        self._backlog: Backlog | None = None
        self._writer_on = False
        self._broken: BaseException | None = None  # why nothing more can be sent
        self._late = Late()

    # -- for the protocol --------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Encrypt `data` and send it, as much at once as the socket accepts.

        Raises:
            TypeError: `data` is not bytes, a bytearray or a memoryview.
        """
        self._traffic.write(data)

    def _write_slowly(self, data: Any) -> None:
        check_data(data)
        with memoryview(data) as view:
            if not self._may_write() or not view.nbytes:
                return
            if not view.c_contiguous:
                data = view.tobytes()
        if self._traffic.idle:
            try:
                if not self._channel.send(data):
                    self._wait_with(data)
            except OSError as error:
                self._write_failed(error)
        else:
            self._backlog_now().put(frozen(data))
            self._maybe_pause_protocol()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Write an iterable of bytes-like objects; small ones share records."""
        for part in joined(list_of_data):
            self.write(part)

    def write_eof(self) -> None:
        """Raise NotImplementedError: asyncio's TLS has no half-close."""
        raise NotImplementedError("a TLS transport cannot close only its writing side")

    def can_write_eof(self) -> bool:
        """Return False."""
        return False

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are pending: plaintext, and ciphertext that the socket refused."""
        backlog = self._backlog
        if self._state is LOST:
            return 0
        return self._channel.unsent + (backlog.size if backlog is not None else 0)

    def _set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high_water, self._low_water = limits(high, low, _HIGH_WATER * 1024)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the protocol's `pause_writing` and `resume_writing` are called: above `high`
        bytes, and at `low` bytes or fewer.
        """
        self._set_write_buffer_limits(high, low)
        if self._protocol is not None and self._state is not LOST:
            self._maybe_pause_protocol()
            self._maybe_resume_protocol()

    # -- pending data ------------------------------------------------------------------------------

    def _may_write(self) -> bool:
        if self._state is OPEN and self._broken is None:
            return True
        self._late.refuse()
        return False

    def _backlog_now(self) -> Backlog:
        if self._backlog is None:
            self._backlog = Backlog()
        return self._backlog

    def _pushed(self, n: int, data: Any) -> None:
        """Handle the result of a write that did not simply send everything."""
        try:
            with memoryview(data) as view:
                size = view.nbytes
            if not self._channel.pushed(n, size):
                self._wait_with(data)
        except OSError as error:
            self._write_failed(error)
        raised, self._channel.late_error = self._channel.late_error, None
        if raised is not None:
            self._fatal_error(raised, "Fatal error: a callback of the context failed.")

    def _wait_with(self, data: Any) -> None:
        """Queue the rest of `data` after a partial write, or wait for its ciphertext to be sent."""
        taken = self._channel.taken
        if type(data) is bytes:
            if taken < len(data):
                self._backlog_now().put(data, taken)
        else:
            with memoryview(data) as view, view.cast("B") as octets:
                if taken < octets.nbytes:
                    self._backlog_now().put(bytes(octets[taken:]))
        self._traffic.idle = False
        self._await_writable()
        self._maybe_pause_protocol()

    def _await_writable(self) -> None:
        """Continue when the socket is writable, or when the peer has sent something that libssl
        must process first.
        """
        self._traffic.stalled = self._channel.stalled and not self._channel.unsent
        if self._traffic.stalled:
            self._stop_writer()
        elif not self._writer_on:
            self._writer_on = True
            self._loop.add_writer(self._fd, self._write_ready)

    def _stop_writer(self) -> None:
        if self._writer_on:
            self._writer_on = False
            self._loop.remove_writer(self._fd)

    def _write_ready(self) -> None:
        """Send pending data, as much as is fair in one turn of the loop."""
        if self._state is LOST:
            return
        backlog, channel = self._backlog, self._channel
        try:
            if backlog is not None and backlog.size:
                data, start, end = backlog.first()
                with memoryview(data) as view, view[start:end] as rest:
                    gone = channel.send(rest)
                backlog.drop(end - start if gone else channel.taken)
            else:
                channel.send(b"")
        except OSError as error:
            self._write_failed(error)
            return
        if channel.unsent or (backlog is not None and backlog.size):
            self._await_writable()
        else:
            self._all_sent()
        if self._protocol_paused and self._state is not LOST:
            self._maybe_resume_protocol()

    def _all_sent(self) -> None:
        self._stop_writer()
        self._backlog = None
        self._traffic.stalled = False
        if self._state is OPEN:
            self._traffic.idle = True
        else:
            self._flushed()

    def _after_receive(self) -> None:
        """Continue after a read: it may have left a reply of libssl's to send, or unblocked a
        write.
        """
        channel, traffic = self._channel, self._traffic
        if traffic.stalled or (channel.unsent and not self._writer_on):
            traffic.idle = traffic.stalled = channel.stalled = False
            self._await_writable()

    def _flushed(self) -> None:
        raise NotImplementedError

    def _write_failed(self, error: OSError) -> None:
        raise NotImplementedError

    def _fatal_error(self, error: BaseException, message: str = "") -> None:
        raise NotImplementedError
