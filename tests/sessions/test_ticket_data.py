"""A user's own data in tickets, and at the beginning of session ids."""

from __future__ import annotations

import os
import socket

import pytest

import tlskit
from tlskit import MemoryStore, TicketKeyring

from ..support import peers
from ..support.pairs import client_context, memory_pair, only, server_context
from ..support.peers import PATIENCE

TLS12, TLS13 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3


@pytest.fixture
def client(pki, version):
    context = client_context(pki)
    context.sessions.store = MemoryStore()
    only(version, context)
    return context


@pytest.fixture(params=["own", "keyring"])
def server(pki, request):
    context = server_context(pki)
    if request.param == "keyring":
        context.tickets.keyring = TicketKeyring()
    return context


@pytest.mark.parametrize("data", [b"x", b"user 42", bytes(4096)])
def test_it_comes_back(client, server, data):
    server.tickets.app_data = data
    near, far = memory_pair(client, server)
    assert far.ticket_app_data is None
    near, far = memory_pair(client, server)
    assert near.session_reused
    assert far.ticket_app_data == data
    assert near.ticket_app_data is None
    near, far = memory_pair(client, server)
    assert far.ticket_app_data == data


def test_a_function_for_each_connection(client, server):
    asked = []

    def data(connection):
        asked.append(connection)
        return b"%d" % len(asked)

    server.tickets.app_data = data
    server.tickets.count = 1
    _, first = memory_pair(client, server)
    near, second = memory_pair(client, server)
    assert near.session_reused
    assert second.ticket_app_data == b"1"
    assert asked[0] is first
    _, third = memory_pair(client, server)
    assert third.ticket_app_data == (b"2" if near.version() == "TLSv1.3" else b"1")
    assert second.ticket_app_data == b"1"


def test_what_is_not_given_again_is_gone(client, server):
    if client.minimum_version == TLS12:
        pytest.skip("the same ticket is shown again")
    server.tickets.app_data = b"once"
    memory_pair(client, server)
    server.tickets.app_data = None
    _, far = memory_pair(client, server)
    assert far.ticket_app_data == b"once"
    _, far = memory_pair(client, server)
    assert far.session_reused
    assert far.ticket_app_data is None


def test_beside_a_clients_certificate(client, server, pki):
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.tickets.app_data = lambda connection: connection.info.peer_certificate[:20]
    if client.minimum_version == TLS12:  # its ticket is made before the handshake is complete
        server.tickets.app_data = b"data"
    _, first = memory_pair(client, server)
    for _ in range(3):
        near, far = memory_pair(client, server)
        assert near.session_reused
        assert far.ticket_app_data in (b"data", first.info.peer_certificate[:20])
        assert far.info.verified_chain == first.info.verified_chain != ()


def test_stateful_tickets(pki, version):
    client, server = client_context(pki), server_context(pki)
    only(version, client)
    client.sessions.store, server.sessions.store = MemoryStore(), MemoryStore()
    server.tickets.app_data = b"kept here"
    memory_pair(client, server)
    near, far = memory_pair(client, server)
    assert near.session_reused
    assert far.ticket_app_data == (b"kept here" if version == TLS13 else None)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(bytes(4097), ValueError), ("text", TypeError), (7, TypeError)],
)
def test_answers_that_do_not_do(client, server, answer, kind):
    server.tickets.app_data = lambda connection: answer
    with pytest.raises(kind):
        memory_pair(client, server)


def test_an_exception_comes_out(client, server):
    def data(connection):
        raise LookupError("no such user")

    server.tickets.app_data = data
    with pytest.raises(LookupError, match="no such user"):
        memory_pair(client, server)
    server.tickets.app_data = lambda connection: None
    memory_pair(client, server)


def test_the_setting(server, client):
    assert server.tickets.app_data is None
    for wrong, kind in ((bytes(4097), ValueError), ("text", TypeError), (7, TypeError)):
        with pytest.raises(kind, match="app_data must"):
            server.tickets.app_data = wrong
    with pytest.raises(ValueError, match="only servers issue tickets"):
        client.tickets.app_data = b"x"
    server.tickets.app_data = b"secret"
    assert "app_data: set\n" in server.describe()
    server.configure(tickets={"app_data": b"other"})
    assert server.tickets.app_data == b"other"


@pytest.mark.skipif(not peers.version(), reason="there is no openssl command")
def test_with_openssls_client(pki, server, tmp_path, version):
    only(version, server)
    server.tickets.app_data = b"of openssl"
    file = tmp_path / "session.pem"
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE)
    found = []
    with listener:
        for option in ("-sess_out", "-sess_in"):
            with peers.s_client(listener.getsockname(), pki.root, option, file) as peer:
                plain, _ = listener.accept()
                plain.settimeout(PATIENCE)
                with server.wrap_socket(plain, server_side=True) as accepted:
                    accepted.sendall(b"hello\n")
                    peer.expect("hello")
                    found.append(accepted.ticket_app_data)
                    peer.say(b"Q\n")
                    assert accepted.recv(10) == b""
    assert found == [None, b"of openssl"]


# -- session ids -----------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [b"a", b"server-07", bytes(range(16))])
def test_ids_begin_with_it(pki, prefix):
    client, server = client_context(pki), server_context(pki)
    only(TLS12, client, server)
    client.sessions.store = MemoryStore()
    server.sessions.id_prefix = prefix
    server.tickets.enabled = False
    ids = set()
    for _ in range(3):
        client.sessions.store = MemoryStore()
        near, _ = memory_pair(client, server)
        assert near.session.id.startswith(prefix)
        assert len(near.session.id) == 32
        ids.add(near.session.id)
        near, _ = memory_pair(client, server)
        assert near.session_reused
    assert len(ids) == 3
    server.sessions.id_prefix = b""
    client.sessions.store = MemoryStore()
    assert not memory_pair(client, server)[0].session.id.startswith(bytes(range(4)))


def test_prefixes_that_do_not_do(pki):
    server = server_context(pki)
    assert server.sessions.id_prefix == b""
    with pytest.raises(ValueError, match="at most 16 bytes, got 17"):
        server.sessions.id_prefix = bytes(17)
    with pytest.raises(TypeError):
        server.sessions.id_prefix = "text"
    assert server.sessions.id_prefix == b""


@pytest.fixture
def ends(pki):
    """Contexts for TLS 1.2 without tickets."""
    client, server = client_context(pki), server_context(pki)
    only(TLS12, client, server)
    server.tickets.enabled = False
    return client, server


@pytest.mark.parametrize("size", [1, 16, 32])
def test_a_function_makes_ids(ends, size):
    client, server = ends
    made, asked = [], []

    def generate(connection):
        asked.append(connection)
        made.append(os.urandom(size))
        return made[-1]

    server.sessions.id_prefix = b"not used"
    server.sessions.generate_id = generate
    near, far = memory_pair(client, server)
    assert near.session.id == made[0]
    assert asked == [far]
    again, _ = memory_pair(client, server, session=near.session)
    assert again.session_reused
    assert len(made) == 1
    server.sessions.generate_id = None
    assert memory_pair(client, server)[0].session.id.startswith(b"not used")


@pytest.mark.parametrize("how", ["raises", "wrong type", "empty", "long"])
def test_what_a_function_does_wrong_is_raised_by_its_own_connection(ends, how):
    client, server = ends
    good = True

    def generate(connection):
        if good:
            return os.urandom(32)
        if how == "raises":
            raise LookupError("no ids")
        return {"wrong type": "text", "empty": b"", "long": bytes(33)}[how]

    server.sessions.generate_id = generate
    first, _ = memory_pair(client, server)
    good = False
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    expected = {"raises": LookupError, "wrong type": TypeError}.get(how, ValueError)
    with pytest.raises(expected, match=r"no ids|must return (bytes|between 1 and 32 bytes)"):
        far.do_handshake()
    again, _ = memory_pair(client, server, session=first.session)
    assert again.session_reused


def test_an_id_is_used_once(ends):
    client, server = ends
    server.sessions.generate_id = lambda connection: b"the same for everybody"
    first, _ = memory_pair(client, server)
    with pytest.raises(tlskit.SSLError) as caught:
        memory_pair(client, server)
    assert "SSL_SESSION_ID_CONFLICT" in {entry.reason for entry in caught.value.errors}
    again, _ = memory_pair(client, server, session=first.session)
    assert again.session_reused


@pytest.mark.parametrize("enabled", [True, False])
def test_newer_tls_asks_for_no_id(pki, enabled):
    client, server = client_context(pki), server_context(pki)
    only(tlskit.TLSVersion.TLSv1_3, client, server)
    asked = []
    server.sessions.generate_id = asked.append
    server.tickets.enabled = enabled
    near, _ = memory_pair(client, server)
    assert memory_pair(client, server, session=near.session)[0].session_reused
    assert asked == []


async def _later(connection):
    return bytes(32)


@pytest.mark.parametrize("value", [_later, b"an id", 5])
def test_a_function_that_cannot_make_ids(value):
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    with pytest.raises(TypeError, match="generate_id"):
        server.sessions.generate_id = value
    assert server.sessions.generate_id is None
