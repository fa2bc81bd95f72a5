"""Measure how stores and handshakes scale.

python -m bench.scale stores [--sessions N ...]    puts, lookups and takes a second, and space
python -m bench.scale threads [--free PYTHON]      handshakes a second by number of threads
python -m bench.scale idle [WAY] [--connections N] memory of idle asyncio connections, each end
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from . import loops, threads
from .__main__ import ROOT, make_certificates

SESSIONS = [1_000, 10_000, 100_000, 1_000_000]
SAMPLE = 1000  # takes and lookups of a measurement
NAMES = {
    "ssl@asyncio": "ssl, asyncio",
    "ssl@aiofastnet": "ssl, aiofastnet",
    "tlskit@tlskit.aio": "tlskit.aio",
    "tlskit@tlskit.aio/uvloop": "tlskit.aio, uvloop",
}
VALUE = 1500  # bytes: a session with a small chain


class Kept(NamedTuple):
    """A store to measure: how to open it with room for that many, and the bytes that it takes."""

    open: Callable[[int], Any]
    used: Callable[[], int]


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Kept]:
    """An SQLiteStore in a new file."""
    import tlskit

    path = folder / "sessions.db"

    def used() -> int:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())

    yield Kept(lambda size: tlskit.SQLiteStore(path, size=size, disk=1 << 40, timeout=60), used)


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[Kept]:
    """A RedisStore in a Redis (or Valkey) server of its own, over a Unix socket."""
    import redis as library

    import tlskit

    program = redis_program()
    assert program is not None
    path = folder / "socket"
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly",
               "no", "--dir", str(folder)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            while "eady to accept connections" not in (line := server.stdout.readline()):
                if not line:
                    raise SystemExit("bench: redis-server does not start")
            client: Any = library.Redis(unix_socket_path=str(path))
            empty = client.info("memory")["used_memory"]
            yield Kept(
                lambda size: tlskit.RedisStore(client, secret=bytes(32), timeout=60),
                lambda: int(client.info("memory")["used_memory"]) - int(empty),
            )
        finally:
            server.terminate()


def redis_program() -> str | None:
    """Return the path of a Redis or Valkey server, if there is one, and redis-py."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return found if importlib.util.find_spec("redis") else None


STORES = {"SQLiteStore": sqlite, "RedisStore": redis}


def stores(counts: list[int], names: list[str]) -> None:
    """Fill stores up to each count, and measure them there."""
    print("| store | sessions | puts/s | lookups/s | takes/s | 99.9 % of puts within | KiB each |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in names:
        if name == "RedisStore" and redis_program() is None:
            print("bench: there is no redis-server here, or no redis-py", file=sys.stderr)
            continue
        with (
            tempfile.TemporaryDirectory(prefix="tlskit-scale-") as folder,
            STORES[name](Path(folder)) as kept,
        ):
            store, done = kept.open(10 * max(counts)), 0
            for count in counts:
                value = os.urandom(VALUE)
                took = [timed(store.put, key(number), value) for number in range(done, count)]
                # spread over the entries since the last measurement: earlier ones were taken
                sample = [key(number) for number in range(done, count, (count - done) // SAMPLE)]
                looks = [timed(store.get, one) for one in sample]
                size, done = kept.used() / 1024 / count, count
                takes = [timed(store.take, one) for one in sample]
                print(f"| {name} | {count:,} | {rate(took)} | {rate(looks)} | {rate(takes)} "
                      f"| {slowest(took)} | {size:.2f} |", flush=True)  # fmt: skip
            store.close()
            if name == "SQLiteStore":
                store = kept.open((count - SAMPLE * len(counts)) // 2 or 1)  # smaller than it is
                full = [timed(store.put, key(done + number), value) for number in range(SAMPLE)]
                store.close()
                print(f"| {name}, evicting | {count:,} | {rate(full)} | | | {slowest(full)} | |")


def timed(call: Callable[..., Any], key: bytes, *value: bytes) -> float:
    """Return the seconds of a put, take or lookup; exit if there was nothing."""
    begun = perf_counter()
    found = call(key, *value, *([7200] if value else []))
    took = perf_counter() - begun
    if not value and found is None:
        raise SystemExit("bench: a session that was put is not in the store")
    return took


def rate(took: list[float]) -> str:
    return f"{len(took) / sum(took):,.0f}"


def slowest(took: list[float]) -> str:
    return f"{sorted(took)[-1 - len(took) // 1000] * 1e3:.1f} ms"


def key(number: int) -> bytes:
    """Return a key as evenly distributed as a digest."""
    return (number * 0x9E3779B97F4A7C15 % (1 << 64)).to_bytes(8, "big") * 4


def idle(count: int, ways: list[str]) -> None:
    """Measure connections of asyncio that have sent a word, to a server in a separate process."""
    allow_descriptors(count)
    print(f"| {count:,} idle connections | KiB at the server | KiB at the client |")
    print("| --- | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="tlskit-scale-") as name:
        make_certificates(Path(name))
        for way in ways:
            command = [sys.executable, "-m", "bench.scale", "serve", way, "--folder", name]
            with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, cwd=ROOT) as server:
                assert server.stdin is not None
                assert server.stdout is not None
                port = int(server.stdout.readline())
                command = [sys.executable, "-m", "bench.scale", "connect", way, "--folder", name,
                           "--port", str(port), "--connections", str(count)]  # fmt: skip
                before = int(server.stdout.readline())
                with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, cwd=ROOT) as client:
                    assert client.stdin is not None
                    assert client.stdout is not None
                    mine = float(client.stdout.readline())
                    server.stdin.write("\n")
                    server.stdin.flush()
                    theirs = (int(server.stdout.readline()) - before) / count / 1024
                    client.stdin.close()
                server.stdin.close()
            print(f"| {NAMES.get(way, way)} | {theirs:.1f} | {mine:.1f} |", flush=True)


def possible() -> list[str]:
    """Return the ways whose libraries are installed."""
    libraries = ("uvloop", "aiofastnet")
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    return [way for way in NAMES if not any(name in way for name in missing)]


def allow_descriptors(count: int) -> None:
    """Let this process and its children have that many descriptors."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 100
    if most != resource.RLIM_INFINITY and most < wanted:
        raise SystemExit(
            f"bench: {count} connections need {wanted} descriptors; ulimit -n is {most}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def resident() -> int:
    """Return this process's resident bytes, without pages that could be dropped."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


async def serve(way: loops.Way, folder: str) -> None:
    """Serve until the standard input ends; print the memory at first, and at each line of it."""
    both = loops.contexts(importlib.import_module(way.module), folder, "TLSv1_3")
    server = await loops.net(way).create_server(
        loops.EchoServer, loops.LOOPBACK, 0, ssl=both.server, backlog=1000
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    print(resident(), flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(resident(), flush=True)


async def connect(way: loops.Way, folder: str, port: int, count: int) -> None:
    """Make connections, print how much each takes, and keep them until the standard input ends."""
    both = loops.contexts(importlib.import_module(way.module), folder, "TLSv1_3")
    make, kept = loops.net(way).create_connection, []

    async def one() -> None:
        transport, client = await make(
            lambda: loops.EchoClient(64),
            loops.LOOPBACK, port, ssl=both.client, server_hostname="localhost",
        )  # fmt: skip
        await client.run(1)
        kept.append(transport)

    await one()
    before = resident()
    while len(kept) < count:
        await asyncio.gather(*(one() for _ in range(min(50, count - len(kept)))))
    print((resident() - before) / (count - 1) / 1024, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    os._exit(0)  # closing them all is not measured


def main(arguments: list[str] | None = None) -> int:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("what", choices=["stores", "threads", "idle", "serve", "connect"])
    parser.add_argument("way", nargs="?", help="of bench.loops, for idle")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--sessions", type=int, nargs="+", default=SESSIONS, metavar="N")
    parser.add_argument("--store", choices=list(STORES), help="one of them, for stores")
    parser.add_argument("--free", type=Path, metavar="PYTHON", help="free-threaded, for threads")
    parser.add_argument("--rounds", type=int, default=5, help="for threads")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table here too")
    options = parser.parse_args(arguments)
    with copied(options.markdown):
        return measure(parser, options)


@contextlib.contextmanager
def copied(file: Path | None) -> Iterator[None]:
    """Print to the standard output, and copy that to a file at the end of the block."""
    if file is None:
        yield
        return
    lines = Lines()
    with contextlib.redirect_stdout(lines):
        yield
    file.write_text("".join(lines.said), encoding="utf-8")


class Lines(io.TextIOBase):
    """Keeps what is written, and passes it on."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.out = sys.stdout

    def write(self, text: str) -> int:
        self.said.append(text)
        return self.out.write(text)

    def flush(self) -> None:
        self.out.flush()


def measure(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Do what the arguments ask for."""
    if options.what == "stores":
        if min(options.sessions) < SAMPLE:
            parser.error(f"--sessions must be at least {SAMPLE}")
        stores(sorted(options.sessions), [options.store] if options.store else list(STORES))
    elif options.what == "threads":
        threads.run(options.rounds, options.free)
    elif options.what == "idle":
        idle(options.connections, [options.way] if options.way else possible())
    else:
        way = loops.parse_way(options.way)
        work = (
            serve(way, options.folder)
            if options.what == "serve"
            else connect(way, options.folder, options.port, options.connections)
        )
        with asyncio.Runner(loop_factory=loops.loop_factory(way)) as runner:
            runner.run(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
