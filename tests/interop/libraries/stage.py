"""What the scenarios of libraries share: the module that is to be tlskit's, peers for clients and
for servers, and proof.

A scenario is a function of a Stage. It uses a library as its users do, in one of three ways:

    own       with a context of tlskit's in the library's own argument
    before    with `ssl` alone, and tlskit injected into it before the library was imported
    after     the same, but injected when the library had been imported

`stage.ssl` is the module to take contexts from: tlskit in the first, the stdlib's `ssl` in the
others.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import tlskit

NAMES = (
    "localhost",
    "127.0.0.1",
)  # the right name of every server here, and one that its certificate is not for
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: "
    b"close\r\n\r\nhello"
)
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class _Counter(logging.Handler):
    """Counts the lines of tlskit's log about complete handshakes, by what the peer is."""

    def __init__(self) -> None:
        super().__init__()
        self.made = {"client": 0, "server": 0}

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage().split()
        if words[:2] == ["handshake", "with"] and "complete:" in words:
            self.made[words[2]] += 1


class Skipped(Exception):
    """This way does not exist, or what it needs is not here."""


class Stage:
    """One scenario's surroundings.

    Attributes:
        way: "own", "before" or "after".
        ssl: the module that contexts come from.
        root, chain, key: files.
        addresses: of the servers that the tests started, by name.
    """

    def __init__(
        self, way: str, ssl: ModuleType, files: dict[str, str], addresses: dict[str, int]
    ) -> None:
        self.way, self.ssl, self.addresses = way, ssl, addresses
        self.root, self.chain, self.key = (
            Path(files["root"]),
            Path(files["chain"]),
            Path(files["key"]),
        )
        self.stranger_root = Path(files["stranger_root"])

    @property
    def own(self) -> bool:
        return self.way == "own"

    def client(self) -> Any:
        """A client's context that trusts the server."""
        return self.ssl.create_default_context(cafile=str(self.root))

    def distrusting(self) -> Any:
        """A client's context that trusts somebody else alone."""
        return self.ssl.create_default_context(cafile=str(self.stranger_root))

    def server(self) -> Any:
        """A server's context."""
        context = self.ssl.create_default_context(self.ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context

    def port(self, name: str) -> int:
        """Of a server that the tests started."""
        if name not in self.addresses:
            raise Skipped(f"there is no {name} on this machine")
        return self.addresses[name]

    @contextlib.contextmanager
    def proven(self, *, clients: int = 0, servers: int = 0) -> Iterator[None]:
        """In this block as many handshakes, at least, have to be made by tlskit on each side."""
        counter, log = _Counter(), logging.getLogger("tlskit")
        level = log.level
        log.addHandler(counter)
        log.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            log.setLevel(level)
            log.removeHandler(counter)
        made = counter.made
        assert made["server"] >= clients, (
            f"tlskit made {made['server']} handshakes of clients, not {clients}"
        )
        assert made["client"] >= servers, (
            f"tlskit made {made['client']} handshakes of servers, not {servers}"
        )


def refused(work: Callable[[], Any], *expected: type[BaseException], because: str) -> BaseException:
    """The library's own exception, with a certificate error of ssl's somewhere behind it, for the
    right reason.
    """
    try:
        work()
    except expected as error:
        return check_refusal(error, because=because)
    raise AssertionError(f"nothing was raised, but {because!r} was expected")


def check_refusal(error: BaseException, *, because: str) -> BaseException:
    found = [each for each in chained(error) if isinstance(each, tlskit.SSLCertVerificationError)]
    if not found:
        assert because in str(error) or "CERTIFICATE_VERIFY_FAILED" in str(error), (
            f"not a certificate error: {error!r}"
        )
    else:
        assert because in str(found[0]), f"another certificate error: {found[0]!r}"
    return error


WRONG_HOST = "IP address mismatch"
UNKNOWN_CA = "unable to get local issuer certificate"


def chained(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those that it came from: causes, contexts, reasons, members of groups."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [
            one.__cause__,
            one.__context__,
            getattr(one, "reason", None),
            getattr(one, "certificate_error", None),
            *one.args,
        ]
        waiting += getattr(one, "exceptions", ())


# -- peers -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def threads(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A listener on a free loopback port, each connection served in a thread of its own; its
    port.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    running: list[threading.Thread] = []

    def one(plain: socket.socket) -> None:
        with plain, contextlib.suppress(OSError, ValueError):
            plain.settimeout(20)
            serve(plain)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                running.append(thread := threading.Thread(target=one, args=(plain,), daemon=True))
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(20)
        for thread in running:
            thread.join(20)


def http_server(stage: Stage) -> Any:
    """A server that answers every request with "hello" over TLS of tlskit's."""
    context = stage.server()

    def serve(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as secure:
            request = b""
            while b"\r\n\r\n" not in request:
                if not (piece := secure.recv(65536)):
                    return
                request += piece
            secure.sendall(ANSWER)
            secure.unwrap()

    return threads(serve)


def connect_proxy(stage: Stage) -> Any:
    """An HTTPS proxy that knows CONNECT and nothing else."""
    context = stage.server()

    def serve(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as secure:
            request = b""
            while b"\r\n\r\n" not in request:
                request += secure.recv(65536)
            method, target, _ = request.split(b" ", 2)
            assert method == b"CONNECT"
            host, port = target.decode().rsplit(":", 1)
            with socket.create_connection((host, int(port)), 20) as onward:
                secure.sendall(b"HTTP/1.1 200 go on\r\n\r\n")
                back = threading.Thread(target=relay, args=(onward, secure), daemon=True)
                back.start()
                relay(secure, onward)
                back.join(20)

    return threads(serve)


def relay(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def listening() -> socket.socket:
    """A listening socket for a server that takes one: clients may come before it is ready."""
    return socket.create_server(("127.0.0.1", 0))


def visit(stage: Stage, port: int, request: bytes = REQUEST) -> bytes:
    """What a server answers to a client with TLS of tlskit's."""
    context = tlskit.create_default_context(cafile=str(stage.root))
    with (
        socket.create_connection(("127.0.0.1", port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(request)
        got = b""
        while piece := secure.recv(65536):
            got += piece
        return got


def visit_in_vain(port: int) -> None:
    """A client that does not trust the server ends the handshake, and one that speaks no TLS is not
    served.
    """
    for speak in (True, False):
        with socket.create_connection(("127.0.0.1", port), 20) as plain:
            if speak:
                context = tlskit.create_default_context(cadata=None)
                try:
                    context.wrap_socket(plain, server_hostname="localhost").close()
                except tlskit.SSLCertVerificationError:
                    continue
                raise AssertionError("a certificate of nobody's was accepted")
            plain.sendall(REQUEST)
            with contextlib.suppress(ConnectionError):
                answer = plain.recv(65536)
                assert not answer.startswith(b"HTTP/1.1 200"), answer
