"""An `async def` may choose certificates and judge chains: only its own handshake waits."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

import tlskit
from tlskit import TLSVersion, aio

from ..support.pairs import client_context, memory_pair, only, server_context
from ..support.pki import PKI
from .helpers import Accepted, Echo, connect, listening

BOTH = pytest.mark.parametrize("version", [TLSVersion.TLSv1_2, TLSVersion.TLSv1_3])


class Refusal(Exception):
    pass


@pytest.fixture
def contexts(pki: PKI, version: TLSVersion) -> Any:
    """Two that ask each other for certificates."""
    client, server = client_context(pki), server_context(pki)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    client.load_cert_chain(pki.client.chain, pki.client.key)
    only(version, client, server)
    return client, server


@pytest.fixture(autouse=True)
def installed() -> Any:
    with aio.install():
        yield


async def echo(protocol: Any) -> None:
    protocol.transport.write(b"hello")
    assert await protocol.take(5) == b"hello"
    protocol.transport.close()
    await protocol.lost


async def failed(context: Any) -> None:
    """A handshake of this context has failed."""

    async def look() -> None:
        while not context.handshake_failures:
            await asyncio.sleep(0)

    await asyncio.wait_for(look(), 60)


def tls(protocol: Any) -> Any:
    return protocol.transport.get_extra_info("ssl_object")


@BOTH
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_chain_that_is_accepted(run: Any, contexts: Any, side: str) -> None:
    client, server = contexts
    seen: list[Any] = []

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None:
        await asyncio.sleep(0)
        seen.append((connection, chain))

    (client if side == "client" else server).verify_callback = judge

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            protocol = await connect(address, client)
            far = tls(await accepted.first())
            judged = tls(protocol) if side == "client" else far
            assert judged.verify_result
            assert seen == [(judged, tuple(judged.get_verified_chain()))]
            await echo(protocol)
            assert not judged.session_reused

    run(main())


@BOTH
def test_a_chain_that_a_client_refuses(run: Any, contexts: Any) -> None:
    client, server = contexts

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None:
        await asyncio.sleep(0)
        raise Refusal("not this one")

    client.verify_callback = judge

    async def main() -> None:
        async with listening(Echo, server) as address:
            with pytest.raises(Refusal, match="not this one"):
                await connect(address, client)
            client.verify_callback = None
            await echo(await connect(address, client))

    run(main())


@BOTH
def test_a_chain_that_a_server_refuses(run: Any, contexts: Any) -> None:
    """Nothing of what the client has sent is read."""
    client, server = contexts
    told = asyncio.Event()

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None:
        await told.wait()
        raise Refusal

    server.verify_callback = judge
    accepted: list[Any] = []

    def factory() -> Any:
        accepted.append(Echo())
        return accepted[-1]

    async def main() -> None:
        async with listening(factory, server) as address:
            with contextlib.suppress(OSError, tlskit.SSLError):
                protocol = await connect(address, client)
                protocol.transport.write(b"secret")
                told.set()
                with contextlib.suppress(OSError, tlskit.SSLError):
                    await protocol.lost
                assert not protocol.data
            told.set()
            await failed(server)
        assert server.handshake_failures == {"refusal": 1}
        assert not any(one.transport for one in accepted)

    run(main())
    assert [type(one["exception"]) for one in run.complaints] == [Refusal]
    run.complaints.clear()


@BOTH
@pytest.mark.parametrize("side", ["client", "server"])
def test_only_its_own_handshake_waits(run: Any, contexts: Any, side: str) -> None:
    client, server = contexts
    go_on, waiting = asyncio.Event(), asyncio.Event()
    calls = 0

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            waiting.set()
            await go_on.wait()

    (client if side == "client" else server).verify_callback = judge

    async def main() -> None:
        async with listening(Echo, server) as address:
            first = asyncio.ensure_future(connect(address, client))
            await waiting.wait()
            await echo(await connect(address, client))
            go_on.set()
            await echo(await first)

    run(main())


@BOTH
@pytest.mark.parametrize("side", ["client", "server"])
def test_there_is_a_limit(run: Any, contexts: Any, side: str) -> None:
    client, server = contexts
    one = client if side == "client" else server
    cancelled: list[bool] = []

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    one.configure(verify_callback=judge, callback_timeout=0.05)

    async def main() -> None:
        async with listening(Echo, server) as address:
            with contextlib.suppress(OSError, tlskit.SSLError):
                protocol = await connect(address, client)
                assert side == "server"
                with contextlib.suppress(OSError, tlskit.SSLError):
                    await protocol.lost
            await failed(one)
        assert one.handshake_failures == {"timeouterror": 1}
        assert cancelled == [True]

    run(main())


@BOTH
def test_a_chain_that_fails_is_not_judged(run: Any, contexts: Any, pki: PKI) -> None:
    client, server = contexts
    server.load_cert_chain(pki.stranger.chain, pki.stranger.key)
    calls: list[Any] = []

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None:
        calls.append(chain)

    client.verify_callback = judge

    async def main() -> None:
        async with listening(Echo, server) as address:
            with pytest.raises(tlskit.SSLCertVerificationError):
                await connect(address, client)

    run(main())
    assert calls == []


@BOTH
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_certificate_is_chosen(run: Any, contexts: Any, pki: PKI, side: str) -> None:
    client, server = contexts
    chosen = pki.rsa if side == "client" else pki.narrow
    key = tlskit.CertifiedKey(chosen.chain, chosen.key)
    requests: list[Any] = []

    async def choose(connection: Any, request: tlskit.CertificateRequest) -> Any:
        await asyncio.sleep(0)
        requests.append(request)
        return key

    (client if side == "client" else server).certificate_callback = choose

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            protocol = await connect(address, client)
            far = tls(await accepted.first())
            shown = (far if side == "client" else tls(protocol)).getpeercert(True)
            assert shown == key.certificate_chain[0]
            await echo(protocol)

    run(main())
    assert len(requests) == 1


@BOTH
def test_a_choice_that_raises(run: Any, contexts: Any) -> None:
    client, server = contexts

    async def choose(connection: Any, request: Any) -> Any:
        await asyncio.sleep(0)
        raise Refusal

    client.certificate_callback = choose

    async def main() -> None:
        async with listening(Echo, server) as address:
            with pytest.raises(Refusal):
                await connect(address, client)

    run(main())


@BOTH
@pytest.mark.parametrize("side", ["client", "server"])
def test_without_an_event_loop_it_is_refused(contexts: Any, side: str) -> None:
    client, server = contexts

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None: ...

    (client if side == "client" else server).verify_callback = judge
    with pytest.raises(TypeError, match="verify_callback is a coroutine function"):
        memory_pair(client, server)


@BOTH
@pytest.mark.parametrize("operation", ["read", "do_handshake"])
def test_nothing_gets_past_a_server_that_cannot_wait(contexts: Any, operation: str) -> None:
    """Reading makes the handshake too."""
    client, server = contexts

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None: ...

    server.verify_callback = judge
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)

    def talk() -> None:
        for _ in range(10):
            with contextlib.suppress(tlskit.SSLWantReadError):
                near.do_handshake()
                near.write(b"secret")
            with contextlib.suppress(tlskit.SSLWantReadError):
                assert (far.read if operation == "read" else far.do_handshake)() is None

    with pytest.raises(TypeError, match="verify_callback is a coroutine function"):
        talk()
    for again in (far.do_handshake, lambda: far.read(6)):
        with pytest.raises((tlskit.SSLError, TypeError, OSError)):
            again()


@BOTH
def test_a_certificate_that_comes_later_is_not_let_through(
    run: Any, pki: PKI, version: TLSVersion
) -> None:
    """Only the first handshake of a connection can wait."""
    if version is not TLSVersion.TLSv1_3:
        pytest.skip("TLS 1.2 has no authentication after the handshake")
    client, server = client_context(pki), server_context(pki)
    server.load_verify_locations(pki.root)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.configure(verify_mode=tlskit.CERT_REQUIRED, post_handshake_auth=True)
    client.post_handshake_auth = True

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None: ...

    server.verify_callback = judge

    async def main() -> None:
        accepted = Accepted(Echo)
        async with listening(accepted, server) as address:
            protocol = await connect(address, client)
            far = await accepted.first()
            tls(far).verify_client_post_handshake()
            far.transport.write(b"?")
            assert await protocol.take(1) == b"?"
            protocol.transport.write(b"secret")
            assert isinstance(await far.lost, TypeError)
            assert not far.data

    run(main())
    run.complaints.clear()


@BOTH
def test_a_plain_function_that_returns_an_awaitable(contexts: Any) -> None:
    client, server = contexts

    async def judge() -> None: ...

    client.verify_callback = lambda connection, chain: judge()
    with pytest.raises(TypeError, match="returned an awaitable"):
        memory_pair(client, server)
