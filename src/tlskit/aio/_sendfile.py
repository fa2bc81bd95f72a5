"""Send a file through TLS in pieces, at the connection's pace."""

from __future__ import annotations

import asyncio

from .._lazy import LateName
from ._transport import SSLTransport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")

_PIECE = 262144  # bytes


class _Sending(asyncio.Protocol):
    """Replaces a transport's protocol while a file is sent: that one must not write meanwhile."""

    def __init__(self, transport: SSLTransport) -> None:
        self._transport = transport
        self._inner: Any = transport.get_protocol()
        self._was_reading = transport.is_reading()
        self._writable: asyncio.Future[None] | None = None
        self._lost = False
        self._told_to_pause = transport._protocol_paused
        if self._told_to_pause:
            self.pause_writing()
        transport.pause_reading()
        transport.set_protocol(self)

    async def drain(self) -> None:
        """Wait until there is room.

        Raises:
            ConnectionError: the connection is closed.
        """
        if self._writable is not None and not self._lost:
            await self._writable
        if self._lost or self._transport.is_closing():
            raise ConnectionError("the connection was closed while a file was sent")

    def restore(self) -> None:
        """Restore the original protocol."""
        if self._lost:
            return
        self._transport.set_protocol(self._inner)
        if self._told_to_pause and self._writable is None:
            self._inner.resume_writing()
        elif self._writable is not None and not self._told_to_pause:
            self._inner.pause_writing()
        if self._was_reading:
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._lost = True
        self.resume_writing()
        self._inner.connection_lost(exc)


async def sendfile(
    transport: asyncio.WriteTransport,
    file: Any,
    offset: int = 0,
    count: int | None = None,
    *,
    fallback: bool = True,
) -> int:
    """Send `count` bytes of a file from `offset` on, or all the rest, and return how many.

    The file must be binary; afterwards its position is after the last byte sent. TLS cannot use the
    system's sendfile, so `fallback=False` is refused. For a transport that is not tlskit's,
    `loop.sendfile` is called.

    Raises:
        RuntimeError: the transport is closing, or `fallback` is off.
        ConnectionError: the connection was lost meanwhile.
        ValueError, TypeError: as `loop.sendfile`.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(transport, SSLTransport):
        return await loop.sendfile(transport, file, offset, count, fallback=fallback)
    if transport.is_closing():
        raise RuntimeError("Transport is closing")
    if not fallback:
        raise RuntimeError(
            f"fallback is disabled and native sendfile is not supported for transport {transport!r}"
        )
    if "b" not in getattr(file, "mode", "b"):
        raise ValueError("file should be opened in binary mode")
    if not isinstance(offset, int) or not isinstance(count, int | None):
        raise TypeError(f"offset and count must be integers, got {offset!r} and {count!r}")
    if offset < 0 or (count is not None and count <= 0):
        raise ValueError(f"offset must be >= 0 and count > 0, got {offset!r} and {count!r}")
    file.seek(offset)
    sent = 0
    sending = _Sending(transport)
    try:
        while count is None or sent < count:
            size = _PIECE if count is None else min(_PIECE, count - sent)
            piece = await loop.run_in_executor(None, file.read, size)
            if not piece:
                break
            await sending.drain()
            transport.write(piece)
            sent += len(piece)
        await sending.drain()
    finally:
        file.seek(offset + sent)
        sending.restore()
    return sent
