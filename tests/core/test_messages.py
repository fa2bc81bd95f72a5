"""`_msg_callback`: every protocol message, as the stdlib shows it; and what a callback may do
meanwhile.
"""

from __future__ import annotations

import socket
import ssl as stdlib
from ssl import _TLSAlertType, _TLSContentType, _TLSMessageType

import pytest

import tlskit

from ..stdlib.compare import same_openssl
from ..support.pairs import client_context, memory_pair, only, server_context, socket_pair


def recorded(pki, version, module=tlskit):
    """A connection from its first message to its last; what each side was shown."""
    client, server = client_context(pki, module=module), server_context(pki, module=module)
    only(version, client, server)
    seen = []

    def callback(connection, direction, shown, content_type, msg_type, data):
        seen.append(
            (
                connection.server_side,
                direction,
                shown,
                content_type,
                msg_type,
                type(data),
                bool(data),
            )
        )

    client._msg_callback = server._msg_callback = callback
    near, far = memory_pair(client, server, module=module)
    near.write(b"hello")
    far.read()
    with pytest.raises(stdlib.SSLWantReadError):
        near.unwrap()
    far.unwrap()
    near.unwrap()
    return seen


@same_openssl
def test_the_stdlib_shows_the_same(pki, version):
    ours, theirs = recorded(pki, version), recorded(pki, version, module=stdlib)
    assert ours == theirs
    assert len(ours) > 30


def test_names_of_the_stdlib(pki, version):
    seen = recorded(pki, version)
    directions, versions, content_types = ({row[i] for row in seen} for i in (1, 2, 3))
    assert directions == {"read", "write"}
    assert all(isinstance(value, tlskit.TLSVersion) for value in versions)
    assert {
        _TLSContentType.HEADER,
        _TLSContentType.HANDSHAKE,
        _TLSContentType.ALERT,
        _TLSContentType.CHANGE_CIPHER_SPEC,
    } <= content_types
    messages = {row[4] for row in seen}
    assert {
        _TLSMessageType.CLIENT_HELLO,
        _TLSMessageType.SERVER_HELLO,
        _TLSMessageType.FINISHED,
        _TLSAlertType.CLOSE_NOTIFY,
    } <= messages
    assert _TLSContentType.APPLICATION_DATA in messages  # in the header of a record


def test_the_connection_is_the_owner(pki):
    client, server = client_context(pki), server_context(pki)
    seen = set()
    client._msg_callback = lambda connection, *message: seen.add(connection)
    with socket_pair(client, server) as (near, _):
        assert seen == {near}


def test_setting(pki):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    assert context._msg_callback is None

    def callback(*message): ...

    context._msg_callback = callback
    assert context._msg_callback is callback
    for bad in (5, "words", object()):
        with pytest.raises(TypeError, match="not callable"):
            context._msg_callback = bad
    assert context._msg_callback is callback
    with pytest.raises(AttributeError):
        del context._msg_callback
    context._msg_callback = None
    assert context._msg_callback is None


def test_taken_away_from_a_connection_that_is_there(contexts):
    client, server = contexts
    seen = []
    client._msg_callback = lambda *message: seen.append(message)
    near, far = memory_pair(client, server)
    count = len(seen)
    assert count > 0
    client._msg_callback = None
    near.write(b"hello")
    assert far.read() == b"hello"
    assert len(seen) == count


def test_questions_to_its_own_connection(contexts):
    """The connection is locked while it calls: by this very thread, which may go on."""
    client, server = contexts

    def callback(connection, *message):
        answers.append(
            (
                connection.version(),
                connection.cipher(),
                connection.pending(),
                connection.session,
                connection.context,
            )
        )

    answers = []
    client._msg_callback = server._msg_callback = callback
    with socket_pair(client, server) as (near, far):
        near.sendall(b"hello")
        assert far.recv(5) == b"hello"
    assert len(answers) > 10


def test_together_with_the_name(contexts, pki):
    """Another context is set in `sni_callback` while messages are shown."""
    client, server = contexts
    other, seen = server_context(pki), []

    def switch(connection, name, context):
        connection.context = other

    server.sni_callback = switch
    server._msg_callback = lambda *message: seen.append(message)
    for _ in range(2):
        with socket_pair(client, server) as (near, far):
            near.sendall(b"hello")
            assert far.recv(5) == b"hello"
    assert seen


# -- what it raises --------------------------------------------------------------------------------


def raising(problem, *, after=0):
    calls = []

    def callback(*message):
        calls.append(message)
        if len(calls) > after:
            raise problem

    callback.calls = calls
    return callback


def test_out_of_the_handshake(contexts):
    client, server = contexts
    client._msg_callback = raising(KeyError("told"))
    with pytest.raises(KeyError, match="told"):
        memory_pair(client, server)
    assert len(client._msg_callback.calls) == 1  # nothing more is shown until it has been heard


def test_out_of_a_handshake_over_sockets(contexts):
    """Out of the wait for an answer too: here none comes."""
    client, _ = contexts
    client._msg_callback = raising(KeyError("told"))
    near, far = socket.socketpair()
    with far:
        with pytest.raises(KeyError, match="told"):
            client.wrap_socket(near, server_hostname="localhost")
        assert near.fileno() == -1


@pytest.mark.parametrize("buffer", [False, True])
def test_bytes_come_first(contexts, buffer):
    """What was read is not lost: the exception comes out of the operation after it."""
    client, server = contexts
    server._msg_callback = lambda *message: None
    near, far = memory_pair(client, server)
    server._msg_callback = raising(KeyError("told"))
    near.write(b"hello")
    if buffer:
        room = bytearray(10)
        assert far.read(10, room) == 5
        assert room[:5] == b"hello"
    else:
        assert far.read(10) == b"hello"
    with pytest.raises(KeyError, match="told"):
        far.read(10)


def test_a_count_comes_first(contexts):
    """What was written has gone, and whoever wrote it hears how much that was."""
    client, server = contexts
    client._msg_callback = lambda *message: None
    near, _ = memory_pair(client, server)
    client._msg_callback = raising(KeyError("told"))
    assert near.write(b"hello") == 5
    with pytest.raises(KeyError, match="told"):
        near.unwrap()
