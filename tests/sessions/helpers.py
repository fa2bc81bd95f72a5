"""Earning and spending sessions of every kind, over memory and over sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import tlskit

from ..support.pairs import Background, client_context, memory_pair, only, server_context
from ..support.pki import PKI, Identity


@dataclass(frozen=True)
class Kind:
    """What a session is resumed by."""

    name: str
    version: tlskit.TLSVersion
    tickets: bool
    """Whether the ticket holds the session, or only names it in the server's cache."""

    @property
    def modern(self) -> bool:
        return self.version is tlskit.TLSVersion.TLSv1_3

    @property
    def brought(self) -> int:
        """How many sessions a full handshake brings a client."""
        return 2 if self.modern else 1


KINDS = [
    Kind("tls12-id", tlskit.TLSVersion.TLSv1_2, False),
    Kind("tls12-ticket", tlskit.TLSVersion.TLSv1_2, True),
    Kind("tls13-stateful", tlskit.TLSVersion.TLSv1_3, False),
    Kind("tls13-ticket", tlskit.TLSVersion.TLSv1_3, True),
]


def server_for(
    kind: Kind, pki: PKI, *, identity: Identity | None = None, module: ModuleType = tlskit
) -> Any:
    """A server's context that gives sessions of this kind."""
    context = server_context(pki, identity=identity, module=module)
    only(kind.version, context)
    if not kind.tickets:
        context.options |= module.OP_NO_TICKET
    return context


def client_for(kind: Kind, pki: PKI, *, module: ModuleType = tlskit) -> Any:
    """A client's context that trusts the root."""
    context = client_context(pki, module=module)
    only(kind.version, context)
    return context


class Link:
    """A way to connect two contexts. What it connected stays open until `close`."""

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self._open = contextlib.ExitStack()

    def connect(
        self, client: Any, server: Any, *, hostname: str | None = "localhost", session: Any = None
    ) -> tuple[Any, Any]:
        """Two ends after their handshake, the client's first, which has read its tickets."""
        if self.transport == "memory":
            return memory_pair(client, server, hostname=hostname, session=session)
        plain, other = socket.socketpair()
        for one in (plain, other):
            one.settimeout(20)
        accepting = Background(lambda: server.wrap_socket(other, server_side=True))
        try:
            near = self._open.enter_context(
                client.wrap_socket(plain, server_hostname=hostname, session=session)
            )
        except BaseException:
            plain.close()
            if accepting.error is None:
                accepting.result().close()
            other.close()
            raise
        far = self._open.enter_context(accepting.result())
        far.sendall(b"x")
        assert near.recv(1) == b"x"
        return near, far

    def earn(
        self, client: Any, server: Any, *, hostname: str | None = "localhost"
    ) -> tlskit.SSLSession:
        """The session that a full handshake leaves to the client."""
        near, _ = self.connect(client, server, hostname=hostname)
        assert not near.session_reused
        return near.session

    def close(self) -> None:
        self._open.close()


def ends(client: Any, server: Any, **options: Any) -> tuple[Any, Any]:
    """In-memory ends before their handshake."""
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(
        to_client, to_server, server_hostname=options.pop("hostname", "localhost"), **options
    )
    return near, server.wrap_bio(to_server, to_client, server_side=True)


def greet(near: Any, far: Any) -> None:
    """Show that bytes go both ways."""
    far.write(b"hello")
    assert near.read(5) == b"hello"
    near.write(b"and you")
    assert far.read(7) == b"and you"


def hello(end: Any, outgoing: Any) -> bytes:
    """The ClientHello of an in-memory client."""
    with contextlib.suppress(tlskit.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()


def aged(session: tlskit.SSLSession, seconds: int) -> tlskit.SSLSession:
    """The same session, made so much earlier, bound and belonging as before."""
    return session.with_times(time=session.time - seconds)


def outcome(work: Any) -> tuple[str, Any]:
    """What a call comes to: its value, or the class and words of its exception."""
    try:
        return "gave", work()
    except Exception as error:
        return type(error).__name__, str(error)


def drained(end: Any) -> bytes:
    """All that an in-memory end can read now."""
    got = b""
    with contextlib.suppress(tlskit.SSLWantReadError):
        while data := end.read(65536):
            got += data
    return got


def alone(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this in an interpreter of its own, which finds what this one finds, and may crash."""
    paths = os.pathsep.join([str(Path(__file__).resolve().parents[2]), *filter(None, sys.path)])
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    try:
        return subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError("the other interpreter did not end") from error
