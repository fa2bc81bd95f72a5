"""What connections of one loop owe each other, and what loops and threads may share."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import tlskit
from tlskit import SSLError, aio

from ...support.pairs import Background, client_context, only, server_context
from ...support.peers import s_client, speaking, version
from ...support.pki import PKI
from ..conftest import LOOPS, PATIENCE, Runner
from .peer import Calls, Peer
from .test_handshake import peers_contexts
from .test_reading import Setting

Contexts = tuple[Any, Any]
HELD = 256 * 1024  # bytes, the most that one turn delivers of one connection


def echoing() -> Calls:
    return Calls(data=lambda protocol, data: protocol.transport.write(data))


# -- fairness --------------------------------------------------------------------------------------


def test_a_turn_delivers_a_bounded_part_of_what_has_come(
    run: Runner, pki: PKI, contexts: Contexts
) -> None:
    """However much waits in the socket, other connections have their turn in between."""

    async def main() -> None:
        sizes: list[int] = []
        async with Setting(
            pki, contexts, factory=lambda: Calls(data=lambda p, data: sizes.append(len(data)))
        ) as s:
            s.peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
            s.transport.pause_reading()
            sending = asyncio.ensure_future(s.peer.write(bytes(4 << 20)))
            for _ in range(100):  # as much as the sockets hold is there at once
                await asyncio.sleep(0)
            s.transport.resume_reading()
            turns = 0
            while len(s.protocol.data) < 4 << 20:
                before = len(s.protocol.data)
                await asyncio.sleep(0)
                assert (
                    len(s.protocol.data) - before <= 2 * HELD
                )  # an event, and what the last one left
                turns += 1
            await sending
            assert turns > 8
            assert max(sizes) <= HELD

    run(main())


# -- memory ----------------------------------------------------------------------------------------


MALLINFO2 = (  # glibc's struct
    "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
    "keepcost",
)  # fmt: skip


@functools.cache
def mallinfo2() -> Any:
    """The function of glibc's. It is made once: a class of ctypes' needs memory, too."""
    import ctypes

    fields = [(name, ctypes.c_size_t) for name in MALLINFO2]
    asked = ctypes.CDLL(None).mallinfo2
    asked.restype = type("Allocated", (ctypes.Structure,), {"_fields_": fields})
    return asked


def in_use() -> int:
    """Bytes that the process has from malloc."""
    found = mallinfo2()()
    return int(found.uordblks + found.hblkhd)


def counts_memory() -> bool:
    """Whether `in_use` works here: with glibc, and ctypes."""
    try:
        import ctypes
    except ImportError:
        return False
    return sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "mallinfo2")


@pytest.mark.skipif(not counts_memory(), reason="what malloc has given is counted by glibc")
def test_a_connection_at_rest_holds_no_buffer(run: Runner, contexts: Contexts) -> None:
    """What was needed to carry many bytes is given back; not so while they cannot go on."""
    count, large = 5, bytes(16 << 20)

    async def main() -> None:
        client, server_side = contexts
        servers: list[Calls] = []
        clients: list[Any] = []

        def serve() -> Calls:
            servers.append(echoing())
            return servers[-1]

        server: Any = await aio.create_server(serve, "127.0.0.1", 0, ssl=server_side)
        address = server.sockets[0].getsockname()
        for _ in range(count):
            clients.append(
                await aio.create_connection(
                    Calls, *address, ssl=client, server_hostname="localhost"
                )
            )
        for transport, protocol in clients:
            transport.write(b"x")
            await protocol.take(1)
            protocol.data.clear()

        async def carry() -> tuple[int, int]:
            """How much is in use in the middle of it, and afterwards."""
            for far, (transport, _) in zip(servers, clients, strict=True):
                transport.pause_reading()
                far.data.clear()
                sock = far.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
                far.transport.write(large)
            for _ in range(100):
                await asyncio.sleep(0)
            middle = in_use()
            for transport, protocol in clients:
                transport.resume_reading()
                await protocol.take(len(large))
                protocol.data.clear()
            gc.collect()
            return middle, in_use()

        _, before = await carry()  # with what is made once
        middle, after = await carry()
        assert middle - before > count * 8192
        assert after - before < count * 8192
        for transport, _ in clients:
            transport.abort()
        server.close()
        await server.wait_closed()

    run(main())


# -- loops, threads and changes --------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
def test_loops_in_threads_share_contexts_that_change(
    pki: PKI, contexts: Contexts, loop: Any
) -> None:
    client, server_side = contexts
    done = threading.Event()

    async def visits(complaints: list[dict[str, Any]]) -> int:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        server: Any = await aio.create_server(echoing, "127.0.0.1", 0, ssl=server_side)
        address = server.sockets[0].getsockname()
        echoed = 0
        for _ in range(3):
            pairs = await asyncio.gather(
                *(
                    aio.create_connection(Calls, *address, ssl=client, server_hostname="localhost")
                    for _ in range(5)
                )
            )
            for transport, protocol in pairs:
                transport.write(bytes(50000))
                echoed += len(await protocol.take(50000))
                transport.close()
        server.close()
        await server.wait_closed()
        return echoed

    def work() -> tuple[int, list[dict[str, Any]]]:
        complaints: list[dict[str, Any]] = []
        running = loop()
        try:
            main = asyncio.wait_for(visits(complaints), 3 * PATIENCE)
            return running.run_until_complete(main), complaints
        finally:
            running.close()

    def change() -> int:
        count = 0
        while not done.wait(0.002):
            server_side.load_cert_chain(pki.direct.chain, pki.direct.key)
            client.load_verify_locations(pki.root)
            count += 1
        return count

    changing = Background(change)
    try:
        results = [task.result() for task in [Background(work) for _ in range(4)]]
    finally:
        done.set()
    assert changing.result() > 0
    assert results == [(15 * 50000, [])] * 4


# -- renegotiation ---------------------------------------------------------------------------------


@pytest.mark.skipif(version() is None, reason="there is no openssl command")
def test_a_renegotiation_is_refused_and_others_go_on(run: Runner, pki: PKI) -> None:
    client, server_side = client_context(pki), server_context(pki)
    only(tlskit.TLSVersion.TLSv1_2, server_side)
    made: list[Calls] = []

    def factory() -> Calls:
        made.append(protocol := echoing())
        return protocol

    async def main() -> None:
        server: Any = await aio.create_server(factory, "127.0.0.1", 0, ssl=server_side)
        address = server.sockets[0].getsockname()
        transport, other = await aio.create_connection(
            Calls, *address, ssl=client, server_hostname="localhost"
        )

        def renegotiate() -> None:
            with s_client(address, pki.root, *speaking(tlskit.TLSVersion.TLSv1_2)) as peer:
                peer.expect("^CIPHER is|Cipher is")
                peer.say(b"R\n")
                peer.expect("no renegotiation")

        await asyncio.get_running_loop().run_in_executor(None, renegotiate)
        asking = made[1]
        await asking.lost.wait()
        assert asking.log.count("lost") == 1
        assert bytes(asking.data) == b""
        transport.write(b"still")
        assert await other.take(5) == b"still"
        transport.close()
        server.close()
        await server.wait_closed()

    run(main())


# -- happy eyeballs --------------------------------------------------------------------------------


@contextlib.contextmanager
def two_addresses(*, both_mute: bool) -> Iterator[tuple[socket.socket, list[Any]]]:
    """A listener, and what a name resolves to: an address whose queue is full, then the listener
    or one more of the kind.
    """
    with contextlib.ExitStack() as stack:
        mute = stack.enter_context(socket.socket())
        mute.bind(("127.0.0.2", 0))
        mute.listen(0)
        for _ in range(6):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(mute.getsockname())
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setblocking(False)
        second = mute if both_mute else listener
        yield (
            listener,
            [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", end.getsockname())
                for end in (mute, second)
            ],
        )


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue is silent on Linux")
@pytest.mark.parametrize("both_mute", [False, True])
def test_the_second_address_is_tried_beside_the_first(
    run: Runner, pki: PKI, contexts: Contexts, monkeypatch: pytest.MonkeyPatch, both_mute: bool
) -> None:
    theirs = peers_contexts(pki, contexts)[1]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with two_addresses(both_mute=both_mute) as (listener, found):

            async def resolved(*_: Any, **__: Any) -> list[Any]:
                return found

            monkeypatch.setattr(loop, "getaddrinfo", resolved)
            connecting = asyncio.ensure_future(
                aio.create_connection(
                    Calls, "two.example", listener.getsockname()[1], ssl=contexts[0],
                    server_hostname="localhost", happy_eyeballs_delay=0.01,
                )
            )  # fmt: skip
            if both_mute:
                await asyncio.wait([connecting], timeout=0.1)
                connecting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await connecting
                return  # a socket that were left open would be a ResourceWarning
            sock, _ = await loop.sock_accept(listener)
            sock.setblocking(False)
            with sock:
                await Peer(sock, theirs).handshake()
                transport, _ = await connecting
                assert transport.get_extra_info("peername")[0] == "127.0.0.1"
                transport.abort()

    run(main())


def test_all_errors_are_told_where_they_are_asked_for(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        with socket.socket() as unused:  # bound, and nobody listens
            unused.bind(("127.0.0.1", 0))
            arguments: Any = {"ssl": contexts[0], "happy_eyeballs_delay": 0.01, "interleave": 1}
            with pytest.raises(ConnectionRefusedError):
                await aio.create_connection(Calls, *unused.getsockname(), **arguments)
            if sys.version_info >= (3, 11):
                with pytest.raises(ExceptionGroup) as caught:  # noqa: F821
                    await aio.create_connection(
                        Calls, *unused.getsockname(), all_errors=True, **arguments
                    )
                assert [type(one) for one in caught.value.exceptions] == [ConnectionRefusedError]
                assert not isinstance(caught.value, SSLError)

    run(main())
