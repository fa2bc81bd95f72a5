"""MemoryBIO, and SSLObject between BIOs of three kinds: tlskit's, the stdlib's, and somebody's
own.
"""

from __future__ import annotations

import array
import contextlib
import ssl as stdlib
import threading
from collections.abc import Callable
from itertools import product
from types import ModuleType
from typing import Any

import pytest

import tlskit

from ..support import raw
from ..support.inside import queue_in_python
from ..support.names import alert_reason
from ..support.pairs import client_context, memory_pair, only, server_context, shake
from ..support.pki import PKI
from ..support.raw import Stage

TLS13 = stdlib.TLSVersion.TLSv1_3
EVERYTHING = bytes(range(256)) * 1000


@pytest.fixture
def stage(pki: PKI, version: stdlib.TLSVersion) -> Stage:
    return Stage(pki, version, ignores_eof=False)


@pytest.fixture(params=[tlskit, stdlib], ids=["tlskit", "ssl"])
def module(request: pytest.FixtureRequest) -> ModuleType:
    chosen: ModuleType = request.param
    return chosen


@pytest.fixture(params=[tlskit.MemoryBIO, stdlib.MemoryBIO, queue_in_python()])
def kind(request: pytest.FixtureRequest) -> Any:
    """Classes of byte queues; the last is what tlskit's is without C of CPython's own."""
    return request.param


# -- MemoryBIO -------------------------------------------------------------------------------------


def test_bytes_come_out_as_they_went_in(kind: Any) -> None:
    bio = kind()
    assert bio.read() == b""
    assert bio.write(b"foo") == 3
    assert bio.write(b"bar") == 3
    assert bio.pending == 6
    assert bio.read(2) == b"fo"
    assert bio.read(0) == b""
    assert bio.write(b"!") == 1
    assert bio.read(3) == b"oba"
    assert bio.pending == 2
    assert bio.read(-1) == b"r!"
    assert bio.pending == 0
    assert bio.read(5) == b""


def test_reads_at_most_what_there_is(kind: Any) -> None:
    bio = kind()
    bio.write(b"abc")
    assert bio.read(2**31 - 1) == b"abc"


def test_end(kind: Any) -> None:
    """`eof` is true when the end was marked and everything before it has been read."""
    bio = kind()
    assert bio.eof is False
    bio.write(b"last")
    bio.write_eof()
    assert bio.eof is False
    assert bio.read(2) == b"la"
    assert bio.eof is False
    assert bio.read() == b"st"
    assert bio.eof is True
    assert bio.read() == b""
    assert bio.eof is True


def test_nothing_is_written_after_the_end(kind: Any) -> None:
    bio = kind()
    bio.write_eof()
    bio.write_eof()
    assert bio.eof is True
    with pytest.raises(tlskit.SSLError, match=r"cannot write\(\) after write_eof\(\)"):
        bio.write(b"x")
    assert bio.pending == 0


def test_writes_any_buffer(kind: Any) -> None:
    bio = kind()
    for data in (
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"view")[1:],
        array.array("I", [1, 2]),
        b"",
        bytearray(),
    ):
        assert bio.write(data) == len(bytes(data))
        assert bio.read() == bytes(data)


@pytest.mark.parametrize("bad", ["text", None, True, 1, [1], (b"abc",), ()])
def test_writes_no_more_than_buffers(kind: Any, bad: Any) -> None:
    with pytest.raises(TypeError):
        kind().write(bad)


def test_writes_no_buffer_with_gaps(kind: Any) -> None:
    with pytest.raises(BufferError):
        kind().write(memoryview(b"abcdef")[::2])


@pytest.mark.parametrize("bad", ["1", 1.5, b"1"])
def test_size_is_a_number(kind: Any, bad: Any) -> None:
    with pytest.raises(TypeError):
        kind().read(bad)


def test_is_made_from_nothing(kind: Any) -> None:
    with pytest.raises(TypeError):
        kind(5)


def test_derived_classes_have_arguments_of_their_own() -> None:
    class Named(tlskit.MemoryBIO):
        def __init__(self, name: str, *, size: int) -> None:
            self.name = name, size

    bio = Named("one", size=2)
    bio.write(memoryview(b"abc"))
    assert bio.read() == b"abc"
    assert bio.name == ("one", 2)
    with pytest.raises(TypeError):
        tlskit.MemoryBIO(size=2)  # type: ignore[call-arg]
    assert repr(bio) == "<Named with 0 bytes>"
    bio.write_eof()
    assert repr(bio) == "<Named with 0 bytes, then the end>"
    for data in (b"x", bytearray(b"x")):
        with pytest.raises(tlskit.SSLError):
            bio.write(data)


@pytest.mark.parametrize("kind", [tlskit.MemoryBIO, queue_in_python()])
def test_sizes_beyond_all_bounds(kind: Any) -> None:
    bio = kind()
    bio.write(b"abc")
    assert bio.read(1 << 80) == b"abc"


@pytest.mark.parametrize("name", ["pending", "eof"])
def test_state_is_read_only(kind: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(kind(), name, 1)


def test_much(kind: Any) -> None:
    """In and out in pieces that do not fit each other."""
    bio, got, at = kind(), bytearray(), 0
    for step in range(1, 4000):
        at += bio.write(EVERYTHING[at : at + step % 613])
        got += bio.read(step % 607)
        assert bio.pending == at - len(got)
    got += bio.read()
    assert got == EVERYTHING[: len(got)]
    assert len(got) == at == len(EVERYTHING)


def test_written_in_one_thread_and_read_in_another(kind: Any) -> None:
    bio, got = kind(), bytearray()

    def write() -> None:
        for i in range(0, len(EVERYTHING), 100):
            bio.write(EVERYTHING[i : i + 100])
        bio.write_eof()

    writing = threading.Thread(target=write)
    writing.start()
    while not bio.eof:
        got += bio.read(777)
    writing.join()
    assert got == EVERYTHING


# -- SSLObject between any two of them -------------------------------------------------------------


class OwnBIO:
    """What somebody might write who has never heard of OpenSSL, with a bytearray."""

    def __init__(self) -> None:
        self.data, self.ended = bytearray(), False

    def read(self, size: int = -1) -> bytes:
        n = len(self.data) if size < 0 else size
        out = bytes(self.data[:n])
        del self.data[:n]
        return out

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def write_eof(self) -> None:
        self.ended = True

    @property
    def eof(self) -> bool:
        return self.ended and not self.data

    @property
    def pending(self) -> int:
        return len(self.data)


class SubclassedBIO(tlskit.MemoryBIO):
    """tlskit's own with something more, as a program may have it."""


KINDS: dict[str, Callable[[], Any]] = {
    "tlskit": tlskit.MemoryBIO,
    "ssl": stdlib.MemoryBIO,
    "own": OwnBIO,
    "subclass": SubclassedBIO,
}


@pytest.fixture(params=list(product(KINDS, repeat=2)), ids="-".join)
def bios(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """What comes in and what goes out, in every combination of kinds."""
    incoming, outgoing = request.param
    return KINDS[incoming](), KINDS[outgoing]()


class Ends:
    """A tlskit end between two BIOs, and a stdlib end that is fed by hand."""

    def __init__(
        self,
        stage: Stage,
        bios: tuple[Any, Any],
        *,
        server: bool = False,
        mine: Any = None,
        theirs: Any = None,
    ) -> None:
        self.incoming, self.outgoing = bios
        self.peer_in, self.peer_out = stdlib.MemoryBIO(), stdlib.MemoryBIO()
        mine = mine or (stage.server(tlskit) if server else stage.client(tlskit))
        theirs = theirs or (stage.client() if server else stage.server())
        names = [None, "localhost"] if server else ["localhost", None]
        self.end = mine.wrap_bio(
            self.incoming, self.outgoing, server_side=server, server_hostname=names[0]
        )
        self.peer = theirs.wrap_bio(
            self.peer_in, self.peer_out, server_side=not server, server_hostname=names[1]
        )

    def carry(self) -> None:
        """Bring to each what the other has sent."""
        self.peer_in.write(self.outgoing.read())
        if data := self.peer_out.read():
            self.incoming.write(data)

    def shake(self) -> None:
        for _ in range(6):
            for end in (self.end, self.peer):
                with contextlib.suppress(stdlib.SSLWantReadError):
                    end.do_handshake()
                self.carry()


@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_talk(stage: Stage, bios: Any, server: bool) -> None:
    ends = Ends(stage, bios, server=server)
    ends.shake()
    assert ends.end.version() == ends.peer.version() is not None
    assert ends.end.write(b"hello") == 5
    assert ends.outgoing.pending > 5
    ends.carry()
    assert ends.peer.read(100) == b"hello"
    ends.peer.write(b"and hello")
    ends.carry()
    assert ends.end.read(3) == b"and"
    assert ends.end.pending() == 6
    buffer = bytearray(20)
    assert ends.end.read(20, buffer) == 6
    assert bytes(buffer[:6]) == b" hello"
    with pytest.raises(tlskit.SSLWantReadError):
        ends.end.read(1)


def test_much_at_once(stage: Stage, bios: Any) -> None:
    """A write never wants to wait here; it comes back with all that it was given."""
    ends = Ends(stage, bios)
    ends.shake()
    assert ends.end.write(EVERYTHING) == len(EVERYTHING)
    ends.carry()
    got = bytearray()
    while len(got) < len(EVERYTHING):
        got += ends.peer.read(65536)
    assert got == EVERYTHING
    ends.peer.write(EVERYTHING)
    ends.carry()
    got.clear()
    while len(got) < len(EVERYTHING):
        got += ends.end.read(100000)
    assert got == EVERYTHING


def test_byte_by_byte(stage: Stage, bios: Any) -> None:
    """Input that trickles in costs patience and nothing else."""
    ends = Ends(stage, bios)
    ends.shake()
    ends.peer.write(b"slow")
    sealed = ends.peer_out.read()
    for i in range(len(sealed)):
        with pytest.raises(tlskit.SSLWantReadError):
            ends.end.read(100)
        ends.incoming.write(sealed[i : i + 1])
    assert ends.end.read(100) == b"slow"


@pytest.mark.parametrize("part", [1, 7, 16383])
def test_a_record_is_read_in_parts(pki: PKI, version: Any, part: int) -> None:
    """Nothing frees the buffer that holds the rest of it."""
    server = server_context(pki)
    only(version, server)
    near, far = memory_pair(client_context(pki), server)
    data = EVERYTHING[:16384]
    far.write(data)
    found = b""
    while len(found) < len(data):
        found += near.read(part if len(found) < 64 else len(data))
        with contextlib.suppress(tlskit.SSLWantReadError):
            near.read(0)
    assert found == data


def test_handshake_byte_by_byte(stage: Stage, bios: Any) -> None:
    ends = Ends(stage, bios)
    with pytest.raises(tlskit.SSLWantReadError):
        ends.end.do_handshake()
    ends.peer_in.write(ends.outgoing.read())
    with pytest.raises(stdlib.SSLWantReadError):
        ends.peer.do_handshake()
    flight = ends.peer_out.read()
    for i in range(len(flight) - 1):
        ends.incoming.write(flight[i : i + 1])
        with pytest.raises(tlskit.SSLWantReadError):
            ends.end.do_handshake()
    ends.incoming.write(flight[-1:])
    ends.shake()
    assert ends.end.version() is not None


def test_unwrap(stage: Stage, bios: Any) -> None:
    ends = Ends(stage, bios)
    ends.shake()
    with pytest.raises(tlskit.SSLWantReadError):
        ends.end.unwrap()
    assert ends.outgoing.pending > 0
    ends.carry()
    assert ends.peer.read(1) == b""
    ends.peer.unwrap()
    ends.carry()
    ends.end.unwrap()


def test_unwrap_after_the_peer(stage: Stage, bios: Any) -> None:
    ends = Ends(stage, bios)
    ends.shake()
    ends.peer.write(b"last")
    with pytest.raises(stdlib.SSLWantReadError):
        ends.peer.unwrap()
    ends.carry()
    assert ends.end.read(100) == b"last"
    assert ends.end.read(100) == b""
    ends.end.unwrap()
    ends.carry()
    ends.peer.unwrap()


def test_alert_leaves_a_failed_handshake(stage: Stage, bios: Any) -> None:
    """The peer learns why, whoever carries the bytes."""
    ends = Ends(stage, bios, theirs=stage.server(identity=stage.pki.stranger))
    with pytest.raises(tlskit.SSLWantReadError):
        ends.end.do_handshake()
    ends.carry()
    with pytest.raises(stdlib.SSLWantReadError):
        ends.peer.do_handshake()
    ends.carry()
    with pytest.raises(tlskit.SSLCertVerificationError):
        ends.end.do_handshake()
    assert ends.outgoing.pending > 0
    ends.carry()
    with pytest.raises(stdlib.SSLError) as told:
        ends.peer.do_handshake()
    assert told.value.reason == "TLSV1_ALERT_UNKNOWN_CA"


def test_alert_leaves_a_failed_read(stage: Stage, bios: Any) -> None:
    ends = Ends(stage, bios)
    ends.shake()
    ends.peer.write(b"x")
    ends.incoming.write(raw.flipped(ends.peer_out.read()))
    with pytest.raises(
        tlskit.SSLError, match=r"DECRYPTION_FAILED_OR_BAD_RECORD_MAC|RECORD_LAYER_FAILURE"
    ):
        ends.end.read(1)
    ends.carry()
    with pytest.raises(stdlib.SSLError) as told:
        ends.peer.read(1)
    assert told.value.reason == alert_reason("BAD_RECORD_MAC")


@pytest.mark.parametrize(
    "kept", [0, 3, 12, -1], ids=["nothing", "header", "body", "all but a byte"]
)
def test_truncated_input(stage: Stage, bios: Any, kept: int) -> None:
    """What is whole comes first; a record that the end cut off is an error, also for whoever asks
    again.
    """
    ends = Ends(stage, bios)
    ends.shake()
    ends.peer.write(b"whole")
    whole = ends.peer_out.read()
    ends.peer.write(b"truncated")
    ends.incoming.write(whole + ends.peer_out.read()[:kept])
    ends.incoming.write_eof()
    assert ends.end.read(100) == b"whole"
    for _ in range(2):
        with pytest.raises(tlskit.SSLEOFError):
            ends.end.read(100)


def test_end_without_close_notify_before_anything_else(stage: Stage, bios: Any) -> None:
    ends = Ends(stage, bios)
    ends.incoming.write_eof()
    with pytest.raises(tlskit.SSLEOFError):
        ends.end.do_handshake()


def test_end_that_comes_later(stage: Stage, bios: Any) -> None:
    ends = Ends(stage, bios)
    ends.shake()
    with pytest.raises(tlskit.SSLWantReadError):
        ends.end.read(1)
    ends.incoming.write_eof()
    with pytest.raises(tlskit.SSLEOFError):
        ends.end.read(1)


def test_close_notify_and_the_end(stage: Stage, bios: Any) -> None:
    ends = Ends(stage, bios)
    ends.shake()
    with pytest.raises(stdlib.SSLWantReadError):
        ends.peer.unwrap()
    ends.carry()
    ends.incoming.write_eof()
    for _ in range(3):
        assert ends.end.read(1) == b""


# -- what SSLObject says to the same calls as the stdlib's -----------------------------------------


@pytest.fixture
def objects(stage: Stage, module: ModuleType) -> tuple[Any, Any]:
    """A client and a server of the same module that share two MemoryBIOs, after the handshake."""
    there, back = module.MemoryBIO(), module.MemoryBIO()
    server = stage.server(module)
    server.num_tickets = 0
    near = stage.client(module).wrap_bio(there, back, server_hostname="localhost")
    far = server.wrap_bio(back, there, server_side=True)
    shake(near, far)
    return near, far


def test_reads_of_nothing(objects: Any) -> None:
    near, far = objects
    far.write(b"x")
    assert near.read(0) == b""
    assert near.read(1, bytearray()) == 0
    with pytest.raises(ValueError, match="negative"):
        near.read(-1)
    assert near.read() == b"x"


def test_writes_of_nothing(objects: Any) -> None:
    near, far = objects
    assert near.write(b"") == 0
    near.write(b"y")
    assert far.read() == b"y"


def test_wrong_types(objects: Any) -> None:
    near, _ = objects
    with pytest.raises(TypeError):
        near.write("text")
    with pytest.raises(TypeError):
        near.read("1")
    with pytest.raises(TypeError):
        near.read(5, b"read only")


def test_read_before_the_handshake_makes_it(stage: Stage, module: ModuleType) -> None:
    outgoing = module.MemoryBIO()
    end = stage.client(module).wrap_bio(module.MemoryBIO(), outgoing, server_hostname="localhost")
    assert outgoing.pending == 0
    with pytest.raises(tlskit.SSLWantReadError):
        end.read(1)
    assert outgoing.pending > 0
    with pytest.raises(tlskit.SSLWantReadError):
        end.write(b"x")


def test_unwrap_before_the_handshake(stage: Stage, module: ModuleType) -> None:
    end = stage.client(module).wrap_bio(
        module.MemoryBIO(), module.MemoryBIO(), server_hostname="localhost"
    )
    with pytest.raises(tlskit.SSLError):
        end.unwrap()


def test_write_after_unwrap(objects: Any) -> None:
    near, _ = objects
    with pytest.raises(tlskit.SSLWantReadError):
        near.unwrap()
    with pytest.raises(tlskit.SSLError, match="PROTOCOL_IS_SHUTDOWN"):
        near.write(b"x")


def test_pending(objects: Any) -> None:
    near, far = objects
    assert near.pending() == 0
    far.write(b"0123456789")
    assert near.read(4) == b"0123"
    assert near.pending() == 6


@pytest.mark.parametrize("bad", [None, 5, "text", b"bytes", object()])
def test_what_is_no_bio(stage: Stage, module: ModuleType, bad: Any) -> None:
    for arguments in ((bad, module.MemoryBIO()), (module.MemoryBIO(), bad)):
        with pytest.raises(TypeError):
            stage.client(module).wrap_bio(*arguments, server_hostname="localhost")


def test_bio_that_fails(stage: Stage) -> None:
    """An exception of somebody's own BIO comes out as it is."""

    class Full(OwnBIO):
        def write(self, data: bytes) -> int:
            raise RuntimeError("no room left")

    class Broken(OwnBIO):
        def read(self, size: int = -1) -> bytes:
            raise RuntimeError("cannot be read")

    for incoming, outgoing in ((OwnBIO(), Full()), (Broken(), OwnBIO())):
        end = stage.client(tlskit).wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(RuntimeError):
            end.do_handshake()


def test_bios_outlive_their_connection(stage: Stage) -> None:
    """And the other way about: each holds what it needs."""
    there, back = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = stage.client(tlskit).wrap_bio(there, back, server_hostname="localhost")
    far = stage.server(tlskit).wrap_bio(back, there, server_side=True)
    shake(near, far)
    near.write(b"last words")
    del near, there
    assert far.read(100) == b"last words"
    kept = back
    del far, back
    assert kept.pending == 0
