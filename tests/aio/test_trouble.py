"""Timeouts, cancellation, peers that vanish, and renegotiation."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
from typing import Any
from weakref import ref

import pytest

import tlskit

from ..support import peers
from ..support.pairs import Background, server_context
from ..support.pki import PKI
from ..support.raw import reset
from ..support.system import needs_resets
from .conftest import Runner
from .helpers import Accepted, Echo, Recorder, assert_ours, connect, listening

Contexts = tuple[Any, Any]
SHUTDOWN_TIMEOUT = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="ssl_shutdown_timeout came with Python 3.11"
)


@contextlib.contextmanager
def silent() -> Any:
    """The address of a listener that accepts into its backlog, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


# -- timeouts --------------------------------------------------------------------------------------


def test_a_clients_handshake_times_out(run: Runner, contexts: Contexts) -> None:
    client, _ = contexts

    async def main() -> None:
        with silent() as address, pytest.raises(ConnectionAbortedError, match=r"0\.05 seconds"):
            await asyncio.get_running_loop().create_connection(
                Recorder,
                *address,
                ssl=client,
                server_hostname="localhost",
                ssl_handshake_timeout=0.05,
            )

    run(main())


def test_a_servers_handshake_times_out(run: Runner, contexts: Contexts) -> None:
    _, server = contexts

    async def main() -> None:
        accepted = Accepted(Recorder)
        async with listening(accepted, server, ssl_handshake_timeout=0.05) as address:
            _, near = await asyncio.get_running_loop().create_connection(Recorder, *address)
            await near.lost
            assert not any(one.made.done() for one in accepted)

    run(main())


@SHUTDOWN_TIMEOUT
def test_a_shutdown_that_is_not_answered_times_out(run: Runner, contexts: Contexts) -> None:
    client, server = contexts
    if "uvloop" in type(run.loop).__module__:
        pytest.skip("uvloop goes on waiting, with the stdlib's ssl as well")

    async def main() -> None:
        near_socket, far_socket = socket.socketpair()
        near_socket.setblocking(False)
        accepting = Background(lambda: server.wrap_socket(far_socket, server_side=True))
        transport, near = await asyncio.get_running_loop().create_connection(
            Recorder,
            sock=near_socket,
            ssl=client,
            server_hostname="localhost",
            ssl_shutdown_timeout=0.05,
        )
        with await asyncio.to_thread(accepting.result):
            transport.close()
            lost = await near.lost
        assert lost is None or isinstance(lost, TimeoutError)  # each loop has its own way

    run(main())
    run.complaints.clear()


# -- cancellation ----------------------------------------------------------------------------------


def test_a_handshake_that_is_cancelled_leaves_nothing_open(run: Runner, contexts: Contexts) -> None:
    client, _ = contexts

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            connecting = asyncio.ensure_future(connect(listener.getsockname(), client))
            accepted = await asyncio.to_thread(listener.accept)
            with accepted[0] as far:
                far.settimeout(20)
                hello = await asyncio.to_thread(far.recv, 65536)
                assert hello[0] == 22  # the handshake has begun
                connecting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await connecting
                assert await asyncio.to_thread(drained, far)

    run(main())


def drained(far: socket.socket) -> bool:
    """Whether the peer has closed."""
    try:
        while far.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_a_handshake_that_is_cancelled_on_both_sides_over_and_over(
    run: Runner, contexts: Contexts
) -> None:
    """Wherever it is cancelled, the next connection works, and the SSLObjects do not pile up."""
    client, server = contexts
    alive: list[ref[Any]] = []

    class Counted(tlskit.SSLObject):
        def do_handshake(self) -> None:
            alive.append(ref(self))
            super().do_handshake()

    client.sslobject_class = server.sslobject_class = Counted

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            for steps in range(12):
                connecting = asyncio.ensure_future(connect(address, client))
                for _ in range(steps):
                    await asyncio.sleep(0)
                connecting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    made = await connecting
                    made.transport.abort()
                    await made.lost
            near = await connect(address, client)
            near.transport.write(b"hello")
            assert await near.take(5) == b"hello"
            near.transport.close()
            await near.lost

    run(main())
    run.complaints.clear()
    for _ in range(5):
        run(asyncio.sleep(0))
    gc.collect()
    assert len(alive) > 2
    left = {id(each()) for each in alive if each() is not None}
    assert len(left) <= (
        2 if "uvloop" in type(run.loop).__module__ else 0
    )  # its timers keep the last ones


# -- peers that vanish -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("when", ["before the handshake", "after it"])
def test_a_peer_that_vanishes(run: Runner, contexts: Contexts, how: str, when: str) -> None:
    client, server = contexts
    vanish = reset if how == "reset" else socket.socket.close

    def serve(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        plain.settimeout(20)
        if when == "after it":
            with server.wrap_socket(plain, server_side=True) as secure:
                assert secure.recv(100) == b"hello"
                vanish(socket.socket(fileno=secure.detach()))
        else:
            plain.recv(10)
            vanish(plain)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = Background(lambda: serve(listener))
            connecting = connect(listener.getsockname(), client)
            if when == "after it":
                near = await connecting
                near.transport.write(b"hello")
                lost = await near.lost
                assert lost is None or isinstance(lost, (ConnectionError, tlskit.SSLError))
                assert not near.data
            else:
                with pytest.raises((ConnectionError, tlskit.SSLError)):
                    await connecting
            await asyncio.to_thread(serving.result)

    run(main())


@needs_resets
def test_last_words_and_a_reset_at_once(run: Runner, contexts: Contexts) -> None:
    """What the loop says once, of both together, has to be enough."""
    client, server = contexts

    def serve(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        plain.settimeout(20)
        with server.wrap_socket(plain, server_side=True) as secure:
            assert secure.recv(100) == b"hello"
            secure.sendall(b"last words")
            reset(socket.socket(fileno=secure.detach()))

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = Background(lambda: serve(listener))
            near = await connect(listener.getsockname(), client)
            near.transport.pause_reading()
            near.transport.write(b"hello")
            await asyncio.to_thread(serving.result)
            near.transport.resume_reading()
            lost = await near.lost
            assert isinstance(lost, (ConnectionError, tlskit.SSLError)) or near.data
            assert near.data in (b"", b"last words")  # as the system has it

    run(main())


def test_abort_sends_no_close_notify(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    def serve(listener: socket.socket) -> str:
        plain, _ = listener.accept()
        plain.settimeout(20)
        with server.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as secure:
            assert secure.recv(5) == b"hello"
            try:
                return repr(secure.recv(5))
            except (ConnectionError, tlskit.SSLEOFError) as error:
                return type(error).__name__

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = Background(lambda: serve(listener))
            near = await connect(listener.getsockname(), client)
            near.transport.write(b"hello")
            await asyncio.sleep(0)
            near.transport.abort()
            await near.lost
            assert await asyncio.to_thread(serving.result) in (
                "SSLEOFError",
                "ConnectionResetError",
            )

    run(main())


def test_records_that_were_tampered_with_end_the_connection(
    run: Runner, contexts: Contexts
) -> None:
    client, server = contexts

    class Tampering(Recorder):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)

    def serve(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        plain.settimeout(20)
        with server.wrap_socket(plain, server_side=True) as secure:
            assert secure.recv(100) == b"hello"
            with socket.socket(fileno=secure.detach()) as raw:
                raw.settimeout(20)
                raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
                drained(raw)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = Background(lambda: serve(listener))
            near = await connect(listener.getsockname(), client, Tampering)
            near.transport.write(b"hello")
            lost = await near.lost
            assert isinstance(lost, tlskit.SSLError)
            assert lost.reason in (
                "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
                "RECORD_LAYER_FAILURE",
            )  # the latter from OpenSSL 3.2 on
            assert not near.data
            await asyncio.to_thread(serving.result)

    run(main())
    run.complaints.clear()


# -- renegotiation ---------------------------------------------------------------------------------

needs_openssl = pytest.mark.skipif(
    peers.version() is None, reason="there is no openssl command of OpenSSL 3 or later"
)


@needs_openssl
def test_a_client_that_renegotiates_is_refused(run: Runner, pki: PKI) -> None:
    server = server_context(pki)
    server.maximum_version = tlskit.TLSVersion.TLSv1_2

    def talk(address: Any) -> None:
        with peers.s_client(address, pki.root, "-tls1_2") as client:
            client.expect(r"Verify return code: 0")
            client.say(b"hello\n")
            client.expect(r"^hello$")
            client.say(b"R\n")
            client.expect(r"RENEGOTIATING")
            client.expect(r"no renegotiation")

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            talking = Background(lambda: talk(address))
            far = await accepted.first()
            await far.lost
            await asyncio.to_thread(talking.result)

    run(main())
    run.complaints.clear()


@needs_openssl
@pytest.mark.parametrize("refused", [True, False], ids=["refused", "allowed"])
def test_a_server_that_asks_for_renegotiation(run: Runner, pki: PKI, refused: bool) -> None:
    client = tlskit.create_default_context(cafile=str(pki.root))
    client.maximum_version = tlskit.TLSVersion.TLSv1_2
    if refused:
        client.options |= tlskit.OP_NO_RENEGOTIATION

    async def main() -> None:
        with peers.s_server(pki.direct, "-tls1_2") as server:
            near = await connect(server.address, client)
            near.transport.write(b"hello\n")
            await asyncio.to_thread(server.expect, r"^hello$")
            before = assert_ours(near.transport).finished_message()
            server.say(b"r\n")
            if refused:
                await asyncio.to_thread(server.expect, r"no renegotiation")
                await near.lost
            else:
                await asyncio.to_thread(server.expect, r"SSL_do_handshake -> 1")
                server.say(b"welcome\n")
                assert await near.take(8) == b"welcome\n"
                near.transport.close()
                await near.lost
            changed = assert_ours(near.transport).finished_message() != before
            assert changed != refused

    run(main())
    run.complaints.clear()
