"""A server that keeps its sessions, and clients that would also speak a later protocol version."""

from __future__ import annotations

from typing import Any

import pytest

import tlskit
from tlskit import MemoryStore, NotOffered, Reason, TLSVersion

from ..support.pairs import client_context, memory_pair, server_context
from ..support.pki import PKI


class Watched(MemoryStore):
    """A store that notes what it is asked for."""

    asked = 0

    def get(self, key: bytes) -> Any:
        self.asked += 1
        return super().get(key)


def limited(context: Any, how: str) -> Any:
    """A server's context that does not speak TLS 1.3."""
    if how == "maximum":
        context.maximum_version = TLSVersion.TLSv1_2
    else:
        with pytest.warns(DeprecationWarning, match="OP_NO_TLS"):
            context.options |= tlskit.OP_NO_TLSv1_3
    return context


@pytest.mark.parametrize("how", ["maximum", "option"])
def test_a_client_that_could_speak_tls13_resumes_tls12(pki: PKI, how: str) -> None:
    client, server = client_context(pki), limited(server_context(pki, identity=pki.direct), how)
    server.sessions.store = MemoryStore()
    client.sessions.resume = True
    ends = [memory_pair(client, server) for _ in range(3)]
    assert {near.version() for near, _ in ends} == {"TLSv1.2"}
    assert [near.session_reused for near, _ in ends] == [False, True, True]
    assert all(far.resumption.automatic for _, far in ends[1:])


def test_the_first_hello_of_tls13_is_no_question(pki: PKI) -> None:
    """Its session id is random: a store need not be asked for it (RFC 8446, D.4)."""
    client, server = client_context(pki), server_context(pki, identity=pki.direct)
    store = server.sessions.store = Watched()
    _, far = memory_pair(client, server)
    assert far.version() == "TLSv1.3"
    assert far.resumption == NotOffered(Reason.CLIENT_OFFERED_NOTHING)
    assert store.asked == 0


def test_an_unknown_id_is_told(pki: PKI) -> None:
    client = client_context(pki)
    server = limited(server_context(pki, identity=pki.direct), "maximum")
    server.sessions.store = MemoryStore()
    near, _ = memory_pair(client, server)
    server.sessions.clear()
    _, far = memory_pair(client, server, session=near.session)
    assert far.resumption == tlskit.Refused(Reason.UNKNOWN_SESSION)


# -- what is no place for a store or a keyring -----------------------------------------------------


def test_facets_are_not_set(pki: PKI) -> None:
    context = server_context(pki)
    with pytest.raises(AttributeError, match=r"`tickets` .* TicketKeyring: to use a keyring, set"):
        context.tickets = tlskit.TicketKeyring()
    with pytest.raises(AttributeError, match=r"`sessions` .* MemoryStore: to keep sessions in a"):
        context.sessions = MemoryStore()
    assert context.tickets.keyring is None
    assert context.sessions.store is None
