"""The other end of a connection, whose flights a test holds in its hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl as stdlib
from collections.abc import AsyncIterator
from typing import Any

from ...support import raw


class Calls(asyncio.Protocol):
    """Writes down what is called. `on` maps a callback's name to a function of the protocol."""

    def __init__(self, **on: Any) -> None:
        self.on = on
        self.log: list[str] = []
        self.data = bytearray()
        self.error: BaseException | None = None
        self.transport: Any = None
        self.lost = asyncio.Event()
        self._came = asyncio.Event()

    def _called(self, name: str, *args: Any) -> Any:
        if not self.log or self.log[-1] != name:
            self.log.append(name)
        return self.on[name](self, *args) if name in self.on else None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._called("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self._came.set()
        self._called("data", data)

    def eof_received(self) -> Any:
        return self._called("eof")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.error = exc
        self._called("lost")
        self.lost.set()

    def pause_writing(self) -> None:
        self._called("pause")

    def resume_writing(self) -> None:
        self._called("resume")

    async def take(self, size: int) -> bytes:
        """Wait until `size` bytes have come in all."""
        while len(self.data) < size:
            self._came.clear()
            await self._came.wait()
        return bytes(self.data)


class Peer:
    """TLS of the stdlib's in memory, over a plain socket of the loop."""

    def __init__(self, sock: socket.socket, context: Any, *, server_side: bool = True) -> None:
        self.sock = sock
        self._in, self._out = stdlib.MemoryBIO(), stdlib.MemoryBIO()
        self.tls = context.wrap_bio(
            self._in,
            self._out,
            server_side=server_side,
            server_hostname=None if server_side else "localhost",
        )
        self._loop = asyncio.get_running_loop()

    async def flush(self) -> None:
        """Send what TLS has written."""
        if data := self._out.read():
            await self._loop.sock_sendall(self.sock, data)

    def taken(self) -> bytes:
        """What TLS has written, instead of sending it."""
        return self._out.read()

    async def _more(self) -> None:
        data = await self._loop.sock_recv(self.sock, 65536)
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    async def handshake(self, *, flush: bool = True) -> None:
        """Make the handshake; the last flight may be held back."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except stdlib.SSLWantReadError:
                await self.flush()
                await self._more()
        if flush:
            await self.flush()

    async def handshake_and_read(self) -> bytes:
        """What a refusal can come out of: in TLS 1.3 a client's comes after the handshake."""
        await self.handshake()
        return await self.read()

    async def read(self, size: int = 65536) -> bytes:
        """Read something; b"" at close_notify."""
        while True:
            try:
                data: bytes = self.tls.read(size)
                return data
            except stdlib.SSLWantReadError:
                await self.flush()
                await self._more()

    async def read_all(self) -> bytes:
        """Read up to close_notify."""
        got = bytearray()
        while data := await self.read():
            got += data
        return bytes(got)

    async def write(self, data: bytes) -> None:
        self.tls.write(data)
        await self.flush()

    def end(self) -> None:
        """Write close_notify."""
        with contextlib.suppress(stdlib.SSLWantReadError):
            self.tls.unwrap()

    def hang_up(self) -> None:
        """End the transport's direction: a FIN."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close so that the other end gets a reset."""
        raw.reset(self.sock)

    async def silence(self) -> str:
        """What comes of the transport in the end: "eof" or the name of an error."""
        try:
            while await self._loop.sock_recv(self.sock, 65536):
                pass
        except OSError as error:
            return type(error).__name__
        return "eof"


@contextlib.asynccontextmanager
async def accepting() -> AsyncIterator[tuple[Any, Any]]:
    """The address of a plain listener, and a coroutine function that accepts a socket."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        accepted = []

        async def accept() -> socket.socket:
            sock, _ = await loop.sock_accept(listener)
            sock.setblocking(False)
            accepted.append(sock)
            return sock

        try:
            yield listener.getsockname(), accept
        finally:
            for sock in accepted:
                sock.close()


async def reach(address: Any) -> socket.socket:
    """A plain socket, connected."""
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, tuple(address))
    return sock
