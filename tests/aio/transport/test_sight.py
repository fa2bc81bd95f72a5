"""What an operator and the resumption of sessions know of a transport's other end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import tlskit
from tlskit import SSLError, aio

from ...support.pairs import client_context, only, server_context
from ...support.pki import PKI
from ..conftest import Runner
from .peer import Calls, reach

Contexts = tuple[Any, Any]


def lines(caplog: pytest.LogCaptureFixture, beginning: str) -> list[logging.LogRecord]:
    """The records of tlskit's logger whose message begins like this."""
    return [
        record
        for record in caplog.records
        if record.name == "tlskit" and record.getMessage().startswith(beginning)
    ]


async def refused(address: Any, context: Any) -> None:
    """Connect, and be refused: with TLS 1.3, after the client's handshake."""
    try:
        _, protocol = await aio.create_connection(
            Calls, *address, ssl=context, server_hostname="localhost"
        )
    except SSLError:
        return
    await protocol.lost.wait()
    assert isinstance(protocol.error, SSLError)


def test_a_complete_handshake_is_logged_with_the_address(
    run: Runner, contexts: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "tlskit")

    async def main() -> None:
        server: Any = await aio.create_server(Calls, "127.0.0.1", 0, ssl=contexts[1])
        host, port = server.sockets[0].getsockname()
        transport, _ = await aio.create_connection(
            Calls, host, port, ssl=contexts[0], server_hostname="localhost"
        )
        here = transport.get_extra_info("sockname")[1]
        transport.close()
        server.close()
        await server.wait_closed()
        assert len(lines(caplog, f"handshake with server {host}:{port} (localhost) compl")) == 1
        assert len(lines(caplog, f"handshake with client {host}:{here} (localhost) compl")) == 1

    run(main())


def test_a_refused_client_certificate_is_logged(
    run: Runner, pki: PKI, version: tlskit.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tlskit")
    client, demanding = client_context(pki), server_context(pki)
    demanding.verify_mode = tlskit.CERT_REQUIRED
    only(version, client, demanding)

    async def main() -> None:
        server: Any = await aio.create_server(Calls, "127.0.0.1", 0, ssl=demanding)
        await refused(server.sockets[0].getsockname(), client)
        server.close()
        await server.wait_closed()
        (record,) = lines(caplog, "handshake with client 127.0.0.1:")
        assert record.levelno == logging.INFO
        assert "This server requires a client certificate" in record.getMessage()

    run(main())


def test_a_handshake_that_takes_too_long_is_logged_once(
    run: Runner, contexts: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tlskit")

    async def main() -> None:
        server: Any = await aio.create_server(
            Calls, "127.0.0.1", 0, ssl=contexts[1], ssl_handshake_timeout=0.05
        )
        mute = await reach(server.sockets[0].getsockname())
        assert await asyncio.get_running_loop().sock_recv(mute, 100) == b""
        here = mute.getsockname()[1]
        mute.close()
        server.close()
        await server.wait_closed()
        (record,) = lines(caplog, "handshake with client")
        assert f"127.0.0.1:{here}" in record.getMessage()
        assert "longer than 0.05 seconds" in record.getMessage()

    run(main())


def test_ports_are_kept_apart(run: Runner, pki: PKI, version: tlskit.TLSVersion) -> None:
    """Two services of one host that do not know each other's sessions: after the first refusal,
    each port is offered its own.
    """
    client = client_context(pki)
    only(version, client)
    client.sessions.store = tlskit.MemoryStore()

    async def visit(server: Any) -> bool:
        transport, protocol = await aio.create_connection(
            Calls, *server.sockets[0].getsockname(), ssl=client, server_hostname="localhost"
        )
        await protocol.take(2)  # with TLS 1.3 the tickets came before it
        reused = bool(transport.get_extra_info("ssl_object").session_reused)
        transport.close()
        await protocol.lost.wait()
        return reused

    async def main() -> None:
        services = []
        for _ in range(2):
            context = server_context(pki)
            only(version, context)
            services.append(
                await aio.create_server(
                    lambda: Calls(made=lambda p: p.transport.write(b"hi")),
                    "127.0.0.1", 0, ssl=context,
                )
            )  # fmt: skip
        for _ in range(2):  # what is refused is learnt
            for server in services:
                await visit(server)
        assert [await visit(server) for server in services] == [True, True]
        for server in services:
            server.close()
            await server.wait_closed()

    run(main())
