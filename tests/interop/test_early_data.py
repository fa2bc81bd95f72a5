"""Early data with openssl's s_server and s_client."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

import tlskit
from tlskit import EarlyDataStatus

from ..support import peers
from ..support.pairs import Background, client_context, server_context
from ..support.pki import PKI

pytestmark = pytest.mark.skipif(
    peers.version() is None, reason="there is no openssl command, of version 3.0 or later"
)


def test_s_server_takes_it(pki: PKI) -> None:
    context = client_context(pki)
    context.sessions.resume = True
    with peers.s_server(pki.direct, "-tls1_3", "-early_data") as server:
        for number in range(2):
            with socket.create_connection(server.address) as plain:
                near = context.wrap_socket(
                    plain, server_hostname="localhost", early_data=b"early or late\n"
                )
                with near:
                    server.expect("early or late")
                    server.say(b"an answer\n")
                    assert near.recv(100).endswith(b"an answer\n")
                    assert near.early_data_status is (
                        EarlyDataStatus.ACCEPTED if number else EarlyDataStatus.NOT_SENT
                    )
                    near.unwrap()  # or s_server would withdraw the session


def test_s_client_sends_it(pki: PKI, tmp_path: Path) -> None:
    context = server_context(pki, identity=pki.direct)
    context.max_early_data = 1000
    session, early = tmp_path / "session.pem", tmp_path / "early"
    early.write_bytes(b"early from openssl")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> tuple[bytes, EarlyDataStatus | None]:
            plain, _ = listener.accept()
            with (
                plain,
                context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as far,
            ):
                got = far.read_early_data()
                while more := far.read_early_data():
                    got += more
                far.do_handshake()
                far.sendall(b"welcome\n")
                far.recv(100)
                return got, far.early_data_status

        for options, expected in [
            (("-sess_out", session), (b"", EarlyDataStatus.NOT_SENT)),
            (
                ("-sess_in", session, "-early_data", early),
                (b"early from openssl", EarlyDataStatus.ACCEPTED),
            ),
        ]:
            serving = Background(serve)
            with peers.s_client(listener.getsockname(), pki.root, "-tls1_3", *options) as client:
                client.expect("welcome")
                client.say(b"Q\n")
                assert serving.result() == expected
    assert tlskit.SSLSession.from_pem(session.read_bytes()).max_early_data == 1000
