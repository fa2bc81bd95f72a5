"""Check that memory stays flat: make many connections in memory, and watch the resident set.

    python tools/leak.py 20000
    python tools/leak.py 50000 --resume memory
    python tools/leak.py 50000 --aio
    python tools/leak.py 50000 --reload 1000

Each round is a full handshake, one that resumes it, one that is refused, and a short exchange on
each successful one. With `--resume`, each is a connection that resumes automatically: from a
MemoryStore ("memory") or an SQLite file ("sqlite"), at a server with a keyring ("keyring"), with
its own store ("server"), or with early data ("early"). With `--aio`, each is a connection of an
asyncio loop, to a server of the same loop: closed by either side, aborted, refused, or begun with
`start_tls`. With `--reload N`, six threads make connections that resume, while both contexts are
reloaded N times.

Growth in the first half is warm-up (caches, the allocator's arenas); in the second half memory may
grow by at most LIMIT, or the exit status is 1. `--keep` keeps every connection, to show that a leak
would be found; with `--reload`, each state of the contexts.

In a free-threaded Python, what ended threads have freed comes and goes by megabytes. So with
`--reload`, the medians of the second and of the last quarter are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tlskit
from tests.support import pairs, pki
from tests.support.memory import resident
from tlskit import aio

LIMIT = 1 << 20
LINES = 20
THREADS = 6


class Rounds:
    """Handshakes of every kind, alternating between TLS 1.2 and TLS 1.3."""

    def __init__(self, authority: pki.PKI) -> None:
        self._turns = []
        for version in (tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3):
            client, server = pairs.client_context(authority), pairs.server_context(authority)
            refused = pairs.server_context(authority, identity=authority.stranger)
            server.sni_callback = lambda connection, name, context: None
            client.sessions.on_new = lambda connection, session: None
            server.tickets.keyring = tlskit.TicketKeyring()
            pairs.only(version, client, server, refused)
            self._turns.append((client, server, refused))
        self._next = 0

    def make(self) -> tuple[Any, ...]:
        client, server, refused = self._turns[self._next % 2]
        self._next += 1
        if self._next % 10 < 2:
            server.tickets.keyring.rotate()
        full = self._talk(client, server, None)
        resumed = self._talk(
            client, server, tlskit.SSLSession.from_bytes(full[0].session.to_bytes())
        )
        if not resumed[0].session_reused:
            raise AssertionError("the handshake did not resume")
        if resumed[0].info.verified_chain != full[0].info.verified_chain:
            raise AssertionError("the info of the session was lost")
        with contextlib.suppress(tlskit.SSLCertVerificationError):
            pairs.memory_pair(client, refused)
            raise AssertionError("the handshake was not refused")
        return full, resumed

    @staticmethod
    def _talk(client: Any, server: Any, session: Any) -> tuple[Any, Any]:
        near, far = pairs.memory_pair(client, server, session=session)
        near.write(b"a question")
        if far.read(100) != b"a question":
            raise AssertionError("the bytes did not arrive")
        far.write(bytes(20000))
        near.read(65536)
        near.getpeercert()
        near.cipher()
        return near, far


class Resumptions:
    """Connections that resume automatically, alternating between TLS 1.2 and TLS 1.3."""

    def __init__(self, authority: pki.PKI, folder: Path, how: str) -> None:
        self._how, self._turns, self._next = how, [], 0
        versions = (
            [tlskit.TLSVersion.TLSv1_3]
            if how == "early"
            else [tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3]
        )
        for version in versions:
            client, server = pairs.client_context(authority), pairs.server_context(authority)
            pairs.only(version, client, server)
            client.sessions.store = (
                tlskit.SQLiteStore(folder / f"{version.name}.db", secret=bytes(32))
                if how == "sqlite"
                else tlskit.MemoryStore()
            )
            if how == "keyring":
                server.tickets.keyring = tlskit.TicketKeyring()
            if how in ("server", "early"):
                server.sessions.store = tlskit.MemoryStore()
            if how == "early":
                server.max_early_data = 16384
            pairs.memory_pair(client, server)
            self._turns.append((client, server))

    def make(self) -> tuple[Any, ...]:
        client, server = self._turns[self._next % len(self._turns)]
        self._next += 1
        if self._how == "keyring" and self._next % 100 < 2:
            server.tickets.keyring.rotate()
        to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        early = b"early" if self._how == "early" else None
        near = client.wrap_bio(to_client, to_server, server_hostname="localhost", early_data=early)
        far = server.wrap_bio(to_server, to_client, server_side=True)
        pairs.shake(near, far)
        if early and far.read_early_data() != early:
            raise AssertionError("the early data was not taken")
        far.write(b"x")
        near.read(1)
        if not near.session_reused or not near.resumption.automatic:
            raise AssertionError("the handshake did not resume")
        return near, far


class Upgrade(asyncio.Protocol):
    """An end of a connection that begins in plaintext: the server's sends a line, and the client
    closes.
    """

    def __init__(self, context: Any, *, server_side: bool = False) -> None:
        self._context, self._server_side = context, server_side
        self.got = b""
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        transport.pause_reading()
        self._task = asyncio.ensure_future(self._begin(transport))

    async def _begin(self, transport: Any) -> None:
        name = None if self._server_side else "localhost"
        self._transport = await aio.start_tls(
            transport, self, self._context, server_side=self._server_side, server_hostname=name
        )
        if self._server_side:
            self._transport.write(b"welcome")

    def data_received(self, data: bytes) -> None:
        self.got += data
        if self.got == b"welcome":
            self._transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if not self.lost.done():
            self.lost.set_result(exc)


class Visits:
    """Connections of an event loop, alternating between TLS 1.2 and TLS 1.3."""

    def __init__(self, authority: pki.PKI) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._complain)
        self._complaints: list[str] = []
        self._ways = [self._closed, self._closed, self._left, self._aborted, self._refused,
                      self._upgraded]  # fmt: skip
        self._next = 0
        self._turns = []
        for version in (tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3):
            client, server = pairs.client_context(authority), pairs.server_context(authority)
            pairs.only(version, client, server)
            client.sessions.store = tlskit.MemoryStore()
            distrusting = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
            distrusting.load_verify_locations(authority.stranger_root)
            self._turns.append((client, distrusting, *self._run(self._begin(server))))

    def make(self) -> Any:
        turn = self._turns[self._next % 2]
        way = self._ways[self._next // 2 % len(self._ways)]
        self._next += 1
        made = self._run(way(*turn))
        if self._complaints:
            raise AssertionError(self._complaints[0])
        return made

    def _run(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)

    def _complain(self, _: Any, told: dict[str, Any]) -> None:
        self._complaints.append(repr(told))

    async def _begin(self, context: Any) -> tuple[Any, Any]:
        """Return the addresses of a TLS server and of a server that begins TLS on request."""
        over_tls: Any = await aio.start_server(self._echo, "127.0.0.1", 0, ssl=context)
        in_clear = await self._loop.create_server(
            lambda: Upgrade(context, server_side=True), "127.0.0.1", 0
        )
        self._servers = over_tls, in_clear
        return over_tls.sockets[0].getsockname(), in_clear.sockets[0].getsockname()

    async def _echo(self, reader: Any, writer: Any) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                if data.endswith(b"leave"):
                    break
        writer.close()

    async def _connected(self, context: Any, address: Any) -> tuple[Any, Any]:
        return await aio.open_connection(*address, ssl=context, server_hostname="localhost")

    async def _closed(self, client: Any, _: Any, address: Any, __: Any) -> Any:
        reader, writer = await self._connected(client, address)
        writer.write(b"a question")
        if await reader.readexactly(10) != b"a question":
            raise AssertionError("the bytes did not arrive")
        writer.close()
        await writer.wait_closed()
        return writer

    async def _left(self, client: Any, _: Any, address: Any, __: Any) -> Any:
        reader, writer = await self._connected(client, address)
        writer.write(bytes(100000) + b"leave")
        if len(await reader.read(-1)) < 100005:
            raise AssertionError("the bytes did not arrive")
        writer.close()
        await writer.wait_closed()
        return writer

    async def _aborted(self, client: Any, _: Any, address: Any, __: Any) -> Any:
        _reader, writer = await self._connected(client, address)
        writer.write(bytes(100000))
        writer.transport.abort()
        return writer

    async def _refused(self, _: Any, distrusting: Any, address: Any, __: Any) -> Any:
        with contextlib.suppress(tlskit.SSLCertVerificationError):
            await self._connected(distrusting, address)
            raise AssertionError("the handshake was not refused")

    async def _upgraded(self, client: Any, _: Any, __: Any, address: Any) -> Any:
        _, protocol = await self._loop.create_connection(lambda: Upgrade(client), *address)
        await protocol.lost
        if protocol.got != b"welcome":
            raise AssertionError("the bytes did not arrive")
        return protocol


class Reloads:
    """Connections from several threads, alternating between TLS 1.2 and TLS 1.3, while both
    contexts are reloaded repeatedly.
    """

    def __init__(self, authority: pki.PKI) -> None:
        self._authority = authority
        self._turns = []
        self.resumed = 0
        for version in (tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3):
            client, server = pairs.client_context(authority), pairs.server_context(authority)
            pairs.only(version, client, server)
            client.sessions.resume = True
            self._turns.append((client, server))

    def run(self, connections: int, reloads: int, kept: list[Any] | None) -> None:
        """Make that many connections, and meanwhile that many reloads of each context."""
        begun, made = itertools.count(), itertools.count()  # `next` is atomic
        ended = 0

        def connect() -> int:
            nonlocal ended
            resumed = 0
            while (number := next(begun)) < connections:
                near, far = pairs.memory_pair(*self._turns[number % 2])
                far.write(b"x")
                if near.read(1) != b"x":
                    raise AssertionError("the byte did not arrive")
                resumed += near.session_reused
                ended = next(made)
            return resumed

        connecting = [pairs.Background(connect) for _ in range(THREADS)]
        for number in range(reloads):
            while ended < connections * number // reloads and not all(
                one.ended(0) for one in connecting
            ):
                connecting[number % THREADS].ended(0.001)
            for client, server in self._turns:
                server.reload(self._authority.server.chain, self._authority.server.key)
                client.reload(cafile=self._authority.root)
                if kept is not None:
                    kept += [client._settings.use(), server._settings.use()]
        self.resumed += sum(one.result(600) for one in connecting)


def measure_reloads(connections: int, reloads: int, *, keep: bool = False) -> int:
    """Measure connections from several threads, with reloads in between."""
    with tempfile.TemporaryDirectory() as folder:
        work = Reloads(pki.make(Path(folder)))
        kept: list[Any] | None = [] if keep else None
        sizes = []
        for part in range(1, LINES + 1):
            work.run(connections // LINES, reloads // LINES, kept)
            sizes.append(resident())
            done, reloaded = part * connections // LINES, part * reloads // LINES
            print(
                f"{done:8} connections  {reloaded:5} reloads  {sizes[-1] / 1024:10.0f} KiB",
                flush=True,
            )
        print(f"{work.resumed} connections have resumed")
        if work.resumed < connections * 9 // 10:
            raise AssertionError("reloads have cost the clients their sessions")
        quarter = LINES // 4
        return int(median(sizes[-quarter:]) - median(sizes[quarter : 2 * quarter]))


def measure(handshakes: int, *, keep: bool = False, how: str | None = None) -> int:
    """Make that many handshakes, print the memory use, and return by how much it has grown in the
    second half.
    """
    with tempfile.TemporaryDirectory() as folder:
        authority = pki.make(Path(folder))
        rounds: Any = (
            Rounds(authority)
            if how is None
            else Visits(authority)
            if how == "aio"
            else Resumptions(authority, Path(folder), how)
        )
        each = 3 if how is None else 1
        kept: list[Any] = []
        count = max(handshakes // each, 2)
        step, middle = max(count // LINES, 1), 0
        for i in range(1, count + 1):
            made = rounds.make()
            if keep:
                kept.append(made)
            if i % step == 0 or i == count // 2 or i == count:
                now = resident()
                print(f"{i * each:8} handshakes  {now / 1024:10.0f} KiB", flush=True)
                if i == count // 2:
                    middle = now
        return resident() - middle


def main() -> int:
    parser = argparse.ArgumentParser(description="Does memory stay flat over many handshakes?")
    parser.add_argument("handshakes", type=int, nargs="?", default=20000)
    parser.add_argument("--keep", action="store_true", help="keep every connection: has to fail")
    parser.add_argument(
        "--resume",
        choices=["memory", "sqlite", "keyring", "server", "early"],
        help="connections that resume",
    )
    parser.add_argument("--aio", action="store_true", help="connections of an asyncio loop")
    parser.add_argument("--reload", type=int, metavar="N", help="reload both contexts N times")
    arguments = parser.parse_args()
    how = "aio" if arguments.aio else arguments.resume
    if arguments.reload:
        grown = measure_reloads(arguments.handshakes, arguments.reload, keep=arguments.keep)
    else:
        grown = measure(arguments.handshakes, keep=arguments.keep, how=how)
    print(f"the second half has grown by {grown / 1024:.0f} KiB; allowed are {LIMIT / 1024:.0f}")
    return int(grown > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
