"""close() from another thread: whoever waits is woken, and the descriptor is closed when close()
has returned.
"""

from __future__ import annotations

import contextlib
import errno
import io
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tlskit

from ..support import raw
from ..support.pairs import Background
from ..support.pki import PKI
from ..support.raw import Stage
from ..support.system import WINDOWS, assert_descriptor_closed, needs_waking
from .helpers import asking

BIG = bytes(1 << 24)


@pytest.fixture
def stage(pki: PKI, version: tlskit.TLSVersion) -> Stage:
    return Stage(pki, version)


@pytest.fixture(params=[None, 20.0], ids=["blocking", "timeout"])
def timeout(request: pytest.FixtureRequest) -> float | None:
    chosen: float | None = request.param
    return chosen


BLOCKING: dict[str, Callable[[Any], Any]] = {
    "recv": lambda end: end.recv(1),
    "recv_into": lambda end: end.recv_into(bytearray(1)),
    "read": lambda end: end.read(1),
    "sendall": lambda end: end.sendall(BIG),
    "unwrap": lambda end: end.unwrap(),
    "sendfile": lambda end: _send_zeros(end),
}


def _send_zeros(end: Any) -> None:
    with Zeros() if WINDOWS else open("/dev/zero", "rb") as file:
        end.sendfile(file)


class Zeros(io.RawIOBase):
    """Reads like /dev/zero."""

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset

    def readinto(self, into: Any) -> int:
        into[:] = bytes(len(into))
        return len(into)


def assert_gone(end: Any, fd: int) -> None:
    assert end.fileno() == -1
    assert_descriptor_closed(fd)


@pytest.mark.parametrize("call", BLOCKING.values(), ids=BLOCKING)
def test_close_wakes(stage: Stage, timeout: float | None, call: Callable[[Any], Any]) -> None:
    with stage.pair(tlskit) as (near, far):
        near.settimeout(timeout)
        with raw.watchdog(near, far):
            waiting = raw.Blocked(lambda: call(near))
            fd = near.fileno()
            near.close()
            assert_gone(near, fd)
            assert isinstance(waiting.error, OSError)
            # on Windows, the number of a closed socket is not a socket's: sendfile may ask for it
            assert waiting.error.errno in (errno.EBADF, errno.ENOTSOCK if WINDOWS else errno.EBADF)
            assert not isinstance(waiting.error, tlskit.SSLError)


def test_close_wakes_a_send(stage: Stage, timeout: float | None) -> None:
    """It tells how much of it went, as send does."""
    with stage.pair(tlskit) as (near, far):
        near.settimeout(timeout)
        with raw.watchdog(near, far):
            waiting = raw.Blocked(lambda: near.send(BIG))
            raw.until(lambda: raw.readable(far))
            fd = near.fileno()
            near.close()
            assert_gone(near, fd)
            assert 0 < waiting.result() < len(BIG)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal for one thread here")
def test_close_wakes_a_send_that_a_signal_has_interrupted(
    stage: Stage, timeout: float | None
) -> None:
    """It has been in Python since its first bytes went."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with stage.pair(tlskit) as (near, far):
            near.settimeout(timeout)
            with raw.watchdog(near, far):
                waiting = raw.Blocked(lambda: near.send(BIG))
                for _ in range(5):
                    waiting.interrupt(signal.SIGUSR1)
                near.close()
                assert 0 < waiting.result() < len(BIG)
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("side", ["client", "server"])
def test_close_wakes_a_handshake(stage: Stage, timeout: float | None, side: str) -> None:
    with stage.alone(getattr(stage, side)(tlskit)) as (end, far):
        end.settimeout(timeout)
        with raw.watchdog(end, far):
            shaking = raw.Blocked(end.do_handshake)
            fd = end.fileno()
            end.close()
            assert_gone(end, fd)
            assert isinstance(shaking.error, OSError)
            assert shaking.error.errno == errno.EBADF
            far.settimeout(20)
            while far.recv(65536):  # the ClientHello, and then the end
                pass


def test_close_wakes_everybody(stage: Stage) -> None:
    with stage.pair(tlskit) as (near, far):
        near.settimeout(None)
        with raw.watchdog(near, far):
            waiting = [raw.Blocked(lambda: near.recv(1)) for _ in range(3)] + [
                raw.Blocked(lambda: near.sendall(BIG)) for _ in range(2)
            ]
            fd = near.fileno()
            near.close()
            assert_gone(near, fd)
            for thread in waiting:
                assert isinstance(thread.error, OSError)
                assert thread.error.errno == errno.EBADF


def test_close_by_several(stage: Stage) -> None:
    """Nobody's close() returns while somebody else is still in the connection."""
    for _ in range(20):
        with stage.pair(tlskit) as (near, far):
            near.settimeout(None)
            with raw.watchdog(near, far):
                waiting = raw.Blocked(lambda near=near: near.recv(1))
                fd = near.fileno()
                closing = [Background(near.close) for _ in range(4)]
                for thread in closing:
                    thread.result()
                assert_gone(near, fd)
                assert isinstance(waiting.error, OSError)


def test_descriptor_can_be_used_again(stage: Stage) -> None:
    """The woken thread touches the number no more, whoever has it now."""
    with stage.pair(tlskit) as (near, far):
        near.settimeout(None)
        with raw.watchdog(near, far):
            waiting = raw.Blocked(lambda: near.recv(1))
            fd = near.fileno()
            near.close()
            others = [socket.socketpair() for _ in range(4)]
            try:
                if not WINDOWS:  # where the number of a handle may be free for longer
                    assert fd in [end.fileno() for pair in others for end in pair]
                for left, right in others:
                    left.sendall(b"mine")
                    right.sendall(b"yours")
                assert isinstance(waiting.error, OSError)
                for left, right in others:
                    assert left.recv(10) == b"yours"
                    assert right.recv(10) == b"mine"
            finally:
                for left, right in others:
                    left.close()
                    right.close()


def attempts(end: Any) -> list[str]:
    """What comes of an attempt to use it: neither a byte goes out, nor one comes in."""
    outcomes = []
    for call in (
        lambda: end.sendall(b"secret"),
        lambda: end.send(b"secret"),
        lambda: end.recv(100),
        lambda: end.recv_into(bytearray(9)),
    ):
        try:
            outcomes.append(repr(call()))
        except (OSError, ValueError) as error:
            outcomes.append(type(error).__name__)
    return outcomes


WAYS_OUT: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "close": ("_real_close", lambda end: end.close()),
    "shutdown": ("shutdown", lambda end: end.shutdown(socket.SHUT_RDWR)),
    "detach": ("detach", lambda end: socket.close(end.detach())),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_nothing_goes_past_tls_meanwhile(
    stage: Stage, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the descriptor is open, whoever writes or reads does not get at the bare
    socket.
    """
    seen: list[list[str]] = []
    name, leave = WAYS_OUT[way]
    with stage.connected(tlskit) as (end, puppet):
        end.settimeout(0.05)
        puppet.send(puppet.seal(b"sealed"))
        original = getattr(socket.socket, name)

        def meddling(self: Any, *args: Any) -> Any:
            if self is end:
                seen.append(attempts(end))  # another thread, at the worst of moments
            return original(self, *args)

        monkeypatch.setattr(socket.socket, name, meddling)
        leave(end)
        monkeypatch.undo()
        assert b"secret" not in received(puppet.sock)
        assert not any("x17" in outcome for outcome in seen[0]), seen  # the head of a sealed record
        if way == "close":
            assert set(seen[0]) == {"OSError"}


def received(sock: socket.socket) -> bytes:
    """All that a bare socket gets until the end."""
    got = bytearray()
    try:
        while data := sock.recv(65536):
            got += data
    except ConnectionResetError:
        pass
    return bytes(got)


def test_nothing_goes_past_tls_in_a_hook(pki: PKI) -> None:
    """close() takes the last tickets in, and shows them to the program's own function, which may
    try to use the connection.
    """
    stage, seen = Stage(pki, tlskit.TLSVersion.TLSv1_3), []
    context = stage.client(tlskit)
    context.sessions.on_new = lambda connection, session: seen.append(attempts(connection))
    server = stage.server()
    server.num_tickets = 2
    with stage.meeting(context, server) as (end, puppet):
        shaking = Background(puppet.shake)
        end.do_handshake()
        shaking.result()
        end.settimeout(0.05)
        raw.until(lambda: raw.readable(end))
        end.close()
        assert seen  # it was called, or this test looks at nothing
        assert b"secret" not in received(puppet.sock)


def test_peer_sees_the_end(stage: Stage) -> None:
    with stage.pair(tlskit) as (near, far):
        near.settimeout(None)
        with raw.watchdog(near, far):
            waiting = raw.Blocked(lambda: near.recv(1))
            near.close()
            assert far.recv(1) == b""
            assert isinstance(waiting.error, OSError)


@needs_waking
def test_shutdown_wakes_a_reader(stage: Stage) -> None:
    """What programs do that know the stdlib's close() not to wake: it works too."""
    with stage.pair(tlskit) as (near, far):
        near.settimeout(None)
        with raw.watchdog(near, far):
            waiting = raw.Blocked(lambda: near.recv(1))
            near.shutdown(socket.SHUT_RDWR)
            assert waiting.result() == b""


def test_makefile_keeps_it_open_for_its_reader(stage: Stage) -> None:
    """The socket is closed for its user, but not for the file; the reader goes on."""
    with stage.pair(tlskit) as (near, far), near.makefile("rb") as file:
        reading = raw.Blocked(file.readline)
        near.close()
        far.sendall(b"a line\n")
        assert reading.result() == b"a line\n"


def test_close_in_the_sni_callback(stage: Stage) -> None:
    """From inside the handshake, by the thread that makes it."""
    context = stage.server(tlskit)
    context.sni_callback = lambda connection, name, ctx: connection.close()
    with stage.meeting(context, stage.client()) as (end, puppet):
        shaking = Background(puppet.shake)
        with pytest.raises(OSError, match=r".+"):
            end.do_handshake()
        assert end.fileno() == -1
        assert shaking.error is not None


# -- from a callback, while another thread reads ---------------------------------------------------


def closing_in(callback_of: str, stage: Stage) -> None:
    """The callback closes its own connection; another thread waits to read from it meanwhile, and
    must come back.
    """
    server, client = stage.server(tlskit), stage.client(tlskit)
    server.num_tickets = 0
    ended = threading.Event()

    def close(connection: Any, *arguments: Any) -> None:
        if armed.is_set() and not ended.is_set():
            ended.set()
            connection.close()

    armed = threading.Event()
    setattr(client, callback_of, close)
    near, far = raw.tcp_pair()
    accepting = Background(lambda: server.wrap_socket(far, server_side=True))
    with (
        client.wrap_socket(near, server_hostname="localhost") as end,
        accepting.result() as peer,
        raw.watchdog(end, peer),
    ):
        end.settimeout(None)
        reading = raw.Blocked(lambda: end.recv(100))
        armed.set()
        with contextlib.suppress(OSError):
            end.send(b"whose record is shown to the callback")
        assert ended.is_set()
        assert isinstance(reading.error, (OSError, ValueError))
        assert end.fileno() == -1


def test_in_a_callback_for_messages_while_another_thread_reads(stage: Stage) -> None:
    closing_in("_msg_callback", stage)


def test_in_the_question_for_a_name_while_another_thread_waits(stage: Stage) -> None:
    """Another thread has to wait for the answer; the answer is to close."""
    server, client = stage.server(tlskit), stage.client()
    asked, waits = threading.Event(), threading.Event()

    def close(connection: Any, *arguments: Any) -> None:
        asked.set()
        waits.wait(20)
        connection.close()

    server.sni_callback = close
    with stage.meeting(server, client) as (end, puppet), raw.watchdog(end):
        shaking = Background(end.do_handshake)
        peer = Background(puppet.shake)
        assert asked.wait(20)
        end.settimeout(None)
        reading = Background(lambda: end.recv(100))
        waits.set()
        assert isinstance(shaking.error, (OSError, ValueError))
        assert isinstance(reading.error, (OSError, ValueError))
        assert end.fileno() == -1
        end.close()
        puppet.sock.close()
        assert isinstance(peer.error, (OSError, ValueError))


def test_threads_keep_their_timeouts_while_a_callback_takes_its_time(stage: Stage) -> None:
    server, client = stage.server(tlskit), stage.client()
    asked, answer = threading.Event(), threading.Event()

    def think(*arguments: Any) -> None:
        asked.set()
        assert answer.wait(20)

    server.sni_callback = think
    with stage.meeting(server, client) as (end, puppet), raw.watchdog(end):
        shaking, peer = Background(end.do_handshake), Background(puppet.shake)
        assert asked.wait(20)
        end.settimeout(0.1)
        for operation in (lambda: end.recv(100), lambda: end.send(b"x"), end.do_handshake):
            with pytest.raises(TimeoutError):
                operation()
        assert end.pending() == 0
        assert end.version() is None
        answer.set()
        shaking.result()
        peer.result()
        assert end.version() is not None


def test_threads_keep_their_timeouts_while_a_store_is_asked(stage: Stage) -> None:
    with asking(stage) as (end, _):
        end.settimeout(0.1)
        for operation in (lambda: end.recv(100), lambda: end.send(b"x"), end.do_handshake):
            with pytest.raises(TimeoutError):
                operation()
        end.settimeout(0)
        with pytest.raises(tlskit.SSLWantReadError):
            end.do_handshake()
        end.settimeout(20)


@pytest.mark.parametrize("call", [BLOCKING["recv"], BLOCKING["recv_into"]], ids=["recv", "into"])
def test_closed_before_the_read_begins(stage: Stage, call: Callable[[Any], Any]) -> None:
    """Between the look at whether there is TLS and the read, as it happens without the GIL."""
    with stage.pair(tlskit) as (near, _):

        def read(*args: Any) -> Any:
            near.close()
            return tlskit.SSLSocket.read(near, *args)

        near.read = read
        with pytest.raises(OSError, match=r"^\[(Errno|WinError) ") as caught:
            call(near)
        assert not isinstance(caught.value, tlskit.SSLError)
        assert caught.value.errno in (errno.EBADF, errno.ENOTSOCK if WINDOWS else errno.EBADF)


def test_a_bad_buffer_is_no_close(stage: Stage) -> None:
    with stage.pair(tlskit) as (near, _):

        def read(*args: Any) -> Any:
            raise ValueError("not about a close")

        near.read = read
        for call in (BLOCKING["recv"], BLOCKING["recv_into"]):
            with pytest.raises(ValueError, match="not about"):
                call(near)
