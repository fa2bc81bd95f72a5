"""TLS under event loops: a client and a server in one process, for each way of putting TLS under
asyncio.

    python -m bench.loops WAY WORK SECONDS FOLDER VERSION
        does it once for each line on stdin, and prints {"wall", "cpu", "openssl"}

A WAY is MODULE@LOOP[+inject]: whose contexts (`ssl`, `tlskit`), which loop or transport (`asyncio`,
`uvloop`, `aiofastnet`, `aiofastnet/uvloop`, `tlskit.aio`), and whether tlskit is injected into ssl.
Both ends are protocols, so that what is measured is the transport. Nothing happens between turns,
so the event loop stands still while it waits for a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any, NamedTuple

from .turns import answer

LOOPBACK = "127.0.0.1"


class Way(NamedTuple):
    """The module of the contexts, the transport, and whether tlskit is injected."""

    module: str
    loop: str
    inject: bool


def parse_way(text: str) -> Way:
    """Parse "MODULE@LOOP[+inject]"."""
    module, _, rest = text.partition("@")
    loop, plus, _ = rest.partition("+")
    return Way(module, loop, bool(plus))


@dataclass(frozen=True)
class Contexts:
    """Both ends' contexts."""

    client: Any
    server: Any


def contexts(tls: Any, folder: str, version: str) -> Contexts:
    """Return a client's and a server's context, limited to one version."""
    client, server = (
        tls.SSLContext(tls.PROTOCOL_TLS_CLIENT),
        tls.SSLContext(tls.PROTOCOL_TLS_SERVER),
    )
    client.load_verify_locations(os.path.join(folder, "ca.pem"))
    server.load_cert_chain(os.path.join(folder, "server.pem"))
    for context in (client, server):
        context.minimum_version = context.maximum_version = getattr(tls.TLSVersion, version)
    return Contexts(client, server)


class EchoServer(asyncio.Protocol):
    """Sends all data back."""

    def connection_made(self, transport: Any) -> None:
        self.write = transport.write

    def data_received(self, data: bytes) -> None:
        self.write(data)


class EchoClient(asyncio.Protocol):
    """Sends a message, waits until as much has come back, and repeats."""

    def __init__(self, size: int) -> None:
        self.message, self.missing = bytes(size), size
        self.done: asyncio.Future[None]
        self.left = 0

    def connection_made(self, transport: Any) -> None:
        self.transport, self.write = transport, transport.write

    def run(self, count: int) -> asyncio.Future[None]:
        """Make `count` round trips."""
        self.done = asyncio.get_running_loop().create_future()
        self.left = count
        self.write(self.message)
        return self.done

    def data_received(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing > 0:
            return
        self.missing = len(self.message)
        self.left -= 1
        if self.left:
            self.write(self.message)
        else:
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.left and not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server has ended the connection"))


class Net(NamedTuple):
    """How a transport is created."""

    create_connection: Callable[..., Awaitable[Any]]
    create_server: Callable[..., Awaitable[Any]]


def net(way: Way) -> Net:
    """Return the functions that create connections and servers."""
    loop = asyncio.get_running_loop()
    if way.loop.startswith("aiofastnet"):
        import aiofastnet

        def bound(function: Any) -> Any:
            return lambda *args, **kwargs: function(loop, *args, **kwargs)

        return Net(bound(aiofastnet.create_connection), bound(aiofastnet.create_server))
    if way.loop.startswith("tlskit.aio"):
        aio: Any = importlib.import_module("tlskit.aio")
        return Net(aio.create_connection, aio.create_server)
    return Net(loop.create_connection, loop.create_server)


Run = Callable[[int], Awaitable[None]]  # does the work as many times


@contextlib.asynccontextmanager
async def echo(way: Way, both: Contexts, size: int) -> AsyncIterator[Run]:
    """Yield what makes round trips of `size` bytes."""
    make = net(way)
    server = await make.create_server(EchoServer, LOOPBACK, 0, ssl=both.server)
    port = server.sockets[0].getsockname()[1]
    transport, client = await make.create_connection(
        lambda: EchoClient(size), LOOPBACK, port, ssl=both.client, server_hostname="localhost"
    )
    try:
        yield client.run
    finally:
        transport.close()
        server.close()


@contextlib.asynccontextmanager
async def connect(way: Way, both: Contexts, size: int) -> AsyncIterator[Run]:
    """Yield what connects with a full handshake, makes a round trip, and closes."""
    make = net(way)
    server = await make.create_server(EchoServer, LOOPBACK, 0, ssl=both.server)
    port = server.sockets[0].getsockname()[1]

    async def run(count: int) -> None:
        for _ in range(count):
            transport, client = await make.create_connection(
                lambda: EchoClient(size),
                LOOPBACK,
                port,
                ssl=both.client,
                server_hostname="localhost",
            )
            await client.run(1)
            transport.close()

    try:
        yield run
    finally:
        server.close()


async def sized(run: Run, seconds: float) -> int:
    """Return how many operations take at least so many seconds."""
    count = 1
    while True:
        start = perf_counter()
        await run(count)
        if perf_counter() - start > seconds:
            return count
        count *= 2


async def measured(run: Run, count: int, seconds: float) -> tuple[float, float]:
    """Return the wall and CPU seconds of one of many operations. The first `count` are not
    counted, since the caches are others' until then.
    """
    await run(count)
    done, took, used, start = 0, 0.0, process_time(), perf_counter()
    while took < seconds:
        await run(count)
        done += count
        took = perf_counter() - start
    return took / done, (process_time() - used) / done


WORKS: dict[str, tuple[Callable[..., contextlib.AbstractAsyncContextManager[Run]], int]] = {
    "echo_64": (echo, 64),
    "echo_16k": (echo, 16384),
    "echo_256k": (echo, 262144),
    "connect_echo_close": (connect, 64),
}


def loop_factory(way: Way) -> Any:
    """Return the function that creates its event loop; None for asyncio's."""
    if not way.loop.endswith("uvloop"):
        return None
    import uvloop

    return uvloop.new_event_loop


def main(arguments: list[str]) -> int:
    """Do one piece of work in turns."""
    if len(arguments) != 5 or arguments[1] not in WORKS:
        print("python -m bench.loops WAY WORK SECONDS FOLDER VERSION", file=sys.stderr)
        return 2
    text, name, length, folder, version = arguments
    way, seconds = parse_way(text), float(length)
    tls: Any = importlib.import_module(way.module)
    if way.inject:
        tls.inject_into_ssl()
        tls = ssl
    work, size = WORKS[name]
    with (
        asyncio.Runner(loop_factory=loop_factory(way)) as runner,
        contextlib.ExitStack() as last,
    ):
        open_work = work(way, contexts(tls, folder, version), size)
        run = runner.run(open_work.__aenter__())
        last.callback(lambda: runner.run(open_work.__aexit__(None, None, None)))
        count = 0

        def measure() -> dict[str, Any]:
            nonlocal count
            count = count or runner.run(sized(run, seconds / 10))
            wall, cpu = runner.run(measured(run, count, seconds))
            return {"wall": wall, "cpu": cpu, "openssl": tls.OPENSSL_VERSION}

        answer(measure)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
