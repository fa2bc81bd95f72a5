"""Protocols and servers for the tests of asyncio, and what says that a transport is tlskit's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl as stdlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import tlskit
from tlskit import aio


class Recorder(asyncio.Protocol):
    """Keeps what comes, and tells when it was connected, has got enough, and has lost its
    connection.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.transport: Any = None
        self.data = bytearray()
        self.made: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[BaseException | None] = loop.create_future()
        self.eof = False
        self.paused = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._waiting: tuple[int, asyncio.Future[None]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if not self.made.done():  # once more after loop.start_tls with some loops
            self.made.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self._waiting is not None and len(self.data) >= self._waiting[0]:
            self._waiting[1].set_result(None)
            self._waiting = None

    def eof_received(self) -> bool | None:
        self.eof = True
        return None

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.set_result(exc)
        if self._waiting is not None:
            self._waiting[1].set_exception(ConnectionError(f"the connection is lost: {exc!r}"))
            self._waiting = None

    def pause_writing(self) -> None:
        self.paused += 1
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def drain(self) -> None:
        await self._writable.wait()

    async def take(self, n: int) -> bytes:
        """Wait until `n` bytes have come, and return all that have."""
        if len(self.data) < n:
            assert not self.lost.done(), "the connection is lost"
            self._waiting = n, asyncio.get_running_loop().create_future()
            await self._waiting[1]
        taken = bytes(self.data)
        self.data.clear()
        return taken


class Echo(Recorder):
    """Sends back what comes."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.write(data)


@contextlib.asynccontextmanager
async def listening(
    protocol: Callable[[], asyncio.BaseProtocol], context: Any, **settings: Any
) -> AsyncIterator[tuple[str, int]]:
    """A server of the running loop on a free loopback port; its address."""
    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", 0, ssl=context, **settings
    )
    try:
        yield server.sockets[0].getsockname()
    except BaseException:
        server.close()  # without waiting for connections that a failed test has left
        raise
    server.close()
    await server.wait_closed()


async def connect(
    address: tuple[str, int],
    context: Any,
    protocol: Callable[[], Any] = Recorder,
    hostname: str = "localhost",
) -> Any:
    """A protocol with a connection that is made, over TLS."""
    _, made = await asyncio.get_running_loop().create_connection(
        protocol, *address, ssl=context, server_hostname=hostname
    )
    return made


async def served(
    accepted: Accepted, contexts: tuple[Any, Any], protocol: Callable[[], Any] = Recorder
) -> tuple[asyncio.AbstractServer, Any, Any]:
    """A server of tlskit.aio, and the transport and the protocol of a client that has connected."""
    server = await aio.create_server(accepted, "127.0.0.1", 0, ssl=contexts[1])
    transport, made = await aio.create_connection(
        protocol,
        *server.sockets[0].getsockname(),
        ssl=contexts[0],
        server_hostname="localhost",
    )
    return server, transport, made


def noting(faults: list[BaseException]) -> type[tlskit.SSLObject]:
    """A class of SSLObject that notes what ends its handshakes: the loops keep it to themselves."""

    class Noting(tlskit.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except stdlib.SSLError as fault:
                if not isinstance(fault, stdlib.SSLWantReadError):
                    faults.append(fault)
                raise

    return Noting


class Accepted(list[Any]):
    """A factory of protocols that keeps those it has made."""

    def __init__(self, kind: Callable[[], Any]) -> None:
        super().__init__()
        self._kind = kind
        self._first: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def __call__(self) -> Any:
        self.append(made := self._kind())
        if not self._first.done():
            self._first.set_result(made)
        return made

    async def first(self) -> Any:
        """The first protocol, once its connection is made."""
        protocol = await self._first
        await protocol.made
        return protocol


def assert_ours(transport: Any) -> tlskit.SSLObject:
    """The transport's TLS is made by tlskit, down to the bottom; its SSLObject."""
    made = transport.get_extra_info("ssl_object")
    assert isinstance(made, tlskit.SSLObject)
    assert type(made._sslobj).__module__.partition(".")[0] == "tlskit"
    return made


def connected_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets for a loop."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    return near, far
