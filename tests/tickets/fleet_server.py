"""One machine of a fleet: a TLS server in a process of its own, that shares its port with others.

    python -m tests.tickets.fleet_server PORT NAME CHAIN KEY PERIOD LIFETIME VERSION

The secret comes as a line of hexadecimal on standard input. To each connection it says its name and
whether the session was resumed; at the end of its input it says what it has counted.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading

import tlskit


def main() -> None:
    port, name, chain, key, period, lifetime, version = sys.argv[1:]
    secret = bytes.fromhex(sys.stdin.readline())
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.minimum_version = context.maximum_version = tlskit.TLSVersion(int(version))
    ring = tlskit.TicketKeyring.fleet(secret, period=int(period), lifetime=int(lifetime))
    context.tickets.keyring = ring
    listener = socket.create_server(("127.0.0.1", int(port)), reuse_port=True)
    threading.Thread(target=serve, args=(listener, context, name), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    print("counted", ring.stats(), flush=True)


def serve(listener: socket.socket, context: tlskit.SSLContext, name: str) -> None:
    while True:
        plain, _ = listener.accept()
        plain.settimeout(20)
        with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as wrapped:
            wrapped.sendall(f"{name} {wrapped.session_reused}\n".encode())
            wrapped.unwrap()


if __name__ == "__main__":
    main()
