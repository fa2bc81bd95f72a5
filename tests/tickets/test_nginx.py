"""A real nginx with the same key files: each reads the other's tickets."""

from __future__ import annotations

import hashlib
import hmac
import socket

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

import tlskit
from tlskit import TicketKeyring

from ..support import pairs, servers
from .conftest import random_key


@pytest.fixture(params=[48, 80])
def key(request):
    return random_key(request.param)


@pytest.fixture
def key_file(tmp_path, key):
    path = tmp_path / "ticket.key"
    path.write_bytes(key)
    return path


@pytest.fixture
def nginx(pki, key_file, version):
    directives = (
        "ssl_session_ticket_key {home}/ticket.key",
        f"ssl_protocols {version.name.replace('_', '.')}",
    )
    with servers.nginx_server(pki.server, *directives, files=[key_file]) as running:
        yield running


def ask(client, address, session=None):
    """Whether nginx says that it resumed, and the session of now."""
    with (
        socket.create_connection(address, timeout=20) as plain,
        client.wrap_socket(plain, server_hostname="localhost", session=session) as wrapped,
    ):
        wrapped.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b""
        while data := wrapped.recv(4096):
            answer += data
        reused = answer.endswith(b"\r\n\r\nr\n")
        assert wrapped.session_reused is reused
        return reused, wrapped.session


def opened(ticket, key):
    """What a ticket holds, with nginx's layout of the key written down once more; RFC 5077, section
    4.
    """
    name, rest = key[:16], key[16:]
    mac_key, aes_key = (rest[16:], rest[:16]) if len(key) == 48 else (rest[:32], rest[32:])
    assert ticket[:16] == name
    assert hmac.digest(mac_key, ticket[:-32], hashlib.sha256) == ticket[-32:]
    machine = Cipher(algorithms.AES(aes_key), modes.CBC(ticket[16:32])).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(machine.update(ticket[32:-32])) + unpadder.finalize()


def test_each_reads_the_other_s_tickets(client, make_server, nginx, key, key_file):
    reused, session = ask(client, nginx.address)
    assert not reused
    inside = tlskit.SSLSession.from_der(opened(session.ticket, key))
    ring = TicketKeyring.from_files(key_file)
    server = make_server(ring)
    # each server has its own: who resumes has to agree on that too
    server.sessions.id_context = inside.info.id_context
    near, _ = pairs.memory_pair(client, server, session=session)
    assert near.session_reused
    assert ring.stats().resumed == 1
    near, _ = pairs.memory_pair(client, server)
    assert not near.session_reused
    reused, _ = ask(client, nginx.address, near.session)
    assert reused


def test_the_id_context_is_computed(client, make_server, nginx, key_file, pki, version):
    """With what `nginx_id_context` says, each resumes the other's sessions."""
    server = make_server(TicketKeyring.from_files(key_file))
    server.sessions.id_context = tlskit.nginx_id_context(pki.server.chain)
    _, session = ask(client, nginx.address)
    near, far = pairs.memory_pair(client, server, session=session)
    assert near.session_reused
    assert far.resumption
    near, _ = pairs.memory_pair(client, server)
    reused, _ = ask(client, nginx.address, near.session)
    assert reused
    assert tlskit.nginx_id_context(pki.server.chain.read_bytes()) == server.sessions.id_context
    assert tlskit.nginx_id_context(pki.server.chain, module="mail") != server.sessions.id_context


def test_the_id_context_of_nothing(pki, tmp_path):
    with pytest.raises(ValueError, match="needs the certificates"):
        tlskit.nginx_id_context()
    with pytest.raises(ValueError, match="must be one of http, stream, mail, got 'HTTP'"):
        tlskit.nginx_id_context(pki.server.chain, module="HTTP")
    with pytest.raises(FileNotFoundError):
        tlskit.nginx_id_context(tmp_path / "none.pem")
    with pytest.raises(tlskit.SSLError):
        tlskit.nginx_id_context(pki.server.key)


def test_under_another_id_context_nothing_is_resumed(client, make_server, nginx, key_file):
    ring = TicketKeyring.from_files(key_file)
    near, _ = pairs.memory_pair(client, make_server(ring))
    reused, session = ask(client, nginx.address, near.session)
    assert not reused
    near, _ = pairs.memory_pair(client, make_server(ring), session=session)
    assert not near.session_reused
    assert ring.stats().refused == 1


def test_our_tickets_are_written_as_the_key_says(client, make_server, key):
    near, _ = pairs.memory_pair(client, make_server(TicketKeyring.from_keys([key])))
    inside = tlskit.SSLSession.from_der(opened(near.session.ticket, key))
    assert inside.cipher == near.cipher()[0]
