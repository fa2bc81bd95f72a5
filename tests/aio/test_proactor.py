"""Event loops that cannot watch descriptors, as the default one on Windows: connections go through
asyncio's own transport there, with tlskit's TLS inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import tlskit
from tlskit import aio

from ..support.system import WINDOWS
from .conftest import Runner
from .helpers import Accepted, Echo, Recorder, assert_ours, connected_pair

Contexts = tuple[Any, Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    """Where there is no proactor, the loop that is there passes for one."""
    if not WINDOWS:
        monkeypatch.setattr(asyncio, "ProactorEventLoop", asyncio.SelectorEventLoop, raising=False)
    runner = Runner(getattr(asyncio, "ProactorEventLoop")())  # noqa: B009  (mypy has it on Windows)
    with aio.install():
        yield runner
    runner.close()
    assert runner.complaints == []


def assert_asyncios(transport: Any) -> None:
    """The transport is asyncio's, the TLS in it tlskit's."""
    assert type(transport).__module__.partition(".")[0] == "asyncio"
    assert_ours(transport)


@pytest.mark.parametrize("named", [False, True], ids=["the loop's methods", "tlskit.aio"])
def test_connections_and_servers(run: Runner, contexts: Contexts, named: bool) -> None:
    client, server = contexts

    async def main() -> None:
        loop = asyncio.get_running_loop()
        serve = aio.create_server if named else loop.create_server
        reach = aio.create_connection if named else loop.create_connection
        accepted = Accepted(Echo)
        listener = await serve(accepted, "127.0.0.1", 0, ssl=server)
        address = listener.sockets[0].getsockname()
        transport, near = await reach(Recorder, *address, ssl=client, server_hostname="localhost")
        far = await accepted.first()
        for end in (transport, far.transport):
            assert_asyncios(end)
        transport.write(bytes(100_000))
        assert await near.take(100_000) == bytes(100_000)
        transport.close()
        assert [await near.lost, await far.lost] == [None, None]
        listener.close()
        await listener.wait_closed()

    run(main())


def test_streams_resume(run: Runner, contexts: Contexts) -> None:
    client, server = contexts
    client.sessions.store = tlskit.MemoryStore()

    async def serve(reader: Any, writer: Any) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def main() -> None:
        listener = await aio.start_server(serve, "127.0.0.1", 0, ssl=server)
        for visit in range(2):
            reader, writer = await aio.open_connection(
                *listener.sockets[0].getsockname(), ssl=client, server_hostname="localhost"
            )
            assert_asyncios(writer.transport)
            writer.write(b"hello\n")
            assert await reader.read() == b"hello\n"
            assert writer.get_extra_info("ssl_object").session_reused == bool(visit)
            writer.close()
            await writer.wait_closed()
        listener.close()
        await listener.wait_closed()

    run(main())


def test_tls_that_begins_later(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        loop = asyncio.get_running_loop()
        socks = connected_pair()
        ends = [(await loop.create_connection(Echo, sock=socks[0]))]
        ends.append(await loop.create_connection(Recorder, sock=socks[1]))
        (one, echo), (other, recorder) = ends
        secure = await asyncio.gather(
            loop.start_tls(one, echo, server, server_side=True),
            loop.start_tls(other, recorder, client, server_hostname="localhost"),
        )
        for transport in secure:
            assert_asyncios(transport)
        echo.transport, recorder.transport = secure
        recorder.transport.write(b"hello")
        assert await recorder.take(5) == b"hello"
        recorder.transport.close()
        assert [await recorder.lost, await echo.lost] == [None, None]

    run(main())


def test_async_callbacks_are_refused(run: Runner, contexts: Contexts) -> None:
    """asyncio's transport cannot wait for anything but bytes."""
    client, server = contexts

    async def judge(connection: Any, chain: Any) -> None:
        raise AssertionError("nothing may wait for this")

    client.verify_callback = judge

    async def main() -> None:
        listener = await aio.create_server(Echo, "127.0.0.1", 0, ssl=server)
        with pytest.raises(TypeError, match="async"):
            await aio.open_connection(
                *listener.sockets[0].getsockname(), ssl=client, server_hostname="localhost"
            )
        listener.close()
        await listener.wait_closed()

    run(main())
    run.complaints.clear()  # asyncio logs it as a fatal error of its protocol too
