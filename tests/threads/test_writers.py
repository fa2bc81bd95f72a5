"""Writes that end early, and several writers: each byte goes once, in its writer's order, and each
write goes whole.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import tlskit

from ..support import raw
from ..support.pairs import Background
from ..support.pki import PKI
from ..support.raw import Stage, until

LONG = 1 << 20  # more than anything between two ends of a small pair holds
SHORT = 1000  # goes into one record


@pytest.fixture
def ends(pki: PKI, version: tlskit.TLSVersion) -> Iterator[tuple[Any, Any]]:
    """Two ends over sockets that are soon full."""
    with Stage(pki, version).pair(tlskit, small=True) as (near, far), raw.watchdog(near, far):
        yield near, far


def collect(end: Any, size: int) -> bytes:
    got = bytearray()
    while len(got) < size and (data := end.recv(65536)):
        got += data
    return bytes(got)


def again_and_again(write: Callable[[], Any], gate: threading.Event) -> int:
    """Repeat it until it does not time out; the gate is opened at the first timeout. How often it
    did.
    """
    timeouts = 0
    while True:
        try:
            write()
        except TimeoutError:
            timeouts += 1
            gate.set()
        else:
            return timeouts


def fill(end: Any) -> int:
    """Write short messages until one times out: that one is encrypted, but not gone. How many bytes
    that is.
    """
    done = 0
    while True:
        try:
            done += end.send(b"f" * SHORT)
        except TimeoutError:
            return done + SHORT


class Actor:
    """A thread that does what it is told, one thing after another: it has a name, so to say."""

    def __init__(self) -> None:
        self._told: list[Callable[[], Any]] = []
        self._more, self._over = threading.Condition(), False
        self._thread = Background(self._act)

    def _act(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(lambda: self._told or self._over)
                if not self._told:
                    return
                work = self._told.pop(0)
            work()

    def do(self, work: Callable[[], Any]) -> Background:
        """Let it do this; the result is to be waited for."""
        done: list[Any] = []
        finished = threading.Event()

        def noted() -> None:
            try:
                done.append((work(), None))
            except BaseException as error:
                done.append((None, error))
            finished.set()

        with self._more:
            self._told.append(noted)
            self._more.notify()

        def wait() -> Any:
            assert finished.wait(20)
            value, error = done[0]
            if error is not None:
                raise error
            return value

        return Background(wait)

    def end(self) -> None:
        with self._more:
            self._over = True
            self._more.notify()
        self._thread.result()


@pytest.fixture
def actor() -> Iterator[Actor]:
    one = Actor()
    yield one
    one.end()


# -- one writer ------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["send", "sendall", "write"])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_timeout_in_the_middle(ends: Any, call: str, kind: Any) -> None:
    """The call says nothing of what has gone; whoever repeats it as a whole sends each byte
    once.
    """
    near, far = ends
    data, gate = os.urandom(LONG), threading.Event()
    near.settimeout(0.05)
    first = Background(lambda: gate.wait(20) and collect(far, LONG))
    timeouts = again_and_again(lambda: getattr(near, call)(kind(data)), gate)
    assert timeouts >= 1
    assert first.result() == data
    near.settimeout(20)
    near.sendall(b"end")
    assert far.recv(100) == b"end"


def test_repetition_may_be_longer(ends: Any) -> None:
    near, far = ends
    data = os.urandom(LONG)
    near.settimeout(0.02)
    with pytest.raises(TimeoutError):
        near.sendall(data)
    near.settimeout(20)
    reading = Background(lambda: collect(far, LONG + 5))
    near.sendall(data + b"after")
    assert reading.result() == data + b"after"


@pytest.mark.parametrize("size", [SHORT, LONG])
def test_something_else_is_refused_to_the_same_thread(ends: Any, size: int) -> None:
    """As by OpenSSL; nothing is lost by it."""
    near, far = ends
    near.settimeout(0.02)
    before = fill(near) - SHORT if size == SHORT else 0
    data = b"f" * SHORT if size == SHORT else os.urandom(size)
    if size == LONG:
        with pytest.raises(TimeoutError):
            near.sendall(data)
    near.settimeout(20)
    for other, reason in ((b"x" * 2 * LONG, "BAD_WRITE_RETRY"), (b"x", "BAD_LENGTH")):
        with pytest.raises(tlskit.SSLError) as caught:
            near.send(other)
        assert caught.value.reason == reason
    reading = Background(lambda: collect(far, before + size))
    near.sendall(data)
    assert reading.result() == b"f" * before + data


# -- two writers -----------------------------------------------------------------------------------


def test_each_goes_whole(ends: Any) -> None:
    near, far = ends
    data = {who: who * LONG for who in (b"A", b"B", b"C")}
    writing = [Background(lambda what=what: near.sendall(what)) for what in data.values()]
    got = collect(far, 3 * LONG)
    for thread in writing:
        thread.result()
    assert sorted(got[at : at + LONG] for at in range(0, 3 * LONG, LONG)) == sorted(data.values())


@pytest.mark.parametrize("size", [SHORT, 16384, 16385, 300_000])
def test_both_time_out_and_repeat(ends: Any, size: int) -> None:
    near, far = ends
    near.settimeout(0.03)
    rounds = max(4, 40_000 // size)
    gates = [threading.Event(), threading.Event()]

    def write(who: int) -> None:
        for i in range(rounds):
            again_and_again(
                lambda i=i: near.sendall(
                    bytes([who]) * 4 + b"%04d" % i + bytes([who + 2]) * (size - 8)
                ),
                gates[who],
            )

    writing = [Background(lambda who=who: write(who)) for who in range(2)]
    for gate in gates:
        assert gate.wait(20)
    got = collect(far, 2 * rounds * size)
    for thread in writing:
        thread.result()
    numbers = [0, 0]
    for at in range(0, len(got), size):
        who = got[at]
        assert got[at : at + size] == bytes([who]) * 4 + b"%04d" % numbers[who] + bytes(
            [who + 2]
        ) * (size - 8)
        numbers[who] += 1
    assert numbers == [rounds, rounds]


def test_second_need_not_wait_for_a_whole_one(ends: Any, actor: Actor) -> None:
    """What timed out was encrypted to its end: another thread's write goes out behind it, before it
    is repeated.
    """
    near, far = ends
    near.settimeout(0.02)
    done = fill(near)
    reading = Background(lambda: collect(far, done + 6))
    assert (
        actor.do(
            lambda: again_and_again(lambda: near.sendall(b"second"), threading.Event())
        ).result()
        >= 0
    )
    assert reading.result() == b"f" * done + b"second"
    assert near.send(b"f" * SHORT) == SHORT  # the repetition: it has gone already
    near.sendall(b"third")
    assert far.recv(100) == b"third"


def test_second_waits_for_the_repetition(ends: Any, actor: Actor) -> None:
    """Its timeout comes before anything of it has gone, and the first one's message stays in one
    piece.
    """
    near, far = ends
    first, second = os.urandom(LONG), os.urandom(LONG)
    near.settimeout(0.02)
    with pytest.raises(TimeoutError):
        near.sendall(first)
    reading = Background(lambda: collect(far, 2 * LONG))
    for _ in range(3):
        assert isinstance(actor.do(lambda: near.sendall(second)).error, TimeoutError)
    near.settimeout(20)
    writing = actor.do(lambda: near.sendall(second))
    near.sendall(first)
    writing.result()
    assert reading.result() == first + second


def test_repeated_by_another_thread(ends: Any, actor: Actor) -> None:
    near, far = ends
    data = os.urandom(LONG)
    near.settimeout(0.02)
    with pytest.raises(TimeoutError):
        near.sendall(data)
    near.settimeout(20)
    reading = Background(lambda: collect(far, LONG + 3))
    actor.do(lambda: near.sendall(data)).result()
    near.sendall(b"end")
    assert reading.result() == data + b"end"


def test_two_repeat_equal_bytes(ends: Any, actor: Actor) -> None:
    """One write is a beginning of the other: whoever comes first, both arrive."""
    near, far = ends
    near.settimeout(0.02)
    done = fill(near)  # the last of them is owed
    assert isinstance(actor.do(lambda: near.sendall(b"f" * LONG)).error, TimeoutError)
    near.settimeout(20)
    reading = Background(lambda: collect(far, done + LONG + 3))
    writing = actor.do(lambda: near.sendall(b"f" * LONG))
    near.sendall(b"f" * SHORT)
    writing.result()
    near.sendall(b"end")
    assert reading.result() == b"f" * (done + LONG) + b"end"


def test_nobody_waits_for_ever_for_a_torn_write(ends: Any, actor: Actor) -> None:
    """Who has no timeout is told, when the writer before him has gone away in its middle."""
    near, far = ends
    data = os.urandom(LONG)
    near.settimeout(0.02)
    with pytest.raises(TimeoutError):
        near.sendall(data)
    near.settimeout(None)
    reading = Background(lambda: collect(far, LONG + 6))
    until(lambda: raw.writable(near))
    error = actor.do(lambda: near.sendall(b"second")).error
    assert isinstance(error, tlskit.SSLError)
    assert error.reason == "BAD_WRITE_RETRY"
    near.sendall(data)
    actor.do(lambda: near.sendall(b"second")).result()
    assert reading.result() == data + b"second"


def test_one_that_does_not_wait_meets_one_that_does(ends: Any) -> None:
    near, far = ends
    data = os.urandom(LONG)
    near.settimeout(None)
    writing = raw.Blocked(lambda: near.sendall(data))
    near.setblocking(False)
    with pytest.raises(tlskit.SSLWantWriteError):
        near.send(b"x" * SHORT)
    assert collect(far, LONG) == data
    writing.result()
    near.settimeout(20)
    near.sendall(b"x" * SHORT)
    assert collect(far, SHORT) == b"x" * SHORT


# -- waiting for the turn --------------------------------------------------------------------------


def test_close_ends_the_wait(ends: Any) -> None:
    near, _ = ends
    near.settimeout(None)
    writing = raw.Blocked(lambda: near.sendall(b"A" * LONG))
    waiting = Background(lambda: near.sendall(b"B" * LONG))
    threading.Event().wait(0.15)  # nothing tells from outside that it has come as far as that
    near.close()
    for thread in (writing, waiting):
        assert isinstance(thread.error, OSError)
        assert thread.error.errno == errno.EBADF


needs_timers = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="there are no timers of signals here"
)


@contextmanager
def handling(handler: Callable[..., Any]) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@needs_timers
def test_signals_are_heard_while_waiting(ends: Any) -> None:
    """Also by a thread that waits for another one's write, and it goes on."""
    near, far = ends
    near.settimeout(None)
    writing = raw.Blocked(lambda: near.sendall(b"A" * LONG))
    rung: list[Background] = []

    def handler(number: int, frame: Any) -> None:
        rung.append(Background(lambda: collect(far, LONG + 6)))

    with handling(handler):
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        near.sendall(b"second")
    writing.result()
    assert rung[0].result() == b"A" * LONG + b"second"


@needs_timers
def test_handler_cannot_write_into_the_middle(ends: Any) -> None:
    """Of the write that its signal came into: it hears so, at once, and the write goes on."""
    near, far = ends
    near.settimeout(None)
    data = os.urandom(LONG)
    reading: list[Background] = []
    refused: list[str] = []

    def handler(number: int, frame: Any) -> None:
        with pytest.raises(tlskit.SSLError) as caught:
            near.sendall(b"from the handler" * 2000)
        refused.append(caught.value.reason)
        reading.append(Background(lambda: collect(far, LONG + 3)))

    with handling(handler):
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        near.sendall(data)
    near.sendall(b"end")
    assert reading[0].result() == data + b"end"
    assert refused == ["BAD_WRITE_RETRY"]
