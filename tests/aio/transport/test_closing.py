"""close and abort: against every kind of peer, from every callback, and after the end."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import Any

import pytest

from tlskit import aio

from ...support.pki import PKI
from ...support.pypy import circles_collected
from ...support.system import run_selecting
from ..conftest import Runner
from .peer import Calls, Peer, accepting
from .test_handshake import peers_contexts
from .test_reading import Setting, turns
from .test_writing import LARGE

Contexts = tuple[Any, Any]


def test_close_sends_all_and_close_notify(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.transport.write(bytes(LARGE))
            s.transport.close()
            s.transport.write(b"too late")
            assert len(await s.peer.read_all()) == LARGE
            assert "lost" not in s.protocol.log
            s.peer.end()
            await s.peer.flush()
            await s.protocol.lost.wait()
            assert s.protocol.error is None

    run(main())


@pytest.mark.parametrize("unsent", [False, True], ids=["all sent", "unsent"])
def test_a_peer_that_never_answers(run: Runner, pki: PKI, contexts: Contexts, unsent: bool) -> None:
    async def main() -> None:
        async with Setting(pki, contexts, ssl_shutdown_timeout=0.05) as s:
            if unsent:
                s.transport.write(bytes(LARGE))
            s.transport.close()
            await s.protocol.lost.wait()
            assert isinstance(s.protocol.error, TimeoutError) is unsent
            assert s.transport.get_extra_info("socket").fileno() == -1

    run(main())


def test_a_peer_that_goes_on_sending(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:

            async def flood() -> None:
                while True:
                    await s.peer.write(bytes(65536))

            flooding = asyncio.ensure_future(flood())
            await s.protocol.take(1)
            s.transport.close()
            got = len(s.protocol.data)
            await s.protocol.lost.wait()  # long before the shutdown's timeout of 30 seconds
            assert (len(s.protocol.data), s.protocol.error) == (got, None)
            flooding.cancel()
            await asyncio.wait([flooding])
            assert flooding.cancelled() or isinstance(flooding.exception(), OSError)

    run(main())


def test_abort(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.transport.write(bytes(LARGE))
            s.transport.abort()
            s.transport.abort()
            s.transport.close()
            assert s.transport.is_closing()
            await turns(3)
            assert s.protocol.log[-1] == "lost"
            assert s.protocol.log.count("lost") == 1
            assert s.protocol.error is None

    run(main())


def test_abort_during_the_shutdown(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            s.transport.close()
            await turns()
            assert s.protocol.log == ["made"]
            s.transport.abort()
            await turns(3)
            assert s.protocol.log == ["made", "lost"]

    run(main())


@pytest.mark.parametrize("way", ["close", "abort"])
@pytest.mark.parametrize("callback", ["made", "data", "eof", "pause", "lost"])
def test_from_every_callback(
    run: Runner, pki: PKI, contexts: Contexts, way: str, callback: str
) -> None:
    async def main() -> None:
        on = {callback: lambda p, *_: getattr(p.transport, way)()}
        async with Setting(
            pki, contexts, factory=lambda: Calls(**on), ssl_shutdown_timeout=0.05
        ) as s:
            s.peer.tls.write(b"data")
            s.peer.end()
            with contextlib.suppress(OSError):  # it may be gone
                await s.peer.flush()
            if callback == "pause":
                s.transport.write(bytes(LARGE))
            await s.protocol.lost.wait()
            assert s.protocol.log.count("lost") == 1
            assert s.protocol.log[-1] == "lost"

    run(main())


def test_every_method_is_harmless_after_the_end(run: Runner, pki: PKI, contexts: Contexts) -> None:
    async def main() -> None:
        async with Setting(pki, contexts) as s:
            transport = s.transport
            name = transport.get_extra_info("peername")
            transport.abort()
            await s.protocol.lost.wait()
            await turns(2)
            transport.write(b"data")
            transport.writelines([b"data"])
            for method in ("close", "abort", "pause_reading", "resume_reading", "__repr__"):
                getattr(transport, method)()
            assert transport.get_write_buffer_size() == 0
            assert not transport.is_reading()
            assert transport.get_extra_info("peername") == name == tuple(s.address)
            for key in ("sockname", "socket", "ssl_object", "peercert", "cipher", "compression"):
                transport.get_extra_info(key)
            assert transport.get_extra_info("unknown", 7) == 7
            assert s.protocol.log == ["made", "lost"]

    run(main())


def test_extra_info_is_whole_at_connection_made(run: Runner, pki: PKI, contexts: Contexts) -> None:
    keys = ("peername", "sockname", "socket", "sslcontext", "ssl_object", "peercert", "cipher")
    seen: dict[str, Any] = {}

    def look(protocol: Calls) -> None:
        seen.update((key, protocol.transport.get_extra_info(key)) for key in keys)

    async def main() -> None:
        async with Setting(pki, contexts, factory=lambda: Calls(made=look)) as s:
            assert all(seen.values())
            assert seen["sslcontext"] is contexts[0]
            assert seen["ssl_object"].version() == s.peer.tls.version()
            assert "subjectAltName" in seen["peercert"]

    run(main())


def test_a_loop_that_closes_over_an_open_connection(pki: PKI, contexts: Contexts) -> None:
    kept: list[Any] = []

    theirs = peers_contexts(pki, contexts)[1]

    async def main() -> None:
        async with accepting() as (address, accept):
            task = asyncio.ensure_future(
                aio.create_connection(Calls, *address, ssl=contexts[0], server_hostname="localhost")
            )
            await Peer(await accept(), theirs).handshake()
            kept.append(await task)
            kept[0][0].pause_reading()  # it does not hear that the peer goes

    run_selecting(main())
    transport, protocol = kept.pop()
    socket = transport.get_extra_info("socket")
    protocol.transport = None
    del transport, protocol
    with pytest.warns(ResourceWarning, match="unclosed transport"):
        circles_collected()  # as with asyncio's, a transport that has not ended is part of one
    assert socket.fileno() == -1
    with warnings.catch_warnings():  # not in whichever test the collector comes to run in
        warnings.simplefilter("ignore", ResourceWarning)
        del socket
        circles_collected()  # the server and its end
