"""The TLS transport: asyncio's Transport over a socket that belongs to the C side.

Theory of operation
===================

**asyncio's way** puts a protocol and two byte queues between the socket and TLS: an event receives
into a buffer, copies into a queue, and decrypts until an exception says that nothing is left;
written data takes the same way back. This transport has none of that. The loop watches the
descriptor (`add_reader` and `add_writer` are all that a loop must have), and each event is one call
into C (`tk_stream.c`), which receives, decrypts and delivers, or encrypts and sends.

**The parts.** `_writing.py` and `_reading.py` are the two directions of an open connection. This
file is its life cycle: the handshake, the queries, the end. `_traffic.py` is the usual read and
write, and `_loop_state.py` what the connections of one loop share. A connection holds bytes only
while they are stuck: plaintext that has not been encrypted (`Backlog`), ciphertext that the socket
refused, ciphertext for which a protocol has no room.

**States.** HANDSHAKE, OPEN, CLOSING, LOST, only in that order. The loop's callback for a readable
socket is always `Traffic.read_ready`, which delivers to an open protocol, and otherwise leaves the
event to `_readable`, which follows the state.

**The handshake** runs in the loop's turns, bounded by `LoopState`. The protocol is not called
before it is complete. If it fails, the alert has been sent and the socket closed before anything
else happens, and the code that waits for the connection gets the exception.

**The end.** `close()` sends pending data, then close_notify, and waits for the peer's, up to
`ssl_shutdown_timeout`. Data that the peer still sends is dropped; if it keeps sending after our
close_notify, it gets one more second. Once all data has been sent, it was a clean close, whatever
the peer does then: connection_lost(None).

If the peer ends first, the protocol gets `eof_received`, pending data is still sent, and
`connection_lost(None)` follows. If the peer's transport ends without close_notify, an attacker on
the network may have truncated the data. Half of the world's programs end like that, so the protocol
sees no difference, as in asyncio and with an SSLSocket, but `get_extra_info("close_notify")` is
False. If the connection is made with `suppress_ragged_eofs=False`, or the context sets that, the
protocol gets `connection_lost(SSLEOFError)`. In the middle of a record, it is always an
SSLEOFError.

Data that arrived before a failure is delivered before `connection_lost(error)`. If a send fails,
the peer's last data is read first: an alert says more than EPIPE.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import warnings
from asyncio import constants, trsock
from contextlib import suppress

from .._connection.object import SSLObject
from .._connection.stream import StreamChannel, Wire
from .._core.stream import WANT_READ, WANT_WRITE
from .._lazy import LateModule, LateName
from ..errors import SSLEOFError, SSLWantReadError, SSLWantWriteError, SSLZeroReturnError
from ._closing import ClosingTransport
from ._log import logger
from ._loop_state import loop_state_of
from ._traffic import traffic
from ._writing import CLOSING, HANDSHAKE, LOST, OPEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._connection.decision import PendingDecision
    from .._context import SSLContext
    from . import _suspension as suspension
else:
    suspension = LateModule("._suspension", __package__)
    SSLContext = LateName("tlskit", "SSLContext")
    Any = LateName("typing", "Any")

_do_handshake: Any = SSLObject.do_handshake
_HANDSHAKE_TIMEOUT = 60.0  # seconds; both are asyncio's defaults
_SHUTDOWN_TIMEOUT = 30.0
_LAZY = {
    "peercert": "getpeercert",
    "cipher": "cipher",
    "compression": "compression",
}


class SSLTransport(ClosingTransport):
    """A TLS connection of an event loop, made by `create_connection` and similar functions.

    Not thread-safe, like any transport: call it in its loop's thread. Only the queries of
    `get_extra_info("ssl_object")` are safe from any thread.
    """

    __slots__ = (
        "__weakref__",
        "_call_connection_made",
        "_handshake_began",
        "_handshake_timeout",
        "_loop_state",
        "_object",
        "_sslcontext",
        "_suspension",
        "write",
    )  # fmt: skip

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.FALLBACK

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        context: SSLContext,
        waiter: asyncio.Future[None] | None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        suppress_ragged_eofs: bool = True,
        call_connection_made: bool = True,
        leftover: bytes = b"",
    ) -> None:
        self._sock: socket.socket | None = None  # for __del__, if the constructor fails
        self._handshake_timeout = _positive(
            ssl_handshake_timeout, _HANDSHAKE_TIMEOUT, "ssl_handshake_timeout"
        )
        self._shutdown_timeout = _positive(
            ssl_shutdown_timeout, _SHUTDOWN_TIMEOUT, "ssl_shutdown_timeout"
        )
        self._suppress_ragged_eofs = suppress_ragged_eofs and context.suppress_ragged_eofs
        self._protocol = None
        super().__init__(loop, dict(extra) if extra else {})
        self._loop_state = loop_state_of(loop)
        self._suspension: suspension.Suspension | None = None
        self._fd = sock.fileno()
        self._sslcontext = context  # its name in uvloop, which programs use
        name = server_hostname if server_hostname and not server_side else None
        self._name_ends(sock)
        wire: Any = Wire(self._loop_state.stage, self._fd, self._extra["peername"])
        self._object = context.wrap_bio(wire, wire, server_side=server_side, server_hostname=name)
        self._extra["sslcontext"], self._extra["ssl_object"] = context, self._object
        channel: StreamChannel = self._object._sslobj  # type: ignore[assignment]
        if leftover:
            channel.feed(leftover)
        self._channel = channel
        self._traffic = traffic(channel, self)
        self._traffic.paused = True  # until the handshake is complete
        object.__setattr__(self, "write", self._traffic.write)  # its declared type stays
        self._sock = sock
        self._waiter = waiter
        self._call_connection_made = call_connection_made
        self.set_protocol(protocol)
        self._server = server
        if server is not None:
            server._attach(self)
        self._begin_handshake(server_side and not leftover)

    def _name_ends(self, sock: socket.socket) -> None:
        extra = self._extra
        extra["socket"] = trsock.TransportSocket(sock)
        for key, ask in (("sockname", sock.getsockname), ("peername", sock.getpeername)):
            if key not in extra:
                try:
                    extra[key] = ask()
                except OSError:
                    extra[key] = None
        with suppress(OSError):
            if sock.family != getattr(socket, "AF_UNIX", None):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    # -- queries -----------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return one of asyncio's items: peername, sockname, socket, sslcontext, ssl_object,
        peercert, cipher, compression; or close_notify.

        `close_notify` is True if the peer has ended with it, False if the transport ended without
        it, and None before. All items remain available after the close.
        """
        if name in self._extra:
            return self._extra[name]
        if name in _LAZY and self._state is not HANDSHAKE:
            with suppress(ValueError):
                self._extra[name] = getattr(self._object, _LAZY[name])()
                return self._extra[name]
        return self._close_notify if name == "close_notify" else default

    def is_closing(self) -> bool:
        """Return whether the transport is closed or closing, by either side."""
        return self._state in (CLOSING, LOST) or self._broken is not None

    def __repr__(self) -> str:
        state = {HANDSHAKE: "handshake", OPEN: "open", CLOSING: "closing"}.get(self._state)
        info = [type(self).__name__, state or "closed", f"fd={self._fd}"]
        if state:
            reads = "polling" if self._reader_on and not self._paused else "idle"
            info.append(f"read={reads}")
            writes = "polling" if self._writer_on else "idle"
            info.append(f"write=<{writes}, bufsize={self.get_write_buffer_size()}>")
        return f"<tlskit.aio.{' '.join(info)}>"

    # -- the handshake -----------------------------------------------------------------------------

    def _begin_handshake(self, wait_for_peer: bool) -> None:
        loop = self._loop
        self._handshake_began = loop.time() if loop.get_debug() else None
        if self._handshake_began is not None:
            logger.debug("%r starts SSL handshake", self)
        self._timer = loop.call_later(self._handshake_timeout, self._handshake_timed_out)
        if wait_for_peer:
            self._start_reader()
        else:
            loop.call_soon(self._shake)

    def _readable(self) -> None:
        if self._state is not HANDSHAKE:
            super()._readable()
        elif self._suspension is not None:
            self._look_for_end()
        else:
            self._shake()

    def _shake(self) -> None:
        """Continue the handshake, if there is time in this turn of the loop."""
        if self._state is not HANDSHAKE:
            return
        if not self._loop_state.begin(self._loop):
            self._shake_later()
            return
        try:
            n = self._advance()
        except SSLWantReadError:
            n = WANT_READ
        except SSLWantWriteError:
            n = WANT_WRITE
        except (SystemExit, KeyboardInterrupt):
            self._handshake_failed(ConnectionAbortedError("the handshake was interrupted"))
            raise
        except (SSLEOFError, SSLZeroReturnError) as error:  # the latter where OpenSSL ignores it
            self._handshake_failed(_reset(error))
            return
        except BaseException as error:
            self._handshake_failed(error)
            return
        finally:
            self._loop_state.end()
        if n == WANT_READ:
            self._stop_writer()
            if self._channel.pending_decision is not None:
                self._suspend(self._channel.pending_decision)
            else:
                self._start_reader()
        elif n == WANT_WRITE:
            if not self._writer_on:
                self._writer_on = True
                self._loop.add_writer(self._fd, self._shake)
        else:
            self._handshake_done()

    def _shake_later(self) -> None:
        """Continue in the next turn: if the loop does not call by itself, ask it to."""
        if self._loop_state.forgets:
            self._stop_reader()
            self._stop_writer()
        if not self._reader_on:
            self._loop.call_soon(self._shake)

    def _advance(self) -> int:
        """Call do_handshake of the SSLObject, if its class has one of its own."""
        made: Any = self._object
        if type(made).do_handshake is _do_handshake:
            return self._channel.advance()
        made.do_handshake()
        return 1

    def _suspend(self, decision: PendingDecision) -> None:
        """Wait for a callback; of the peer, handle only its end."""
        limit = self._channel.callback_timeout
        self._suspension = suspension.Suspension(self._loop, decision, limit, self._resume)
        self._start_reader()

    def _look_for_end(self) -> None:
        self._stop_reader()
        assert self._sock is not None
        try:
            ended = not self._sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            self._start_reader()
        except OSError as error:
            self._handshake_failed(error)
        else:
            if ended:
                self._handshake_failed(
                    ConnectionResetError(errno.ECONNRESET, "the peer left during the handshake")
                )

    def _resume(self) -> None:
        self._suspension = None
        self._stop_reader()
        self._shake()

    def _handshake_done(self) -> None:
        self._stop_writer()
        self._cancel_timer()
        if self._handshake_began is not None:
            took = self._loop.time() - self._handshake_began
            logger.debug("%r: SSL handshake took %.1f ms", self, took * 1e3)
        self._state, self._traffic.idle = OPEN, True
        error: BaseException | None = None
        if self._call_connection_made:
            try:
                self._protocol.connection_made(self)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as raised:
                error = raised
        if error is None:
            self._wake(None)
            self._start_reading()
        elif self._channel.server_side or self._waiter is None:
            self._fatal_error(error, "Fatal error: protocol.connection_made() call failed.")
            self._wake(None)
        else:
            self._force_close(error)
            self._wake(error)

    def _handshake_timed_out(self) -> None:
        if self._state is not HANDSHAKE:
            return
        error = ConnectionAbortedError(
            f"SSL handshake is taking longer than {self._handshake_timeout} seconds: "
            f"aborting the connection"
        )
        self._channel.log_failure(error)  # libssl has not failed: nothing else would log it
        self._handshake_failed(error)

    def _handshake_failed(self, error: BaseException) -> None:
        """Close the socket, then fail the waiter. The protocol has not been called."""
        if self._state is not HANDSHAKE:
            return
        waiter, protocol = self._waiter, self._protocol
        if self._loop.get_debug():
            logger.debug("%r: SSL handshake failed", self, exc_info=error)
        self._state = LOST
        if self._suspension is not None:
            self._suspension.cancel()
            self._suspension = None
        self._release()
        if not self._call_connection_made:  # start_tls: the protocol is already connected
            self._loop.call_soon(protocol.connection_lost, error)
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        elif waiter is None and not isinstance(error, OSError):
            self._tell_loop(error, "SSL handshake failed", protocol)

    def _wake(self, error: BaseException | None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if self._sock is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._sock.close()
            if self._server is not None:
                self._server._detach(self)


def _reset(error: SSLEOFError | SSLZeroReturnError) -> ConnectionResetError:
    """Return the error that asyncio raises if the peer leaves during a handshake, with libssl's
    text.
    """
    made = ConnectionResetError(errno.ECONNRESET, str(error.args[-1]))
    made.__cause__ = error
    return made


def _positive(seconds: float | None, default: float, name: str) -> float:
    if seconds is None:
        return default
    if seconds <= 0:
        raise ValueError(f"{name} should be a positive number, got {seconds}")
    return seconds
