"""The demo's server: `python -m tlskit.cli.demo._server CERTIFICATE PORT [KEYS]`.

It writes {"port": ...} when it listens, answers one connection after the other, stops when its
input ends, and then writes its session counters. If another program has the port, it writes null in
its place, and ends. KEYS is a file with its ticket key.
"""

from __future__ import annotations

import errno
import json
import select
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import asdict

from ..._context import SSLContext
from ..._tickets import TicketKeyring
from ...enums import _SSLMethod
from .place import HOST, PATIENCE


def main() -> None:
    context = SSLContext(_SSLMethod.PROTOCOL_TLS_SERVER)
    certificate, port, *keys = sys.argv[1:]
    context.load_cert_chain(certificate)
    if keys:
        context.tickets.keyring = TicketKeyring.from_files(*keys)
    try:
        listener = socket.create_server((HOST, int(port)))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        print(json.dumps({"port": None}))
        return
    with listener, _end_of_input() as end:
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
        while True:
            ready, _, _ = select.select([listener, end], [], [])
            if listener not in ready:
                break  # there is no further client, and the input has ended
            plain, _ = listener.accept()
            with suppress(OSError):  # a client that fails reports the error itself
                _answer(context, plain)
    print(json.dumps(asdict(context.sessions.stats())))


def _end_of_input() -> socket.socket:
    """Return a socket that is readable once the input has ended. Windows waits for sockets only."""
    near, far = socket.socketpair()

    def wait() -> None:
        with far:
            sys.stdin.read()

    threading.Thread(target=wait, daemon=True).start()
    return near


def _answer(context: SSLContext, plain: socket.socket) -> None:
    plain.settimeout(PATIENCE)
    with plain, context.wrap_socket(plain, server_side=True) as connection:
        connection.sendall(connection.recv(4096))
        connection.unwrap().close()


if __name__ == "__main__":
    main()
