"""Measure asyncio's transports at the same work, in turns: CPU time for each operation.

    python -m bench.aio                      every way that is installed, in a few minutes
    python -m bench.aio --rounds 3 own stdlib
    python -m bench.aio --loop uvloop

Both ends of a connection are in one process and one event loop, so an operation costs the CPU time
of a client and of a server. Each measurement is a process of its own, the ways take turns, and a
value is the median of its rounds; the spread beside it is from the second to the last but one.

Ways: `stdlib` is asyncio with the stdlib's context, `memory` asyncio's own transport with a context
of tlskit's, `own` tlskit.aio, `fast` aiofastnet with the stdlib's context, `fast-tlskit` with one
of tlskit's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WAYS = ("stdlib", "memory", "own", "fast", "fast-tlskit")
#: name: bytes of a message, operations in a measurement
ECHOES = {"echo 64": (64, 4000), "echo 16k": (16384, 2500), "echo 256k": (262144, 250)}
CONNECTS = 150
WORK = (*ECHOES, "connect")


def make_certificate(folder: Path) -> tuple[str, str]:
    """A self-signed certificate and its key, of an elliptic curve."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(certificate), str(key)


def contexts(module: Any, certificate: str, key: str) -> tuple[Any, Any]:
    server = module.SSLContext(module.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(certificate)
    return client, server


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Pinger(asyncio.Protocol):
    """Sends a message, and the next one when all of it has come back."""

    def begin(self, message: bytes, count: int) -> asyncio.Future[None]:
        self.message, self.left, self.missing = message, count, len(message)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        return self.done

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing:
            return
        self.left -= 1
        if self.left:
            self.missing = len(self.message)
            self.transport.write(self.message)
        else:
            self.done.set_result(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.transport = None


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(way: str, certificate: str, key: str) -> dict[str, float]:
    """Microseconds of CPU time for each operation, by the name of the work."""
    loop = asyncio.get_running_loop()
    module = importlib.import_module("tlskit" if way in ("memory", "own", "fast-tlskit") else "ssl")
    client, server_context = contexts(module, certificate, key)
    if way == "own":
        importlib.import_module("tlskit.aio").install()
    elif way.startswith("fast"):
        importlib.import_module("aiofastnet").patch_loop(loop)
    server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=server_context)
    address = server.sockets[0].getsockname()

    async def connect() -> Pinger:
        _, made = await loop.create_connection(
            Pinger, *address, ssl=client, server_hostname="localhost"
        )
        return made

    found = {}
    pinger = await connect()
    for name, (size, count) in ECHOES.items():
        await pinger.begin(bytes(size), max(count // 10, 20))
        began = cpu()
        await pinger.begin(bytes(size), count)
        found[name] = (cpu() - began) / count * 1e6
    for count in (CONNECTS // 10, CONNECTS):
        began = cpu()
        for _ in range(count):
            one = await connect()
            await one.begin(b"x" * 64, 1)
            one.transport.close()
            while one.transport is not None:
                await asyncio.sleep(0)
        found["connect"] = (cpu() - began) / count * 1e6
    pinger.transport.abort()
    server.close()
    return found


def child(way: str, loop: str, certificate: str, key: str) -> None:
    factory = None
    if loop == "uvloop":
        factory = importlib.import_module("uvloop").new_event_loop
    with contextlib.closing((factory or asyncio.new_event_loop)()) as running:
        print(json.dumps(running.run_until_complete(measure(way, certificate, key))))


def available(ways: list[str]) -> list[str]:
    fast = importlib.util.find_spec("aiofastnet") is not None
    return [way for way in ways if fast or not way.startswith("fast")]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("ways", nargs="*", default=list(WAYS), metavar="WAY")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--child", nargs=2, metavar=("CERTIFICATE", "KEY"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.ways[0], given.loop, *given.child)
        return
    ways = available(given.ways)
    values: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        pair = make_certificate(Path(folder))
        for _ in range(given.rounds):
            for way in ways:
                command = [
                    sys.executable, "-m", "bench.aio", way, "--loop", given.loop, "--child", *pair,
                ]  # fmt: skip
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                for name, value in json.loads(done.stdout).items():
                    values.setdefault((way, name), []).append(value)
    print(f"{'CPU us per operation':22}" + "".join(f"{way:>24}" for way in ways))
    for name in WORK:
        row, base = f"{name:22}", statistics.median(values[ways[0], name])
        for way in ways:
            found = sorted(values[way, name])
            middle = statistics.median(found)
            low, high = found[len(found) > 2], found[-1 - (len(found) > 2)]
            row += (
                f"{middle:9.1f} {low:6.0f}-{high:<6.0f}"[:18].rjust(18) + f"{base / middle:5.2f}x"
            )
        print(row)


if __name__ == "__main__":
    main()
