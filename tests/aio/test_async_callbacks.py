"""Callbacks that are `async def`: they suspend their own handshake, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

import tlskit
from tlskit import TLSVersion, aio

from ..support.pairs import client_context, memory_pair, only, server_context
from ..support.pki import PKI
from .helpers import Accepted, Echo, assert_ours, connect, listening

BOTH = pytest.mark.parametrize("version", [TLSVersion.TLSv1_2, TLSVersion.TLSv1_3])
Contexts = tuple[Any, Any]


@pytest.fixture
def contexts(pki: PKI) -> Contexts:
    return client_context(pki), server_context(pki)


@pytest.fixture(params=["own"])
def installed(request: pytest.FixtureRequest) -> Any:
    """These need tlskit's transport; what the others say is tested below."""
    with aio.install():
        yield True


async def echo(protocol: Any) -> None:
    """The connection works."""
    protocol.transport.write(b"hello")
    assert await protocol.take(5) == b"hello"
    protocol.transport.close()
    await protocol.lost


@BOTH
def test_the_hello(run: Any, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    seen: list[Any] = []

    async def look(connection: Any, hello: tlskit.ClientHello) -> None:
        await asyncio.sleep(0)
        seen.append((connection, hello))

    server.client_hello_callback = look

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            protocol = await connect(address, client)
            assert (await accepted.first()).transport.get_extra_info("ssl_object") is seen[0][0]
            assert_ours(protocol.transport)
            await echo(protocol)

    run(main())
    assert seen[0][1].server_name == "localhost"


@BOTH
def test_the_name(run: Any, pki: PKI, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    other = server_context(pki, identity=pki.direct)
    only(version, client, server, other)
    seen: list[Any] = []

    async def choose(connection: Any, name: str | None, context: Any) -> None:
        await asyncio.sleep(0)
        seen.append((name, context))
        connection.context = other

    server.sni_callback = choose

    async def main() -> None:
        async with listening(Echo, server) as address:
            protocol = await connect(address, client)
            shown = protocol.transport.get_extra_info("ssl_object").getpeercert(True)
            await echo(protocol)
            return shown

    shown = run(main())
    assert seen == [("localhost", server)]
    assert shown == tlskit.PEM_cert_to_DER_cert(
        pki.direct.chain.read_text().split("-----END CERTIFICATE-----")[0]
        + "-----END CERTIFICATE-----\n"
    )


@BOTH
def test_the_hello_and_then_the_name(run: Any, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    calls: list[str] = []

    async def look(connection: Any, hello: tlskit.ClientHello) -> None:
        await asyncio.sleep(0)
        calls.append("hello")

    async def name(connection: Any, name: str | None, context: Any) -> None:
        await asyncio.sleep(0)
        calls.append("name")

    server.client_hello_callback, server.sni_callback = look, name

    async def main() -> None:
        async with listening(Echo, server) as address:
            await echo(await connect(address, client))

    run(main())
    assert calls == ["hello", "name"]


@BOTH
def test_a_session_from_elsewhere(run: Any, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    client.sessions.store = tlskit.MemoryStore()
    kept: dict[bytes, Any] = {}
    asked: list[bytes] = []

    async def get(connection: Any, session_id: bytes) -> Any:
        await asyncio.sleep(0)
        asked.append(session_id)
        return kept.get(session_id)

    server.sessions.on_get = get
    server.sessions.on_new = lambda connection, session: kept.__setitem__(session.id, session)
    server.sessions.mode |= tlskit.SessionCacheMode.NO_INTERNAL

    async def main() -> list[bool]:
        reused = []
        async with listening(Echo, server) as address:
            for _ in range(2):
                protocol = await connect(address, client)
                made = protocol.transport.get_extra_info("ssl_object")
                await echo(protocol)
                reused.append(made.session_reused)
        return reused

    assert run(main()) == [False, True]
    assert asked


@BOTH
def test_others_go_on_meanwhile(run: Any, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)

    async def main() -> None:
        go_on, waiting = asyncio.Event(), asyncio.Event()

        async def look(connection: Any, hello: tlskit.ClientHello) -> None:
            if hello.alpn_protocols:
                waiting.set()
                await go_on.wait()

        server.client_hello_callback = look
        slow = client.copy()
        slow.set_alpn_protocols(["slow"])
        async with listening(Echo, server) as address:
            held = asyncio.ensure_future(connect(address, slow))
            await waiting.wait()
            for _ in range(3):
                await echo(await connect(address, client))
            assert not held.done()
            go_on.set()
            await echo(await held)

    run(main())


@BOTH
def test_many_at_once(run: Any, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)

    async def main() -> int:
        together = asyncio.Event()
        waiting = 0

        async def look(connection: Any, hello: tlskit.ClientHello) -> None:
            nonlocal waiting
            waiting += 1
            if waiting == 20:
                together.set()
            await together.wait()

        server.client_hello_callback = look
        async with listening(Echo, server) as address:
            protocols = await asyncio.gather(*(connect(address, client) for _ in range(20)))
            await asyncio.gather(*map(echo, protocols))
        return waiting

    assert run(main()) == 20


# -- what goes wrong -------------------------------------------------------------------------------


async def refused(address: Any, client: Any) -> tlskit.SSLError:
    """What the client gets."""
    with pytest.raises(tlskit.SSLError) as caught:
        await connect(address, client)
    return caught.value


@BOTH
def test_an_alert(run: Any, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)

    async def look(connection: Any, hello: tlskit.ClientHello) -> int:
        await asyncio.sleep(0)
        return 112

    server.client_hello_callback = look

    async def main() -> Any:
        async with listening(Echo, server) as address:
            return await refused(address, client)

    assert run(main()).alert_received.name == "UNRECOGNIZED_NAME"
    assert sum(server.handshake_failures.values()) == 1


def complaint(run: Any) -> BaseException:
    """The one thing that the loop was told."""
    [context] = run.complaints
    run.complaints.clear()
    error: BaseException = context["exception"]
    return error


@BOTH
@pytest.mark.parametrize("first", [True, False])
def test_an_exception(run: Any, contexts: Contexts, version: TLSVersion, first: bool) -> None:
    client, server = contexts
    only(version, client, server)

    async def fail(*given: Any) -> None:
        await asyncio.sleep(0)
        raise LookupError("no such tenant")

    if first:
        server.client_hello_callback = fail
    else:
        server.sni_callback = fail

    async def main() -> Any:
        async with listening(Echo, server) as address:
            found = await refused(address, client)
            if first:
                server.client_hello_callback = None
            else:
                server.sni_callback = None
            await echo(await connect(address, client))
            return found

    assert run(main()).alert_received.name == "INTERNAL_ERROR"
    assert str(complaint(run)) == "no such tenant"
    assert server.handshake_failures == {"lookuperror": 1}


def test_an_answer_that_means_nothing(run: Any, contexts: Contexts) -> None:
    client, server = contexts

    async def look(connection: Any, hello: tlskit.ClientHello) -> Any:
        return "localhost"

    server.client_hello_callback = look

    async def main() -> None:
        async with listening(Echo, server) as address:
            await refused(address, client)

    run(main())
    assert isinstance(complaint(run), TypeError)


@BOTH
def test_the_time_limit(run: Any, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    server.callback_timeout = 0.05
    cancelled: list[bool] = []

    async def look(connection: Any, hello: tlskit.ClientHello) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    server.client_hello_callback = look

    async def main() -> Any:
        async with listening(Echo, server) as address:
            return await refused(address, client)

    assert run(main()).alert_received.name == "INTERNAL_ERROR"
    assert cancelled == [True]
    assert server.handshake_failures == {"timeouterror": 1}


@BOTH
@pytest.mark.parametrize("how", ["abort_clients", "close_clients", "client", "timeout"])
def test_a_connection_that_ends_cancels_it(
    run: Any, contexts: Contexts, version: TLSVersion, how: str
) -> None:
    client, server = contexts
    only(version, client, server)
    server.callback_timeout = None

    async def main() -> None:
        waiting, cancelled = asyncio.Event(), asyncio.Event()

        async def look(connection: Any, hello: tlskit.ClientHello) -> None:
            waiting.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                cancelled.set()

        server.client_hello_callback = look
        settings = {"ssl_handshake_timeout": 0.2} if how == "timeout" else {}
        made = await aio.create_server(Echo, "127.0.0.1", 0, ssl=server, **settings)
        held = asyncio.ensure_future(connect(made.sockets[0].getsockname(), client))
        await waiting.wait()
        if how == "client":
            held.cancel()
        elif how != "timeout":
            getattr(made, how)()
        await cancelled.wait()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await held
        made.close()
        await made.wait_closed()

    run(main())


def test_a_callback_that_cancels_itself(run: Any, contexts: Contexts) -> None:
    client, server = contexts

    async def look(connection: Any, hello: tlskit.ClientHello) -> None:
        raise asyncio.CancelledError

    server.client_hello_callback = look

    async def main() -> Any:
        async with listening(Echo, server) as address:
            return await refused(address, client)

    assert run(main()).alert_received.name == "INTERNAL_ERROR"
    assert server.handshake_failures == {"connectionabortederror": 1}


def test_it_closes_its_own_connection(run: Any, contexts: Contexts) -> None:
    client, server = contexts

    async def main() -> None:
        async def look(connection: Any, hello: tlskit.ClientHello) -> None:
            server_made.abort_clients()

        server.client_hello_callback = look
        server_made = await aio.create_server(Echo, "127.0.0.1", 0, ssl=server)
        with pytest.raises(ConnectionError):
            await connect(server_made.sockets[0].getsockname(), client)
        server_made.close()
        await server_made.wait_closed()

    run(main())


@pytest.mark.parametrize("direction", ["read", "write"])
def test_what_a_message_callback_raises_later(run: Any, contexts: Contexts, direction: str) -> None:
    """It ends its own connection; the bytes come first."""
    client, server = contexts
    armed: list[bool] = []

    def look(connection: Any, shown: str, *rest: Any) -> None:
        if armed and shown == direction:
            raise LookupError(direction)

    server.message_callback = look

    async def main() -> Any:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            protocol = await connect(address, client)
            protocol.transport.write(b"one")
            await protocol.take(3)
            armed.append(True)
            protocol.transport.write(b"two")
            made = await accepted.first()
            error = await made.lost
            protocol.transport.close()
            await protocol.lost
            return error, bytes(made.data)

    error, data = run(main())
    assert isinstance(error, LookupError)
    assert data == b"onetwo"
    assert complaint(run) is error


# -- where it is refused ---------------------------------------------------------------------------


class TestElsewhere:
    """asyncio's and uvloop's own TLS give a connection no way to say that it goes on."""

    @pytest.fixture(params=["memory"])
    def installed(self, request: pytest.FixtureRequest) -> bool:
        return False

    @pytest.mark.parametrize("setting", ["client_hello_callback", "sni_callback"])
    def test_it_is_refused_with_a_sentence(
        self, run: Any, contexts: Contexts, setting: str
    ) -> None:
        client, server = contexts

        async def callback(*given: Any) -> None: ...

        setattr(server, setting, callback)

        async def main() -> None:
            async with listening(Echo, server) as address:
                with pytest.raises((ConnectionError, tlskit.SSLError)):  # they send no alerts
                    await connect(address, client)

        run(main())
        error = complaint(run)
        assert isinstance(error, TypeError)
        assert str(error).startswith(f"{setting} is a coroutine function")
        assert "tlskit.aio.install()" in str(error)
        assert server.handshake_failures == {"typeerror": 1}

    def test_with_the_functions_of_tlskit(self, run: Any, contexts: Contexts) -> None:
        client, server = contexts
        seen: list[Any] = []

        async def look(connection: Any, hello: tlskit.ClientHello) -> None:
            await asyncio.sleep(0)
            seen.append(hello)

        server.client_hello_callback = look

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(5))
            writer.close()

        async def main() -> bytes:
            made = await aio.start_server(serve, "127.0.0.1", 0, ssl=server)
            reader, writer = await aio.open_connection(
                *made.sockets[0].getsockname(), ssl=client, server_hostname="localhost"
            )
            writer.write(b"hello")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            made.close()
            await made.wait_closed()
            return answer

        assert run(main()) == b"hello"
        assert len(seen) == 1


# -- what counts as a coroutine function -----------------------------------------------------------


async def _plain(*given: Any) -> None: ...


class _Holder:
    async def method(self, *given: Any) -> None: ...
    async def __call__(self, *given: Any) -> None: ...


@pytest.mark.parametrize(
    "callback",
    [_plain, _Holder().method, _Holder(), __import__("functools").partial(_plain, 1)],
    ids=["function", "method", "object", "partial"],
)
def test_shapes_of_coroutine_functions(contexts: Contexts, callback: Callable[..., Any]) -> None:
    client, server = contexts
    server.client_hello_callback = callback
    with pytest.raises(TypeError, match="client_hello_callback is a coroutine function"):
        memory_pair(client, server)
    server.sessions.on_get = callback
    with pytest.raises(TypeError, match=r"client_hello_callback and sessions\.on_get are"):
        memory_pair(client, server)
