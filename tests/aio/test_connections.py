"""`create_connection`, `create_server` and their unix kind, with contexts of tlskit on either side
or both.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl as stdlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tlskit

from ..support.pairs import client_context, only, server_context
from ..support.pki import PKI
from ..support.system import needs_unix_sockets
from .conftest import Runner
from .helpers import (
    Accepted,
    Echo,
    Recorder,
    assert_ours,
    connect,
    connected_pair,
    listening,
    noting,
)

Contexts = tuple[Any, Any]
OLD = sys.version_info < (3, 11)  # asyncio did not tell its protocols of a close_notify


def test_a_connection_is_made_by_tlskit_on_both_sides(
    run: Runner, contexts: Contexts, version: tlskit.TLSVersion
) -> None:
    client, server = contexts

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            near.transport.write(b"hello")
            assert await near.take(5) == b"hello"
            for end in (near, far):
                assert assert_ours(end.transport).version() == version.name.replace("_", ".")
            near.transport.close()
            assert await near.lost is None
            assert await far.lost is None
            assert far.eof or OLD

    run(main())


@pytest.mark.parametrize("modules", [(tlskit, stdlib), (stdlib, tlskit)], ids=["client", "server"])
def test_the_other_side_may_be_the_stdlibs(
    run: Runner, pki: PKI, version: tlskit.TLSVersion, modules: tuple[ModuleType, ModuleType]
) -> None:
    client, server = client_context(pki, module=modules[0]), server_context(pki, module=modules[1])
    only(version, client, server)

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            ours = near if modules[0] is tlskit else far
            assert_ours(ours.transport)
            near.transport.write(bytes(100_000))
            assert await near.take(100_000) == bytes(100_000)
            near.transport.close()
            assert [await near.lost, await far.lost] == [None, None]

    run(main())


def test_extra_info_says_what_was_negotiated(run: Runner, pki: PKI, contexts: Contexts) -> None:
    client, server = contexts
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            near = await connect(address, client)
            far = await accepted.first()
            for end, context in ((near, client), (far, server)):
                ask = end.transport.get_extra_info
                made = ask("ssl_object")
                assert ask("sslcontext") is context
                assert made.context is context
                assert ask("cipher") == made.cipher()
                assert ask("peercert") == made.getpeercert()
                assert ask("compression") is None
                assert ask("socket").fileno() >= 0
                assert ask("no such thing", "instead") == "instead"
            assert ("DNS", "localhost") in near.transport.get_extra_info("peercert")[
                "subjectAltName"
            ]
            assert far.transport.get_extra_info("peercert")["issuer"]
            near.transport.close()
            await near.lost
            await far.lost

    run(main())


@needs_unix_sockets
def test_unix_sockets(run: Runner, contexts: Contexts, tmp_path: Path) -> None:
    client, server = contexts
    path = str(tmp_path / "s")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = await loop.create_unix_server(Echo, path, ssl=server)
        transport, near = await loop.create_unix_connection(
            Recorder, path, ssl=client, server_hostname="localhost"
        )
        assert_ours(transport)
        transport.write(b"hello")
        assert await near.take(5) == b"hello"
        transport.close()
        assert await near.lost is None
        listener.close()
        await listener.wait_closed()

    run(main())


def test_sockets_that_were_connected_before(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        loop = asyncio.get_running_loop()
        near_socket, far_socket = connected_pair()
        accepted = Accepted(Echo)
        accepting = asyncio.ensure_future(
            loop.connect_accepted_socket(accepted, far_socket, ssl=server)
        )
        transport, near = await loop.create_connection(
            Recorder, sock=near_socket, ssl=client, server_hostname="localhost"
        )
        far = await accepted.first()
        await accepting
        assert_ours(transport)
        assert_ours(far.transport)
        transport.write(b"hello")
        assert await near.take(5) == b"hello"
        far.transport.close()
        assert await near.lost is None
        assert near.eof or OLD
        assert await far.lost is None

    run(main())


def test_alpn_and_the_name_are_agreed_on(run: Runner, contexts: Contexts) -> None:
    client, server = contexts
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["http/1.1"])
    asked: list[tuple[type, str | None]] = []
    server.sni_callback = lambda made, name, context: asked.append((type(made), name))

    async def main() -> None:
        async with listening(Echo, server) as address:
            near = await connect(address, client)
            assert assert_ours(near.transport).selected_alpn_protocol() == "http/1.1"
            near.transport.close()
            await near.lost

    run(main())
    assert asked == [(tlskit.SSLObject, "localhost")]


def test_users_classes_are_made(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    class Mine(tlskit.SSLObject):
        pass

    client.sslobject_class = Mine

    async def main() -> None:
        async with listening(Echo, server) as address:
            near = await connect(address, client)
            assert type(near.transport.get_extra_info("ssl_object")) is Mine
            near.transport.close()
            await near.lost

    run(main())


def test_a_certificate_for_another_name_is_refused(run: Runner, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            with pytest.raises(tlskit.SSLCertVerificationError) as caught:
                await connect(address, client, hostname="wrong.example")
            assert caught.value.verify_code == 62
            assert "wrong.example" in caught.value.verify_message
            assert not any(one.made.done() for one in accepted)

    run(main())


def test_an_authority_that_nobody_knows_is_refused(
    run: Runner, pki: PKI, version: tlskit.TLSVersion
) -> None:
    client, server = client_context(pki), server_context(pki, identity=pki.stranger)
    only(version, client, server)

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            with pytest.raises(tlskit.SSLCertVerificationError, match="CERTIFICATE_VERIFY_FAILED"):
                await connect(address, client)
            assert not any(one.made.done() for one in accepted)

    run(main())


def test_a_client_without_a_certificate_is_refused(
    run: Runner, pki: PKI, contexts: Contexts
) -> None:
    client, server = contexts
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    faults: list[BaseException] = []
    server.sslobject_class = noting(faults)

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            try:
                near = await connect(address, client)
            except (ConnectionError, tlskit.SSLError):
                assert client.maximum_version == tlskit.TLSVersion.TLSv1_2
            else:  # TLS 1.3: the client is done before the server has looked
                near.transport.write(b"is anybody there?")
                await near.lost
                assert not near.data
            assert not any(one.made.done() for one in accepted)

    run(main())
    assert [getattr(fault, "reason", None) for fault in faults] == [
        "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    ]


def test_a_server_that_speaks_another_version(run: Runner, pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki)
    client.minimum_version = tlskit.TLSVersion.TLSv1_3
    server.maximum_version = tlskit.TLSVersion.TLSv1_2
    faults: list[BaseException] = []
    server.sslobject_class = noting(faults)

    async def main() -> None:
        async with listening(Recorder, server) as address:
            with pytest.raises((tlskit.SSLError, ConnectionError)):
                await connect(address, client)

    run(main())
    assert [getattr(fault, "reason", None) for fault in faults] == ["UNSUPPORTED_PROTOCOL"]


def test_a_client_that_does_not_speak_tls(run: Runner, contexts: Contexts) -> None:
    _, server = contexts
    faults: list[BaseException] = []
    server.sslobject_class = noting(faults)

    async def main() -> None:
        accepted = Accepted(Recorder)
        async with listening(accepted, server) as address:
            _, near = await asyncio.get_running_loop().create_connection(Recorder, *address)
            near.transport.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await near.lost
            assert not any(one.made.done() for one in accepted)

    run(main())
    assert [getattr(fault, "reason", None) for fault in faults] == ["HTTP_REQUEST"]


def test_a_server_that_does_not_speak_tls(run: Runner, contexts: Contexts) -> None:
    client, _ = contexts

    class Greeting(Recorder):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(b"220 mail.example ESMTP\r\n")

    async def main() -> None:
        async with listening(Greeting, None) as address:
            with pytest.raises(tlskit.SSLError, match=r"WRONG_VERSION_NUMBER|PACKET_LENGTH"):
                await connect(address, client)

    run(main())


def test_what_asyncio_itself_refuses(run: Runner, contexts: Contexts) -> None:
    client, _ = contexts

    async def main() -> None:
        loop = asyncio.get_running_loop()
        near, far = connected_pair()
        with contextlib.closing(near), contextlib.closing(far):
            with pytest.raises(ValueError, match="server_hostname"):
                await loop.create_connection(Recorder, sock=near, server_hostname="localhost")
            with pytest.raises(ValueError, match="server_hostname"):
                await loop.create_connection(Recorder, sock=near, ssl=client)
            with pytest.raises(TypeError):
                await loop.create_server(Recorder, "127.0.0.1", 0, ssl=True)

    run(main())


def test_a_loop_that_is_closed_in_the_middle_leaves_nothing_behind(pki: PKI) -> None:
    client = client_context(pki)
    near, far = socket.socketpair()
    near.setblocking(False)
    loop = asyncio.new_event_loop()
    connecting = loop.create_task(
        loop.create_connection(Recorder, sock=near, ssl=client, server_hostname="localhost")
    )
    with contextlib.closing(far):
        loop.run_until_complete(asyncio.sleep(0))
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(connecting)
        loop.close()
        far.settimeout(5)
        while far.recv(65536):
            pass
    assert near.fileno() == -1
