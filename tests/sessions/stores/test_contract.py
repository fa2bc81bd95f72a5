"""The contract itself: stores that break one clause are told which; and it runs under unittest."""

from __future__ import annotations

import threading
import unittest

import pytest

from tlskit import MemoryStore
from tlskit.stores import contract


class Wrapped:
    """A MemoryStore that says it is somewhere else, for others to get wrong."""

    in_process = False
    sealed = False

    def __init__(self):
        self.inner = MemoryStore()

    def put(self, key, value, seconds, *, most=1):
        if not isinstance(value, bytes):
            raise TypeError
        self.inner.put(key, value, seconds, most=most)

    def take(self, key):
        return self.inner.take(key)

    def get(self, key):
        return self.inner.get(key)

    def remove(self, key, value=None):
        return self.inner.remove(key, value)

    def purge(self):
        return self.inner.purge()

    def clear(self):
        self.inner.clear()

    def close(self):
        self.inner.close()

    def entries(self):
        return self.inner.entries()


class TakesTwice(Wrapped):
    def take(self, key):
        return self.inner.get(key)


class TakesTheOldest(Wrapped):
    def take(self, key):
        held = self.inner._kept.get(key)
        if held and len(held) > 1:
            held.rotate(1)
        return self.inner.take(key)


class ForgetsTheBound(Wrapped):
    def put(self, key, value, seconds, *, most=1):
        if most < 1:
            raise ValueError
        super().put(key, value, seconds, most=100)


class NeverExpires(Wrapped):
    def put(self, key, value, seconds, *, most=1):
        super().put(key, value, abs(seconds * 1e6), most=most)


class StripsValues(Wrapped):
    def put(self, key, value, seconds, *, most=1):
        super().put(key, value.strip() if isinstance(value, bytes) else value, seconds, most=most)


class CutsKeys(Wrapped):
    def put(self, key, value, seconds, *, most=1):
        super().put(key[:31], value, seconds, most=most)

    def take(self, key):
        return self.inner.take(key[:31])

    def get(self, key):
        return self.inner.get(key[:31])


class CutsValues(Wrapped):
    def put(self, key, value, seconds, *, most=1):
        super().put(key, value[:60000], seconds, most=most)


class RemovesAll(Wrapped):
    def remove(self, key, value=None):
        return self.inner.remove(key)


class StaysOpen(Wrapped):
    def close(self):
        pass


class GivesArrays(Wrapped):
    def take(self, key):
        value = self.inner.take(key)
        return None if value is None else bytearray(value)


class TakesText(Wrapped):
    def put(self, key, value, seconds, *, most=1):
        self.inner.put(key, value, seconds, most=most)


class TakesInTwoSteps(Wrapped):
    """Looks first, and removes then. Its threads, two of them, keep step: so both see the same
    value.
    """

    def __init__(self):
        super().__init__()
        self.step = threading.Barrier(2)

    def _wait(self):
        if threading.current_thread() is not threading.main_thread():
            self.step.wait(30)

    def put(self, key, value, seconds, *, most=1):
        super().put(key, value, seconds, most=most)
        self._wait()

    def take(self, key):
        value = self.inner.get(key)
        self._wait()
        if value is not None:
            self.inner.remove(key, value)
        return value


def test_a_store_that_is_right_passes():
    contract.check(Wrapped)


@pytest.mark.parametrize(
    ("store", "clause"),
    [
        (TakesTwice, "take() after take()"),
        (TakesTheOldest, "take() of three values"),
        (ForgetsTheBound, "most=4"),
        (NeverExpires, "expired"),
        (StripsValues, "a value of"),
        (CutsKeys, "similar key"),
        (CutsValues, "a value of 65536 bytes"),
        (RemovesAll, "the middle one"),
        (StaysOpen, "after close()"),
        (GivesArrays, "take()"),
        (TakesText, "put() of text"),
    ],
)
def test_a_store_that_breaks_a_clause_is_told_so(store, clause):
    with pytest.raises(AssertionError, match="breaks its contract") as caught:
        contract.check(store, threads=2, each=2)
    assert clause in str(caught.value)


def test_a_take_in_two_steps_is_found():
    with pytest.raises(AssertionError, match="taken twice"):
        contract.check(TakesInTwoSteps, threads=2)


def test_what_lacks_a_method_is_no_store():
    class Half:
        def close(self):
            pass

    with pytest.raises(AssertionError, match="lacks a method"):
        contract.check(Half)


def test_an_attribute_that_is_not_there_is_refused():
    with pytest.raises(TypeError, match="no attribute speed"):
        contract.check(MemoryStore, speed=3)


def test_it_runs_under_unittest():
    class Case(contract.StoreContract, unittest.TestCase):
        tick = 0.01

        def make_store(self):
            return MemoryStore()

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert result.testsRun > 15
    assert result.wasSuccessful(), result.failures + result.errors
