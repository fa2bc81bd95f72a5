"""What the protocol hears, in which order, and how a connection ends from the other side."""

from __future__ import annotations

import array
import asyncio
import asyncio.sslproto
from typing import Any

import pytest

from tlskit import SSLEOFError, SSLError, aio

from ...support.pki import PKI
from ...support.raw import needs_resets
from ..conftest import Runner
from .peer import Calls, Peer, accepting
from .test_handshake import peers_contexts

Contexts = tuple[Any, Any]


class Setting:
    """A client under test and its peer, after their handshake."""

    def __init__(self, pki: PKI, contexts: Contexts, **settings: Any) -> None:
        self._theirs = peers_contexts(pki, contexts)[1]
        self._context, self._settings = contexts[0], settings

    async def __aenter__(self) -> Setting:
        self._accepting = accepting()
        self.address, accept = await self._accepting.__aenter__()
        factory = self._settings.pop("factory", Calls)
        task = asyncio.ensure_future(
            aio.create_connection(
                factory, *self.address, ssl=self._context, server_hostname="localhost",
                **self._settings,
            )
        )  # fmt: skip
        self.peer = Peer(await accept(), self._theirs)
        await self.peer.handshake()
        self.transport: Any
        self.protocol: Any
        self.transport, self.protocol = await task
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.transport.abort()
        await self._accepting.__aexit__(None, None, None)
        await asyncio.sleep(0)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_clean_end(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.peer.tls.write(b"last")
            s.peer.end()
            await s.peer.flush()
            s.peer.hang_up()
            await s.protocol.lost.wait()
            assert s.protocol.log == ["made", "data", "eof", "lost"]
            assert (s.protocol.data, s.protocol.error) == (b"last", None)
            assert s.transport.get_extra_info("close_notify") is True
            assert s.transport.is_closing()

    run(main())


@pytest.mark.parametrize("strict", ["", "connection", "context"])
def test_an_end_without_close_notify(
    run: Runner, pki: PKI, contexts: Contexts, strict: str
) -> None:
    async def main() -> None:
        contexts[0].suppress_ragged_eofs = strict != "context"
        async with Setting(pki, contexts, suppress_ragged_eofs=strict != "connection") as s:
            await s.peer.write(b"last")
            s.peer.hang_up()
            await s.protocol.lost.wait()
            assert s.protocol.log == ["made", "data", "eof", "lost"]
            assert s.protocol.data == b"last"
            assert isinstance(s.protocol.error, SSLEOFError) is bool(strict)
            assert s.transport.get_extra_info("close_notify") is False

    run(main())


def test_an_end_in_the_middle_of_a_record(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            await s.peer.write(b"whole")
            s.peer.tls.write(b"torn")
            await asyncio.get_running_loop().sock_sendall(s.peer.sock, s.peer.taken()[:-3])
            s.peer.hang_up()
            await s.protocol.lost.wait()
            assert s.protocol.data == b"whole"
            assert isinstance(s.protocol.error, SSLEOFError)
            assert "eof" not in s.protocol.log

    run(main())


def test_what_came_before_a_bad_record_is_delivered(
    run: Runner, pki: PKI, contexts: Contexts
) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.peer.tls.write(b"good")
            good = s.peer.taken()
            s.peer.tls.write(b"bad")
            bad = bytearray(s.peer.taken())
            bad[-1] ^= 1
            await asyncio.get_running_loop().sock_sendall(s.peer.sock, good + bad)
            await s.protocol.lost.wait()
            assert s.protocol.log == ["made", "data", "lost"]
            assert s.protocol.data == b"good"
            assert isinstance(s.protocol.error, SSLError)

    run(main())


@needs_resets
def test_what_came_before_a_reset_is_delivered(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            await s.peer.write(b"good")
            await s.protocol.take(4)
            s.peer.reset()
            await s.protocol.lost.wait()
            assert s.protocol.log == ["made", "data", "lost"]
            assert isinstance(s.protocol.error, ConnectionResetError)

    run(main())


def test_an_end_waits_while_reading_is_paused(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.transport.pause_reading()
            assert not s.transport.is_reading()
            s.peer.tls.write(b"last")
            s.peer.end()
            await s.peer.flush()
            s.peer.hang_up()
            await turns()
            assert s.protocol.log == ["made"]
            assert s.transport.get_read_buffer_size() == 0  # the kernel has it all
            s.transport.resume_reading()
            assert s.transport.is_reading()
            await s.protocol.lost.wait()
            assert s.protocol.log == ["made", "data", "eof", "lost"]

    run(main())


def test_it_has_all_methods_of_asyncios_own(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            theirs = vars(asyncio.sslproto._SSLProtocolTransport)
            assert {name for name in theirs if name[0] != "_"} <= set(dir(s.transport))

    run(main())


def test_limits_of_a_read_buffer(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            assert s.transport.get_read_buffer_limits() == (65536, 262144)
            s.transport.set_read_buffer_limits(high=100_000, low=5_000)
            assert s.transport.get_read_buffer_limits() == (5_000, 100_000)
            s.transport.set_read_buffer_limits(low=5_000)
            assert s.transport.get_read_buffer_limits() == (5_000, 20_000)
            for bad in ({"high": 1, "low": 2}, {"low": -1}, {"high": -1}):
                with pytest.raises(ValueError, match="must be >="):
                    s.transport.set_read_buffer_limits(**bad)
            assert s.transport.get_read_buffer_limits() == (5_000, 20_000)

    run(main())


def test_pausing_in_data_received_holds_for_what_is_decrypted(
    run: Runner, pki: PKI, contexts: Contexts
) -> None:
    """More comes than one call delivers: the rest waits for resume_reading, and not for the
    network.
    """
    size = 1_000_000

    async def main() -> None:
        paused = asyncio.Event()

        def pause(protocol: Calls, data: bytes) -> None:
            assert protocol.transport.is_reading()
            protocol.transport.pause_reading()
            paused.set()

        async with Setting(pki, contexts, factory=lambda: Calls(data=pause)) as s:
            sending = asyncio.ensure_future(s.peer.write(bytes(size)))
            while len(s.protocol.data) < size:
                await paused.wait()
                paused.clear()
                before = len(s.protocol.data)
                await turns(5)
                assert len(s.protocol.data) == before
                s.transport.resume_reading()
            await sending

    run(main())


@pytest.mark.parametrize(
    "room",
    [lambda: bytearray(7), lambda: array.array("B", bytes(1000)), lambda: bytearray(1 << 20)],
)
def test_a_buffered_protocol_of_any_size(
    run: Runner, pki: PKI, contexts: Contexts, room: Any
) -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.got = bytearray()
            self.done = asyncio.Event()

        def get_buffer(self, sizehint: int) -> Any:
            self.buffer = room()
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.got += memoryview(self.buffer)[:nbytes]

        def eof_received(self) -> None:
            self.done.set()

    message = bytes(range(256)) * 200

    async def main() -> None:
        async with Setting(pki, contexts, factory=Buffered) as s:
            s.peer.tls.write(message)
            s.peer.end()
            await s.peer.flush()
            await s.protocol.done.wait()
            assert s.protocol.got == message

    run(main())


def test_get_buffer_that_is_empty_is_an_error(run: Runner, pki: PKI, contexts: Contexts) -> None:
    class Empty(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.lost = asyncio.Event()

        def get_buffer(self, sizehint: int) -> Any:
            return bytearray()

        def connection_lost(self, exc: BaseException | None) -> None:
            self.error = exc
            self.lost.set()

    async def main() -> None:
        async with Setting(pki, contexts, factory=Empty) as s:
            await s.peer.write(b"something")
            await s.protocol.lost.wait()
            assert isinstance(s.protocol.error, RuntimeError)
            assert [c["exception"] for c in run.complaints] == [s.protocol.error]
            run.complaints.clear()

    run(main())


def test_another_protocol_counts_from_the_next_delivery_on(
    run: Runner, pki: PKI, contexts: Contexts
) -> None:
    async def main() -> None:
        second = Calls()
        async with Setting(
            pki, contexts, factory=lambda: Calls(data=lambda p, _: p.transport.set_protocol(second))
        ) as s:
            await s.peer.write(b"first")
            await s.protocol.take(5)
            assert s.transport.get_protocol() is second
            await s.peer.write(b"second")
            await second.take(6)
            assert (s.protocol.data, second.data) == (b"first", b"second")
            assert "made" not in second.log

    run(main())


@pytest.mark.parametrize("callback", ["data", "eof"])
def test_a_callback_that_raises_is_told_once_and_ends_the_connection(
    run: Runner, pki: PKI, contexts: Contexts, callback: str
) -> None:
    def fail(protocol: Calls, *data: bytes) -> None:
        raise LookupError(callback)

    async def main() -> None:
        async with Setting(pki, contexts, factory=lambda: Calls(**{callback: fail})) as s:
            s.peer.tls.write(b"data")
            s.peer.end()
            await s.peer.flush()
            await s.protocol.lost.wait()
            assert isinstance(s.protocol.error, LookupError)
            assert [c["exception"] for c in run.complaints] == [s.protocol.error]
            run.complaints.clear()

    run(main())


def test_an_answer_in_eof_received_goes_out(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(
            pki, contexts, factory=lambda: Calls(eof=lambda p: p.transport.write(b"bye"))
        ) as s:
            s.peer.hang_up()  # without close_notify: the peer can still read
            assert await s.peer.read_all() == b"bye"
            await s.protocol.lost.wait()
            assert s.protocol.error is None

    run(main())


def test_the_alert_of_a_peer_says_more_than_a_broken_pipe(
    run: Runner, pki: PKI, contexts: Contexts
) -> None:
    """The peer sends a fatal alert and is gone; we write before we have read it."""

    async def main() -> None:
        async with Setting(pki, contexts) as s:
            record = bytearray(b"\x17\x03\x03\x00\x20" + bytes(32))
            s.transport.pause_reading()
            s.peer._in.write(bytes(record))  # bytes that do not decrypt: the peer sends an alert
            with pytest.raises(OSError):  # noqa: PT011  # of the peer, whatever it says
                await s.peer.read()
            await s.peer.flush()
            s.peer.sock.close()
            s.transport.resume_reading()
            s.transport.write(b"x")
            await s.protocol.lost.wait()
            assert isinstance(s.protocol.error, SSLError)
            assert "ALERT" in str(s.protocol.error)

    run(main())
