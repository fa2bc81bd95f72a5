"""One write of 16 GiB to a peer that takes all that comes, or steadily little: it never waits long,
and yet the clock, signals, `close` and other threads' questions do not wait for its end.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import tlskit

from ..support import raw
from ..support.pairs import Background
from ..support.pki import PKI
from ..support.raw import Stage, until

HUGE = 16 << 30  # bytes: minutes of work for any machine
SOME = 8 << 20  # bytes: more than what goes before others have their turn

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or sys.maxsize < HUGE,
    reason="needs memory that is there only when it is written to",
)


@pytest.fixture
def stage(pki: PKI, version: tlskit.TLSVersion) -> Stage:
    return Stage(pki, version)


@pytest.fixture(scope="module")
def zeros() -> memoryview:
    """So many bytes, which are all the same page."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    return memoryview(mmap.mmap(-1, HUGE, flags=flags, prot=mmap.PROT_READ))


@contextmanager
def greedy(stage: Stage) -> Iterator[Any]:
    """An end whose peer's process takes ciphertext as fast as it comes, and forgets it."""
    taker = shutil.which("cat")
    if taker is None:
        pytest.skip("there is no cat")
    with stage.pair(tlskit) as (near, far), raw.watchdog(near, seconds=60):
        far.settimeout(None)  # its descriptor has to block
        taking = subprocess.Popen([taker], stdin=far.fileno(), stdout=subprocess.DEVNULL)
        try:
            yield near
        finally:
            near.close()
            taking.kill()
            taking.wait()


@contextmanager
def steady(stage: Stage) -> Iterator[Any]:
    """An end whose peer takes a little all the time, so that there is always room again soon."""
    over = threading.Event()

    def take() -> None:
        while not over.wait(0.002):
            far.recv(4096)

    with stage.pair(tlskit, small=True) as (near, far), raw.watchdog(near, far, seconds=60):
        taking = Background(take)
        try:
            yield near
        finally:
            over.set()
            near.close()
            assert taking.ended(20)


PEERS = pytest.mark.parametrize("peer", [greedy, steady])


@PEERS
def test_timeout(stage: Stage, zeros: memoryview, peer: Any) -> None:
    with peer(stage) as near:
        near.settimeout(0.3)
        begun = near.bytes_sent
        with pytest.raises(TimeoutError):
            near.sendall(zeros)
        assert begun < near.bytes_sent < HUGE


@PEERS
def test_close_in_another_thread(stage: Stage, zeros: memoryview, peer: Any) -> None:
    with peer(stage) as near:
        near.settimeout(None)
        writing = Background(lambda: near.sendall(zeros))
        begun = near.bytes_sent
        until(lambda: near.bytes_sent > begun)
        near.close()
        assert isinstance(writing.error, OSError)


@PEERS
def test_signal_whose_handler_raises(stage: Stage, zeros: memoryview, peer: Any) -> None:
    class Rung(Exception):
        pass

    def ring(*_: object) -> None:
        raise Rung

    before = signal.signal(signal.SIGALRM, ring)
    try:
        with peer(stage) as near:
            near.settimeout(None)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(Rung):
                near.sendall(zeros)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@PEERS
def test_handler_that_returns_does_not_end_it(stage: Stage, zeros: memoryview, peer: Any) -> None:
    rung = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: rung.set())
    try:
        with peer(stage) as near:
            near.settimeout(0.6)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(TimeoutError):
                near.sendall(zeros)
            assert rung.is_set()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_questions_of_another_thread(stage: Stage, zeros: memoryview) -> None:
    """They are answered many times in its midst."""
    with greedy(stage) as near:
        near.settimeout(None)
        writing = Background(lambda: near.sendall(zeros))
        begun = near.bytes_sent
        for number in range(1, 5):
            until(lambda wanted=begun + number * SOME: near.bytes_sent > wanted)
            assert near.version() is not None
            assert near.pending() == 0
            assert near.cipher() is not None
            assert not writing.ended(0)
        near.close()
        assert writing.error is not None


def test_reader_has_its_turn(stage: Stage, zeros: memoryview) -> None:
    """What the peer says meanwhile is read meanwhile."""
    with greedy(stage) as near, stage.pair(tlskit) as (other, last):
        near.settimeout(None)
        writing = Background(lambda: near.sendall(zeros))
        begun = near.bytes_sent
        until(lambda: near.bytes_sent > begun + SOME)
        near.settimeout(0.2)
        with pytest.raises(TimeoutError):
            near.recv(1)
        assert not writing.ended(0)
        other.sendall(b"undisturbed")
        assert last.recv(100) == b"undisturbed"
        near.close()
        assert writing.error is not None


# -- to be repeated --------------------------------------------------------------------------------


@contextmanager
def interrupted(stage: Stage, data: bytes) -> Iterator[tuple[Any, Background, threading.Event]]:
    """An end whose write of `data` has timed out when 40 MiB had gone; what its peer gets, and what
    lets the peer go on reading.
    """
    half, gate = threading.Event(), threading.Event()

    def read() -> bytes:
        digest, size = hashlib.sha256(), 0
        while size < len(data):
            if size > 40 << 20:
                half.set()
                gate.wait(30)
            got = far.recv(65536)
            size += len(got)
            digest.update(got)
        return digest.digest()

    with stage.pair(tlskit) as (near, far), raw.watchdog(near, far, seconds=60):
        reading = Background(read)
        near.settimeout(0.5)
        far.settimeout(None)
        while not half.is_set():
            with pytest.raises(TimeoutError):
                near.sendall(data)
        try:
            yield near, reading, gate
        finally:
            gate.set()


@pytest.fixture(scope="module")
def much() -> bytes:
    return os.urandom(1 << 20) * 80


def test_repetition_of_a_long_write(stage: Stage, much: bytes) -> None:
    """Each byte goes once, also where more has gone than is remembered byte by byte."""
    with interrupted(stage, much) as (near, reading, gate):
        gate.set()
        near.settimeout(30)
        near.sendall(much)
        assert reading.result() == hashlib.sha256(much).digest()


def test_long_write_that_differs_at_its_end(stage: Stage, much: bytes) -> None:
    """What has gone ends where nobody chose it to; up to there the message is the same."""
    other = bytearray(much)
    other[39 << 20 : 41 << 20] = bytes(2 << 20)
    with interrupted(stage, much) as (near, reading, gate):
        with pytest.raises(tlskit.SSLError):
            near.sendall(other)
        gate.set()
        near.settimeout(30)
        near.sendall(much)
        assert reading.result() == hashlib.sha256(much).digest()


def test_repetition_of_a_long_write_by_another_thread(stage: Stage, much: bytes) -> None:
    """It might be another message, with the same beginning and the same end."""
    with interrupted(stage, much) as (near, reading, gate):
        near.settimeout(0.1)
        assert isinstance(Background(lambda: near.sendall(much)).error, TimeoutError)
        gate.set()
        near.settimeout(30)
        near.sendall(much)
        assert reading.result() == hashlib.sha256(much).digest()
