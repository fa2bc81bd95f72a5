"""Protocols with a buffer of their own, in C and in Python: what they are given, and when they are
asked."""

from __future__ import annotations

import array
import asyncio
import mmap
from collections.abc import Callable
from typing import Any

import pytest

from ...support.pki import PKI
from ...support.system import run_selecting
from ..conftest import Runner
from ..helpers import Accepted, Recorder, served
from .test_reading import Contexts, Setting, turns
from .test_traffic import SIZES

pytestmark = pytest.mark.usefixtures("way")


class Buffered(asyncio.BufferedProtocol):
    """Keeps what comes. `room` makes the buffer, and `then` is called after each delivery."""

    def __init__(
        self,
        room: Callable[[], Any] = lambda: bytearray(65536),
        then: Callable[[Buffered], Any] = lambda _: None,
    ) -> None:
        self.room, self.then = room, then
        self.data = bytearray()
        self.asked = self.told = 0
        self.transport: Any = None
        self.lost: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._came = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> Any:
        assert sizehint == -1
        self.asked += 1
        self.buffer = self.room()
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        assert nbytes > 0
        self.told += 1
        with memoryview(self.buffer) as words, words.cast("B") as view, view[:nbytes] as part:
            self.data += part
        self._came.set()
        self.then(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.set_result(exc)
        self._came.set()

    async def take(self, size: int) -> bytes:
        while len(self.data) < size:
            assert not self.lost.done()
            self._came.clear()
            await self._came.wait()
        taken = bytes(self.data)
        self.data.clear()
        return taken


class EchoBack(Buffered):
    """Sends back what comes, as a view of the buffer."""

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(memoryview(self.buffer).cast("B")[:nbytes])


ROOMS: dict[str, Callable[[], Any]] = {
    "small": lambda: bytearray(100),
    "record": lambda: memoryview(bytearray(16384)),
    "large": lambda: bytearray(262144),
    "words": lambda: array.array("I", bytes(65536)),
    "map": lambda: mmap.mmap(-1, 65536),
}


@pytest.mark.parametrize("room", list(ROOMS))
def test_messages_of_all_sizes(run: Runner, contexts: Contexts, room: str) -> None:
    async def main() -> None:
        accepted = Accepted(lambda: EchoBack(ROOMS[room]))
        server, transport, protocol = await served(
            accepted, contexts, lambda: Buffered(ROOMS[room])
        )
        for number, size in enumerate(SIZES[:25]):
            message = bytes([number]) * size
            transport.write(bytearray(message) if number % 2 else memoryview(message))
            assert await protocol.take(size) == message
        transport.close()
        await protocol.lost
        server.close()

    run(main())


def test_one_delivery_is_one_question(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts, factory=Buffered) as s:
            for _ in range(5):
                await s.peer.write(b"message")
                await s.protocol.take(7)
            await turns()
            assert s.protocol.told == 5
            assert s.protocol.asked <= 6  # one event may have brought the tickets alone

    run(main())


@pytest.mark.parametrize("how", ["pause", "switch", "close", "abort"])
def test_nothing_comes_after_a_pause_or_an_end(
    run: Runner, pki: PKI, contexts: Contexts, how: str
) -> None:
    """The buffer is too small for the message, so that the protocol would be asked again."""

    async def main() -> None:
        second = Recorder()
        actions: dict[str, Callable[[Buffered], Any]] = {
            "pause": lambda p: p.transport.pause_reading(),
            "switch": lambda p: p.transport.set_protocol(second),
            "close": lambda p: p.transport.close(),
            "abort": lambda p: p.transport.abort(),
        }
        async with Setting(
            pki, contexts, factory=lambda: Buffered(lambda: bytearray(10), actions[how])
        ) as s:
            protocol = s.protocol
            await s.peer.write(b"0123456789abcdef")
            while not protocol.told:
                await asyncio.sleep(0)
            await turns()
            assert protocol.told == 1
            assert protocol.asked <= 2  # one event may have brought the tickets alone
            if how == "pause":
                s.transport.resume_reading()
                assert await protocol.take(16) == b"0123456789abcdef"
            elif how == "switch":
                assert await second.take(6) == b"abcdef"
                s.transport.set_protocol(protocol)

    run(main())


@pytest.mark.parametrize("method", ["get_buffer", "buffer_updated"])
def test_a_protocol_that_raises(run: Runner, pki: PKI, contexts: Contexts, method: str) -> None:
    class Raises(Buffered):
        pass

    def fail(self: Any, n: int) -> None:
        raise LookupError(method)

    setattr(Raises, method, fail)

    async def main() -> None:
        async with Setting(pki, contexts, factory=Raises) as s:
            await s.peer.write(b"x")
            error = await s.protocol.lost
            assert isinstance(error, LookupError)
        [complaint] = run.complaints
        assert complaint["exception"] is error
        assert f"protocol.{method}()" in complaint["message"]
        run.complaints.clear()

    run(main())


@pytest.mark.parametrize("method", ["get_buffer", "buffer_updated"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_not_caught(
    pki: PKI, contexts: Contexts, method: str, kind: type[BaseException]
) -> None:
    class Raises(Buffered):
        pass

    def fail(self: Any, n: int) -> None:
        raise kind

    setattr(Raises, method, fail)

    async def main() -> None:
        async with Setting(pki, contexts, factory=Raises) as s:
            await s.peer.write(b"x")
            await s.protocol.lost

    with pytest.raises(kind):
        run_selecting(main())


@pytest.mark.parametrize(
    "wrong", [b"constant", memoryview(bytearray(100))[::2], "text", None, object(), 7]
)
def test_a_buffer_that_cannot_be_filled(
    run: Runner, pki: PKI, contexts: Contexts, wrong: Any
) -> None:
    async def main() -> None:
        async with Setting(pki, contexts, factory=lambda: Buffered(lambda: wrong)) as s:
            await s.peer.write(b"x")
            error = await s.protocol.lost
            assert isinstance(error, (TypeError, BufferError, ValueError))
            assert s.protocol.told == 0
        assert [c["exception"] for c in run.complaints] == [error]
        run.complaints.clear()

    run(main())


def test_a_buffer_is_not_held(run: Runner, pki: PKI, contexts: Contexts) -> None:
    """A bytearray can grow again after the delivery, and a view of it be released."""
    buffer = bytearray(10)

    async def main() -> None:
        async with Setting(
            pki, contexts, factory=lambda: Buffered(lambda: buffer, lambda _: buffer.extend(b"+"))
        ) as s:
            for text in (b"first", b"second"):
                await s.peer.write(text)
                assert await s.protocol.take(len(text)) == text
            assert len(buffer) == 12
            s.transport.write(buffer)
            buffer.clear()

    run(main())


def test_data_then_its_end(run: Runner, pki: PKI, contexts: Contexts) -> None:
    """What came before an end or a failure is delivered first."""

    async def main() -> None:
        for end in ("close_notify", "bad record"):
            async with Setting(pki, contexts, factory=Buffered) as s:
                s.peer.tls.write(b"last")
                if end == "close_notify":
                    s.peer.end()
                    await s.peer.flush()
                else:
                    good = s.peer.taken()
                    s.peer.tls.write(b"bad")
                    bad = bytearray(s.peer.taken())
                    bad[-1] ^= 1
                    await asyncio.get_running_loop().sock_sendall(s.peer.sock, good + bad)
                assert await s.protocol.take(4) == b"last"
                s.peer.hang_up()
                error = await s.protocol.lost
                assert (error is None) == (end == "close_notify")

    run(main())


def test_a_write_of_views(run: Runner, pki: PKI, contexts: Contexts) -> None:
    """By their bytes, as they are at the call; a view of every other byte too."""

    async def main() -> None:
        async with Setting(pki, contexts) as s:
            words = array.array("H", range(1000))
            octets = bytearray(range(200))
            sent = [memoryview(words), memoryview(octets)[::2], octets, memoryview(b"")]
            expected = b"".join(bytes(part) for part in sent)
            for part in sent:
                s.transport.write(part)
            octets[:] = bytes(200)
            got = b""
            while len(got) < len(expected):
                got += await s.peer.read(len(expected))
            assert got == expected
            released = memoryview(b"gone")
            released.release()
            for wrong in (released, words, "text"):
                with pytest.raises((TypeError, ValueError)):
                    s.transport.write(wrong)

    run(main())


def test_large_views_wait_as_copies(run: Runner, contexts: Contexts) -> None:
    """What the socket refuses is not the program's buffer any more."""

    async def main() -> None:
        accepted = Accepted(Recorder)
        server, transport, protocol = await served(accepted, contexts)
        far = await accepted.first()
        far.transport.pause_reading()
        message = bytes(range(256)) * 16384
        for kind in (bytearray, lambda data: memoryview(bytearray(data))):
            buffer = kind(message)
            transport.write(buffer)
            buffer[:] = bytes(len(message))
        assert transport.get_write_buffer_size() > 0
        far.transport.resume_reading()
        assert await far.take(2 * len(message)) == message * 2
        transport.close()
        await protocol.lost
        server.close()

    run(main())
