"""Who a client is stays known when it comes back with a ticket."""

from __future__ import annotations

from typing import Any

import pytest
import trustme

import tlskit
from tlskit import Reason, Refused, TicketKeyring

from ..support import pairs
from ..support.pki import PKI

WAYS = ["openssl", "keyring", "stateful", "store"]


def asking(pki: PKI, version: Any, way: str, authority: trustme.CA) -> Any:
    """A server that demands a certificate of this authority, and keeps its sessions in this way."""
    server = pairs.server_context(pki)
    pairs.only(version, server)
    server.verify_mode = tlskit.CERT_REQUIRED
    authority.configure_trust(server)
    if way == "keyring":
        server.tickets.keyring = TicketKeyring()
    elif way == "stateful":
        server.options |= tlskit.OP_NO_TICKET
    elif way == "store":
        server.sessions.store = tlskit.MemoryStore()
    return server


def shown(pki: PKI, version: Any, issuer: trustme.CA) -> Any:
    """A client with a certificate of this issuer."""
    client = pairs.client_context(pki)
    pairs.only(version, client)
    issuer.issue_cert("somebody@example.org").configure_cert(client)
    client.sessions.resume = True
    return client


def known(end: Any) -> tuple[object, ...]:
    info = end.info
    return (
        info.verified, info.verify_code, info.verified_chain, info.peer_certificate_chain,
        info.certificate_chain, info.created, end.get_verified_chain(), end.getpeercert(True),
    )  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_resuming_gives_the_same_answers(pki: PKI, version: Any, way: str) -> None:
    root = trustme.CA()
    middle = root.create_child_ca()
    client, server = shown(pki, version, middle), asking(pki, version, way, root)
    ends = [pairs.memory_pair(client, server) for _ in range(4)]
    assert [near.session_reused for near, _ in ends] == [False, True, True, True]
    first, *others = [known(far) for _, far in ends]
    assert first[0] is True
    assert len(first[2]) == 3
    assert others == [first] * 3


def test_a_chain_that_is_too_long_for_a_ticket(pki: PKI, version: Any) -> None:
    """The client's own certificate remains, and that it was verified."""
    issuer = root = trustme.CA(key_type=trustme.KeyType.RSA)
    for _ in range(9):
        issuer = issuer.create_child_ca(key_type=trustme.KeyType.RSA)
    client, server = shown(pki, version, issuer), asking(pki, version, "openssl", root)
    _, far = pairs.memory_pair(client, server)
    assert sum(map(len, far.info.verified_chain)) > 8192
    near, again = pairs.memory_pair(client, server)
    assert near.session_reused
    assert len(near.session.ticket) < 8192
    assert again.info.verified is True
    assert again.info.verify_code == 0
    assert again.info.verified_chain == ()
    assert again.info.peer_certificate_chain == far.info.peer_certificate_chain[:1]


def test_a_client_without_a_certificate_is_not_taken_for_one(pki: PKI, version: Any) -> None:
    root = trustme.CA()
    server = asking(pki, version, "openssl", root)
    server.verify_mode = tlskit.CERT_OPTIONAL
    client = pairs.client_context(pki)
    pairs.only(version, client)
    client.sessions.resume = True
    for _ in range(3):
        near, far = pairs.memory_pair(client, server)
        assert far.info.verified is None
        assert far.info.verified_chain == ()
        assert far.getpeercert() is None
    assert near.session_reused


@pytest.mark.parametrize("keyring", [False, True])
def test_another_id_context_is_told(pki: PKI, version: Any, keyring: bool) -> None:
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    if keyring:
        server.tickets.keyring = TicketKeyring()
    near, _ = pairs.memory_pair(client, server)
    server.sessions.id_context = b"another"
    again, far = pairs.memory_pair(client, server, session=near.session)
    assert not again.session_reused
    assert far.resumption == Refused(Reason.OTHER_ID_CONTEXT)
