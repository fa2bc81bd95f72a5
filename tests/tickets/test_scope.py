"""Contexts that share a keyring and are not alike: a ticket counts for the name that was asked for,
before a certificate for the same names. The client is the stdlib's, which offers a session to
anybody.
"""

from __future__ import annotations

import ssl

import pytest

from tlskit import TicketKeyring
from tlskit._resumption.reasons import Reason, Refused

from ..sessions.helpers import Authority
from ..support import pairs
from .conftest import random_key


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("scope"))


@pytest.fixture
def naive(authority, version):
    """A client that believes everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.root)
    context.check_hostname = False
    pairs.only(version, context)
    return context


@pytest.fixture
def ring():
    return TicketKeyring.from_keys([random_key()])


@pytest.fixture
def server_for(authority, make_server, ring):
    def make(*names):
        context = make_server(ring)
        identity, _ = authority.issue(*names)
        context.load_cert_chain(identity.chain, identity.key)
        return context

    return make


def visit(client, server, hostname, session=None):
    near, _ = pairs.memory_pair(client, server, hostname=hostname, session=session, module=ssl)
    return near.session_reused, near.session


def test_server_of_other_names_resumes_nothing(naive, server_for, ring):
    """Who diverts a connection to another server of the house must not find it resumed there."""
    a, b = server_for("a.example"), server_for("b.example")
    _, session = visit(naive, a, "a.example")
    near, far = pairs.memory_pair(naive, b, hostname="a.example", session=session, module=ssl)
    assert not near.session_reused
    assert far.resumption == Refused(Reason.TICKET_ELSEWHERE)
    assert ring.stats().refused == 1
    reused, _ = visit(naive, a, "a.example", session)
    assert reused


def test_another_name_resumes_nothing(naive, server_for, ring):
    """Also not before one certificate for both: RFC 6066, section 3."""
    server = server_for("a.example", "b.example")
    _, session = visit(naive, server, "a.example")
    for name in ("b.example", None):
        reused, _ = visit(naive, server, name, session)
        assert not reused
    assert ring.stats().refused == 2


def test_no_name_is_a_name_too(naive, server_for):
    server = server_for("a.example")
    _, session = visit(naive, server, None)
    assert visit(naive, server, None, session)[0]
    assert not visit(naive, server, "a.example", session)[0]


def test_large_letters_are_small_ones(naive, server_for):
    server = server_for("a.example")
    _, session = visit(naive, server, "A.Example")
    assert visit(naive, server, "a.eXAMPLE", session)[0]


def test_new_certificate_for_the_same_names(naive, server_for):
    """One that was renewed, or that of another machine of the fleet."""
    one, other = server_for("a.example", "b.example"), server_for("a.example", "b.example")
    assert one.tickets.keyring is other.tickets.keyring
    _, session = visit(naive, one, "a.example")
    reused, session = visit(naive, other, "a.example", session)
    assert reused
    assert visit(naive, one, "a.example", session)[0]


def test_certificate_that_changes_its_names(naive, server_for, authority):
    server = server_for("a.example")
    _, session = visit(naive, server, "a.example")
    identity, _ = authority.issue("a.example", "b.example")
    server.load_cert_chain(identity.chain, identity.key)
    assert not visit(naive, server, "a.example", session)[0]


def test_certificate_without_names(naive, authority, make_server, ring):
    identities = [authority.issue(common_name=name)[0] for name in ("One", "Other")]
    one, other = make_server(ring), make_server(ring)
    for context, identity in zip((one, other), identities, strict=True):
        context.load_cert_chain(identity.chain, identity.key)
    _, session = visit(naive, one, "a.example")
    assert not visit(naive, other, "a.example", session)[0]
    assert visit(naive, one, "a.example", session)[0]


def test_line_of_resumptions(naive, server_for, ring):
    """The mark goes from ticket to ticket."""
    a, b = server_for("a.example"), server_for("b.example")
    _, session = visit(naive, a, "a.example")
    for _ in range(3):
        ring.rotate()
        reused, session = visit(naive, a, "a.example", session)
        assert reused
    assert not visit(naive, b, "a.example", session)[0]


def test_second_client_hello(naive, server_for, ring):
    """When the server asks for another key share, everything is read twice."""
    server = server_for("a.example")
    server.set_ecdh_curve("secp384r1")
    _, session = visit(naive, server, "a.example")
    reused, _ = visit(naive, server, "a.example", session)
    assert reused
    assert not visit(naive, server, "b.example", session)[0]
    stats = ring.stats()
    assert (stats.resumed, stats.refused, stats.tampered) == (1, 1, 0)
