"""A session is offered only where its own handshake would have been accepted: here are the ways to
get around that.

Every test that wants a full handshake has its counterpart in `test_unchanged_resumes`: nothing else
stood in the way.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import tlskit
from tlskit._resumption import objection as resumption_module

from ..support import inside
from ..support.pairs import memory_pair, shake
from .helpers import KINDS, Kind, aged, client_for, ends, greet, hello, server_for

FOREVER = 100 * 365 * 86400


def refused(end: Any) -> bool:
    """Whether this connection was full although a session had been given to it, which was not
    offered.
    """
    return not end.session_reused and isinstance(end.resumption, tlskit.NotOffered)


# -- the control -----------------------------------------------------------------------------------


def test_unchanged_resumes(kind, link, client, server):
    session = link.earn(client, server)
    near, far = link.connect(client, server, session=session)
    assert near.session_reused
    assert far.session_reused
    assert not isinstance(near.resumption, tlskit.NotOffered)
    greet(near, far)


@pytest.mark.parametrize("again", ["LOCALHOST", "LocalHost", b"localhost"])
def test_the_same_name_written_otherwise_resumes(kind, link, client, server, again):
    session = link.earn(client, server)
    near, _ = link.connect(client, server, hostname=again, session=session)
    assert near.session_reused


def test_the_same_name_in_its_ascii_form_resumes(kind, link, client, server):
    session = link.earn(client, server, hostname="könig.example")
    near, _ = link.connect(client, server, hostname="xn--knig-5qa.example", session=session)
    assert near.session_reused


@pytest.mark.parametrize("hostname", ["127.0.0.1", "::1"])
def test_an_address_resumes(kind, link, client, server, hostname):
    session = link.earn(client, server, hostname=hostname)
    near, _ = link.connect(client, server, hostname=hostname, session=session)
    assert near.session_reused


# -- another name ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("localhost", "other.example"),
        ("other.example", "localhost"),
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "::1"),
        (
            "::1",
            "0:0:0:0:0:0:0:1",
        ),  # the same address: a full handshake costs little, a mistake much
        ("localhost", "xn--knig-5qa.example"),
    ],
)
def test_another_name_that_the_certificate_has_too(kind, link, client, server, first, second):
    session = link.earn(client, server, hostname=first)
    near, far = link.connect(client, server, hostname=second, session=session)
    assert refused(near)
    assert not far.session_reused
    assert near.getpeercert()  # verified, not skipped


@pytest.mark.parametrize(
    "hostname",
    ["evil.example", "localhost.evil.example", "ocalhost", "127.0.0.2", "::2", "xn--knig-5qa.evil"],
)
def test_a_name_that_the_certificate_lacks(kind, link, client, server, hostname):
    session = link.earn(client, server)
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(client, server, hostname=hostname, session=session)
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused  # and nothing is lost for the name that earned it


def test_a_trailing_dot_is_the_same_name(kind, link, client, server):
    """It is verified without the dot, and so a session is good for both."""
    session = link.earn(client, server)
    near, _ = link.connect(client, server, hostname="localhost.", session=session)
    assert near.session_reused


def test_a_name_after_no_name(kind, link, client, server):
    client.check_hostname = False
    session = link.earn(client, server, hostname=None)
    near, _ = link.connect(client, server, hostname="localhost", session=session)
    assert refused(near)


def test_no_name_after_a_name(kind, link, client, server):
    client.check_hostname = False
    session = link.earn(client, server, hostname="localhost")
    near, _ = link.connect(client, server, hostname=None, session=session)
    assert refused(near)


def test_another_name_without_a_check_of_names(kind, link, client, server):
    """Not a hole in the verification, but server A must not learn what was earned at B."""
    client.check_hostname = False
    session = link.earn(client, server, hostname="a.example")
    near, _ = link.connect(client, server, hostname="b.example", session=session)
    assert refused(near)


def test_another_name_without_any_verification(kind, link, client, server):
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    session = link.earn(client, server, hostname="a.example")
    near, _ = link.connect(client, server, hostname="b.example", session=session)
    assert refused(near)


def test_it_is_not_even_offered(kind, client, server, memory):
    """What says which session it is does not leave the machine."""
    session = memory.earn(client, server)
    name = session.ticket if session.has_ticket else session.id
    assert len(name) >= 32
    for hostname, there in (("localhost", True), ("other.example", False)):
        incoming, outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = client.wrap_bio(incoming, outgoing, server_hostname=hostname, session=session)
        assert (name in hello(near, outgoing)) is there


# -- another policy --------------------------------------------------------------------------------


class Change(NamedTuple):
    """Two states of a client's context, both good for the test's server."""

    name: str
    before: Callable[[Any, Any], object]
    after: Callable[[Any, Any], object]


def nothing(context: Any, pki: Any) -> None:
    """Leave the context as it is."""


def setting(name: str, value: Any) -> Callable[[Any, Any], object]:
    return lambda context, pki: setattr(context, name, value)


def both(*steps: Callable[[Any, Any], object]) -> Callable[[Any, Any], object]:
    return lambda context, pki: [step(context, pki) for step in steps]


def adding(name: str, bits: int) -> Callable[[Any, Any], object]:
    return lambda context, pki: setattr(context, name, getattr(context, name) | bits)


def removing(name: str, bits: int) -> Callable[[Any, Any], object]:
    return lambda context, pki: setattr(context, name, getattr(context, name) & ~bits)


unverified = both(setting("check_hostname", False), setting("verify_mode", tlskit.CERT_NONE))
CHANGES = [
    Change(
        "from CERT_NONE to CERT_REQUIRED", unverified, setting("verify_mode", tlskit.CERT_REQUIRED)
    ),
    Change("from CERT_NONE to all", unverified, setting("check_hostname", True)),
    Change(
        "from CERT_NONE to CERT_OPTIONAL", unverified, setting("verify_mode", tlskit.CERT_OPTIONAL)
    ),
    Change(
        "from CERT_OPTIONAL to CERT_REQUIRED",
        setting("verify_mode", tlskit.CERT_OPTIONAL),
        setting("verify_mode", tlskit.CERT_REQUIRED),
    ),
    Change("from CERT_REQUIRED to CERT_NONE", nothing, unverified),
    Change("check_hostname on", setting("check_hostname", False), setting("check_hostname", True)),
    Change("check_hostname off", nothing, setting("check_hostname", False)),
    Change(
        "common names no longer",
        setting("hostname_checks_common_name", True),
        setting("hostname_checks_common_name", False),
    ),
    Change(
        "common names again",
        setting("hostname_checks_common_name", False),
        setting("hostname_checks_common_name", True),
    ),
    Change("host flags", nothing, setting("_host_flags", 0)),
    Change(
        "one more authority",
        nothing,
        lambda context, pki: context.load_verify_locations(pki.stranger_root),
    ),
    Change(
        "one more authority, as data",
        nothing,
        lambda context, pki: context.load_verify_locations(cadata=pki.stranger_root.read_text()),
    ),
    Change(
        "a directory",
        nothing,
        lambda context, pki: context.load_verify_locations(capath=pki.folder),
    ),
    Change("partial chains", nothing, adding("verify_flags", tlskit.VERIFY_X509_PARTIAL_CHAIN)),
    Change(
        "no partial chains",
        adding("verify_flags", tlskit.VERIFY_X509_PARTIAL_CHAIN),
        setting("verify_flags", 0x8000),
    ),
    Change("proxy certificates", nothing, adding("verify_flags", tlskit.VERIFY_ALLOW_PROXY_CERTS)),
    Change("verify_depth", nothing, setting("verify_depth", 3)),
    Change("security_level up", setting("security_level", 1), setting("security_level", 2)),
    Change("security_level down", nothing, setting("security_level", 1)),
    Change(
        "a first certificate",
        nothing,
        lambda context, pki: context.load_cert_chain(pki.client.chain, pki.client.key),
    ),
    Change(
        "another certificate",
        lambda context, pki: context.load_cert_chain(pki.client.chain, pki.client.key),
        lambda context, pki: context.load_cert_chain(pki.direct.chain, pki.direct.key),
    ),
    Change(
        "application protocols", nothing, lambda context, pki: context.set_alpn_protocols(["h2"])
    ),
    Change(
        "other application protocols",
        lambda context, pki: context.set_alpn_protocols(["h2", "http/1.1"]),
        lambda context, pki: context.set_alpn_protocols(["http/1.1", "h2"]),
    ),
    Change(
        "a lower lowest version",
        nothing,
        setting("minimum_version", tlskit.TLSVersion.MINIMUM_SUPPORTED),
    ),
    Change(
        "a higher highest version",
        setting("maximum_version", tlskit.TLSVersion.TLSv1_3),
        setting("maximum_version", None),
    ),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_another_policy(kind, link, client, server, pki, change):
    if change.name == "a higher highest version" and not kind.modern:
        pytest.skip("it would speak another version")
    change.before(client, pki)
    session = link.earn(client, server)
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused  # so it is the change
    change.after(client, pki)
    near, far = link.connect(client, server, session=session)
    assert refused(near)
    assert not far.session_reused
    greet(near, far)
    near, _ = link.connect(client, server, session=near.session)
    assert near.session_reused  # what the new policy has earned is good under it


def test_back_under_the_policy_that_earned_it(kind, link, client, server):
    session = link.earn(client, server)
    client.check_hostname = False
    near, _ = link.connect(client, server, session=session)
    assert refused(near)
    client.check_hostname = True
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused


def test_what_a_stranger_gave_without_verification(kind, link, pki, client):
    """The classic: trust nobody in particular, then everybody's session."""
    server = server_for(kind, pki, identity=pki.stranger)
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    session = link.earn(client, server)
    client.verify_mode = tlskit.CERT_REQUIRED
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(client, server, session=session)


def test_what_an_expired_certificate_gave_without_verification(kind, link, pki, client):
    server = server_for(kind, pki, identity=pki.expired)
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    session = link.earn(client, server)
    client.check_hostname = True
    with pytest.raises(tlskit.SSLCertVerificationError) as caught:
        link.connect(client, server, session=session)
    assert caught.value.verify_code == 10


def test_a_session_resumed_under_one_policy_stays_bound_to_it(kind, link, client, server):
    """The session of a resumed connection is as good as the one that it came from, and no
    better.
    """
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    session = link.earn(client, server, hostname="other.example")
    near, _ = link.connect(client, server, hostname="other.example", session=session)
    assert near.session_reused
    second = near.session
    client.check_hostname = True
    near, _ = link.connect(client, server, hostname="other.example", session=second)
    assert refused(near)


def test_revocation_counts(kind, link, authority, client):
    identity, certificate = authority.issue("localhost")
    server = server_with(kind, identity)
    client.load_verify_locations(authority.root)
    session = link.earn(client, server)
    client.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    client.load_verify_locations(authority.revoke(certificate))
    with pytest.raises(tlskit.SSLCertVerificationError, match="revoked"):
        link.connect(client, server, session=session)


def test_a_list_of_revocations_that_comes_later_counts(kind, link, authority, client):
    """Only the list changes: the flags that demand one were there before."""
    identity, certificate = authority.issue("localhost")
    server = server_with(kind, identity)
    client.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    client.load_verify_locations(authority.root)
    client.load_verify_locations(authority.revoke())
    session = link.earn(client, server)
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused
    client.load_verify_locations(authority.revoke(certificate))
    with pytest.raises(tlskit.SSLCertVerificationError, match="revoked"):
        link.connect(client, server, session=session)


def server_with(kind: Kind, identity: Any) -> Any:
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.chain, identity.key)
    context.minimum_version = context.maximum_version = kind.version
    if not kind.tickets:
        context.options |= tlskit.OP_NO_TICKET
    return context


# -- time ------------------------------------------------------------------------------------------


def test_an_expired_session(kind, link, client, server):
    session = link.earn(client, server)
    lifetime = session.expires_at - session.time
    assert 0 < lifetime <= 7 * 86400
    near, _ = link.connect(client, server, session=aged(session, lifetime - 60))
    assert not isinstance(near.resumption, tlskit.NotOffered)
    near, _ = link.connect(client, server, session=aged(session, lifetime))
    assert refused(near)


def test_a_session_that_is_more_than_a_week_old(kind, link, client, server):
    server.sessions.timeout = FOREVER // 100
    session = link.earn(client, server)
    assert session.expires_at <= session.time + 7 * 86400
    near, _ = link.connect(client, server, session=aged(session, 7 * 86400 + 1))
    assert refused(near)


@pytest.fixture
def ending(kind, client, authority):
    """A server whose certificate ends in a month, its end, and a client that trusts it."""
    identity, certificate = authority.issue("localhost")
    client.load_verify_locations(authority.root)
    return server_with(kind, identity), certificate.not_valid_after_utc.timestamp()


def test_a_certificate_that_ended_meanwhile(kind, link, client, ending, monkeypatch):
    server, end = ending
    session = link.earn(client, server)
    assert inside.core_session(session).peer_not_after == end > time.time()
    young = aged(
        session, int(session.time - end) + 60
    )  # so that the session's own end lies after the certificate's
    for now, resumes in ((end - 10, True), (end + 10, False)):
        monkeypatch.setattr(resumption_module, "now", lambda now=now: now)
        incoming, outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = client.wrap_bio(incoming, outgoing, server_hostname="localhost", session=young)
        objection = inside.offer_of(near).reason
        assert (objection is None) is resumes
    assert objection is tlskit.Reason.CERTIFICATE_OUT_OF_DATE
    near, _ = link.connect(client, server, session=session)
    assert refused(near)


def test_a_certificate_that_ended_is_nobodys_business_without_verification(kind, link, pki, client):
    server = server_for(kind, pki, identity=pki.expired)
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    session = link.earn(client, server)
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused


# -- a session read from bytes: it is bound to nothing, and its certificate has to pass ------------


def read_again(session: tlskit.SSLSession) -> tlskit.SSLSession:
    return tlskit.SSLSession.from_der(session.to_der())


def test_bytes_resume_where_the_certificate_passes(kind, link, client, server, pki):
    session = read_again(link.earn(client, server))
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused
    near, _ = link.connect(client_for(kind, pki), server, session=session)
    assert near.session_reused


@pytest.mark.parametrize("hostname", ["evil.example", "127.0.0.2", "localhost.localhost"])
def test_bytes_for_a_name_that_the_certificate_lacks(kind, link, client, server, hostname):
    session = read_again(link.earn(client, server))
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(client, server, hostname=hostname, session=session)


def test_bytes_for_another_name_than_the_server_acknowledged(kind, link, client, server):
    """The certificate has both names, but the session says which one it is for."""
    server.sni_callback = lambda connection, name, context: None
    session = read_again(link.earn(client, server))
    assert inside.core_session(session).hostname == "localhost"
    near, _ = link.connect(client, server, hostname="other.example", session=session)
    assert refused(near)
    near, _ = link.connect(client, server, hostname="LOCALHOST", session=session)
    assert near.session_reused


def test_bytes_where_the_authority_is_not_trusted(kind, link, client, server, pki):
    session = read_again(link.earn(client, server))
    other = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    other.load_verify_locations(pki.stranger_root)
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(other, server, session=session)


def test_bytes_where_nobody_is_trusted(kind, link, client, server):
    session = read_again(link.earn(client, server))
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT), server, session=session)


@pytest.mark.parametrize("identity", ["stranger", "expired"])
def test_bytes_that_were_earned_without_verification(kind, link, pki, client, identity):
    server = server_for(kind, pki, identity=getattr(pki, identity))
    careless = client_for(kind, pki)
    careless.check_hostname = False
    careless.verify_mode = tlskit.CERT_NONE
    session = read_again(link.earn(careless, server))
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(client, server, session=session)


def test_bytes_where_revocation_is_to_be_checked(kind, link, authority, client):
    identity, certificate = authority.issue("localhost")
    server = server_with(kind, identity)
    client.load_verify_locations(authority.root)
    session = read_again(link.earn(client, server))
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused
    client.load_verify_locations(authority.revoke(certificate))
    client.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    with pytest.raises(tlskit.SSLCertVerificationError, match="revoked"):
        link.connect(client, server, session=session)


def test_bytes_whose_certificate_has_the_name_in_the_wrong_place(kind, link, authority, client):
    """A common name counts only where the connection says so."""
    identity, _ = authority.issue(common_name="localhost")
    server = server_with(kind, identity)
    client.load_verify_locations(authority.root)
    client.hostname_checks_common_name = True
    session = read_again(link.earn(client, server))
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused
    client.hostname_checks_common_name = False
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(client, server, session=session)


def test_bytes_where_the_key_is_too_weak(kind, link, authority, client):
    identity, _ = authority.issue("localhost", bits=2048)
    server = server_with(kind, identity)
    client.load_verify_locations(authority.root)
    session = read_again(link.earn(client, server))
    client.security_level = 3
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(client, server, session=session)


def test_bytes_whose_certificate_stands_below_an_intermediate(kind, link, pki, client):
    """DER keeps the leaf alone: it cannot be verified, so the handshake is a full one, which has
    the chain.
    """
    server = server_for(kind, pki, identity=pki.server)
    session = read_again(link.earn(client, server))
    near, far = link.connect(client, server, session=session)
    assert refused(near)
    greet(near, far)


def test_expired_bytes(kind, link, client, server):
    session = link.earn(client, server)
    session = read_again(aged(session, session.expires_at - session.time + 1))
    near, _ = link.connect(client, server, session=session)
    assert refused(near)


def test_bytes_for_nobody_by_name(kind, link, client, server):
    """A session whose server acknowledged a name is not for a connection without one."""
    server.sni_callback = lambda connection, name, context: None
    session = read_again(link.earn(client, server))
    client.check_hostname = False
    near, _ = link.connect(client, server, hostname=None, session=session)
    assert refused(near)


def test_bytes_of_a_version_that_is_not_spoken(pki, link):
    for kind in KINDS:
        other = next(k for k in KINDS if k.modern is not kind.modern)
        session = read_again(
            link.earn(client_for(kind, pki), server_for(kind, pki, identity=pki.direct))
        )
        near, far = link.connect(
            client_for(other, pki), server_for(other, pki, identity=pki.direct), session=session
        )
        assert not near.session_reused
        greet(near, far)


# -- getting around it -----------------------------------------------------------------------------


def test_a_bad_one_after_a_good_one(kind, client, server, memory):
    """The second replaces the first, and is not offered: so is nothing."""
    good, bad = memory.earn(client, server), memory.earn(client, server, hostname="other.example")
    near, far = ends(client, server, session=good)
    near.session = bad
    shake(near, far)
    assert refused(near)


def test_a_good_one_after_a_bad_one(kind, client, server, memory):
    good, bad = memory.earn(client, server), memory.earn(client, server, hostname="other.example")
    near, far = ends(client, server, session=bad)
    near.session = good
    shake(near, far)
    assert near.session_reused


def test_a_refused_type_after_a_good_one(kind, client, server, memory):
    near, far = ends(client, server, session=memory.earn(client, server))
    with pytest.raises(TypeError):
        near.session = b"session"
    with pytest.raises(TypeError):
        near.session = None
    shake(near, far)
    assert near.session_reused


def test_the_policy_changes_after_it_was_set(kind, client, server, memory):
    """What is made keeps its policy, for the session as for the certificate."""
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    near, far = ends(client, server, session=memory.earn(client, server), hostname="localhost")
    client.check_hostname = True
    shake(near, far)
    assert near.getpeercert() == {}  # unverified, and says so
    later = near.session
    near, far = memory.connect(client, server, session=later)
    assert refused(near)


def test_the_policy_changes_before_it_is_set(kind, client, server, memory):
    session = memory.earn(client, server)
    client.check_hostname = False
    near, far = ends(client, server)
    client.check_hostname = True
    near.session = session
    shake(near, far)
    assert refused(near)


def test_a_revocation_between_setting_and_shaking(kind, authority, client, memory):
    """The full handshake would look into the list that is there by then."""
    identity, certificate = authority.issue("localhost")
    server = server_with(kind, identity)
    client.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    client.load_verify_locations(authority.root)
    client.load_verify_locations(authority.revoke())
    session = memory.earn(client, server)
    without, far = ends(client, server)
    near, other = ends(client, server, session=session)
    client.load_verify_locations(authority.revoke(certificate))
    try:
        shake(without, far)
    except tlskit.SSLCertVerificationError:
        with pytest.raises(tlskit.SSLCertVerificationError):
            shake(near, other)
    else:
        shake(near, other)  # both keep the trust that they were made with


def test_a_switch_of_contexts_between_setting_and_shaking(kind, client, server, pki, memory):
    """The certificate would be verified by the trust of the other context: then the session must
    not stand in for it.
    """
    session = memory.earn(client, server)
    other = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    other.load_verify_locations(pki.stranger_root)
    without, far = ends(client, server)
    without.context = other
    near, another = ends(client, server, session=session)
    near.context = other
    try:
        shake(without, far)
    except tlskit.SSLCertVerificationError:
        with pytest.raises(tlskit.SSLCertVerificationError):
            shake(near, another)
    else:
        shake(near, another)


def test_a_session_earned_after_a_switch_of_contexts(kind, client, pki, memory):
    """What a stranger earned by the other context's trust is not bound to this one's."""
    stranger = server_for(kind, pki, identity=pki.stranger)
    gullible = client_for(kind, pki)
    gullible.load_verify_locations(pki.stranger_root)
    near, far = ends(client, stranger)
    near.context = gullible
    try:
        shake(near, far)
    except tlskit.SSLCertVerificationError:
        return  # verified by the trust that it was made with
    with contextlib.suppress(tlskit.SSLWantReadError):
        near.read(1)
    with pytest.raises((ValueError, tlskit.SSLError)):
        memory.connect(client, stranger, session=near.session)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory.connect(client, stranger, session=read_again(near.session))


def test_a_switch_of_contexts_and_back(kind, client, pki, memory):
    """Between the two, a stranger was verified by the other one's trust: what that has earned is
    not this one's.
    """
    stranger = server_for(kind, pki, identity=pki.stranger)
    gullible = client_for(kind, pki)
    gullible.load_verify_locations(pki.stranger_root)
    near, far = ends(client, stranger)
    near.context = gullible
    try:
        shake(near, far)
    except tlskit.SSLCertVerificationError:
        return  # verified by the trust that it was made with
    with contextlib.suppress(tlskit.SSLWantReadError):
        near.read(1)
    near.context = client
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory.connect(client, stranger, session=near.session)


def test_news_during_a_switch_of_contexts(kind, client, pki, memory):
    """The same by way of `on_new`, which is called before anybody can switch back."""
    stranger = server_for(kind, pki, identity=pki.stranger)
    gullible = client_for(kind, pki)
    gullible.load_verify_locations(pki.stranger_root)
    news = []
    for context in (client, gullible):
        context.sessions.on_new = lambda connection, session: (
            news.append(session),
            setattr(connection, "context", client),
        )
    near, far = ends(client, stranger)
    near.context = gullible
    with contextlib.suppress(tlskit.SSLError):
        shake(near, far)
        near.read(1)
    client.sessions.on_new = None
    for session in news:
        with pytest.raises((tlskit.SSLCertVerificationError, ValueError)):
            memory.connect(client, stranger, session=session)


@pytest.mark.parametrize("what", ["the session", "the certificate"])
def test_time_passes_between_setting_and_shaking(kind, client, ending, memory, monkeypatch, what):
    """A socket may be made long before it is connected."""
    server, end = ending
    session = memory.earn(client, server)
    if what == "the session":
        end = session.expires_at
    else:
        session = aged(session, int(session.time - end) + 60)
    monkeypatch.setattr(resumption_module, "now", lambda: end - 10)
    near, far = ends(client, server, session=session)
    monkeypatch.setattr(resumption_module, "now", lambda: end + 10)
    shake(near, far)
    assert refused(near)


def test_withdrawn_between_setting_and_shaking(kind, client, server, memory):
    """Also at once: the check before the handshake is not left out because of the one before it."""
    session = memory.earn(client, server)
    near, far = ends(client, server, session=session)
    client.sessions.remove(session)
    shake(near, far)
    assert refused(near)


@pytest.mark.parametrize(
    "change", [c for c in CHANGES if c.before is nothing], ids=lambda change: change.name
)
def test_any_change_between_setting_and_shaking(kind, client, server, pki, memory, change):
    """A connection has the policy that it began with, whole, and so has what it earns."""
    session = memory.earn(client, server)
    near, far = ends(client, server, session=session)
    change.after(client, pki)
    shake(near, far)
    assert near.session_reused
    greet(near, far)
    near, far = ends(client, server, session=near.session)
    with contextlib.suppress(tlskit.SSLError):
        shake(near, far)
    assert not near.session_reused


@pytest.mark.parametrize("first", ["read", "write", "do_handshake"])
def test_a_change_before_whatever_begins_the_handshake(kind, client, server, pki, memory, first):
    """Reading and writing make the handshake too."""
    session = memory.earn(client, server)
    near, far = ends(client, server, session=session)
    client.load_verify_locations(pki.stranger_root)
    begin = {
        "read": lambda: near.read(1),
        "write": lambda: near.write(b"x"),
        "do_handshake": near.do_handshake,
    }[first]
    with pytest.raises(tlskit.SSLWantReadError):
        begin()
    shake(near, far)
    assert near.session_reused
    assert not memory.connect(client, server, session=near.session)[0].session_reused


@pytest.mark.parametrize("first", ["read", "write"])
def test_no_change_before_whatever_begins_the_handshake(kind, client, server, memory, first):
    near, far = ends(client, server, session=memory.earn(client, server))
    begin = {"read": lambda: near.read(1), "write": lambda: near.write(b"x")}[first]
    with pytest.raises(tlskit.SSLWantReadError):
        begin()
    shake(near, far)
    assert near.session_reused


def test_a_change_after_the_handshake(kind, client, server, pki, memory):
    """What was earned before the change is bound to the policy from before, whenever it is read."""
    near, _ = memory.connect(client, server)
    client.load_verify_locations(pki.stranger_root)
    again, _ = memory.connect(client, server, session=near.session)
    assert refused(again)


def test_the_context_of_another(kind, client, server, pki, memory):
    session = memory.earn(client, server)
    with pytest.raises(ValueError, match=r"Session refers to a different SSLContext\."):
        memory.connect(client_for(kind, pki), server, session=session)


def test_an_unfinished_handshake_leaves_nothing(pki, memory):
    """TLS 1.2 has a session id and a verified certificate before it has a secret: whoever sent both
    need not own the key.
    """
    kind = Kind("tls12-id", tlskit.TLSVersion.TLSv1_2, False)
    client, server = client_for(kind, pki), server_for(kind, pki, identity=pki.direct)
    to_client, to_server, wire = tlskit.MemoryBIO(), tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, wire, server_side=True)
    for end in (near, far):
        with pytest.raises(tlskit.SSLWantReadError):
            end.do_handshake()
    flight = wire.read()
    seen = 0
    for at in range(len(flight)):
        to_client.write(flight[at : at + 1])
        with pytest.raises(tlskit.SSLWantReadError):
            near.do_handshake()
        if at % 64 and at < len(flight) - 8:
            continue
        early = near.session
        if early is None or not early.id:
            continue
        seen += 1
        again, other = ends(client, server, session=early)
        shake(again, other)
        assert isinstance(again.resumption, tlskit.NotOffered)
    assert seen


def test_bytes_of_an_unfinished_handshake_are_worth_nothing(pki):
    kind = Kind("tls12-id", tlskit.TLSVersion.TLSv1_2, False)
    client, server = client_for(kind, pki), server_for(kind, pki, identity=pki.direct)
    to_client, to_server, wire = tlskit.MemoryBIO(), tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, wire, server_side=True)
    for end in (near, far):
        with pytest.raises(tlskit.SSLWantReadError):
            end.do_handshake()
    to_client.write(wire.read()[:-9])  # all but ServerHelloDone
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    try:
        early = read_again(near.session)
    except (ValueError, tlskit.SSLError):
        return
    again, other = ends(client, server, session=early)
    shake(again, other)
    assert isinstance(again.resumption, tlskit.NotOffered)


def test_a_failed_verification_leaves_nothing(kind, client, pki):
    server = server_for(kind, pki, identity=pki.stranger)
    near, far = ends(client, server)
    with pytest.raises(tlskit.SSLCertVerificationError):
        shake(near, far)
    left = near.session
    if left is None:
        return
    again, far = ends(client, server, session=left)
    with pytest.raises(tlskit.SSLCertVerificationError):
        shake(again, far)
    assert not left.is_resumable


def test_through_the_buffers_of_others(kind, client, server, memory):
    """Pumped BIOs take the same way."""
    import ssl

    session = memory.earn(client, server)
    near, _ = memory_pair(client, server, session=session, module=ssl)
    assert near.session_reused
    near, _ = memory_pair(client, server, hostname="other.example", session=session, module=ssl)
    assert refused(near)


def test_set_before_connecting(kind, client, server, memory):
    """An unconnected socket keeps the session until it connects, and it is judged then."""
    import socket

    from ..support.pairs import echo_server

    session = memory.earn(client, server)
    with echo_server(server) as address:
        for hostname, resumes in (("localhost", True), ("other.example", False)):
            with client.wrap_socket(socket.socket(), server_hostname=hostname) as near:
                near.settimeout(20)
                near.session = session
                near.connect(address)
                assert near.session_reused is resumes


# -- a server's side of it -------------------------------------------------------------------------


def test_a_server_that_now_demands_a_certificate(kind, link, client, server, pki):
    """A session that was earned without one must not get around the demand."""
    session = link.earn(client, server)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    with pytest.raises(tlskit.SSLError):
        link.connect(client, server)
    with pytest.raises(
        tlskit.SSLError
    ):  # and not a connection whose client has never shown anything
        link.connect(client, server, session=session)


def test_a_server_that_now_verifies_more_strictly(kind, link, client, server, pki):
    """A client's certificate that would no longer pass must not pass by way of a session."""
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    client.load_cert_chain(pki.client.chain, pki.client.key)
    session = link.earn(client, server)
    _, far = link.connect(client, server, session=session)
    assert far.session_reused
    assert far.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)
    server.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF  # and there is no list: nobody passes
    with pytest.raises(tlskit.SSLError):
        link.connect(client, server)
    with pytest.raises(tlskit.SSLError):
        link.connect(client, server, session=session)


def test_a_verifying_server_with_another_id_context(kind, link, client, server, pki):
    """It stands beside the policy, and not instead of it."""
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    client.load_cert_chain(pki.client.chain, pki.client.key)
    session = link.earn(client, server)
    for id_context, resumes in ((b"other", False), (b"", False), (b"Python", True)):
        server.sessions.id_context = id_context
        near, far = link.connect(client, server, session=session)
        assert far.session_reused is resumes
        assert far.getpeercert()
        greet(near, far)


def test_a_server_that_learns_of_a_revocation_before_it_shakes(kind, client, authority, pki):
    """Wrapped, but not yet shaken: the full handshake would look into the list that is there by
    then.
    """
    identity, certificate = authority.issue("client.example")
    server = server_for(kind, pki)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    server.load_verify_locations(authority.root)
    server.load_verify_locations(authority.revoke())
    client.load_cert_chain(identity.chain, identity.key)
    near, _ = memory_pair(client, server)
    session = near.session
    without, with_it = ends(client, server), ends(client, server, session=session)
    server.load_verify_locations(authority.revoke(certificate))
    try:
        shake(*without)
    except tlskit.SSLError:
        with pytest.raises(tlskit.SSLError):
            shake(*with_it)
    else:
        shake(*with_it)


def test_virtual_hosts_with_their_own_clients(kind, pki):
    """Two names behind one socket, each with its own authorities for clients: what one has let in
    is not the other's.

    The client is the stdlib's, which offers a session to whatever name it is told.
    """
    import ssl as stdlib

    from ..support.pairs import client_context, only, take_tickets

    front, back = server_for(kind, pki), server_for(kind, pki)
    for context, root in ((front, pki.root), (back, pki.stranger_root)):
        context.load_verify_locations(root)
        context.verify_mode = tlskit.CERT_REQUIRED
    front.sni_callback = lambda connection, name, context: (
        setattr(connection, "context", back) if name == "other.example" else None
    )
    client = client_context(pki, module=stdlib)
    only(kind.version, client)
    client.load_cert_chain(pki.stranger.chain, pki.stranger.key)

    def visit(hostname, session=None):
        to_client, to_server = stdlib.MemoryBIO(), stdlib.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname=hostname, session=session)
        far = front.wrap_bio(to_server, to_client, server_side=True)
        shake(near, far)
        take_tickets(near)
        return near, far

    with pytest.raises(tlskit.SSLError):
        visit("localhost")
    near, far = visit("other.example")
    assert far.context is back
    try:
        _, far = visit("localhost", near.session)
    except tlskit.SSLError:
        return
    # TLS 1.2 keeps the name with the session: then it is the other host still
    assert far.context is back, "the front door has let in whom its authorities do not know"


@pytest.mark.parametrize("how", ["a list of revocations", "another context"])
def test_a_virtual_host_that_trusts_fewer_than_before(kind, authority, pki, how):
    """The name has stayed, and the front context too: only the context behind the name has
    changed.
    """
    identity, certificate = authority.issue("client.example")
    front, strict, loose = (server_for(kind, pki) for _ in range(3))
    for context in (front, loose):
        context.load_verify_locations(authority.root)
        context.load_verify_locations(authority.revoke())
    strict.load_verify_locations(pki.stranger_root)
    front.verify_mode = tlskit.CERT_REQUIRED
    front.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    behind = [loose]
    front.sni_callback = lambda connection, name, context: setattr(connection, "context", behind[0])
    client = client_for(kind, pki)
    client.load_cert_chain(identity.chain, identity.key)
    near, _ = memory_pair(client, front)
    session = near.session
    near, _ = memory_pair(client, front, session=session)
    assert not near.session_reused  # libssl would decide before sni_callback has said who is asked
    if how == "another context":
        behind[0] = strict
    else:
        loose.load_verify_locations(authority.revoke(certificate))
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, front)
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, front, session=session)


def test_a_server_with_another_id_context(kind, link, client, server):
    """What a server's sessions are bound to is its own to say."""
    session = link.earn(client, server)
    server.sessions.id_context = b"another application"
    near, far = link.connect(client, server, session=session)
    assert not far.session_reused
    greet(near, far)


# -- a context that changes while a connection is being made ---------------------------------------


@pytest.mark.parametrize("moment", ["before", "after"])
def test_another_thread_changes_the_context_meanwhile(
    kind, pki, client, memory, monkeypatch, moment
):
    """Just before or after libssl has copied its settings: what was earned under the old ones does
    not pass for the new ones.
    """
    from tlskit._core.connection import Connection

    server = server_for(kind, pki, identity=pki.stranger)
    client.check_hostname = False
    strict = client.verify_mode
    loose = tlskit.CERT_NONE
    client.verify_mode = loose if moment == "after" else strict
    original = Connection.__init__

    def meddling(self, context, **options):
        if options["server"]:
            original(self, context, **options)
        elif moment == "after":
            original(self, context, **options)
            client.verify_mode = strict
        else:
            client.verify_mode = loose
            original(self, context, **options)

    monkeypatch.setattr(Connection, "__init__", meddling)
    if moment == "before":
        with pytest.raises(tlskit.SSLCertVerificationError):
            memory_pair(client, server)
        return
    near, far = memory_pair(client, server)
    monkeypatch.undo()
    greet(near, far)
    assert near.session is not None
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server, session=near.session)


def test_server_that_demands_more_than_it_did_when_the_connection_was_made(kind, pki):
    """libssl has copied how it verifies: the session of a client that has shown nothing is not one
    of those who have.
    """
    server, client = server_for(kind, pki), client_for(kind, pki)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_OPTIONAL
    there, back = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(back, there, server_hostname="localhost")
    far = server.wrap_bio(there, back, server_side=True)
    server.verify_mode = tlskit.CERT_REQUIRED
    shake(near, far)
    greet(near, far)
    assert far.getpeercert() is None
    session = near.session
    with pytest.raises(tlskit.SSLError):
        greet(*memory_pair(client, server, session=session))
