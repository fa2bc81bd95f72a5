"""Measure what automatic resumption gains, and what it costs.

    python -m bench.resumption            in about a minute
    python -m bench.resumption --quick    in seconds, to see that it works

Every row is a way to connect. A round gives each of them a turn of a twentieth of a second; rates
are the medians of the rounds, and ratios those of the rounds' own ratios. For the rows over
sockets, the server runs in a separate process, with an RSA certificate (2048 bits) and an
intermediate authority, as most of the web's do. Rows of libraries that are not installed are left
out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import trustme

import tlskit

from .turns import gain, rotated

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@dataclass(frozen=True)
class Row:
    """One way to connect.

    Attributes:
        name: its name in the table.
        visit: makes one connection, and returns whether it was resumed, or None if the library does
            not report it.
        against: the name of the row that it is compared with.
        aim: the target ratio, at least.
    """

    name: str
    visit: Callable[[], bool | None]
    against: str | None = None
    aim: float | None = None


# -- the other end ---------------------------------------------------------------------------------


def serve(listener: socket.socket, identity: str) -> None:
    """Answer every request."""
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)
    while True:
        plain, _ = listener.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with (
            contextlib.suppress(OSError),
            plain,
            context.wrap_socket(plain, server_side=True) as wrapped,
        ):
            wrapped.recv(65536)
            wrapped.sendall(RESPONSE)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        process = multiprocessing.get_context("fork").Process(
            target=serve, args=(listener, str(folder / "server.pem")), daemon=True
        )
        process.start()
        try:
            yield listener.getsockname()
        finally:
            process.kill()
            process.join()


def certificates(folder: Path) -> None:
    root = trustme.CA()
    root.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf = root.create_child_ca().issue_cert("localhost", key_type=trustme.KeyType.RSA)
    (folder / "server.pem").write_bytes(leaf.private_key_and_cert_chain_pem.bytes())


# -- the rows --------------------------------------------------------------------------------------


def client(folder: Path) -> Any:
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / "ca.pem")
    return context


def in_memory(folder: Path) -> Iterator[Row]:
    """Yield rows with both ends in this process: the cost of automatic resumption, compared to a
    session that is set explicitly.
    """
    far = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    far.load_cert_chain(folder / "server.pem")

    def connect(context: Any, session: Any = None) -> Any:
        to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = context.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
        other = far.wrap_bio(to_server, to_client, server_side=True)
        with contextlib.suppress(tlskit.SSLWantReadError):
            near.do_handshake()
        with contextlib.suppress(tlskit.SSLWantReadError):
            other.do_handshake()
        near.do_handshake()
        other.do_handshake()
        with contextlib.suppress(tlskit.SSLWantReadError):
            near.read(1)
        return near

    plain = client(folder)
    yield Row("full, in memory", lambda: connect(plain).session_reused)
    kept: list[Any] = [connect(plain).session]

    def by_hand() -> bool:
        near = connect(plain, kept[0])
        kept[0] = near.session
        return bool(near.session_reused)

    yield Row("set by hand, in memory", by_hand, "full, in memory", 1.4)
    stores = {
        "MemoryStore": tlskit.MemoryStore(),
        "SQLiteStore": tlskit.SQLiteStore(folder / "sessions.db"),
    }
    for name, store in stores.items():
        context = client(folder)
        context.sessions.store = store
        connect(context)
        aim = 1 / 1.15 if name == "MemoryStore" else None
        yield Row(
            f"by itself ({name}), in memory",
            lambda context=context: connect(context).session_reused,
            "set by hand, in memory",
            aim,
        )


def over_sockets(folder: Path, address: tuple[str, int]) -> Iterator[Row]:
    def visit(context: Any) -> bool:
        with (
            socket.create_connection(address) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as wrapped,
        ):
            wrapped.sendall(b"x")
            while wrapped.recv(100):
                pass
            return bool(wrapped.session_reused)

    context, resuming = client(folder), client(folder)
    resuming.sessions.resume = True
    visit(resuming)
    yield Row("full, over sockets", lambda: visit(context))
    yield Row("by itself, over sockets", lambda: visit(resuming), "full, over sockets", 1.5)


def by_libraries(folder: Path, address: tuple[str, int]) -> Iterator[Row]:
    """Yield rows with a new connection each time, including everything that the library does around
    it.
    """
    url, bundle = f"https://localhost:{address[1]}/", str(folder / "ca.pem")
    contexts = {"full": client(folder), "by itself": client(folder)}
    contexts["by itself"].sessions.resume = True
    with contextlib.suppress(ImportError):
        import requests
        from requests.adapters import HTTPAdapter

        class Adapter(HTTPAdapter):
            def __init__(self, context: Any) -> None:
                self.context = context
                super().__init__()

            def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
                super().init_poolmanager(*args, ssl_context=self.context, **kwargs)

        def get(context: Any) -> None:
            with requests.Session() as session:
                session.mount("https://", Adapter(context))
                assert session.get(url, verify=bundle).text == "ok"

        yield from pair("requests", get, contexts)
    with contextlib.suppress(ImportError):
        import httpx

        def fetch(context: Any) -> None:
            assert httpx.get(url, verify=context).text == "ok"

        yield from pair("httpx", fetch, contexts)


def pair(library: str, get: Callable[[Any], None], contexts: dict[str, Any]) -> Iterator[Row]:
    def visit(how: str) -> bool | None:
        counted = contexts[how].sessions.counters["resumed"]
        get(contexts[how])
        return (
            bool(contexts[how].sessions.counters["resumed"] > counted)
            if how == "by itself"
            else None
        )

    visit("by itself")
    yield Row(f"full, {library}", lambda: visit("full"))
    yield Row(f"by itself, {library}", lambda: visit("by itself"), f"full, {library}", 1.5)


# -- measuring -------------------------------------------------------------------------------------


def rate(row: Row, seconds: float) -> tuple[float, float]:
    """Return the number of connections per second, and of this process's CPU seconds."""
    expected = None if row.against is None else True
    done, start, used = 0, time.perf_counter(), time.process_time()
    while (took := time.perf_counter() - start) < seconds:
        resumed = row.visit()
        if expected and resumed is False:
            raise SystemExit(f"{row.name}: a connection was not resumed")
        done += 1
    return done / took, done / (time.process_time() - used)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.resumption",
        description="What resuming by itself brings, and what it costs.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="see that it works; the figures are rough"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rates of each round")
    options = parser.parse_args()
    quick = options.quick
    rounds, seconds = (3, 0.1) if quick else (41, 0.05)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates(folder)
        with server(folder) as address:
            rows = [
                *in_memory(folder),
                *over_sockets(folder, address),
                *by_libraries(folder, address),
            ]
            seen: dict[str, list[float]] = {row.name: [] for row in rows}
            by_cpu: dict[str, list[float]] = {row.name: [] for row in rows}
            for order in rotated(rows, rounds):
                for row in order:
                    wall, cpu = rate(row, seconds)
                    seen[row.name].append(wall)
                    by_cpu[row.name].append(cpu)
    if options.json:
        against = {row.name: row.against for row in rows}
        options.json.write_text(
            json.dumps({"wall": seen, "cpu": by_cpu, "against": against}) + "\n"
        )
    print(f"{'connection':<36}{'per second':>12}{'by wall':>9}{'by CPU':>8}  of")
    for row in rows:
        line = f"{row.name:<36}{median(seen[row.name]):>12,.0f}"
        if row.against is not None:
            wall, ratio = (gain(one[row.name], one[row.against]) for one in (seen, by_cpu))
            aim = (
                ""
                if row.aim is None
                else f" (aim {row.aim:.2f}{'' if ratio >= row.aim else ', MISSED'})"
            )
            line += f"{wall:>8.2f}x{ratio:>7.2f}x  {row.against}{aim}"
        print(line)
    print(
        f"Python {sys.version.split()[0]}, "
        f"{tlskit.OPENSSL_VERSION}.{' A quick run: its figures are rough.' if quick else ''}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
