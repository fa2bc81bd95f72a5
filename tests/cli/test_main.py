"""The command line itself: arguments, exit status, and how the output adapts to where it goes."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest

import tlskit
from tlskit.cli import _server, blocks, main, output, report

from .servers import as_process, needs_demo

BLOCKS = (
    blocks.Paragraph("Some words."),
    blocks.Facts([("name", "[bold]value[/]"), ("  below", "x\x1b[2J")]),
    blocks.Table(
        "Things",
        ("a", "bb", "n"),
        [("1", "x", "0"), ("22", "yyy", "1,234")],
        right=frozenset(["n"]),
        loose="bb",
        note="Noted.",
    ),
    blocks.Verdict("Well.", good=True),
    blocks.Verdict("Unwell.", good=False),
)


def test_version():
    done = as_process("--version")
    assert done.returncode == 0
    assert done.stdout == f"tlskit {tlskit.__version__} ({tlskit.OPENSSL_VERSION})\n"


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("example.org", ("example.org", 443)),
        ("example.org:8443", ("example.org", 8443)),
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("[::1]:8443", ("::1", 8443)),
        ("[::1]", ("::1", 443)),
        ("::1", ("::1", 443)),
        ("[fe80::1%eth0]:443", ("fe80::1%eth0", 443)),
    ],
)
def test_servers(text, server):
    assert _server(text) == (*server, None)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("https://example.org/path?q", ("example.org", 443, None)),
        ("HTTPS://example.org:8443", ("example.org", 8443, None)),
        ("wss://[::1]/", ("::1", 443, None)),
        ("imaps://mail.example", ("mail.example", 993, None)),
        ("smtp://mail.example", ("mail.example", 25, "smtp")),
        ("submission://mail.example", ("mail.example", 587, "smtp")),
        ("postgresql://user:secret@db.example/name", ("db.example", 5432, "postgres")),
        ("xmpp://chat.example:5299", ("chat.example", 5299, "xmpp")),
    ],
)
def test_urls(text, server):
    assert _server(text) == server


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["connect"],
        ["connect", ""],
        ["connect", ":443"],
        ["connect", "localhost:0"],
        ["connect", "localhost:65536"],
        ["connect", "localhost:https"],
        ["connect", "localhost:٤٤٣"],
        ["connect", "[::1"],
        ["connect", "[::1]443"],
        ["connect", "http://example.org/"],
        ["connect", "https:///path"],
        ["connect", "https://example.org:99999"],
        ["connect", "https://[::1"],
        ["connect", "localhost", "--starttls", "gopher"],
        ["doctor"],
        ["doctor", "localhost", "--insecure"],
        ["connect", "a b"],
        ["connect", "localhost", "--min", "1.4"],
        ["connect", "localhost", "--timeout", "0"],
        ["connect", "localhost", "--timeout", "nan"],
        ["connect", "localhost", "--timeout", "soon"],
        ["connect", "localhost", "--insecure", "--cafile", "x"],
    ],
)
def test_what_is_wrong_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: tlskit" in capsys.readouterr().err


@needs_demo
def test_a_pipe_that_is_closed_early_makes_no_noise():
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tlskit", "demo"],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    finally:
        os.close(write)
    assert done.returncode != 0
    assert done.stderr == ""


def test_an_interruption_makes_no_noise(monkeypatch, capsys):
    def interrupted(progress):
        raise KeyboardInterrupt

    monkeypatch.setattr("tlskit.cli.demo.run", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr() == ("", "")


# -- layouts ---------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


def test_plain():
    out = io.StringIO()
    output.write(BLOCKS, out)
    assert out.getvalue().splitlines() == [
        "Some words.",
        "",
        "name     [bold]value[/]",
        "  below  x\\x1b[2J",
        "",
        "Things",
        "",
        "a   bb       n",
        "--  ---  -----",
        "1   x        0",
        "22  yyy  1,234",
        "",
        "Noted.",
        "",
        "Well.",
        "",
        "Unwell.",
    ]


def test_a_terminal_gets_colour(terminal):
    output.write(BLOCKS, terminal)
    text = terminal.getvalue()
    assert "\x1b[1;32mWell." in text
    assert "\x1b[2J" not in text
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "[bold]value[/]" in bare
    assert "x\\x1b[2J" in bare
    assert "\x1b" not in bare


def test_a_terminal_without_rich_gets_plain_text(terminal, monkeypatch):
    monkeypatch.delitem(sys.modules, "tlskit.cli._rich", raising=False)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    output.write(BLOCKS, terminal)
    assert "\x1b" not in terminal.getvalue()
    assert "22  yyy  1,234\n" in terminal.getvalue()


def test_letters_that_the_output_has_not():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    output.write([blocks.Paragraph("caf\u00e9")], out)
    out.flush()
    assert raw.getvalue() == b"caf\\xe9\n"


def test_json_is_ascii():
    out = io.StringIO()
    output.write_json({"a": "\u00e9\x1b"}, out)
    assert out.getvalue() == '{\n  "a": "\\u00e9\\u001b"\n}\n'


def test_every_counter_is_shown():
    assert list(report.MEANINGS) == list(tlskit.SessionStats.__dataclass_fields__)


@needs_demo
@pytest.mark.parametrize("columns", [80, 120])
def test_the_demo_fits_a_real_terminal(columns):
    near, far = pytest.importorskip("pty").openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "60"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "tlskit", "demo"],
        stdout=far,
        stderr=subprocess.PIPE,
        env=environment,
    )
    os.close(far)
    seen = bytearray()
    try:
        while data := os.read(near, 65536):
            seen += data
    except OSError:
        pass  # how Linux says that the other end is closed
    _, errors = process.communicate(timeout=60)
    os.close(near)
    assert (process.returncode, errors) == (0, b"")
    text = seen.decode()
    assert "\x1b[" in text
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert max(map(len, lines)) <= columns
    assert sum(re.search(r" resumed +[0-9.]+ +[0-9]", line) is not None for line in lines) == 7
