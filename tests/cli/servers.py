"""Servers of all manners for `tlskit connect`, and ways to run the command line."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tlskit.cli import main

#: For tests that run the demo in a process of its own, where no plugin stands in for trustme.
needs_demo = pytest.mark.skipif(
    importlib.util.find_spec("cryptography") is None, reason="the demo needs trustme"
)


@contextlib.contextmanager
def serving(
    handle: Callable[[socket.socket], None], *, host: str = "127.0.0.1", most: int | None = None
) -> Iterator[int]:
    """A server that handles one plain connection after the other, `most` at most, and then takes no
    more; its port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    port: int = listener.getsockname()[1]
    stopping = threading.Event()

    def serve() -> None:
        served = 0
        while most is None or served < most:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            if stopping.is_set():
                plain.close()
                return
            if most is not None and served + 1 == most:
                listener.close()
            with plain, contextlib.suppress(OSError, ValueError):
                plain.settimeout(10)
                handle(plain)
            served += 1

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        stopping.set()
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            pass  # wakes accept()
        thread.join(10)
        listener.close()


@dataclass
class Answering:
    """Handles a connection over TLS: sends nothing by itself, notes what it is sent, and ends with
    the client.
    """

    context: Any
    heard: list[bytes] = field(default_factory=list)
    before_end: Callable[[], None] = lambda: None

    def __call__(self, plain: socket.socket) -> None:
        with self.context.wrap_socket(plain, server_side=True) as connection:
            self.before_end()
            while data := connection.recv(4096):
                self.heard.append(data)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def as_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m tlskit`."""
    return subprocess.run(
        [sys.executable, "-m", "tlskit", *arguments], capture_output=True, text=True, timeout=120
    )


def as_json(capsys: Any, *arguments: str) -> dict[str, Any]:
    """Run a command in this process with --json: its document, after it has succeeded without a
    word of complaint.
    """
    status = main([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    document: dict[str, Any] = json.loads(out)
    return document


def complaint(capsys: Any, *arguments: str, status: int = 1) -> str:
    """Run a command in this process that has to fail: the one line that it says."""
    assert main(arguments) == status
    err: str = capsys.readouterr().err
    assert err.startswith("tlskit: ")
    assert err.endswith(".\n")
    assert err.count("\n") == 1
    return err.removeprefix("tlskit: ").rstrip("\n")
