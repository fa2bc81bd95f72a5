"""What objects look like in a debugger or a log: enough to tell them apart, and no secrets."""

from __future__ import annotations

import os

import pytest

import tlskit

from ..support.pairs import client_context, memory_pair, server_context


def test_a_context(pki):
    client = client_context(pki)
    client.minimum_version = tlskit.TLSVersion.TLSv1_2  # a distribution may begin with another
    assert repr(client) == "<SSLContext: client, TLSv1_2 to MAXIMUM_SUPPORTED, CERT_REQUIRED>"
    server = server_context(pki)
    server.minimum_version = server.maximum_version = tlskit.TLSVersion.TLSv1_3
    assert repr(server) == "<SSLContext: server, TLSv1_3 to TLSv1_3, CERT_NONE>"


def test_one_for_both_sides_and_of_a_class_of_its_own():
    class Mine(tlskit.SSLContext):
        pass

    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS is deprecated"):
        context = Mine(tlskit.PROTOCOL_TLS)
    assert repr(context).startswith("<Mine: client and server, ")


def test_the_sessions_of_a_context(pki):
    client, server = client_context(pki), server_context(pki)
    server.sessions.mode |= tlskit.SessionCacheMode.SERVER
    server.tickets.enabled = False
    memory_pair(client, server)
    assert (
        repr(server.sessions)
        == f"<ContextSessions: OpenSSL's own cache with {len(server.sessions)} sessions>"
    )
    assert len(server.sessions) > 0
    client.sessions.store = tlskit.MemoryStore()
    assert repr(client.sessions) == "<ContextSessions: in a MemoryStore>"


def test_the_tickets_of_a_context(pki):
    server = server_context(pki)
    assert repr(server.tickets) == "<ContextTickets: OpenSSL's own keys>"
    secret = os.urandom(32)
    server.tickets.keyring = tlskit.TicketKeyring.fleet(secret)
    shown = repr(server.tickets)
    assert repr(server.tickets.keyring) in shown
    assert secret.hex() not in shown
    assert repr(secret)[2:-1] not in shown
    server.tickets.keyring = None
    server.tickets.enabled = False
    assert repr(server.tickets) == "<ContextTickets: off>"


def test_both_ends_of_a_connection(pki):
    client, server = memory_pair(client_context(pki), server_context(pki))
    assert repr(client) == "<SSLObject: client of localhost>"
    assert repr(server) == "<SSLObject: server>"


def test_a_byte_queue():
    bio = tlskit.MemoryBIO()
    bio.write(b"the plaintext")
    assert repr(bio) == "<MemoryBIO with 13 bytes>"
    bio.write_eof()
    assert repr(bio) == "<MemoryBIO with 13 bytes, then the end>"
