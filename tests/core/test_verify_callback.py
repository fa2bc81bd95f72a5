"""A callback that judges chains which have passed verification."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

import tlskit

from ..support.certificates import authority
from ..support.pairs import Background, memory_pair, serving, shake


class Refusal(Exception):
    pass


def refuse(connection, chain):
    raise Refusal("not this one")


def asking(server, root, callback):
    server.trust_store = tlskit.TrustStore(root.der)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.verify_callback = callback


def test_it_sees_the_verified_chain_once(client, server, leaf, middle, root):
    calls = []
    client.verify_callback = lambda connection, chain: calls.append((connection, chain))
    near, _ = memory_pair(client, server)
    assert calls == [(near, (leaf.der, middle.der, root.der))]
    assert near.verify_result


def test_what_it_raises_comes_out_of_its_own_connection(client, server):
    client.verify_callback = refuse
    one, other = socket.socketpair()
    accepting = Background(lambda: server.wrap_socket(other, server_side=True))
    with one, pytest.raises(Refusal, match="not this one"):
        client.wrap_socket(one, server_hostname="localhost")
    assert isinstance(accepting.error, tlskit.SSLError)
    assert "ALERT" in str(accepting.error)


def test_a_refusal_is_logged_and_counted(client, server, caplog):
    caplog.set_level(logging.INFO, "tlskit")
    client.verify_callback = refuse
    with pytest.raises(Refusal):
        memory_pair(client, server)
    lines = [record.getMessage() for record in caplog.records]
    assert "handshake with server (localhost) failed: not this one" in lines
    assert client.handshake_failures["refusal"] == 1


def test_it_stays_refused(client, server):
    client.verify_callback = refuse
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(Refusal):
        shake(near, far)
    for operation in (near.do_handshake, lambda: near.read(1), lambda: near.write(b"secret")):
        with pytest.raises(tlskit.SSLError):
            operation()
    assert not near.verify_result
    assert near.info is None


def test_another_connection_is_not_touched(client, server):
    refused = []

    def only_the_first(connection, chain):
        if not refused:
            refused.append(connection)
            raise Refusal

    client.verify_callback = only_the_first
    with pytest.raises(Refusal):
        memory_pair(client, server)
    assert memory_pair(client, server)[0].verify_result


def test_a_server_judges_its_clients(client, server, root, leaf):
    seen = []
    asking(server, root, lambda connection, chain: seen.append(chain[0]))
    client.add_certificate(leaf.chain, leaf.key)
    memory_pair(client, server)
    assert seen == [leaf.der]
    server.verify_callback = refuse
    with pytest.raises(Refusal):
        memory_pair(client, server)


def test_it_makes_nothing_good(server, tmp_path):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.trust_store = tlskit.TrustStore(authority(tmp_path, "Stranger").pem)
    calls = []
    context.verify_callback = lambda connection, chain: calls.append(chain)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(context, server)
    assert not calls


@pytest.mark.parametrize("wrong", ["name", "pin"])
def test_it_is_asked_last(client, server, wrong):
    calls = []
    client.verify_callback = lambda connection, chain: calls.append(chain)
    if wrong == "pin":
        client.pins = bytes(32)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server, hostname="localhost" if wrong == "pin" else "example.com")
    assert not calls


def test_a_client_resumes_nothing_under_it(client, server):
    session = memory_pair(client, server)[0].session
    assert memory_pair(client, server, session=session)[0].session_reused
    calls = []
    client.verify_callback = lambda connection, chain: calls.append(chain)
    near, _ = memory_pair(client, server, session=session)
    assert not near.session_reused
    assert near.resumption.reason.name == "VERIFY_CALLBACK"
    again, _ = memory_pair(client, server, session=near.session)
    assert not again.session_reused
    assert len(calls) == 2
    client.verify_callback = refuse
    with pytest.raises(Refusal):
        memory_pair(client, server, session=session)


def test_automatic_resumption_does_not_get_around_it(client, server):
    client.sessions.store = tlskit.MemoryStore()
    memory_pair(client, server)
    client.verify_callback = refuse
    with pytest.raises(Refusal):
        memory_pair(client, server)


def test_a_server_resumes_nothing_under_it(client, server, root, leaf):
    asking(server, root, None)
    client.add_certificate(leaf.chain, leaf.key)
    before = memory_pair(client, server)[0].session
    assert memory_pair(client, server, session=before)[0].session_reused
    calls = []
    server.verify_callback = lambda connection, chain: calls.append(chain)
    near, _ = memory_pair(client, server, session=before)
    assert not near.session_reused
    assert not memory_pair(client, server, session=near.session)[0].session_reused
    assert len(calls) == 2
    server.verify_callback = refuse
    for session in (before, near.session):
        with pytest.raises(Refusal):
            memory_pair(client, server, session=session)


@pytest.mark.parametrize("where", ["first", "second"])
def test_another_context_does_not_get_around_it(client, server, root, leaf, version, where):
    other = serving(leaf, version)
    for context in (server, other):
        asking(context, root, None)
    (server if where == "first" else other).verify_callback = refuse
    server.sni_callback = lambda connection, name, context: setattr(connection, "context", other)
    client.add_certificate(leaf.chain, leaf.key)
    with pytest.raises(Refusal):
        memory_pair(client, server)


def test_no_certificate_no_call(client, server, root):
    asking(server, root, refuse)
    server.verify_mode = tlskit.CERT_OPTIONAL
    memory_pair(client, server)


def test_a_wrong_answer_refuses(client, server):
    client.verify_callback = lambda connection, chain: False
    with pytest.raises(TypeError, match="must return None, or raise to refuse the chain, got bool"):
        memory_pair(client, server)


def test_it_needs_verification(client):
    client.check_hostname = False
    client.verify_callback = refuse
    with pytest.raises(ValueError, match="CERT_NONE when verify_callback is set"):
        client.verify_mode = tlskit.CERT_NONE
    client.verify_callback = None
    client.verify_mode = tlskit.CERT_NONE
    with pytest.raises(ValueError, match="verify_callback needs a verify_mode other than"):
        client.verify_callback = refuse
    assert client.verify_callback is None


def test_what_it_cannot_be(client):
    with pytest.raises(TypeError, match="verify_callback must be callable or None, not int"):
        client.verify_callback = 7


def test_it_is_copied_and_described(client):
    client.verify_callback = refuse
    assert client.copy().verify_callback is refuse
    assert "refuse" in client.describe()


def test_under_asyncio(client, leaf):
    client.verify_callback = refuse

    async def main():
        server = await asyncio.start_server(
            lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=serving(leaf)
        )
        async with server:
            with pytest.raises(Refusal):
                await asyncio.open_connection(
                    *server.sockets[0].getsockname(), ssl=client, server_hostname="localhost"
                )

    asyncio.run(main())
