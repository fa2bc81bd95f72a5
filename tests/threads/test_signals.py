"""Signals that come while a call is blocked: the handler runs at once, may raise, and the
connection can go on.
"""

from __future__ import annotations

import os
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import tlskit

from ..support import inside, raw
from ..support.pairs import Background, client_context, memory_pair, server_context
from ..support.pki import PKI
from ..support.raw import Stage, until, waits_in_kernel

if not hasattr(signal, "setitimer"):
    pytest.skip("this system has no interval timers", allow_module_level=True)

BIG = os.urandom(1 << 22)


class Rung(Exception):
    """What a handler raises."""


@pytest.fixture
def stage(pki: PKI, version: tlskit.TLSVersion) -> Stage:
    return Stage(pki, version)


@pytest.fixture(params=[None, 20.0], ids=["blocking", "timeout"])
def timeout(request: pytest.FixtureRequest) -> float | None:
    chosen: float | None = request.param
    return chosen


@contextmanager
def handling(number: int, handler: Callable[..., Any]) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(number, before)


@contextmanager
def when_blocked(*actions: Callable[[], Any]) -> Iterator[None]:
    """Each of these once this thread is blocked in a system call, from another thread, one after
    the other; all of them.
    """
    me, left = threading.get_native_id(), threading.Event()

    def act() -> None:
        for number, action in enumerate(actions):
            until(lambda: left.is_set() or waits_in_kernel(me))
            assert not left.is_set(), f"the call has ended before action {number}"
            action()

    acting = Background(act)
    try:
        yield
    except BaseException:
        left.set()
        acting.error  # noqa: B018  (wait for it: what it does must not come later)
        raise
    left.set()
    acting.result()


def interrupt(number: int = signal.SIGALRM) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def collect(end: Any, size: int) -> bytes:
    got = bytearray()
    while len(got) < size and (data := end.recv(65536)):
        got += data
    return bytes(got)


def counted() -> tuple[Callable[..., None], list[int]]:
    """A handler, and what it has counted."""
    rung: list[int] = []
    return (lambda number, frame: rung.append(number)), rung


# -- a handler that returns: the call goes on (PEP 475) --------------------------------------------


def test_read_goes_on(stage: Stage, timeout: float | None) -> None:
    handler, rung = counted()
    with stage.pair(tlskit) as (near, far), handling(signal.SIGALRM, handler), raw.watchdog(near):
        near.settimeout(timeout)
        for read in (lambda: near.recv(10), lambda: _into(near)):
            rung.clear()
            seen = lambda count: lambda: until(lambda: len(rung) == count)  # noqa: E731
            with when_blocked(
                interrupt(), seen(1), interrupt(), seen(2), lambda: far.sendall(b"at last")
            ):
                assert read() == b"at last"
            assert len(rung) == 2


def _into(end: Any) -> bytes:
    buffer = bytearray(10)
    return bytes(buffer[: end.recv_into(buffer)])


@pytest.mark.parametrize("side", ["client", "server"])
def test_handshake_goes_on(stage: Stage, timeout: float | None, side: str) -> None:
    handler, rung = counted()
    mine, theirs = (
        getattr(stage, side)(tlskit),
        (stage.server if side == "client" else stage.client)(),
    )
    with (
        stage.meeting(mine, theirs) as (end, puppet),
        handling(signal.SIGALRM, handler),
        raw.watchdog(end),
    ):
        end.settimeout(timeout)
        with when_blocked(interrupt(), lambda: until(lambda: rung), puppet.shake):
            end.do_handshake()
        assert len(rung) == 1
        assert end.version() is not None


PART = 400_000  # of what is sent: more than is gathered for one system call, however that is done


@pytest.mark.parametrize("part", [0, PART], ids=["nothing gone", "part gone"])
@pytest.mark.parametrize("call", ["send", "sendall", "write"])
def test_write_goes_on(stage: Stage, timeout: float | None, call: str, part: int) -> None:
    """And send, too, sends all of it, as ever on a socket that may block."""
    handler, rung = counted()
    with (
        stage.pair(tlskit, small=True) as (near, far),
        handling(signal.SIGALRM, handler),
        raw.watchdog(near, far),
    ):
        near.settimeout(timeout)
        got: list[bytes] = []
        reading: list[Background] = []
        with when_blocked(
            lambda: got.append(collect(far, part)),
            interrupt(),
            lambda: until(lambda: rung),
            interrupt(),
            lambda: reading.append(Background(lambda: collect(far, len(BIG) - len(got[0])))),
        ):
            assert getattr(near, call)(BIG) in (len(BIG), None)
        assert len(rung) == 2
        assert got[0] + reading[0].result() == BIG


def unheard() -> None:
    """A signal that interrupts nothing, because the kernel gives it to another thread. One that
    comes while a large write is encrypted does not either.
    """
    signal.pthread_kill(threading.get_ident(), signal.SIGALRM)


@pytest.mark.parametrize("timeout", [None, 100.0], ids=["blocking", "timeout"])
def test_a_write_hears_of_a_signal_that_came_before_its_wait(
    stage: Stage, timeout: float | None
) -> None:
    with (
        stage.pair(tlskit, small=True) as (near, far),
        handling(signal.SIGALRM, ring),
        raw.watchdog(near, far),
    ):
        near.settimeout(timeout)
        with when_blocked(unheard), pytest.raises(Rung):
            near.send(BIG)
        reading = Background(lambda: collect(far, len(BIG)))
        assert near.send(BIG) == len(BIG)  # the watchdog has not ended the wait
        assert reading.result() == BIG


@pytest.mark.parametrize("timeout", [None, 100.0], ids=["blocking", "timeout"])
def test_a_handshake_hears_of_a_signal_that_came_before_its_wait(
    stage: Stage, timeout: float | None
) -> None:
    with (
        stage.meeting(stage.client(tlskit), stage.server()) as (end, puppet),
        handling(signal.SIGALRM, ring),
        raw.watchdog(end),
    ):
        end.settimeout(timeout)
        with when_blocked(unheard), pytest.raises(Rung):
            end.do_handshake()
        shaking = Background(puppet.shake)
        end.do_handshake()
        shaking.result()


def test_write_goes_on_with_many_signals(stage: Stage) -> None:
    """One every millisecond, while the peer reads: not a byte is lost or doubled."""
    handler, rung = counted()
    with (
        stage.pair(tlskit, small=True) as (near, far),
        handling(signal.SIGALRM, handler),
        raw.watchdog(near, far),
    ):
        near.settimeout(None)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        reading = Background(lambda: collect(far, len(BIG)))
        near.sendall(BIG)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert reading.result() == BIG
    assert rung


def test_unwrap_goes_on(stage: Stage) -> None:
    handler, rung = counted()
    with (
        stage.connected(tlskit) as (end, puppet),
        handling(signal.SIGALRM, handler),
        raw.watchdog(end),
    ):
        end.settimeout(None)
        with when_blocked(
            interrupt(), lambda: until(lambda: rung), lambda: puppet.send(puppet.farewell())
        ):
            end.unwrap()
        assert len(rung) == 1


# -- a handler that raises: it gets out, and the connection can be used afterwards -----------------


def ring(number: int, frame: Any) -> None:
    raise Rung


def test_exception_gets_out_of_a_read(stage: Stage, timeout: float | None) -> None:
    with stage.pair(tlskit) as (near, far), handling(signal.SIGALRM, ring), raw.watchdog(near):
        near.settimeout(timeout)
        with when_blocked(interrupt()), pytest.raises(Rung):
            near.recv(10)
        far.sendall(b"afterwards")
        assert near.recv(10) == b"afterwards"


def test_exception_gets_out_of_half_a_record(stage: Stage) -> None:
    with (
        stage.connected(tlskit) as (end, puppet),
        handling(signal.SIGALRM, ring),
        raw.watchdog(end),
    ):
        end.settimeout(None)
        sealed = puppet.seal(b"in two halves")
        puppet.send(sealed[:10])
        with when_blocked(interrupt()), pytest.raises(Rung):
            end.recv(100)
        puppet.send(sealed[10:])
        assert end.recv(100) == b"in two halves"


def test_exception_gets_out_of_a_handshake(stage: Stage, timeout: float | None) -> None:
    with (
        stage.meeting(stage.client(tlskit), stage.server()) as (end, puppet),
        handling(signal.SIGALRM, ring),
        raw.watchdog(end),
    ):
        end.settimeout(timeout)
        with when_blocked(interrupt()), pytest.raises(Rung):
            end.do_handshake()
        shaking = Background(puppet.shake)
        end.do_handshake()
        shaking.result()
        assert end.version() is not None


@pytest.mark.parametrize("call", ["read", "write"])
def test_exception_gets_out_of_the_wait_for_another_thread(pki: PKI, call: str) -> None:
    """Over the stdlib's MemoryBIOs. The other thread is there for microseconds, so this one takes
    the connection's lock for longer than any call does.
    """
    near, far = memory_pair(client_context(pki), server_context(pki), module=ssl)
    held, leaving = threading.Event(), threading.Event()

    def hold() -> None:
        with inside.direction_locks_of(near):
            held.set()
            leaving.wait(20)

    holding = Background(hold)
    far.write(b"on")
    try:
        assert held.wait(20)
        with handling(signal.SIGALRM, ring):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(Rung):
                near.read(2) if call == "read" else near.write(b"on")
    finally:
        leaving.set()
    holding.result()
    assert near.read(2) == b"on"
    near.write(b"on")
    assert far.read(2) == b"on"


def test_ctrl_c(stage: Stage, timeout: float | None) -> None:
    with (
        stage.pair(tlskit) as (near, far),
        handling(signal.SIGINT, signal.default_int_handler),
        raw.watchdog(near),
    ):
        near.settimeout(timeout)
        with when_blocked(interrupt(signal.SIGINT)), pytest.raises(KeyboardInterrupt):
            near.recv(10)
        far.sendall(b"afterwards")
        assert near.recv(10) == b"afterwards"


@pytest.mark.parametrize("part", [0, PART], ids=["nothing gone", "part gone"])
def test_write_is_repeated_after_an_exception(
    stage: Stage, timeout: float | None, part: int
) -> None:
    """With the same bytes, as after SSLWantWriteError: each arrives exactly once, though nobody was
    told how many had gone.
    """
    with (
        stage.pair(tlskit, small=True) as (near, far),
        handling(signal.SIGALRM, ring),
        raw.watchdog(near, far),
    ):
        near.settimeout(timeout)
        first: list[bytes] = []
        with (
            when_blocked(lambda: first.append(collect(far, part)), interrupt()),
            pytest.raises(Rung),
        ):
            near.send(BIG)
        assert first[0] == BIG[: len(first[0])]
        reading = Background(lambda: collect(far, len(BIG) - len(first[0])))
        assert near.send(BIG) == len(BIG)
        assert first[0] + reading.result() == BIG


def test_handler_may_close(stage: Stage, timeout: float | None) -> None:
    """The call that it came into ends as for everybody else."""
    with stage.pair(tlskit) as (near, far), raw.watchdog(near):
        near.settimeout(timeout)
        with (
            handling(signal.SIGALRM, lambda number, frame: near.close()),
            when_blocked(interrupt()),
            pytest.raises(OSError, match="Bad file descriptor"),
        ):
            near.recv(1)
        assert near.fileno() == -1
        assert far.recv(1) == b""


def test_handler_may_use_the_connection(stage: Stage) -> None:
    with stage.pair(tlskit) as (near, far), raw.watchdog(near):
        near.settimeout(None)
        with (
            handling(signal.SIGALRM, lambda number, frame: near.sendall(b"from the handler")),
            when_blocked(interrupt(), lambda: far.sendall(far.recv(100)[::-1])),
        ):
            assert near.recv(100) == b"from the handler"[::-1]


# -- timeouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [0.03, 0.0004])
def test_timeout_is_right_though_interrupted(stage: Stage, interval: float) -> None:
    """However many signals come, the time is counted from the beginning."""
    rung: list[float] = []

    def handler(number: int, frame: Any) -> None:
        rung.append(time.monotonic())
        assert rung[-1] - start < 1.2, "the timeout does not come"

    with stage.pair(tlskit) as (near, _), handling(signal.SIGALRM, handler):
        near.settimeout(0.2)
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, interval, interval)
        with pytest.raises(TimeoutError):
            near.recv(1)
        taken = time.monotonic() - start
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert 0.2 <= taken < 1.2
    assert len(rung) >= 4


def test_signal_in_another_thread_s_time(stage: Stage) -> None:
    """A thread that is blocked in a read does not keep the main thread's handlers from running, nor
    the other way about.
    """
    handler, rung = counted()
    with stage.pair(tlskit) as (near, far), handling(signal.SIGALRM, handler), raw.watchdog(near):
        near.settimeout(None)
        reading = raw.Blocked(lambda: near.recv(10))
        interrupt()()
        until(lambda: rung)
        far.sendall(b"unmoved")
        assert reading.result() == b"unmoved"
