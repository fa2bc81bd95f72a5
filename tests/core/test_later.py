"""A callback that answers later, with a future of `concurrent.futures`: its own handshake waits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import tlskit
from tlskit import aio

from ..support.pairs import Background, memory_pair, only
from ..support.system import run_selecting


class Refusal(Exception):
    pass


@pytest.fixture
def server(leaf, root, version):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.chain, leaf.key)
    context.trust_store = tlskit.TrustStore(root.der)
    context.verify_mode = tlskit.CERT_OPTIONAL
    only(version, context)
    return context


class Pair:
    """Two ends in memory that talk until the client waits."""

    def __init__(self, client, server):
        to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        self.near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
        self.far = server.wrap_bio(to_server, to_client, server_side=True)

    def talk(self, rounds=6):
        """Whether both are through."""
        done = [False, False]
        for _ in range(rounds):
            for i, end in enumerate((self.near, self.far)):
                with contextlib.suppress(tlskit.SSLWantReadError):
                    end.do_handshake()
                    done[i] = True
        return all(done)


def verdict(context, future):
    chains = []

    def judge(connection, chain):
        chains.append(chain)
        return future

    context.verify_callback = judge
    return chains


def choice(context, future):
    context.certificate_callback = lambda connection, request: future


@pytest.mark.parametrize("setting", [verdict, choice])
def test_it_waits_for_the_future(client, server, setting):
    future = Future()
    setting(client, future)
    pair = Pair(client, server)
    assert not pair.talk()
    assert not pair.talk()
    assert pair.near.info is None
    future.set_result(None)
    assert pair.talk()
    assert pair.near.verify_result
    pair.near.write(b"ping")
    assert pair.far.read(4) == b"ping"


@pytest.mark.parametrize("setting", [verdict, choice])
def test_an_exception_refuses(client, server, setting):
    future = Future()
    setting(client, future)
    pair = Pair(client, server)
    assert not pair.talk()
    future.set_exception(Refusal("no"))
    with pytest.raises(Refusal, match="no"):
        pair.talk()
    with pytest.raises(tlskit.SSLError):
        pair.near.do_handshake()
    assert not pair.near.verify_result
    with pytest.raises(tlskit.SSLError):
        pair.near.write(b"secret")


def test_it_is_asked_once(client, server, leaf, middle, root):
    future = Future()
    chains = verdict(client, future)
    pair = Pair(client, server)
    pair.talk()
    future.set_result(None)
    assert pair.talk()
    assert chains == [(leaf.der, middle.der, root.der)]


def test_only_its_own_handshake_waits(client, server):
    futures = [Future(), Future()]
    client.verify_callback = lambda connection, chain: futures[len(futures) - 1]
    first = Pair(client, server)
    assert not first.talk()
    waiting = futures.pop()
    second = Pair(client, server)
    assert not second.talk()
    futures[0].set_result(None)
    assert second.talk()
    assert not first.talk()
    waiting.set_result(None)
    assert first.talk()


def test_a_chosen_certificate(client, server, leaf):
    future = Future()
    choice(client, future)
    pair = Pair(client, server)
    assert not pair.talk()
    future.set_result((leaf.chain, leaf.key))
    assert pair.talk()
    assert pair.far.getpeercert(True) == leaf.der


@pytest.mark.parametrize("answer", [True, 1, b"yes"])
def test_a_wrong_answer_refuses(client, server, answer):
    future = Future()
    verdict(client, future)
    pair = Pair(client, server)
    pair.talk()
    future.set_result(answer)
    with pytest.raises(TypeError, match="must return None, or raise to refuse the chain"):
        pair.talk()


def test_a_future_that_is_cancelled_refuses(client, server):
    future = Future()
    verdict(client, future)
    pair = Pair(client, server)
    pair.talk()
    future.cancel()
    with pytest.raises(ConnectionAbortedError, match="was cancelled"):
        pair.talk()


def test_there_is_a_limit(client, server):
    future = Future()
    verdict(client, future)
    client.callback_timeout = 0.01
    one, other = socket.socketpair()
    accepting = Background(lambda: server.wrap_socket(other, server_side=True))
    with one, pytest.raises(TimeoutError, match=r"callback_timeout allows \(0.01 seconds\)"):
        client.wrap_socket(one, server_hostname="localhost")
    assert future.cancelled()
    assert isinstance(accepting.error, OSError)


def test_a_blocking_socket_waits(client, server, leaf):
    with ThreadPoolExecutor(1) as pool:
        client.verify_callback = lambda connection, chain: pool.submit(lambda: None)
        client.certificate_callback = lambda connection, request: pool.submit(
            lambda: (leaf.chain, leaf.key)
        )
        one, other = socket.socketpair()
        accepting = Background(lambda: server.wrap_socket(other, server_side=True))
        with client.wrap_socket(one, server_hostname="localhost") as near:
            assert near.verify_result
            with accepting.result() as far:
                assert far.getpeercert(True) == leaf.der


def test_a_socket_with_a_time_out_waits_no_longer(client, server):
    verdict(client, Future())
    one, other = socket.socketpair()
    one.settimeout(0.01)
    Background(lambda: server.wrap_socket(other, server_side=True))
    with one, other, pytest.raises(TimeoutError):
        client.wrap_socket(one, server_hostname="localhost")


def accept(client, server):
    """Both ends over blocking sockets: what the server raised, and what the client did."""
    one, other = socket.socketpair()
    accepting = Background(lambda: server.wrap_socket(other, server_side=True))
    error = None
    try:
        with client.wrap_socket(one, server_hostname="localhost") as near:
            near.recv(1)
    except OSError as caught:
        error = caught
    return accepting, error


def test_a_blocking_server_waits_for_a_verdict(client, server, leaf):
    client.load_cert_chain(leaf.chain, leaf.key)
    with ThreadPoolExecutor(1) as pool:
        chains = []

        def judge(connection, chain):
            return pool.submit(chains.append, chain)

        server.verify_callback = judge
        one, other = socket.socketpair()
        accepting = Background(lambda: server.wrap_socket(other, server_side=True))
        with client.wrap_socket(one, server_hostname="localhost"), accepting.result() as far:
            assert far.verify_result
    assert [chain[0] for chain in chains] == [leaf.der]


def test_a_server_refuses_by_a_future(client, server, leaf):
    client.load_cert_chain(leaf.chain, leaf.key)
    future = Future()
    future.set_exception(Refusal("no"))
    verdict(server, future)
    accepting, error = accept(client, server)
    assert isinstance(accepting.error, Refusal)
    assert error.alert_received is not None


def test_a_server_reads_nothing_before_the_verdict(client, server, leaf):
    """Reading makes the handshake too."""
    client.load_cert_chain(leaf.chain, leaf.key)
    verdict(server, Future())
    server.callback_timeout = 0.01
    one, other = socket.socketpair()

    def read():
        with server.wrap_socket(other, server_side=True, do_handshake_on_connect=False) as far:
            return far.recv(6)

    accepting = Background(read)
    near = client.wrap_socket(one, server_hostname="localhost", do_handshake_on_connect=False)
    with near, contextlib.suppress(OSError):
        near.sendall(b"secret")
        near.recv(1)
    assert isinstance(accepting.error, TimeoutError)


def test_a_server_in_memory_cannot_wait_for_a_verdict(client, server, leaf):
    client.load_cert_chain(leaf.chain, leaf.key)
    future = Future()
    verdict(server, future)
    with pytest.raises(TypeError, match="OpenSSL cannot pause a server's verification"):
        memory_pair(client, server)
    assert future.cancelled()


def test_a_server_takes_a_verdict_that_is_there(client, server, leaf):
    client.load_cert_chain(leaf.chain, leaf.key)
    future = Future()
    future.set_result(None)
    verdict(server, future)
    assert memory_pair(client, server)[1].verify_result


@pytest.mark.parametrize("refused", [False, True])
def test_an_event_loop_waits_for_a_servers_verdict(client, server, leaf, refused):
    client.load_cert_chain(leaf.chain, leaf.key)
    server.verify_mode = tlskit.CERT_REQUIRED
    handed_out = []

    async def main():
        loop = asyncio.get_running_loop()

        def judge(connection, chain):
            future = Future()
            answer = (future.set_exception, Refusal("no")) if refused else (future.set_result, None)
            loop.call_later(0.01, *answer)
            return future

        async def greet(reader, writer):
            handed_out.append(writer)
            writer.write(b"hello")
            writer.close()

        server.verify_callback = judge
        listening = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server)
        async with listening:
            reader, writer = await asyncio.open_connection(
                *listening.sockets[0].getsockname(), ssl=client, server_hostname="localhost"
            )
            with contextlib.suppress(OSError):
                assert await reader.read() == (b"" if refused else b"hello")
            writer.close()

    with aio.install():
        run_selecting(main())
    assert len(handed_out) == (0 if refused else 1)


def test_a_server_waits_for_a_certificate(client, server, leaf):
    future = Future()
    choice(server, future)
    pair = Pair(client, server)
    assert not pair.talk()
    future.set_result(tlskit.CertifiedKey(leaf.chain, leaf.key))
    assert pair.talk()


def test_an_event_loop_waits_for_it(client, server, leaf, version):
    pools = []

    async def main():
        loop = asyncio.get_running_loop()
        listening = await asyncio.start_server(
            lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=server
        )

        def judge(connection, chain):
            future = Future()
            pools.append(future)
            loop.call_soon(future.set_result, None)
            return future

        client.verify_callback = judge
        async with listening:
            _, writer = await asyncio.open_connection(
                *listening.sockets[0].getsockname(), ssl=client, server_hostname="localhost"
            )
            assert writer.get_extra_info("ssl_object").verify_result
            writer.close()

    with aio.install():
        run_selecting(main())
    assert len(pools) == 1
