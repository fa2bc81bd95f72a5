"""The usual read and write over a socket: in C, where it is compiled in, and in Python. Both do the
same.
"""

from __future__ import annotations

import select
import signal
import sys
import threading
import time
import weakref
from array import array
from typing import Any

import pytest

import tlskit
from tlskit._core import direct

from ..support import inside, pairs
from ..support.pki import PKI
from ..support.pypy import collected

pytestmark = pytest.mark.usefixtures("way")

SIZES = [1, 64, 4096, 4097, 16384, 16385, 65536, 262144, 300001]


@pytest.fixture
def ends(pki: PKI, version: Any, way: str) -> Any:
    """A client and a server, each with a timeout that only a test that fails waits for."""
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    with pairs.socket_pair(client, server) as (first, second):
        for end in (first, second):
            end.settimeout(20)
        yield first, second


def as_bytes(end: Any, size: int) -> bytes:
    found: bytes = end.recv(size)
    return found


def into(end: Any, size: int) -> bytes:
    """What `recv_into` puts into a buffer, the rest of which it leaves alone."""
    buffer = bytearray(b"." * size)
    n = end.recv_into(buffer)
    assert buffer[n:] == b"." * (size - n)
    return bytes(buffer[:n])


@pytest.fixture(params=[as_bytes, into])
def receive(request: pytest.FixtureRequest) -> Any:
    return request.param


def exactly(end: Any, size: int, most: int, receive: Any = as_bytes) -> bytes:
    found = b""
    while len(found) < size:
        part = receive(end, min(most, size - len(found)))
        assert 0 < len(part) <= most
        found += part
    return found


@pytest.mark.parametrize("timeout", [20, None])
@pytest.mark.parametrize("most", [1000, 4096, 4097, 65536, 1 << 20])
def test_all_sizes(ends: Any, timeout: float | None, most: int, receive: Any) -> None:
    first, second = ends
    first.settimeout(timeout)
    second.settimeout(timeout)
    sizes = [size for size in SIZES if size <= 100 * most]
    messages = [bytes([number]) * size for number, size in enumerate(sizes * 2)]

    def send() -> None:
        for message in messages:
            first.sendall(message)

    thread = threading.Thread(target=send)
    thread.start()
    got = [exactly(second, len(message), most, receive) for message in messages]
    thread.join()
    assert got == messages


def test_arguments(ends: Any) -> None:
    first, second = ends
    assert first.send(b"") == 0
    assert first.send(bytearray(b"one")) == 3
    assert first.write(memoryview(b"two")) == 3
    assert exactly(second, 6, 10) == b"onetwo"
    assert second.recv(0) == b""
    for wrong in (-1, -(1 << 70)):
        with pytest.raises((ValueError, OverflowError)):
            second.read(wrong)
    for odd in ("text", None, 1.5):
        with pytest.raises(TypeError):
            second.read(odd)
        with pytest.raises(TypeError):
            first.send(odd)
    first.send(b"x")
    assert second.recv(True) == b"x"


def test_buffers(ends: Any) -> None:
    first, second = ends
    first.sendall(b"0123456789")
    room = bytearray(b"." * 10)
    assert second.recv_into(room, 2) == 2
    with memoryview(room) as whole, whole[4:7] as part:
        assert second.recv_into(part) == 3
    assert second.read(2, array("B", b"..")) == 2
    assert room == b"01..234..."
    for wrong in (b"read-only", "text", memoryview(bytearray(8))[::2]):
        with pytest.raises((TypeError, BufferError)):
            second.recv_into(wrong)
    for wrong in (1.5, "text"):
        with pytest.raises(TypeError):
            second.recv_into(room, wrong)
    assert second.recv_into(bytearray()) == 0
    assert second.recv_into(room) == 3
    assert room == b"789.234..."
    room.clear()  # nothing holds it any more


def test_nothing_has_come(ends: Any, receive: Any) -> None:
    first, second = ends
    for end in (first, second):
        end.setblocking(False)
        with pytest.raises(tlskit.SSLWantReadError):
            receive(end, 100)
        end.settimeout(0.01)
        with pytest.raises(TimeoutError):
            receive(end, 100)
    first.sendall(b"but now")
    second.settimeout(20)
    assert receive(second, 100) == b"but now"


def test_the_end(ends: Any, receive: Any) -> None:
    first, second = ends
    first.sendall(b"last")
    first._sslobj.close_notify()
    assert exactly(second, 4, 100) == b"last"
    assert receive(second, 100) == b""
    assert receive(second, 100) == b""
    second.close()
    with pytest.raises(OSError, match=r"[Bb]ad file descriptor|not a socket|10038"):
        receive(second, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.parametrize("timeout", [20, None])
def test_a_signal_in_a_read(ends: Any, timeout: float | None, receive: Any) -> None:
    """Its handler runs while the read waits; if it raises, so does the read."""
    first, second = ends
    second.settimeout(timeout)
    came = []

    def handler(*_: Any) -> None:
        came.append(1)
        if len(came) > 1:
            raise InterruptedError("enough")
        first.sendall(b"from the handler")

    old = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert receive(second, 100) == b"from the handler"
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(InterruptedError, match="enough"):
            receive(second, 100)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    first.sendall(b"still there")
    assert receive(second, 100) == b"still there"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_signals_do_not_prolong_a_timeout(ends: Any, receive: Any) -> None:
    _, second = ends
    second.settimeout(0.001)
    with pytest.raises(TimeoutError):  # whatever came with the handshake is done with
        second.recv(1)
    old = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        began = time.monotonic()
        second.settimeout(0.2)
        with pytest.raises(TimeoutError):
            receive(second, 1)
        assert time.monotonic() - began >= 0.19
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def test_a_replaced_select_waits(ends: Any, receive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """gevent's must run the other greenlets meanwhile."""
    first, second = ends
    real, calls = select.select, []

    def replaced(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            first.sendall(b"now")
        return real(*args)

    monkeypatch.setattr(select, "select", replaced)
    assert receive(second, 100) == b"now"
    assert calls
    monkeypatch.undo()
    first.sendall(b"as before")
    count = len(calls)
    assert receive(second, 100) == b"as before"
    assert len(calls) == count


def test_a_closed_socket_is_gone(ends: Any) -> None:
    """No circle holds it: the descriptor closes with the last reference."""
    first, second = ends
    first.sendall(b"x")
    assert second.recv(1) == b"x"
    channel, handle = weakref.ref(second._sslobj), weakref.ref(inside.handle_of(second))
    second.close()
    collected()
    assert channel() is None
    assert handle() is None, "what OpenSSL holds of a closed connection is freed with it"


@pytest.mark.skipif(direct._direct is None, reason="there is no C for it here")
def test_it_is_not_made_by_others(way: str) -> None:
    if way == "python":
        return
    make: Any = direct._direct.Blocking
    for given in ((), (1,), (1, 2, 3), (None, "text")):
        with pytest.raises(TypeError):
            make(*given)
    with pytest.raises(ValueError, match="needs a connection"):
        make(None, 0)
