"""Processes that share a store: what one has earned, the others resume; a ticket is offered once; a
store may die.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

import tlskit
from tlskit import MemoryStore

from ..support import servers
from ..support.pairs import echo_server, only, server_context
from ..support.pki import PKI

HERE = Path(__file__).resolve().parents[2]
MODERN, OLD = tlskit.TLSVersion.TLSv1_3, tlskit.TLSVersion.TLSv1_2


class Counting(MemoryStore):
    """A server's store that counts how often each session was offered."""

    __slots__ = ("lock", "offered")

    def __init__(self) -> None:
        super().__init__(size=100_000)
        self.offered: Counter[bytes] = Counter()
        self.lock = Lock()

    def get(self, key: bytes) -> Any:
        with self.lock:
            self.offered[key] += 1
        return super().get(key)


class Visitor:
    """A running `visitor` process."""

    def __init__(self, place: str, pki: PKI, address: tuple[str, int], count: int) -> None:
        paths = os.pathsep.join([str(HERE), *filter(None, sys.path)])
        command = [
            sys.executable,
            "-m",
            "tests.support.visitor",
            place,
            str(pki.root),
            address[0],
            str(address[1]),
            str(count),
        ]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": paths},
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    def seen(self, count: int) -> bytes:
        """Wait until it has made so many connections."""
        assert self.process.stdout is not None
        got = b"".join(self.process.stdout.readline().strip() for _ in range(count))
        assert len(got) == count
        return got

    def result(self) -> bytes:
        """The rest of its connections, a letter each; it must have ended well."""
        assert self.process.stdout is not None
        with self.process, self.process.stdout as out:
            got = out.read().replace(b"\n", b"")
        assert self.process.returncode == 0
        return got


@pytest.fixture(params=["sqlite", "redis", "memcached"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Where a store is, and how to take it away."""
    if request.param != "redis":  # a Python without SQLite, or without zlib
        pytest.importorskip({"sqlite": "sqlite3", "memcached": "pymemcache"}[request.param])
    if request.param == "sqlite":

        def spoil() -> None:
            (tmp_path / "sessions.db").write_bytes(b"this is no database" * 1000)

        yield f"sqlite:{tmp_path / 'sessions.db'}", spoil
        return
    start = {"redis": servers.redis_server, "memcached": servers.memcached_server}[request.param]
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(start())
        yield f"{request.param}:{running.host}:{running.port}", running.process.stop


def several(place: str) -> int:
    return 2 if place.startswith("sqlite") else 4


@pytest.mark.parametrize("version", [OLD, MODERN], ids=["tls12", "tls13"])
def test_what_one_process_earns_the_others_resume(
    place: tuple[str, Any], pki: PKI, version: Any
) -> None:
    context = server_context(pki, identity=pki.direct)
    only(version, context)
    with echo_server(context) as address:
        assert Visitor(place[0], pki, address, 1).result() == b"f"
        for _ in range(3):
            assert Visitor(place[0], pki, address, 2).result() == b"rr"


def test_no_ticket_is_offered_twice(place: tuple[str, Any], pki: PKI) -> None:
    crowd(place[0], pki, 60)


@pytest.mark.slow
def test_no_ticket_is_offered_twice_in_ten_thousand_connections(pki: PKI, tmp_path: Path) -> None:
    with servers.redis_server() as redis, servers.memcached_server() as memcached:
        for place in (
            f"sqlite:{tmp_path / 's'}",
            f"redis:{redis.host}:{redis.port}",
            f"memcached:{memcached.host}:{memcached.port}",
        ):
            crowd(place, pki, 3400 // several(place))


def crowd(place: str, pki: PKI, count: int) -> None:
    """Several processes at once; the server counts."""
    context = server_context(pki, identity=pki.direct)
    only(MODERN, context)
    context.sessions.store = kept = Counting()
    with echo_server(context) as address:
        results = [
            visitor.result()
            for visitor in [Visitor(place, pki, address, count) for _ in range(several(place))]
        ]
    letters = Counter(b"".join(results))
    assert sum(letters.values()) == count * several(place)
    assert max(kept.offered.values()) == 1
    assert letters[ord("r")] == len(kept.offered)
    assert letters[ord("f")] <= 2 * several(
        place
    )  # the first of each, and no more but for an accident of timing


def test_a_store_that_dies_fails_nothing(place: tuple[str, Any], pki: PKI) -> None:
    context = server_context(pki, identity=pki.direct)
    with echo_server(context) as address:
        visitors = [Visitor(place[0], pki, address, 120) for _ in range(several(place[0]))]
        for visitor in visitors:
            assert b"r" in visitor.seen(20)
        place[1]()  # and from now on nobody answers
        for visitor in visitors:
            assert len(visitor.result()) == 100


# -- servers ---------------------------------------------------------------------------------------

SERVER = """
import contextlib, socket, sys, time
import tlskit
from tests.support.visitor import SECRET, store_at

kind, chain, key, descriptor = sys.argv[1:5]
context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
if kind == "fleet":
    context.tickets.keyring = tlskit.TicketKeyring.fleet(SECRET * 2, period=float(sys.argv[5]), lifetime=2 * float(sys.argv[5]))
else:
    context.sessions.store = store_at(kind)
listener = socket.socket(fileno=int(descriptor))
print("ready", flush=True)
while True:
    plain, _ = listener.accept()
    with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as wrapped:
        wrapped.settimeout(10)
        wrapped.sendall(wrapped.recv(1))
"""


@contextlib.contextmanager
def fleet(pki: PKI, count: int, kind: str, *more: str) -> Iterator[tuple[str, int]]:
    """Server processes behind one address: whoever accepts first serves."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    os.set_inheritable(listener.fileno(), True)
    paths = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    command = [
        sys.executable,
        "-c",
        SERVER,
        kind,
        str(pki.direct.chain),
        str(pki.direct.key),
        str(listener.fileno()),
        *more,
    ]
    processes = [
        subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": paths},
            cwd=HERE,
            stdout=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            text=True,
        )
        for _ in range(count)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield listener.getsockname()
    finally:
        for process in processes:
            process.kill()
            process.communicate()
        listener.close()


@pytest.mark.parametrize("version", [OLD, MODERN], ids=["tls12", "tls13"])
def test_servers_resume_each_others_sessions(
    place: tuple[str, Any], pki: PKI, tmp_path: Path, version: Any
) -> None:
    """Three worker processes and one store for the sessions of all."""
    pytest.importorskip("sqlite3")
    with fleet(pki, 3, place[0]) as address:
        store = tmp_path / "client.db"
        letters = Visitor(f"sqlite:{store}", pki, address, 30).result()
    assert letters == b"f" + b"r" * 29
