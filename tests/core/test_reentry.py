"""A callback that turns to its own connection: questions are answered, and what would enter libssl
again is refused.
"""

from __future__ import annotations

import gc
import socket

import pytest

import tlskit

from ..support.pairs import (
    Background,
    client_context,
    memory_pair,
    server_context,
    socket_pair,
)

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


def test_its_context_is_not_changed_where_openssl_uses_it(contexts, pki, version):
    """SSL_set_SSL_CTX frees what libssl reads while it calls back; only in the questions for a
    name, for a whole ClientHello and for a certificate it does not.
    """
    client, server = contexts
    client.set_alpn_protocols(["h2"])
    seen, tried = {}, set()

    def switching(name, answer=None):
        def callback(connection, *arguments):
            if (name, connection.server_side) in tried:
                return answer
            tried.add((name, connection.server_side))
            make = server_context if connection.server_side else client_context
            try:
                connection.context = make(pki)
            except RuntimeError as error:
                seen.setdefault(name, set()).add(str(error)[:51])
            else:
                seen.setdefault(name, set()).add("changed")
            gc.collect()  # what it had before is freed
            return answer

        return callback

    for name in ("message_callback", "keylog_callback", "state_callback", "alert_callback"):
        setattr(client, name, switching(name))
        setattr(server, name, switching(name))
    client.verify_callback = switching("verify_callback")
    client.verify_each = switching("verify_each")
    server.alpn_callback = switching("alpn_callback", "h2")
    server.tickets.app_data = switching("app_data", b"")
    for _ in range(2):
        near, far = memory_pair(client, server)
        near.write(b"hello")
        assert far.read() == b"hello"
    refusal = "this callback cannot change the context of its conn"
    expected = {
        "message_callback", "keylog_callback", "state_callback", "verify_callback", "verify_each",
        "alpn_callback", "app_data",
    }  # fmt: skip
    assert expected <= set(seen)
    assert {found for each in seen.values() for found in each} == {refusal}


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
