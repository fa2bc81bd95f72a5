"""The real servers that other tests talk to: they answer, with TLS where asked, and leave nothing
behind.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path

import pytest

import tlskit

from ..support import servers
from ..support.pki import PKI


def ask(connection: socket.socket, question: bytes) -> bytes:
    connection.settimeout(20)
    connection.sendall(question)
    return connection.recv(1024)


def test_redis_answers_over_tcp_and_over_its_unix_socket(redis_server: servers.Running) -> None:
    with socket.create_connection(redis_server.address) as plain:
        assert ask(plain, b"PING\r\n") == b"+PONG\r\n"
    with socket.socket(socket.AF_UNIX) as local:
        local.connect(str(redis_server.path))
        assert ask(local, b"PING\r\n") == b"+PONG\r\n"


def test_memcached_answers(memcached_server: servers.Running) -> None:
    with socket.create_connection(memcached_server.address) as plain:
        assert ask(plain, b"version\r\n").startswith(b"VERSION 1.")


def test_redis_answers_over_tls_only(pki: PKI, redis_tls: servers.Running) -> None:
    context = tlskit.create_default_context(cafile=str(pki.root))
    with (
        socket.create_connection(redis_tls.address) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert ask(secure, b"PING\r\n") == b"+PONG\r\n"
    with socket.create_connection(redis_tls.address) as plain, contextlib.suppress(ConnectionError):
        assert ask(plain, b"PING\r\n") == b""


def test_postgres_goes_over_to_tls(pki: PKI, postgres_tls: servers.Running) -> None:
    context = tlskit.create_default_context(cafile=str(pki.root))
    with socket.create_connection(postgres_tls.address) as plain:
        assert ask(plain, struct.pack("!II", 8, 80877103)) == b"S"  # SSLRequest: yes
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            startup = b"".join(
                word + b"\0" for word in (b"user", b"tlskit", b"database", b"tlskit", b"")
            )
            answer = ask(secure, struct.pack("!II", 8 + len(startup), 3 << 16) + startup)
            assert answer.startswith(b"R\0\0\0\x08\0\0\0\0")  # AuthenticationOk


@pytest.mark.parametrize(
    "start", [servers.redis_server, servers.memcached_server], ids=["redis", "memcached"]
)
def test_a_server_is_gone_with_its_folder_afterwards(start: object) -> None:
    with start() as running:  # type: ignore[operator]
        home, address = Path(running.path).parent, running.address
        assert home.is_dir()
    assert not home.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(AssertionError, match="redis-server ended without"),
        servers.redis_server(None, "--no-such-option", "1"),
    ):
        pytest.fail("it has started")


def test_a_program_that_is_not_there_skips_the_test() -> None:
    with pytest.raises(
        pytest.skip.Exception,
        match=r"no-such-server is not on this machine \(Debian's package: none\)",
    ):
        servers._program("no-such-server", "none")
