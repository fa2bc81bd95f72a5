"""BIOs that are not tlskit's: what lies in them tells the truth about what has been read, as event
loops expect.
"""

from __future__ import annotations

import contextlib
import ssl as stdlib
import threading
from typing import Any

import pytest

import tlskit

from ..support.pairs import take_tickets

Contexts = tuple[Any, Any]


class Plain:
    """The least that `wrap_bio` asks for."""

    def __init__(self) -> None:
        self._data, self._ended = bytearray(), False

    def read(self, size: int = -1, /) -> bytes:
        size = len(self._data) if size < 0 else size
        data = bytes(self._data[:size])
        del self._data[:size]
        return data

    def write(self, data: bytes, /) -> int:
        if self._ended:
            raise stdlib.SSLError("cannot write() after write_eof()")
        self._data += data
        return len(data)

    def write_eof(self) -> None:
        self._ended = True

    @property
    def eof(self) -> bool:
        return self._ended and not self._data


class Counting(Plain):
    @property
    def pending(self) -> int:
        return len(self._data)


def left(bio: Any) -> int:
    return len(bio._data) if isinstance(bio, Plain) else bio.pending


@pytest.fixture(params=[stdlib.MemoryBIO, Counting, Plain], ids=["stdlib", "counting", "plain"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


class Pair:
    """A server between foreign BIOs, which is what is tested, and its client."""

    def __init__(self, contexts: Contexts, kind: Any) -> None:
        client, server = contexts
        self.incoming, self.outgoing = kind(), kind()
        self._to_client, self._from_client = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        self.far = client.wrap_bio(self._to_client, self._from_client, server_hostname="localhost")
        self.near = server.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def carry(self) -> None:
        self.incoming.write(self._from_client.read())
        self._to_client.write(self.outgoing.read())

    def shake(self) -> None:
        done = [False, False]
        for _ in range(6):
            for place, end in enumerate((self.far, self.near)):
                if not done[place]:
                    with contextlib.suppress(tlskit.SSLWantReadError):
                        end.do_handshake()
                        done[place] = True
            self.carry()
        assert done == [True, True]
        take_tickets(self.far)
        assert left(self.incoming) == 0

    def records(self, *texts: bytes) -> list[bytes]:
        """What the client sends, a record for each text."""
        made = []
        for text in texts:
            self.far.write(text)
            made.append(self._from_client.read())
        return made

    def close_notify(self) -> bytes:
        with pytest.raises(tlskit.SSLWantReadError):
            self.far.unwrap()
        return self._from_client.read()


@pytest.fixture
def pair(contexts: Contexts, kind: Any) -> Pair:
    made = Pair(contexts, kind)
    made.shake()
    return made


def test_the_first_request_behind_a_handshake_is_pending(contexts: Contexts, kind: Any) -> None:
    """In its place, or in the connection where that takes all there is."""
    pair = Pair(contexts, kind)
    for _ in range(6):
        for end in (pair.far, pair.near):
            with contextlib.suppress(tlskit.SSLWantReadError):
                end.do_handshake()
        if pair.far.version():
            break
        pair.carry()
    finished = (
        pair._from_client.read()
    )  # TLS 1.3: the client is done first, and may send in the same breath
    request = b"".join(pair.records(b"early", b"later"))
    pair.incoming.write(finished + request)
    pair.near.do_handshake()
    if kind is stdlib.MemoryBIO:
        assert left(pair.incoming) == 0 < pair.near.pending()
    else:
        assert left(pair.incoming) == len(request)
    assert pair.near.read(5) == b"early"
    assert left(pair.incoming) + pair.near.pending() > 0
    assert pair.near.read(5) == b"later"
    assert left(pair.incoming) + pair.near.pending() == 0


@pytest.mark.parametrize("way", ["data", "alert"])
def test_a_failure_behind_data_shows_that_there_is_more(pair: Pair, way: str) -> None:
    (record,) = pair.records(b"last")
    (spoilt,) = pair.records(b"spoilt" if way == "data" else b"")
    spoilt = spoilt[:-1] + bytes([spoilt[-1] ^ 1]) if spoilt else b"\x15\x03\x03\x00\x02\x02\x14"
    pair.incoming.write(record + spoilt)
    assert pair.near.read(65536) == b"last"
    assert left(pair.incoming) + pair.near.pending() > 0
    for _ in range(2):
        with pytest.raises(tlskit.SSLError) as caught:
            pair.near.read(65536)
        assert not isinstance(caught.value, tlskit.SSLWantReadError)


def test_threads_that_read_what_one_feeds(contexts: Contexts) -> None:
    """Each byte comes to one of them, once, and each record whole."""
    pair = Pair(contexts, stdlib.MemoryBIO)
    pair.shake()
    records = pair.records(*[number.to_bytes(4, "big") for number in range(3000)])
    got: list[bytes] = []
    done = threading.Event()

    def read() -> None:
        while True:
            ended = done.is_set()
            try:
                got.append(pair.near.read(65536))
            except tlskit.SSLWantReadError:
                if ended and not left(pair.incoming):
                    return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for record in records:
        pair.incoming.write(record)
    done.set()
    for reader in readers:
        reader.join()
    numbers = sorted(
        int.from_bytes(piece[at : at + 4], "big") for piece in got for at in range(0, len(piece), 4)
    )
    assert numbers == list(range(3000))


def test_threads_that_write_at_once(contexts: Contexts) -> None:
    """What goes out is in the order in which it was encrypted."""
    pair = Pair(contexts, stdlib.MemoryBIO)
    pair.shake()

    def write(letter: bytes) -> None:
        for _ in range(500):
            pair.near.write(letter * 100)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    pair.carry()
    got = bytearray()
    with contextlib.suppress(tlskit.SSLWantReadError):
        while True:
            got += pair.far.read(65536)
    assert sorted(got) == sorted(b"abc" * 50000)
    assert all(len(set(got[at : at + 100])) == 1 for at in range(0, len(got), 100))


@pytest.mark.parametrize("room", [1, 4, 5, 6, 100, 65536])
def test_what_has_not_been_read_is_still_there(pair: Pair, room: int) -> None:
    records = pair.records(*[b"12345"] * 7)
    pair.incoming.write(b"".join(records))
    got = b""
    while left(pair.incoming) or pair.near.pending():
        got += (piece := pair.near.read(room))
        assert len(piece) <= room
        assert (
            len(got) + 5 * (left(pair.incoming) // len(records[0])) + pair.near.pending() <= 35 + 5
        )
    assert got == b"12345" * 7
    with pytest.raises(tlskit.SSLWantReadError):
        pair.near.read(room)


@pytest.mark.parametrize("buffered", [False, True], ids=["read", "into"])
def test_a_close_notify_behind_data_shows_that_there_is_more(pair: Pair, buffered: bool) -> None:
    """An event loop reads while there is something `pending`: no end of the peer's may hide in what
    it has read.
    """
    for text in (b"one", b"two", b"three"):
        pair.incoming.write(pair.records(text)[0])
    pair.incoming.write(pair.close_notify())
    got = b""
    for _ in range(10):
        assert left(pair.incoming) or pair.near.pending()
        buffer = bytearray(65536)
        piece = (
            bytes(buffer[: pair.near.read(65536, buffer)]) if buffered else pair.near.read(65536)
        )
        if not piece:
            break
        got += piece
    else:
        pytest.fail("the end has not come")
    assert got == b"onetwothree"


def test_what_comes_behind_the_end_is_left_there(pair: Pair) -> None:
    (record,) = pair.records(b"last")
    pair.incoming.write(record + pair.close_notify() + b"250 go on in the clear")
    assert pair.near.read(65536) == b"last"
    assert pair.near.read(65536) == b""
    assert pair.near.read(65536) == b""
    pair.near.unwrap()
    assert pair.incoming.read() == b"250 go on in the clear"


def test_unwrap_takes_no_more_than_the_close_notify(pair: Pair) -> None:
    with pytest.raises(tlskit.SSLWantReadError):
        pair.near.unwrap()
    pair.incoming.write(pair.close_notify() + b"\x17\x03\x03 and so on")
    pair.near.unwrap()
    assert pair.incoming.read() == b"\x17\x03\x03 and so on"


@pytest.mark.parametrize("size", [1, 4, 5, 6, 21])
def test_records_that_come_in_pieces(pair: Pair, size: int) -> None:
    """What is not yet a whole record is taken, as OpenSSL takes it, and asked for no more."""
    flight = b"".join(pair.records(b"in", b"many", b"pieces"))
    got = b""
    for start in range(0, len(flight), size):
        pair.incoming.write(flight[start : start + size])
        with contextlib.suppress(tlskit.SSLWantReadError):
            while True:
                got += pair.near.read(65536)
        assert left(pair.incoming) == 0
    assert got == b"inmanypieces"


@pytest.mark.parametrize("room", [1000, 20000, 100_000, 300_000])
def test_bulk(pair: Pair, room: int) -> None:
    sent = bytes(range(256)) * 1024
    pair.far.write(sent)
    pair.carry()
    got = bytearray()
    with contextlib.suppress(tlskit.SSLWantReadError):
        while True:
            got += pair.near.read(room)
    assert got == sent
    assert left(pair.incoming) == 0


def test_an_end_inside_a_record(pair: Pair) -> None:
    pair.incoming.write(b"".join(pair.records(b"whole", b"cut"))[:-1])
    pair.incoming.write_eof()
    assert pair.near.read(100) == b"whole"
    for _ in range(2):
        with pytest.raises(tlskit.SSLEOFError):
            pair.near.read(100)


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 5, b"\xff" * 100, b"\x17\x03\x03\xff\xff\x00"]
)
def test_what_is_not_a_record_is_refused_at_once(pair: Pair, garbage: bytes) -> None:
    pair.incoming.write(garbage)
    with pytest.raises(tlskit.SSLError) as caught:
        pair.near.read(100)
    assert not isinstance(caught.value, tlskit.SSLWantReadError | tlskit.SSLEOFError)
    assert left(pair.outgoing) > 0  # the alert
