"""Handshakes under keyrings: who resumes, who does not, and what is counted."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import tlskit
from tlskit import Reason, Refused, TicketKeyring

from ..support import inside, pairs
from .conftest import LIFETIME, PERIOD, earned, random_key, resumes, shift

RINGS = {
    "own": lambda **kwargs: TicketKeyring(**kwargs),
    "fleet": lambda **kwargs: TicketKeyring.fleet(os.urandom(32), **kwargs),
}


@pytest.fixture(params=RINGS)
def ring(request: pytest.FixtureRequest) -> TicketKeyring:
    made: TicketKeyring = RINGS[request.param](period=PERIOD, lifetime=LIFETIME)
    return made


def modern(version: tlskit.TLSVersion) -> bool:
    return version is tlskit.TLSVersion.TLSv1_3


# -- the first encrypts, the others decrypt --------------------------------------------------------


def test_two_contexts_share_a_ring(client, make_server, ring, version):
    one, other = make_server(ring), make_server(ring)
    session = earned(client, one)
    assert resumes(client, one, session)
    assert resumes(client, other, session)
    stats = ring.stats()
    assert (stats.resumed, stats.renewed, stats.unknown) == (2, 0, 0)
    assert stats.new == (2 + 1 + 1 if modern(version) else 1)


def test_ticket_begins_with_the_name_of_the_first_key(client, make_server, ring):
    session = earned(client, make_server(ring))
    assert session.ticket[:16].hex() == ring.names[0]


def test_older_key_is_renewed(client, make_server, ring, version):
    server = make_server(ring)
    session = earned(client, server)
    shift(ring, PERIOD)
    near, _ = pairs.memory_pair(client, server, session=session)
    assert near.session_reused
    assert near.session.ticket != session.ticket
    assert near.session.ticket[:16].hex() == ring.names[0]
    assert (ring.stats().resumed, ring.stats().renewed) == (1, 1)
    assert resumes(client, server, near.session)
    assert (ring.stats().resumed, ring.stats().renewed) == (2, 1)


def test_newest_key_is_not_renewed_in_tls12(client, make_server, ring, version):
    server = make_server(ring)
    session = earned(client, server)
    near, _ = pairs.memory_pair(client, server, session=session)
    assert near.session_reused
    assert (near.session.ticket != session.ticket) is modern(
        version
    )  # there tickets are for one use


def test_retired_key_refuses(client, make_server, ring):
    server = make_server(ring)
    session = earned(client, server)
    shift(ring, 4 * PERIOD)
    near, _ = pairs.memory_pair(client, server, session=session)
    assert not near.session_reused
    assert near.session.ticket[:16].hex() == ring.names[0]  # the full handshake brings another
    assert (ring.stats().retired, ring.stats().unknown, ring.stats().resumed) == (1, 0, 0)


def test_stranger_s_ticket_is_unknown(client, make_server, ring):
    session = earned(client, make_server(TicketKeyring()))
    assert not resumes(client, make_server(ring), session)
    assert (ring.stats().unknown, ring.stats().retired) == (1, 0)


def test_rotating_by_hand(client, make_server):
    ring = TicketKeyring()
    server = make_server(ring)
    session = earned(client, server)
    ring.rotate()
    assert resumes(client, server, session)
    assert ring.stats().renewed == 1
    ring.rotate(forget=True)
    assert not resumes(client, server, session)
    assert ring.stats().retired == 1


def test_machines_of_a_fleet(client, make_server):
    """Three rings that know nothing of each other, over two rotations, with clocks that differ."""
    secret = os.urandom(48)
    rings = [TicketKeyring.fleet(secret, period=PERIOD, lifetime=LIFETIME) for _ in range(3)]
    servers = [make_server(ring) for ring in rings]
    session = earned(client, servers[0])
    for step in range(6):
        assert all(resumes(client, server, session) for server in servers)
        shift(rings[step % 3], PERIOD)
    assert [ring.stats().unknown for ring in rings] == [0, 0, 0]


@pytest.mark.parametrize("size", [48, 80])
def test_given_keys(client, make_server, size):
    key = random_key(size)
    session = earned(client, make_server(TicketKeyring.from_keys([key])))
    other = TicketKeyring.from_keys([random_key(), key])
    assert resumes(client, make_server(other), session)
    assert other.stats().renewed == 1


def test_same_name_and_another_secret(client, make_server):
    key = random_key()
    ring = TicketKeyring.from_keys([key[:16] + random_key(64)])
    session = earned(client, make_server(TicketKeyring.from_keys([key])))
    assert not resumes(client, make_server(ring), session)
    assert ring.stats().tampered == 1


def test_openssl_s_own_key_is_the_same_format(client, make_server):
    """SSL_CTX_set_tlsext_ticket_keys(3) and a keyring of the same 80 bytes read each other's
    tickets.
    """
    key = random_key()
    plain, ringed = make_server(), make_server(TicketKeyring.from_keys([key]))
    plain.tickets.dangerous_keys = key
    assert plain.tickets.dangerous_keys == key
    assert resumes(client, ringed, earned(client, plain))
    assert resumes(client, plain, earned(client, ringed))
    assert ringed.tickets.keyring.stats().resumed == 1


def test_contexts_without_a_ring_have_keys_of_their_own(client, make_server):
    one, other = make_server(), make_server()
    assert one.tickets.dangerous_keys != other.tickets.dangerous_keys
    session = earned(client, one)
    assert resumes(client, one, session)
    assert not resumes(client, other, session)


# -- tampering -------------------------------------------------------------------------------------


def test_tampered_tickets(client, make_server, ring):
    """A bit anywhere: in the name it is another key's, elsewhere the HMAC does not fit. Never an
    error.
    """
    server = make_server(ring)
    session = earned(client, server)
    der, ticket = session.to_der(), session.ticket
    at = der.index(ticket)
    places = [*range(0, 16, 5), *range(16, len(ticket), 37), len(ticket) - 1]
    for place in places:
        changed = bytearray(der)
        changed[at + place] ^= 1
        bad = inside.rebuilt(session, der=bytes(changed))
        assert not resumes(client, server, bad)
    stats = ring.stats()
    assert stats.unknown == 4
    assert stats.tampered == len(places) - 4
    assert stats.resumed == 0
    assert resumes(client, server, session)


# -- policies --------------------------------------------------------------------------------------


def demanding(server: Any, authorities: Any) -> Any:
    server.load_verify_locations(authorities)
    server.verify_mode = tlskit.CERT_REQUIRED
    return server


def test_nothing_goes_from_one_policy_to_another(client, make_server, ring, pki, version):
    """Contexts of one keyring that trust different authorities, or demand nothing: no ticket of one
    counts at another.
    """
    client.load_cert_chain(pki.client.chain, pki.client.key)
    servers = {
        "none": make_server(ring),
        "root": demanding(make_server(ring), pki.root),
        "root too": demanding(make_server(ring), pki.root),
        "both": demanding(demanding(make_server(ring), pki.root), pki.stranger_root),
    }
    alike = [{"root", "root too"}]
    for name, server in servers.items():
        for other, elsewhere in servers.items():
            session = earned(client, server)
            before = ring.stats()
            assert resumes(client, elsewhere, session) is (
                name == other or {name, other} in alike
            ), (name, other)
            assert (
                ring.stats().resumed + ring.stats().refused == before.resumed + before.refused + 1
            )


def test_policy_that_changes(client, make_server, ring, pki):
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server = make_server(ring)
    session = earned(client, server)
    assert resumes(client, server, session)
    demanding(server, pki.root)
    assert not resumes(client, server, session)
    assert ring.stats().refused == 1


def test_id_context(client, make_server, ring):
    one, other = make_server(ring), make_server(ring)
    other.sessions.id_context = b"other"
    assert not resumes(client, other, earned(client, one))
    assert ring.stats().refused == 1


def test_no_longer_than_the_client_s_certificate(client, make_server, tmp_path):
    """From ticket to ticket a TLS 1.3 session would outlive what it was made with."""
    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    identity, _ = authority.issue(
        "client.example", not_after=datetime.now(timezone.utc) + timedelta(days=2)
    )
    client.load_cert_chain(identity.chain, identity.key)
    ring = TicketKeyring.from_keys([random_key()], lifetime=7 * 86400)
    server = demanding(make_server(ring), authority.root)
    session = earned(client, server)
    shift(ring, 86400)
    assert resumes(client, server, session)
    shift(ring, 86400)
    assert not resumes(client, server, session)
    assert ring.stats().refused == 1


def test_own_key_and_a_client_s_certificate_that_has_ended(client, make_server, tmp_path):
    """The same without a keyring. That the verification overlooks dates makes the full handshake
    possible.
    """
    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    identity, _ = authority.issue(
        "client.example", not_after=datetime.now(timezone.utc) - timedelta(hours=1)
    )
    client.load_cert_chain(identity.chain, identity.key)
    server = demanding(make_server(), authority.root)
    server.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME
    near, far = pairs.memory_pair(client, server, session=earned(client, server))
    assert not near.session_reused
    assert far.resumption == Refused(Reason.EXPIRED)


def test_own_key_and_a_week_after_the_full_handshake(client, make_server):
    """The same key as a keyring with a clock that is eight days behind."""
    key = random_key()
    ring = TicketKeyring.from_keys([key], lifetime=7 * 86400)
    bare = make_server()
    bare.tickets.dangerous_keys = key
    session = earned(client, make_server(ring))
    assert resumes(client, bare, session)
    shift(ring, -8 * 86400)
    near, far = pairs.memory_pair(client, bare, session=earned(client, make_server(ring)))
    assert not near.session_reused
    assert far.resumption == Refused(Reason.EXPIRED)


def test_no_longer_than_a_week_after_the_full_handshake(client, make_server):
    """A TLS 1.3 ticket is of now, but the line that it stands in is not; nor in TLS 1.2 what was
    renewed.
    """
    ring = TicketKeyring.from_keys([random_key()], lifetime=7 * 86400)
    server = make_server(ring)
    session = earned(client, server)
    for _ in range(6):
        shift(ring, 86400)
        ring.rotate()
        near, _ = pairs.memory_pair(client, server, session=session)
        assert near.session_reused
        assert near.session.ticket != session.ticket
        session = near.session
    shift(ring, 86400 - 300)
    assert resumes(client, server, session)
    shift(ring, 301)
    assert not resumes(client, server, session)
    assert ring.stats().refused == 1


def test_tickets_of_a_line_are_not_promised_beyond_its_end(client, make_server, version):
    ring = TicketKeyring.from_keys([random_key()], lifetime=7 * 86400)
    server = make_server(ring)
    session = earned(client, server)
    assert session.ticket_lifetime_hint == 7 * 86400
    shift(ring, 5 * 86400)
    near, _ = pairs.memory_pair(client, server, session=session)
    assert near.session_reused
    if modern(version):
        assert 2 * 86400 - 20 < near.session.ticket_lifetime_hint <= 2 * 86400


def test_key_that_was_rotated_away_ends_between_two_periods(client, make_server):
    ring = TicketKeyring(period=7 * 86400, lifetime=100)
    server = make_server(ring)
    session = earned(client, server)
    ring.rotate()
    assert resumes(client, server, session)
    shift(ring, 102)
    assert len(ring.names) == 1
    assert not resumes(client, server, session)
    assert ring.stats().retired == 1


# -- lifetimes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [60, 7200, 7 * 86400])
def test_ticket_says_how_long(client, make_server, seconds):
    server = make_server(TicketKeyring(period=7 * 86400, lifetime=seconds))
    assert server.tickets.lifetime == seconds
    assert earned(client, server).ticket_lifetime_hint == seconds


def test_no_ticket_is_promised_for_longer_than_its_key_is_kept(client, make_server):
    server = make_server(TicketKeyring(period=60, lifetime=600))
    server.sessions.timeout = 86400
    assert server.tickets.lifetime == 600
    session = earned(client, server)
    assert session.ticket_lifetime_hint == 600


def test_shorter_lifetime(client, make_server):
    server = make_server(TicketKeyring())
    server.tickets.lifetime = 30
    assert earned(client, server).ticket_lifetime_hint == 30


# -- connections and rings -------------------------------------------------------------------------


def test_ring_of_a_connection_is_that_of_its_beginning(client, make_server, ring):
    server = make_server(ring)
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    far = server.wrap_bio(to_server, to_client, server_side=True)
    server.tickets.keyring = other = TicketKeyring()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    pairs.shake(near, far)
    assert ring.stats().new > 0
    assert other.stats().new == 0


def test_ring_that_comes_after_the_connection(client, make_server, ring):
    server = make_server()
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    far = server.wrap_bio(to_server, to_client, server_side=True)
    server.tickets.keyring = ring
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    pairs.shake(near, far)
    assert ring.stats().new == 0  # it is for connections that are made later
    pairs.memory_pair(client, server)
    assert ring.stats().new > 0


def test_ring_that_is_taken_away(client, make_server, ring):
    server = make_server(ring)
    session = earned(client, server)
    server.tickets.keyring = None
    assert not resumes(client, server, session)
    assert resumes(client, server, earned(client, server))
    assert ring.stats().resumed == 0


def test_ring_outlives_its_context(client, make_server, version):
    server = make_server(TicketKeyring())
    near, far = pairs.memory_pair(client, server)
    session = near.session
    del server
    far.write(b"x")
    assert near.read(1) == b"x"
    del far, near
    assert session.has_ticket


def test_sni_callback_does_not_change_the_ring(client, make_server, ring):
    """Tickets are made and read by the context that the connection began with."""
    other_ring = TicketKeyring()
    server, other = make_server(ring), make_server(other_ring)

    def switch(connection, name, context):
        connection.context = other

    server.sni_callback = switch
    session = earned(client, server)
    assert resumes(client, server, session)
    assert ring.stats().resumed == 1
    assert other_ring.stats().new == 0
