"""What programs ask of each connection, answered in C and in Python: both answer as `ssl` does."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

import tlskit

from ..support import inside, pairs
from ..support.pki import PKI

pytestmark = pytest.mark.usefixtures("way")

QUESTIONS = {
    "cipher": lambda end: end.cipher(),
    "version": lambda end: end.version(),
    "compression": lambda end: end.compression(),
    "protocol": lambda end: end.selected_alpn_protocol(),
    "binding": lambda end: end.get_channel_binding(),
    "shared ciphers": lambda end: end.shared_ciphers(),
    "reused": lambda end: end.session_reused,
}
ABOUT_THE_PEER = {
    "certificate": lambda end: end.getpeercert(True),
    "fields": lambda end: end.getpeercert(),
    "verified": lambda end: end.get_verified_chain(),
    "unverified": lambda end: end.get_unverified_chain(),
}


def answers(end: Any, questions: Any = QUESTIONS) -> dict[str, Any]:
    return {name: ask(end) for name, ask in questions.items()}


def made(pki: PKI, version: Any, module: Any = tlskit, *, mutual: bool = False) -> tuple[Any, Any]:
    client, server = (
        pairs.client_context(pki, module=module),
        pairs.server_context(pki, module=module),
    )
    pairs.only(version, client, server)
    for context in (client, server):
        context.set_alpn_protocols(["h2", "http/1.1"])
    if mutual:
        client.load_cert_chain(pki.client.chain, pki.client.key)
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(pki.root)
    return client, server


@pytest.mark.parametrize("mutual", [False, True])
def test_as_ssl_answers(pki: PKI, version: Any, mutual: bool) -> None:
    """Apart from what is new in each handshake."""
    ours = pairs.memory_pair(*made(pki, version, mutual=mutual))
    theirs = pairs.memory_pair(*made(pki, version, ssl, mutual=mutual), module=ssl)
    about_the_peer = {name: ABOUT_THE_PEER[name] for name in ("certificate", "fields")}
    for our, their in zip(ours, theirs, strict=True):
        own, other = answers(our), answers(their)
        del own["shared ciphers"], other["shared ciphers"]  # old versions of `ssl` have others
        assert own.pop("binding") is not None
        assert other.pop("binding") is not None
        assert own == other
        assert answers(our, about_the_peer) == answers(their, about_the_peer)
    assert ours[0].get_channel_binding() == ours[1].get_channel_binding()


def test_chains(pki: PKI, version: Any) -> None:
    client, server = pairs.memory_pair(*made(pki, version, mutual=True))
    for end in (client, server):
        leaf = end.getpeercert(True)
        assert end.get_verified_chain()[0] == end.get_unverified_chain()[0] == leaf
        assert set(end.get_unverified_chain()) <= set(end.get_verified_chain())
        assert len(end.get_verified_chain()) > 1
    client, server = pairs.memory_pair(*made(pki, version))
    assert server.get_verified_chain() == server.get_unverified_chain() == []
    assert server.getpeercert() is None
    assert server.getpeercert(True) is None


def test_a_resumed_connection(pki: PKI, version: Any) -> None:
    contexts = made(pki, version, mutual=True)
    client, server = pairs.memory_pair(*contexts)
    before = answers(client, ABOUT_THE_PEER), answers(server, ABOUT_THE_PEER)
    pairs.take_tickets(client)
    again, back = pairs.memory_pair(*contexts, session=client.session)
    for end, known in ((again, before[0]), (back, before[1])):
        assert end.session_reused is True
        assert end.cipher() == client.cipher()
        assert answers(end, ABOUT_THE_PEER) == known
    assert again.get_channel_binding() == back.get_channel_binding()
    assert again.get_channel_binding() != client.get_channel_binding()


def test_before_the_handshake(pki: PKI, version: Any) -> None:
    client, server = made(pki, version)
    queues = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    for end in (
        client.wrap_bio(*queues, server_hostname="localhost"),
        server.wrap_bio(*queues, server_side=True),
    ):
        assert answers(end) == dict.fromkeys(QUESTIONS) | {"reused": False}
        for binary in (False, True):
            with pytest.raises(ValueError, match="handshake not done yet"):
                end.getpeercert(binary)
        assert end.get_verified_chain() == end.get_unverified_chain() == []
        with pytest.raises(ValueError, match="not implemented"):
            end.get_channel_binding("tls-exporter")


def test_without_a_connection(pki: PKI, version: Any) -> None:
    with pairs.socket_pair(*made(pki, version)) as (client, server):
        for end in (client, server):
            assert end.cipher() is not None
            end.close()
            assert answers(end) == dict.fromkeys(QUESTIONS)
            for ask in ABOUT_THE_PEER.values():
                with pytest.raises((ValueError, OSError)):
                    ask(end)


def test_shared_suites_are_a_server_s(pki: PKI, version: Any) -> None:
    contexts = made(pki, version)
    client, server = pairs.memory_pair(*contexts)
    assert client.shared_ciphers() is None
    shared = server.shared_ciphers()
    assert client.cipher() in shared
    both = [{suite["name"] for suite in context.get_ciphers()} for context in contexts]
    assert {suite[0] for suite in shared} <= both[0] & both[1]
    assert all(len(suite) == 3 and type(suite[2]) is int for suite in shared)


def test_the_facts_of_a_session(pki: PKI, version: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched by C, and through cffi: the same."""
    near, far = pairs.memory_pair(*made(pki, version, mutual=True))

    def facts() -> list[dict[str, Any]]:
        return [inside.facts_of(end.session) for end in (near, far)]

    found = facts()
    inside.without_direct(monkeypatch)
    assert facts() == found
    assert {"id_context", "peer_not_after", "lifetime_hint", "timeout"} < set(found[0])
    assert found[0]["id"]
    assert found[0]["cipher"] == near.cipher()[0]
    assert found[0]["alpn"] == near.selected_alpn_protocol()
    assert near.session.protocol == near.version()
