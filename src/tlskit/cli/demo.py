"""`tlskit demo`: resumption on this machine, between processes, with certificates that nobody will
need again.

Three kinds of processes: this one, which connects twice with each protocol version and sets the
session before the second handshake; the server (`_server.py`); and another client (`_second.py`),
which knows no more than a file with a session in it, and the throwaway root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .._connection.socket import SSLSocket
from .._context import SSLContext
from .._functions import create_default_context
from ..enums import TLSVersion
from ..sessions import SessionStats, SSLSession
from .failure import MISUSED, Failure
from .visit import Guest, Visit, visit

HOST, NAME = "127.0.0.1", "localhost"
VERSIONS = {"TLSv1.3": TLSVersion.TLSv1_3, "TLSv1.2": TLSVersion.TLSv1_2}
PATIENCE = 20.0  # seconds that one step may take

_GREETING = b"hello\n"


@dataclass(frozen=True)
class Outcome:
    """What the demo has seen.

    Attributes:
        server: where it listened, and in which process.
        visits: the connections, in the order in which they were made.
        statistics: the counters: "server", "first process" and "second process".
    """

    server: dict[str, Any]
    visits: list[Visit]
    statistics: dict[str, SessionStats]

    @property
    def complaint(self) -> str | None:
        """A sentence when a connection with a session was not resumed; None when all were."""
        for v in self.visits:
            if v.reason is not None:
                return (
                    f"A connection of the {v.process} process with {v.version} was to resume "
                    f"and did not: {v.reason}."
                )
        return None


def run() -> Outcome:
    """Run the demo.

    Raises:
        Failure: trustme is not installed, or a process or a connection failed.
    """
    with tempfile.TemporaryDirectory(prefix="tlskit-demo-") as name:
        folder = Path(name)
        _make_pki(folder)
        with _server(folder) as server:
            outcome = _connections(server, folder)
            statistics = {"server": server.stop(), **outcome[1]}
    return Outcome({"host": HOST, "port": server.port, "pid": server.pid}, outcome[0], statistics)


def client_context(root: Path, version: TLSVersion) -> SSLContext:
    """A client's context for one protocol version, that trusts the throwaway root and nobody
    else.
    """
    context = create_default_context(cafile=root)
    context.minimum_version = context.maximum_version = version
    return context


def call(port: int, context: SSLContext, session: SSLSession | None, *, process: str) -> Guest:
    """One connection to the demo's server."""
    return visit(
        (HOST, port),
        context,
        server_hostname=NAME,
        session=session,
        timeout=PATIENCE,
        converse=_greet,
        where="the demo's server",
        process=process,
    )


def _greet(connection: SSLSocket, fresh: list[SSLSession]) -> None:
    """Say a line, and read the answer to its end: the tickets of TLS 1.3 come with it."""
    try:
        connection.sendall(_GREETING)
        while connection.recv(4096):
            pass
    except OSError as error:
        raise Failure(f"The demo's server did not answer: {error}.") from error


# -- the two clients -------------------------------------------------------------------------------


def _connections(server: _Server, folder: Path) -> tuple[list[Visit], dict[str, SessionStats]]:
    visits: list[Visit] = []
    first, second = [], []
    for name, version in VERSIONS.items():
        context = client_context(folder / "root.pem", version)
        full = call(server.port, context, None, process="first")
        again = call(server.port, context, _kept(full), process="first")
        file = folder / f"{name}.session.pem"
        _write(file, _kept(again).to_pem())
        told = _second_process(server.port, folder / "root.pem", file)
        visits += [full.visit, again.visit, Visit(**told["connection"])]
        first.append(context.sessions.stats())
        second.append(SessionStats(**told["statistics"]))
    return visits, {"first process": _sum(first), "second process": _sum(second)}


def _kept(guest: Guest) -> SSLSession:
    if guest.session is None:
        raise Failure(
            f"No session came with the {guest.visit.version} connection to the demo's server."
        )
    return guest.session


def _write(file: Path, pem: str) -> None:
    """Write a session for this user's eyes only: it holds a secret."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as f:
        f.write(pem)


def _second_process(port: int, root: Path, file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tlskit.cli._second", str(port), str(root), str(file)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE * 2, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"The second process did not come to its end: {error}.") from error
    if done.returncode != 0:
        raise Failure(f"The second process failed: {_last_line(done.stderr)}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _sum(several: list[SessionStats]) -> SessionStats:
    counters = [asdict(one) for one in several]
    return SessionStats(**{name: sum(c[name] for c in counters) for name in counters[0]})


# -- the server and its certificate ----------------------------------------------------------------


def _make_pki(folder: Path) -> None:
    """A root, and a certificate for the server that the root itself has issued.

    No authority stands between them: a session read from a file is offered only when the one
    certificate in it leads to a trusted root by itself.
    """
    try:
        import trustme
    except ImportError as error:
        raise Failure(
            "The demo needs trustme for its certificates: pip install 'tlskit[cli]'", status=MISUSED
        ) from error
    root = trustme.CA(organization_name="tlskit demo")
    leaf = root.issue_cert(NAME, HOST, organization_name="tlskit demo")
    root.cert_pem.write_to_path(str(folder / "root.pem"))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))


class _Server:
    """The server's process: it writes its port, stops when its input ends, and then writes its
    counters.
    """

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self._process = process
        self._errors = errors
        self.pid = process.pid
        self.port = 0

    def start(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failure(
                f"The demo's server did not start: "
                f"{_last_line(self._errors.read_text(errors='replace'))}"
            )
        self.port = json.loads(line)["port"]

    def stop(self) -> SessionStats:
        """Let it end, and take its counters."""
        try:
            out, _ = self._process.communicate(timeout=PATIENCE)
            return SessionStats(**json.loads(out))
        except (subprocess.TimeoutExpired, ValueError) as error:
            why = _last_line(self._errors.read_text(errors="replace"))
            raise Failure(f"The demo's server did not hand over its counters: {why}") from error


@contextmanager
def _server(folder: Path) -> Iterator[_Server]:
    errors = folder / "server.log"
    command = [sys.executable, "-m", "tlskit.cli._server", str(folder / "server.pem")]
    with errors.open("w") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
    with process:
        try:
            server = _Server(process, errors)
            server.start()
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            if process.poll() is None:
                process.kill()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing."
