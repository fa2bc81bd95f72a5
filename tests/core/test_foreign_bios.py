"""`wrap_bio` between objects of somebody else: what `pending` means there, what happens when they
refuse, and what is no BIO.
"""

from __future__ import annotations

import contextlib
import ssl as stdlib
from typing import Any

import pytest

import tlskit

from ..support.pairs import client_context, server_context, shake
from .test_memory import EVERYTHING, OwnBIO


class Source:
    """The least that can be read from."""

    def __init__(self) -> None:
        self.data, self.eof = bytearray(), False

    def read(self, size: int) -> bytes:
        out = bytes(self.data[:size])
        del self.data[:size]
        return out


class Sink:
    """The least that can be written to. `room` is how much it takes at a time, None for all;
    `error` is raised instead.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.room: int | None = None
        self.error: Exception | None = None

    def write(self, data: bytes) -> int | None:
        if self.error is not None:
            raise self.error
        taken = data[: self.room]
        self.data += taken
        return None if self.room is None else len(taken)


class Ends:
    """A client of tlskit's over a Source and a Sink, or over other BIOs, and a server of the
    stdlib's.
    """

    def __init__(self, contexts: Any, incoming: Any = None, outgoing: Any = None) -> None:
        self.incoming, self.outgoing = incoming or Source(), outgoing or Sink()
        self.far_in, self.far_out = stdlib.MemoryBIO(), stdlib.MemoryBIO()
        self.near = contexts[0].wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.far = contexts[1].wrap_bio(self.far_in, self.far_out, server_side=True)

    def carry(self) -> None:
        data = getattr(self.outgoing, "data", None)
        if data is None:
            self.far_in.write(self.outgoing.read())
        else:
            self.far_in.write(bytes(data))
            data.clear()
        if isinstance(self.incoming, Source):
            self.incoming.data += self.far_out.read()
        else:
            self.incoming.write(self.far_out.read())

    def shake(self) -> Ends:
        for _ in range(4):
            for end in (self.near, self.far):
                with contextlib.suppress(stdlib.SSLWantReadError):
                    end.do_handshake()
                self.carry()
        with contextlib.suppress(stdlib.SSLWantReadError):
            self.near.read(1)  # the tickets
        assert self.near.version()
        return self


@pytest.fixture
def pair(pki: Any, version: Any) -> Any:
    client, server = client_context(pki), server_context(pki, module=stdlib)
    client.minimum_version = client.maximum_version = version
    return client, server


# -- pending ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 5, 7, 100, 16384, 65536])
@pytest.mark.parametrize("kind", ["ssl", "own"])
def test_whoever_asks_pending_reads_all(pair: Any, kind: str, size: int) -> None:
    """uvloop's loop: read for as long as something is pending here or there, and then wait for the
    network.
    """
    ends = Ends(
        pair, *((stdlib.MemoryBIO(), stdlib.MemoryBIO()) if kind == "ssl" else (OwnBIO(), OwnBIO()))
    ).shake()
    sent = EVERYTHING[: 3000 if size < 100 else None]
    for at in range(0, len(sent), 700):
        ends.far.write(sent[at : at + 700])
    ends.carry()
    got = bytearray()
    while ends.incoming.pending or ends.near.pending():
        got += ends.near.read(size)
    assert got == sent


def test_what_has_not_been_read_is_pending(pair: Any) -> None:
    """Record by record: no further than the read needs it."""
    ends = Ends(pair, OwnBIO(), OwnBIO()).shake()
    for word in (b"one", b"two", b"three"):
        ends.far.write(word)
    ends.carry()
    whole = ends.incoming.pending
    assert ends.near.read(2) == b"on"
    assert 0 < ends.incoming.pending < whole
    assert ends.near.pending() == 1
    left = ends.incoming.pending
    assert ends.near.read(1) == b"e"
    assert ends.incoming.pending == left
    assert ends.near.read(4) == b"two"
    assert 0 < ends.incoming.pending < left
    assert ends.near.read(1) == b"t"
    assert ends.incoming.pending == 0
    assert ends.near.pending() == 4
    with pytest.raises(ValueError, match="negative"):
        ends.near.read(-1)
    assert ends.near.read(0) == b""
    assert ends.near.pending() == 4


def test_an_empty_buffer_is_not_the_end(pair: Any) -> None:
    ends = Ends(pair).shake()
    ends.far.write(b"not yet")
    ends.carry()
    assert ends.near.read(8, bytearray()) == ends.near.read(0, bytearray()) == 0
    with pytest.raises(TypeError):
        ends.near.read(8, b"read-only")
    assert ends.near.read(8) == b"not yet"


def test_the_handshake_takes_no_more_than_it_needs(pair: Any) -> None:
    """What the server sends behind its last message stays for the read."""
    ends = Ends(pair, OwnBIO(), OwnBIO())
    done = False
    while not done:
        with contextlib.suppress(stdlib.SSLWantReadError):
            ends.near.do_handshake()
        ends.far_in.write(ends.outgoing.read())
        with contextlib.suppress(stdlib.SSLWantReadError):
            ends.far.do_handshake()
            ends.far.write(b"early")
            done = True
        ends.incoming.write(ends.far_out.read())
    ends.near.do_handshake()
    assert ends.incoming.pending > 0
    assert ends.near.read(100) == b"early"


def test_byte_by_byte(pair: Any) -> None:
    ends = Ends(pair).shake()
    ends.far.write(b"slow")
    ends.far.write(b"ly")
    sealed = ends.far_out.read()
    got = bytearray()
    for i in range(len(sealed)):
        ends.incoming.data += sealed[i : i + 1]
        with contextlib.suppress(tlskit.SSLWantReadError):
            got += ends.near.read(100)
    assert got == b"slowly"


# -- objects that do not do what they are told -----------------------------------------------------


@pytest.mark.parametrize("size", [1, 100, 65536])
@pytest.mark.parametrize("piece", [1, 21, 1000, 40000, 200000])
def test_records_in_pieces_and_reads_of_any_size(pair: Any, piece: int, size: int) -> None:
    """Between the stdlib's MemoryBIOs. Whatever one read leaves, the next reads find, in order."""
    ends = Ends(pair, stdlib.MemoryBIO(), stdlib.MemoryBIO()).shake()
    sent = bytes(range(251)) * (2 if min(piece, size) == 1 else 400)
    ends.far.write(sent)
    wire, got = ends.far_out.read(), bytearray()
    for at in range(0, len(wire), piece):
        ends.incoming.write(wire[at : at + piece])
        with contextlib.suppress(stdlib.SSLWantReadError):
            while True:
                got += ends.near.read(size)
    assert got == sent
    assert not ends.near.pending()


def test_a_damaged_record_behind_a_good_one(pair: Any) -> None:
    """The bytes of the good one come first, then the error, and then the same error again."""
    ends = Ends(pair, stdlib.MemoryBIO(), stdlib.MemoryBIO()).shake()
    ends.far.write(b"good")
    ends.far.write(b"bad")
    wire = bytearray(ends.far_out.read())
    wire[-1] ^= 1
    ends.incoming.write(wire)
    assert ends.near.read(4) == b"good"
    for _ in range(2):
        with pytest.raises(stdlib.SSLError) as caught:
            ends.near.read(4)
        assert not isinstance(caught.value, stdlib.SSLWantReadError)


@pytest.mark.parametrize("room", [1, 7, 1000])
def test_writes_that_are_short(pair: Any, room: int) -> None:
    """The rest follows at once."""
    ends = Ends(pair)
    ends.outgoing.room = room
    ends.shake()
    assert ends.near.write(EVERYTHING[:5000]) == 5000
    ends.carry()
    assert ends.far.read(5000) == EVERYTHING[:5000]


def test_a_sink_that_is_full(pair: Any) -> None:
    """What it does not take is kept: nothing is lost, nothing goes twice, and nothing piles up."""
    ends = Ends(pair).shake()
    ends.outgoing.room = 0
    assert ends.near.write(b"one") == 3
    for _ in range(3):
        with pytest.raises(tlskit.SSLWantWriteError, match="is full"):
            ends.near.write(b"two")
    ends.outgoing.room = 2
    assert ends.near.write(b"two") == 3
    ends.carry()
    assert ends.far.read(100) == b"one"
    assert ends.far.read(100) == b"two"
    with pytest.raises(stdlib.SSLWantReadError):
        ends.far.read(100)


def test_a_sink_that_raises(pair: Any) -> None:
    """A read that has read says so; the next operation tells, before it does anything."""
    ends = Ends(pair).shake()
    ends.outgoing.error = KeyError("full")
    assert ends.near.write(b"one") == 3
    ends.far.write(b"hello")
    ends.carry()
    for operation in (lambda: ends.near.read(10), lambda: ends.near.write(b"x"), ends.near.unwrap):
        with pytest.raises(KeyError, match="full"):
            operation()
    ends.outgoing.error = None
    assert ends.near.read(10) == b"hello"
    ends.carry()
    assert ends.far.read(100) == b"one"
    with pytest.raises(stdlib.SSLWantReadError):
        ends.far.read(100)


def test_a_sink_that_raises_in_the_handshake(pair: Any) -> None:
    ends = Ends(pair)
    ends.outgoing.error = KeyError("full")
    for _ in range(2):
        with pytest.raises(KeyError):
            ends.near.do_handshake()
    ends.outgoing.error = None
    ends.shake()


def test_an_alert_that_could_not_leave(pki: Any) -> None:
    """The object's exception comes with the failure that it happened in."""
    ends = Ends((client_context(pki), server_context(pki, identity=pki.stranger, module=stdlib)))
    with pytest.raises(tlskit.SSLWantReadError):
        ends.near.do_handshake()
    ends.carry()
    with pytest.raises(stdlib.SSLWantReadError):
        ends.far.do_handshake()
    ends.carry()
    ends.outgoing.error = KeyError("full")
    with pytest.raises(KeyError) as told:
        ends.near.do_handshake()
    assert isinstance(told.value.__context__, tlskit.SSLCertVerificationError)
    ends.outgoing.error = None
    with pytest.raises(tlskit.SSLError):
        ends.near.do_handshake()
    ends.carry()
    with pytest.raises(stdlib.SSLError, match="UNKNOWN_CA"):
        ends.far.do_handshake()


def test_a_source_that_raises(pair: Any) -> None:
    ends = Ends(pair).shake()
    ends.far.write(b"hello")
    ends.carry()
    read = ends.incoming.read
    ends.incoming.read = None  # a method that went away
    with pytest.raises(TypeError):
        ends.near.read(10)
    ends.incoming.read = read
    assert ends.near.read(10) == b"hello"


@pytest.mark.parametrize(("answer", "error"), [
    (lambda size: None, TypeError), (lambda size: "text", TypeError), (lambda size: 5, TypeError),
    (lambda size: bytes(size + 1), ValueError),
])  # fmt: skip
def test_answers_that_are_none(pair: Any, answer: Any, error: type[Exception]) -> None:
    ends = Ends(pair)
    ends.incoming.read = answer
    with pytest.raises(error, match="incoming BIO"):
        ends.near.do_handshake()


@pytest.mark.parametrize("answer", [-1, 10**9, "5", 1.5])
def test_counts_that_are_none(pair: Any, answer: Any) -> None:
    ends = Ends(pair)
    ends.outgoing.write = lambda data: answer
    with pytest.raises(ValueError, match="outgoing BIO"):
        ends.near.do_handshake()


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_kinds_of_bytes(pair: Any, kind: Any) -> None:
    ends = Ends(pair)
    read = ends.incoming.read
    ends.incoming.read = lambda size: kind(read(size))
    ends.shake()


# -- partial shapes --------------------------------------------------------------------------------


class NoEnd:
    def read(self, size: int = -1) -> bytes:
        return b""


class EndIsAMethod(NoEnd):
    def eof(self) -> bool:
        return False


@pytest.mark.parametrize(
    "incoming",
    [NoEnd(), EndIsAMethod(), Sink(), None, b"bytes"],
    ids=lambda bio: type(bio).__name__,
)
def test_incoming_of_another_shape(pair: Any, incoming: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"incoming must be a MemoryBIO, or .* got {type(incoming).__name__}"
    ):
        pair[0].wrap_bio(incoming, Sink(), server_hostname="localhost")


@pytest.mark.parametrize("outgoing", [Source(), None, b"bytes"], ids=lambda bio: type(bio).__name__)
def test_outgoing_of_another_shape(pair: Any, outgoing: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"outgoing must be a MemoryBIO, or .* got {type(outgoing).__name__}"
    ):
        pair[0].wrap_bio(Source(), outgoing, server_hostname="localhost")


@pytest.mark.parametrize("foreign", [0, 1], ids=["incoming", "outgoing"])
def test_one_of_ours_and_one_that_is_not(pair: Any, foreign: int) -> None:
    """The one of ours is used as it is."""
    bios: list[Any] = [tlskit.MemoryBIO(), tlskit.MemoryBIO()]
    bios[foreign] = stdlib.MemoryBIO()
    client, _ = pair
    near = client.wrap_bio(*bios, server_hostname="localhost")
    far_in, far_out = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    far = pair[1].wrap_bio(far_in, far_out, server_side=True)
    for _ in range(4):
        for end in (near, far):
            with contextlib.suppress(stdlib.SSLWantReadError):
                end.do_handshake()
            far_in.write(bios[1].read())
            bios[0].write(far_out.read())
    far.write(b"hello")
    bios[0].write(far_out.read())
    assert near.read(10) == b"hello"


def test_post_handshake_request_leaves(pki: Any) -> None:
    """And so does the answer, in the middle of a read."""
    client, server = client_context(pki), server_context(pki)
    client.post_handshake_auth = server.post_handshake_auth = True
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    there, back = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    near = client.wrap_bio(there, back, server_hostname="localhost")
    far = server.wrap_bio(back, there, server_side=True)
    shake(near, far)
    with contextlib.suppress(stdlib.SSLWantReadError):
        near.read(1)
    assert far.getpeercert() is None
    far.verify_client_post_handshake()
    far.write(b"x")
    assert near.read(1) == b"x"
    with pytest.raises(stdlib.SSLWantReadError):
        far.read(1)
    assert far.getpeercert()
