"""Where tlskit.aio connects and listens: it takes and refuses what asyncio's own loop does."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tlskit
from tlskit import aio

from ..support.pairs import client_context, only, server_context
from ..support.pki import PKI
from .conftest import Runner
from .helpers import Accepted, Echo, Recorder, assert_ours

#: Calls one function, of an event loop's or tlskit.aio's, with what a test has prepared.
Call = Callable[[Any, SimpleNamespace], Awaitable[Any]]
unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


@pytest.fixture
def run() -> Iterator[Runner]:
    """Run a coroutine in asyncio's own loop, whose functions are asyncio's."""
    runner = Runner(asyncio.new_event_loop())
    yield runner
    runner.close()
    assert runner.complaints == []


@pytest.fixture
def given(pki: PKI, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Sockets, addresses and contexts."""
    with contextlib.ExitStack() as open_:
        listener = open_.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield SimpleNamespace(
            client=client_context(pki),
            server=server_context(pki),
            listener=listener,
            taken=listener.getsockname()[1],
            stream=open_.enter_context(socket.socket()),
            datagram=open_.enter_context(socket.socket(type=socket.SOCK_DGRAM)),
            path=str(tmp_path / "socket"),
            file=str(_file(tmp_path / "file")),
            secure=open_.enter_context(_secure(pki)),
        )


def _secure(pki: PKI) -> Any:
    return client_context(pki).wrap_socket(socket.socket(), server_hostname="localhost")


def _file(path: Path) -> Path:
    path.write_text("in the way", encoding="utf-8")
    return path


async def _refusal(call: Call, functions: Any, given: SimpleNamespace) -> BaseException:
    with pytest.raises((ValueError, TypeError, OSError)) as caught:
        await call(functions, given)
    return caught.value


def _client(**arguments: str) -> Call:
    def call(functions: Any, given: SimpleNamespace) -> Awaitable[Any]:
        values = {name: getattr(given, value, value) for name, value in arguments.items()}
        return functions.create_connection(Recorder, ssl=given.client, **values)  # type: ignore[no-any-return]

    return call


def _server(name: str = "create_server", **arguments: Any) -> Call:
    def call(functions: Any, given: SimpleNamespace) -> Awaitable[Any]:
        values = {
            n: getattr(given, v, v) if isinstance(v, str) else v for n, v in arguments.items()
        }
        return getattr(functions, name)(Recorder, ssl=given.server, **values)  # type: ignore[no-any-return]

    return call


def _unix_client(**arguments: str) -> Call:
    def call(functions: Any, given: SimpleNamespace) -> Awaitable[Any]:
        values = {name: getattr(given, value, value) for name, value in arguments.items()}
        return functions.create_unix_connection(Recorder, ssl=given.client, **values)  # type: ignore[no-any-return]

    return call


REFUSED = {
    "a client without an address": _client(server_hostname="localhost"),
    "a client with two addresses": _client(
        host="127.0.0.1", port="taken", sock="stream", server_hostname="localhost"
    ),
    "a client over datagrams": _client(sock="datagram", server_hostname="localhost"),
    "a client over a socket without a name": _client(sock="stream"),
    "a client over a socket with TLS": _client(sock="secure", server_hostname="localhost"),
    "a server over a socket with TLS": _server(sock="secure"),
    "a server without an address": _server(),
    "a server with two addresses": _server(host="127.0.0.1", port=0, sock="stream"),
    "a server over datagrams": _server(sock="datagram"),
    "a server where another listens": _server(host="127.0.0.1", port="taken"),
    "a server at an address of others": _server(host="192.0.2.1", port=0),
}
REFUSED_UNIX = {
    "a client without a path": _unix_client(server_hostname="localhost"),
    "a client with two paths": _unix_client(
        path="path", sock="stream", server_hostname="localhost"
    ),
    "a client without a name": _unix_client(path="path"),
    "a client over TCP": _unix_client(sock="stream", server_hostname="localhost"),
    "a client where nobody listens": _unix_client(path="path", server_hostname="localhost"),
    "a server without a path": _server("create_unix_server"),
    "a server with two paths": _server("create_unix_server", path="path", sock="stream"),
    "a server over TCP": _server("create_unix_server", sock="stream"),
    "a server at a file": _server("create_unix_server", path="file"),
}


@pytest.mark.parametrize(
    "call",
    [
        *(pytest.param(call, id=name) for name, call in REFUSED.items()),
        *(pytest.param(call, id=f"unix: {n}", marks=unix) for n, call in REFUSED_UNIX.items()),
    ],
)
def test_what_asyncio_refuses_is_refused(run: Runner, given: SimpleNamespace, call: Call) -> None:
    async def main() -> None:
        theirs = await _refusal(call, asyncio.get_running_loop(), given)
        ours = await _refusal(call, aio, given)
        assert type(ours) is type(theirs)
        numbers = {getattr(error, "errno", None) for error in (ours, theirs)}
        assert len(numbers - {None}) < 2  # before 3.13, asyncio did not try all addresses
        if not isinstance(theirs, OSError):
            assert str(ours) == str(theirs)

    run(main())


class _Named(Echo):
    """An echo that knows its peer: asyncio's own transport forgets it with the connection."""

    def connection_made(self, transport: Any) -> None:
        self.peer = transport.get_extra_info("peername")
        super().connection_made(transport)


def test_a_local_address(run: Runner, given: SimpleNamespace, version: tlskit.TLSVersion) -> None:
    only(version, given.client, given.server)
    local = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"

    async def main() -> None:
        accepted = Accepted(_Named)
        server = await aio.create_server(accepted, "127.0.0.1", 0, ssl=given.server)
        port = server.sockets[0].getsockname()[1]
        await _echoed(given.client, "127.0.0.1", port, local_addr=(local, 0))
        assert (await accepted.first()).peer[0] == local
        with pytest.raises(OSError, match=r"192\.0\.2\.1"):
            await _echoed(given.client, "127.0.0.1", port, local_addr=("192.0.2.1", 0))
        with pytest.raises(OSError, match="no matching local address"):
            await _echoed(given.client, "127.0.0.1", port, local_addr=("::1", 0))
        server.close()
        await server.wait_closed()

    run(main())


async def _echoed(context: Any, host: str, port: int, **options: Any) -> None:
    transport, protocol = await aio.create_connection(
        Recorder, host, port, ssl=context, server_hostname="localhost", **options
    )
    assert_ours(transport)
    transport.write(b"hello")
    assert await protocol.take(5) == b"hello"
    transport.close()
    await protocol.lost


# -- what only a particular system or resolver answers ---------------------------------------------


@pytest.mark.parametrize("functions", [asyncio, aio], ids=["asyncio", "tlskit"])
def test_a_name_without_addresses(
    run: Runner, given: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, functions: Any
) -> None:
    async def nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", nothing)
        where = loop if functions is asyncio else aio
        with pytest.raises(OSError, match="empty list"):
            await where.create_connection(Recorder, "a.example", 443, ssl=given.client)

    run(main())


@pytest.mark.parametrize("functions", [asyncio, aio], ids=["asyncio", "tlskit"])
def test_addresses_that_fail_for_different_reasons(
    run: Runner, given: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, functions: Any
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as one, socket.socket() as two:  # bound, and nobody listens
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")

            async def both(*_: Any, **__: Any) -> list[Any]:
                return [(*kind, one.getsockname()), (*kind, two.getsockname())]

            monkeypatch.setattr(loop, "getaddrinfo", both)
            where = loop if functions is asyncio else aio
            named = r"(?s)Multiple exceptions: .*Err.*, .*Err"
            if isinstance(loop, getattr(asyncio, "ProactorEventLoop", ())):
                named = r"^\[WinError 1225\]"  # it names no address, so both say the same
            with pytest.raises(OSError, match=named):
                await where.create_connection(Recorder, "a.example", 443, ssl=given.client)

    run(main())


def test_an_option_that_this_system_does_not_have(
    run: Runner, given: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)

    async def main() -> None:
        with pytest.raises(ValueError, match=r"SO_REUSEPORT|reuse_port"):
            await aio.create_server(Recorder, "127.0.0.1", 0, ssl=given.server, reuse_port=True)

    run(main())


@unix
def test_a_path_that_no_system_has(run: Runner, given: SimpleNamespace) -> None:
    """No socket is left open, of which Python would warn."""

    async def main() -> None:
        with pytest.raises(ValueError, match="null"):
            await aio.create_unix_server(Recorder, given.path + "\0", ssl=given.server)

    run(main())
    gc.collect()


@unix
def test_a_socket_that_a_server_left_behind_is_replaced(
    run: Runner, given: SimpleNamespace, version: tlskit.TLSVersion
) -> None:
    only(version, given.client, given.server)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(given.path)

    async def main() -> None:
        server = await aio.create_unix_server(Echo, given.path, ssl=given.server)
        transport, protocol = await aio.create_unix_connection(
            Recorder, given.path, ssl=given.client, server_hostname="localhost"
        )
        transport.write(b"hello")
        assert await protocol.take(5) == b"hello"
        transport.close()
        await protocol.lost
        server.close()
        await server.wait_closed()

    run(main())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_server_without_descriptors_rests_and_goes_on(
    run: Runner, given: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reports the failure once, does not spin, and accepts when a descriptor is free."""
    import resource

    monkeypatch.setattr("tlskit.aio._server._RETRY_DELAY", 0.01)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted = Accepted(Echo)
        reported = loop.create_future()

        def report(_: Any, context: dict[str, Any]) -> None:
            if not reported.done():
                reported.set_result(context)

        loop.set_exception_handler(report)
        server = await aio.create_server(accepted, "127.0.0.1", 0, ssl=given.server)
        port = server.sockets[0].getsockname()[1]
        with socket.socket() as plain:
            plain.setblocking(False)
            lowest_free = os.dup(plain.fileno())
            os.close(lowest_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
            try:
                await loop.sock_connect(plain, ("127.0.0.1", port))
                context = await reported
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            assert context["exception"].errno == errno.EMFILE
            assert accepted == []
            transport, protocol = await aio.create_connection(
                Recorder, sock=plain, ssl=given.client, server_hostname="localhost"
            )
            transport.write(b"hello")
            assert await protocol.take(5) == b"hello"
            transport.close()
            await protocol.lost
        server.close()
        await server.wait_closed()

    run(main())
