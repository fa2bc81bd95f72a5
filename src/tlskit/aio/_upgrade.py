"""start_tls: begin TLS on an existing connection.

If the transport has a socket, the TLS transport gets its own descriptor for it, and the old
transport stays, paused and with a protocol that does nothing (`_Underneath`), until the TLS
transport has ended: servers count the old one, and closing it closes both. Over anything else (TLS
in TLS, pipes, other libraries' transports) TLS goes through memory, as in asyncio.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress

from .._lazy import LateName
from .._shown import shown
from .._stdlib import classes as stdlib
from ._connect import locals_of
from ._transport import SSLTransport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._context import SSLContext
else:
    SSLContext = LateName("tlskit", "SSLContext")
    Any = LateName("typing", "Any")

_through_memory = asyncio.BaseEventLoop.start_tls  # before `install` can have replaced it
_LOOK_AGAIN = 0.005  # seconds, for transports that do not report when everything is written


class _Underneath(asyncio.Protocol):
    """The protocol of a transport whose socket TLS has taken over."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._above: SSLTransport | None = None
        self.writable = asyncio.get_running_loop().create_future()
        self.lost = False

    def carry(self, above: SSLTransport) -> None:
        self._above = above

    def connection_lost(self, exc: BaseException | None) -> None:
        """Close the TLS transport above: other code has closed this one."""
        self.lost = True
        above, self._above = self._above, None
        if above is not None:
            above.abort() if exc is not None else above.close()
        self.resume_writing()

    def resume_writing(self) -> None:
        if not self.writable.done():
            self.writable.set_result(None)

    # -- the methods of a server that the TLS transport calls --------------------------------------

    def _attach(self, above: SSLTransport) -> None:
        """Do nothing: it is counted already, as the old transport."""

    def _detach(self, above: SSLTransport) -> None:
        """Close the old transport too: the TLS transport has ended."""
        self._above = None
        self._transport.abort()


async def start_tls(
    transport: asyncio.BaseTransport,
    protocol: asyncio.BaseProtocol,
    sslcontext: SSLContext,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    suppress_ragged_eofs: bool = True,
) -> asyncio.Transport:
    """Start TLS over the connection of `transport`, and return the transport to use from now on.

    Data written before is sent first. Unread bytes in a StreamReader's buffer are treated as the
    peer's first bytes of TLS. `protocol.connection_made` is not called again.

    Raises:
        SSLError, OSError: the handshake failed; the connection is closed.
        TypeError: this transport cannot be upgraded, or `sslcontext` is not a context.
    """
    loop = asyncio.get_running_loop()
    timeouts = {
        "ssl_handshake_timeout": ssl_handshake_timeout,
        "ssl_shutdown_timeout": ssl_shutdown_timeout,
    }
    if not isinstance(sslcontext, stdlib.SSLContext):
        raise TypeError(
            f"sslcontext is expected to be an instance of ssl.SSLContext, got {shown(sslcontext)}"
        )
    old: Any = transport
    if not getattr(old, "_start_tls_compatible", False) and not _is_uvloops(old):
        raise TypeError(f"transport {transport!r} is not supported by start_tls()")
    descriptor = _descriptor_of(old)
    if descriptor is None:
        if sys.version_info < (3, 11):
            del timeouts["ssl_shutdown_timeout"]
        made: Any = await _through_memory(
            loop,  # type: ignore[arg-type]
            old, protocol, sslcontext, server_side=server_side, server_hostname=server_hostname,
            **locals_of(**timeouts),
        )  # fmt: skip
        return made  # type: ignore[no-any-return]
    _stop_reading(old)
    beneath = _Underneath(old)
    old.set_protocol(beneath)
    sock = None
    try:
        if old.is_closing():
            raise ConnectionAbortedError("Failed to start TLS: the connection is closed")
        await _all_written(old, beneath)
        sock = socket.socket(fileno=socket.dup(descriptor))
        sock.setblocking(False)
        waiter = loop.create_future()
        above = SSLTransport(
            loop, sock, protocol, sslcontext, waiter,
            server_side=server_side, server_hostname=server_hostname, server=beneath,
            extra={key: old.get_extra_info(key) for key in ("peername", "sockname")},
            call_connection_made=False, leftover=_take_buffered(protocol),
            suppress_ragged_eofs=suppress_ragged_eofs, **timeouts,
        )  # fmt: skip
        sock = None
    except BaseException:
        if sock is not None:
            sock.close()
        old.abort()
        loop.call_soon(protocol.connection_lost, None)
        raise
    beneath.carry(above)
    try:
        await waiter
    except BaseException:
        above.abort()
        raise
    finally:
        del waiter
    _move_reader(protocol, above)
    return above


def _stop_reading(old: Any) -> None:
    """Pause a transport, also where it believes that it is paused.

    asyncio of Python 3.10, and of the first 3.11, goes on to read from a socket that was paused in
    `connection_made`.
    """
    if not old.is_closing() and not old.is_reading():
        old.resume_reading()
    old.pause_reading()


def _is_uvloops(transport: Any) -> bool:
    return type(transport).__module__.partition(".")[0] == "uvloop"


def _descriptor_of(transport: Any) -> int | None:
    """Return the descriptor of a plain transport's socket; None for any other transport."""
    if transport.get_extra_info("sslcontext") is not None:
        return None
    sock = transport.get_extra_info("socket")
    if sock is None or sock.type != socket.SOCK_STREAM:
        return None
    fd: int = sock.fileno()
    return fd if fd >= 0 else None


async def _all_written(old: Any, beneath: _Underneath) -> None:
    """Wait until the transport has sent all data written to it."""
    if not old.get_write_buffer_size():
        return
    with suppress(Exception):
        old.set_write_buffer_limits(high=0)
    while old.get_write_buffer_size() and not beneath.lost:
        await asyncio.wait([beneath.writable], timeout=_LOOK_AGAIN)
    if beneath.lost:
        raise ConnectionAbortedError("the connection was lost before TLS could begin")


def _reader_of(protocol: Any) -> Any:
    if not isinstance(protocol, asyncio.StreamReaderProtocol):
        return None
    return getattr(protocol, "_stream_reader", None)


def _take_buffered(protocol: Any) -> bytes:
    """Return unread plaintext. It belongs to TLS, or it fails the handshake; it must never be read
    as if it had been received through TLS.
    """
    reader = _reader_of(protocol)
    buffer = getattr(reader, "_buffer", None)
    if not buffer:
        return b""
    taken = bytes(buffer)
    buffer.clear()
    reader._paused = False
    return taken


def _move_reader(protocol: Any, above: SSLTransport) -> None:
    """Make a StreamReader pause the new transport."""
    reader = _reader_of(protocol)
    if reader is not None and getattr(reader, "_transport", None) is not None:
        reader._transport = above
