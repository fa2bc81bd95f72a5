"""One side of a connection of an event loop ends, and the other goes on."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

import tlskit
from tlskit import TLSVersion, aio

from ..support.pairs import Background, client_context, only, server_context
from ..support.pki import PKI


@pytest.fixture(params=["own"])
def installed(request: pytest.FixtureRequest) -> Any:
    with aio.install():
        yield True


@pytest.mark.parametrize("version", [TLSVersion.TLSv1_2, TLSVersion.TLSv1_3])
def test_a_stream_says_that_it_will_send_no_more(run: Any, pki: PKI, version: TLSVersion) -> None:
    client, server = client_context(pki), server_context(pki)
    only(version, client, server)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> bytes:
        plain, _ = listener.accept()
        received = b""
        with plain, server.wrap_socket(plain, server_side=True) as wrapped:
            while data := wrapped.recv(100):
                received += data
            assert wrapped.close_notify_received
            wrapped.sendall(b"got " + received)
            wrapped.unwrap()
        return received

    serving = Background(serve)

    async def main() -> bytes:
        reader, writer = await asyncio.open_connection(
            *listener.getsockname(), ssl=client, server_hostname="localhost"
        )
        writer.write(b"hello")
        made = writer.get_extra_info("ssl_object")
        assert writer.transport.get_write_buffer_size() == 0
        assert not made.close_notify_sent
        made.close_notify()
        assert made.close_notify_sent
        assert not made.close_notify_received
        answer = await reader.read()
        assert made.close_notify_received
        assert writer.get_extra_info("close_notify") is True
        writer.close()
        await writer.wait_closed()
        return answer

    with listener:
        assert run(main()) == b"got hello"
        assert serving.result() == b"hello"


def test_nothing_can_be_sent_after_it(run: Any, pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.close()

    async def main() -> None:
        made = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server)
        _, writer = await asyncio.open_connection(
            *made.sockets[0].getsockname(), ssl=client, server_hostname="localhost"
        )
        writer.get_extra_info("ssl_object").close_notify()
        writer.write(b"too late")
        with pytest.raises((OSError, tlskit.SSLError), match=r"."):
            await writer.wait_closed()
        made.close()

    run(main())
