"""The recipes of docs/recipes.md and the programs of docs/ftps.md, each run as it is printed there,
against real peers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tlskit

from .interop.test_ftplib import serve as serve_ftp
from .support import servers
from .support.pairs import Background, client_context, memory_pair, only, server_context
from .support.peers import PATIENCE, s_server, speaking
from .support.pki import PKI
from .support.raw import until
from .test_docs import Site, examples

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
SECRET, OTHER_SECRET = os.urandom(32), os.urandom(32)


def recipes() -> dict[str, list[tuple[int, str]]]:
    """By heading: the first line and the text of each of its programs."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found: dict[str, list[tuple[int, str]]] = {}
    for first, source in examples("docs/recipes.md"):
        heading = next(line for line in reversed(lines[:first]) if line.startswith("## "))
        found.setdefault(heading[3:], []).append((first, source))
    return found


def program(heading: str, which: int = 0) -> dict[str, Any]:
    """The names of a recipe's program, once it has run."""
    first, source = recipes()[heading][which]
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(compile("\n" * first + source, str(PAGE), "exec"), names)
    return names


@pytest.fixture
def files(pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files that the recipes name, on a machine that trusts their
    authority.
    """
    for name, source in (
        ("server.pem", pki.server.chain),
        ("server.key", pki.server.key),
        ("clients-root.pem", pki.root),
    ):
        shutil.copy(source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.root))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.root))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path


def test_each_recipe_has_a_test() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert [heading for heading in recipes() if f'"{heading}"' not in tests] == []


def test_ftps(pki: PKI, files: Path) -> None:
    listing = program("FTPS that demands session reuse")["listing"]
    server = server_context(pki)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Background(lambda: serve_ftp(listener, server))
        assert listing("localhost", listener.getsockname()[1], "me", "secret") == ["one", "two"]
    assert serving.result() == [False, True]


@pytest.fixture
def ftps(files: Path) -> Iterator[dict[str, Any]]:
    """The names that docs/ftps.md defines."""
    names: dict[str, Any] = {"__name__": "page"}
    for first, source in examples("docs/ftps.md"):
        exec(compile("\n" * first + source, "docs/ftps.md", "exec"), names)
    try:
        yield names
    finally:
        tlskit.extract_from_ssl()


@pytest.mark.parametrize("how", ["listing", "listing_as_before", "why"])
def test_the_page_about_ftps(pki: PKI, ftps: dict[str, Any], how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Background(lambda: serve_ftp(listener, server_context(pki)))
        found = ftps[how]("localhost", listener.getsockname()[1], "me", "secret")
    assert found == ["one", "two"] or isinstance(found, tlskit.Resumed)
    assert serving.result() == [False, True]


def test_a_server_that_demands_resumption(pki: PKI, ftps: dict[str, Any]) -> None:
    client, server = client_context(pki), server_context(pki)
    client.sessions.resume = True
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def visit() -> bool:
            serving = Background(
                lambda: ftps["data_connection"](server, listener.accept()[0]).close()
            )
            plain = socket.create_connection(listener.getsockname(), PATIENCE)
            with (
                client.wrap_socket(plain, server_hostname="localhost") as connection,
                contextlib.suppress(OSError),
            ):
                while connection.recv(1):
                    pass
            try:
                serving.result()
            except ConnectionRefusedError:
                return False
            return True

        assert [visit(), visit()] == [False, True]


@pytest.fixture
def uvicorn_port(files: Path) -> Iterator[int]:
    """The recipe's server, in a thread."""
    uvicorn = pytest.importorskip("uvicorn")
    made: list[Any] = []

    class Server(uvicorn.Server):  # type: ignore[name-defined,misc]
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            made.append(self)

    names = program("uvicorn with client certificates")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["uvicorn.main"], "Server", Server)
        serving = threading.Thread(target=names["serve"], args=(0,), daemon=True)
        serving.start()
        until(lambda: made and made[0].started)
        yield made[0].servers[0].sockets[0].getsockname()[1]
        made[0].should_exit = True
        serving.join(PATIENCE)


def test_uvicorn(uvicorn_port: int, pki: PKI) -> None:
    client = client_context(pki)
    with pytest.raises(OSError, match=r"(?i)certificate"):
        get(client, uvicorn_port)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    assert b"\r\nhello, CN=client,OU=Testing cert" in get(client, uvicorn_port)


def get(client: Any, port: int) -> bytes:
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        client.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while data := connection.recv(4096):
            answer += data
    return answer


def test_renewal(files: Path, pki: PKI) -> None:
    names = program("Renewing a certificate without a restart")
    client = client_context(pki)

    async def main() -> None:
        shown: list[bytes] = []
        end = time.monotonic() + PATIENCE
        started = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(names["serve"](0, echo, started.set_result))
        server = await started
        port = server.sockets[0].getsockname()[1]

        async def visit() -> None:
            _, writer = await names["aio"].open_connection(
                "127.0.0.1", port, ssl=client, server_hostname="localhost"
            )
            shown.append(writer.get_extra_info("ssl_object").getpeercert(True))
            writer.close()
            await writer.wait_closed()

        await visit()
        shutil.copy(pki.direct.chain, "server.pem.new")
        shutil.copy(pki.direct.key, "server.key")
        os.replace("server.pem.new", "server.pem")
        while shown[-1] == shown[0]:
            assert time.monotonic() < end
            await asyncio.sleep(0.1)
            await visit()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    with pytest.MonkeyPatch.context() as patch:
        watch = tlskit.SSLContext.watch
        patch.setattr(  # a minute is long for a test
            tlskit.SSLContext,
            "watch",
            lambda *arguments, interval, **named: watch(*arguments, interval=1, **named),
        )
        asyncio.run(main())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read(4096))
    writer.close()


def test_workers(files: Path, pki: PKI, version: Any) -> None:
    pytest.importorskip("redis")
    worker_context = program("Sessions across workers and machines")["worker_context"]
    client = client_context(pki)
    with servers.redis_server() as redis:
        workers = [worker_context(f"redis://{redis.host}:{redis.port}/", SECRET) for _ in range(2)]
        only(version, client, *workers)
        near, _ = memory_pair(client, workers[0])
        again, far = memory_pair(client, workers[1], session=near.session)
        assert again.session_reused
        assert far.session_reused
        for worker in workers:
            worker.sessions.store.close()


def test_prometheus(pki: PKI) -> None:
    pytest.importorskip("prometheus_client")
    expose = program("Prometheus with several workers")["expose"]
    context = client_context(pki)
    context.sessions.resume = True
    memory_pair(context, server_context(pki))
    server, thread = expose(context, 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
    assert 'tlskit_resumption_total{context="api",event="nothing_stored"} 1.0' in text


def test_why_not_resumed(files: Path, pki: PKI, site: int) -> None:
    pytest.importorskip("requests")
    pytest.importorskip("httpx")
    explain = program("Why was it not resumed?")["explain"]
    first, second = explain(f"https://localhost:{site}/")
    assert first == {"nothing_stored": 1, "stored": 2}
    assert second == {"nothing_stored": 1, "resumed": 1, "stored": 3}


def test_why_not_resumed_injected(files: Path, site: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "tlskit")
    program("Why was it not resumed?", 1)["fetch"](f"https://localhost:{site}/")
    lines = [r.message for r in caplog.records if r.message.startswith("handshake with server")]
    assert len(lines) == 2
    assert "full: " in lines[0]
    assert lines[1].endswith("resumed")


@pytest.fixture
def site(pki: PKI) -> Iterator[int]:
    """A web server that answers each connection's one request."""
    context = server_context(pki)
    context.max_early_data = 16384
    made = Site(context)
    yield made.address[1]
    made.close()


def test_versions(pki: PKI) -> None:
    versions = program("Which versions does a server speak?")["versions"]
    every = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
    with s_server(pki.server, "-cipher", "ALL:@SECLEVEL=0") as server:
        assert versions("localhost", server.address[1]) == every
    with s_server(pki.server, *speaking(tlskit.TLSVersion.TLSv1_2)) as server:
        assert versions("localhost", server.address[1]) == ["TLSv1.2"]


def test_devices() -> None:
    names = program("A pre-shared key between devices")
    station = names["base_station"]({"meter 17": SECRET})
    near, far = memory_pair(names["device"]("meter 17", SECRET), station)
    assert far.psk_identity in ("meter 17", b"meter 17")
    assert near.version() == "TLSv1.3"
    for name, key in (("meter 18", SECRET), ("meter 17", OTHER_SECRET)):
        with pytest.raises(tlskit.SSLError):
            memory_pair(names["device"](name, key), station)


def test_fleet(files: Path, pki: PKI) -> None:
    fleet_keyring = program("A secret for a fleet, from a watched file")["fleet_keyring"]
    file = files / "fleet.secret"
    file.write_text(SECRET.hex() + "\n")
    keyring, stop = fleet_keyring(file, 0.05)
    try:
        client, server, other = client_context(pki), server_context(pki), server_context(pki)
        server.tickets.keyring = keyring
        other.tickets.keyring = tlskit.TicketKeyring.fleet(OTHER_SECRET)
        near, _ = memory_pair(client, other)
        again, _ = memory_pair(client, server, session=near.session)
        assert not again.session_reused
        renewed = files / "renewed"
        renewed.write_text(OTHER_SECRET.hex() + "\n" + SECRET.hex() + "\n")
        renewed.replace(file)
        until(lambda: memory_pair(client, server, session=near.session)[0].session_reused)
    finally:
        stop.set()


def test_nginx(pki: PKI, version: Any, tmp_path: Path) -> None:
    beside_nginx = program("Beside nginx")["beside_nginx"]
    key_file = tmp_path / "ticket.key"
    key_file.write_bytes(os.urandom(80))
    context = beside_nginx(pki.server.chain, pki.server.key, key_file)
    client = client_context(pki)
    only(version, client, context)
    directives = ("ssl_session_ticket_key {home}/ticket.key", "ssl_protocols TLSv1.2 TLSv1.3")
    near, _ = memory_pair(client, context)
    with (
        servers.nginx_server(pki.server, *directives, files=[key_file]) as running,
        socket.create_connection(running.address, PATIENCE) as plain,
        client.wrap_socket(plain, server_hostname="localhost", session=near.session) as connection,
    ):
        assert connection.session_reused
