"""MemoryStore: the contract, its bounds, its clock, and what it does when a signal or a finaliser
comes between.
"""

from __future__ import annotations

import copy
import os
import pickle
import random
import signal
import sys
import threading

import pytest

from tlskit import MemoryStore
from tlskit.stores import contract

from ...support import inside


class Clock:
    """Time that passes when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class TestContract(contract.StoreContract):
    """With a clock of the test's own, so nobody waits."""

    def make_store(self) -> MemoryStore:
        self.clock = Clock()
        return MemoryStore(clock=self.clock)

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)


def test_the_contract_holds_with_the_real_clock():
    contract.check(MemoryStore)


def test_the_number_of_values_is_bounded_and_the_newest_is_kept():
    store = MemoryStore(5)
    for number in range(100):
        store.put(b"%d" % number, number, 60)
        assert len(store) <= 5
        assert store.get(b"%d" % number) == number
    assert [store.get(b"%d" % number) for number in range(94, 100)] == [None, 95, 96, 97, 98, 99]


def test_the_bound_holds_within_one_key():
    store = MemoryStore(3)
    for number in range(10):
        store.put(b"key", number, 60, most=8)
    assert len(store) == 3
    assert [store.take(b"key") for _ in range(4)] == [9, 8, 7, None]


def test_the_key_that_was_not_used_for_longest_goes_first():
    store = MemoryStore(3)
    for key in (b"a", b"b", b"c"):
        store.put(key, key, 60)
    store.get(b"a")
    store.put(b"d", b"d", 60)
    assert [store.get(key) for key in (b"a", b"b", b"c", b"d")] == [b"a", None, b"c", b"d"]


def test_a_store_without_room_is_refused():
    with pytest.raises(ValueError, match="at least 1 value"):
        MemoryStore(0)


def test_any_object_may_be_a_value_and_comes_back_itself():
    store, value = MemoryStore(), object()
    store.put(b"key", value, 60)
    assert store.get(b"key") is value
    assert store.remove(b"key", object()) is False
    assert store.remove(b"key", value) is True
    with pytest.raises(TypeError, match="must not be None"):
        store.put(b"key", None, 60)


def test_expired_values_make_room_and_are_counted():
    clock = Clock()
    store = MemoryStore(clock=clock)
    for number in range(10):
        store.put(b"%d" % number, number, 5 if number % 2 else 50)
    clock.sleep(5)
    assert [entry.value for entry in store.entries()] == [0, 2, 4, 6, 8]
    assert store.purge() == 5
    assert store.purge() == 0
    assert len(store) == 5
    store.clear()
    assert len(store) == 0


def test_a_value_expires_at_its_second_and_not_before():
    clock = Clock()
    store = MemoryStore(clock=clock)
    store.put(b"key", b"v", 5)
    clock.sleep(4.999)
    assert store.get(b"key") == b"v"
    clock.sleep(0.001)
    assert store.remove(b"key") is False


def test_the_wall_clock_does_not_matter(monkeypatch):
    """It may be set, forwards and backwards."""
    store = MemoryStore()
    store.put(b"key", b"v", 60)
    for step in (-1e9, 1e9):
        monkeypatch.setattr("time.time", lambda step=step: 1.7e9 + step)
        assert store.get(b"key") == b"v"


def test_nothing_of_a_value_shows():
    store = MemoryStore()
    store.put(b"key", b"secret", 60)
    assert "secret" not in repr(store) + repr(list(store.entries()))
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            copying(store)


def test_an_empty_store_is_still_a_store():
    assert MemoryStore()


def test_values_that_use_the_store_when_they_die():
    """A finaliser runs in the middle of another call."""
    store = MemoryStore(4)

    class Value:
        def __del__(self):
            store.put(b"from a finaliser", b"v", 60)
            store.take(b"0")

    for number in range(50):
        store.put(b"%d" % (number % 6), Value(), 60, most=2)
        assert len(store) <= 5
    store.clear()
    store.purge()
    assert len(store) == len(list(store.entries()))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers")
def test_signal_handlers_may_use_it():
    store, came = MemoryStore(20), []

    def handler(number, frame):
        store.put(b"signal", len(came), 60, most=3)
        store.take(b"7")
        came.append(number)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        number = 0
        while len(came) < 100:
            number += 1
            store.put(b"%d" % (number % 30), number, 60, most=2)
            store.get(b"%d" % (number % 7))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    store.purge()
    assert len(store) == len(list(store.entries())) <= 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.skipif(
    sys.version_info >= (3, 12) and threading.active_count() > 1,
    reason="Python warns of a fork beside threads",
)
def test_a_child_does_not_wait_for_a_lock_of_its_parent():
    """Forked while the store is in use: the child starts empty, with a lock of its own."""
    store = MemoryStore()
    store.put(b"key", b"v", 60)
    with inside.lock_of(store):
        child = os.fork()
        if not child:
            try:
                fine = store.take(b"key") is None and len(store) == 0
                store.put(b"key", b"mine", 60)
                fine = fine and store.take(b"key") == b"mine"
                done = threading.Thread(target=store.clear)
                done.start()
                done.join(10)
                os._exit(0 if fine and not done.is_alive() else 1)
            finally:
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.take(b"key") == b"v"


def test_bounded_in_bytes():
    """What a peer sends may be large: the oldest go, whatever their number."""
    store = MemoryStore(1000, memory=100_000)
    for number in range(50):
        store.put(b"%d" % number, bytes(10_000), 60)
    assert 5 <= len(store) <= 10
    assert store.get(b"49") == bytes(10_000)
    assert store.get(b"0") is None
    store.put(b"huge", bytes(200_000), 60)
    assert len(store) == 0
    store.put(b"small", b"value", 60)
    assert store.take(b"small") == b"value"
    with pytest.raises(ValueError, match="at least 1 byte, got 0"):
        MemoryStore(memory=0)


def test_bytes_are_counted_whatever_is_done():
    store = MemoryStore(20, memory=50_000)
    rng = random.Random(7)
    for _ in range(2000):
        key = b"%d" % rng.randrange(8)
        what = rng.randrange(6)
        if what < 3:
            store.put(key, bytes(rng.randrange(5000)), rng.choice((1e-9, 60)), most=3)
        elif what == 3:
            store.take(key)
        elif what == 4:
            store.remove(key)
        else:
            store.purge()
    store.purge()  # all that lives for 1 ns has expired by then
    assert inside.bytes_in(store) == sum(
        sys.getsizeof(entry.value, len(entry.value))
        for entry in store.entries()  # PyPy sizes nothing
    )
    store.clear()
    assert inside.bytes_in(store) == 0
