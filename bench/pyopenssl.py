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
    BLOCK,
    CHUNK,
    LOOPBACK,
    MESSAGE,
    Measure,
    Measured,
    Task,
    ended,
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


def client_context(task: Task) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.load_verify_locations(os.path.join(task.folder, "ca.pem"))
    context.set_verify(SSL.VERIFY_PEER)
    return limited(context)


def server_context(task: Task) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(os.path.join(task.folder, "server.pem"))
    context.use_privatekey_file(os.path.join(task.folder, "server.pem"))
    context.set_session_id(b"bench")
    return limited(context)


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
    client, server = client_context(task), server_context(task)
    return lambda: task.rate(lambda: memory_pair(client, server))


def resumed(task: Task) -> Measure:
    client_side, server_side = client_context(task), server_context(task)
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
    client, server = memory_pair(client_context(task), server_context(task))
    message = bytes(MESSAGE)

    def step() -> None:
        client.send(message)
        server.bio_write(client.bio_read(CHUNK))
        server.recv(MESSAGE)

    return lambda: task.rate(step)


@contextlib.contextmanager
def connected(task: Task, context: SSL.Context) -> Iterator[SSL.Connection]:
    """A connection to the peer, for one turn."""
    with stream_socket() as plain:
        plain.connect((LOOPBACK, task.port))
        connection = client_of(context, plain)
        connection.do_handshake()
        yield connection


def receive(task: Task) -> Measure:
    context = client_context(task)

    def measure() -> Measured:
        with connected(task, context) as connection:
            recv = connection.recv
            return task.megabytes(lambda: len(recv(CHUNK)) or ended())

    return measure


def receive_into(task: Task) -> Measure:
    context, into = client_context(task), bytearray(CHUNK)

    def measure() -> Measured:
        with connected(task, context) as connection:
            recv_into = connection.recv_into
            return task.megabytes(lambda: recv_into(into) or ended())

    return measure


def send(task: Task) -> Measure:
    context, block = client_context(task), bytes(BLOCK)

    def measure() -> Measured:
        with connected(task, context) as connection:
            sendall = connection.sendall
            return task.megabytes(lambda: sendall(block) and BLOCK)

    return measure


def round_trips(task: Task) -> Measure:
    context, message = client_context(task), bytes(MESSAGE)

    def measure() -> Measured:
        with connected(task, context) as connection:
            sendall, recv = connection.sendall, connection.recv

            def step() -> None:
                sendall(message)
                recv(MESSAGE)

            return task.rate(step)

    return measure


MEASURES: dict[str, Callable[[Task], Measure]] = {
    work.__name__: work
    for work in (handshake, resumed, write_read, receive, receive_into, send, round_trips)
}


def main(arguments: list[str]) -> int:
    """Do one piece of work in turns."""
    name, seconds, pairs, folder, port = arguments
    measure = MEASURES[name](Task(None, float(seconds), int(pairs), folder, int(port)))
    version = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()
    answer(lambda: {**measure()._asdict(), "openssl": version})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
