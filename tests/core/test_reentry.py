"""A callback that turns to its own connection: questions are answered, and what would enter libssl
again is refused.
"""

from __future__ import annotations

import socket

import pytest

import tlskit

from ..support.pairs import Background, memory_pair, server_context, socket_pair

OPERATIONS = {
    "read": lambda connection: connection.read(5),
    "write": lambda connection: connection.write(b"in the clear?"),
    "do_handshake": lambda connection: connection.do_handshake(),
    "unwrap": lambda connection: connection.unwrap(),
}


def trying(operation):
    """A callback that does it, and what came of it."""
    seen = []

    def callback(connection, *arguments):
        try:
            seen.append(operation(connection))
        except RuntimeError as error:
            seen.append(error)

    return callback, seen


def refused(seen):
    return seen and all(
        isinstance(found, RuntimeError) and "cannot begin another" in str(found) for found in seen
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_in_the_question_for_a_name(contexts, name):
    client, server = contexts
    server.sni_callback, seen = trying(OPERATIONS[name])
    near, far = memory_pair(client, server)
    assert refused(seen)
    near.write(b"hello")
    assert far.read() == b"hello"


@pytest.mark.parametrize("name", OPERATIONS)
def test_over_sockets(contexts, name):
    """Where it would have waited: for the very bytes that the handshake is to send."""
    client, server = contexts
    server.sni_callback, seen = trying(OPERATIONS[name])
    with socket_pair(client, server) as (near, far):
        assert refused(seen)
        near.sendall(b"hello")
        assert far.recv(5) == b"hello"


@pytest.mark.parametrize("name", OPERATIONS)
def test_while_messages_are_shown(contexts, name):
    client, server = contexts
    client._msg_callback, ours = trying(OPERATIONS[name])
    server._msg_callback, theirs = trying(OPERATIONS[name])
    near, far = memory_pair(client, server)
    near.write(b"hello")
    assert far.read() == b"hello"
    assert refused(ours)
    assert refused(theirs)


def test_another_connection_is_another_matter(contexts, pki):
    """From inside one handshake a whole other one may be made."""
    client, server = contexts
    other, inner = server_context(pki), []
    server.sni_callback = lambda *arguments: inner.append(memory_pair(client, other)[0].version())
    near, _ = memory_pair(client, server)
    assert inner == [near.version()]


def test_closing(contexts):
    """What libssl would still send or receive does not meet the descriptor's next owner."""
    client, server = contexts
    server.sni_callback = lambda connection, name, context: connection.close()
    near, far = socket.socketpair()
    near.settimeout(10)
    accepting = Background(lambda: server.wrap_socket(far, server_side=True))
    with pytest.raises(tlskit.SSLError):
        client.wrap_socket(near, server_hostname="localhost")
    assert isinstance(accepting.error, OSError)
