"""`ctx.tickets`: its settings, and what contradicts them."""

from __future__ import annotations

import pytest

import tlskit
from tlskit import TicketKeyring

from ..support import pairs
from .conftest import earned, random_key, resumes


@pytest.fixture
def tickets(server):
    return server.tickets


@pytest.fixture
def client_tickets(client):
    return client.tickets


def test_defaults(tickets):
    assert tickets.enabled is True
    assert tickets.count == 2
    assert tickets.keyring is None
    assert tickets.lifetime == 7200
    assert len(tickets.dangerous_keys) == 80


def test_enabled_is_the_option(server):
    server.tickets.enabled = False
    assert server.options & tlskit.OP_NO_TICKET
    assert not server.tickets.enabled
    server.tickets.enabled = True
    assert not server.options & tlskit.OP_NO_TICKET


def test_disabled_tickets_hold_nothing(client, server, version):
    server.tickets.enabled = False
    near, _ = pairs.memory_pair(client, server)
    ticket = near.session.ticket
    assert len(ticket) == (
        32 if version is tlskit.TLSVersion.TLSv1_3 else 0
    )  # there it is a name in the cache


def test_no_keyring_where_tickets_are_off(tickets):
    tickets.enabled = False
    with pytest.raises(ValueError, match="OP_NO_TICKET"):
        tickets.keyring = TicketKeyring()
    assert tickets.keyring is None
    tickets.keyring = None
    tickets.enabled = True
    tickets.keyring = TicketKeyring()
    with pytest.raises(ValueError, match="keyring = None first"):
        tickets.enabled = False
    assert tickets.enabled


def test_option_that_goes_past_the_facet(client, make_server, version):
    """Tickets that only name a session need no key; nothing breaks."""
    ring = TicketKeyring()
    server = make_server(ring)
    server.options |= tlskit.OP_NO_TICKET
    near, _ = pairs.memory_pair(client, server)
    again, _ = pairs.memory_pair(client, server, session=near.session)
    assert again.session_reused
    assert ring.stats().new == ring.stats().resumed == 0


@pytest.mark.parametrize("count", [0, 1, 5])
def test_count(client, server, version, count):
    server.tickets.keyring = ring = TicketKeyring()
    server.tickets.count = count
    assert server.num_tickets == server.tickets.count == count
    near, _ = pairs.memory_pair(client, server)
    assert near.version() is not None
    assert ring.stats().new == (count if version is tlskit.TLSVersion.TLSv1_3 else 1)


@pytest.mark.parametrize(
    ("value", "error"),
    [(-1, ValueError), (2**31, ValueError), (1.0, TypeError), ("2", TypeError), (None, TypeError)],
)
def test_count_refuses(tickets, value, error):
    with pytest.raises(error):
        tickets.count = value
    assert tickets.count == 2


@pytest.mark.parametrize("value", [b"", b"x" * 80, object(), "keyring", TicketKeyring])
def test_keyring_is_a_keyring(tickets, value):
    with pytest.raises(TypeError, match="TicketKeyring or None"):
        tickets.keyring = value


def test_keyring_sets_the_lifetime(server):
    server.tickets.keyring = ring = TicketKeyring(lifetime=900)
    assert server.tickets.keyring is ring
    assert server.tickets.lifetime == server.sessions.timeout == 900


def test_lifetime(server):
    server.tickets.lifetime = 7 * 86400
    assert server.sessions.timeout == 7 * 86400
    server.sessions.timeout = 2**31 - 1
    assert server.tickets.lifetime == 7 * 86400
    for value in (0, -1, 7 * 86400 + 1):
        with pytest.raises(ValueError, match="must be between 1 and 604800 seconds"):
            server.tickets.lifetime = value
    with pytest.raises(TypeError):
        server.tickets.lifetime = 1.5
    server.tickets.keyring = TicketKeyring(lifetime=100)
    with pytest.raises(ValueError, match="lifetime=101"):
        server.tickets.lifetime = 101
    assert server.tickets.lifetime == 100


@pytest.mark.parametrize("key", [b"", random_key(48), random_key(79), random_key(81), bytes(80)])
def test_own_keys_refuse(tickets, key):
    before = tickets.dangerous_keys
    with pytest.raises(ValueError):  # noqa: PT011  (several reasons)
        tickets.dangerous_keys = key
    assert tickets.dangerous_keys == before


def test_own_keys_and_a_keyring(tickets):
    tickets.keyring = TicketKeyring()
    with pytest.raises(ValueError, match="there is a keyring"):
        tickets.dangerous_keys = random_key()
    with pytest.raises(ValueError, match="there is a keyring"):
        _ = tickets.dangerous_keys


def test_client_has_no_keys(client_tickets):
    for name, value in (
        ("keyring", TicketKeyring()),
        ("count", 1),
        ("dangerous_keys", random_key()),
    ):
        with pytest.raises(ValueError, match="client"):
            setattr(client_tickets, name, value)
    assert client_tickets.keyring is None
    client_tickets.keyring = None


def test_client_that_wants_no_tickets(client, server, version):
    client.tickets.enabled = False
    near, _ = pairs.memory_pair(client, server)
    if version is tlskit.TLSVersion.TLSv1_2:
        assert not near.session.has_ticket
    client.tickets.enabled = True
    assert resumes(client, server, earned(client, server))
