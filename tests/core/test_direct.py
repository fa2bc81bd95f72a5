"""The usual operations of a connection in memory: in C, where it is compiled in, and in Python.
Both do the same.
"""

from __future__ import annotations

import gc
import os
import platform
import random
import ssl as stdlib
import sys
import threading
import weakref
from array import array
from typing import Any

import pytest

import tlskit
from tlskit._core import direct

from ..support import pairs
from ..support.pairs import drained
from ..support.pki import PKI

SIZES = [1, 64, 2047, 2048, 2049, 4074, 4096, 4097, 16384, 16385, 49152, 65536, 262144, 300001]


@pytest.fixture(params=[tlskit, stdlib], ids=["own", "stdlibs"])
def queue(request: pytest.FixtureRequest) -> Any:
    """The kind of MemoryBIO."""
    return request.param.MemoryBIO


def shaken(client: Any, server: Any, up: Any, down: Any) -> tuple[Any, Any]:
    """A client and a server after their handshake; the client has not read its tickets."""
    near = client.wrap_bio(down, up, server_hostname="localhost")
    far = server.wrap_bio(up, down, server_side=True)
    pairs.shake(near, far)
    return near, far


@pytest.fixture
def ends(pki: PKI, version: Any, way: str, queue: Any) -> tuple[Any, Any, Any, Any]:
    """A client and a server, and the queues of what they have sent."""
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    up, down = queue(), queue()
    first, second = shaken(client, server, up, down)
    pairs.take_tickets(first)
    return first, second, up, down


def test_into_a_buffer_while_sessions_arrive(pki: PKI, version: Any, way: str, queue: Any) -> None:
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    arrived: list[Any] = []
    client.sessions.on_new = lambda connection, session: arrived.append(session)
    up, down = queue(), queue()
    first, second = shaken(client, server, up, down)
    second.write(b"hello")
    room = bytearray(10)
    assert first.read(10, room) == 5
    assert room[:5] == b"hello"
    assert arrived


def test_it_is_compiled_in_on_cpython() -> None:
    assert (direct._direct is not None) == (platform.python_implementation() == "CPython")


def test_the_usual_case_has_no_frame(ends: Any, way: str) -> None:
    kind = type(ends[0].read).__name__
    assert kind == ("builtin_function_or_method" if way == "c" else "method")


@pytest.mark.parametrize("size", SIZES)
def test_messages_of_any_size(ends: Any, size: int) -> None:
    first, second, _, _ = ends
    message = random.Random(size).randbytes(size)
    for sender, receiver in ((first, second), (second, first)):
        left = message
        while left:
            left = left[sender.write(left) :]
        assert drained(receiver) == message
        assert receiver.pending() == 0


@pytest.mark.parametrize("size", SIZES)
def test_a_read_takes_no_more_than_it_asks_for(ends: Any, size: int) -> None:
    first, second, _, _ = ends
    first.write(bytes(60000))
    first.write(b"behind it")
    found = b""
    while len(found) < 60009:
        one = second.read(size)
        assert 0 < len(one) <= size
        found += one
    assert found == bytes(60000) + b"behind it"
    with pytest.raises(tlskit.SSLWantReadError):
        second.read(size)


def test_what_is_pending_can_be_read_at_once(ends: Any) -> None:
    first, second, _, _ = ends
    first.write(bytes(16384))
    assert second.read(1) == b"\0"
    assert second.pending() == 16383
    assert len(second.read(second.pending())) == 16383
    assert second.pending() == 0


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 100, 16000])
def test_records_in_pieces(pki: PKI, version: Any, way: str, queue: Any, cut: int) -> None:
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    up, down, wire = queue(), queue(), queue()
    first = client.wrap_bio(down, up, server_hostname="localhost")
    second = server.wrap_bio(wire, down, server_side=True)
    message = random.Random(cut).randbytes(40000)
    done: set[Any] = set()
    while len(done) < 2:
        for end in (first, second):
            wire.write(up.read())
            try:
                end.do_handshake()
                done.add(end)
            except tlskit.SSLWantReadError:
                pass
    first.write(message)
    sealed, found = up.read(), b""
    for at in range(0, len(sealed), cut):
        wire.write(sealed[at : at + cut])
        found += drained(second)
        assert message.startswith(found)
    assert found == message


def test_what_is_not_usual(ends: Any) -> None:
    first, second, _, _ = ends
    assert first.write(memoryview(b"abc")) == 3
    assert first.write(bytearray(b"def")) == 3
    assert first.write(b"") == 0
    room = bytearray(4)
    assert second.read(4, room) == 4
    assert room == b"abcd"
    assert second.read(0) == b""
    assert second.read() == b"ef"
    assert second.read(len=0) == b""
    with pytest.raises(tlskit.SSLWantReadError) as caught:
        second.read(5)
    assert caught.value.library is None
    assert caught.value.reason is None
    assert caught.value.args == (2, "The operation did not complete (read)")
    for wrong in ((-1,), ("x",), (1, 2, 3)):
        with pytest.raises((ValueError, TypeError)):
            second.read(*wrong)
    for wrong in (("text",), (1,), ()):
        with pytest.raises(TypeError):
            first.write(*wrong)


def test_the_end(ends: Any) -> None:
    first, second, _, _ = ends
    first.write(b"last words")
    with pytest.raises(tlskit.SSLWantReadError):
        first.unwrap()
    assert second.read(100) == b"last words"
    assert second.read(100) == b""
    second.unwrap()
    first.unwrap()
    with pytest.raises(tlskit.SSLError):
        first.write(b"more")
    with pytest.raises(tlskit.SSLZeroReturnError):
        second.read(100)


def test_an_end_without_notice(ends: Any) -> None:
    first, second, up, _ = ends
    first.write(b"last words")
    up.write_eof()
    assert second.read(100) == b"last words"
    for _ in range(2):
        with pytest.raises(tlskit.SSLEOFError):
            second.read(100)


def test_a_forged_record(ends: Any) -> None:
    first, second, up, down = ends
    first.write(b"good")
    first.write(b"bad")
    sealed = up.read()
    up.write(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert second.read(100) == b"good"
    for _ in range(2):
        with pytest.raises(tlskit.SSLError) as caught:
            second.read(100)
        assert caught.value.reason in (
            "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
            "RECORD_LAYER_FAILURE",  # since OpenSSL 3.2
        )
    assert down.pending > 0  # the alert
    with pytest.raises(tlskit.SSLError):
        first.read(100)


def test_what_follows_tls_stays_in_the_queue(pki: PKI, version: Any, way: str) -> None:
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    up, down = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    first, second = shaken(client, server, up, down)
    with pytest.raises(tlskit.SSLWantReadError):
        first.unwrap()
    up.write(b"in plain")
    assert second.read(100) == b""
    second.unwrap()
    assert up.read() == b"in plain"


def test_threads_keep_the_order(ends: Any) -> None:
    first, second, _, _ = ends
    count, found, stop = 300, [], threading.Event()

    def write() -> None:
        for number in range(count):
            first.write(number.to_bytes(4, "big") * 500)

    def read() -> None:
        while not stop.is_set():
            try:
                found.append(second.read(2000))
            except tlskit.SSLWantReadError:
                continue
            if len(b"".join(found)) == count * 2000:
                stop.set()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=write), threading.Thread(target=read)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert b"".join(found) == b"".join(n.to_bytes(4, "big") * 500 for n in range(count))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # threads of other tests
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_goes_on(ends: Any) -> None:
    first, second, _, _ = ends
    first.write(b"before")
    assert second.read(10) == b"before"
    child = os.fork()
    if not child:
        first.write(b"in the child")
        os._exit(second.read(100) != b"in the child")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_circles_are_collected(pki: PKI, way: str, queue: Any) -> None:
    end = pairs.client_context(pki).wrap_bio(queue(), queue(), server_hostname="localhost")
    end.program = [end.read, end.write, end]  # type: ignore[attr-defined]
    gone = weakref.ref(end)
    del end
    gc.collect()
    assert gone() is None


def test_locks() -> None:
    one = direct.Lock()
    assert one.acquire() is True
    with one:
        held: list[bool] = []
        thread = threading.Thread(target=lambda: (one.acquire(), held.append(True), one.release()))
        thread.start()
        assert not held
    one.release()
    thread.join()
    assert held == [True]
    with pytest.raises(RuntimeError):
        one.release()


@pytest.mark.skipif(direct._direct is None, reason="there is no C for it here")
@pytest.mark.parametrize("given", [(), (1,), (1, 2, 3, None, None, None, None, 8)])
def test_it_is_not_made_by_others(given: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        direct._direct.Direct(*given)
    with pytest.raises(TypeError):
        direct._direct.Lock(1)
    queues = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    with pytest.raises(TypeError, match="two locks"):
        direct._direct.Direct(None, 0, None, *queues, threading.Lock(), threading.Lock())


def test_reads_of_both_kinds_in_turns(ends: Any) -> None:
    first, second, _, _ = ends
    room = bytearray(10)
    for _ in range(3):
        first.write(b"0123456789" * 3)
        assert second.read(10, room) == 10
        assert second.read(10) == b"0123456789"
        assert second.read(100, room) == 10
        with pytest.raises(tlskit.SSLWantReadError):
            second.read(10, room)
        first.write(b"ab")
        assert second.read(1) == b"a"
        assert second.pending() == 1
        assert second.read(1, room) == 1
        assert room[:1] == b"b"


# -- buffers ---------------------------------------------------------------------------------------


def all_into(end: Any, room: int, size: int) -> bytes:
    """All that can be read, through a buffer of `room` bytes."""
    buffer, found = bytearray(room), bytearray()
    while True:
        try:
            n = end.read(size, buffer)
        except tlskit.SSLWantReadError:
            return bytes(found)
        assert 0 < n <= room
        found += buffer[:n]


@pytest.mark.parametrize("size", [1, 64, 4096, 4097, 16384, 70000, 300001])
@pytest.mark.parametrize("room", [5, 64, 16384, 262144])
def test_into_buffers_of_any_size(ends: Any, size: int, room: int) -> None:
    if size > 1000 * room:
        size = 1000 * room
    message = random.Random(size).randbytes(size)
    for sender, receiver in (ends[:2], ends[1::-1]):
        assert sender.write(memoryview(message)) == size
        assert all_into(receiver, room, room) == message
        assert receiver.pending() == 0


@pytest.mark.parametrize("size", [-1, 0, 1, 7, 10, 11, 2**40, 2**80])
def test_the_size_beside_a_buffer(ends: Any, size: int) -> None:
    """It bounds the count if it is less than the buffer; 0 and negative ones do not."""
    first, second, _, _ = ends
    first.write(b"0123456789abcdef")
    most = size if 0 < size < 10 else 10
    room = bytearray(b"." * 10)
    assert second.read(size, room) == most
    assert room == b"0123456789"[:most] + b"." * (10 - most)
    assert second.read(100) == b"0123456789abcdef"[most:]


def test_kinds_of_buffers(ends: Any) -> None:
    first, second, _, _ = ends
    for buffer in (array("I", bytes(8)), memoryview(bytearray(9))[1:], bytearray(8), bytearray(8)):
        assert first.write(array("H", b"abcdefgh")) == 8
        assert second.read(8, buffer) == 8
        assert bytes(buffer) == b"abcdefgh"
    plain = bytearray(8)
    plain.extend(b"it is not held any more")
    with pytest.raises(tlskit.SSLWantReadError):
        second.read(8, plain)
    plain.clear()


def test_buffers_that_do_not_serve(ends: Any) -> None:
    first, second, _, _ = ends
    first.write(b"patient")
    for buffer in (b"read-only", "text", memoryview(bytearray(8))[::2]):
        with pytest.raises(TypeError):
            second.read(8, buffer)
    assert second.read(8, bytearray()) == 0
    with pytest.raises((TypeError, BufferError)):
        first.write(memoryview(b"abcdef")[::2])
    assert first.write(memoryview(b"")) == 0
    room = bytearray(8)
    assert second.read(8, room) == 7
    assert room == b"patient\0"
    with pytest.raises(tlskit.SSLWantReadError):
        second.read(8, room)


@pytest.mark.parametrize("listens", [False, True])
def test_an_empty_buffer_is_not_the_end(contexts: Any, way: str, queue: Any, listens: bool) -> None:
    client, server = contexts
    if listens:
        client.sessions.on_new = lambda connection, session: None
    up, down = queue(), queue()
    first, second = shaken(client, server, up, down)
    second.write(b"not yet")
    assert first.read(8, bytearray()) == first.read(0, bytearray()) == 0
    assert first.read(8) == b"not yet"


@pytest.mark.parametrize("size", [0, 100])
def test_what_follows_the_end_stays_in_the_queue(contexts: Any, way: str, size: int) -> None:
    client, server = contexts
    client.sessions.on_new = lambda connection, session: None
    up, down = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    first, second = shaken(client, server, up, down)
    pairs.take_tickets(first)
    with pytest.raises(tlskit.SSLWantReadError):
        second.unwrap()
    down.write(b"in plain text")
    assert first.read(size, bytearray(100)) == 0
    assert down.read() == b"in plain text"


def test_a_buffer_at_the_end(ends: Any) -> None:
    first, second, _, _ = ends
    first.write(b"last words")
    with pytest.raises(tlskit.SSLWantReadError):
        first.unwrap()
    room = bytearray(100)
    assert second.read(100, room) == 10
    assert second.read(100, room) == 0
    assert room[:10] == b"last words"
    second.unwrap()
    first.unwrap()


def test_a_buffer_for_a_forged_record(ends: Any) -> None:
    first, second, up, down = ends
    first.write(memoryview(b"bad"))
    sealed = up.read()
    up.write(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    room = bytearray(100)
    for _ in range(2):
        with pytest.raises(tlskit.SSLError) as caught:
            second.read(100, room)
        assert caught.value.reason in (
            "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
            "RECORD_LAYER_FAILURE",  # since OpenSSL 3.2
        )
        room.append(0)  # the exception does not hold it
    assert down.pending > 0  # the alert


def test_a_buffer_has_no_frame(ends: Any, way: str) -> None:
    first, second, _, _ = ends
    room, frames = bytearray(100), []
    sys.setprofile(lambda frame, event, argument: frames.append(event))
    try:
        first.write(memoryview(b"hello"))
        second.read(0, room)
    finally:
        sys.setprofile(None)
    assert ("call" in frames) == (way == "python")


@pytest.mark.parametrize("padding", [512, 4096, 16384])
@pytest.mark.parametrize("size", [5, 3000, 60000])
def test_padded_records(pki: PKI, way: str, queue: Any, padding: int, size: int) -> None:
    """They may be longer than the room that a write has for them."""
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    server.block_padding = padding
    up, down = queue(), queue()
    near, far = shaken(client, server, up, down)
    pairs.take_tickets(near)
    for _ in range(2):
        assert far.write(bytes(size)) == size
        assert len(drained(near)) == size


# -- while a callback runs, after the handshake ----------------------------------------------------


@pytest.fixture
def late(pki: PKI, way: str, queue: Any) -> tuple[Any, Any, list[Any]]:
    """A client, a server that has asked for its certificate, and what the server's verify_callback
    calls.
    """
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(stdlib.TLSVersion.TLSv1_3, client, server)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    client.post_handshake_auth = server.post_handshake_auth = True
    calls: list[Any] = []

    def verify(connection: Any, chain: Any) -> None:
        for call in calls:
            call()

    server.verify_callback = verify
    up, down = queue(), queue()
    near, far = shaken(client, server, up, down)
    pairs.take_tickets(near)
    far._sslobj.verify_client_post_handshake()
    far.write(b"who are you?")
    assert near.read(100) == b"who are you?"
    return near, far, calls


@pytest.mark.parametrize("size", [5, 100000])
def test_a_write_of_another_thread(late: Any, size: int) -> None:
    near, far, calls = late
    inside, nothing = threading.Event(), threading.Event()
    calls += [inside.set, lambda: nothing.wait(0.01)]
    near.write(b"question")
    reader = pairs.Background(lambda: far.read(100))
    assert inside.wait(10)
    sent = far.write(bytes(size))
    while sent < size:
        sent += far.write(bytes(size - sent))
    assert reader.result() == b"question"
    assert len(drained(near)) == size


def test_a_callback_that_reads_while_more_comes(late: Any) -> None:
    near, far, calls = late

    def read_too_early() -> None:
        near.write(b"later" * 1000)
        with pytest.raises(RuntimeError, match="cannot begin another read"):
            far.read(10)

    calls.append(read_too_early)
    near.write(b"sooner" * 1000)
    assert drained(far) == b"sooner" * 1000 + b"later" * 1000


# -- handshakes ------------------------------------------------------------------------------------


@pytest.fixture
def fresh(pki: PKI, version: Any, way: str, queue: Any) -> tuple[Any, Any, Any]:
    """The contexts of a client and of a server, and the kind of MemoryBIO."""
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    return client, server, queue


def joined(client: Any, server: Any, queue: Any) -> tuple[Any, Any]:
    """A client and a server before their handshake."""
    up, down = queue(), queue()
    near = client.wrap_bio(down, up, server_hostname="localhost")
    return near, server.wrap_bio(up, down, server_side=True)


def test_a_handshake_has_no_frame(fresh: Any, way: str) -> None:
    for end in joined(*fresh):
        kind = type(end.do_handshake).__name__
        assert kind == ("builtin_function_or_method" if way == "c" else "method")


def test_a_handshake_that_waits(fresh: Any) -> None:
    near, far = joined(*fresh)
    for end in (far, near, near):
        with pytest.raises(tlskit.SSLWantReadError) as caught:
            end.do_handshake()
        assert caught.value.args == (2, "The operation did not complete (read)")
        assert caught.value.library is None
    with pytest.raises(TypeError):
        near.do_handshake(1, 2)
    pairs.shake(near, far)
    assert near.do_handshake() is None
    assert near.version() == far.version()


def test_a_handshake_that_fails(fresh: Any, pki: PKI) -> None:
    _, server, queue = fresh
    stranger = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    near, far = joined(stranger, server, queue)
    with pytest.raises(tlskit.SSLCertVerificationError):
        pairs.shake(near, far)
    assert stranger.handshake_failures["certificate_verify_failed"] == 1
    with pytest.raises(tlskit.SSLError) as caught:
        far.do_handshake()
    assert caught.value.reason == "TLSV1_ALERT_UNKNOWN_CA"


def test_a_handshake_that_is_logged(fresh: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", "tlskit"):
        pairs.shake(*joined(*fresh))
    assert sum("complete" in line for line in caplog.messages) == 2


def test_a_handshake_that_is_concluded(fresh: Any) -> None:
    client, server, queue = fresh
    client.sessions.store = tlskit.MemoryStore()
    for reused in (False, True):
        near, far = joined(client, server, queue)
        pairs.shake(near, far)
        pairs.take_tickets(near)
        assert near.session_reused is reused
        assert bool(near.resumption) is reused


@pytest.mark.parametrize("error", [KeyError("mine"), KeyboardInterrupt()])
def test_a_handshake_whose_callback_raises(fresh: Any, error: BaseException) -> None:
    client, server, queue = fresh

    def refuse(*_: Any) -> None:
        raise error

    client.verify_callback = refuse
    near, far = joined(client, server, queue)
    with pytest.raises(type(error)) as caught:
        pairs.shake(near, far)
    assert caught.value is error


def test_a_handshake_with_callbacks(fresh: Any) -> None:
    client, server, queue = fresh
    names: list[Any] = []
    server.client_hello_callback = lambda end, hello: names.append(hello.server_name)
    server.sni_callback = lambda end, name, context: names.append(name)
    client.verify_callback = lambda end, chain: names.append(len(chain))
    near, far = joined(client, server, queue)
    pairs.shake(near, far)
    assert names[:2] == ["localhost"] * 2
    assert len(names) == 3


def test_a_handshake_after_the_end(fresh: Any) -> None:
    near, _ = joined(*fresh)
    near._sslobj.close()
    with pytest.raises(OSError, match=r"closed|descriptor"):
        near.do_handshake()


def test_a_handshake_that_the_transport_ends(pki: PKI, way: str, queue: Any) -> None:
    up, down = queue(), queue()
    near = pairs.client_context(pki).wrap_bio(down, up, server_hostname="localhost")
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    down.write_eof()
    for _ in range(2):
        with pytest.raises(tlskit.SSLEOFError):
            near.do_handshake()


# -- ends ------------------------------------------------------------------------------------------


def test_an_unwrap_has_no_frame(ends: Any, way: str) -> None:
    kind = type(ends[0].unwrap).__name__
    assert kind == ("builtin_function_or_method" if way == "c" else "method")


def test_an_unwrap_of_a_subclass(pki: PKI, way: str, queue: Any) -> None:
    class Own(tlskit.SSLObject):
        def unwrap(self) -> None:
            raise KeyError("own")

    context = pairs.client_context(pki)
    context.sslobject_class = Own
    with pytest.raises(KeyError, match="own"):
        context.wrap_bio(queue(), queue(), server_hostname="localhost").unwrap()


def test_an_unwrap_that_waits(ends: Any) -> None:
    first, second, up, down = ends
    for _ in range(2):
        with pytest.raises(tlskit.SSLWantReadError) as caught:
            first.unwrap()
        assert caught.value.args == (2, "The operation did not complete (read)")
        assert caught.value.library is None
    with pytest.raises(TypeError):
        first.unwrap(1, 2)
    assert up.pending > 0
    assert second.read(100) == b""
    assert second.read(100) == b""
    assert down.pending == 0
    assert second.unwrap() is None
    assert down.pending > 0
    assert first.unwrap() is None
    assert up.pending == down.pending == 0


def test_an_unwrap_of_both_at_once(ends: Any) -> None:
    first, second, _, _ = ends
    for end in (first, second):
        end.write(b"nobody's any more")
    with pytest.raises(tlskit.SSLWantReadError):
        first.unwrap()
    second.unwrap()
    first.unwrap()


def test_an_unwrap_before_the_handshake(fresh: Any) -> None:
    for end in joined(*fresh):
        with pytest.raises(tlskit.SSLError):
            end.unwrap()


def test_an_unwrap_after_the_end(ends: Any) -> None:
    first, second, up, _ = ends
    with pytest.raises(tlskit.SSLWantReadError):
        second.unwrap()
    first._sslobj.close()
    up.write_eof()
    with pytest.raises(OSError, match=r"closed|descriptor"):
        first.unwrap()


def test_an_unwrap_that_the_transport_ends(ends: Any) -> None:
    first, _, _, down = ends
    with pytest.raises(tlskit.SSLWantReadError):
        first.unwrap()
    down.write_eof()
    for _ in range(2):
        with pytest.raises(tlskit.SSLError) as caught:
            first.unwrap()
        assert not isinstance(caught.value, tlskit.SSLWantReadError)


def test_an_unwrap_of_a_forged_record(ends: Any) -> None:
    first, second, up, down = ends
    with pytest.raises(tlskit.SSLWantReadError):
        second.unwrap()
    first.write(b"bad")
    sealed = up.read()
    up.write(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    down.read()
    with pytest.raises(tlskit.SSLError) as caught:
        second.unwrap()
    assert caught.value.reason in (
        "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        "RECORD_LAYER_FAILURE",  # since OpenSSL 3.2
    )


def test_an_unwrap_leaves_what_follows(pki: PKI, version: Any, way: str) -> None:
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    up, down = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    near, far = shaken(client, server, up, down)
    pairs.take_tickets(near)
    with pytest.raises(tlskit.SSLWantReadError):
        near.unwrap()
    up.write(b"in plain")
    far.unwrap()
    assert up.read() == b"in plain"
    down.write(b"in plain, too")
    near.unwrap()
    for end in (near, far):
        with pytest.raises(tlskit.SSLZeroReturnError):
            end.read(100)
    assert down.read() == b"in plain, too"


@pytest.mark.parametrize("error", [KeyError("mine"), KeyboardInterrupt()])
def test_an_unwrap_whose_callback_raises(fresh: Any, error: BaseException) -> None:
    client, server, queue = fresh
    raised: list[Any] = []

    def refuse(*_: Any) -> None:
        if not raised:
            raised.append(error)
            raise error

    server.message_callback = lambda *_: None
    near, far = joined(client, server, queue)
    pairs.shake(near, far)
    pairs.take_tickets(near)
    server.message_callback = refuse
    with pytest.raises(type(error)) as caught:
        far.unwrap()
    assert caught.value is error
    with pytest.raises(tlskit.SSLWantReadError):
        far.unwrap()
    assert near.read(100) == b""
    near.unwrap()
    far.unwrap()


def test_an_unwrap_while_sessions_arrive(fresh: Any) -> None:
    client, server, queue = fresh
    arrived: list[Any] = []
    client.sessions.on_new = lambda connection, session: arrived.append(session)
    near, far = joined(client, server, queue)
    pairs.shake(near, far)
    with pytest.raises(tlskit.SSLWantReadError):
        far.unwrap()
    near.unwrap()
    far.unwrap()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # threads of other tests
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_unwraps(ends: Any) -> None:
    first, second, _, _ = ends
    child = os.fork()
    if not child:
        try:
            first.unwrap()
        except tlskit.SSLWantReadError:
            second.unwrap()
            first.unwrap()
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
