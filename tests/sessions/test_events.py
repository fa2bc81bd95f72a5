"""`ctx.sessions.on_new`: news of every session, after the operation in which it came."""

from __future__ import annotations

import gc
import weakref

import pytest

import tlskit
from tlskit import SessionCacheMode

from ..support import raw
from ..support.pairs import Background, memory_pair, shake, take_tickets
from ..support.system import assert_descriptor_closed
from .helpers import KINDS, client_for, drained, greet, server_for


class Log:
    """A callback that remembers."""

    def __init__(self) -> None:
        self.connections, self.sessions = [], []

    def __call__(self, connection, session):
        self.connections.append(connection)
        self.sessions.append(session)


class Trouble(Exception):
    """What the callbacks here raise."""


def raising(connection, session):
    raise Trouble


def to_the_first_read(near, far):
    shake(near, far)
    take_tickets(near)


# -- on the client ---------------------------------------------------------------------------------


def test_a_full_handshake(kind, link, client, server):
    client.sessions.on_new = log = Log()
    near, _ = link.connect(client, server)
    assert log.connections == [near] * kind.brought
    assert all(
        isinstance(session, tlskit.SSLSession) and session.is_resumable for session in log.sessions
    )
    assert len(set(log.sessions)) == kind.brought
    assert log.sessions[-1] == near.session


def test_a_resumed_handshake(kind, link, client, server):
    session = link.earn(client, server)
    client.sessions.on_new = log = Log()
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused
    assert len(log.sessions) == (1 if kind.modern else 0)
    assert session not in log.sessions


def test_every_one_of_them_resumes(kind, link, client, server):
    client.sessions.on_new = log = Log()
    link.connect(client, server)
    client.sessions.on_new = None
    for session in log.sessions:
        near, _ = link.connect(client, server, session=session)
        assert near.session_reused


def test_they_are_bound(kind, link, client, server):
    client.sessions.on_new = log = Log()
    link.connect(client, server)
    client.sessions.on_new = None
    for session in log.sessions:
        near, _ = link.connect(client, server, hostname="other.example", session=session)
        assert not near.session_reused
        assert isinstance(near.resumption, tlskit.NotOffered)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_as_many_as_the_server_sends(memory, pki, count):
    kind = KINDS[3]
    client, server = client_for(kind, pki), server_for(kind, pki)
    server.num_tickets = count
    client.sessions.on_new = log = Log()
    memory.connect(client, server)
    assert len(log.sessions) == count


def test_more_than_anybody_needs(memory, pki):
    """A peer decides how many tickets it sends: the queue is bounded, and the newest are kept."""
    kind = KINDS[3]
    client, server = client_for(kind, pki), server_for(kind, pki)
    server.num_tickets = 300
    client.sessions.on_new = log = Log()
    near, _ = memory.connect(client, server)
    assert 1 <= len(log.sessions) <= 300
    assert log.sessions[-1] == near.session


def test_they_come_with_the_first_read_in_tls_1_3(pki):
    kind = KINDS[3]
    client, server = client_for(kind, pki), server_for(kind, pki)
    client.sessions.on_new = log = Log()
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    shake(near, far)
    assert log.sessions == []
    assert not near.session.is_resumable
    take_tickets(near)
    assert len(log.sessions) == 2


def test_nothing_after_a_failed_handshake(kind, link, client, server):
    client.sessions.on_new = log = Log()
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(client, server, hostname="evil.example")
    assert log.sessions == []


# -- on the server ---------------------------------------------------------------------------------


def made(kind):
    """How many a server is told of: none where a TLS 1.2 ticket is all there is, and nothing to be
    cached (ssl_update_cache).
    """
    return 0 if kind is KINDS[1] else kind.brought


def test_on_a_server(kind, link, client, server):
    server.sessions.on_new = log = Log()
    _, far = link.connect(client, server)
    assert log.connections == [far] * made(kind)
    assert log.sessions[-1:] == [far.session] * bool(made(kind))
    link.connect(client, server)
    assert len(log.sessions) == 2 * made(kind)


def test_on_a_server_that_does_not_keep_them(kind, memory, client, server):
    server.sessions.on_new = log = Log()
    server.sessions.mode |= SessionCacheMode.NO_INTERNAL_STORE
    memory.connect(client, server)
    assert len(log.sessions) == made(kind)
    assert len(server.sessions) == 0


# -- setting it ------------------------------------------------------------------------------------


def test_it_can_be_read_back_and_taken_off(memory, kind, client, server):
    log = Log()
    client.sessions.on_new = log
    assert client.sessions.on_new is log
    client.sessions.on_new = None
    assert client.sessions.on_new is None
    memory.connect(client, server)
    assert log.sessions == []


@pytest.mark.parametrize("bad", [5, "callback", [], object()])
def test_what_cannot_be_called(client_only, bad):
    client_only.sessions.on_new = log = Log()
    with pytest.raises(TypeError, match="callable"):
        client_only.sessions.on_new = bad
    assert client_only.sessions.on_new is log


@pytest.fixture
def client_only():
    return tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)


def test_it_adds_client_to_the_mode(client_only):
    client_only.sessions.on_new = Log()
    assert client_only.sessions.mode & SessionCacheMode.CLIENT
    assert client_only.sessions.mode & SessionCacheMode.SERVER  # and takes nothing away


def test_a_client_that_asks_for_news_does_not_fill_its_cache(kind, memory, client, server):
    """The documentation: "and on a client's context NO_INTERNAL_STORE": nobody looks into a
    client's cache.
    """
    client.sessions.on_new = Log()
    memory.connect(client, server)
    assert len(client.sessions) == 0
    assert client.sessions.mode & SessionCacheMode.NO_INTERNAL_STORE


def test_it_holds_for_connections_made_later(kind, client, server):
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    client.sessions.on_new = log = Log()
    shake(near, far)
    take_tickets(near)
    assert log.sessions == []


def test_taken_off_while_a_connection_lives(kind, client, server):
    """What has gone is not called, also on a connection that was made with it."""
    client.sessions.on_new = log = Log()
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    client.sessions.on_new = None
    shake(near, far)
    take_tickets(near)
    assert log.sessions == []


# -- raising, and other mischief -------------------------------------------------------------------


def test_what_it_raises_comes_out_of_the_operation(kind, client, server):
    client.sessions.on_new = raising
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(Trouble):  # the handshake in TLS 1.2, the first read in TLS 1.3
        to_the_first_read(near, far)


def test_the_connection_survives_what_it_raises(kind, client, server):
    calls = []

    def once(connection, session):
        calls.append(session)
        if len(calls) == 1:
            raise Trouble

    client.sessions.on_new = once
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(Trouble):
        to_the_first_read(near, far)
    to_the_first_read(near, far)
    greet(near, far)
    assert len(calls) == kind.brought  # the second one was not lost with the first


def test_no_byte_is_lost_with_what_it_raises(pki):
    """Tickets and data come with one read: when the callback raises, the data has to come with the
    next.
    """
    kind = KINDS[3]
    client, server = client_for(kind, pki), server_for(kind, pki)
    client.sessions.on_new = raising
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    shake(near, far)
    far.write(b"the first bytes")
    got = b""
    for _ in range(4):
        try:
            got += near.read(100)
        except (Trouble, tlskit.SSLWantReadError):
            continue
    assert got == b"the first bytes"


def test_raising_while_a_socket_is_wrapped(pki):
    """The socket is not leaked: its end sees the connection closed."""
    import socket

    from ..support.pairs import Background

    kind = KINDS[0]
    client, server = client_for(kind, pki), server_for(kind, pki)
    client.sessions.on_new = raising
    plain, other = socket.socketpair()
    other.settimeout(20)
    accepting = Background(lambda: server.wrap_socket(other, server_side=True))
    with pytest.raises(Trouble):
        client.wrap_socket(plain, server_hostname="localhost")
    with accepting.result() as far:
        assert far.recv(1) == b""


def test_reading_inside_it(kind, client, server):
    """It is called with no lock held: so it may use its own connection."""
    seen = []
    client.sessions.on_new = lambda connection, session: seen.append(
        (connection.version(), connection.session_reused, connection.session)
    )
    memory_pair(client, server)
    assert [row[0] for row in seen] == [
        {"tls12": "TLSv1.2", "tls13": "TLSv1.3"}[kind.name[:5]]
    ] * kind.brought


def test_another_connection_inside_it(kind, client, server):
    """Resuming at once from what has just come."""
    resumed = []

    def again(connection, session):
        if not resumed:
            resumed.append(None)
            near, _ = memory_pair(client, server, session=session)
            resumed.append(near.session_reused)

    client.sessions.on_new = again
    memory_pair(client, server)
    assert resumed[:2] == [None, True]


def test_taking_itself_off(kind, client, server):
    log = Log()

    def once(connection, session):
        log(connection, session)
        client.sessions.on_new = None

    client.sessions.on_new = once
    near, far = memory_pair(client, server)
    assert len(log.sessions) == 1
    greet(near, far)


def test_a_connection_dropped_inside_it(kind, client, server):
    """The callback may hold the last reference."""
    kept = []
    client.sessions.on_new = lambda connection, session: kept.append(weakref.ref(connection))
    memory_pair(client, server)
    gc.collect()
    assert kept
    assert all(reference() is None for reference in kept)


def test_sessions_outlive_their_connection_and_their_context(kind, pki, memory):
    server = server_for(kind, pki, identity=pki.direct)
    client = client_for(kind, pki)
    client.sessions.on_new = log = Log()
    memory.connect(client, server)
    log.connections.clear()
    del client
    gc.collect()
    session = log.sessions[-1]
    assert session.is_resumable
    other = client_for(kind, pki)
    near, _ = memory.connect(other, server, session=tlskit.SSLSession.from_der(session.to_der()))
    assert near.session_reused


def test_through_the_buffers_of_others(kind, client, server):
    import ssl

    client.sessions.on_new = log = Log()
    near, far = memory_pair(client, server, module=ssl)
    assert len(log.sessions) == kind.brought
    far.write(b"x" * 100)
    assert drained(near) == b"x" * 100


# -- what they raise when a connection is closed ---------------------------------------------------


def closing(server, client):
    """A client's end whose ticket has come, and is handed out by close()."""
    near, far = raw.tcp_pair()
    accepting = Background(lambda: server.wrap_socket(far, server_side=True))
    end = client.wrap_socket(near, server_hostname="localhost")
    return end, accepting.result()


def test_close_releases_everything_whatever_on_new_raises(pki):
    stage = raw.Stage(pki, tlskit.TLSVersion.TLSv1_3)
    client, server = stage.client(tlskit), stage.server(tlskit)
    client.sessions.on_new = raising
    end, other = closing(server, client)
    with other:
        raw.until(lambda: raw.readable(end))
        with pytest.raises(Trouble):
            end.close()
        assert end.fileno() == -1
        end.close()


def test_close_releases_everything_whatever_on_remove_raises(pki):
    stage = raw.Stage(pki, tlskit.TLSVersion.TLSv1_2)
    client, server = stage.client(tlskit), stage.server(tlskit)
    server.options |= tlskit.OP_NO_TICKET
    server.sessions.on_new = Log()
    for _ in range(2):
        memory_pair(client, server)
    end, other = closing(server, client)
    server.sessions.on_remove = lambda session: (_ for _ in ()).throw(Trouble)
    with end:
        fd = other.fileno()
        with pytest.raises(Trouble):
            server.sessions.flush(at=2**40)  # of the first one; the next operation tells of others
        with pytest.raises(Trouble):
            other.close()
        assert other.fileno() == -1
        assert_descriptor_closed(fd)
    server.sessions.on_remove = None
