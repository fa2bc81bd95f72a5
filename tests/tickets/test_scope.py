"""Contexts that share a keyring, or the 80 bytes of OpenSSL's own key, and are not alike: a ticket
counts for the name that was asked for, before a certificate for the same names. The client is the
stdlib's, which offers a session to anybody.
"""

from __future__ import annotations

import ssl

import pytest

from tlskit import Reason, Refused, TicketKeyring

from ..support import pairs
from .conftest import random_key


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    from ..sessions.authority import Authority

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
    def make(*names, keyring=ring):
        context = make_server(keyring)
        identity, _ = authority.issue(*names)
        context.load_cert_chain(identity.chain, identity.key)
        return context

    return make


@pytest.fixture
def bare_server_for(server_for):
    """The same, where the servers have OpenSSL's own key in common, and no keyring."""
    key = random_key()

    def make(*names):
        context = server_for(*names, keyring=None)
        context.tickets.dangerous_keys = key
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


# -- OpenSSL's own key, shared ---------------------------------------------------------------------


def test_shared_own_key_at_a_server_of_other_names(naive, bare_server_for):
    a, b = bare_server_for("a.example"), bare_server_for("b.example")
    _, session = visit(naive, a, "a.example")
    near, far = pairs.memory_pair(naive, b, hostname="a.example", session=session, module=ssl)
    assert not near.session_reused
    assert far.resumption == Refused(Reason.TICKET_ELSEWHERE)
    assert visit(naive, a, "a.example", session)[0]


def test_shared_own_key_and_another_name(naive, bare_server_for):
    server = bare_server_for("a.example", "b.example")
    _, session = visit(naive, server, "a.example")
    assert not visit(naive, server, "b.example", session)[0]
    assert not visit(naive, server, None, session)[0]


def test_shared_own_key_at_a_server_of_the_same_names(naive, bare_server_for):
    one, other = bare_server_for("a.example"), bare_server_for("a.example")
    _, session = visit(naive, one, "a.example")
    for server in (other, one, other):
        reused, session = visit(naive, server, "a.example", session)
        assert reused


def test_own_key_that_another_context_gave_away(naive, server_for):
    """It was never set where the ticket was made."""
    a, b = server_for("a.example", keyring=None), server_for("b.example", keyring=None)
    b.tickets.dangerous_keys = a.tickets.dangerous_keys
    _, session = visit(naive, a, "a.example")
    assert not visit(naive, b, "a.example", session)[0]
    assert visit(naive, a, "a.example", session)[0]


def test_keyring_and_own_key_of_the_same_bytes(naive, server_for, bare_server_for):
    bare = bare_server_for("a.example")
    same = TicketKeyring.from_keys([bare.tickets.dangerous_keys])
    alike = server_for("a.example", keyring=same)
    unlike = server_for("b.example", keyring=same)
    _, session = visit(naive, bare, "a.example")
    assert not visit(naive, unlike, "a.example", session)[0]
    assert visit(naive, alike, "a.example", session)[0]
    _, session = visit(naive, unlike, "b.example")
    assert not visit(naive, bare, "b.example", session)[0]
