"""A process forks while another thread holds one of tlskit's locks: the child does not wait for a
thread that it does not have.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import tlskit

from ..support import inside, pairs
from ..support.pairs import Background
from ..support.pki import PKI
from .helpers import in_child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
#: In such a child, the lock of gcc 12's allocator for AddressSanitizer may be held for ever.
not_with_asan = pytest.mark.skipif(
    "ASAN_OPTIONS" in os.environ, reason="a thread ends while AddressSanitizer's process forks"
)


# -- objects: their locks are made anew ------------------------------------------------------------


def watcher(pki: PKI, _: Path) -> tuple[Any, Callable[[], object]]:
    made = pairs.server_context(pki).watch(pki.server.chain, pki.server.key)

    def use() -> None:
        made.check()
        with made:
            assert made.last_error is None

    return made, use


def keyring(_: PKI, folder: Path) -> tuple[Any, Callable[[], object]]:
    (folder / "key").write_bytes(os.urandom(80))
    made = tlskit.TicketKeyring.from_files(folder / "key")
    return made, made.refresh


def context(pki: PKI, _: Path) -> tuple[Any, Callable[[], object]]:
    made = pairs.server_context(pki)

    def use() -> None:
        made.verify_depth = 3
        pairs.memory_pair(pairs.client_context(pki), made)

    return made, use


def memory_store(_: PKI, __: Path) -> tuple[Any, Callable[[], object]]:
    made = tlskit.MemoryStore()
    return made, lambda: made.put(b"key", b"value", 60)


def sqlite_store(_: PKI, folder: Path) -> tuple[Any, Callable[[], object]]:
    pytest.importorskip("sqlite3")  # some Pythons are built without it
    made = tlskit.SQLiteStore(folder / "store", timeout=0.01)
    return made, lambda: made.put(b"key", b"value", 60)


@pytest.mark.parametrize("make", [watcher, keyring, context, memory_store, sqlite_store])
def test_object_whose_lock_is_held(make: Any, pki: PKI, tmp_path: Path) -> None:
    made, use = make(pki, tmp_path)
    with inside.held_elsewhere(inside.lock_of(made)):
        assert in_child(use) == 0
    use()


def test_watcher_whose_thread_sleeps(pki: PKI) -> None:
    """The child has no such thread: it can stop the watcher, and start another thread."""

    def use() -> None:
        running.stop()
        running.start()
        running.stop()

    with pairs.server_context(pki).watch(pki.server.chain, pki.server.key) as running:
        for _ in range(20):
            assert in_child(use) == 0


def test_keyring_whose_function_is_running() -> None:
    """It is asked for keys in a thread; the child asks again."""
    asked, answer = threading.Event(), threading.Event()
    first = os.urandom(80)

    def keys() -> list[bytes]:
        if threading.current_thread() is not threading.main_thread():
            asked.set()
            assert answer.wait(20)
        return [first]

    ring = tlskit.TicketKeyring.from_callback(keys)
    asking = Background(ring.refresh)
    assert asked.wait(20)
    try:
        assert in_child(ring.refresh) == 0
    finally:
        answer.set()
    asking.result()


# -- modules: a fork waits -------------------------------------------------------------------------


def injecting() -> None:
    with tlskit.inject_into_ssl():
        pass


def installing() -> None:
    with tlskit.aio.install():
        pass


def in_a_loop() -> None:
    """The first TLS connection of a new event loop."""

    async def work() -> None:
        turns.loop_state_of(asyncio.get_running_loop())

    turns = import_module("tlskit.aio._loop_state")
    asyncio.run(work())


def pausing() -> None:
    """A handshake that stops for a callback's answer."""
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.client_hello_callback = lambda connection, hello: None
    incoming = tlskit.MemoryBIO()
    end = context.wrap_bio(incoming, tlskit.MemoryBIO(), server_side=True)
    incoming.write(client_hello())
    with pytest.raises(tlskit.SSLError):  # it has no certificate
        end.do_handshake()


def client_hello() -> bytes:
    outgoing = tlskit.MemoryBIO()
    client = tlskit.create_default_context()
    end = client.wrap_bio(tlskit.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(tlskit.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()


MODULES: dict[str, Callable[[], object]] = {
    "inject": injecting,
    "_import_hooks": injecting,
    "aio._install": installing,
    "aio._loop_state": in_a_loop,
    "_core.pauses": pausing,
    "_trust": tlskit.create_default_context,
    "_stdlib.creation": lambda: tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
}


def test_the_locks_of_modules_are_known_to_forks() -> None:
    known = [inside.lock_of(import_module(f"tlskit.{name}")) for name in MODULES]
    assert {*map(id, known)} <= {*map(id, inside.fork_locks())}


@not_with_asan
@pytest.mark.parametrize("name", MODULES)
def test_fork_waits_for_the_lock_of_a_module(name: str) -> None:
    lock = inside.lock_of(import_module(f"tlskit.{name}"))
    with inside.held_elsewhere(lock) as let_go:
        forking = Background(lambda: in_child(MODULES[name]))
        assert not forking.ended(0.1)
        let_go()
        assert forking.result() == 0
    MODULES[name]()


@pytest.mark.parametrize("name", MODULES)
def test_lock_of_a_module_that_is_never_let_go(name: str) -> None:
    """The fork is out of patience. What the other thread was changing may be half changed, but
    nothing hangs.
    """
    lock = inside.lock_of(import_module(f"tlskit.{name}"))
    with inside.short_patience(0.05), inside.held_elsewhere(lock):
        assert in_child(MODULES[name]) == 0


def test_fork_in_the_middle_of_a_change() -> None:
    """By the thread that holds the lock itself: it goes on to hold it in the child."""
    lock = inside.lock_of(import_module("tlskit.inject"))

    def use() -> None:
        injecting()
        assert not Background(lambda: lock.__enter__()).ended(0.1)

    with lock:
        assert in_child(use) == 0
    injecting()


@not_with_asan
def test_locks_that_are_taken_in_any_order() -> None:
    """Two threads hold one lock each and want the other's after the fork has begun: the fork holds
    none while it waits.
    """
    one, other = inside.fork_locks()[:2]
    with inside.held_elsewhere(one) as let_go, inside.held_elsewhere(other) as let_other_go:
        forking = Background(lambda: in_child(injecting))
        let_go()
        with one:  # it is free, although the fork waits for `other`
            let_other_go()
        assert forking.result() == 0


def test_an_interrupt_in_the_middle_of_a_fork_leaves_no_lock_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python reports what a hook raises, and goes on after the fork."""
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: reported.append(raised.exc_type))

    def use() -> None:
        assert reported == [KeyboardInterrupt]
        for lock in inside.fork_locks():
            with inside.held_elsewhere(lock):
                pass

    with inside.interrupted_forks():
        assert in_child(use) == 0
    use()


# -- what cffi builds lazily -----------------------------------------------------------------------


def test_every_function_and_type_can_be_built_at_once() -> None:
    """Which the first fork does without the GIL: a name that cffi does not know would raise."""
    inside.realize()
    assert in_child(inside.realize) == 0
