"""Offer the session of one host under the name of another.

The server's certificate is for one name. A client that connects under another name must refuse it,
even if it offers a session that this very server gave it under the right name: a resumed handshake
sends no certificate, so nothing would be checked. The server uses the stdlib's ssl, because its
tickets are like those of most servers: they do not contain the name that they were made for.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from ..._context import SSLContext
from ..._stdlib import classes as stdlib
from ..failure import Failure
from .place import HOST, NAME, PATIENCE

OTHER = "bank.example"


@dataclass(frozen=True)
class Attempt:
    """One library's result.

    Attributes:
        library: "the stdlib's ssl" or "tlskit".
        accepted: whether the connection was accepted.
        reason: the error if it was not.
    """

    library: str
    accepted: bool
    reason: str | None


def attempts(certificate: Path, root: Path) -> list[Attempt]:
    """Try it with the stdlib's contexts, and with tlskit's, on a server with this certificate."""
    tried = []
    with _serving(certificate) as port:
        for library, kind in (("the stdlib's ssl", stdlib.SSLContext), ("tlskit", SSLContext)):
            context: Any = kind(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(root)
            tried.append(_attempt(library, context, port))
    return tried


@contextmanager
def _serving(certificate: Path) -> Iterator[int]:
    """Run the server in a thread until the end of the block, and yield its port."""
    context = stdlib.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    over: list[bool] = []  # appending True ends the thread
    with socket.create_server((HOST, 0)) as listener:
        address = listener.getsockname()
        thread = Thread(target=_serve, args=(listener, context, over), daemon=True)
        thread.start()
        try:
            yield address[1]
        finally:
            over.append(True)
            socket.create_connection(address, PATIENCE).close()  # wakes the thread
            thread.join(PATIENCE)


def _serve(listener: socket.socket, context: Any, over: list[bool]) -> None:
    while True:
        plain, _ = listener.accept()
        with plain, suppress(OSError):  # a client that fails reports the error itself
            if over:
                return
            plain.settimeout(PATIENCE)
            with context.wrap_socket(plain, server_side=True) as connection:
                connection.sendall(connection.recv(4096))


def _attempt(library: str, context: Any, port: int) -> Attempt:
    try:
        session = _connect(context, port, NAME, None)
    except OSError as error:
        raise Failure(f"The stdlib's server did not answer: {error}.") from error
    try:
        _connect(context, port, OTHER, session)
    except OSError as error:
        return Attempt(library, False, getattr(error, "verify_message", None) or str(error))
    return Attempt(library, True, None)


def _connect(context: Any, port: int, name: str, session: Any) -> Any:
    with (
        socket.create_connection((HOST, port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=name, session=session) as connection,
    ):
        connection.sendall(b"hello\n")
        connection.recv(4096)
        return connection.session
