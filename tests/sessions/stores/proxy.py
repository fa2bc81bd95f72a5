"""A TCP proxy in front of a server, which can hold back what it carries, or forget it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Carries bytes between clients and a server.

    Attributes:
        flowing: while it is not set, answers of the server wait here.
        swallow: while it is set, answers of the server are dropped, and the connection with them.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server, self._listener = (host, port), socket.create_server(("127.0.0.1", 0))
        self.flowing, self.swallow = threading.Event(), threading.Event()
        self.flowing.set()
        self._open: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def _start(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                self._start(self._carry, client, server, False)
                self._start(self._carry, server, client, True)

    def _carry(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if answers:
                    self.flowing.wait(60)
                    if self.swallow.is_set():
                        break
                target.sendall(data)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.flowing.set()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        for sock in self._open:
            sock.close()


@contextlib.contextmanager
def proxy(host: str, port: int) -> Iterator[Proxy]:
    """A proxy that is gone at the end of the block."""
    one = Proxy(host, port)
    try:
        yield one
    finally:
        one.close()
