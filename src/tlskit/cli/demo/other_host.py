"""The session of one host, offered under the name of another.

The certificate of the demo's server is for one name. A client that connects under another name must
refuse it, also when it offers a session that this very server gave it under the right name: a
resumed handshake shows no certificate, so nothing would be checked.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._context import SSLContext
from ..._stdlib import classes as stdlib
from ..failure import Failure
from .place import HOST, NAME, PATIENCE

OTHER = "bank.example"


@dataclass(frozen=True)
class Attempt:
    """What a library made of it.

    Attributes:
        library: "the stdlib's ssl" or "tlskit".
        accepted: whether the connection came about.
        reason: what it said instead.
    """

    library: str
    accepted: bool
    reason: str | None


def attempts(port: int, root: Path) -> Iterator[Attempt]:
    """Try it with the stdlib's contexts, and with tlskit's."""
    for library, kind in (("the stdlib's ssl", stdlib.SSLContext), ("tlskit", SSLContext)):
        context: Any = kind(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(root)
        yield _attempt(library, context, port)


def _attempt(library: str, context: Any, port: int) -> Attempt:
    try:
        session = _connect(context, port, NAME, None)
    except OSError as error:
        raise Failure(f"The demo's server did not answer: {error}.") from error
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
