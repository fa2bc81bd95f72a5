"""The watch for OpenSSL releases, with a server on loopback in place of GitHub."""

from __future__ import annotations

import hashlib
import http.server
import importlib.util
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).resolve().parents[1] / "tools" / "watch_openssl.py"
PINS = """# name         version  sha256  debian-package@suite|-  url
openssl-3.5    3.5.7    00  openssl@trixie  https://example.org/openssl-3.5.7.tar.gz
openssl-4.0    4.0.9    11  -  https://example.org/openssl-4.0.9.tar.gz
cpython-3.13   3.13.5   22  -  https://example.org/Python-3.13.5.tar.xz
"""
TARBALL = b"a tarball"
DIGEST = hashlib.sha256(TARBALL).hexdigest()


class GitHub:
    """What a server on loopback answers, by path, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.tokens: dict[str, str | None] = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        github = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                github.tokens[self.path] = self.headers["Authorization"]
                answer = github.answers.get(self.path)
                self.send_response(404 if answer is None else 200)
                self.end_headers()
                self.wfile.write(answer or b"")

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Handler

    def release(self, *versions: str) -> None:
        tags = [{"tag_name": f"openssl-{version}"} for version in versions]
        self.answers["/releases"] = json.dumps(tags).encode()
        for version in versions:
            self.answers[f"/{version}.tar.gz"] = TARBALL
            self.answers[f"/{version}.tar.gz.sha256"] = f"{DIGEST}  openssl.tar.gz\n".encode()


@pytest.fixture
def github() -> Iterator[GitHub]:
    github = GitHub()
    yield github
    github.server.shutdown()
    github.server.server_close()


@pytest.fixture
def tool(github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("watch_openssl", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(tool, "API", f"{github.url}/releases")
    monkeypatch.setattr(tool, "TARBALL", github.url + "/{version}.tar.gz")
    monkeypatch.setattr(tool, "SOURCES", tmp_path / "sources.txt")
    tool.SOURCES.write_text(PINS, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["watch_openssl.py", "--write"])
    return tool


def test_nothing_is_newer(tool: ModuleType, github: GitHub) -> None:
    github.release("3.5.7", "4.0.9", "4.0.10-beta1", "4.1.0-alpha2", "1.1.1")
    assert tool.main() == 0
    assert tool.SOURCES.read_text(encoding="utf-8") == PINS


def test_a_newer_release_is_pinned(
    tool: ModuleType, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    github.release("3.5.9", "3.5.10", "4.0.9")
    assert tool.main() == 1
    assert "3.5.10 is released, 3.5.7 is pinned" in capsys.readouterr().out
    old = "3.5.7    00  openssl@trixie  https://example.org/openssl-3.5.7.tar.gz"
    new = f"3.5.10    {DIGEST}  openssl@trixie  {github.url}/3.5.10.tar.gz"
    assert tool.SOURCES.read_text(encoding="utf-8") == PINS.replace(old, new)


def test_it_only_reports_unless_it_is_to_write(
    tool: ModuleType, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["watch_openssl.py"])
    github.release("3.5.8")
    assert tool.main() == 1
    assert tool.SOURCES.read_text(encoding="utf-8") == PINS


def test_a_new_series_is_reported(
    tool: ModuleType, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    github.release("4.0.9", "4.1.0")
    assert tool.main() == 1
    assert "OpenSSL 4.1 is a new series" in capsys.readouterr().out
    assert tool.SOURCES.read_text(encoding="utf-8") == PINS


def test_a_tarball_with_another_digest_is_not_pinned(
    tool: ModuleType, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    github.release("3.5.8")
    github.answers["/3.5.8.tar.gz"] = b"something else"
    assert tool.main() == 2
    assert "openssl-3.5.8.tar.gz is not what" in capsys.readouterr().err
    assert tool.SOURCES.read_text(encoding="utf-8") == PINS


@pytest.mark.parametrize("missing", ["/releases", "/3.5.8.tar.gz", "/3.5.8.tar.gz.sha256"])
def test_what_cannot_be_read_is_one_sentence(
    tool: ModuleType, github: GitHub, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    github.release("3.5.8")
    del github.answers[missing]
    assert tool.main() == 2
    assert "cannot be read: HTTP Error 404" in capsys.readouterr().err
    assert tool.SOURCES.read_text(encoding="utf-8") == PINS


def test_an_empty_list_is_not_taken_for_no_news(tool: ModuleType, github: GitHub) -> None:
    github.release()
    assert tool.main() == 2


def test_the_token_is_for_the_api_alone(
    tool: ModuleType, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "a-token")
    github.release("3.5.8")
    assert tool.main() == 1
    assert github.tokens == {
        "/releases": "Bearer a-token",
        "/3.5.8.tar.gz.sha256": None,
        "/3.5.8.tar.gz": None,
    }


def test_the_pins_of_this_tree_are_understood(tool: ModuleType) -> None:
    text = (TOOL.parent / "sources.txt").read_text(encoding="utf-8")
    assert set(tool.newer(text, ["3.0.999", "3.5.999", "4.0.999"])) == {"3.0", "3.5", "4.0"}
    assert tool.newer(text, ["3.0.0", "3.5.0", "4.0.0"]) == {}
    changed = tool.pinned(text, "3.5", "3.5.999", "ab")
    assert tool.newer(changed, ["3.5.999"]) == {}
    assert len(changed.splitlines()) == len(text.splitlines())
