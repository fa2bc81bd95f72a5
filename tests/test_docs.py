"""Every example of README.md and of the pages in docs/, run from the top of its page to the bottom.

The pages speak of `example.org`. Here it is a server on loopback, with a certificate from a
throwaway authority, which is the only one that the machine seems to trust meanwhile. Where a page
listens on a port, somebody comes to visit it.

A comment behind a `print` says what is printed; `...` in it stands for anything.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import os
import re
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

import tlskit
from tlskit import aio

from .support import pairs, servers

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
SECRET = b"s" * 32
NAMES = ("example.org", "api.example.org", "localhost")

Hook = Callable[[str, dict[str, Any]], None]


def examples(page: str) -> list[tuple[int, str]]:
    """The Python blocks of a page: where each begins, and what it says."""
    text = PAGES[page].read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, m.start(1)), m[1])
        for m in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


def code(text: str) -> Iterator[str]:
    """The lines of the code blocks of a page, as they are shown."""
    for fenced, indented in re.findall(
        r"^```\w+\n(.*?)^```$|(?<=\n\n)((?:^    [^\n]*\n|^\n(?=    ))+)",
        text,
        re.DOTALL | re.MULTILINE,
    ):
        yield from (fenced or indented.replace("\n    ", "\n")[4:]).splitlines()


def nothing(source: str, names: dict[str, Any]) -> None:
    """No hook."""


def run(
    page: str,
    names: dict[str, Any],
    *,
    replaced: dict[str, str] | None = None,
    after: Hook = nothing,
) -> dict[str, Any]:
    """Run the examples of a page in one namespace, and return it.

    Args:
        page: its path.
        names: what a reader has already.
        replaced: what stands in the page for something of the reader's own, and what it is here.
        after: called with each block and the names, when the block has been run.
    """
    lines: list[str] = []

    def checked(*values: object, **options: Any) -> None:
        said = " ".join(map(str, values))
        wanted = re.search(r"\)\s+# (.*)$", lines[sys._getframe(1).f_lineno - 1])
        if wanted is not None:
            pattern = ".*".join(map(re.escape, wanted[1].strip().split("...")))
            assert re.fullmatch(pattern, said, re.DOTALL), (
                f"{page} says {wanted[1]!r}, and it is {said!r}"
            )
        builtins.print(*values, **options)

    names["print"] = checked
    for first, source in examples(page):
        for old, new in (replaced or {}).items():
            source = source.replace(old, new)
        lines[:] = [""] * first + source.splitlines()
        exec(compile("\n" * first + source, str(PAGES[page]), "exec"), names)
        after(source, names)
    return names


# -- the world of the pages ------------------------------------------------------------------------


class Site:
    """A web server over TLS that takes early data: it answers each connection's one request, and
    ends.
    """

    def __init__(self, context: Any) -> None:
        self.context = context
        self.resumed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(plain,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(20)
        with plain, contextlib.suppress(OSError, ValueError):
            connection = self.context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            )
            with connection:
                self._answer(connection)

    def _answer(self, connection: Any) -> None:
        request = b""
        while data := connection.read_early_data():
            request += data
        connection.do_handshake()
        self.resumed += connection.session_reused
        while b"\r\n\r\n" not in request and (data := connection.recv(4096)):
            request += data
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"
        )
        connection.unwrap()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)


class World:
    """Names and what answers at them, and visitors for who listens."""

    def __init__(self, folder: Path) -> None:
        self.open = contextlib.ExitStack()
        self._connect, self._listen, self._look_up = (
            socket.create_connection,
            socket.create_server,
            socket.getaddrinfo,
        )
        root, stranger = trustme.CA(), trustme.CA()
        self.root = folder / "root.pem"
        root.cert_pem.write_to_path(str(self.root))
        self.site = self._site(root.issue_cert(*NAMES), folder)
        self._strange = self._site(stranger.issue_cert("wrong.example.org"), folder / "strange")

    def _site(self, leaf: Any, folder: Path) -> Site:
        folder.mkdir(exist_ok=True)
        leaf.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
        leaf.private_key_pem.write_to_path(str(folder / "server.key"))
        context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        context.max_early_data = 16384
        site = Site(context)
        self.open.callback(site.close)
        return site

    def client(self) -> Any:
        """A client that trusts the authority, and resumes."""
        context = tlskit.create_default_context(cafile=self.root)
        context.sessions.resume = True
        return context

    def create_connection(
        self, address: tuple[str, int], *arguments: Any, **options: Any
    ) -> socket.socket:
        """In the place of socket.create_connection: the pages' names lead to this machine, and
        other names nowhere.
        """
        host, port = address
        if port == 443:
            site = {"wrong.example.org": self._strange, **dict.fromkeys(NAMES, self.site)}[host]
            return self._connect(site.address, 20)
        assert host == "127.0.0.1"
        return self._connect(address, *arguments, **options)

    def getaddrinfo(self, host: Any, port: Any, *arguments: Any, **options: Any) -> list[Any]:
        """In the place of socket.getaddrinfo, which asyncio asks."""
        if host in NAMES and port == 443:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", self.site.address)]
        assert host in ("127.0.0.1", "localhost")
        return self._look_up(host, port, *arguments, **options)

    def create_server(self, address: tuple[str, int], **options: Any) -> socket.socket:
        """In the place of socket.create_server: the port is another one, and somebody comes."""
        listener = self._listen(("127.0.0.1", 0), **options)
        visitor = threading.Thread(target=self._visit, args=(listener.getsockname(),), daemon=True)
        visitor.start()
        self.open.callback(visitor.join, 20)
        return listener

    def _visit(self, address: tuple[str, int]) -> None:
        client = self.client()
        with (
            contextlib.suppress(OSError),
            client.wrap_socket(
                self._connect(address, 20), server_hostname="example.org"
            ) as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while connection.recv(4096):
                pass


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world of the pages; the working directory is a fresh one, with a server's certificate and
    key.
    """
    monkeypatch.chdir(tmp_path)
    made = World(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.root))
    monkeypatch.setenv("SESSIONS_SECRET", SECRET.hex())
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(
        urllib.request, "_opener", None
    )  # it has a context, which would outlive the page
    monkeypatch.setattr(socket, "create_connection", made.create_connection)
    monkeypatch.setattr(socket, "create_server", made.create_server)
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    try:
        yield made
    finally:
        tlskit.extract_from_ssl()
        made.open.close()


# -- the pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [*PAGES, "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_code_fits_the_page(page: str) -> None:
    """The site shows 95 columns beside the contents."""
    lines = list(code((ROOT / page).read_text(encoding="utf-8")))
    assert [line for line in lines if len(line) > 95] == []


@pytest.mark.parametrize("page", [*PAGES, "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_tables_have_headers(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    headers = re.findall(r"^(\|.*\|)\n\|(?: -+:? \|)+$", text, re.MULTILINE)
    for header in headers:
        _, *others = (cell.strip() for cell in header.strip("|").split("|"))
        assert all(others), header


def test_code_is_found_on_a_page() -> None:
    page = "a\n\n    $ one\n\n    $ two\n\n```python\nthree\n```\n- item\n\n  of it\n"
    assert list(code(page)) == ["$ one", "", "$ two", "three"]


def test_readme(world: World) -> None:
    run("README.md", {})
    world.open.close()
    assert world.site.resumed > 0


def test_quickstart(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    run("docs/quickstart.md", {"socket": socket})
    out = capsys.readouterr().out
    assert "TLSv1.3" in out
    assert "accept_good=1" in out
    assert "at depth 0" in out
    assert "-----BEGIN CERTIFICATE-----" in out


def test_inject(world: World) -> None:
    run("docs/inject.md", {})


def test_contexts(world: World) -> None:
    run("docs/contexts.md", {})


def test_bindings(world: World) -> None:
    run("docs/bindings.md", {})


def test_certificates(world: World) -> None:
    run("docs/certificates.md", {})


def test_verification(world: World) -> None:
    run("docs/verification.md", {})


def test_errors(world: World) -> None:
    run("docs/errors.md", {})


def test_asyncio(world: World) -> None:
    try:
        run("docs/asyncio.md", {})
    finally:
        aio.uninstall()


def test_sessions(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    kept: list[Any] = []

    def keep(source: str, names: dict[str, Any]) -> None:
        """A session that was read from bytes is equal to the one that was written."""
        if "session = ssl.SSLSession.from" in source:
            assert names["session"] == kept[-1]
            assert names["session"] is not kept[-1]
        kept.append(names.get("session"))

    names = run("docs/sessions.md", {}, after=keep)
    assert re.findall(r"^(NOT_SENT|ACCEPTED)$", capsys.readouterr().out, re.MULTILINE) == [
        "NOT_SENT",
        "ACCEPTED",
    ]
    assert names["session"].is_resumable
    client = world.client()
    assert [visit(client, names["serve"], b"GET / HTTP/1.1\r\n\r\n") for _ in range(2)] == [
        (False, b"200"),
        (True, b"200"),
    ]
    assert visit(client, names["serve"], b"PUT / HTTP/1.1\r\n\r\n") == (False, b"200")
    replay(client, names["serve"], b"PUT / HTTP/1.1\r\n\r\n")


def visit(
    client: Any, serve: Callable[[socket.socket], bool], request: bytes
) -> tuple[bool, bytes]:
    """Send a request as early data: whether the page's server has answered early, and with which
    status.
    """
    near, far = socket.socketpair()
    near.settimeout(20)
    far.settimeout(20)
    serving = pairs.Background(lambda: serve(far))
    with client.wrap_socket(near, server_hostname="example.org", early_data=request) as connection:
        answer = b""
        while data := connection.recv(4096):
            answer += data
    return serving.result(), answer[9:12]


def replay(client: Any, serve: Callable[[socket.socket], bool], request: bytes) -> None:
    """Send what somebody has recorded of a client's early request: the page's server does not come
    past the handshake.
    """
    outgoing = tlskit.MemoryBIO()
    recorded = client.wrap_bio(
        tlskit.MemoryBIO(), outgoing, server_hostname="example.org", early_data=request
    )
    with contextlib.suppress(tlskit.SSLWantReadError):
        recorded.do_handshake()
    near, far = socket.socketpair()
    with near:
        near.sendall(outgoing.read())
        near.shutdown(socket.SHUT_WR)
        with pytest.raises(OSError, match="EOF"):
            serve(far)


def test_the_table_of_an_info() -> None:
    """Every field and property is in it, and all that is in it is there."""
    text = PAGES["docs/sessions.md"].read_text(encoding="utf-8")
    section = text[
        text.index("## Everything that was negotiated") : text.index("## What to choose")
    ]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([\w.]+(?:\(\))?)`", row)}
    of_the_session = {
        name.removeprefix("session.").removesuffix("()")
        for name in named
        if name.startswith("session.")
    }
    assert of_the_session == {"ticket", "dangerous_master_secret"}
    assert of_the_session <= set(dir(tlskit.SSLSession))
    properties = {
        name for name, value in vars(tlskit.SessionInfo).items() if isinstance(value, property)
    }
    there = properties | {field.name for field in dataclasses.fields(tlskit.SessionInfo)}
    assert {name for name in named if "." not in name} == there


def test_every_reason_is_described() -> None:
    words = set(re.findall(r"`([A-Z_]+)`", PAGES["docs/sessions.md"].read_text(encoding="utf-8")))
    assert {reason.name for reason in tlskit.Reason} <= words


def test_stores(world: World) -> None:
    pytest.importorskip("redis")
    pytest.importorskip("pymemcache")
    before: list[Any] = [None]

    def use(source: str, names: dict[str, Any]) -> None:
        """Each store that a block makes keeps something, and is closed."""
        store = names.get("store")
        if store is not None and store is not before[0] and "close()" not in source:
            store.put(b"key", b"value", 60)
            assert store.take(b"key") == b"value"
            store.close()
        before[0] = store

    with servers.redis_server() as redis, servers.memcached_server() as memcached:
        replaced = {
            "redis://cache.internal:6379/": f"redis://{redis.host}:{redis.port}/",
            'host="cache.internal", port=6379': f'host="{redis.host}", port={redis.port}',
            '("cache.internal", 11211)': repr(memcached.address),
        }
        run("docs/stores.md", {}, replaced=replaced, after=use)["client"].close()


def test_tickets(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    Path("fleet.secret").write_bytes(os.urandom(32))
    Path("keys").mkdir()
    for name in ("current", "previous"):
        Path("keys", f"{name}.key").write_bytes(os.urandom(80))
    client = world.client()
    client.sessions.resume = False

    def resume(source: str, names: dict[str, Any]) -> None:
        """With each block's keyring there is a resumption."""
        if "keyring" in names:
            names["context"].tickets.keyring = names["keyring"]
        near, _ = pairs.memory_pair(client, names["context"])
        again, _ = pairs.memory_pair(client, names["context"], session=near.session)
        assert again.session_reused

    run("docs/tickets.md", {}, after=resume)
    assert "TicketStats(new=" in capsys.readouterr().out


def test_servers(world: World) -> None:
    run("docs/servers.md", {})


def test_ftps(world: World) -> None:
    """What it defines; test_recipes.py has a server for it."""
    try:
        run("docs/ftps.md", {})
    finally:
        tlskit.extract_from_ssl()


def test_callbacks(world: World) -> None:
    run("docs/callbacks.md", {})


def test_metrics(world: World) -> None:
    pytest.importorskip("prometheus_client")
    run("docs/metrics.md", {})


def test_every_counter_of_tickets_is_described() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \|", PAGES["docs/tickets.md"].read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(tlskit.TicketStats.__dataclass_fields__) <= set(rows)


def test_every_page_with_examples_is_run() -> None:
    """The programs of docs/recipes.md run in test_recipes.py, each by itself."""
    source = Path(__file__).read_text(encoding="utf-8")
    missing = {page for page in PAGES if examples(page) and f'run("{page}"' not in source}
    assert missing == {"docs/recipes.md"}


def test_every_make_target_is_named() -> None:
    targets = re.findall(
        r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    said = re.findall(r"[a-z-]+", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert len(targets) > 10
    assert [target for target in targets if target not in said] == []


def test_a_print_is_held_to_its_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Words.\n\n```python\nprint(1 + 1)   # 2\nprint('a b c')  # a ... c\n```\n\n```python\nx "
        "= print(2)  # 3\n```\n"
    )
    monkeypatch.setitem(PAGES, "page.md", page)
    with pytest.raises(AssertionError, match="says '3', and it is '2'"):
        run("page.md", {})


def test_what_the_pages_link_to_is_there() -> None:
    for page, path in PAGES.items():
        for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
            if target.startswith("https:"):
                continue
            file, _, section = target.partition("#")
            other = path.parent / file if file else path
            assert other.exists(), f"{page} links to {target}"
            if section:
                assert section in anchors(other), f"{page} links to {target}"


def anchors(path: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
