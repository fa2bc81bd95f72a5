"""A TLS server that makes a keyring of its own, and forks workers that share its port.

    python -m tests.tickets.prefork_server PORT CHAIN KEY PERIOD LIFETIME VERSION NAME...

Each worker says its name to a connection, and whether the session was resumed. They end when
standard input does, or with their parent, in whatever way that ends.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

import tlskit

from .fleet_server import serve


def main() -> None:
    port, chain, key, period, lifetime, version, *names = sys.argv[1:]
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.minimum_version = context.maximum_version = tlskit.TLSVersion(int(version))
    context.tickets.keyring = tlskit.TicketKeyring(period=int(period), lifetime=int(lifetime))
    listener = socket.create_server(("127.0.0.1", int(port)), reuse_port=True)
    reading, writing = os.pipe()
    for name in names:
        if os.fork() == 0:
            os.close(writing)
            threading.Thread(target=serve, args=(listener, context, name), daemon=True).start()
            os.read(reading, 1)
            os._exit(0)
    listener.close()
    print("ready", flush=True)
    sys.stdin.read()
    os.close(writing)
    for _ in names:
        os.wait()


if __name__ == "__main__":
    main()
