"""Import tlskit, make a handshake over loopback sockets in TLS 1.2 and 1.3, and resume it.

    python -m tests.support.smoke

It is the first thing to run on a new platform: it needs trustme and nothing else; and where there
is no cryptography, pytest for `elsewhere`.
"""

from __future__ import annotations

import importlib.util
import platform
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import tlskit

if importlib.util.find_spec("cryptography") is None:
    from . import elsewhere  # noqa: F401  (provides trustme)

import trustme

WORD = b"hello"
TIMES = 1000


def serve(listener: socket.socket, context: tlskit.SSLContext, count: int) -> None:
    for _ in range(count):
        raw, _address = listener.accept()
        with context.wrap_socket(raw, server_side=True) as connection:
            connection.sendall(connection.recv(100) * TIMES)
            connection.unwrap().close()


def talk(connection: tlskit.SSLSocket) -> None:
    connection.sendall(WORD)
    received = b""
    while len(received) < len(WORD) * TIMES:
        part = connection.recv(16384)
        assert part, "the server ended early"
        received += part


def main() -> None:
    print(f"{platform.machine()} {sys.platform} {sys.version.split()[0]} {tlskit.OPENSSL_VERSION}")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder, "leaf.pem")
        leaf.private_key_and_cert_chain_pem.write_to_path(str(pem))
        server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(str(pem))
    for version in (tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3):
        client = tlskit.create_default_context(cadata=authority.cert_pem.bytes().decode())
        client.minimum_version = client.maximum_version = version
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve, args=(listener, server, 2), daemon=True)
            thread.start()
            session = None
            for attempt in range(2):
                start = time.perf_counter()
                with client.wrap_socket(
                    socket.create_connection(listener.getsockname()),
                    server_hostname="localhost",
                    session=session,
                ) as connection:
                    talk(connection)
                    session = connection.session
                    took = (time.perf_counter() - start) * 1000
                    how = "resumed" if connection.session_reused else "full"
                    print(f"{connection.version()} {connection.cipher()} {how}, {took:.0f} ms")
                    assert connection.session_reused == bool(attempt)
                    connection.unwrap().close()
            thread.join(10)
            assert not thread.is_alive()
    print("smoke: ok")


if __name__ == "__main__":
    main()
