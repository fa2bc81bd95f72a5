"""What is written: as it was at the call, in order, counted once, at the pace of the peer."""

from __future__ import annotations

import array
import asyncio
import socket
from typing import Any

import pytest

from tlskit import aio

from ...support.pki import PKI
from ..conftest import Runner
from .peer import Calls
from .test_reading import Setting, turns

Contexts = tuple[Any, Any]
LARGE = 6 << 20  # bytes: more than the system's buffers of a connection hold


def test_a_buffer_is_sent_as_it_was_at_the_call(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            data = bytearray(b"a" * LARGE)
            s.transport.write(data)
            data[:] = b"b" * LARGE
            s.transport.write(memoryview(array.array("I", [1, 2, 3])))
            s.transport.write(memoryview(b"0123456789")[2:9:3])
            s.transport.write(b"")
            s.transport.close()
            expected = b"a" * LARGE + array.array("I", [1, 2, 3]).tobytes() + b"258"
            assert await s.peer.read_all() == expected

    run(main())


@pytest.mark.parametrize("what", ["text", 7, None, [b"bytes"]])
def test_what_is_not_bytes_is_refused(run: Runner, pki: PKI, contexts: Contexts, what: Any) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            with pytest.raises(TypeError, match="bytes-like"):
                s.transport.write(what)
            with pytest.raises(TypeError):
                s.transport.writelines([b"fine", what])
            s.transport.write(b"fine")
            s.transport.close()
            assert await s.peer.read_all() == b"fine"

    run(main())


def test_many_small_parts_become_few_records(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.transport.writelines(b"%3d" % i for i in range(200))
            assert await s.peer.read() == b"".join(b"%3d" % i for i in range(200))
            parts = [b"x" * 10, bytearray(100_000), b"", memoryview(b"y" * 10)]
            s.transport.writelines(parts)
            s.transport.close()
            assert await s.peer.read_all() == b"".join(parts)

    run(main())


def test_there_is_no_half_close(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            assert not s.transport.can_write_eof()
            with pytest.raises(NotImplementedError):
                s.transport.write_eof()

    run(main())


def test_watermarks(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.transport.set_write_buffer_limits(high=100_000, low=5_000)
            assert s.transport.get_write_buffer_limits() == (5_000, 100_000)
            for _ in range(3):
                s.transport.write(bytes(LARGE // 3))
            waiting = s.transport.get_write_buffer_size()
            assert 100_000 < waiting < LARGE * 1.05
            assert s.protocol.log == ["made", "pause"]
            got = 0
            while got < LARGE // 3 * 3:
                got += len(await s.peer.read())
            while s.transport.get_write_buffer_size():
                await asyncio.sleep(0)
            assert s.protocol.log == ["made", "pause", "resume"]
            with pytest.raises(ValueError, match="must be >="):
                s.transport.set_write_buffer_limits(high=1, low=2)

    run(main())


def test_a_limit_of_zero(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.transport.set_write_buffer_limits(high=0)
            s.transport.write(b"small")
            assert s.protocol.log == ["made"]  # nothing waits
            s.transport.write(bytes(LARGE))
            assert s.protocol.log == ["made", "pause"]
            got = 0
            while got < LARGE + 5:
                got += len(await s.peer.read())
            await turns()
            assert s.protocol.log == ["made", "pause", "resume"]

    run(main())


@pytest.mark.parametrize("size", [1, 16384, 16385, 65537, 200_000])
def test_a_write_that_is_encrypted_but_not_sent_is_finished(
    run: Runner, pki: PKI, contexts: Contexts, size: int
) -> None:
    """With little room in the socket, ciphertext waits behind a write that was taken in full."""

    async def main() -> None:
        async with Setting(pki, contexts) as s:
            sock = s.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
            for i in range(4):
                s.transport.write(bytes([i]) * size)
            s.transport.close()
            assert await s.peer.read_all() == b"".join(bytes([i]) * size for i in range(4))
            s.peer.end()
            await s.peer.flush()
            await s.protocol.lost.wait()
            assert s.protocol.error is None

    run(main())


def test_a_large_write_leaves_turns_to_others(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            reading = asyncio.ensure_future(s.peer.read_all())
            s.transport.write(bytes(16 << 20))
            s.transport.close()
            turns_taken = 0
            while not reading.done():
                turns_taken += 1
                await asyncio.sleep(0)
            assert len(await reading) == 16 << 20
            assert turns_taken > 16

    run(main())


def test_a_file(run: Runner, pki: PKI, contexts: Contexts, tmp_path: Any) -> None:
    body = bytes(range(256)) * 3000
    (path := tmp_path / "body").write_bytes(body)

    async def main() -> None:
        async with Setting(pki, contexts) as s:
            reading = asyncio.ensure_future(s.peer.read_all())
            s.transport.write(b"head")
            with path.open("rb") as file:
                file.seek(777)
                assert await aio.sendfile(s.transport, file) == len(body)
                assert await aio.sendfile(s.transport, file, 10, 20) == 20
                assert file.tell() == 30
                with pytest.raises(RuntimeError, match="fallback"):
                    await aio.sendfile(s.transport, file, fallback=False)
                for wrong in ((-1, None), (0, 0)):
                    with pytest.raises(ValueError, match="offset"):
                        await aio.sendfile(s.transport, file, *wrong)
                for other in (("1", None), (0, 2.5)):
                    with pytest.raises(TypeError, match="integers"):
                        await aio.sendfile(s.transport, file, *other)
            with path.open() as text, pytest.raises(ValueError, match="binary"):
                await aio.sendfile(s.transport, text)
            assert s.transport.get_protocol() is s.protocol
            s.transport.write(b"tail")
            s.transport.close()
            assert await reading == b"head" + body + body[10:30] + b"tail"
            with path.open("rb") as file, pytest.raises(RuntimeError, match="closing"):
                await aio.sendfile(s.transport, file)

    run(main())


@pytest.mark.parametrize("paused", [False, True], ids=["", "paused before"])
def test_a_file_for_a_peer_that_takes_its_time(
    run: Runner, pki: PKI, contexts: Contexts, tmp_path: Any, paused: bool
) -> None:
    """Meanwhile the protocol is told nothing; afterwards it knows whether it may write."""
    (path := tmp_path / "body").write_bytes(bytes(LARGE))

    async def main() -> None:
        async with Setting(pki, contexts) as s:
            before = b"y" * LARGE if paused else b""
            s.transport.write(before)
            logged = ["made", "pause"] if paused else ["made"]
            assert s.protocol.log == logged
            with path.open("rb") as file:
                sending = asyncio.ensure_future(aio.sendfile(s.transport, file))
                got = 0
                while got < len(before) + LARGE:
                    assert sending.done() or s.protocol.log == logged
                    got += len(await s.peer.read())
                assert await sending == LARGE
            assert s.protocol.log == (["made", "pause", "resume"] if paused else ["made"])
            assert s.transport.is_reading()

    run(main())


def test_a_file_for_a_peer_that_leaves(
    run: Runner, pki: PKI, contexts: Contexts, tmp_path: Any
) -> None:
    (path := tmp_path / "body").write_bytes(bytes(LARGE))

    async def main() -> None:
        async with Setting(pki, contexts, factory=Calls) as s:
            with path.open("rb") as file:
                sending = asyncio.ensure_future(aio.sendfile(s.transport, file))
                await s.peer.read()
                s.peer.reset()
                with pytest.raises(ConnectionError):
                    await sending
            await s.protocol.lost.wait()
            assert s.protocol.log[-1] == "lost"

    run(main())
