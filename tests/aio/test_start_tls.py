"""TLS that begins in the middle of a connection: `loop.start_tls` and the streams' `start_tls`, on
both sides.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

import tlskit
from tlskit import aio

from ..support.pairs import client_context, only, server_context
from ..support.pki import PKI
from .conftest import Runner
from .helpers import Accepted, Echo, Recorder, assert_ours, connect, listening

Contexts = tuple[Any, Any]
STREAMS = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="StreamWriter.start_tls came with Python 3.11"
)


class Upgrading(Recorder):
    """A server that answers STARTTLS, and goes over to TLS; then it sends back what comes."""

    context: Any

    def __init__(self) -> None:
        super().__init__()
        self.upgraded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._task is None:
            assert data == b"STARTTLS\n"
            self.data.clear()
            self._task = asyncio.ensure_future(self._upgrade())
        elif self.upgraded.done():
            self.transport.write(data)

    async def _upgrade(self) -> None:
        self.transport.write(b"go\n")
        try:
            self.transport = await asyncio.get_running_loop().start_tls(
                self.transport, self, self.context, server_side=True
            )
        except Exception as error:
            self.upgraded.set_exception(error)
        else:
            self.upgraded.set_result(None)
            self.transport.write(bytes(self.data))  # what has come before the task was told


def upgrading(context: Any) -> type[Upgrading]:
    return type("Upgrading", (Upgrading,), {"context": context})


async def ask_for_tls(address: tuple[str, int]) -> Any:
    """A client's protocol that has been told to go on with TLS."""
    _, near = await asyncio.get_running_loop().create_connection(Recorder, *address)
    near.transport.write(b"STARTTLS\n")
    assert await near.take(3) == b"go\n"
    return near


def test_both_sides_go_over(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        accepted = Accepted(upgrading(server))
        async with listening(accepted, None) as address:
            near = await ask_for_tls(address)
            plain = near.transport
            near.transport = await asyncio.get_running_loop().start_tls(
                plain, near, client, server_hostname="localhost"
            )
            far = await accepted.first()
            await far.upgraded
            for end, context in ((near, client), (far, server)):
                assert assert_ours(end.transport).context is context
                assert end.transport.get_extra_info("sslcontext") is context
            near.transport.write(b"hello")
            assert await near.take(5) == b"hello"
            near.transport.close()
            assert [await near.lost, await far.lost] == [None, None]

    run(main())


class Paused(Recorder):
    """A server that reads nothing in plaintext, and begins TLS at once."""

    context: Any

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.pause_reading()
        self._task = asyncio.ensure_future(self._upgrade(transport))

    async def _upgrade(self, plain: Any) -> None:
        self.transport = await aio.start_tls(plain, self, self.context, server_side=True)
        self.transport.write(b"welcome")


def test_a_transport_that_was_paused_from_its_beginning_takes_no_bytes_of_tls(
    run: Runner, contexts: Contexts
) -> None:
    """asyncio of Python 3.10 goes on to read from it."""
    client, server = contexts

    async def main() -> None:
        accepted = Accepted(type("Paused", (Paused,), {"context": server}))
        async with listening(accepted, None) as address:
            for _ in range(
                10
            ):  # two readers of one socket: each would get the ClientHello at times
                _, near = await asyncio.get_running_loop().create_connection(Recorder, *address)
                near.transport = await aio.start_tls(
                    near.transport, near, client, server_hostname="localhost"
                )
                assert await near.take(7) == b"welcome"
                near.transport.close()
                await near.lost

    run(main())


def test_a_certificate_for_another_name_is_refused(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        accepted = Accepted(upgrading(server))
        async with listening(accepted, None) as address:
            near = await ask_for_tls(address)
            with pytest.raises(tlskit.SSLCertVerificationError, match=r"wrong\.example"):
                await asyncio.get_running_loop().start_tls(
                    near.transport, near, client, server_hostname="wrong.example"
                )
            far = await accepted.first()
            with pytest.raises((ConnectionError, tlskit.SSLError)):
                await far.upgraded

    run(main())


def test_a_peer_that_stays_in_the_clear(run: Runner, contexts: Contexts) -> None:
    client, _ = contexts

    async def main() -> None:
        async with listening(Echo, None) as address:
            _, near = await asyncio.get_running_loop().create_connection(Recorder, *address)
            with pytest.raises(tlskit.SSLError):  # it sends the ClientHello back
                await asyncio.get_running_loop().start_tls(
                    near.transport, near, client, server_hostname="localhost"
                )

    run(main())


def test_a_handshake_that_does_not_come_times_out(run: Runner, contexts: Contexts) -> None:
    client, _ = contexts

    async def main() -> None:
        async with listening(Recorder, None) as address:
            _, near = await asyncio.get_running_loop().create_connection(Recorder, *address)
            with pytest.raises(ConnectionAbortedError, match=r"0\.05 seconds"):
                await asyncio.get_running_loop().start_tls(
                    near.transport,
                    near,
                    client,
                    server_hostname="localhost",
                    ssl_handshake_timeout=0.05,
                )

    run(main())


def test_a_connection_that_is_closed_is_refused(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        async with listening(Recorder, None) as address:
            loop = asyncio.get_running_loop()
            transport, protocol = await loop.create_connection(Recorder, *address)
            transport.close()
            with pytest.raises(ConnectionAbortedError, match="Failed to start TLS"):
                await aio.start_tls(transport, protocol, contexts[0], server_hostname="localhost")
            assert await protocol.lost is None

    run(main())


def test_what_is_no_context_is_refused(run: Runner) -> None:
    async def main() -> None:
        async with listening(Recorder, None) as address:
            _, near = await asyncio.get_running_loop().create_connection(Recorder, *address)
            with pytest.raises(TypeError):
                await asyncio.get_running_loop().start_tls(
                    near.transport, near, object(), server_hostname="localhost"
                )
            near.transport.close()
            await near.lost

    run(main())


def test_tls_inside_tls(run: Runner, pki: PKI, contexts: Contexts) -> None:
    """A connection over TLS goes over to TLS once more: what an HTTPS proxy's tunnel is."""
    client, server = contexts
    if sys.version_info < (3, 11) and "uvloop" not in type(run.loop).__module__:
        pytest.skip("asyncio takes a transport over TLS for start_tls from Python 3.11 on")
    inner_client, inner_server = client_context(pki), server_context(pki, identity=pki.rsa)
    only(client.maximum_version, inner_client, inner_server)

    async def main() -> None:
        accepted = Accepted(upgrading(inner_server))
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            assert_ours(outer := near.transport)
            outer.write(b"STARTTLS\n")
            assert await near.take(3) == b"go\n"
            inner = await asyncio.get_running_loop().start_tls(
                outer, near, inner_client, server_hostname="localhost"
            )
            assert assert_ours(inner) is not outer.get_extra_info("ssl_object")
            assert inner.get_extra_info("peercert") != outer.get_extra_info("peercert")
            sent = bytes(range(256)) * 1000
            inner.write(sent)
            assert await near.take(len(sent)) == sent
            inner.close()
            await near.lost

    run(main())


@STREAMS
@pytest.mark.parametrize("hostname", ["localhost", "wrong.example"])
def test_streams_go_over(run: Runner, contexts: Contexts, hostname: str) -> None:
    client, server = contexts

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go\n")
        try:
            await writer.start_tls(server)
            assert_ours(writer.transport)
            writer.write(await reader.readline())
            await writer.drain()
        except (ConnectionError, tlskit.SSLError):
            assert hostname == "wrong.example"
        finally:
            writer.close()

    async def main() -> None:
        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go\n"
        if hostname == "localhost":
            await writer.start_tls(client, server_hostname=hostname)
            assert_ours(writer.transport)
            writer.write(b"hello\n")
            assert await reader.read() == b"hello\n"
        else:
            with pytest.raises(tlskit.SSLCertVerificationError):
                await writer.start_tls(client, server_hostname=hostname)
        writer.close()
        listener.close()
        await listener.wait_closed()

    run(main())
