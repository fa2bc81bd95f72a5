"""Guard: whatever a store does, nobody who asks it gets an exception, or waits more than a few
times.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
import weakref

import pytest

from tlskit import MemoryStore
from tlskit.stores.guard import Answer, Guard, GuardStats, _known
from tlskit.stores.store import UnreadableEntry

from ...support import inside
from ...support.pairs import Background
from ...support.pypy import circles_collected
from .test_memory import Clock


class Broken:
    """A store that does in every call what it was told to do."""

    in_process = False
    sealed = False

    def __init__(self, act):
        self.act, self.calls = act, 0

    def _call(self, *args, **kwargs):
        self.calls += 1
        return self.act()

    put = take = get = remove = purge = _call


def raising(error):
    def act():
        raise error

    return act


def all_calls(guard):
    return [
        guard.take(b"k"),
        guard.get(b"k"),
        guard.put(b"k", b"v", 1),
        guard.remove(b"k"),
        guard.remove(b"k", b"v"),
        guard.purge(),
    ]


def test_a_store_that_is_well():
    guard = Guard(MemoryStore())
    assert guard.take(b"k") == Answer(None, None)
    assert guard.put(b"k", b"v", 60, most=2) is True
    assert guard.get(b"k") == Answer(b"v", None)
    assert guard.remove(b"k") is True
    assert guard.remove(b"k") is False
    assert guard.purge() == 0
    assert guard.stats() == GuardStats(calls=6)
    assert not guard.resting


@pytest.mark.parametrize(
    "error",
    [
        OSError(111, "refused"),
        ValueError(),
        TimeoutError(),
        KeyError("k"),
        RecursionError(),
        MemoryError(),
        StopIteration(),
        Exception(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_it_raises_is_caught_and_counted(error):
    guard = Guard(Broken(raising(error)))
    answers = all_calls(guard)
    assert answers[0].value is None
    assert type(error).__name__ in answers[0].trouble
    assert answers[2:] == [False, False, False, 0]
    assert guard.stats() == GuardStats(calls=3, failures=3, skipped=3)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, SystemExit, GeneratorExit], ids=lambda error: error.__name__
)
def test_what_ends_the_program_goes_through_and_says_nothing_of_the_store(error):
    guard = Guard(Broken(raising(error())))
    for _ in range(5):
        with pytest.raises(error):
            guard.take(b"k")
    assert not guard.resting
    assert guard.stats() == GuardStats(calls=5)


@pytest.mark.parametrize(
    "value",
    [0, 1, True, "text", bytearray(b"x"), memoryview(b"x"), [b"x"], object(), (b"x",)],
    ids=repr,
)
def test_garbage_is_ignored_and_counted(value):
    guard = Guard(Broken(lambda: value))
    for answer in (guard.take(b"k"), guard.get(b"k")):
        assert answer.value is None
        assert type(value).__name__ in answer.trouble
    assert guard.remove(b"k") is (value is True)
    assert isinstance(guard.purge(), int)
    assert guard.stats().bad_entries == 2
    assert guard.stats().failures == 0


def test_bytes_of_another_class_are_garbage():
    class Bytes(bytes):
        pass

    assert Guard(Broken(lambda: Bytes(b"x"))).take(b"k").value is None


def test_a_coroutine_is_closed_and_never_warned_of():
    async def take():
        return b"x"

    guard = Guard(Broken(lambda: take()))
    assert guard.take(b"k") == Answer(
        None, "the store gave a coroutine where bytes were expected", True
    )


def test_any_object_comes_from_a_store_in_the_process():
    store, value = MemoryStore(), object()
    store.put(b"k", value, 60)
    assert Guard(store).take(b"k").value is value


def test_attributes_that_raise_are_no_matter():
    class Odd(Broken):
        @property
        def in_process(self):
            raise RuntimeError

        sealed = unreadable = in_process

    assert Guard(Odd(lambda: b"x")).take(b"k").value == b"x"
    assert Guard(Odd(lambda: None)).take(b"k") == Answer(None)
    assert Guard(Odd(raising(ValueError()))).take(b"k").trouble


def test_something_that_is_no_store_at_all():
    guard = Guard(object())
    assert [bool(answer) for answer in all_calls(guard)[2:]] == [False] * 4
    assert guard.stats().failures == 3


def test_entries_that_the_store_could_not_open_are_told_and_counted():
    store = Broken(lambda: None)
    guard = Guard(store)
    assert guard.take(b"k").trouble is None
    store.act = raising(UnreadableEntry())
    assert guard.take(b"k").trouble == "the store held an entry that could not be opened"
    assert guard.stats() == GuardStats(calls=2, bad_entries=1)


# -- leaving alone ---------------------------------------------------------------------------------


def test_a_store_that_is_down_is_asked_three_times_and_then_left_alone():
    clock = Clock()
    store = Broken(raising(ConnectionRefusedError(111, "Connection refused")))
    guard = Guard(store, clock=clock)
    for _ in range(100):
        assert guard.take(b"k").value is None
    assert store.calls == 3
    assert guard.resting
    assert "not asked for a while" in guard.take(b"k").trouble
    assert "not asked for a while" in repr(guard)
    assert guard.stats() == GuardStats(calls=3, failures=3, skipped=98)


def test_the_rest_doubles_up_to_a_minute_and_one_call_is_tried_after_each():
    clock, asked = Clock(), []
    store = Broken(raising(OSError()))
    guard = Guard(store, clock=clock)
    for _ in range(3000):
        before = store.calls
        guard.take(b"k")
        if store.calls > before:
            asked.append(clock.now)
        clock.sleep(0.125)
    assert [after - before for before, after in itertools.pairwise(asked)] == [
        0.125,
        0.125,
        1,
        2,
        4,
        8,
        16,
        32,
        60,
        60,
        60,
        60,
        60,
    ]


def test_one_good_call_ends_it():
    clock = Clock()
    store = Broken(raising(OSError()))
    guard = Guard(store, clock=clock)
    for _ in range(5):
        guard.take(b"k")
    store.act = lambda: b"v"
    assert guard.take(b"k").value is None
    clock.sleep(1)
    assert [guard.take(b"k").value for _ in range(3)] == [b"v"] * 3
    store.act = raising(OSError())
    for _ in range(5):
        guard.take(b"k")
    assert guard.stats().failures == 6  # three again: what was before the recovery does not count


def test_a_failure_now_and_then_does_not_matter():
    clock = Clock()
    turns = iter(range(10**6))

    def act():
        if next(turns) % 3:
            raise OSError
        return b"v"

    guard = Guard(Broken(act), clock=clock)
    assert [guard.take(b"k").value for _ in range(30)] == [b"v", None, None] * 10
    assert guard.stats().skipped == 0


def test_a_store_that_is_slow_is_left_alone_though_it_answers():
    clock = Clock()

    def act():
        clock.sleep(0.3)
        return b"v"

    guard = Guard(Broken(act), clock=clock)
    assert [guard.take(b"k").value for _ in range(5)] == [b"v", b"v", b"v", None, None]
    assert guard.stats() == GuardStats(calls=3, slow=3, skipped=2)


def test_a_second_lost_is_enough():
    clock = Clock()

    def act():
        clock.sleep(5)
        raise TimeoutError

    guard = Guard(Broken(act), clock=clock)
    guard.take(b"k")
    guard.take(b"k")
    assert guard.stats() == GuardStats(calls=1, failures=1, skipped=1)


def test_patience_is_a_matter_of_taste():
    clock = Clock()

    def act():
        clock.sleep(0.3)
        return b"v"

    guard = Guard(Broken(act), patience=1, clock=clock)
    for _ in range(5):
        assert guard.take(b"k").value == b"v"
    assert guard.stats() == GuardStats(calls=5)


def test_while_one_thread_tries_again_the_others_do_not_wait():
    clock = Clock()
    store = Broken(raising(OSError()))
    guard = Guard(store, clock=clock)
    for _ in range(3):
        guard.take(b"k")
    clock.sleep(1)
    inside, go_on = threading.Event(), threading.Event()

    def act():
        inside.set()
        go_on.wait(30)
        return b"v"

    store.act = act
    trying = Background(lambda: guard.take(b"k"))
    assert inside.wait(30)
    assert "not asked for a while" in guard.take(b"k").trouble
    go_on.set()
    assert trying.result().value == b"v"
    assert guard.take(b"k").value == b"v"


def test_a_trial_that_was_cancelled_is_made_again():
    clock = Clock()
    store = Broken(raising(OSError()))
    guard = Guard(store, clock=clock)
    for _ in range(3):
        guard.take(b"k")
    clock.sleep(1)
    store.act = raising(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        guard.take(b"k")
    store.act = lambda: b"v"
    assert guard.take(b"k").value == b"v"


def test_guards_of_one_store_know_from_each_other():
    """Each context has a guard of its own: a new one does not begin with waiting."""
    store = Broken(raising(OSError()))
    for _ in range(10):
        Guard(store).take(b"k")
    assert store.calls == 3
    assert Guard(store).resting
    assert Guard(store).stats() == GuardStats()
    assert not Guard(Broken(raising(OSError()))).resting


def test_guards_of_a_store_that_cannot_be_a_key():
    class Odd(Broken):
        __slots__ = ()

        def __eq__(self, other):
            raise RuntimeError

        __hash__ = None

    assert Guard(Odd(lambda: b"v")).take(b"k").value == b"v"


def test_what_is_known_of_a_store_goes_with_it():
    store = Broken(lambda: None)
    guard = Guard(store)
    assert store in _known
    gone = weakref.ref(store)
    del store, guard
    circles_collected()
    assert gone() is None


def test_a_store_whose_own_connection_asks_it_is_not_asked_again():
    """Redis over TLS, in a process where every connection has that very store."""
    inner = []

    def act():
        inner.extend([guard.take(b"k"), guard.put(b"k", b"v", 60), Guard(store).get(b"k")])
        return b"v"

    store = Broken(act)
    guard = Guard(store)
    assert guard.take(b"k") == Answer(b"v")
    assert store.calls == 1
    assert [inner[0].value, inner[1], inner[2].value] == [None, False, None]
    assert "already being asked" in inner[0].trouble
    assert guard.stats() == GuardStats(calls=1, skipped=2)
    store.act = raising(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        guard.take(b"k")
    store.act = lambda: b"w"
    assert guard.take(b"k") == Answer(b"w")


def test_eight_threads_count_right():
    guard = Guard(MemoryStore(), patience=60)  # a busy machine may stop a thread in a call

    def work():
        for _ in range(500):
            guard.put(b"k", b"v", 60)
            guard.take(b"k")

    for one in [Background(work) for _ in range(8)]:
        one.result()
    assert guard.stats() == GuardStats(calls=8000)


# -- what is logged --------------------------------------------------------------------------------


def test_it_is_told_once_until_it_has_recovered(caplog):
    caplog.set_level(logging.INFO, "tlskit")
    clock = Clock()
    store = Broken(raising(ConnectionRefusedError(111, "Connection refused")))
    guard = Guard(store, clock=clock)
    for _ in range(100):
        guard.take(b"k")
        clock.sleep(1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert (
        "Broken raised ConnectionRefusedError ([Errno 111] Connection refused) in take()"
        in caplog.text
    )
    store.act = lambda: None
    clock.sleep(60)
    for _ in range(5):
        guard.take(b"k")
    store.act = raising(OSError())
    guard.take(b"k")
    store.act = lambda: None
    guard.take(b"k")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    clock.sleep(60)
    store.act = raising(OSError())
    guard.put(b"k", b"v", 1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]


def test_a_slow_store_is_told_of(caplog):
    clock = Clock()
    guard = Guard(Broken(lambda: clock.sleep(0.5)), clock=clock)
    guard.get(b"k")
    assert "took 0.5 seconds in get()" in caplog.text


def test_no_value_and_no_key_comes_into_the_log(caplog):
    def act():
        raise ValueError("cannot keep b'the secret'")

    guard = Guard(Broken(act))
    guard.put(b"the key", b"the secret", 1)
    assert "ValueError" in caplog.text
    assert "the secret" not in caplog.text
    assert "the key" not in caplog.text
    assert "the secret" not in repr(Answer(b"the secret"))


def test_an_exception_that_cannot_be_printed(caplog):
    class Odd(OSError):
        def __str__(self):
            raise RuntimeError

    assert Guard(Broken(raising(Odd()))).take(b"k").trouble
    assert "Odd" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_does_not_wait_for_a_lock_of_its_parent():
    guard = Guard(Broken(lambda: b"v"))
    with inside.lock_of(guard):
        child = os.fork()
        if not child:
            try:
                os._exit(0 if guard.take(b"k").value == b"v" else 1)
            finally:
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_probe_that_hangs_is_followed_by_another():
    """A call that never returns must not leave the store alone for the rest of the process."""
    clock, hanging, entered = Clock(), threading.Event(), threading.Event()
    acts = iter([raising(OSError("down"))] * 3)

    def hang():
        entered.set()
        assert hanging.wait(20)

    store = Broken(lambda: next(acts)())
    guard = Guard(store, clock=clock)
    for _ in range(3):
        guard.get(b"k")
    assert guard.resting
    clock.now += 2
    store.act = hang
    probing = Background(lambda: guard.get(b"k"))
    assert entered.wait(20)
    store.act = lambda: b"value"
    assert guard.get(b"k").value is None, "one probe at a time"
    clock.now += 61
    assert guard.get(b"k").value == b"value"
    assert guard.get(b"k").value == b"value", "it is well again"
    hanging.set()
    probing.result()
    assert guard.get(b"k").value == b"value" or guard.resting


# -- event loops -----------------------------------------------------------------------------------


class Hanging(Broken):
    """A store that does not come back before it is let go."""

    def __init__(self):
        self.go, self.threads = threading.Event(), []
        super().__init__(self.wait)

    def wait(self):
        self.threads.append(threading.get_ident())
        self.go.wait(30)
        return b"late"


def test_an_event_loop_does_not_wait_for_a_store_that_hangs():
    store = Hanging()
    guard = Guard(store)
    guard.loop_patience = 0.01

    async def asked():
        return [guard.get(b"k"), guard.take(b"k"), guard.put(b"k", b"v", 9)]

    got, taken, put = asyncio.run(asked())
    assert "TimeoutError" in got.trouble
    assert "TimeoutError" in taken.trouble
    assert put is False
    assert threading.get_ident() not in store.threads
    assert len(set(store.threads)) == len(store.threads)  # none waits for another
    store.go.set()


def test_an_event_loop_hears_what_a_store_answers():
    class Shop(Exception):
        pass

    async def asked(guard):
        return guard.get(b"k")

    assert asyncio.run(asked(Guard(Broken(lambda: b"value")))).value == b"value"
    assert "Shop" in asyncio.run(asked(Guard(Broken(raising(Shop()))))).trouble
    answer = asyncio.run(asked(Guard(Broken(raising(UnreadableEntry())))))
    assert answer.bad


def test_without_a_loop_or_a_bound_the_call_is_made_here():
    seen = []
    store = Broken(lambda: seen.append(threading.get_ident()))
    guard = Guard(store)
    guard.get(b"k")

    async def asked():
        guard.get(b"k")

    guard.loop_patience = None
    asyncio.run(asked())
    assert seen == [threading.get_ident()] * 2
