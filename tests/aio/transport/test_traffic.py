"""What runs for every message: in C, where it is compiled in, and in Python. Both do the same."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
import weakref
from typing import Any

import pytest

from tlskit._core import direct

from ...support.pki import PKI
from ...support.system import run_selecting
from ..conftest import Runner
from ..helpers import Accepted, Echo, Recorder, served
from .test_reading import Contexts, Setting, turns

pytestmark = pytest.mark.usefixtures("way")

STEADY = [65536, 65536, 65536, 65536]
SIZES = [
    *[1, 64, 64], *[4096] * 3, *[4097] * 3, 4096, *[16384] * 3, 16385, *STEADY, 1, *STEADY, 300000,
    *[262144] * 3, 262145, 262143, 5000, 5000, 5000, 400000, *[700000] * 3,
]  # fmt: skip


def test_messages_of_all_sizes(run: Runner, contexts: Contexts) -> None:
    """Sizes that stay the same, that grow, and that shrink."""

    async def main() -> None:
        server, transport, protocol = await served(Accepted(Echo), contexts)
        for number, size in enumerate(SIZES):
            message = bytes([number]) * size
            transport.write(message)
            assert await protocol.take(size) == message
        transport.close()
        await protocol.lost
        server.close()

    run(main())


def test_a_write_is_called_as_asyncios(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.transport.write(data=b"by name, ")
            s.transport.write(bytearray(b"of another type, "))
            s.transport.write(b"")
            s.transport.write(memoryview(b"or this one"))
            expected = b"by name, of another type, or this one"
            got = b""
            while len(got) < len(expected):
                got += await s.peer.read(len(expected))
            assert got == expected
            for wrong in ("text", None, 1, [b"x"]):
                with pytest.raises(TypeError, match="bytes-like"):
                    s.transport.write(wrong)
            with pytest.raises(TypeError):
                s.transport.write()
            with pytest.raises(TypeError):
                s.transport.write(b"one", b"two")
            s.transport.abort()
            await turns()

    run(main())


def test_writes_after_the_end(
    run: Runner, pki: PKI, contexts: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    """They are counted from the end on, whether the connection has been released or not."""

    async def main() -> None:
        async with Setting(pki, contexts) as s:
            write = s.transport.write
            s.transport.abort()
            for _ in range(3):
                write(b"lost")
            await turns()
            assert caplog.records == []
            for _ in range(3):
                write(b"lost")
            with pytest.raises(TypeError, match="bytes-like"):
                write("text")
            assert [r.getMessage() for r in caplog.records] == ["SSL connection is closed"]

    caplog.set_level(logging.WARNING)
    run(main())


def test_a_protocol_that_raises(run: Runner, pki: PKI, contexts: Contexts) -> None:
    class Raises(Recorder):
        def data_received(self, data: bytes) -> None:
            raise LookupError(data)

    async def main() -> None:
        async with Setting(pki, contexts, factory=Raises) as s:
            await s.peer.write(b"x")
            error = await s.protocol.lost
            assert isinstance(error, LookupError)
            names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            assert "data_received" in names
        [complaint] = run.complaints
        assert complaint["exception"] is error
        assert "data_received" in complaint["message"]
        run.complaints.clear()

    run(main())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_not_caught(
    pki: PKI, contexts: Contexts, kind: type[BaseException]
) -> None:
    class Raises(Recorder):
        def data_received(self, data: bytes) -> None:
            raise kind

    async def main() -> None:
        async with Setting(pki, contexts, factory=Raises) as s:
            await s.peer.write(b"x")
            await s.protocol.lost

    with pytest.raises(kind):
        run_selecting(main())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_at_the_peers_end_is_not_caught(
    pki: PKI, contexts: Contexts, kind: type[BaseException]
) -> None:
    class Raises(Recorder):
        def eof_received(self) -> None:
            raise kind

    async def main() -> None:
        async with Setting(pki, contexts, factory=Raises) as s:
            s.peer.end()
            await s.peer.flush()
            await s.protocol.lost

    with pytest.raises(kind):
        run_selecting(main())


def test_another_protocol_gets_what_comes_next(run: Runner, pki: PKI, contexts: Contexts) -> None:
    """Both kinds of protocol, from within the callback."""

    class Buffered(asyncio.BufferedProtocol):
        def __init__(self, then: Any) -> None:
            self.room, self.then, self.data = bytearray(100), then, b""

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.room

        def buffer_updated(self, nbytes: int) -> None:
            self.data += self.room[:nbytes]
            self.then()

    class Switches(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.set_protocol(second)

    async def main() -> None:
        nonlocal second
        async with Setting(pki, contexts, factory=Switches) as s:
            third = Recorder()
            second = Buffered(lambda: s.transport.set_protocol(third))
            for message, count in ((b"one", 3), (b"two", 3), (b"three", 5)):
                await s.peer.write(message)
                while len(s.protocol.data) + len(second.data) + len(third.data) < count:
                    await asyncio.sleep(0)
                count_of = [bytes(p.data) for p in (s.protocol, second, third)]
                s.protocol.data.clear()
                third.data.clear()
                second.data = b""
                assert message in count_of
            s.transport.set_protocol(s.protocol)

    second: Any = None
    run(main())


def test_an_ended_connection_is_no_circle(run: Runner, pki: PKI, contexts: Contexts) -> None:
    """Whatever a protocol has kept of its transport."""

    async def main() -> Any:
        async with Setting(pki, contexts) as s:
            write = s.transport.write
            s.protocol.transport = None
            await s.peer.write(b"x")
            await turns()
        gone = weakref.ref(s.transport)
        s.transport = None
        await turns()
        return gone, write

    gc.disable()
    try:
        gone, write = run(main())
        assert gone() is None
        write(b"late")
    finally:
        gc.enable()


def test_reading_pauses_between_messages(run: Runner, pki: PKI, contexts: Contexts) -> None:
    """Also where the size of a message was the one that was expected."""

    class Pauses(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if len(self.data) >= 40000:
                self.transport.pause_reading()

    async def main() -> None:
        async with Setting(pki, contexts, factory=Pauses) as s:
            for _ in range(4):
                await s.peer.write(bytes(10000))
                await s.peer.write(bytes(10000))
                await turns(5)
            while len(s.protocol.data) < 40000:
                await asyncio.sleep(0)
            had = len(s.protocol.data)
            assert not s.transport.is_reading()
            await turns()
            assert len(s.protocol.data) == had
            while len(s.protocol.data) < 80000:
                s.transport.resume_reading()
                await asyncio.sleep(0)
            assert len(s.protocol.data) == 80000

    run(main())


def test_a_pause_leaves_the_socket_to_the_loop(
    run: Runner, pki: PKI, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only data that arrives during the pause removes it, so that the loop does not turn idly."""

    async def main() -> None:
        async with Setting(pki, contexts) as s:
            await s.peer.write(b"one")
            await s.protocol.take(3)
            await turns()
            changes: list[str] = []
            loop: Any = asyncio.get_running_loop()
            kind = type(loop)

            def noted(name: str) -> Any:
                method = getattr(kind, name)

                def note(self: Any, fd: Any, *args: Any) -> Any:
                    changes.append(name)
                    return method(self, fd, *args)

                return note

            if kind.__module__.startswith("asyncio"):
                for name in ("_add_reader", "_remove_reader"):
                    monkeypatch.setattr(kind, name, noted(name))
            for _ in range(3):
                s.transport.pause_reading()
                s.transport.resume_reading()
            assert changes == []
            s.transport.pause_reading()
            await s.peer.write(b"two")
            await turns()
            assert bytes(s.protocol.data) == b"one"
            if kind.__module__.startswith("asyncio"):
                assert changes == ["_remove_reader"]
            s.transport.resume_reading()
            assert await s.protocol.take(6) == b"onetwo"

    run(main())


def test_the_loop_is_asked_once_to_watch_a_socket(
    pki: PKI, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the handshake to the close."""
    asked: list[int] = []

    async def main() -> None:
        kind: Any = type(asyncio.get_running_loop())
        watch = kind._add_reader

        def noted(self: Any, fd: Any, *args: Any) -> Any:
            asked.append(fd)
            return watch(self, fd, *args)

        monkeypatch.setattr(kind, "_add_reader", noted)
        async with Setting(pki, contexts) as s:
            fd = s.transport.get_extra_info("socket").fileno()
            await s.peer.write(b"data")
            await s.protocol.take(4)
            s.transport.close()
            await turns()
            assert asked.count(fd) == 1

    run_selecting(main())


@pytest.mark.skipif(direct._direct is None, reason="there is no C for it here")
def test_it_is_not_made_by_others() -> None:
    make: Any = direct._direct
    if make is None:
        return
    for given in ((), (1,), (1, 2, 3, 4), ("text", None, None)):
        with pytest.raises(TypeError):
            make.Traffic(*given)
    with pytest.raises(ValueError, match="needs a connection"):
        make.Traffic(0, None, None)
    with pytest.raises(TypeError):
        make.Traffic(1, None, owner=None)
