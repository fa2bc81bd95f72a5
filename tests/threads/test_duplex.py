"""One connection, several threads: one reads while another writes and a third closes."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tlskit

from ..support import raw
from ..support.names import alert_reason
from ..support.pairs import Background
from ..support.pki import PKI
from ..support.raw import Stage, until
from ..support.system import WINDOWS, WINE, assert_descriptor_closed

#: wine sends a hundred times more slowly than Linux does, and its poll wakes up to 36 milliseconds
#: late on a busy machine, without tlskit too.
CONNECTIONS, MESSAGES = 8, 1_000 if WINE else 10_000
BIG = os.urandom(1 << 20)

#: What a call hears whose connection another thread closes. On Windows a closed socket's number is
#: no socket's any more, which is all that the stdlib's SSLSocket says there.
CLOSED = ("EBADF", "ENOTSOCK") if WINDOWS else ("EBADF",)


@pytest.fixture
def stage(pki: PKI, version: tlskit.TLSVersion) -> Stage:
    return Stage(pki, version, ignores_eof=False)


@pytest.fixture
def hurried() -> Iterator[None]:
    """Python's threads take turns a hundred times as often as they usually do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 100)
    yield
    sys.setswitchinterval(before)


def messages(seed: int) -> list[bytes]:
    """Of many sizes, each with its number, no two streams alike."""
    filling = bytes(range(256)) * 2
    return [struct.pack("!BI", seed, i) + filling[: (i * 7 + seed) % 200] for i in range(MESSAGES)]


def name_of(error: OSError) -> str:
    """An SSLError's words, or the number's name, which begins with WSA on Windows."""
    if isinstance(error, tlskit.SSLError):
        return f"{error}"
    return errno.errorcode.get(error.errno or 0, repr(error)).removeprefix("WSA")


def read_until_closed(end: Any, expected: int, arrived: threading.Event) -> tuple[bytes, str]:
    """All that comes, and how it ended; `arrived` is set when `expected` bytes are there."""
    got = bytearray()
    while True:
        try:
            data = end.recv(65536)
        except OSError as error:
            return bytes(got), name_of(error)
        if not data:
            return bytes(got), "end"
        got += data
        if len(got) >= expected:
            arrived.set()


def test_full_duplex_until_closed(stage: Stage) -> None:
    """Eight connections, a reader and a writer at both ends, thousands of messages each way; then a
    third thread closes.
    """
    streams = [b"".join(messages(seed)) for seed in range(2)]
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(stage.pair(tlskit)) for _ in range(CONNECTIONS)]
        for end in (end for pair in pairs for end in pair):
            end.settimeout(None)
        stack.enter_context(raw.watchdog(*(end for pair in pairs for end in pair), seconds=50))
        reading, writing, arrived = [], [], []
        for pair in pairs:
            for seed, (end, other) in enumerate((pair, pair[::-1])):
                event = threading.Event()
                arrived.append(event)
                reading.append(
                    Background(
                        lambda other=other, seed=seed, event=event: read_until_closed(
                            other, len(streams[seed]), event
                        )
                    )
                )
                writing.append(
                    Background(
                        lambda end=end, seed=seed: [
                            end.sendall(message) for message in messages(seed)
                        ]
                    )
                )
        for thread in writing:
            thread.result(60)
        for event in arrived:
            assert event.wait(60)
        closing = [
            Background(end.close) for pair in pairs for end in pair
        ]  # their readers sit in recv
        for thread in closing:
            thread.result()
        for i, thread in enumerate(reading):
            got, ending = thread.result()
            assert got == streams[i % 2]
            assert ending in (*CLOSED, "end")


@pytest.mark.usefixtures("hurried")
def test_closed_in_the_middle(stage: Stage) -> None:
    """Traffic both ways, and somebody closes one end: whoever was in it hears that it is closed,
    nothing else, and nobody hangs.

    The peer sees a connection that ends, and nothing that is not TLS.
    """
    for _ in range(20):
        with stage.pair(tlskit) as (near, far):
            running = threading.Barrier(5)

            def read(end: Any, running: threading.Barrier = running) -> tuple[int, str]:
                running.wait()
                got, ending = read_until_closed(end, 1 << 60, threading.Event())
                return len(got.strip(b"x")), ending

            def write(end: Any, running: threading.Barrier = running) -> str:
                running.wait()
                try:
                    while True:
                        end.sendall(b"x" * 5000)
                except OSError as error:
                    return name_of(error)

            reading = [Background(lambda end=end: read(end)) for end in (near, far)]
            writing = [Background(lambda end=end: write(end)) for end in (near, far)]
            running.wait()
            fd = near.fileno()
            near.close()
            assert near.fileno() == -1
            assert_descriptor_closed(fd)
            strange, ending = reading[0].result()
            assert strange == 0
            assert ending in CLOSED
            assert writing[0].result() in CLOSED
            strange, ending = reading[1].result()
            assert strange == 0
            assert ending in ("end", "ECONNRESET")
            told = writing[1].result()
            assert told in ("ECONNRESET", "EPIPE") or "EOF occurred in violation of pro" in told


@pytest.mark.parametrize("small", [True, False], ids=["small", "large"])
def test_much_both_ways_at_once(stage: Stage, small: bool) -> None:
    """Both ends write more than anything between them holds: it goes on only because both read
    meanwhile.
    """
    data = BIG * (1 if small else 16)
    with stage.pair(tlskit, small=small) as pair:
        for end in pair:
            end.settimeout(60)  # for all of it, and for a busy machine
        reading = [Background(lambda end=end: collect(end, len(data))) for end in pair]
        writing = [Background(lambda end=end: end.sendall(data)) for end in pair]
        for thread in writing:
            thread.result()
        for thread in reading:
            assert thread.result() == data


def collect(end: Any, size: int) -> bytes:
    got = bytearray()
    while len(got) < size and (data := end.recv(65536)):
        got += data
    return bytes(got)


def test_reader_is_served_while_the_writer_is_stuck(stage: Stage) -> None:
    """The peer does not read at all, and sends: a reader gets it, whether it came before or after
    the writer.
    """
    with stage.pair(tlskit, small=True) as (near, far):
        near.settimeout(None)
        with raw.watchdog(near, far):
            early = raw.Blocked(lambda: near.recv(100))
            writing = raw.Blocked(lambda: near.sendall(BIG))
            far.sendall(b"one")
            assert early.result() == b"one"
            late = raw.Blocked(lambda: near.recv(100))
            far.sendall(b"two")
            assert late.result(5) == b"two"
            assert collect(far, len(BIG)) == BIG
            writing.result()


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("small", [True, False], ids=["small", "large"])
def test_two_writers(stage: Stage, small: bool) -> None:
    """Messages of two threads arrive whole, each thread's in their order."""
    with stage.pair(tlskit, small=small) as (near, far):

        def write(who: bytes) -> None:
            for i in range(1000):
                near.sendall(who + b"%05d" % i + who * 500)

        writing = [Background(lambda who=who: write(who)) for who in (b"A", b"B")]
        got = collect(far, 2 * 1000 * 506)
        for thread in writing:
            thread.result()
        numbers: dict[bytes, int] = {b"A": 0, b"B": 0}
        for at in range(0, len(got), 506):
            who = got[at : at + 1]
            assert got[at : at + 506] == who + b"%05d" % numbers[who] + who * 500
            numbers[who] += 1
        assert set(numbers.values()) == {1000}


def test_two_writers_of_much(stage: Stage) -> None:
    """What is longer than a record: none of it is lost."""
    with stage.pair(tlskit, small=True) as (near, far):
        writing = [Background(lambda who=who: near.sendall(who * len(BIG))) for who in (b"A", b"B")]
        assert Counter(collect(far, 2 * len(BIG))) == {ord("A"): len(BIG), ord("B"): len(BIG)}
        for thread in writing:
            thread.result()


@pytest.mark.usefixtures("hurried")
def test_two_readers(stage: Stage) -> None:
    """Each message goes to one of them, whole; the end goes to both."""
    with stage.pair(tlskit) as (near, far):
        reading = [Background(lambda: read_messages(far)) for _ in range(2)]
        for i in range(MESSAGES // 3):
            near.sendall(b"%08d" % i)
        near.shutdown(1)
        got = [thread.result() for thread in reading]
        assert sorted(got[0] + got[1]) == [b"%08d" % i for i in range(MESSAGES // 3)]
        for part in got:
            assert part == sorted(part)


def read_messages(end: Any) -> list[bytes]:
    found = []
    while data := end.recv(8):
        found.append(data)
    return found


def test_two_readers_of_records_that_came_together(stage: Stage) -> None:
    """What one reader has read ahead is not hidden from the other, which waits in the kernel."""
    with stage.connected(tlskit) as (end, puppet):
        end.settimeout(None)
        with raw.watchdog(end):
            reading = [raw.Blocked(lambda: end.recv(5)) for _ in range(2)]
            puppet.send(puppet.seal(b"first") + puppet.seal(b"other"))
            assert sorted(thread.result(5) for thread in reading) == [b"first", b"other"]


def test_the_other_reader_takes_over_at_once(stage: Stage) -> None:
    """A reader that has its message does not come back: the next message finds the other reader,
    which has left the reading to it, and not only when that looks again, every 50 milliseconds.
    """
    took = []
    with stage.pair(tlskit) as (near, far):
        far.settimeout(None)
        with raw.watchdog(far):
            for _ in range(12):
                reading = [raw.Blocked(lambda: (far.recv(5), time.monotonic())) for _ in range(2)]
                near.sendall(b"first")
                until(lambda reading=reading: any(thread.ended(0) for thread in reading))
                sent = time.monotonic()
                near.sendall(b"other")
                (one, _), (other, came) = sorted(thread.result() for thread in reading)
                assert (one, other) == (b"first", b"other")
                took.append(came - sent)
    if not WINE:  # its own poll returns that late
        assert sorted(took)[len(took) // 4] < 0.025


def test_handshake_in_two_threads(stage: Stage) -> None:
    """Whoever comes second finds it made, or helps to make it; nobody is left waiting for what the
    other has read.
    """
    for _ in range(10):
        with stage.meeting(stage.client(tlskit), stage.server()) as (end, puppet):
            shaking = [raw.Blocked(end.do_handshake) for _ in range(2)]
            puppet.shake()
            for thread in shaking:
                thread.result(5)
            assert end.version() is not None


def test_questions_while_busy(stage: Stage) -> None:
    """What is known of the connection can be asked while others are in it."""
    asked: list[Callable[[Any], Any]] = [
        lambda end: end.version(), lambda end: end.cipher(), lambda end: end.getpeercert(),
        lambda end: end.session,
        lambda end: end.pending(), lambda end: end.session_reused, lambda end: end.shared_ciphers(),
        lambda end: end.selected_alpn_protocol(),
    ]  # fmt: skip
    with stage.pair(tlskit) as (near, far):
        traffic = [
            Background(lambda: near.sendall(BIG * 4)), Background(lambda: collect(far,
            4 * len(BIG))),
            Background(lambda: far.sendall(BIG * 4)), Background(lambda: collect(near,
            4 * len(BIG))),
        ]  # fmt: skip
        before = [ask(near) for ask in asked[:3]]
        for _ in range(300):
            for ask in asked:
                ask(near)
        assert [ask(near) for ask in asked[:3]] == before
        for thread in traffic:
            thread.result()


def test_faults_are_told_to_their_own_thread(stage: Stage) -> None:
    """Threads that fail, each on a connection of its own, at the same time and for different
    reasons.
    """

    def fail(kind: int) -> str:
        reasons = []
        for _ in range(30):
            with stage.alone(stage.client(tlskit)) as (end, far):
                far.sendall(
                    (
                        b"HTTP/1.0 400 Bad Request\r\n\r\n",
                        raw.alert(raw.FATAL, 40),
                        raw.record(99, bytes(20)),
                    )[kind]
                )
                with pytest.raises(tlskit.SSLError) as caught:
                    end.do_handshake()
                reasons.append(caught.value.reason)
        assert len(set(reasons)) == 1
        return reasons[0]

    threads = [Background(lambda kind=kind: fail(kind)) for kind in range(3)]
    assert [thread.result() for thread in threads] == [
        "WRONG_VERSION_NUMBER",
        alert_reason("HANDSHAKE_FAILURE"),
        "UNEXPECTED_MESSAGE",
    ]


def test_until_fails() -> None:
    """The helper that the tests rely on does say when it did not come to that."""
    with pytest.raises(AssertionError, match="did not come"):
        until(lambda: False, seconds=0.01)
