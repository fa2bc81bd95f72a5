"""How a transport ends: close, abort, the peer's last data, and the notification."""

from __future__ import annotations

import asyncio
import socket

from .._core.fault import unexpected_eof
from .._core.stream import CLEAN_END, NOTHING
from .._lazy import LateName
from ..errors import SSLError
from ._log import logger
from ._reading import ReadingTransport
from ._writing import CLOSING, HANDSHAKE, LOST, OPEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")

_LINGER = 1.0  # seconds for a peer that keeps sending after our close_notify


class ClosingTransport(ReadingTransport):
    """From `close`, or an error that ended the connection, to `connection_lost`. `_transport.py`
    explains the rules.
    """

    __slots__ = (
        "_close_notify", "_linger", "_notified", "_ragged", "_server", "_shutdown_timeout", "_sock",
        "_suppress_ragged_eofs", "_timer", "_waiter",
    )  # fmt: skip

    _sock: socket.socket | None
    _server: Any
    _shutdown_timeout: float
    _suppress_ragged_eofs: bool
    _waiter: asyncio.Future[None] | None

    def __init__(self, loop: asyncio.AbstractEventLoop, extra: dict[str, Any]) -> None:
        super().__init__(loop, extra)
        self._timer: asyncio.TimerHandle | None = None
        self._notified = False  # close_notify has been written
        self._linger = False  # the peer keeps sending
        self._close_notify: bool | None = None  # whether the peer has ended with close_notify
        self._ragged = False  # it has not, and the protocol must be notified

    def close(self) -> None:
        """Send pending data and close_notify, then close. During a handshake, close at once."""
        if self._state is HANDSHAKE:
            self._handshake_failed(
                ConnectionAbortedError("the connection was closed during its handshake")
            )
        if self._state is not OPEN:
            return
        self._state, self._traffic.idle, self._traffic.paused = CLOSING, False, True
        if self._broken is not None or self._loop.is_closed():
            self._force_close(self._broken)
            return
        if not self._waits():
            self._flushed()
        if self._state is CLOSING:
            self._timer = self._loop.call_later(self._shutdown_timeout, self._shutdown_timed_out)
            if not self._ended:
                self._start_reader()
                if self._channel.holds_bytes():
                    self._read_soon()

    def abort(self) -> None:
        """Close at once; pending data is lost."""
        self._ragged = False
        self._force_close(None)

    def _waits(self) -> bool:
        return bool(self._backlog is not None and self._backlog.size) or self._channel.unsent > 0

    def _flushed(self) -> None:
        """Continue when all written data has been sent; on the second call, close_notify too."""
        if not self._notified:
            self._notified = True
            try:
                self._channel.finish()
            except OSError:  # the connection failed earlier: there is nothing left to send
                self._force_close(None)
                return
        if self._channel.unsent:
            self._await_writable()
        elif self._ended:
            self._force_close(None)

    def _readable(self) -> None:
        if self._state is CLOSING:
            self._drain_ready()
        else:
            super()._readable()

    def _drain_ready(self) -> None:
        """Drop what the peer sends after `close`, and watch for its end."""
        if self._state is not CLOSING or self._ended or self._traffic.again_due:
            return
        channel = self._channel
        channel.again = False
        try:
            got = channel.receive()
        except Exception as error:
            self._ended = True
            self._stop_reader()
            self._force_close(error if self._waits() else None)
            return
        if got.__class__ is bytes:
            if self._notified and not self._linger:
                self._linger = True
                self._cancel_timer()
                self._timer = self._loop.call_later(_LINGER, self._shutdown_timed_out)
        elif got != NOTHING:
            self._ended = True
            self._close_notify = self._close_notify or got == CLEAN_END
            self._stop_reader()
            if self._notified and not self._waits():
                self._force_close(None)
                return
        if channel.again:
            self._read_soon()
        self._after_receive()

    def _read_again(self) -> None:
        super()._read_again()
        if self._state is CLOSING:
            self._drain_ready()

    def _shutdown_timed_out(self) -> None:
        sent = self._notified and not self._waits()
        self._force_close(None if sent else TimeoutError("SSL shutdown timed out"))

    # -- the end -----------------------------------------------------------------------------------

    def _peer_ended(self, how: int) -> None:
        self._close_notify = how == CLEAN_END
        self._ragged = not self._close_notify and not self._suppress_ragged_eofs
        super()._peer_ended(how)

    def _write_failed(self, error: OSError) -> None:
        """Handle a failed send. The peer's last data, which may explain it, is still to be read."""
        if self._broken is not None or self._state is LOST:
            return
        self._broken, self._traffic.idle = error, False
        if self._backlog is not None:
            self._backlog.clear()
        self._channel.unsent = 0
        self._stop_writer()
        if self._state is CLOSING:
            self._force_close(None if self._notified else error)
        elif self._paused or self._ended or self._loop.is_closed():
            self._fatal_error(error)
        else:
            self._timer = self._loop.call_later(_LINGER, self._fatal_error, error)

    def _read_failed(self, error: BaseException) -> None:
        if self._broken is not None and not isinstance(error, SSLError):
            error = self._broken
        super()._read_failed(error)

    def _fatal_error(
        self, error: BaseException, message: str = "Fatal error on TLS transport"
    ) -> None:
        """Close because of an error. An error from the peer or the system is not a bug here, so
        only the protocol is notified.
        """
        if isinstance(error, OSError):
            if self._loop.get_debug():
                logger.debug("%r: %s", self, message, exc_info=error)
        elif not isinstance(error, asyncio.CancelledError):
            self._tell_loop(error, message, self._protocol)
        self._force_close(error)

    def _tell_loop(self, error: BaseException, message: str, protocol: Any) -> None:
        self._loop.call_exception_handler(
            {"message": message, "exception": error, "transport": self, "protocol": protocol}
        )

    def _force_close(self, error: BaseException | None) -> None:
        """Close at once, and notify the protocol in the loop's next turn."""
        if self._state is HANDSHAKE:
            self._handshake_failed(
                error or ConnectionAbortedError("the connection was closed during its handshake")
            )
        if self._state is LOST:
            return
        self._state, self._traffic.idle, self._traffic.paused = LOST, False, True
        self._unwatch()
        if self._loop.is_closed():
            self._release()
        else:
            self._loop.call_soon(self._tell_protocol, error)

    def _tell_protocol(self, error: BaseException | None) -> None:
        protocol = self._protocol
        if error is None and self._ragged:
            error = unexpected_eof()
        try:
            protocol.connection_lost(error)
        finally:
            self._release()

    def _unwatch(self) -> None:
        """Remove the descriptor from the loop."""
        self._cancel_timer()
        if self._loop.is_closed():
            self._reader_on = self._writer_on = False
        self._stop_reader()
        self._stop_writer()
        self._backlog = None

    def _release(self) -> None:
        """Release all that the connection holds. What it negotiated can still be queried."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        self._unwatch()
        server, self._server = self._server, None
        self._protocol = self._waiter = self._traffic.protocol = None
        self._traffic.owner = self._late  # no circle holds what has ended
        try:
            self._channel.close()
        finally:
            sock.close()
            if server is not None:
                server._detach(self)

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _handshake_failed(self, error: BaseException) -> None:
        raise NotImplementedError
