"""SSLSocket: waiting and not waiting, ends and leftovers, and everything that a program does with a
socket.

What is said of tlskit here is said of the stdlib's ssl too, unless the test says otherwise: most
tests run with both.
"""

from __future__ import annotations

import array
import contextlib
import errno
import io
import os
import select
import socket
import ssl as stdlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import tlskit

from ..support import raw
from ..support.names import spoilt_record
from ..support.pairs import Background
from ..support.pki import PKI
from ..support.pypy import freed
from ..support.raw import Stage, readable, until, writable

TLS12, TLS13 = stdlib.TLSVersion.TLSv1_2, stdlib.TLSVersion.TLSv1_3
BIG = os.urandom(1 << 20)


@pytest.fixture
def stage(pki: PKI, version: stdlib.TLSVersion) -> Stage:
    return Stage(pki, version)


@pytest.fixture(params=[tlskit, stdlib], ids=["tlskit", "ssl"])
def module(request: pytest.FixtureRequest) -> ModuleType:
    chosen: ModuleType = request.param
    return chosen


@pytest.fixture
def pair(stage: Stage, module: ModuleType) -> Iterator[tuple[Any, Any]]:
    """A client and a server."""
    with stage.pair(module) as ends:
        yield ends


@pytest.fixture
def small_pair(stage: Stage, module: ModuleType) -> Iterator[tuple[Any, Any]]:
    """The same, over sockets that are soon full."""
    with stage.pair(module, small=True) as ends:
        yield ends


def collect(end: Any, size: int) -> bytes:
    """Read until there are `size` bytes, or the end."""
    got = bytearray()
    while len(got) < size and (data := end.recv(65536)):
        got += data
    return bytes(got)


def elapsed(call: Callable[..., Any], *args: Any) -> float:
    """How long it takes until the timeout."""
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        call(*args)
    return time.monotonic() - start


# -- timeouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0.001, 0.005, 0.1])
def test_recv_times_out(pair: Any, timeout: float) -> None:
    """Neither late nor early, if only by the part of a millisecond."""
    near, far = pair
    near.settimeout(timeout)
    shortest = min(elapsed(near.recv, 1) for _ in range(1 + int(0.1 / timeout)))
    assert timeout <= shortest < timeout + 1
    far.sendall(b"late")
    near.settimeout(20)
    assert near.recv(100) == b"late"


def test_recv_into_times_out(pair: Any) -> None:
    near, _ = pair
    near.settimeout(0.01)
    assert elapsed(near.recv_into, bytearray(10)) >= 0.01


def test_handshake_times_out(stage: Stage, module: ModuleType) -> None:
    for context in (stage.client(module), stage.server(module)):
        with stage.alone(context) as (end, _):
            end.settimeout(0.05)
            assert elapsed(end.do_handshake) >= 0.05


def test_handshake_goes_on_after_a_timeout(stage: Stage, module: ModuleType) -> None:
    with stage.meeting(stage.client(module), stage.server()) as (end, puppet):
        end.settimeout(0.01)
        elapsed(end.do_handshake)
        shaking = Background(puppet.shake)
        end.settimeout(20)
        end.do_handshake()
        shaking.result()
        assert end.version() is not None


def test_wrap_socket_times_out_and_closes(stage: Stage, module: ModuleType) -> None:
    near, far = raw.tcp_pair()
    far.settimeout(20)
    with far:
        near.settimeout(0.01)
        elapsed(lambda: stage.client(module).wrap_socket(near, server_hostname="localhost"))
        assert near.fileno() == -1
        assert far.recv(65536)
        assert far.recv(1) == b""


def test_unwrap_times_out(pair: Any) -> None:
    near, _ = pair
    near.settimeout(0.01)
    assert elapsed(near.unwrap) >= 0.01


def test_send_times_out_and_goes_on(small_pair: Any) -> None:
    """Whoever repeats what was not sent, with the same bytes, loses none and doubles none."""
    near, far = small_pair
    near.settimeout(0.01)
    done = timeouts = 0
    view = memoryview(BIG)
    reading = None
    while done < len(BIG):
        try:
            done += near.send(view[done:])
        except TimeoutError:
            timeouts += 1
            if timeouts == 3:
                near.settimeout(20)
                reading = Background(lambda: collect(far, len(BIG)))
    assert timeouts >= 3
    assert reading is not None
    assert reading.result() == BIG


def test_timeout_of_zero_does_not_wait(pair: Any) -> None:
    near, _ = pair
    near.settimeout(0.0)
    with pytest.raises(tlskit.SSLWantReadError):
        near.recv(1)
    near.settimeout(None)
    assert near.getblocking()


def test_waits_as_long_as_it_takes(pair: Any) -> None:
    near, far = pair
    near.settimeout(None)
    with raw.watchdog(near):
        reading = raw.Blocked(lambda: near.recv(10))
        far.sendall(b"at last")
        assert reading.result() == b"at last"


# -- non-blocking ----------------------------------------------------------------------------------


def wait_for(sock: Any, error: BaseException) -> None:
    if isinstance(error, tlskit.SSLWantReadError):
        assert select.select([sock], [], [], 20)[0]
    else:
        assert isinstance(error, tlskit.SSLWantWriteError)
        assert select.select([], [sock], [], 20)[1]


def without_blocking(sock: Any, call: Callable[..., Any], *args: Any) -> Any:
    while True:
        try:
            return call(*args)
        except (tlskit.SSLWantReadError, tlskit.SSLWantWriteError) as error:
            wait_for(sock, error)


def test_non_blocking_handshake_and_talk(stage: Stage, module: ModuleType) -> None:
    near, far = raw.tcp_pair(small=True)
    client = stage.client(module).wrap_socket(
        near, server_hostname="localhost", do_handshake_on_connect=False
    )
    server = stage.server(module).wrap_socket(far, server_side=True, do_handshake_on_connect=False)
    with client, server:
        client.setblocking(False)
        server.setblocking(False)
        with pytest.raises(tlskit.SSLWantReadError):
            client.do_handshake()
        other = Background(lambda: without_blocking(server, server.do_handshake))
        without_blocking(client, client.do_handshake)
        other.result()

        def serve() -> bytes:
            got = bytearray()
            while len(got) < len(BIG):
                got += without_blocking(server, server.recv, 10000)
            return bytes(got)

        serving, done = Background(serve), 0
        while done < len(BIG):
            done += without_blocking(client, client.send, memoryview(BIG)[done:])
        assert serving.result() == BIG


def test_non_blocking_recv_says_want_read_until_a_record_is_whole(
    stage: Stage, module: ModuleType
) -> None:
    with stage.connected(module) as (end, puppet):
        end.setblocking(False)
        sealed = puppet.seal(b"slowly")
        for i in range(len(sealed)):
            with pytest.raises(tlskit.SSLWantReadError):
                end.recv(100)
            puppet.send(sealed[i : i + 1])
            until(lambda: readable(end))
        assert end.recv(100) == b"slowly"


def fill(end: Any, data: bytes) -> int:
    """Send `data` again and again until the socket is full; how many bytes went, the unfinished
    call's not among them.
    """
    done = 0
    while True:
        try:
            done += end.send(data[done % len(data) :])
        except tlskit.SSLWantWriteError:
            return done


@pytest.mark.parametrize("size", [1000, 16384, 50000, len(BIG)])
def test_write_is_repeated_with_the_same_bytes(small_pair: Any, size: int) -> None:
    """After SSLWantWriteError the same bytes, from a buffer at another place: each arrives exactly
    once.
    """
    near, far = small_pair
    near.setblocking(False)
    data = BIG[:size]
    done = fill(near, data)
    total = done - done % size + 2 * size  # to the end of what has begun, and once more

    def rest() -> None:
        sent = done
        while sent < total:
            sent += without_blocking(near, near.send, bytearray(data[sent % size :]))

    reading = Background(lambda: collect(far, total))
    rest()
    near.setblocking(True)
    near.sendall(b"end")
    got = reading.result()
    assert len(got) >= total
    assert got[:total] == data * (total // size)
    assert (got[total:] or far.recv(3)) in (b"e", b"en", b"end")


def test_write_may_not_be_repeated_with_fewer_bytes(small_pair: Any) -> None:
    near, _ = small_pair
    near.setblocking(False)
    fill(near, BIG[:10000])
    with pytest.raises(tlskit.SSLError) as caught:
        near.send(b"x")
    assert caught.value.reason == "BAD_LENGTH"
    assert not isinstance(caught.value, (tlskit.SSLWantReadError, tlskit.SSLWantWriteError))


def test_write_can_go_on_after_the_refusal(stage: Stage) -> None:
    """tlskit only: nothing has been lost, where OpenSSL gives the connection up."""
    with stage.pair(tlskit, small=True) as (near, far):
        near.setblocking(False)
        data = BIG[:10000]
        done = fill(near, data)
        with pytest.raises(tlskit.SSLError, match="BAD_LENGTH"):
            near.send(b"x")
        left = data[done % len(data) :]
        reading = Background(lambda: collect(far, done + len(left)))
        while left:
            left = left[without_blocking(near, near.send, left) :]
        got = reading.result()
        assert got == (data * (len(got) // len(data) + 1))[: len(got)]
        assert len(got) % len(data) == 0


def test_reading_goes_on_while_a_write_is_unfinished(small_pair: Any) -> None:
    near, far = small_pair
    near.setblocking(False)
    done = fill(near, BIG)
    far.sendall(b"meanwhile")
    assert without_blocking(near, near.recv, 100) == b"meanwhile"
    reading = Background(lambda: collect(far, len(BIG)))
    while done < len(BIG):
        done += without_blocking(near, near.send, memoryview(BIG)[done:])
    assert reading.result() == BIG


def test_do_handshake_can_block_on_a_non_blocking_socket(stage: Stage, module: ModuleType) -> None:
    with stage.meeting(stage.client(module), stage.server()) as (end, puppet):
        end.setblocking(False)
        with raw.watchdog(end):
            shaking = Background(puppet.shake)
            end.do_handshake(block=True)
            shaking.result()
        assert end.gettimeout() == 0.0
        with pytest.raises(tlskit.SSLWantReadError):
            end.recv(1)


def test_wrap_socket_refuses_a_handshake_that_may_not_wait(
    stage: Stage, module: ModuleType
) -> None:
    near, far = raw.tcp_pair()
    with far:
        near.setblocking(False)
        with pytest.raises(ValueError, match="do_handshake_on_connect"):
            stage.client(module).wrap_socket(near, server_hostname="localhost")
        assert near.fileno() == -1


# -- what select and pending tell ------------------------------------------------------------------


def test_pending(pair: Any) -> None:
    near, far = pair
    assert near.pending() == 0
    far.sendall(b"0123456789")
    assert near.recv(1) == b"0"
    assert near.pending() == 9
    assert near.recv(100) == b"123456789"
    assert near.pending() == 0


def waiting(end: Any) -> bool:
    """What a program asks that waits in select: is there something to read, here or in the
    kernel?
    """
    return end.pending() > 0 or readable(end)


def test_record_behind_the_one_that_was_read_shows(stage: Stage, module: ModuleType) -> None:
    """Two records in one packet, and a program that reads just the first: select or pending has to
    tell of the other.
    """
    with stage.connected(module) as (end, puppet):
        puppet.send(puppet.seal(b"first") + puppet.seal(b"second"))
        assert end.recv(5) == b"first"
        assert waiting(end)
        assert end.recv(6) == b"second"
        assert not waiting(end)


def test_select_alone_shows_the_next_record(stage: Stage, module: ModuleType) -> None:
    """A program that frames its messages as records, and never asks pending()."""
    with stage.connected(module) as (end, puppet):
        puppet.send(b"".join(puppet.seal(b"%05d" % i) for i in range(20)))
        for i in range(20):
            assert readable(end), f"message {i} has come, and does not show"
            assert end.recv(5) == b"%05d" % i


def test_request_behind_the_handshake_shows(stage: Stage, module: ModuleType) -> None:
    """The client's Finished and its request in one packet."""
    with stage.meeting(stage.server(module), stage.client()) as (end, puppet):
        end.context.num_tickets = 0
        shaking = Background(end.do_handshake)
        while True:
            try:
                puppet.tls.do_handshake()
                break
            except stdlib.SSLWantReadError:
                puppet.send(puppet.outgoing.read())
                puppet.receive()
        last = puppet.outgoing.read()
        puppet.send(last + puppet.seal(b"request"))
        shaking.result()
        assert waiting(end)
        assert end.recv(100) == b"request"


def test_eof_behind_the_data_shows(stage: Stage, module: ModuleType) -> None:
    with stage.connected(module) as (end, puppet):
        puppet.send(puppet.seal(b"bye") + puppet.farewell())
        assert end.recv(3) == b"bye"
        assert waiting(end) or end.recv(1) == b""


@pytest.mark.parametrize("room", [100, 65536, 1 << 20])
@pytest.mark.parametrize(
    "sizes",
    [[3], [1, 2, 3], [10, 16000], [16384] * 30 + [5]],
    ids=["one", "three", "unequal", "stream"],
)
def test_an_end_behind_the_data_wakes_who_waits_for_the_socket(
    stage: Stage, module: ModuleType, room: int, sizes: list[int]
) -> None:
    # The peer waits for our close_notify: nothing more will come from it, so what it has sent has
    # to show.
    with stage.connected(module) as (end, puppet):
        sending = Background(
            lambda: puppet.send(
                b"".join(puppet.seal(b"x" * size) for size in sizes) + puppet.farewell()
            )
        )
        end.setblocking(False)
        got = 0
        while True:
            if not end.pending():
                until(lambda: readable(end), 3)
            with contextlib.suppress(stdlib.SSLWantReadError):
                if not (data := end.recv(room)):
                    break
                got += len(data)
        assert got == sum(sizes)
        sending.result()


def test_a_failure_behind_the_data_wakes_who_waits_for_the_socket(
    stage: Stage, module: ModuleType
) -> None:
    with stage.connected(module) as (end, puppet):
        sound, spoilt = puppet.seal(b"bye"), puppet.seal(b"garbage")
        puppet.send(sound + spoilt[:-1] + bytes([spoilt[-1] ^ 1]))
        assert end.recv(100) == b"bye"
        assert readable(end)
        with pytest.raises(stdlib.SSLError, match=spoilt_record(module)):
            end.recv(100)


def test_pending_across_big_reads(stage: Stage, module: ModuleType) -> None:
    with stage.connected(module) as (end, puppet):
        puppet.send(b"".join(puppet.seal(bytes([i]) * 1000) for i in range(30)))
        got = b""
        while len(got) < 30000:
            assert waiting(end), f"after {len(got)} bytes"
            got += end.recv(700)
        assert got == b"".join(bytes([i]) * 1000 for i in range(30))
        assert not waiting(end)


# -- reading ---------------------------------------------------------------------------------------


def test_recv_takes_what_there_is_and_no_more(pair: Any) -> None:
    near, far = pair
    far.sendall(b"0123456789")
    assert near.recv(4) == b"0123"
    assert near.read(4) == b"4567"
    assert near.recv() == b"89"


def test_recv_of_nothing(pair: Any) -> None:
    near, far = pair
    far.sendall(b"x")
    assert near.recv(0) == b""
    assert near.read(0) == b""
    assert near.recv(1) == b"x"
    with pytest.raises(ValueError, match="negative"):
        near.recv(-1)
    with pytest.raises(ValueError, match="negative"):
        near.read(-5)


def test_recv_into_sizes(pair: Any) -> None:
    near, far = pair
    buffer = bytearray(b"." * 10)
    far.sendall(b"0123456789abcdefghij")
    assert near.recv_into(buffer, 3) == 3
    assert bytes(buffer) == b"012......."
    assert near.recv_into(memoryview(buffer)[4:6]) == 2
    assert bytes(buffer) == b"012.34...."
    assert near.recv_into(buffer, 0) == 10
    assert bytes(buffer) == b"56789abcde"
    assert near.recv_into(buffer, 100) == 5
    assert bytes(buffer) == b"fghijabcde"
    assert near.recv_into(bytearray()) == 0


def test_read_into_a_buffer(pair: Any) -> None:
    near, far = pair
    far.sendall(b"0123456789")
    buffer = bytearray(4)
    assert near.read(2, buffer) == 2
    assert near.read(100, buffer) == 4
    assert bytes(buffer) == b"2345"


def test_recv_into_other_buffers(pair: Any, module: ModuleType) -> None:
    near, far = pair
    far.sendall(b"\1\0\0\0\2\0\0\0")
    numbers = array.array("I", [7, 7, 7])
    room = (12,) if module is stdlib else ()  # the stdlib's of 3.10 would count in numbers
    assert near.recv_into(numbers, *room) == 8
    assert list(numbers) == [1, 2, 7]
    far.sendall(b"xy")
    with pytest.raises(TypeError):
        near.recv_into(b"read only")
    with pytest.raises(TypeError):
        near.recv_into("text")
    assert near.recv(2) == b"xy"


def test_recv_of_more_than_anybody_has(pair: Any) -> None:
    near, far = pair
    sending = Background(lambda: far.sendall(BIG))
    got = bytearray()
    while len(got) < len(BIG):
        got += near.recv(1 << 30 if sys.maxsize > 1 << 32 else 1 << 24)
    sending.result()
    assert got == BIG


def until_full(call: Callable[..., Any], *args: Any) -> Exception:
    """Call it until the socket would have to wait, and return the exception with all of its
    frames.
    """
    while True:
        try:
            call(*args)
        except (tlskit.SSLWantReadError, tlskit.SSLWantWriteError) as error:
            return error


@pytest.mark.parametrize("failing", ["recv_into", "send"])
def test_failure_lets_go_of_the_buffer(small_pair: Any, failing: str) -> None:
    """While the exception is kept, and its frames with it, the caller's buffer is the caller's
    again.
    """
    near, _ = small_pair
    near.setblocking(False)
    buffer = bytearray(BIG)
    first = until_full(getattr(near, failing), buffer)
    buffer.append(0)  # a BufferError, if anybody still holds it
    view = memoryview(buffer)
    second = until_full(getattr(near, failing), view)
    view.release()  # the same
    assert first is not second


_COLLECTED = """
import gc, socket, ssl
near, far = socket.socketpair()
near.settimeout(0.01)
context = {module}.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
end = context.wrap_socket(near, do_handshake_on_connect=False)
try:
    end.recv_into(memoryview(bytearray(10))[1:])
except OSError as error:
    error.itself = error
    del error
gc.collect()
end.close()
far.close()
print("alive")
"""


def test_failure_in_a_reference_cycle_is_collected(module: ModuleType) -> None:
    """CPython before 3.13 crashes when it collects a memoryview that still has a buffer of
    somebody's on it.
    """
    text = _COLLECTED.format(module=module.__name__)
    code = f"import {module.__name__}\n{text}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
    assert "BufferError" not in done.stderr


# -- writing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["send", "sendall", "write"])
def test_write_of_any_buffer(pair: Any, call: str) -> None:
    near, far = pair
    for data in (
        b"bytes", bytearray(b"bytearray"), memoryview(b"a memoryview")[2:], array.array("I", [1, 2,
        3]),
        memoryview(array.array("I", [4, 5])), memoryview(bytes(range(12))).cast("B", (3, 4)),
    ):  # fmt: skip
        raw_bytes = bytes(data)
        size = len(raw_bytes)
        assert getattr(near, call)(data) in (size, None)
        assert collect(far, size) == raw_bytes


@pytest.mark.parametrize("call", ["send", "sendall", "write"])
def test_write_of_what_is_no_buffer(pair: Any, call: str) -> None:
    near, _ = pair
    for data in ("text", 5, None, [1]):
        with pytest.raises(TypeError):
            getattr(near, call)(data)


def test_write_of_nothing(pair: Any) -> None:
    near, far = pair
    assert near.send(b"") == 0
    assert near.write(b"") == 0
    assert near.sendall(b"") is None
    near.sendall(b"x")
    assert far.recv(10) == b"x"


@pytest.mark.parametrize(
    "kind", [bytes, bytearray, memoryview, lambda data: array.array("I", data)]
)
def test_sendall_of_much(small_pair: Any, kind: Callable[[bytes], Any]) -> None:
    near, far = small_pair
    reading = Background(lambda: collect(far, len(BIG)))
    near.sendall(kind(BIG))
    assert reading.result() == BIG


def test_blocking_send_sends_all(small_pair: Any) -> None:
    near, far = small_pair
    near.settimeout(None)
    reading = Background(lambda: collect(far, len(BIG)))
    with raw.watchdog(near, far):
        assert near.send(BIG) == len(BIG)
    assert reading.result() == BIG


def test_sendfile(pair: Any, tmp_path: Any) -> None:
    near, far = pair
    path = tmp_path / "file"
    path.write_bytes(BIG)
    with path.open("rb") as file:
        for offset, count, expected in (
            (0, None, BIG),
            (100, 5000, BIG[100:5100]),
            (len(BIG) - 3, 100, BIG[-3:]),
            (len(BIG), None, b""),
        ):
            reading = Background(lambda expected=expected: collect(far, len(expected)))
            assert near.sendfile(file, offset, count) == len(expected)
            assert file.tell() == offset + len(expected)
            assert reading.result() == expected
    reading = Background(lambda: collect(far, 9))
    assert near.sendfile(io.BytesIO(b"in memory")) == 9
    assert reading.result() == b"in memory"


def test_makefile(pair: Any) -> None:
    near, far = pair
    with (
        near.makefile("rwb") as near_file,
        far.makefile("rw", encoding="utf-8", newline="\n") as far_file,
    ):
        near_file.write(b"one\ntwo\nthree")
        near_file.flush()
        assert far_file.readline() == "one\n"
        assert far_file.readline() == "two\n"
        assert far_file.read(5) == "three"
        far_file.write("ünïcode\n")
        far_file.flush()
        assert near_file.readline() == "ünïcode\n".encode()


def test_makefile_keeps_the_connection(pair: Any) -> None:
    """Closing the socket closes it when the last of its files is closed."""
    near, far = pair
    with near.makefile("rb") as file:
        near.close()
        far.sendall(b"still here\n")
        assert file.readline() == b"still here\n"
        assert near.fileno() != -1
    assert near.fileno() == -1
    assert far.recv(1) == b""


# -- ends ------------------------------------------------------------------------------------------


def test_eof(pair: Any) -> None:
    near, far = pair
    far.sendall(b"all")
    closing = Background(far.unwrap)
    assert near.recv(100) == b"all"
    for _ in range(3):
        assert near.recv(100) == b""
    assert near.recv_into(bytearray(5)) == 0
    assert near.read() == b""
    near.unwrap()
    closing.result()


@pytest.mark.parametrize("suppressed", [True, False])
def test_ragged_eof(stage: Stage, module: ModuleType, suppressed: bool) -> None:
    with stage.connected(module, suppress_ragged_eofs=suppressed) as (end, puppet):
        assert end.suppress_ragged_eofs is suppressed
        ignored = end.context.options & tlskit.OP_IGNORE_UNEXPECTED_EOF
        puppet.send(puppet.seal(b"data"))
        puppet.sock.shutdown(socket.SHUT_WR)
        assert end.recv(4) == b"data"
        for read, nothing in (
            (lambda: end.recv(1), b""),
            (lambda: end.read(1), b""),
            (lambda: end.recv_into(bytearray(1)), 0),
        ):
            if suppressed or ignored:
                assert read() == nothing
            else:
                with pytest.raises(tlskit.SSLError):
                    read()


def test_unwrap_and_plaintext(pair: Any) -> None:
    near, far = pair
    unwrapping = Background(far.unwrap)
    plain = near.unwrap()
    other = unwrapping.result()
    assert isinstance(plain, socket.socket)
    plain.sendall(b"in the clear")
    assert other.recv(100) == b"in the clear"
    other.sendall(b"and back")
    assert plain.recv(100) == b"and back"
    assert near.version() is None
    with pytest.raises(ValueError, match="unwrapped"):
        near.read(1)
    with pytest.raises(ValueError, match="unwrapped"):
        near.write(b"x")
    with pytest.raises(ValueError, match="wrapper"):
        near.unwrap()


def test_unwrap_sends_close_notify_and_waits(stage: Stage, module: ModuleType) -> None:
    with stage.connected(module) as (end, puppet):
        unwrapping = raw.Blocked(end.unwrap)
        assert puppet.read() == b""
        puppet.send(puppet.farewell())
        unwrapping.result()


def test_non_blocking_unwrap(stage: Stage, module: ModuleType) -> None:
    with stage.connected(module) as (end, puppet):
        end.setblocking(False)
        for _ in range(2):
            with pytest.raises(tlskit.SSLWantReadError):
                end.unwrap()
        puppet.send(puppet.farewell() + b"plain")
        until(lambda: readable(end))
        plain = end.unwrap()
        plain.settimeout(20)
        assert collect(plain, 5) == b"plain"


READS: dict[str, Callable[[socket.socket], bytes]] = {
    "recv": lambda sock: sock.recv(100),
    "recv_into": lambda sock: _into(sock.recv_into),
    "peek": lambda sock: sock.recv(100, socket.MSG_PEEK),
    "recvfrom": lambda sock: sock.recvfrom(100)[0],
    "recvfrom_into": lambda sock: _into(lambda buffer: sock.recvfrom_into(buffer, 100)[0]),
    "makefile": lambda sock: _read_file(sock),
}


def _into(read: Callable[[bytearray], int]) -> bytes:
    buffer = bytearray(100)
    return bytes(buffer[: read(buffer)])


def _read_file(sock: socket.socket) -> bytes:
    with sock.makefile("rb", buffering=0) as file:
        return file.read(100) or b""


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_plaintext_in_the_packet_of_close_notify(
    stage: Stage, module: ModuleType, read: Callable[[socket.socket], bytes]
) -> None:
    """What was read ahead is the plain socket's, by whichever call."""
    with stage.connected(module) as (end, puppet):
        puppet.send(puppet.seal(b"last") + puppet.farewell() + b"plain text")
        assert end.recv(100) == b"last"
        assert end.recv(100) == b""
        plain = end.unwrap()
        plain.settimeout(2)
        assert read(plain) == b"plain text"


def test_plaintext_behind_close_notify_in_pieces(stage: Stage, module: ModuleType) -> None:
    with stage.connected(module) as (end, puppet):
        puppet.send(puppet.farewell() + b"0123456789")
        assert end.recv(100) == b""
        plain = end.unwrap()
        assert plain.recv(3) == b"012"
        assert plain.recv(4) == b"3456"
        puppet.send(b"abc")
        assert collect(plain, 6) == b"789abc"


def test_plaintext_behind_close_notify_shows(stage: Stage, module: ModuleType) -> None:
    """A program that waits in select before it reads on in the clear."""
    with stage.connected(module) as (end, puppet):
        puppet.send(puppet.seal(b"last") + puppet.farewell() + b"plain text")
        assert end.recv(4) == b"last"
        plain = end.unwrap()
        assert readable(plain)
        assert plain.recv(100) == b"plain text"


def test_plaintext_that_was_read_ahead_is_pending(stage: Stage) -> None:
    """tlskit only. `select` cannot show it, so somebody else has to."""
    with stage.connected(tlskit) as (end, puppet):
        puppet.send(puppet.seal(b"last") + puppet.farewell() + b"plain text")
        assert end.recv(100) == b"last"
        assert end.recv(100) == b""
        plain = end.unwrap()
        got = b""
        while plain.pending() or readable(plain):
            got += plain.recv(3)
        assert got == b"plain text"
        assert plain.pending() == 0


def test_tls_again_behind_close_notify(stage: Stage, module: ModuleType) -> None:
    """close_notify and the next ClientHello in one packet: the socket is wrapped again."""
    with stage.connected(module, server=True) as (end, puppet):
        again = raw.Puppet(puppet.sock, stage.client(), server_side=False, hostname="localhost")
        with pytest.raises(stdlib.SSLWantReadError):
            again.tls.do_handshake()
        puppet.send(puppet.seal(b"last") + puppet.farewell() + again.outgoing.read())
        assert end.recv(100) == b"last"
        assert end.recv(100) == b""
        plain = end.unwrap()
        puppet.incoming.write(
            puppet.sock.recv(65536)
        )  # their answer, which ends the first connection
        shaking = Background(again.shake)
        plain.settimeout(2)
        with stage.server(module).wrap_socket(plain, server_side=True) as second:
            shaking.result()
            again.send(again.seal(b"again"))
            assert second.recv(100) == b"again"


def test_shutdown_of_the_socket(stage: Stage, module: ModuleType) -> None:
    with stage.connected(module) as (end, puppet):
        end.shutdown(socket.SHUT_WR)
        assert puppet.sock.recv(100) == b""
        with pytest.raises(BrokenPipeError):
            end.send(b"x")


def test_reading_goes_on_after_shutdown(stage: Stage) -> None:
    """tlskit only: the stdlib gives TLS up, and would read what has been sealed."""
    with stage.connected(tlskit) as (end, puppet):
        end.shutdown(socket.SHUT_WR)
        puppet.send(puppet.seal(b"sealed") + puppet.farewell())
        assert end.recv(100) == b"sealed"
        assert end.recv(100) == b""


def test_half_closed_by_the_peer(stage: Stage, module: ModuleType) -> None:
    """A peer that has sent close_notify may still be written to."""
    with stage.connected(module) as (end, puppet):
        puppet.send(puppet.farewell())
        assert end.recv(1) == b""
        end.sendall(b"an answer")
        sealed = puppet.sock.recv(65536)
        assert len(sealed) > len(b"an answer")


def test_close_tells_the_peer(pair: Any) -> None:
    near, far = pair
    fd = near.fileno()
    near.close()
    assert near.fileno() == -1
    with pytest.raises(OSError, match=r"Bad file descriptor|10038"):
        socket.socket(fileno=fd)
    assert far.recv(1) == b""


CLOSED: dict[str, Callable[[Any], Any]] = {
    "recv": lambda end: end.recv(1),
    "recv_into": lambda end: end.recv_into(bytearray(1)),
    "read": lambda end: end.read(1),
    "send": lambda end: end.send(b"x"),
    "sendall": lambda end: end.sendall(b"x"),
    "write": lambda end: end.write(b"x"),
    "recvfrom": lambda end: end.recvfrom(1),
    "recvfrom_into": lambda end: end.recvfrom_into(bytearray(1), 1),
    "sendto": lambda end: end.sendto(b"x", ("127.0.0.1", 1)),
    "sendmsg": lambda end: end.sendmsg([b"x"]),
    "recvmsg": lambda end: end.recvmsg(1),
    "dup": lambda end: end.dup(),
    "unwrap": lambda end: end.unwrap(),
    "do_handshake": lambda end: end.do_handshake(),
    "getpeercert": lambda end: end.getpeercert(),
    "getpeername": lambda end: end.getpeername(),
    "pending": lambda end: end.pending(),
    "version": lambda end: end.version(),
    "cipher": lambda end: end.cipher(),
    "shared_ciphers": lambda end: end.shared_ciphers(),
    "compression": lambda end: end.compression(),
    "selected_alpn_protocol": lambda end: end.selected_alpn_protocol(),
    "get_channel_binding": lambda end: end.get_channel_binding(),
    "session": lambda end: end.session,
    "session_reused": lambda end: end.session_reused,
    "context": lambda end: type(end.context).__name__,
    "server_side": lambda end: end.server_side,
    "server_hostname": lambda end: end.server_hostname,
    "fileno": lambda end: end.fileno(),
    "close": lambda end: end.close(),
    "shutdown": lambda end: end.shutdown(socket.SHUT_RDWR),
    "detach": lambda end: end.detach(),
    "connect": lambda end: end.connect(("127.0.0.1", 1)),
    "accept": lambda end: end.accept(),
    "gettimeout": lambda end: end.gettimeout(),
}


def outcome(call: Callable[[Any], Any], end: Any) -> Any:
    """What comes of it: a value, or the class and the errno of an exception."""
    try:
        return "value", call(end)
    except Exception as error:
        return type(error), getattr(error, "errno", None)


def agree(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
    """The same, but that tlskit may raise something better where the stdlib stumbles over its own
    None.
    """
    assert ours == theirs or (theirs[0] is AttributeError and ours[0] in (OSError, ValueError))


@pytest.mark.parametrize("call", CLOSED.values(), ids=CLOSED)
def test_closed_socket_behaves_as_the_stdlib_s(stage: Stage, call: Callable[[Any], Any]) -> None:
    def on_closed(module: ModuleType) -> Any:
        with stage.pair(module) as (near, _):
            near.close()
            return outcome(call, near)

    agree(on_closed(tlskit), on_closed(stdlib))


#: Without those whose answer is the kernel's: which would wait, or tell a number that is never the
#: same.
WITHOUT_TLS = {
    name: CLOSED[name]
    for name in CLOSED
    if name
    not in (
        "accept",
        "detach",
        "fileno",
        "getpeername",
        "recv",
        "recv_into",
        "recvfrom",
        "recvfrom_into",
    )
}


@pytest.mark.parametrize("call", WITHOUT_TLS.values(), ids=WITHOUT_TLS)
def test_unwrapped_socket_behaves_as_the_stdlib_s(stage: Stage, call: Callable[[Any], Any]) -> None:
    def on_unwrapped(module: ModuleType) -> Any:
        with stage.pair(module) as (near, far):
            other = Background(far.unwrap)
            near.unwrap()
            other.result()
            return outcome(call, near)

    agree(on_unwrapped(tlskit), on_unwrapped(stdlib))


@pytest.mark.parametrize("call", WITHOUT_TLS.values(), ids=WITHOUT_TLS)
def test_unconnected_socket_behaves_as_the_stdlib_s(
    stage: Stage, call: Callable[[Any], Any]
) -> None:
    def on_new(module: ModuleType) -> Any:
        with stage.client(module).wrap_socket(socket.socket(), server_hostname="localhost") as end:
            return outcome(call, end)

    agree(on_new(tlskit), on_new(stdlib))


def test_detach(pair: Any) -> None:
    near, far = pair
    fd = near.detach()
    assert near.fileno() == -1
    with socket.socket(fileno=fd) as plain:
        plain.sendall(b"in the clear")
    with pytest.raises(tlskit.SSLError):
        far.recv(100)


def test_forgotten_socket_warns(stage: Stage, module: ModuleType) -> None:
    with stage.pair(module):
        near, far = socket.socketpair()
        end = stage.client(module).wrap_socket(
            near, server_hostname="localhost", do_handshake_on_connect=False
        )
        holding = [end]
        del end
        with pytest.warns(ResourceWarning, match="unclosed"):
            freed(holding)
        assert far.recv(1) == b""
        far.close()


# -- connecting and accepting ----------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(20)
        yield sock


def refusing_address() -> Any:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
@pytest.mark.parametrize("shaking", [True, False])
def test_connect_and_accept(
    stage: Stage, module: ModuleType, listener: socket.socket, method: str, shaking: bool
) -> None:
    """A listening SSLSocket gives SSLSockets, which make their handshake as it would."""
    with stage.server(module).wrap_socket(
        listener, server_side=True, do_handshake_on_connect=shaking
    ) as serving:

        def serve() -> Any:
            accepted, address = serving.accept()
            with accepted:
                assert accepted.server_side
                if not shaking:
                    assert accepted.version() is None
                    accepted.do_handshake()
                accepted.sendall(accepted.recv(100))
                assert accepted.recv(1) == b""
            return address

        accepting = Background(serve)
        client = stage.client(module).wrap_socket(
            socket.socket(), server_hostname="localhost", do_handshake_on_connect=shaking
        )
        client.settimeout(20)
        with client:
            assert client.version() is None
            assert client.cipher() is None
            assert getattr(client, method)(serving.getsockname()) in (None, 0)
            if not shaking:
                assert client.version() is None
                client.do_handshake()
            assert client.version() == {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}[stage.version]
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            address = client.getsockname()
            with pytest.raises(ValueError, match="already"):
                client.connect(serving.getsockname())
        assert accepting.result() == address


def test_accept_inherits(stage: Stage, module: ModuleType, listener: socket.socket) -> None:
    with (
        stage.server(module).wrap_socket(
            listener, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        ) as serving,
        socket.create_connection(serving.getsockname()),
    ):
        accepted, _ = serving.accept()
        with accepted:
            assert type(accepted) is module.SSLSocket
            assert (
                accepted.suppress_ragged_eofs,
                accepted.do_handshake_on_connect,
                accepted.server_side,
            ) == (False, False, True)
            assert accepted.context is serving.context


def test_failed_accept_leaves_the_listener(
    stage: Stage, module: ModuleType, listener: socket.socket
) -> None:
    with stage.server(module).wrap_socket(listener, server_side=True) as serving:
        with socket.create_connection(serving.getsockname()) as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with pytest.raises(tlskit.SSLError):
                serving.accept()
        accepting = Background(serving.accept)
        with stage.client(module).wrap_socket(
            socket.create_connection(serving.getsockname(), 20), server_hostname="localhost"
        ):
            accepted, _ = accepting.result()
            accepted.close()


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_refused_connection(stage: Stage, module: ModuleType, method: str) -> None:
    with stage.client(module).wrap_socket(socket.socket(), server_hostname="localhost") as end:
        end.settimeout(20)
        if method == "connect":
            with pytest.raises(ConnectionRefusedError):
                end.connect(refusing_address())
        else:
            assert end.connect_ex(refusing_address()) == errno.ECONNREFUSED
        with pytest.raises((OSError, ValueError)):
            end.getpeercert()


#: What connect_ex answers for a connection that is not there yet.
PENDING = (0, errno.EINPROGRESS, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS))


def test_non_blocking_connect(stage: Stage, module: ModuleType, listener: socket.socket) -> None:
    def serve() -> None:
        plain, _ = listener.accept()
        with stage.server(module).wrap_socket(plain, server_side=True) as accepted:
            accepted.sendall(b"welcome")

    serving = Background(serve)
    client = stage.client(module).wrap_socket(
        socket.socket(), server_hostname="localhost", do_handshake_on_connect=False
    )
    with client:
        client.setblocking(False)
        assert client.connect_ex(listener.getsockname()) in PENDING
        assert select.select([], [client], [], 20)[1]
        without_blocking(client, client.do_handshake)
        assert without_blocking(client, client.recv, 100) == b"welcome"
        serving.result()


def test_connect_with_a_bad_certificate(
    stage: Stage, module: ModuleType, listener: socket.socket
) -> None:
    def serve() -> None:
        plain, _ = listener.accept()
        with pytest.raises(tlskit.SSLError):
            stage.server(module).wrap_socket(plain, server_side=True).recv(1)

    serving = Background(serve)
    with stage.client(module).wrap_socket(
        socket.socket(), server_hostname="wrong.example"
    ) as client:
        client.settimeout(20)
        with pytest.raises(tlskit.SSLCertVerificationError):
            client.connect(listener.getsockname())
        client.close()
        serving.result()


def test_server_cannot_connect(stage: Stage, module: ModuleType) -> None:
    with (
        stage.server(module).wrap_socket(socket.socket(), server_side=True) as end,
        pytest.raises(ValueError, match="server"),
    ):
        end.connect(("127.0.0.1", 1))


def test_bytes_before_the_connection_was_lost_are_no_tls(stage: Stage, module: ModuleType) -> None:
    """CVE-2023-40217: what a peer has sent in the clear before it reset must not be read from an
    SSLSocket.
    """
    near, far = raw.tcp_pair()
    far.sendall(b"in the clear")
    until(lambda: readable(near))
    raw.reset(far)
    until(lambda: not _is_connected(near))
    with pytest.raises(OSError, match=r".+"):
        stage.client(module).wrap_socket(near, server_hostname="localhost")
    assert near.fileno() == -1


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


# -- refusals --------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[type[Exception], Callable[[Any], Any]]] = {
    "dup": (NotImplementedError, lambda end: end.dup()),
    "sendmsg": (NotImplementedError, lambda end: end.sendmsg([b"x"])),
    "recvmsg": (NotImplementedError, lambda end: end.recvmsg(100)),
    "recvmsg_into": (NotImplementedError, lambda end: end.recvmsg_into([bytearray(10)])),
    "sendto": (ValueError, lambda end: end.sendto(b"x", ("127.0.0.1", 1))),
    "sendto flags": (ValueError, lambda end: end.sendto(b"x", 0, ("127.0.0.1", 1))),
    "recvfrom": (ValueError, lambda end: end.recvfrom(100)),
    "recvfrom_into": (ValueError, lambda end: end.recvfrom_into(bytearray(10))),
    "recv flags": (ValueError, lambda end: end.recv(1, socket.MSG_PEEK)),
    "recv_into flags": (ValueError, lambda end: end.recv_into(bytearray(1), 1, socket.MSG_PEEK)),
    "send flags": (ValueError, lambda end: end.send(b"x", socket.MSG_OOB)),
    "sendall flags": (ValueError, lambda end: end.sendall(b"x", socket.MSG_OOB)),
}


@pytest.mark.parametrize(("kind", "call"), REFUSED.values(), ids=REFUSED)
def test_refused(pair: Any, kind: type[Exception], call: Callable[[Any], Any]) -> None:
    near, far = pair
    far.sendall(b"untouched")
    with pytest.raises(kind, match=r"on instances|allowed|dup"):
        call(near)
    assert near.recv(100) == b"untouched"


def test_constructor_is_not_public(module: ModuleType) -> None:
    with pytest.raises(TypeError, match="public constructor"):
        module.SSLSocket()
    with pytest.raises(TypeError, match="public constructor"):
        module.SSLObject()


def test_wrap_socket_refusals(stage: Stage, module: ModuleType) -> None:
    client, server = stage.client(module), stage.server(module)
    with (
        socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        pytest.raises(NotImplementedError, match="stream"),
    ):
        client.wrap_socket(datagrams, server_hostname="localhost")
    with socket.socket() as sock:
        with pytest.raises(ValueError, match="server_hostname"):
            client.wrap_socket(sock)
        with pytest.raises(ValueError, match="server_hostname"):
            server.wrap_socket(sock, server_side=True, server_hostname="localhost")
        assert sock.fileno() != -1  # a refusal leaves the caller's socket alone


def test_wrong_role(stage: Stage, module: ModuleType) -> None:
    for context, server_side in ((stage.client(module), True), (stage.server(module), False)):
        near, far = socket.socketpair()
        context.check_hostname = False
        with far, pytest.raises(tlskit.SSLError, match="Cannot create a"):
            context.wrap_socket(near, server_side=server_side)
        near.close()


def test_is_a_socket(pair: Any, module: ModuleType) -> None:
    near, _ = pair
    assert isinstance(near, socket.socket)
    assert isinstance(near, stdlib.SSLSocket)
    assert isinstance(near.context, stdlib.SSLContext)
    assert near.family == socket.AF_INET
    assert near.getpeername()[0] == "127.0.0.1"
    near.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert not near.get_inheritable()
    assert writable(near)


def test_the_object_beneath_waits_as_the_socket_does(stage: Stage, module: ModuleType) -> None:
    with stage.connected(module) as (end, puppet):
        reading = raw.Blocked(lambda: end._sslobj.read(100))
        puppet.send(puppet.seal(b"late"))
        assert reading.result() == b"late"
        end.setblocking(False)
        with pytest.raises(stdlib.SSLWantReadError):
            end._sslobj.read(100)
        assert end._sslobj.write(b"and back") == 8
        end.setblocking(True)
        unwrapping = raw.Blocked(end._sslobj.shutdown)
        puppet.send(puppet.farewell())
        assert unwrapping.result() is end
