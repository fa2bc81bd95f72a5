"""Servers, upgrades, and the installation into the loops."""

from __future__ import annotations

import asyncio
import logging
import ssl as stdlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tlskit
from tlskit import SSLError, aio

from ...support.pairs import client_context
from ...support.pki import PKI
from ...support.system import needs_unix_sockets
from ..conftest import Runner
from .peer import Calls, Peer, accepting, reach
from .test_handshake import peers_contexts

Contexts = tuple[Any, Any]


@pytest.mark.parametrize("way", ["close_clients", "abort_clients"])
def test_a_server_counts_from_accept_on(
    run: Runner, pki: PKI, contexts: Contexts, way: str
) -> None:
    """One connection is open, one is in its handshake."""
    theirs, _ = peers_contexts(pki, contexts)

    async def main() -> None:
        protocols: list[Calls] = []
        server: Any = await aio.create_server(
            lambda: protocols.append(Calls()) or protocols[-1],  # type: ignore[func-returns-value]
            "127.0.0.1", 0, ssl=contexts[1], ssl_shutdown_timeout=0.05,
        )  # fmt: skip
        address = server.sockets[0].getsockname()
        talks = Peer(await reach(address), theirs, server_side=False)
        await talks.handshake()
        mute = await reach(address)
        while len(protocols) < 2:
            await asyncio.sleep(0)
        server.close()
        waiting = asyncio.ensure_future(server.wait_closed())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        getattr(server, way)()
        await waiting
        assert sorted(protocol.log for protocol in protocols) == [[], ["made", "lost"]]
        assert server.sockets == ()
        talks.sock.close()
        mute.close()

    run(main())


def test_a_factory_that_raises_costs_one_connection(run: Runner, contexts: Contexts) -> None:
    """The loop hears of it, the client is not left waiting, and the next one is served."""
    made: list[Calls] = []

    def factory() -> Calls:
        made.append(Calls())
        if len(made) == 1:
            raise LookupError("no protocol")
        return made[-1]

    async def main() -> None:
        server: Any = await aio.create_server(factory, "127.0.0.1", 0, ssl=contexts[1])
        address = server.sockets[0].getsockname()
        with pytest.raises(ConnectionError):
            await aio.create_connection(
                Calls, *address, ssl=contexts[0], server_hostname="localhost"
            )
        transport, _ = await aio.create_connection(
            Calls, *address, ssl=contexts[0], server_hostname="localhost"
        )
        transport.close()
        server.close()
        await server.wait_closed()

    run(main())
    [complaint] = run.complaints
    assert str(complaint["exception"]) == "no protocol"
    run.complaints.clear()


def test_a_loop_in_debug_mode_logs_each_step(
    run: Runner, pki: PKI, contexts: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "asyncio")
    stranger = client_context(pki)
    stranger.trust_store = tlskit.TrustStore()

    async def main() -> None:
        asyncio.get_running_loop().set_debug(True)
        server: Any = await aio.create_server(Calls, "127.0.0.1", 0, ssl=contexts[1])
        address = server.sockets[0].getsockname()
        transport, protocol = await aio.create_connection(
            Calls, *address, ssl=contexts[0], server_hostname="localhost"
        )
        transport.close()
        await protocol.lost.wait()
        with pytest.raises(tlskit.SSLCertVerificationError):
            await aio.create_connection(Calls, *address, ssl=stranger, server_hostname="localhost")
        server.close()
        await server.wait_closed()

    run(main())
    said = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    for words in ("is serving", "got a new connection", "is connected", "handshake failed"):
        assert any(words in message for message in said), (words, said)


def test_serve_forever(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        server = await aio.create_server(
            Calls, "127.0.0.1", 0, ssl=contexts[1], start_serving=False
        )
        assert not server.is_serving()
        forever = asyncio.ensure_future(server.serve_forever())
        await asyncio.sleep(0)
        assert server.is_serving()
        with pytest.raises(RuntimeError, match="already"):
            await server.serve_forever()
        forever.cancel()
        with pytest.raises(asyncio.CancelledError):
            await forever
        assert not server.is_serving()
        with pytest.raises(RuntimeError, match="closed"):
            await server.serve_forever()

    run(main())


@needs_unix_sockets
def test_unix_sockets(run: Runner, contexts: Contexts, tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        server = await aio.create_unix_server(
            lambda: Calls(data=lambda p, d: p.transport.write(d)), path, ssl=contexts[1]
        )
        transport, protocol = await aio.create_unix_connection(
            Calls, path, ssl=contexts[0], server_hostname="localhost"
        )
        transport.write(b"over a path")
        assert await protocol.take(11) == b"over a path"
        transport.abort()
        server.close()
        await server.wait_closed()
        assert not path.exists()

    run(main())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"host": "127.0.0.1", "port": 1, "ssl_handshake_timeout": 0}, "positive"),
        ({"sock": None}, "server_hostname"),
        ({"server_hostname": "a.example"}, "not specified|no sock"),
    ],
)
def test_arguments(
    run: Runner, contexts: Contexts, arguments: dict[str, Any], problem: str
) -> None:
    async def main() -> None:
        async with accepting() as (address, _):
            if "port" in arguments:
                arguments["port"] = address[1]
            with pytest.raises(ValueError, match=problem):
                await aio.create_connection(Calls, ssl=contexts[0], **arguments)

    run(main())


# -- upgrades --------------------------------------------------------------------------------------


@pytest.mark.parametrize("injected", [b"", b"EVIL\r\n"], ids=["clean", "injected"])
def test_bytes_that_a_reader_holds_are_the_first_of_tls(
    run: Runner, pki: PKI, contexts: Contexts, injected: bytes
) -> None:
    theirs, _ = peers_contexts(pki, contexts)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        async def serve(reader: Any, writer: Any) -> None:
            try:
                await reader.readline()
                protocol = writer.transport.get_protocol()
                upgraded = await aio.start_tls(
                    writer.transport, protocol, contexts[1], server_side=True
                )
                upgraded.write(await reader.readline())
                assert reader._transport is upgraded
                done.set_result(None)
                upgraded.close()
            except Exception as error:
                done.set_exception(error)
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        peer = Peer(await reach(server.sockets[0].getsockname()), theirs, server_side=False)
        with pytest.raises(stdlib.SSLWantReadError):
            peer.tls.do_handshake()
        hello = peer.taken()
        await loop.sock_sendall(peer.sock, b"STARTTLS\r\n" + injected + hello)
        if injected:
            with pytest.raises(SSLError):
                await done
        else:
            await peer.handshake()
            await peer.write(b"inside\r\n")
            await done
            assert await peer.read() == b"inside\r\n"
        peer.sock.close()
        server.close()

    run(main())


def test_tls_in_tls(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        inside = asyncio.get_running_loop().create_future()

        async def serve(transport: Any, protocol: Calls) -> None:
            inside.set_result(
                await aio.start_tls(transport, protocol, contexts[1], server_side=True)
            )

        tasks = []

        def upgrade(protocol: Calls, data: bytes) -> None:
            if data == b"upgrade":
                protocol.transport.pause_reading()
                tasks.append(asyncio.ensure_future(serve(protocol.transport, protocol)))
                protocol.transport.write(b"go")

        served = Calls(data=upgrade)
        server = await aio.create_server(lambda: served, "127.0.0.1", 0, ssl=contexts[1])
        address = server.sockets[0].getsockname()  # type: ignore[attr-defined]
        outer, protocol = await aio.create_connection(
            Calls, *address, ssl=contexts[0], server_hostname="localhost"
        )
        outer.write(b"upgrade")
        assert await protocol.take(2) == b"go"
        inner = await aio.start_tls(outer, protocol, contexts[0], server_hostname="localhost")
        inner.write(b"twice")
        await inside
        assert (await served.take(12))[7:] == b"twice"
        inner.close()
        await protocol.lost.wait()
        await served.lost.wait()
        assert outer.is_closing()
        server.close()
        await server.wait_closed()

    run(main())


def test_a_failed_upgrade_ends_the_connection(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        async with accepting() as (address, accept):
            loop = asyncio.get_running_loop()
            plain, protocol = await loop.create_connection(Calls, *address)
            sock = await accept()
            upgrade = asyncio.ensure_future(
                aio.start_tls(plain, protocol, contexts[0], server_hostname="localhost")
            )
            await loop.sock_recv(sock, 65536)
            await loop.sock_sendall(sock, b"220 not TLS at all\r\n")
            with pytest.raises(SSLError):
                await upgrade
            await protocol.lost.wait()
            assert protocol.log.count("lost") == 1
            assert plain.is_closing()

    run(main())


def test_what_cannot_be_upgraded(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        async with accepting() as (address, _):
            loop = asyncio.get_running_loop()
            plain, protocol = await loop.create_connection(Calls, *address)
            with pytest.raises(TypeError, match="sslcontext"):
                await aio.start_tls(plain, protocol, None)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="not supported"):
                await aio.start_tls(asyncio.Transport(), protocol, contexts[0])
            plain.abort()
            await protocol.lost.wait()

    run(main())


# -- installation ----------------------------------------------------------------------------------


def test_install_and_uninstall(run: Runner, pki: PKI, contexts: Contexts) -> None:
    theirs = peers_contexts(pki, contexts)[0]

    async def kind(context: Any, address: Any) -> type:
        transport, _ = await asyncio.get_running_loop().create_connection(
            Calls, *address, ssl=context, server_hostname="localhost"
        )
        transport.abort()
        return type(transport)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server: Any = await aio.create_server(Calls, "127.0.0.1", 0, ssl=contexts[1])
        address = server.sockets[0].getsockname()
        before = type(loop).create_connection  # type: ignore[attr-defined]
        assert await kind(contexts[0], address) is not aio.SSLTransport
        with aio.install():
            with aio.install():
                assert await kind(contexts[0], address) is aio.SSLTransport
            assert await kind(contexts[0], address) is aio.SSLTransport
            assert await kind(theirs, address) is not aio.SSLTransport
        assert type(loop).create_connection is before  # type: ignore[attr-defined]
        assert await kind(contexts[0], address) is not aio.SSLTransport
        server.close()
        server.abort_clients()
        await server.wait_closed()

    run(main())


def test_an_object_class_that_moves_bytes_in_its_own_way_is_asyncios(
    run: Runner, contexts: Contexts
) -> None:
    class Own(tlskit.SSLObject):
        def read(self, len: int = 1024, buffer: Any = None) -> Any:
            return super().read(len, buffer)

    contexts[0].sslobject_class = Own

    async def main() -> None:
        server: Any = await aio.create_server(Calls, "127.0.0.1", 0, ssl=contexts[1])
        transport, _ = await aio.create_connection(
            Calls, *server.sockets[0].getsockname(), ssl=contexts[0], server_hostname="localhost"
        )
        assert not isinstance(transport, aio.SSLTransport)
        transport.abort()
        server.close()
        server.abort_clients()
        await server.wait_closed()

    run(main())


def test_injection_reaches_asyncio_whenever_it_is_imported() -> None:
    program = """
import sys, tlskit
tlskit.inject_into_ssl()
tlskit.inject_into_ssl()
tlskit.extract_from_ssl()
tlskit.inject_into_ssl()
assert "asyncio" not in sys.modules
import asyncio
method = asyncio.SelectorEventLoop.create_connection
assert method.__wrapped__ is not method
assert not type(asyncio.__loader__).__module__.startswith("tlskit")
tlskit.inject_into_ssl()
tlskit.extract_from_ssl()
assert not hasattr(asyncio.SelectorEventLoop.create_connection, "__wrapped__")
try:
    import uvloop
except ImportError:
    raise SystemExit
assert not hasattr(asyncio.SelectorEventLoop.create_connection, "__wrapped__")
assert not hasattr(uvloop.Loop.create_connection, "__wrapped__")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_contexts_of_the_stdlib_go_asyncios_way_during_an_injection(pki: PKI) -> None:
    """Injection makes them instances of tlskit's class: what counts is what they are."""
    program = f"""
import asyncio, ssl, sys, tlskit
theirs = ssl.create_default_context(cafile={str(pki.root)!r})
tlskit.inject_into_ssl()
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain({str(pki.server.chain)!r}, {str(pki.server.key)!r})

async def main():
    listening = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=server)
    port = listening.sockets[0].getsockname()[1]
    kinds = []
    for context in (theirs, ssl.create_default_context(cafile={str(pki.root)!r})):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
        kinds.append(type(writer.transport).__module__.partition(".")[0])
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert kinds == ["asyncio", "tlskit"], kinds

# the default loop on Windows cannot watch descriptors
loop = asyncio.SelectorEventLoop() if sys.platform == "win32" else asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)
