"""The tests that every session store must pass, your own included. They need no test framework.

    from tlskit.sessions import contract

    contract.check(lambda: MyStore(...))          # raises AssertionError, with every failure

    class TestMyStore(contract.StoreContract):    # for pytest; add unittest.TestCase for unittest
        def make_store(self):
            return MyStore(...)

Each test opens its own store and uses keys that no other test uses, so all of them may share one
database or server.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from .expectations import expect, raises, same
from .store import Entry, SessionStore
from .workers import forked, together

__all__ = ["StoreContract", "check"]

_HOUR = 3600.0


class StoreContract:
    """The contract, one method per clause. Override `make_store`, and those of the attributes and
    methods below it that do not fit your store.

    Attributes:
        tick: the store's time resolution in seconds: 1 or more if it counts whole seconds.
        largest: the size in bytes of the largest value that is tried.
        threads, each: how many threads use one store at once, and how many values each of them
            puts.
    """

    tick: float = 0.05
    largest: int = 65536
    threads: int = 8
    each: int = 25

    def make_store(self) -> SessionStore:
        """Return an open store. Each test calls this at least once. The stores may all use the
        same place, or each its own.
        """
        raise NotImplementedError("make_store() must return the store to be tested")

    def wait(self, seconds: float) -> None:
        """Let this much time pass for the store. Override it if you control the store's clock."""
        time.sleep(seconds)

    # -- one value ---------------------------------------------------------------------------------

    def test_it_has_the_shape(self) -> None:
        """The attributes and methods of SessionStore are there."""
        store = self.make_store()
        expect(
            isinstance(store, SessionStore),
            f"{type(store).__name__} lacks a method or an attribute of SessionStore",
        )
        expect(
            isinstance(store.in_process, bool) and isinstance(store.sealed, bool),
            "in_process and sealed are booleans",
        )
        store.close()

    def test_what_was_put_is_there(self) -> None:
        """`get` leaves a value, `take` does not."""
        with _opened(self) as store:
            key = _key()
            store.put(key, b"one", _HOUR)
            same(store.get(key), b"one", "get() after put()")
            same(store.get(key), b"one", "get() after get()")
            same(store.take(key), b"one", "take() after get()")
            same(store.take(key), None, "take() after take()")
            same(store.get(key), None, "get() after take()")

    def test_nothing_is_there_at_first(self) -> None:
        """An unused key holds nothing."""
        with _opened(self) as store:
            key = _key()
            same(store.take(key), None, "take() of an unused key")
            same(store.get(key), None, "get() of an unused key")
            same(store.remove(key), False, "remove() of an unused key")
            same(store.remove(key, b"x"), False, "remove() of a value of an unused key")

    def test_bytes_stay_what_they_are(self) -> None:
        """Values and keys may contain any byte."""
        with _opened(self) as store:
            for value in (
                bytes(range(256)),
                b"\0",
                b"\r\n",
                b"\xff\xfe",
                b"a\0b",
                b" x ",
                b"'\"%s{}",
                b"\0" * 300,
            ):
                key = _key()
                store.put(key, value, _HOUR)
                same(store.take(key), value, f"a value of {len(value)} bytes")
            for tail in (b"", b"\0", b"\r\n", b" ", b"\xff", b"*", b"x" * 300):
                key = _key() + tail
                store.put(key, b"v", _HOUR)
                same(store.take(key), b"v", f"a key that ends with {tail[:4]!r}")

    def test_values_may_be_empty_or_large(self) -> None:
        """From nothing to 64 KiB."""
        with _opened(self) as store:
            for value in (b"", b"x", secrets.token_bytes(self.largest)):
                key = _key()
                store.put(key, value, _HOUR)
                same(store.get(key), value, f"a value of {len(value)} bytes")
                same(store.take(key), value, f"a value of {len(value)} bytes")

    def test_keys_do_not_meet(self) -> None:
        """An operation on one key does not affect the others, however similar they are."""
        with _opened(self) as store:
            one = _key()
            others = [one + b"\0", one + b"0", one[:-1], one[::-1], b"x" + one]
            for key in (one, *others):
                store.put(key, b"of " + key, _HOUR)
            same(store.take(one), b"of " + one, "take() among similar keys")
            store.put(one, b"again", _HOUR)
            same(store.remove(one), True, "remove() among similar keys")
            for key in others:
                same(store.take(key), b"of " + key, "take() of a similar key")

    # -- several values under a key ----------------------------------------------------------------

    def test_the_newest_is_first(self) -> None:
        """`take` and `get` return the newest value."""
        with _opened(self) as store:
            key = _key()
            for value in (b"1", b"2", b"3"):
                store.put(key, value, _HOUR, most=3)
            same(store.get(key), b"3", "get() of three values")
            same(
                [store.take(key) for _ in range(4)],
                [b"3", b"2", b"1", None],
                "take() of three values, in turn",
            )

    def test_a_key_is_bounded(self) -> None:
        """No put leaves more than `most` values; the oldest are dropped."""
        with _opened(self) as store:
            key = _key()
            for number in range(10):
                store.put(key, b"%d" % number, _HOUR, most=4)
            same(
                [store.take(key) for _ in range(5)],
                [b"9", b"8", b"7", b"6", None],
                "take() after ten puts with most=4",
            )
            for value in (b"1", b"2", b"3"):
                store.put(key, value, _HOUR, most=3)
            store.put(key, b"4", _HOUR)
            same(
                [store.take(key) for _ in range(2)], [b"4", None], "take() after a put with most=1"
            )

    def test_one_value_is_removed(self) -> None:
        """`remove` with a value removes that one; without, all."""
        with _opened(self) as store:
            key = _key()
            for value in (b"1", b"2", b"3"):
                store.put(key, value, _HOUR, most=3)
            same(store.remove(key, b"2"), True, "remove() of a value that is there")
            same(store.remove(key, b"2"), False, "remove() of a value that is gone")
            same(store.remove(key, b"4"), False, "remove() of a value that never was")
            same(
                [store.take(key) for _ in range(3)],
                [b"3", b"1", None],
                "take() after remove() of the middle one",
            )
            store.put(key, b"1", _HOUR, most=2)
            store.put(key, b"2", _HOUR, most=2)
            same(store.remove(key), True, "remove() of all")
            same(store.take(key), None, "take() after remove() of all")

    # -- time --------------------------------------------------------------------------------------

    def test_values_expire(self) -> None:
        """Each value expires after its own seconds, and not before."""
        with _opened(self) as store:
            short, long, both = _key(), _key(), _key()
            store.put(long, b"long", _HOUR)
            store.put(both, b"long", _HOUR, most=2)
            store.put(both, b"short", 2 * self.tick, most=2)
            store.put(short, b"short", 2 * self.tick)
            self.wait(4 * self.tick)
            same(store.get(short), None, "get() of an expired value")
            same(store.take(short), None, "take() of an expired value")
            same(store.get(long), b"long", "get() of a value that is still valid")
            same(
                store.take(both),
                b"long",
                "take() where the newest value has expired but an older one is still valid",
            )
            expect(isinstance(store.purge(), int), "purge() returns how many it dropped")
            same(store.take(long), b"long", "take() after purge()")

    def test_no_time_is_no_time(self) -> None:
        """Nothing is kept for 0 seconds or fewer."""
        with _opened(self) as store:
            key = _key()
            for seconds in (0, -1, -_HOUR):
                store.put(key, b"x", seconds)
                same(store.get(key), None, f"get() of what was put for {seconds} seconds")

    def test_a_week_is_long_enough(self) -> None:
        """TLS keeps tickets for at most seven days, but a store must accept more."""
        with _opened(self) as store:
            for days in (7, 31, 366, 1e9, 1e300):
                key = _key()
                store.put(key, b"x", days * 24 * _HOUR)
                same(store.take(key), b"x", f"a value that was put for {days} days")

    # -- everything --------------------------------------------------------------------------------

    def test_entries_tell_what_there_is(self) -> None:
        """All live entries with their remaining time, or NotImplementedError."""
        with _opened(self) as store:
            keys = [_key() for _ in range(3)]
            for key in keys:
                store.put(key, b"of " + key, _HOUR)
            try:
                found = {entry.key: entry for entry in store.entries()}
            except NotImplementedError:
                return
            for key in keys:
                entry = found.get(key)
                if not isinstance(entry, Entry):
                    raise AssertionError("entries() gives an Entry for each value")
                same(entry.value, b"of " + key, "the value of an entry")
                expect(
                    _HOUR - 60 < entry.seconds_left <= _HOUR + 2,
                    f"seconds_left is {entry.seconds_left} of {_HOUR}",
                )
                expect(
                    key.hex() not in repr(entry) and repr(entry.value)[2:-1] not in repr(entry),
                    "the repr of an entry shows its value",
                )
                same(store.take(key), b"of " + key, "take() after entries()")

    def test_it_can_be_closed(self) -> None:
        """A store may be closed twice, and refuses every other call afterwards."""
        store = self.make_store()
        store.put(_key(), b"x", _HOUR)
        store.close()
        store.close()
        calls: list[Callable[[], object]] = [
            lambda: store.put(_key(), b"x", _HOUR), lambda: store.take(_key()),
            lambda: store.get(_key()), lambda: store.remove(_key()),
        ]  # fmt: skip
        for call in calls:
            raises(ValueError, call, "a call after close()")

    def test_bad_arguments_are_refused(self) -> None:
        """Bad arguments raise TypeError or ValueError and change nothing."""
        with _opened(self) as store:
            key = _key()
            store.put(key, b"before", _HOUR)
            odd: Any = store
            for seconds in (float("nan"), float("inf"), -float("inf")):
                raises(
                    ValueError,
                    partial(store.put, key, b"x", seconds),
                    f"put() for {seconds} seconds",
                )
            raises(ValueError, lambda: store.put(key, b"x", _HOUR, most=0), "put() with most=0")
            raises(
                TypeError, lambda: odd.put("text", b"x", _HOUR), "put() under a key that is text"
            )
            raises(TypeError, lambda: odd.take("text"), "take() of a key that is text")
            raises(TypeError, lambda: odd.put(key, b"x", "soon"), "put() for a time that is text")
            if not store.in_process:
                raises(TypeError, lambda: odd.put(key, "text", _HOUR), "put() of text")
            same(store.take(key), b"before", "take() after calls that were refused")

    # -- at once -----------------------------------------------------------------------------------

    def test_threads_take_each_value_once(self) -> None:
        """Several threads put and take under one key: no value is taken twice, and none is
        invented.
        """
        with _opened(self) as store:
            key, total = _key(), self.threads * self.each

            def work(number: int) -> list[bytes | None]:
                got = []
                for turn in range(self.each):
                    store.put(key, b"%d/%d" % (number, turn), _HOUR, most=total)
                    got.append(store.take(key))
                return got

            taken = [
                value for one in together(self.threads, work) for value in one if value is not None
            ]
            for _ in range(total):
                if (value := store.take(key)) is None:
                    break
                taken.append(value)
            put = {
                b"%d/%d" % (number, turn)
                for number in range(self.threads)
                for turn in range(self.each)
            }
            expect(
                len(taken) == len(set(taken)),
                f"{len(taken) - len(set(taken))} of {total} values were taken twice",
            )
            expect(set(taken) <= put, "a value was taken that was never put")
            expect(len(taken) >= total * 0.9, f"{total - len(taken)} of {total} values were lost")

    def test_threads_with_keys_of_their_own(self) -> None:
        """Several threads do not disturb each other."""
        with _opened(self) as store:

            def work(number: int) -> None:
                for turn in range(self.each):
                    key, value = _key(), b"%d/%d" % (number, turn)
                    store.put(key, value, _HOUR)
                    same(store.get(key), value, "get() beside other threads")
                    same(store.take(key), value, "take() beside other threads")

            together(self.threads, work)

    def test_a_forked_child_takes_nothing_twice(self) -> None:
        """Parent and child use the store they had before the fork, and no value reaches both.
        (Skipped where there is no fork.)
        """
        if not hasattr(os, "fork") or threading.active_count() > 1:
            return
        with _opened(self) as store:
            key, own = _key(), _key()
            for number in range(20):
                store.put(key, b"%d" % number, _HOUR, most=20)
            child, pipe = forked(lambda: _in_child(store, key, own))
            taken: list[bytes | None] = [store.take(key) for _ in range(20)]
            with os.fdopen(pipe, "rb") as reader:
                lines = reader.read().split(b"\n")
            os.waitpid(child, 0)
            expect(
                lines[-1] == b"done",
                "the child could not use the store: " + b" ".join(lines).decode(errors="replace"),
            )
            of_parent, of_child = {value for value in taken if value is not None}, set(lines[:-1])
            expect(not of_parent & of_child, "the same value came to the parent and to the child")
            expect(
                len(of_parent | of_child) == 20, "values were lost between the parent and the child"
            )


def check(make_store: Callable[[], SessionStore], **attributes: Any) -> None:
    """Run the whole contract.

    Args:
        make_store: returns an open store each time it is called.
        attributes: attributes of StoreContract to override, such as `tick=1.0`.

    Raises:
        AssertionError: lists each clause that failed, and how.
    """
    contract = StoreContract()
    contract.make_store = make_store  # type: ignore[method-assign]
    for name, value in attributes.items():
        if name.startswith("_") or not hasattr(contract, name):
            raise TypeError(f"StoreContract has no attribute {name}")
        setattr(contract, name, value)
    failures = []
    for name in (name for name in dir(contract) if name.startswith("test_")):
        try:
            getattr(contract, name)()
        except Exception as error:
            failures.append(f"{name[5:].replace('_', ' ')}: {type(error).__name__}: {error}")
    if failures:
        raise AssertionError("the store breaks its contract:\n  " + "\n  ".join(failures))


def _key() -> bytes:
    return secrets.token_bytes(32)


class _opened:
    """Open a store for one test, and close it afterwards."""

    def __init__(self, contract: StoreContract) -> None:
        self._opened = contract.make_store()

    def __enter__(self) -> SessionStore:
        return self._opened

    def __exit__(self, *exception: object) -> None:
        self._opened.close()


def _in_child(store: SessionStore, key: bytes, own: bytes) -> list[bytes]:
    taken = [value for value in (store.take(key) for _ in range(20)) if value is not None]
    store.put(own, b"x", _HOUR)
    if store.take(own) != b"x":
        return [*taken, b"a value of the child's own is not there"]
    return [*taken, b"done"]
