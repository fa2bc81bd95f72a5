"""Cancellation in any turn of the loop: nothing stays open, and protocols hear of the end once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tlskit import aio

from ...support.system import needs_unix_sockets
from ..conftest import Runner
from .peer import Calls, accepting, reach
from .test_sharing import two_addresses

Contexts = tuple[Any, Any]
MOST_TURNS = 5000  # of the loop: more than any of these takes


async def cancelled(turns: int, work: Coroutine[Any, Any, Any]) -> Any:
    """Cancel it after so many turns of the loop. None, or its result if that came first."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        if task.done():
            return await task
        await asyncio.sleep(0)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return None


async def closed(sock: Any) -> None:
    """Wait until a socket is closed: in the next turn, or in the one after that."""
    for _ in range(3):
        if sock.fileno() == -1:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{sock!r} is open")


@asynccontextmanager
async def echoing(contexts: Contexts) -> AsyncIterator[tuple[str, int]]:
    """A server's address. It must serve all its connections to their end."""
    server: Any = await aio.create_server(
        lambda: Calls(data=lambda p, d: p.transport.write(d)), "127.0.0.1", 0, ssl=contexts[1]
    )
    yield server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()


def test_a_connection_in_any_turn(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        async with echoing(contexts) as address:
            for turns in range(MOST_TURNS):
                sock, protocol = await reach(address), Calls()
                made = await cancelled(
                    turns,
                    aio.create_connection(
                        lambda: protocol,  # noqa: B023
                        sock=sock, ssl=contexts[0], server_hostname="localhost",
                    ),
                )  # fmt: skip
                if made is not None:
                    break
                if turns:  # in turn 0 it has not begun
                    await closed(sock)
                    assert protocol.log in ([], ["made", "lost"])
                sock.close()
            assert turns > 2
            made[0].abort()

    run(main())


def test_a_connection_whose_handshake_was_just_completed(run: Runner, contexts: Contexts) -> None:
    """The protocol has been connected, and nobody gets the transport to close it."""

    async def main() -> None:
        async with echoing(contexts) as address:
            sock = await reach(address)
            protocol = Calls(made=lambda _: connecting.cancel())
            connecting: asyncio.Future[Any] = asyncio.ensure_future(
                aio.create_connection(
                    lambda: protocol, sock=sock, ssl=contexts[0], server_hostname="localhost"
                )
            )
            with pytest.raises(asyncio.CancelledError):
                await connecting
            await closed(sock)
            assert protocol.log == ["made", "lost"]
            assert protocol.error is None

    run(main())


def test_start_tls_in_any_turn(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with echoing(contexts) as address:
            for turns in range(MOST_TURNS):
                protocol = Calls()
                plain, _ = await loop.create_connection(Calls, *address)
                sock = plain.get_extra_info("socket")
                made = await cancelled(
                    turns,
                    aio.start_tls(plain, protocol, contexts[0], server_hostname="localhost"),
                )
                if made is not None:
                    break
                if turns:
                    for _ in range(4):
                        await asyncio.sleep(0)
                    assert plain.is_closing()
                    assert protocol.log == ["lost"]
                plain.abort()
            assert turns > 2
            assert sock.fileno() != -1
            made.abort()
            await protocol.lost.wait()

    run(main())


def test_a_server_is_not_left_listening(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        for turns in range(1, MOST_TURNS):
            sock = socket.create_server(("127.0.0.1", 0))
            made = await cancelled(turns, aio.create_server(Calls, sock=sock, ssl=contexts[1]))
            if made is not None:
                break
            assert sock.fileno() == -1
        assert turns > 1
        made.close()
        await made.wait_closed()

    run(main())


@needs_unix_sockets
def test_a_server_at_a_path_is_not_left(run: Runner, contexts: Contexts, tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        assert await cancelled(1, aio.create_unix_server(Calls, path, ssl=contexts[1])) is None
        assert not path.exists()

    run(main())


def test_happy_eyeballs_in_any_turn(
    run: Runner, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that were left open would be a ResourceWarning."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with two_addresses(both_mute=False) as (listener, found):

            async def resolved(*_: Any, **__: Any) -> list[Any]:
                return found

            monkeypatch.setattr(loop, "getaddrinfo", resolved)
            for turns in range(60):
                await cancelled(
                    turns,
                    aio.create_connection(
                        Calls, "two.example", listener.getsockname()[1], ssl=contexts[0],
                        server_hostname="localhost", happy_eyeballs_delay=1e-9,
                    ),
                )  # fmt: skip

    run(main())


def test_a_cancelled_handshake_frees_its_descriptor_for_others(
    run: Runner, contexts: Contexts
) -> None:
    """The loop must not watch the number of a descriptor that is closed."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with accepting() as (address, accept):
            sock = await reach(address)
            await cancelled(
                3,
                aio.create_connection(
                    Calls, sock=sock, ssl=contexts[0], server_hostname="localhost"
                ),
            )
            (await accept()).close()
            assert sock.fileno() == -1
            again = await reach(address)  # usually the same number
            with again, await accept() as peer:
                await loop.sock_sendall(peer, b"plain")
                assert await loop.sock_recv(again, 5) == b"plain"

    run(main())
