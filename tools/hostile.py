"""Attack an asyncio server over tlskit's transport, and check that it survives its peers.

    python tools/hostile.py 10000 [--loop uvloop] [--only NAME] [--keep] [--patience 60]

The server runs in a separate process; it is also a client, which visits hostile servers. The
attacks take turns: ends and resets at every point, stalls, garbage, half-closes, floods of tickets,
of key updates and of tiny records, readers that do not read. In between, an honest client must get
its answers. At the end, the server must have no more tasks and descriptors than before, must not
have logged anything, and its memory may grow by at most LIMIT in the second half; otherwise the
exit status is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import random
import socket
import ssl as stdlib
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tlskit
from tests.aio.transport.peer import Peer, reach
from tests.support import pki
from tlskit import aio
from tools.leak import resident

LIMIT = 2 << 20  # bytes
AT_ONCE = 100  # attacks
TIMEOUT = 3.0  # seconds, the server's for handshakes and for closing
PATIENCE = 60.0  # seconds: an attack or an honest client that takes longer is stuck (--patience)
SETTLING = 10.0  # seconds, at most, until nothing may be left of the attacks
CHANGE_CIPHER_SPEC = b"\x14\x03\x03\x00\x01\x01"
WARNING = b"\x15\x03\x03\x00\x02\x01\x00"
REQUEST = b"an honest request"


def contexts(folder: Path) -> tuple[Any, Any]:
    """Return a client's and a server's context, with the certificates in a folder."""
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    client.load_verify_locations(folder / "root.pem")
    server.load_cert_chain(folder / "server.chain.pem", folder / "server.key.pem")
    return client, server


# ---- the server, in a separate process ---------------------------------------------------------


class Victim:
    """An echo server, and a client that visits servers. It answers commands on its standard input,
    one per line.
    """

    def __init__(self, client: Any, server: Any, *, keep: bool) -> None:
        self._client, self._server = client, server
        self._kept: list[Any] | None = [] if keep else None
        self._complaints: list[str] = []
        self._served = 0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, told: self._complaints.append(repr(told)))
        logging.basicConfig(level=logging.ERROR)  # peers that have left are not errors
        server: Any = await aio.start_server(
            self._echo, "127.0.0.1", 0, ssl=self._server,
            ssl_handshake_timeout=TIMEOUT, ssl_shutdown_timeout=TIMEOUT,
        )  # fmt: skip
        questions = asyncio.StreamReader()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(questions), sys.stdin.buffer
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        visits: set[Any] = set()
        while question := (await questions.readline()).split():
            if question[0] == b"visit":
                visit = asyncio.ensure_future(self._visit(int(question[1])))
                visits.add(visit)
                visit.add_done_callback(visits.discard)
            else:
                print(json.dumps(self._state()), flush=True)
        server.close()

    def _state(self) -> dict[str, Any]:
        gc.collect()
        return {
            "memory": resident(),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "tasks": len(asyncio.all_tasks()),
            "served": self._served,
            "complaints": self._complaints,
        }

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._served += 1
        if self._kept is not None:
            self._kept.append(writer.get_extra_info("socket").dup())
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def _visit(self, port: int) -> None:
        with contextlib.suppress(OSError):
            reader, writer = await aio.open_connection(
                "127.0.0.1", port, ssl=self._client, server_hostname="localhost",
                ssl_handshake_timeout=TIMEOUT, ssl_shutdown_timeout=TIMEOUT,
            )  # fmt: skip
            writer.write(REQUEST)
            with contextlib.suppress(OSError):
                while await reader.read(65536):
                    pass
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


# ---- attacks of clients --------------------------------------------------------------------------


async def hello_of(peer: Peer) -> bytes:
    """Return a ClientHello that has not been sent."""
    with contextlib.suppress(stdlib.SSLWantReadError):
        peer.tls.do_handshake()
    return peer.taken()


async def put(peer: Peer, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(peer.sock, data)


async def reset_at_once(peer: Peer) -> None:
    peer.reset()


async def end_at_once(peer: Peer) -> None:
    peer.hang_up()
    await peer.silence()


async def silent(peer: Peer) -> None:
    await peer.silence()


async def stall_in_hello(peer: Peer) -> None:
    await put(peer, (await hello_of(peer))[:40])
    await peer.silence()


async def reset_in_hello(peer: Peer) -> None:
    await put(peer, (await hello_of(peer))[:40])
    peer.reset()


async def reset_after_hello(peer: Peer) -> None:
    await put(peer, await hello_of(peer))
    peer.reset()


async def half_close_after_hello(peer: Peer) -> None:
    await put(peer, await hello_of(peer))
    peer.hang_up()
    await peer.silence()


async def hello_in_bytes(peer: Peer) -> None:
    for byte in await hello_of(peer):
        await put(peer, bytes([byte]))
        await asyncio.sleep(0)
    peer.reset()


async def mutated_hello(peer: Peer) -> None:
    hello = bytearray(await hello_of(peer))
    for _ in range(3):
        hello[random.randrange(9, len(hello))] = random.randrange(256)
    await put(peer, bytes(hello))
    await peer.silence()


async def large_hello(peer: Peer) -> None:
    await put(peer, b"\x16\x03\x01\x40\x00\x01\x02\x00\x00" + bytes(16380))
    with contextlib.suppress(OSError):
        for _ in range(8):
            await put(peer, b"\x16\x03\x01\x40\x00" + bytes(16384))
    await peer.silence()


async def plain_http(peer: Peer) -> None:
    await put(peer, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await peer.silence()


async def garbage(peer: Peer) -> None:
    await put(peer, random.randbytes(random.randrange(1, 30000)))
    await peer.silence()


async def flood_of_warnings(peer: Peer) -> None:
    await put(peer, WARNING * 1000)
    await peer.silence()


async def flood_of_ccs(peer: Peer) -> None:
    await put(peer, await hello_of(peer) + CHANGE_CIPHER_SPEC * 1000)
    await peer.silence()


async def stall_after_hello(peer: Peer) -> None:
    await put(peer, await hello_of(peer))
    await peer.silence()


async def reset_with_finished(peer: Peer) -> None:
    await peer.handshake()
    peer.reset()


async def end_with_finished(peer: Peer) -> None:
    await peer.handshake(flush=False)
    peer.end()
    await peer.flush()
    peer.hang_up()
    await peer.silence()


async def garbage_after_handshake(peer: Peer) -> None:
    await peer.handshake()
    await put(peer, random.randbytes(1000))
    await peer.silence()


async def bad_record(peer: Peer) -> None:
    await peer.handshake()
    peer.tls.write(REQUEST)
    record = bytearray(peer.taken())
    record[-1] ^= 1
    await put(peer, bytes(record))
    await peer.silence()


async def torn_record(peer: Peer) -> None:
    await peer.handshake()
    peer.tls.write(bytes(10000))
    await put(peer, peer.taken()[:5000])
    peer.hang_up()
    await peer.silence()


async def half_close(peer: Peer) -> None:
    await peer.handshake()
    await peer.write(REQUEST)
    peer.hang_up()
    await peer.silence()


async def reset_while_answered(peer: Peer) -> None:
    await peer.handshake()
    await peer.write(bytes(100000))
    peer.reset()


async def speaks_after_end(peer: Peer) -> None:
    await peer.handshake()
    peer.tls.write(REQUEST)
    last = peer.taken()
    peer.end()
    await peer.flush()
    with contextlib.suppress(OSError):
        for _ in range(100):
            await put(peer, last)
    await peer.silence()


async def slow_reader(peer: Peer) -> None:
    await peer.handshake()
    for _ in range(64):
        peer.tls.write(bytes(16384))
    sending = asyncio.ensure_future(peer.flush())  # it gets stuck when the server is
    with contextlib.suppress(TimeoutError, asyncio.TimeoutError, OSError):
        await asyncio.wait_for(sending, TIMEOUT / 2)
    peer.reset()


async def tiny_records(peer: Peer) -> None:
    await peer.handshake()
    for _ in range(2000):
        peer.tls.write(b"x")
    await peer.flush()
    peer.reset()


async def slow_writer(peer: Peer) -> None:
    await peer.handshake()
    peer.tls.write(REQUEST)
    for byte in peer.taken():
        await put(peer, bytes([byte]))
        await asyncio.sleep(0)
    if await peer.read() != REQUEST:
        raise AssertionError("the answer was wrong")
    peer.reset()


async def flood_of_key_updates(peer: Peer) -> None:
    await peer.handshake()
    if peer.tls.version() == "TLSv1.3":
        for _ in range(1000):
            peer.tls.key_update(request_peer=True)
    await peer.flush()
    with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
        await asyncio.wait_for(peer.silence(), TIMEOUT / 4)
    peer.reset()


# ---- attacks of servers --------------------------------------------------------------------------


async def server_resets(peer: Peer) -> None:
    peer.reset()


async def server_stalls(peer: Peer) -> None:
    await peer.silence()


async def server_is_not_tls(peer: Peer) -> None:
    await put(peer, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await peer.silence()


async def server_floods_tickets(peer: Peer) -> None:
    await peer.handshake()
    await peer.write(REQUEST)
    peer.end()
    await peer.flush()
    await peer.silence()


async def server_floods_key_updates(peer: Peer) -> None:
    await flood_of_key_updates(peer)


async def server_cuts(peer: Peer) -> None:
    await peer.handshake()
    await peer.write(REQUEST)
    peer.hang_up()
    await peer.silence()


async def server_sends_garbage(peer: Peer) -> None:
    await garbage_after_handshake(peer)


Attack = Callable[[Peer], Awaitable[None]]
CLIENTS: list[Attack] = [
    reset_at_once, end_at_once, silent, stall_in_hello, reset_in_hello, reset_after_hello,
    half_close_after_hello, hello_in_bytes, mutated_hello, large_hello, plain_http, garbage,
    flood_of_warnings, flood_of_ccs, stall_after_hello, reset_with_finished,
    end_with_finished, garbage_after_handshake, bad_record, torn_record, half_close,
    reset_while_answered, speaks_after_end, slow_reader, tiny_records, slow_writer,
    flood_of_key_updates,
]  # fmt: skip
SERVERS: list[Attack] = [
    server_resets, server_stalls, server_is_not_tls, server_floods_tickets,
    server_floods_key_updates, server_cuts, server_sends_garbage,
]  # fmt: skip


class Attackers:
    """Runs all attackers, in one process."""

    def __init__(
        self, victim: asyncio.subprocess.Process, folder: Path, options: argparse.Namespace
    ) -> None:
        self._victim = victim
        self._patience: float = options.patience
        self._settling = min(SETTLING, self._patience)
        names = options.only
        self._attacks = [a for a in CLIENTS + SERVERS if not names or a.__name__ in names]
        self._contexts: list[tuple[Any, Any]] = []
        for version in (tlskit.TLSVersion.TLSv1_3, tlskit.TLSVersion.TLSv1_2):
            client, server = contexts(folder)
            for context in (client, server):
                context.minimum_version = context.maximum_version = version
            server.num_tickets = 200
            self._contexts.append((client, server))
        self.failed: Counter[str] = Counter()
        self.honest = self.retries = 0
        self.slowest = 0.0
        self._port = 0

    async def ask(self, question: str) -> Any:
        """Return the victim's answer."""
        assert self._victim.stdin is not None
        assert self._victim.stdout is not None
        self._victim.stdin.write(question.encode() + b"\n")
        return json.loads(await self._victim.stdout.readline())

    async def begin(self) -> None:
        assert self._victim.stdout is not None
        self._port = int(await self._victim.stdout.readline())

    async def make(self, first: int, count: int) -> None:
        """Make `count` attacks, several at a time, with honest clients in between."""
        numbers = iter(range(first, first + count))
        calls = asyncio.ensure_future(self._call())
        await asyncio.gather(*(self._attack_on(numbers) for _ in range(AT_ONCE)))
        calls.cancel()
        await asyncio.gather(calls, return_exceptions=True)

    async def _attack_on(self, numbers: Any) -> None:
        for number in numbers:
            attack = self._attacks[number % len(self._attacks)]
            contexts = self._contexts[number // len(self._attacks) % 2]
            try:
                await asyncio.wait_for(self._attack(attack, *contexts), self._patience)
            except OSError as error:
                if isinstance(error, TimeoutError):
                    self.failed[f"{attack.__name__} is stuck"] += 1
            except Exception as error:
                self.failed[f"{attack.__name__}: {error!r}"] += 1

    async def _attack(self, attack: Attack, client: Any, server: Any) -> None:
        if attack in CLIENTS:
            with await reach(("127.0.0.1", self._port)) as sock:
                await attack(Peer(sock, client, server_side=False))
            return
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            assert self._victim.stdin is not None
            self._victim.stdin.write(b"visit %d\n" % listener.getsockname()[1])
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
        with sock:
            sock.setblocking(False)
            await attack(Peer(sock, server))

    async def _call(self) -> None:
        """Run one honest client after the other."""
        while True:
            begun = monotonic()
            while True:  # on a busy machine, an honest handshake may take too long, too
                try:
                    await asyncio.wait_for(self._honest(), self._patience)
                    break
                except (OSError, asyncio.TimeoutError) as error:
                    self.retries += 1
                    if monotonic() - begun > self._patience:
                        self.failed[f"honest: {error!r}"] += 1
                        break
            self.honest += 1
            self.slowest = max(self.slowest, monotonic() - begun)
            await asyncio.sleep(0.05)

    async def _honest(self) -> None:
        with await reach(("127.0.0.1", self._port)) as sock:
            peer = Peer(sock, self._contexts[self.honest % 2][0], server_side=False)
            await peer.handshake()
            await peer.write(REQUEST)
            got = b""
            while len(got) < len(REQUEST):
                got += await peer.read()
            if got != REQUEST:
                raise AssertionError("the answer was wrong")
            peer.end()
            await peer.flush()
            await peer.silence()

    async def settled(self, before: dict[str, Any] | None) -> dict[str, Any]:
        """Return the victim's state once all attackers have left."""
        end = monotonic() + self._settling
        while True:
            state: dict[str, Any] = await self.ask("state")
            if (
                before is None
                or monotonic() > end
                or (
                    state["tasks"] <= before["tasks"]
                    and state["descriptors"] <= before["descriptors"]
                )
            ):
                return state
            await asyncio.sleep(0.1)


async def attack(options: argparse.Namespace, folder: Path) -> int:
    """Run everything, and return the number of failures."""
    count: int = options.count
    victim = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--victim", str(folder), "--loop", options.loop,
        *(["--keep"] if options.keep else []),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    attackers = Attackers(victim, folder, options)
    await attackers.begin()
    before, middle, wrong = await attackers.settled(None), None, []
    steps = 10 if count >= 1000 else 2
    state = before
    for step in range(steps):
        await attackers.make(count * step // steps, count // steps)
        state = await attackers.settled(before)
        print(
            f"{count * (step + 1) // steps:8} attacks  {state['memory'] / 1024:10.0f} KiB  "
            f"{state['served']} served, {state['tasks']} tasks, {state['descriptors']} descriptors",
            flush=True,
        )
        if step == steps // 2 - 1:
            middle = state
    assert middle is not None
    for what in ("tasks", "descriptors"):
        if state[what] > before[what]:
            wrong.append(f"{state[what] - before[what]} {what} are left")
    grown = state["memory"] - middle["memory"]
    print(f"the second half has grown by {grown / 1024:.0f} KiB; allowed are {LIMIT / 1024:.0f}")
    if grown > LIMIT:
        wrong.append("memory has grown")
    print(
        f"{attackers.honest} honest clients were served, the slowest in {attackers.slowest:.2f} s, "
        f"with {attackers.retries} more tries"
    )
    wrong += state["complaints"][:10]
    wrong += [f"{count} times: {what}" for what, count in attackers.failed.items()]
    assert victim.stdin is not None
    victim.stdin.close()
    if code := await victim.wait():
        wrong.append(f"the server has ended with {code}")
    for sentence in wrong:
        print("WRONG", sentence)
    return len(wrong)


def run(main: Any, loop: str) -> Any:
    """Run it in an event loop of that kind."""
    made = asyncio.new_event_loop()
    if loop == "uvloop":
        import uvloop

        made = uvloop.new_event_loop()
    try:
        return made.run_until_complete(main)
    finally:
        made.close()


def main(arguments: list[str] | None = None) -> int:
    """Attack, or be attacked."""
    parser = argparse.ArgumentParser(description="Does an asyncio server survive its peers?")
    parser.add_argument("count", type=int, nargs="?", default=10000, help="of attacks")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this attack")
    parser.add_argument("--keep", action="store_true", help="the server closes none: has to fail")
    parser.add_argument("--patience", type=float, default=PATIENCE, metavar="SECONDS")
    parser.add_argument("--victim", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.victim:
        client, server = contexts(options.victim)
        client.sessions.store = tlskit.MemoryStore(100)  # every server is a new one
        run(Victim(client, server, keep=options.keep).run(), options.loop)
        return 0
    with tempfile.TemporaryDirectory(prefix="tlskit-hostile-") as name:
        pki.make(Path(name))
        wrong: int = run(attack(options, Path(name)), "asyncio")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
