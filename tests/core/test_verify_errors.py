"""A handshake that goes on although the peer's certificate does not pass: the verdict is there to
read, and nothing takes such a connection for a verified one.
"""

from __future__ import annotations

import contextlib

import pytest

import tlskit

from ..support import peers
from ..support.certificates import DAY, authority, issue
from ..support.pairs import Background, greeting, memory_pair, only, take_tickets
from ..support.peers import s_client

real_peer = pytest.mark.skipif(peers.version() is None, reason="there is no openssl command")


@pytest.fixture
def server(leaf, root, version):
    """It asks for certificates, and reports on them."""
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.chain, leaf.key)
    context.trust_store = tlskit.TrustStore(root.der)
    context.configure(verify_mode=tlskit.CERT_OPTIONAL, verify_errors="report")
    only(version, context)
    return context


def client(root, shown=None, **settings):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.trust_store = tlskit.TrustStore(root.pem)
    if shown is not None:
        context.load_cert_chain(shown.chain, shown.key)
    context.configure(**settings)
    return context


@pytest.fixture(scope="module")
def bad(root, tmp_path_factory):
    """Certificates of clients that do not pass, by OpenSSL's name of what is wrong."""
    folder = tmp_path_factory.mktemp("bad")
    stranger = authority(folder, "Stranger")
    web = [tlskit.Purpose.SERVER_AUTH.oid]
    from cryptography.x509 import ObjectIdentifier

    return {
        "CERT_HAS_EXPIRED": issue(folder, "old", issuer=root, begins=-9 * DAY, ends=-DAY),
        "CERT_NOT_YET_VALID": issue(folder, "early", issuer=root, begins=DAY),
        "DEPTH_ZERO_SELF_SIGNED_CERT": issue(folder, "self-signed"),
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY": issue(folder, "unknown", issuer=stranger),
        "INVALID_PURPOSE": issue(
            folder, "web", issuer=root, usages=[ObjectIdentifier(oid) for oid in web]
        ),
    }


KINDS = (
    "CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID", "DEPTH_ZERO_SELF_SIGNED_CERT",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "INVALID_PURPOSE",
)  # fmt: skip


def expect_unverified(end, name, *, depth=0, matched=None):
    verdict = end.verify_result
    assert not verdict
    assert (verdict.name, verdict.checked) == (name, True)
    assert verdict.message
    assert verdict.depth == depth
    assert end.getpeercert() == {}
    assert end.getpeercert(True)
    assert end.get_verified_chain() == []
    info = end.info
    assert info.verified is False
    assert info.verify_code == verdict.code
    assert info.verified_chain == ()
    assert info.matched_name == matched
    assert info.peer_certificate_data["verified"] is False
    assert end.peer_certificate_data == info.peer_certificate_data
    assert end.peer_certificate_data["verify_message"] == verdict.message
    assert info.peer_certificate == end.getpeercert(True)
    tls = info.asgi()
    assert tls["client_cert_error"] == verdict.message
    assert len(tls["client_cert_chain"]) >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_tells_what_is_wrong(server, root, bad, kind):
    near, far = memory_pair(client(root, bad[kind]), server)
    expect_unverified(far, kind)
    near.write(b"ping")
    assert far.read(4) == b"ping"


@pytest.mark.parametrize("kind", KINDS)
def test_without_it_the_handshake_ends(server, root, bad, kind):
    server.verify_errors = "abort"
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client(root, bad[kind]), server)


def test_who_passes_is_verified_as_ever(server, root, leaf, middle):
    _, far = memory_pair(client(root, leaf), server)
    assert far.verify_result
    assert far.verify_result.name == "OK"
    assert far.getpeercert()["subject"]
    assert far.get_verified_chain() == [leaf.der, middle.der, root.der]
    assert far.info.asgi()["client_cert_error"] is None


def test_no_certificate_is_no_error_unless_one_is_required(server, root):
    _, far = memory_pair(client(root), server)
    assert far.peer_certificate_data is None
    assert not far.verify_result
    assert not far.verify_result.checked
    assert far.info.asgi()["client_cert_error"] is None
    server.verify_mode = tlskit.CERT_REQUIRED
    with pytest.raises(tlskit.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        memory_pair(client(root), server)


def test_the_first_error_is_the_verdict(server, root, tmp_path):
    stranger = authority(tmp_path, "Stranger", ends=-DAY, begins=-9 * DAY)
    both = issue(tmp_path, "both", issuer=stranger, begins=-9 * DAY, ends=-DAY)
    _, far = memory_pair(client(root, both), server)
    expect_unverified(far, "UNABLE_TO_GET_ISSUER_CERT_LOCALLY")


def test_an_error_in_the_middle_of_a_chain_has_its_depth(server, root, tmp_path):
    middle = authority(tmp_path, "middle", issuer=root, begins=-9 * DAY, ends=-DAY)
    _, far = memory_pair(client(root, issue(tmp_path, "leaf", issuer=middle)), server)
    assert (far.verify_result.name, far.verify_result.depth) == ("CERT_HAS_EXPIRED", 1)
    assert far.getpeercert() == {}


def test_a_client_is_told_too(root, server, leaf, tmp_path):
    near, _ = memory_pair(client(root, verify_errors="report"), server, hostname="else.example")
    expect_unverified(near, "HOSTNAME_MISMATCH")
    near, _ = memory_pair(client(authority(tmp_path, "Another"), verify_errors="report"), server)
    assert near.verify_result.name == "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
    near, _ = memory_pair(client(root, verify_errors="report"), server)
    assert near.verify_result


def test_pins_and_names_are_reported(root, server):
    near, _ = memory_pair(client(root, verify_errors="report", pins=bytes(32)), server)
    expect_unverified(near, "APPLICATION_VERIFICATION", matched="localhost")
    near, _ = memory_pair(
        client(root, verify_errors="report", verify_names=["other.example"]), server
    )
    expect_unverified(near, "HOSTNAME_MISMATCH")


def test_a_callback_may_still_refuse(server, root, bad):
    server.verify_each = lambda connection, check: bool(check)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client(root, bad["CERT_HAS_EXPIRED"]), server)


def test_the_callback_for_chains_is_asked_of_those_that_pass(server, root, leaf, bad):
    chains = []
    server.verify_callback = lambda connection, chain: chains.append(chain)
    memory_pair(client(root, bad["CERT_HAS_EXPIRED"]), server)
    assert chains == []
    memory_pair(client(root, leaf), server)
    assert len(chains) == 1


# -- resumption, as an adversary -------------------------------------------------------------------


def attempt(context, server, session):
    """A connection that wants to resume this session, as far as it comes."""
    return memory_pair(context, server, session=session)


@pytest.mark.parametrize("cache", ["tickets", "cache", "store"])
@pytest.mark.parametrize("kind", ["CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT"])
def test_a_server_does_not_resume_who_did_not_pass(server, root, bad, kind, cache):
    if cache != "tickets":
        server.options |= tlskit.OP_NO_TICKET
    if cache == "store":
        server.sessions.store = tlskit.MemoryStore()
    context = client(root, bad[kind])
    near, far = memory_pair(context, server)
    expect_unverified(far, kind)
    session = near.session
    again, far = attempt(context, server, session)
    assert not again.session_reused
    expect_unverified(far, kind)
    # nor when it asks for the certificate no more, or trusts it by then
    server.verify_errors = "abort"
    with pytest.raises(tlskit.SSLCertVerificationError):
        attempt(context, server, session)


@pytest.mark.parametrize("cache", ["tickets", "cache"])
def test_who_passed_is_resumed(server, root, leaf, cache):
    if cache == "cache":
        server.options |= tlskit.OP_NO_TICKET
    context = client(root, leaf)
    session = memory_pair(context, server)[0].session
    near, far = attempt(context, server, session)
    assert near.session_reused
    assert far.verify_result
    assert far.getpeercert()["subject"]
    assert far.info.asgi()["client_cert_error"] is None


@pytest.mark.parametrize("where", ["server", "client"])
def test_the_value_is_part_of_the_policy(server, root, leaf, where):
    context = client(root, leaf)
    session = memory_pair(context, server)[0].session
    one = server if where == "server" else context
    one.verify_errors = "abort" if one.verify_errors == "report" else "report"
    near, _ = attempt(context, server, session)
    assert not near.session_reused


def test_tickets_of_servers_that_share_keys(server, root, bad, leaf):
    """One that reports and one that aborts, with the same keyring."""
    strict = server.copy()
    strict.verify_errors = "abort"
    server.tickets.keyring = strict.tickets.keyring = tlskit.TicketKeyring()
    context = client(root, bad["CERT_HAS_EXPIRED"])
    session = memory_pair(context, server)[0].session
    with pytest.raises(tlskit.SSLCertVerificationError):
        attempt(context, strict, session)
    good = client(root, leaf)
    session = memory_pair(good, server)[0].session
    near, far = attempt(good, strict, session)
    assert not near.session_reused
    assert far.verify_result


def test_a_client_does_not_resume_what_did_not_pass(root, server, tmp_path):
    strangers = authority(tmp_path, "Another")
    context = client(strangers, verify_errors="report")
    context.sessions.store = tlskit.MemoryStore()
    near, _ = memory_pair(context, server)
    session = near.session
    assert not session.is_resumable
    near, _ = memory_pair(context, server)
    assert not near.session_reused
    assert near.verify_result.name == "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
    near, _ = attempt(context, server, session)
    assert not near.session_reused
    for carried in (
        tlskit.SSLSession.from_der(session.to_der()),
        tlskit.SSLSession.from_bytes(session.to_bytes()),
    ):
        near, _ = attempt(context, server, carried)
        assert not near.session_reused
        expect_unverified(near, "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", depth=1, matched="localhost")
        with pytest.raises(tlskit.SSLCertVerificationError):
            attempt(client(strangers), server, carried)


def test_a_client_resumes_what_passed(root, server):
    context = client(root, verify_errors="report")
    context.sessions.store = tlskit.MemoryStore()
    memory_pair(context, server)
    near, _ = memory_pair(context, server)
    assert near.session_reused
    assert near.verify_result
    assert near.getpeercert()["subject"]


@pytest.mark.parametrize("which", ["first", "second"])
def test_both_contexts_have_to_report(server, root, bad, which):
    other = server.copy()
    (server if which == "first" else other).verify_errors = "abort"
    server.sni_callback = lambda connection, name, context: setattr(connection, "context", other)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client(root, bad["CERT_HAS_EXPIRED"]), server)


def test_another_context_that_reports_too(server, root, bad):
    other = server.copy()
    server.sni_callback = lambda connection, name, context: setattr(connection, "context", other)
    _, far = memory_pair(client(root, bad["CERT_HAS_EXPIRED"]), server)
    expect_unverified(far, "CERT_HAS_EXPIRED")


@pytest.mark.parametrize("kind", ["CERT_HAS_EXPIRED", None])
def test_asked_after_the_handshake(root, leaf, bad, kind):
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(leaf.chain, leaf.key)
    server.trust_store = tlskit.TrustStore(root.der)
    server.configure(
        verify_mode=tlskit.CERT_REQUIRED, verify_errors="report", post_handshake_auth=True
    )
    context = client(root, leaf if kind is None else bad[kind], post_handshake_auth=True)
    near, far = memory_pair(context, server)
    if far.version() != "TLSv1.3":
        pytest.skip("this OpenSSL has no TLS 1.3")
    before = near.session
    far.verify_client_post_handshake()
    far.write(b"who?")
    assert near.read(4) == b"who?"
    near.write(b"me")
    assert far.read(2) == b"me"
    assert bool(far.verify_result) is (kind is None)
    assert far.verify_result.name == (kind or "OK")
    assert bool(far.getpeercert()) is (kind is None)
    far.write(b"x")
    take_tickets(near)
    after = near.session
    for session in (before, after):
        _, again = attempt(context, server, session)
        assert bool(again.verify_result) is (kind is None and session is not before)


def test_renegotiation(server, root, bad):
    if server.maximum_version is tlskit.TLSVersion.TLSv1_3:
        pytest.skip("TLS 1.3 has no renegotiation")
    server.options |= tlskit.OP_ALLOW_CLIENT_RENEGOTIATION
    context = client(root, bad["CERT_HAS_EXPIRED"])
    for one in (server, context):
        one.options &= ~tlskit.OP_NO_RENEGOTIATION
    near, far = memory_pair(context, server)
    expect_unverified(far, "CERT_HAS_EXPIRED")
    with contextlib.suppress(tlskit.SSLWantReadError):
        near.renegotiate()
    for _ in range(6):
        for end in (near, far):
            with contextlib.suppress(tlskit.SSLWantReadError):
                end.read(1)
    assert far.renegotiations == 1
    expect_unverified(far, "CERT_HAS_EXPIRED")


# -- the setting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "tell", None, True, 0])
def test_what_it_cannot_be(server, value):
    with pytest.raises(ValueError, match="must be 'abort' or 'report'"):
        server.verify_errors = value
    assert server.verify_errors == "report"


def test_it_is_copied_and_described(server):
    assert server.copy().verify_errors == "report"
    assert "verify_errors: report\n" in server.describe()
    assert tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER).verify_errors == "abort"


def test_a_frozen_context_keeps_it(server):
    server.freeze()
    with pytest.raises(RuntimeError, match="frozen"):
        server.verify_errors = "abort"


# -- real peers ------------------------------------------------------------------------------------


@real_peer
@pytest.mark.parametrize("kind", ["CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT"])
def test_s_client(server, root, bad, kind, tmp_path, version):
    """It resumes nothing either, of its own accord."""
    shown = ("-cert", bad[kind].chain, "-key", bad[kind].key, *peers.speaking(version))
    saved = tmp_path / "session.pem"
    for extra in (("-sess_out", saved), ("-sess_in", saved)):
        with (
            greeting(server) as (address, accepting),
            s_client(address, root.chain, *shown, *extra) as near,
        ):
            near.expect("welcome")
            far = accepting.result()
            assert not far.session_reused
            expect_unverified(far, kind)
            near.say(b"Q\n")
            assert far.recv(1) == b""
            far.close()
            near.end()
        if not saved.exists():
            break


def test_threads_of_one_context(server, root, leaf, bad):
    """The verdict belongs to its own connection."""
    good, expired = client(root, leaf), client(root, bad["CERT_HAS_EXPIRED"])

    def many(context, wanted):
        return all(memory_pair(context, server)[1].verify_result.name == wanted for _ in range(20))

    running = [
        Background(lambda c=c, w=w: many(c, w))
        for c, w in ((good, "OK"), (expired, "CERT_HAS_EXPIRED")) * 2
    ]
    assert all(one.result() for one in running)
