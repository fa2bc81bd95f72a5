"""Libraries that set something in a context while others connect with it."""

from __future__ import annotations

import http.server
import threading
from typing import Any

import pytest

import tlskit

from ..support.pairs import Background, client_context, server_context

urllib3 = pytest.importorskip("urllib3")


class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *anything: Any) -> None: ...


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64


def test_urllib3_loads_its_certificate_for_each_connection(pki):
    """PoolManager(ssl_context=..., cert_file=...) loads it into the shared context each time, in
    whichever thread connects.
    """
    context = server_context(pki)
    context.verify_mode = tlskit.CERT_REQUIRED
    context.load_verify_locations(pki.root)
    with Server(("localhost", 0), Ok) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        url = f"https://localhost:{server.server_address[1]}/"
        pool = urllib3.PoolManager(
            8, ssl_context=client_context(pki), cert_file=str(pki.client.chain),
            key_file=str(pki.client.key), retries=False, timeout=30,
        )  # fmt: skip

        def fetch() -> None:
            for _ in range(15):
                assert pool.request("GET", url).data == b"ok"

        threads = [Background(fetch) for _ in range(8)]
        try:
            for one in threads:
                one.result(90)
        finally:
            server.shutdown()
            pool.clear()
