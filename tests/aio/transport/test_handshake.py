"""Handshakes: what ends them, who hears of it, and what comes with their last flight."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl as stdlib
import time
from typing import Any
from weakref import ref

import pytest

from tlskit import SSLCertVerificationError, SSLError, aio

from ...support.pairs import client_context, server_context
from ...support.pki import PKI
from ..conftest import Runner
from .peer import Calls, Peer, accepting, reach

Contexts = tuple[Any, Any]


def peers_contexts(pki: PKI, contexts: Contexts) -> Contexts:
    """The stdlib's contexts for the same versions: a client's and a server's."""
    client, server = client_context(pki, module=stdlib), server_context(pki, module=stdlib)
    for context in (client, server):
        context.minimum_version = contexts[0].minimum_version
        context.maximum_version = contexts[0].maximum_version
    return client, server


def test_a_cancelled_handshake_closes_the_socket_at_once(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        async with accepting() as (address, accept):
            sock = await reach(address)
            task = asyncio.ensure_future(
                aio.create_connection(
                    Calls, sock=sock, ssl=contexts[0], server_hostname="localhost"
                )
            )
            peer = await accept()
            await asyncio.get_running_loop().sock_recv(peer, 65536)  # the ClientHello
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert sock.fileno() == -1
            assert await asyncio.get_running_loop().sock_recv(peer, 1) == b""

    run(main())


def test_clients_that_reset_while_the_loop_is_busy_with_handshakes_are_dropped(
    run: Runner, pki: PKI, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop tells of an error once, and perhaps in a turn without time for that handshake."""
    monkeypatch.setattr(
        "tlskit.aio._loop_state._BOUND", 1e-9
    )  # seconds: one handshake in each turn
    theirs, _ = peers_contexts(pki, contexts)

    async def main() -> None:
        accepted: list[Calls] = []
        server: Any = await aio.create_server(
            lambda: accepted.append(Calls()) or accepted[-1],  # type: ignore[func-returns-value]
            "127.0.0.1", 0, ssl=contexts[1],
        )  # fmt: skip
        address = server.sockets[0].getsockname()
        socks = [await reach(address) for _ in range(8)]
        while len(accepted) < len(socks):
            await asyncio.sleep(0)
        for sock in socks:
            peer = Peer(sock, theirs, server_side=False)
            with contextlib.suppress(stdlib.SSLWantReadError):
                peer.tls.do_handshake()
            sock.send(peer.taken())
            peer.reset()
        server.close()
        await server.wait_closed()

    run(main())


def test_a_mute_server_is_given_up(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        async with accepting() as (address, _):
            with pytest.raises(ConnectionAbortedError, match=r"longer than 0\.05 seconds"):
                await aio.create_connection(
                    Calls, *address, ssl=contexts[0], ssl_handshake_timeout=0.05,
                    server_hostname="localhost",
                )  # fmt: skip

    run(main())


def test_mute_clients_are_dropped_and_no_protocol_hears_of_them(
    run: Runner, contexts: Contexts
) -> None:
    async def main() -> None:
        made: list[Calls] = []
        server = await aio.create_server(
            lambda: made.append(Calls()) or made[-1],  # type: ignore[func-returns-value]
            "127.0.0.1", 0, ssl=contexts[1], ssl_handshake_timeout=0.05,
        )  # fmt: skip
        with await reach(server.sockets[0].getsockname()) as sock:  # type: ignore[attr-defined]
            assert await asyncio.get_running_loop().sock_recv(sock, 1) == b""
        assert [protocol.log for protocol in made] == [[]]
        server.close()
        await server.wait_closed()

    run(main())


@pytest.mark.parametrize("how", ["fin", "reset", "plain"])
def test_a_server_that_leaves_is_an_error_with_words(
    run: Runner, contexts: Contexts, how: str
) -> None:
    async def main() -> None:
        async with accepting() as (address, accept):
            task = asyncio.ensure_future(
                aio.create_connection(Calls, *address, ssl=contexts[0], server_hostname="localhost")
            )
            sock = await accept()
            peer = Peer(sock, stdlib.SSLContext(stdlib.PROTOCOL_TLS_SERVER))
            await asyncio.get_running_loop().sock_recv(sock, 65536 if how != "reset" else 4)
            if how == "plain":
                await asyncio.get_running_loop().sock_sendall(sock, b"HTTP/1.1 400 Bad\r\n\r\n")
            peer.reset() if how == "reset" else sock.close()
            with pytest.raises(SSLError if how == "plain" else ConnectionResetError) as caught:
                await task
            assert len(str(caught.value)) > 10

    run(main())


def test_the_alert_goes_out_before_the_socket_closes(
    run: Runner, pki: PKI, contexts: Contexts
) -> None:
    _, theirs = peers_contexts(pki, contexts)

    async def main() -> None:
        async with accepting() as (address, accept):
            task = asyncio.ensure_future(
                aio.create_connection(
                    Calls, *address, ssl=contexts[0], server_hostname="elsewhere.example"
                )
            )
            peer = Peer(await accept(), theirs)
            with pytest.raises(stdlib.SSLError, match="ALERT"):
                await peer.handshake_and_read()
            with pytest.raises(SSLCertVerificationError):
                await task

    run(main())


@pytest.mark.parametrize("pauses", [False, True], ids=["reads", "pauses"])
def test_data_and_the_end_in_the_segment_of_the_last_flight(
    run: Runner, pki: PKI, contexts: Contexts, pauses: bool
) -> None:
    """The server's side: the client's Finished, a request, close_notify and FIN come at once."""
    theirs, _ = peers_contexts(pki, contexts)

    async def main() -> None:
        protocol = Calls(made=lambda p: p.transport.pause_reading() if pauses else None)
        server = await aio.create_server(lambda: protocol, "127.0.0.1", 0, ssl=contexts[1])
        sock = await reach(server.sockets[0].getsockname())  # type: ignore[attr-defined]
        peer = Peer(sock, theirs, server_side=False)
        await peer.handshake(flush=False)
        held = peer.taken()
        peer.tls.write(b"request")
        peer.end()
        await asyncio.get_running_loop().sock_sendall(sock, held + peer.taken())
        peer.hang_up()
        if pauses:
            while "made" not in protocol.log:
                await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0)
            assert protocol.log == ["made"]
            protocol.transport.resume_reading()
        await protocol.lost.wait()
        assert protocol.log == ["made", "data", "eof", "lost"]
        assert (protocol.data, protocol.error) == (b"request", None)
        sock.close()
        server.close()
        await server.wait_closed()

    run(main())


def test_connection_made_that_raises_is_told_once_and_the_server_goes_on(
    run: Runner, pki: PKI, contexts: Contexts
) -> None:
    theirs, _ = peers_contexts(pki, contexts)

    def fail(protocol: Calls) -> None:
        raise LookupError("in connection_made")

    async def main() -> None:
        protocols = iter([Calls(made=fail), Calls(made=lambda p: p.transport.write(b"fine"))])
        server = await aio.create_server(lambda: next(protocols), "127.0.0.1", 0, ssl=contexts[1])
        address = server.sockets[0].getsockname()  # type: ignore[attr-defined]
        first = Peer(await reach(address), theirs, server_side=False)
        await first.handshake()
        assert await first.silence() in ("eof", "ConnectionResetError")
        second = Peer(await reach(address), theirs, server_side=False)
        await second.handshake()
        assert await second.read(4) == b"fine"
        told = [context["exception"] for context in run.complaints]
        assert [type(error) for error in told] == [LookupError]
        run.complaints.clear()
        first.sock.close()
        second.sock.close()
        server.close()
        await server.wait_closed()

    run(main())


def test_a_failed_handshake_leaves_no_cycle(run: Runner, contexts: Contexts) -> None:
    kept: list[Any] = []

    def factory() -> Calls:
        kept.append(ref(protocol := Calls()))
        return protocol

    async def main() -> None:
        server = await aio.create_server(Calls, "127.0.0.1", 0, ssl=contexts[1])
        address = server.sockets[0].getsockname()  # type: ignore[attr-defined]
        with contextlib.suppress(SSLCertVerificationError):
            await aio.create_connection(
                factory, *address, ssl=contexts[0], server_hostname="elsewhere.example"
            )
        await asyncio.sleep(0)
        assert [made() for made in kept] == [None]
        server.close()
        await server.wait_closed()

    gc.collect()
    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


def test_a_crowd_does_not_stop_the_loop(run: Runner, contexts: Contexts) -> None:
    """Handshakes that exceed the bound of 10 ms wait for the next turn, and all succeed."""
    begun: list[int] = []  # of each handshake at the server: the turn in which it began
    turns, going = 0, True

    def takes_long(*_: Any) -> None:
        begun.append(turns)
        time.sleep(0.003)  # as much work

    async def main() -> None:
        nonlocal going
        contexts[1].sni_callback = takes_long
        server = await aio.create_server(Calls, "127.0.0.1", 0, ssl=contexts[1])
        address = server.sockets[0].getsockname()  # type: ignore[attr-defined]

        async def count() -> None:
            nonlocal turns
            while going:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count())
        made = await asyncio.gather(
            *(
                aio.create_connection(Calls, *address, ssl=contexts[0], server_hostname="localhost")
                for _ in range(30)
            )
        )
        going = False
        await counting
        for transport, _ in made:
            transport.abort()
        server.close()
        await server.wait_closed()

    run(main())
    assert len(begun) == 30
    assert max(begun.count(turn) for turn in begun) <= 4
