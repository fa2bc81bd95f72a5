"""A connection in a process that forks."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tlskit

from ..support import raw
from ..support.pairs import (
    Background,
    client_context,
    memory_pair,
    only,
    server_context,
    shake,
    socket_pair,
)
from ..support.pki import PKI
from ..support.raw import Stage, readable, until
from .helpers import asking, in_child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture
def stage(pki: PKI, version: tlskit.TLSVersion) -> Stage:
    return Stage(pki, version)


def test_child_goes_on_with_the_connection(stage: Stage) -> None:
    with stage.pair(tlskit) as (near, far):
        near.sendall(b"parent")
        assert far.recv(100) == b"parent"

        def work() -> None:
            near.sendall(b"child")
            assert near.recv(100) == b"to the child"
            near.unwrap()

        pid = Background(lambda: in_child(work))
        assert far.recv(100) == b"child"
        far.sendall(b"to the child")
        assert far.recv(100) == b""
        far.unwrap()
        assert pid.result() == 0


def test_child_s_close_is_the_child_s(stage: Stage) -> None:
    """The parent's connection stays, with what had come and was not read."""
    with stage.connected(tlskit, tickets=2) as (end, puppet):
        puppet.send(puppet.seal(b"for the parent"))
        until(lambda: readable(end))
        assert in_child(end.close) == 0
        assert end.recv(100) == b"for the parent"
        end.sendall(b"still there")
        assert puppet.read() == b"still there"


def test_child_of_a_server_that_closes(stage: Stage) -> None:
    with stage.connected(tlskit, server=True) as (end, puppet):
        puppet.send(puppet.seal(b"for the parent"))
        assert in_child(end.close) == 0
        assert end.recv(100) == b"for the parent"


def test_child_closes_while_a_thread_of_the_parent_reads(stage: Stage) -> None:
    """The thread is not there in the child: it cannot be waited for, and in the parent it must not
    be woken.
    """
    with stage.pair(tlskit) as (near, far), raw.watchdog(near):
        near.settimeout(None)
        reading = raw.Blocked(lambda: near.recv(100))
        assert in_child(near.close) == 0
        far.sendall(b"undisturbed")
        assert reading.result() == b"undisturbed"


def test_child_makes_connections_of_its_own(stage: Stage) -> None:
    """With contexts made before the fork."""
    client, server = stage.client(tlskit), stage.server(tlskit)

    def work() -> None:
        there, back = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = client.wrap_bio(there, back, server_hostname="localhost")
        far = server.wrap_bio(back, there, server_side=True)
        for _ in range(4):
            for end in (near, far):
                try:
                    end.do_handshake()
                except tlskit.SSLWantReadError:
                    continue
        assert near.version() is not None
        assert near.version() == far.version()

    assert in_child(work) == 0
    work()


def test_child_and_parent_do_not_share_randomness(pki: PKI) -> None:
    """The ClientHellos of two processes differ, if they had the same state before the fork."""
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    server_context(pki)

    def hello() -> bytes:
        outgoing = tlskit.MemoryBIO()
        end = context.wrap_bio(tlskit.MemoryBIO(), outgoing, server_hostname="localhost")
        with pytest.raises(tlskit.SSLWantReadError):
            end.do_handshake()
        return outgoing.read()

    reading, writing = os.pipe()
    assert in_child(lambda: os.write(writing, hello()[11:43])) == 0
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        theirs = pipe.read()
    assert len(theirs) == 32
    assert theirs != hello()[11:43]


# -- while other threads are at work ---------------------------------------------------------------


def test_children_never_wait_for_threads_that_are_gone(pki: PKI) -> None:
    """Threads send, receive, and make handshakes, and this one forks: each child can ask, close,
    and connect.
    """
    client, server = client_context(pki), server_context(pki)
    client.sessions.resume = True
    stopped = threading.Event()

    def handshakes() -> None:
        while not stopped.is_set():
            memory_pair(client, server)

    def streaming(work: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            while not stopped.is_set():
                work()

        return run

    with socket_pair(client, server) as (near, far):
        threads = [
            Background(handshakes),
            Background(streaming(lambda: near.send(bytes(60000)))),
            Background(streaming(lambda: far.recv(65536))),
        ]
        try:
            for _ in range(15):
                for work in (near.version, near.close, lambda: memory_pair(client, server)):
                    assert in_child(work) == 0
        finally:
            stopped.set()
            for end in (near, far):
                socket.socket.shutdown(end, socket.SHUT_RDWR)
            for thread in threads:
                assert thread.error is None or isinstance(thread.error, OSError)


def test_child_of_a_thread_that_answers_a_callback(stage: Stage) -> None:
    """The connection was in the middle of a handshake, which nobody will end in the child."""
    server, client = stage.server(tlskit), stage.client()
    asked, answer = threading.Event(), threading.Event()

    def think(*arguments: Any) -> None:
        asked.set()
        assert answer.wait(20)

    server.sni_callback = think
    with stage.meeting(server, client) as (end, puppet), raw.watchdog(end):
        shaking, peer = Background(end.do_handshake), Background(puppet.shake)
        assert asked.wait(20)

        def work() -> None:
            assert end.version() is None
            with pytest.raises(OSError, match="Bad file"):
                end.recv(100)
            end.close()

        try:
            assert in_child(work) == 0
        finally:
            answer.set()
        shaking.result()
        peer.result()
        assert end.version() is not None


def test_callback_that_forks(stage: Stage) -> None:
    """What the thread that forked was in the middle of goes on."""
    server, client = stage.server(tlskit), stage.client()
    pids: list[int] = []

    def fork(*arguments: Any) -> None:
        pids.append(in_child(lambda: None))

    server.sni_callback = fork
    with stage.meeting(server, client) as (end, puppet), raw.watchdog(end):
        peer = Background(puppet.shake)
        end.do_handshake()
        peer.result()
        assert pids == [0]


def test_child_does_not_wait_for_a_thread_that_asks_a_store(stage: Stage) -> None:
    with asking(stage, spoiled=True) as (end, store):

        def work() -> None:
            store.answer.set()
            end.settimeout(0.2)
            with contextlib.suppress(TimeoutError):  # the parent has the answer, or nobody has
                end.do_handshake()
            end.close()

        assert in_child(work) == 0


def calls_into_c(pki: PKI) -> dict[str, Callable[[], object]]:
    """Work of each kind that is no connection's, and takes locks in libcrypto or in here."""
    keyring, server = tlskit.TicketKeyring(), server_context(pki)
    server.options |= tlskit.OP_NO_TICKET
    client = client_context(pki)
    only(tlskit.TLSVersion.TLSv1_2, client)
    near, _ = memory_pair(client, server_context(pki))
    session = near.session.to_bytes()

    def configure() -> None:
        context = server_context(pki)
        context.set_ciphers("HIGH")
        context.get_ciphers()
        context.copy()

    def trust() -> None:
        client_context(pki).get_ca_certs()

    def sessions() -> None:
        made = tlskit.SSLSession.from_bytes(session)
        assert made.info is not None
        hash(made)
        server.sessions.flush()
        server.session_stats()

    return {
        "contexts": configure,
        "trust": trust,
        "sessions": sessions,
        "keyrings": keyring.rotate,
    }


@pytest.mark.parametrize("busy", ["contexts", "trust", "sessions", "keyrings", "all"])
def test_children_never_wait_for_calls_that_are_gone(pki: PKI, busy: str) -> None:
    """Many forks, each while threads are inside libcrypto: the children do the same work."""
    works = calls_into_c(pki)
    stopped = threading.Event()

    def keep_busy(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            while not stopped.is_set():
                work()

        return run

    chosen = list(works.values()) if busy == "all" else [works[busy]] * 3
    threads = [Background(keep_busy(work)) for work in chosen]

    def everything() -> None:
        for work in works.values():
            work()

    try:
        for _ in range(60):
            assert in_child(everything) == 0
    finally:
        stopped.set()
        for thread in threads:
            thread.result()


@pytest.mark.parametrize("module", ["ssl", "tlskit", "any"])
def test_children_never_wait_for_threads_inside_a_connection_in_memory(
    pki: PKI, module: str
) -> None:
    """Over the stdlib's MemoryBIOs, as asyncio has them, tlskit's own, and objects like them."""

    class Other:
        def __init__(self) -> None:
            self._queue = ssl.MemoryBIO()
            self.read, self.write = self._queue.read, self._queue.write

        @property
        def pending(self) -> int:
            return self._queue.pending

        @property
        def eof(self) -> bool:
            return self._queue.eof

    make: Any = {"ssl": ssl.MemoryBIO, "tlskit": tlskit.MemoryBIO, "any": Other}[module]
    one, other = make(), make()
    near = client_context(pki).wrap_bio(one, other, server_hostname="localhost")
    far = server_context(pki).wrap_bio(other, one, server_side=True)
    shake(near, far)
    ended = threading.Event()
    data = bytes(16000)

    def talk() -> None:
        while not ended.is_set():
            near.write(data)
            far.read(20000)

    def use() -> None:
        with contextlib.suppress(tlskit.SSLError):  # what the thread was in the middle of is lost
            near.write(b"question")
            far.read(10)

    talking = Background(talk)
    try:
        assert [in_child(use) for _ in range(60)] == [0] * 60
    finally:
        ended.set()
    talking.result()
