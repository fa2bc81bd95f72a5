"""The demo's surroundings: a folder with certificates and ticket keys, and a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...sessions import SessionStats
from ..failure import MISUSED, Failure

HOST, NAME = "127.0.0.1", "localhost"
ROOT, SERVER, KEYS = "root.pem", "server.pem", "tickets.key"  # in the folder
PATIENCE = 20.0  # seconds that one step may take

_KEY_SIZE = 80  # bytes in a file of one ticket key


def make_place(folder: Path) -> None:
    """Create a root, a certificate for the server that the root itself has issued, and a ticket
    key.

    There is no intermediate authority: a session from a file is offered only if the one certificate
    in it is issued by a trusted root.
    """
    try:
        import trustme
    except ImportError as error:
        raise Failure(
            "The demo needs trustme for its certificates: pip install 'tlskit[cli]'", status=MISUSED
        ) from error
    root = trustme.CA(organization_name="tlskit demo")
    leaf = root.issue_cert(NAME, HOST, organization_name="tlskit demo")
    root.cert_pem.write_to_path(str(folder / ROOT))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / SERVER))
    (folder / KEYS).write_bytes(os.urandom(_KEY_SIZE))


class PortTaken(Failure):
    """Another program has taken the port while the server was away."""


class Server:
    """The server's process: it writes its port, stops when its input ends, and then writes its
    counters.
    """

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self._process = process
        self._errors = errors
        self.pid: int = process.pid
        self.port: int = 0

    def start(self) -> None:
        """Wait until it listens."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failure(
                f"The demo's server did not start: "
                f"{last_line(self._errors.read_text(errors='replace'))}"
            )
        port: int | None = json.loads(line)["port"]
        if port is None:
            raise PortTaken("The demo's server did not start: its port is in use.")
        self.port = port

    def stop(self) -> SessionStats:
        """Let it end, and return its counters."""
        try:
            out, _ = self._process.communicate(timeout=PATIENCE)
            return SessionStats(**json.loads(out))
        except (subprocess.TimeoutExpired, ValueError) as error:
            why = last_line(self._errors.read_text(errors="replace"))
            raise Failure(f"The demo's server did not hand over its counters: {why}") from error


@contextmanager
def serving(folder: Path, *, keys: Path | None = None, port: int = 0) -> Iterator[Server]:
    """Run a server's process until the end of the block.

    Args:
        folder: contains its certificate.
        keys: a file with its ticket key; without one, it generates its own.
        port: where to listen; 0 for any free port.
    """
    errors = folder / "server.log"
    command = [sys.executable, "-m", "tlskit.cli.demo._server", str(folder / SERVER), str(port)]
    with errors.open("w") as log:
        process = subprocess.Popen(
            command if keys is None else [*command, str(keys)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        try:
            server = Server(process, errors)
            server.start()
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            if process.poll() is None:
                process.kill()


def last_line(text: str) -> str:
    """Return the last line that a process has written: the reason for its failure."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing."
