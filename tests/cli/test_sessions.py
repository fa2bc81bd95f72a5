"""`tlskit sessions list|show|purge`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import tlskit
from tlskit.cli import main, output, report, sessions

from ..support import servers
from ..support.pairs import client_context, memory_pair, only, server_context
from ..support.system import needs_modes, needs_unix_sockets
from .servers import as_json, as_process, complaint

sqlite3 = pytest.importorskip("sqlite3")  # some Pythons are built without it

SECRET = bytes(range(32))
ENVIRONMENT = "TLSKIT_SESSIONS_SECRET"


@pytest.fixture(autouse=True)
def no_secret(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def earn(pki, version, store):
    """Let a client and a server keep what one full handshake leaves: the client's session."""
    client, server = client_context(pki), server_context(pki)
    only(version, client, server)
    client.sessions.store = server.sessions.store = store
    near, _ = memory_pair(client, server)
    return near.session


@pytest.fixture
def path(pki, version, tmp_path):
    """A store with the sessions of a client and of a server, its secret beside it."""
    path = tmp_path / "sessions.db"
    with contextlib.closing(tlskit.SQLiteStore(path)) as store:
        earn(pki, version, store)
    return str(path)


def listed(capsys: Any, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = as_json(capsys, "sessions", "list", *arguments)["sessions"]
    return found


def count(version):
    return 4 if version is tlskit.TLSVersion.TLSv1_3 else 2


# -- list ------------------------------------------------------------------------------------------


def test_list(path, version, capsys):
    found = listed(capsys, path)
    assert [s["kind"] for s in found] == ["client"] * (count(version) // 2) + ["server"] * (
        count(version) // 2
    )
    for s in found:
        assert s["readable"]
        assert s["host"] == "localhost"
        assert s["protocol"] == version.name.replace("_", ".")
        assert s["cipher"]
        assert 0 <= s["age"] < 60
        assert 7100 < s["expires_in"] <= 7200
    assert len(listed(capsys, path)) == len(found)  # nothing was taken


def test_list_as_a_process(path, version):
    done = as_process("sessions", "list", path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"Sessions in {path}"
    assert lines[2].split() == [
        "key",
        "kind",
        "host",
        "TLS",
        "cipher",
        "age",
        "expires",
        "in",
        "readable",
    ]
    rows = lines[4 : 4 + count(version)]
    assert all(
        re.fullmatch(r"[0-9a-f]{10} +(client|server) +localhost +1\.\d +\S+ +\d+ s +2 h +yes", row)
        for row in rows
    )
    assert done.stdout.isascii()


def test_list_reads_no_more_than_it_shows(tmp_path, capsys, monkeypatch):
    """A store may hold more than fits into memory."""
    path = str(tmp_path / "sessions.db")
    with contextlib.closing(tlskit.SQLiteStore(path)) as store:
        for number in range(301):
            store.put(b"\xaa%d" % number, b"value", 600)
        store.put(b"\xbb", b"value", 600)
    opened: list[bytes] = []
    usual = tlskit.cli.places.Witness.open
    monkeypatch.setattr(
        "tlskit.cli.places.Witness.open",
        lambda self, key, sealed: opened.append(key) or usual(self, key, sealed),
    )
    assert main(["sessions", "list", path, "--limit", "2", "--json"]) == 1  # none is a session
    told = json.loads(capsys.readouterr().out)
    assert (len(told["sessions"]), told["complete"]) == (2, False)
    assert len(opened) == 3
    assert main(["sessions", "list", path, "--limit", "2"]) == 1
    assert "There are more: --limit sets how many are listed." in capsys.readouterr().out
    assert main(["sessions", "list", path, "--limit", "302", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (len(told["sessions"]), told["complete"]) == (302, True)
    opened.clear()
    assert main(["sessions", "show", path, "bb"]) == 1
    assert opened == [b"\xbb"]
    opened.clear()
    capsys.readouterr()
    assert "give more digits" in complaint(capsys, "sessions", "show", path, "a")
    assert len(opened) == 2
    opened.clear()
    assert as_json(capsys, "sessions", "purge", path, "--all", "--yes")["removed"] == 302
    assert opened == []


def test_an_empty_store(capsys, tmp_path):
    tlskit.SQLiteStore(tmp_path / "sessions.db").close()
    assert listed(capsys, str(tmp_path / "sessions.db")) == []
    assert main(["sessions", "list", str(tmp_path / "sessions.db")]) == 0
    assert capsys.readouterr().out == f"There is nothing in {tmp_path / 'sessions.db'}.\n"


def test_what_others_have_put_there(path, version, capsys):
    """A key and a value of no sense, and a name that would steer the terminal."""
    with contextlib.closing(tlskit.SQLiteStore(path)) as store:
        store.put(b"odd", b"no session", 60)
    *others, odd = listed(capsys, path)
    assert len(others) == count(version)
    assert odd == {
        "key": b"odd".hex(), "kind": "?", "readable": False, "host": None, "protocol": None,
        "cipher": None, "age": None,
        "expires_in": odd["expires_in"],
    }  # fmt: skip
    assert 0 < odd["expires_in"] <= 60


def test_looking_does_not_change_the_store(path, capsys):
    folder = Path(path).parent
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    listed(capsys, path)
    as_json(capsys, "sessions", "show", path, listed(capsys, path)[0]["key"])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


# -- the secret ------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(pki, version, tmp_path):
    """A store whose secret is not beside it."""
    path = tmp_path / "elsewhere.db"
    with contextlib.closing(tlskit.SQLiteStore(path, secret=SECRET)) as store:
        earn(pki, version, store)
    return str(path)


def secret_file(folder: Path, *secrets: bytes, mode: int = 0o600) -> str:
    path = folder / "secret"
    path.write_text("".join(secret.hex() + "\n" for secret in secrets))
    path.chmod(mode)
    return str(path)


def test_the_secret_from_a_file(elsewhere, version, capsys, tmp_path):
    assert len(
        listed(capsys, elsewhere, "--secret-file", secret_file(tmp_path, b"x" * 32, SECRET))
    ) == count(version)


def test_the_secret_from_the_environment(elsewhere, version, capsys, monkeypatch):
    for text in (SECRET.hex(), f"{b'other secret ...'.hex()}, {SECRET.hex()}"):
        monkeypatch.setenv(ENVIRONMENT, text)
        assert len(listed(capsys, elsewhere)) == count(version)


def test_no_secret(elsewhere, capsys):
    said = complaint(capsys, "sessions", "list", elsewhere, status=2)
    assert said == (
        f"The sessions in {elsewhere} are encrypted, and there is no {elsewhere}.key: "
        f"give the secret by --secret-file, or in {ENVIRONMENT}."
    )
    assert not os.path.exists(elsewhere + ".key")


def test_the_wrong_secret(elsewhere, version, capsys, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "5a" * 32)
    assert main(["sessions", "list", elsewhere, "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [s["readable"] for s in told["sessions"]] == [False] * count(version)
    assert {s["kind"] for s in told["sessions"]} == {"client", "server"}
    assert (
        told["error"]
        == f"None of the {count(version)} entries in {elsewhere} opens with this secret."
    )
    assert err == f"tlskit: {told['error']}\n"
    assert main(["sessions", "list", elsewhere]) == 1
    assert f" {count(version)} do not open with this secret.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [("hello", "hexadecimal"), ("5a", "at least 16 random bytes")],
)
def test_what_is_no_secret(elsewhere, text, words, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv(ENVIRONMENT, text)
    assert words in complaint(capsys, "sessions", "list", elsewhere, status=2)
    file = tmp_path / "secret"
    file.write_text(text)
    file.chmod(0o600)
    assert main(["sessions", "list", elsewhere, "--secret-file", str(file)]) in (1, 2)
    said = capsys.readouterr().err
    assert words in said
    assert text not in said.replace(str(file), "")


def test_a_secret_file_that_is_not_there_is_not_made(elsewhere, capsys, tmp_path):
    assert "There is no file" in complaint(
        capsys, "sessions", "list", elsewhere, "--secret-file", str(tmp_path / "none"), status=2
    )
    assert not (tmp_path / "none").exists()


@needs_modes
def test_a_secret_file_for_everybody(elsewhere, capsys, tmp_path):
    said = complaint(
        capsys,
        "sessions",
        "list",
        elsewhere,
        "--secret-file",
        secret_file(tmp_path, SECRET, mode=0o644),
    )
    assert "other users may read or write the file" in said


def test_the_secret_is_no_argument(capsys):
    with pytest.raises(SystemExit):
        main(["sessions", "list", "--help"])
    assert "--secret " not in capsys.readouterr().out


# -- show ------------------------------------------------------------------------------------------


def test_show(path, version, capsys, pki):
    key = listed(capsys, path)[0]["key"]
    told = as_json(capsys, "sessions", "show", path, key[:8].upper())["sessions"]
    assert {s["key"][:64] for s in told} == {key[:64]}  # tickets lie under two keys
    assert len(told) == count(version) // 2
    info = told[0]["info"]
    assert set(info) == set(tlskit.SessionInfo.__dataclass_fields__)
    assert info["side"] == "client"
    assert info["cipher"]["bits"] >= 128
    assert len(info["verified_chain"]) == 3
    assert main(["sessions", "show", path, key]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^Verify return code +0 \(ok\)$", out, re.MULTILINE)
    assert re.search(r"^  names +localhost, other.example,", out, re.MULTILINE)


def test_nothing_shows_a_secret(pki, version, capsys, tmp_path):
    """Neither what a session holds, nor what the store is sealed with."""
    path = str(tmp_path / "sessions.db")
    with contextlib.closing(tlskit.SQLiteStore(path)) as store:
        earn(pki, version, store)
        held = [tlskit.SSLSession.from_bytes(entry.value) for entry in store.entries()]
    secrets = [s.dangerous_master_secret() for s in held]
    secrets.append(bytes.fromhex(Path(path + ".key").read_text()))
    for key in {s["key"] for s in listed(capsys, path)}:
        for extra in ([], ["--json"]):
            assert main(["sessions", "show", path, key, *extra]) == 0
            assert main(["sessions", "list", path, *extra]) == 0
            out = capsys.readouterr().out.lower()
            assert not any(secret.hex() in out for secret in secrets)


def test_a_key_that_is_not_there(path, capsys):
    assert (
        complaint(capsys, "sessions", "show", path, "0" * 30)
        == f"No key in {path} begins with {'0' * 30}."
    )


def test_a_beginning_of_many_keys(path, capsys):
    with contextlib.closing(tlskit.SQLiteStore(path)) as store:
        store.put(b"\xaa\xaa1", b"value", 60)
        store.put(b"\xaa\xaa2", b"value", 60)
    assert (
        complaint(capsys, "sessions", "show", path, "aaaa")
        == f"More than one key in {path} begins with aaaa: give more digits."
    )


def test_one_that_cannot_be_read(path, capsys):
    with contextlib.closing(tlskit.SQLiteStore(path)) as store:
        store.put(b"\xaa\xaa1", b"value", 60)
    assert main(["sessions", "show", path, "aaaa"]) == 1
    out, err = capsys.readouterr()
    assert re.search(r"^readable +no$", out, re.MULTILINE)
    assert err == f"tlskit: The one entry in {path} does not open with this secret.\n"


@pytest.mark.parametrize("arguments", [
    ["sessions"], ["sessions", "dance"], ["sessions", "list"], ["sessions", "show", "x", "xyz"],
    ["sessions", "show", "x", ""], ["sessions", "show", "x"],
    ["sessions", "list", "x", "--limit", "0"], ["sessions", "list", "x", "--limit", "many"],
])  # fmt: skip
def test_what_is_wrong_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: tlskit sessions" in capsys.readouterr().err


# -- purge -----------------------------------------------------------------------------------------


def test_purge(elsewhere, version, capsys):
    """What has expired goes; no secret is needed for that."""
    with contextlib.closing(
        tlskit.SQLiteStore(elsewhere, secret=SECRET, clock=lambda: time.time() - 30)
    ) as store:
        store.put(b"old", b"value", 20)
    assert as_json(capsys, "sessions", "purge", elsewhere)["removed"] == 1
    assert main(["sessions", "purge", elsewhere]) == 0
    assert capsys.readouterr().out == f"Removed 0 expired sessions from {elsewhere}.\n"
    with contextlib.closing(tlskit.SQLiteStore(elsewhere, secret=SECRET)) as store:
        assert len(list(store.entries())) == count(version)
    assert not os.path.exists(elsewhere + ".key")


def test_purge_everything(elsewhere, version, capsys):
    assert as_json(capsys, "sessions", "purge", elsewhere, "--all", "--yes")["removed"] == count(
        version
    )
    with contextlib.closing(tlskit.SQLiteStore(elsewhere, secret=SECRET)) as store:
        assert list(store.entries()) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "removed"),
    [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_everything_asks_first(path, version, answer, removed, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert main(["sessions", "purge", path, "--all"]) == 0
    out, err = capsys.readouterr()
    assert err == f"Remove every session from {path}? [y/N] "
    assert out == f"Removed {count(version) if removed else 0} sessions from {path}.\n"
    assert len(listed(capsys, path)) == (0 if removed else count(version))


def test_nobody_to_ask(path, version, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert "--yes" in complaint(capsys, "sessions", "purge", path, "--all", status=2)
    assert len(listed(capsys, path)) == count(version)


# -- stores that are no use ------------------------------------------------------------------------


@pytest.mark.parametrize("action", [["list"], ["show"], ["purge"], ["purge", "--all", "--yes"]])
class TestNoStore:
    def run(self, capsys: Any, action: list[str], store: str, status: int = 1) -> str:
        return complaint(
            capsys,
            "sessions",
            action[0],
            store,
            *(["ab"] if action == ["show"] else action[1:]),
            status=status,
        )

    def test_no_file(self, action, capsys, tmp_path):
        path = str(tmp_path / "none.db")
        assert self.run(capsys, action, path) == f"There is no store {path}: no such file."
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_file(self, action, capsys, tmp_path):
        (tmp_path / "x.db").touch(0o600)
        assert "is an empty file" in self.run(capsys, action, str(tmp_path / "x.db"))
        assert (tmp_path / "x.db").read_bytes() == b""

    def test_something_else(self, action, capsys, tmp_path, monkeypatch):
        monkeypatch.setenv(ENVIRONMENT, SECRET.hex())
        file = tmp_path / "x.db"
        file.write_bytes(b"something else, longer than the head of a database" * 20)
        file.chmod(0o600)
        assert "is not an SQLite database" in self.run(capsys, action, str(file))
        assert file.read_bytes().startswith(b"something else")

    @needs_modes
    def test_for_everybody(self, action, capsys, tmp_path, monkeypatch):
        monkeypatch.setenv(ENVIRONMENT, SECRET.hex())
        tlskit.SQLiteStore(tmp_path / "x.db", secret=SECRET).close()
        (tmp_path / "x.db").chmod(0o644)
        assert "other users may read or write the file" in self.run(
            capsys, action, str(tmp_path / "x.db")
        )

    def test_a_folder(self, action, capsys, tmp_path, monkeypatch):
        monkeypatch.setenv(ENVIRONMENT, SECRET.hex())
        assert "not a regular file" in self.run(capsys, action, str(tmp_path))

    def test_memcached(self, action, capsys, monkeypatch):
        assert "memcached cannot list what it holds" in self.run(
            capsys, action, "memcached://user:hidden@localhost:11211", status=2
        )

    def test_a_scheme_of_no_store(self, action, capsys, monkeypatch):
        monkeypatch.setenv(ENVIRONMENT, SECRET.hex())
        said = self.run(capsys, action, "ftp://user:hidden@localhost/x?password=hidden", status=2)
        assert said.startswith("ftp://localhost/x names no store")

    @pytest.mark.parametrize(
        "bad", ["redis://:hidden@[::1", "redis://:hidden@localhost:port", "unix://:hidden@[::1"]
    )
    def test_what_is_no_url(self, action, bad, capsys, monkeypatch):
        pytest.importorskip("redis")
        monkeypatch.setenv(ENVIRONMENT, SECRET.hex())
        said = self.run(capsys, action, bad)
        assert said.startswith(f"Cannot use {bad[: bad.index('://')]}://")
        assert "hidden" not in said

    @needs_unix_sockets
    def test_a_server_that_is_down(self, action, capsys, monkeypatch, tmp_path):
        pytest.importorskip("redis")
        monkeypatch.setenv(ENVIRONMENT, SECRET.hex())
        if action == ["purge"]:
            pytest.skip("Redis is not asked")
        said = self.run(capsys, action, f"unix://:hidden@{tmp_path}/nobody")
        assert said.startswith(f"Cannot use unix://{tmp_path}/nobody: ")
        assert "hidden" not in said

    def test_without_redis_py(self, action, capsys, monkeypatch):
        monkeypatch.setenv(ENVIRONMENT, SECRET.hex())
        monkeypatch.setitem(sys.modules, "redis", None)
        assert "pip install 'tlskit[redis]'" in self.run(
            capsys, action, "redis://localhost", status=2
        )


def test_a_file_that_others_hold(path, capsys, monkeypatch):
    monkeypatch.setattr(sessions, "_PATIENCE", 0.05)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert (
            complaint(capsys, "sessions", "list", path) == f"Cannot use {path}: database is locked."
        )
        other.execute("ROLLBACK")


# -- Redis -----------------------------------------------------------------------------------------


def test_redis(pki, version, redis_server, capsys, monkeypatch):
    redis = pytest.importorskip("redis")
    url, prefix = f"redis://127.0.0.1:{redis_server.port}/0", f"cli {version.name}:"
    with redis.Redis(port=redis_server.port) as client:
        with contextlib.closing(tlskit.RedisStore(client, secret=SECRET, prefix=prefix)) as store:
            earn(pki, version, store)
        client.rpush(prefix + "ab" * 33, "0" * 15 + "?", "9" * 15 + "not base64")
    assert "are encrypted: give the secret" in complaint(
        capsys, "sessions", "list", url, "--prefix", prefix, status=2
    )
    monkeypatch.setenv(ENVIRONMENT, SECRET.hex())
    found = listed(capsys, url, "--prefix", prefix)
    assert [s["readable"] for s in found] == [True] * count(version) + [False]
    shown = as_json(capsys, "sessions", "show", url, found[0]["key"][:10], "--prefix", prefix)[
        "sessions"
    ]
    assert shown[0]["info"]["verified"]
    assert main(["sessions", "purge", url, "--prefix", prefix]) == 0
    assert (
        capsys.readouterr().out
        == f"{url} drops by itself what has expired: there is nothing to do.\n"
    )
    assert (
        as_json(capsys, "sessions", "purge", url, "--prefix", prefix, "--all", "--yes")["removed"]
        == count(version) + 2  # of the two odd ones, the first has no time
    )
    assert listed(capsys, url, "--prefix", prefix) == []


def test_the_password_of_redis(capsys, monkeypatch):
    pytest.importorskip("redis")
    monkeypatch.setenv(ENVIRONMENT, SECRET.hex())
    password = "a /?#@:b"
    with servers.redis_server(None, "--requirepass", password) as running:
        for url in (
            f"redis://127.0.0.1:{running.port}",
            f"redis://default@127.0.0.1:{running.port}/1",
            f"unix://{running.path}",
        ):
            monkeypatch.delenv("TLSKIT_STORE_PASSWORD", raising=False)
            assert complaint(capsys, "sessions", "list", url).startswith("Cannot use ")
            monkeypatch.setenv("TLSKIT_STORE_PASSWORD", password)
            assert listed(capsys, url) == []
            monkeypatch.setenv("TLSKIT_STORE_PASSWORD", "another one")
            said = complaint(capsys, "sessions", "list", url)
            assert "another one" not in said
        given = f"redis://:{quote(password, safe='')}@127.0.0.1:{running.port}"
        assert listed(capsys, given) == []  # what is in the URL counts


# -- layouts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 s"),
        (100.4, "100 s"),
        (120, "2 min"),
        (7100, "118 min"),
        (7199, "2 h"),
        (172800, "2 d"),
        (604800, "7 d"),
    ],
)
def test_spans(seconds, text):
    assert report._span(seconds) == text


def test_a_name_cannot_steer_the_terminal():
    out = io.StringIO()
    order = sessions.Order("x\x1b[31m.db")
    output.write(
        report.listing_layout(
            sessions.Listing(order, [sessions.Item("ab" * 33, "client", 5.0, None)])
        ),
        out,
    )
    output.write(report.removal_layout(sessions.Removal(order, 1, True)), out)
    assert "\x1b" not in out.getvalue()
