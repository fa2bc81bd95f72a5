"""The demo's two client processes: this one, and another that is started for one connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..._connection.socket import SSLSocket
from ..._context import SSLContext
from ..._functions import create_default_context
from ...enums import TLSVersion
from ...sessions import SessionStats, SQLiteStore, SSLSession
from ..failure import Failure
from ..visit import Guest, visit
from .place import HOST, NAME, PATIENCE, last_line

VERSIONS = {"TLSv1.3": TLSVersion.TLSv1_3, "TLSv1.2": TLSVersion.TLSv1_2}

_GREETING = b"hello\n"


def client_context(root: Path, version: TLSVersion) -> SSLContext:
    """Return a client's context for one protocol version that trusts only the throwaway root."""
    context = create_default_context(cafile=root)
    context.minimum_version = context.maximum_version = version
    return context


@contextmanager
def store_context(root: Path, file: Path) -> Iterator[SSLContext]:
    """Yield a client's context that resumes automatically, from a store in this file."""
    store = SQLiteStore(file)
    try:
        context = create_default_context(cafile=root)
        context.sessions.store = store
        yield context
    finally:
        store.close()


def call(port: int, context: SSLContext, session: SSLSession | None, *, process: str) -> Guest:
    """Make one connection to the demo's server."""
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
    """Send a line, and read the answer to its end: TLS 1.3's tickets arrive with it."""
    try:
        connection.sendall(_GREETING)
        while connection.recv(4096):
            pass
    except OSError as error:
        raise Failure(f"The demo's server did not answer: {error}.") from error


def kept(guest: Guest) -> SSLSession:
    """Return the session that a connection has left."""
    if guest.session is None:
        raise Failure(
            f"No session came with the {guest.visit.version} connection to the demo's server."
        )
    return guest.session


def write_session(file: Path, session: SSLSession) -> None:
    """Write a session so that only this user can read it: it contains a secret."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as f:
        f.write(session.to_pem())


def second_process(port: int, root: Path, kind: str, file: Path) -> dict[str, Any]:
    """Let another process connect once, with the file's content: a "session" or a "store"."""
    command = [sys.executable, "-m", "tlskit.cli.demo._second", str(port), str(root), kind]
    try:
        done = subprocess.run(
            [*command, str(file)],
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"The second process did not come to its end: {error}.") from error
    if done.returncode != 0:
        raise Failure(f"The second process failed: {last_line(done.stderr)}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def summed(several: list[SessionStats]) -> SessionStats:
    """Return the sum of several contexts' counters."""
    counters = [asdict(one) for one in several]
    return SessionStats(**{name: sum(c[name] for c in counters) for name in counters[0]})
