"""Two ends of a connection, in memory or over a socket pair, for any module of the shape of
`ssl`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl as stdlib
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import tlskit

from .pki import PKI, Identity
from .processes import PATIENCE


def strict(context: Any) -> Any:
    """The same context, for which an end without close_notify is an error: some distributions'
    Pythons ignore it, and so do tlskit's contexts there.
    """
    if context.options & stdlib.OP_IGNORE_UNEXPECTED_EOF:
        context.options &= ~stdlib.OP_IGNORE_UNEXPECTED_EOF
    return context


def _made(module: ModuleType | None, protocol: str) -> Any:
    """A context of this module as it begins; of tlskit's own, without what a distribution adds."""
    if module is not None:
        return module.SSLContext(getattr(module, protocol))
    return strict(tlskit.SSLContext(getattr(tlskit, protocol)))


def server_context(
    pki: PKI, *, identity: Identity | None = None, module: ModuleType | None = None
) -> Any:
    """A server's context with a certificate in it."""
    context = _made(module, "PROTOCOL_TLS_SERVER")
    shown = identity or pki.server
    context.load_cert_chain(shown.chain, shown.key)
    return context


def client_context(pki: PKI, *, module: ModuleType | None = None) -> Any:
    """A client's context that trusts the root."""
    context = _made(module, "PROTOCOL_TLS_CLIENT")
    context.load_verify_locations(pki.root)
    return context


def serving(made: Any, version: Any = None) -> Any:
    """A server's context with a certificate of support/certificates.py, and for one version."""
    context = _made(None, "PROTOCOL_TLS_SERVER")
    context.load_cert_chain(made.chain, made.key)
    if version is not None:
        only(version, context)
    return context


def only(version: Any, *contexts: Any) -> None:
    """Let these contexts speak one protocol version only (TLS 1.0 and 1.1 at security level 0)."""
    for context in contexts:
        if version < stdlib.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = version
        context.maximum_version = version


def shake(*ends: Any, rounds: int = 10) -> None:
    """Make the handshake of two in-memory ends, taking turns."""
    waiting = list(ends)
    for _ in range(rounds):
        for end in list(waiting):
            with contextlib.suppress(stdlib.SSLWantReadError):
                end.do_handshake()
                waiting.remove(end)
        if not waiting:
            return
    raise AssertionError("the handshake did not come to an end")


def memory_pair(
    client: Any,
    server: Any,
    *,
    hostname: str | None = "localhost",
    session: Any = None,
    module: ModuleType = tlskit,
) -> tuple[Any, Any]:
    """Connected ends, the client's first, that share two MemoryBIOs; the client has read its
    tickets.
    """
    to_client, to_server = module.MemoryBIO(), module.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=hostname, session=session)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    shake(near, far)
    take_tickets(near)
    return near, far


def take_tickets(end: Any) -> None:
    """Let a client take in what the server sent after the handshake."""
    with contextlib.suppress(stdlib.SSLWantReadError):
        end.read(1)


class Background:
    """A function in a thread of its own, whose exception is not lost: `result()` raises it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work, self._value, self._error = work, None, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error

    def ended(self, seconds: float) -> bool:
        """Whether it ends within that many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self, timeout: float = 30) -> Any:
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the thread did not end"
        if self._error is not None:
            raise self._error
        return self._value

    @property
    def error(self) -> BaseException | None:
        """What it raised, once it has ended."""
        self._thread.join(30)
        return self._error


@contextlib.contextmanager
def socket_pair(
    client: Any, server: Any, *, hostname: str | None = "localhost", session: Any = None
) -> Iterator[tuple[Any, Any]]:
    """Connected SSLSockets over a socket pair, the client's first."""
    near, far = socket.socketpair()
    accepting = Background(lambda: server.wrap_socket(far, server_side=True))
    wrapped = client.wrap_socket(near, server_hostname=hostname, session=session)
    other = accepting.result()
    with wrapped, other:
        yield wrapped, other


@contextlib.contextmanager
def greeting(context: Any) -> Iterator[tuple[tuple[str, int], Background]]:
    """A server that accepts one connection and sends "welcome" on it: its address, and the
    connection as the result of what runs in the background.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)

        def accept() -> Any:
            plain, _ = listening.accept()
            plain.settimeout(PATIENCE)
            far = context.wrap_socket(plain, server_side=True)
            far.sendall(b"welcome\n")
            return far

        yield listening.getsockname(), Background(accept)


@contextlib.contextmanager
def echo_server(context: Any, *, unwrap: bool = True) -> Iterator[tuple[str, int]]:
    """A server on a free loopback port that sends back what it gets, a thread for each connection;
    its address.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()
    threads: list[threading.Thread] = []

    def serve(plain: socket.socket) -> None:
        with (
            contextlib.suppress(OSError, ValueError),
            context.wrap_socket(plain, server_side=True) as wrapped,
        ):
            while data := wrapped.recv(65536):
                wrapped.sendall(data)
            if unwrap:
                wrapped.unwrap()

    def accept() -> None:
        while not stopping.is_set():
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve, args=(plain,), daemon=True)
            thread.start()
            threads.append(thread)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()
    finally:
        stopping.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(10)
        for thread in threads:
            thread.join(10)


def drained(end: Any, size: int = 262144) -> bytes:
    """All that can be read of an end in memory."""
    found = []
    while True:
        try:
            found.append(end.read(size))
        except tlskit.SSLWantReadError:
            return b"".join(found)
