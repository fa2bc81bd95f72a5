"""Bytes in bulk: streams, backpressure, half-closed connections and files."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import tlskit
from tlskit import aio

from .conftest import Runner
from .helpers import Accepted, Recorder, assert_ours, connect, listening

Contexts = tuple[Any, Any]
BULK = bytes(range(256)) * 4096 * 4  # 4 MiB
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def streams(
    serve: Serve, server: Any, client: Any, **settings: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server that is served by `serve`, whose exceptions are not lost."""
    served: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except BaseException as error:
            served.set_exception(error)
        else:
            served.set_result(None)
        finally:
            writer.close()

    listener = await asyncio.start_server(serving, "127.0.0.1", 0, ssl=server)
    reader, writer = await asyncio.open_connection(
        *listener.sockets[0].getsockname(), ssl=client, server_hostname="localhost", **settings
    )
    assert_ours(writer.transport)
    try:
        yield reader, writer
    finally:
        writer.close()
        await served
        listener.close()
        await listener.wait_closed()


def test_a_server_is_one_of_asyncios(run: Runner, contexts: Contexts) -> None:
    """Programs name its class, and type checkers know what it has."""

    async def check() -> None:
        async with await aio.start_server(
            lambda *_: None, "127.0.0.1", 0, ssl=contexts[1]
        ) as server:
            assert isinstance(server, asyncio.Server)
            assert server.sockets[0].getsockname()[1]
        assert server.sockets == ()

    run(check())


def test_lines(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()

    async def main() -> None:
        async with streams(serve, server, client) as (reader, writer):
            for _ in range(20):
                writer.write(b"hello\n")
                assert await reader.readline() == b"HELLO\n"

    run(main())


def test_bulk_in_both_directions_at_once(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def send(writer: asyncio.StreamWriter) -> None:
        view = memoryview(BULK)
        for start in range(0, len(view), 50_000):
            writer.write(view[start : start + 50_000])
            await writer.drain()

    async def receive(reader: asyncio.StreamReader) -> str:
        digest, n = hashlib.sha256(), 0
        while n < len(BULK):
            digest.update(piece := await reader.read(1 << 16))
            assert piece
            n += len(piece)
        return digest.hexdigest()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, got = await asyncio.gather(send(writer), receive(reader))
        assert got == hashlib.sha256(BULK).hexdigest()

    async def main() -> None:
        async with streams(serve, server, client) as (reader, writer):
            _, got = await asyncio.gather(send(writer), receive(reader))
            assert got == hashlib.sha256(BULK).hexdigest()

    run(main())


def test_a_reader_that_does_not_read_stops_the_writer(run: Runner, contexts: Contexts) -> None:
    """Backpressure goes through TLS: the writer is paused, its buffer stays bounded, and all
    arrives in the end.
    """
    client, server = contexts

    async def main() -> None:
        accepted = Accepted(Recorder)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            far.transport.pause_reading()
            written = 0
            while not near.paused:  # what the sockets hold between them is the kernel's matter
                near.transport.write(BULK[:65536])
                written += 65536
                await asyncio.sleep(0)
            assert near.transport.get_write_buffer_size() > 0
            assert not far.data
            far.transport.resume_reading()
            assert await far.take(written) == BULK[:65536] * (written // 65536)
            await near.drain()
            near.transport.close()
            await near.lost
            await far.lost

    run(main())


def test_reading_that_is_paused_and_resumed_loses_nothing(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    class Hesitant(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self.transport.resume_reading)

    async def main() -> None:
        accepted = Accepted(Hesitant)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            near.transport.write(BULK)
            assert await far.take(len(BULK)) == BULK
            near.transport.close()
            await near.lost
            await far.lost

    run(main())


def test_what_was_written_before_close_arrives(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        accepted = Accepted(Recorder)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            near.transport.write(BULK)
            near.transport.close()
            assert await far.lost is None
            assert far.data == BULK
            assert await near.lost is None

    run(main())


def test_a_request_in_the_same_breath_as_the_handshakes_end(
    run: Runner, contexts: Contexts
) -> None:
    """The server finds it behind the client's Finished, whichever packet it came in."""
    client, server = contexts

    class Asking(Recorder):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(b"at once")

    async def main() -> None:
        accepted = Accepted(Recorder)
        async with listening(accepted, server) as address:
            for _ in range(10):
                near = await connect(address, client, Asking)
                far = await accepted.first()
                accepted.__init__(Recorder)  # type: ignore[misc]
                assert await far.take(7) == b"at once"
                near.transport.close()
                await near.lost
                await far.lost

    run(main())


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_a_file_is_sent_piece_by_piece(
    run: Runner, contexts: Contexts, tmp_path: Path, size: int
) -> None:
    client, server = contexts
    path = tmp_path / "file"
    path.write_bytes(BULK[: size + 10])

    async def main() -> None:
        accepted = Accepted(Recorder)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            with path.open("rb") as file:
                try:
                    sent = await asyncio.get_running_loop().sendfile(
                        near.transport, file, 10, size or None
                    )
                except NotImplementedError:
                    assert (
                        type(asyncio.get_running_loop()).__module__ == "uvloop"
                    )  # it has no sendfile
                    file.seek(10)
                    near.transport.write(file.read(size))
                else:
                    assert sent == size
            near.transport.close()
            assert await far.lost is None
            assert far.data == BULK[10 : size + 10]

    run(main())


def test_a_file_is_not_sent_past_tls(run: Runner, contexts: Contexts, tmp_path: Path) -> None:
    client, server = contexts
    path = tmp_path / "file"
    path.write_bytes(b"secret")

    async def main() -> None:
        accepted = Accepted(Recorder)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            with path.open("rb") as file, pytest.raises((RuntimeError, NotImplementedError)):
                await asyncio.get_running_loop().sendfile(near.transport, file, fallback=False)
            near.transport.close()
            await far.lost
            assert not far.data

    run(main())


def test_half_closing_is_refused(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        async with listening(Recorder, server) as address:
            near = await connect(address, client)
            assert not near.transport.can_write_eof()
            with pytest.raises(NotImplementedError):
                near.transport.write_eof()
            near.transport.close()
            await near.lost

    run(main())


def test_writing_after_close_does_not_arrive(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        accepted = Accepted(Recorder)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            near.transport.close()
            near.transport.write(b"too late")
            await near.lost
            await far.lost
            assert not far.data

    run(main())


def test_what_is_not_bytes_is_refused(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        accepted = Accepted(Recorder)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            for wrong in ("text", 1, None):
                with pytest.raises(TypeError):
                    near.transport.write(wrong)
            near.transport.write(b"well")
            assert await far.take(4) == b"well"
            assert assert_ours(near.transport).version() == client.maximum_version.name.replace(
                "_", "."
            )
            near.transport.close()
            await near.lost

    run(main())
    assert isinstance(client, tlskit.SSLContext)
