"""Writes that go straight into the program's outgoing queue, and the locks of both directions."""

from __future__ import annotations

import platform
import signal
import ssl as stdlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import tlskit
from tlskit._core import direct

from ..support import pairs
from ..support.pairs import drained
from ..support.pki import PKI
from ..support.processes import PATIENCE

in_c = pytest.mark.skipif(
    platform.python_implementation() != "CPython", reason="there is no C for it here"
)


@pytest.fixture(params=[tlskit, stdlib], ids=["own", "stdlibs"])
def ends(request: pytest.FixtureRequest, pki: PKI, version: Any, way: str) -> Any:
    """A client and a server after their handshake, and the client's outgoing queue."""
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    up, down = request.param.MemoryBIO(), request.param.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname="localhost")
    far = server.wrap_bio(up, down, server_side=True)
    pairs.shake(near, far)
    pairs.take_tickets(near)
    return near, far, up


@pytest.mark.parametrize("size", [1, 4000, 16384, 100000])
def test_a_queue_that_has_ended(ends: Any, size: int) -> None:
    near, far, up = ends
    near.write(b"before")
    up.write_eof()
    if isinstance(up, stdlib.MemoryBIO):
        for _ in range(2):
            with pytest.raises(stdlib.SSLError, match="write_eof"):
                near.write(bytes(size))
    assert drained_to_the_end(far) == b"before"


def drained_to_the_end(end: Any) -> bytes:
    found = b""
    while True:
        try:
            found += end.read(100)
        except tlskit.SSLEOFError:
            return found


def test_threads_that_look_meanwhile(ends: Any) -> None:
    """They find the connection as it is, not as it looks behind a door."""
    near, far, _ = ends
    done = threading.Event()
    agreed = near.version(), near.cipher()
    found: list[Any] = []

    def look() -> None:
        while not done.is_set():
            found.append((near.version(), near.cipher()))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            near.write(bytes(70000))
            assert len(drained(far)) == 70000
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert set(found) <= {agreed}


@in_c
def test_it_shows_nothing_to_others(ends: Any, way: str) -> None:
    if way == "c":
        with pytest.raises(BufferError, match="no bytes"):
            memoryview(ends[0].write.__self__)


# -- the locks -------------------------------------------------------------------------------------


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that are interrupted all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_one_thread_at_a_time() -> None:
    lock = direct.Lock()
    inside: list[int] = []
    most = 0

    def work(number: int) -> None:
        nonlocal most
        for _ in range(2000):
            with lock, lock:
                inside.append(number)
                most = max(most, len(inside))
                inside.pop()

    workers = [pairs.Background(lambda n=n: work(n)) for n in range(5)]  # type: ignore[misc]
    for worker in workers:
        worker.result()
    assert most == 1


def test_another_thread_cannot_release() -> None:
    lock = direct.Lock()
    with lock:

        def release() -> None:
            with pytest.raises(RuntimeError):
                lock.release()

        pairs.Background(release).result()
    with pytest.raises(RuntimeError):
        lock.release()


@in_c
@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")
def test_a_signal_ends_the_wait() -> None:
    lock = direct.Lock()
    held, ended = threading.Event(), threading.Event()
    calls = 0

    def interrupt(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    def wait_for_it(lock: Any) -> None:
        assert held.wait(PATIENCE)
        lock.acquire()

    def hold() -> None:
        with lock:
            held.set()
            while not ended.wait(0.01):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    holder = threading.Thread(target=hold)
    try:
        holder.start()
        with pytest.raises(KeyboardInterrupt):
            wait_for_it(lock)
    finally:
        ended.set()
        holder.join()
        signal.signal(signal.SIGUSR1, before)
    with lock:
        pairs.Background(lambda: None).result()
