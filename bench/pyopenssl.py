"""The work of work.py that pyOpenSSL can do, with its own interface.

    python -m bench.pyopenssl WORK SECONDS PAIRS FOLDER PORT
        does it once for each line on stdin, and prints {"value", "busy", "openssl"}

It has the OpenSSL that its wheel of `cryptography` brings. It verifies the chain, but not the name:
it has no setting for that.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from OpenSSL import SSL

from .turns import answer
from .work import (
    CHUNK,
    LOOPBACK,
    MESSAGE,
    Measure,
    Measured,
    Task,
    receive,
    receive_into,
    round_trips,
    send,
    stream_socket,
)

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION, "": None}


def limited(context: SSL.Context) -> SSL.Context:
    """Return the context, limited to the TLS version of this measurement."""
    number = VERSIONS[os.environ.get("TLSKIT_BENCH_VERSION", "")]
    if number is not None:
        context.set_min_proto_version(number)
        context.set_max_proto_version(number)
    return context


class PyOpenSSLTask(Task):
    """The same parameters, and pyOpenSSL's contexts and connections to the peer."""

    def client_context(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.load_verify_locations(os.path.join(self.folder, "ca.pem"))
        context.set_verify(SSL.VERIFY_PEER)
        return limited(context)

    def server_context(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(os.path.join(self.folder, "server.pem"))
        context.use_privatekey_file(os.path.join(self.folder, "server.pem"))
        context.set_session_id(b"bench")
        return limited(context)

    @contextlib.contextmanager
    def connect(self, context: SSL.Context, session: Any = None) -> Iterator[SSL.Connection]:
        with stream_socket() as plain:
            plain.connect((LOOPBACK, self.port))
            connection = client_of(context, plain, session)
            connection.do_handshake()
            yield connection


def client_of(context: SSL.Context, sock: Any = None, session: Any = None) -> SSL.Connection:
    connection = SSL.Connection(context, sock)
    connection.set_tlsext_host_name(b"localhost")
    if session is not None:
        connection.set_session(session)
    connection.set_connect_state()
    return connection


def carry(source: SSL.Connection, target: SSL.Connection) -> None:
    """Move what one end has to send into the other."""
    try:
        while True:
            target.bio_write(source.bio_read(CHUNK))
    except SSL.WantReadError:
        return


def memory_pair(
    client_context: SSL.Context, server_context: SSL.Context, session: Any = None
) -> tuple[SSL.Connection, SSL.Connection]:
    """Return a client and a server, connected in memory, after their handshake, with the tickets
    read.
    """
    client, server = client_of(client_context, None, session), SSL.Connection(server_context, None)
    server.set_accept_state()
    client_done = server_done = False
    while not (client_done and server_done):
        client_done = client_done or advance(client)
        carry(client, server)
        server_done = server_done or advance(server)
        carry(server, client)
    try:
        client.recv(1)
    except SSL.WantReadError:
        return client, server
    raise RuntimeError("data where only tickets were expected")


def advance(end: SSL.Connection) -> bool:
    try:
        end.do_handshake()
    except SSL.WantReadError:
        return False
    return True


def handshake(task: Task) -> Measure:
    client, server = task.client_context(), task.server_context()
    return lambda: task.rate(lambda: memory_pair(client, server))


def resumed(task: Task) -> Measure:
    client_side, server_side = task.client_context(), task.server_context()
    session: Any = None

    def step() -> None:
        nonlocal session
        client, _ = memory_pair(client_side, server_side, session)
        session = client.get_session()
        # An SSL that is freed without a shutdown marks its session not resumable.
        client.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)

    def measure() -> Measured:
        measured = task.rate(step)
        # pyOpenSSL does not say whether a session was resumed: if so, the server sent no
        # certificate
        if flight(client_side, server_side, session) + 300 > flight(client_side, server_side):
            raise RuntimeError("the session was not resumed")
        return measured

    step()
    return measure


def flight(client_side: SSL.Context, server_side: SSL.Context, session: Any = None) -> int:
    """Return the number of bytes with which the server answers a ClientHello."""
    client, server = client_of(client_side, None, session), SSL.Connection(server_side, None)
    server.set_accept_state()
    advance(client)
    carry(client, server)
    advance(server)
    return len(server.bio_read(CHUNK))


def write_read(task: Task) -> Measure:
    client, server = memory_pair(task.client_context(), task.server_context())
    message = bytes(MESSAGE)

    def step() -> None:
        client.send(message)
        server.bio_write(client.bio_read(CHUNK))
        server.recv(MESSAGE)

    return lambda: task.rate(step)


MEASURES: dict[str, Callable[[Task], Measure]] = {
    work.__name__: work
    for work in (handshake, resumed, write_read, receive, receive_into, send, round_trips)
}


def main(arguments: list[str]) -> int:
    """Do one piece of work in turns."""
    name, seconds, pairs, folder, port = arguments
    measure = MEASURES[name](PyOpenSSLTask(None, float(seconds), int(pairs), folder, int(port)))
    version = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()
    answer(lambda: {**measure()._asdict(), "openssl": version})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
