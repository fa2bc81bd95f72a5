"""A callback that sees each certificate, and each error, on the way through a verification."""

from __future__ import annotations

import contextlib
import socket

import pytest

import tlskit

from ..support import peers
from ..support.certificates import DAY, authority, issue
from ..support.pairs import Background, memory_pair, serving
from ..support.peers import PATIENCE, s_client, s_server
from ..support.servers import nginx_server

real_peer = pytest.mark.skipif(peers.version() is None, reason="there is no openssl command")


class Refusal(Exception):
    pass


@pytest.fixture
def expired(root, tmp_path, version):
    return serving(issue(tmp_path, "old", issuer=root, begins=-9 * DAY, ends=-DAY), version)


@pytest.fixture
def unknown(tmp_path, version):
    return serving(issue(tmp_path, "self-signed"), version)


def asking(server, root, callback):
    server.trust_store = tlskit.TrustStore(root.der)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.verify_each = callback


def refuse(connection, check):
    raise Refusal(check.name)


def accept(connection, check):
    return True


def expect_refusal(context, other, match=None, *, hostname="localhost"):
    with pytest.raises(tlskit.SSLCertVerificationError, match=match) as caught:
        memory_pair(context, other, hostname=hostname)
    return caught.value


# -- what it sees ----------------------------------------------------------------------------------


def test_it_sees_each_certificate_from_the_root_to_the_leaf(client, server, root, middle, leaf):
    seen = []
    client.verify_each = lambda connection, check: seen.append((connection, check))
    near, _ = memory_pair(client, server)
    assert [check.certificate for _, check in seen] == [root.der, middle.der, leaf.der]
    assert [check.depth for _, check in seen] == [2, 1, 0]
    assert all(connection is near and check for connection, check in seen)
    last = seen[-1][1]
    assert (last.code, last.name, last.message) == (0, "OK", "ok")
    assert last.fields["subjectAltName"] == near.getpeercert()["subjectAltName"]
    assert near.verify_result
    assert near.verify_result.depth is None


def test_it_sees_errors(client, expired):
    seen = []
    client.verify_each = lambda connection, check: seen.append(check)
    expect_refusal(client, expired, "expired")
    assert [(check.name, check.depth) for check in seen if not check] == [("CERT_HAS_EXPIRED", 0)]


def test_an_error_of_a_missing_certificate_has_fields_all_the_same(client, tmp_path):
    stranger = issue(tmp_path, "leaf", issuer=authority(tmp_path, "Stranger"))
    seen = []
    client.verify_each = lambda connection, check: seen.append(check)
    expect_refusal(client, serving(stranger))
    (error,) = [check for check in seen if not check]
    assert error.name == "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
    assert error.fields["issuer"] == ((("commonName", "Stranger"),),)


def test_a_name_is_one_of_the_errors(client, server):
    seen = []
    client.verify_each = lambda connection, check: seen.append(check.name)
    expect_refusal(client, server, hostname="elsewhere.example")
    assert seen == ["HOSTNAME_MISMATCH"]


# -- refusing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_what_it_raises_comes_out_of_its_own_connection(client, server, depth):
    def refuse_there(connection, check):
        if check.depth == depth:
            raise Refusal("not this one")

    client.verify_each = refuse_there
    one, other = socket.socketpair()
    accepting = Background(lambda: server.wrap_socket(other, server_side=True))
    with one, pytest.raises(Refusal, match="not this one"):
        client.wrap_socket(one, server_hostname="localhost")
    assert isinstance(accepting.error, tlskit.SSLError)
    client.verify_each = None
    assert memory_pair(client, server)[0].verify_result


def test_false_refuses(client, server):
    client.verify_each = lambda connection, check: check.depth != 1
    error = expect_refusal(client, server, "verify_each of this context refused it")
    assert error.verify_depth == 1


def test_false_keeps_the_error_that_it_saw(client, expired):
    client.verify_each = lambda connection, check: bool(check)
    assert expect_refusal(client, expired, "expired").verify_depth == 0


def test_a_server_refuses_its_clients(client, server, root, leaf):
    asking(server, root, refuse)
    client.load_cert_chain(leaf.chain, leaf.key)
    with pytest.raises(Refusal):
        memory_pair(client, server)


@pytest.mark.parametrize("answer", [0, 1, "yes", b""])
def test_a_wrong_answer_refuses(client, server, answer):
    client.verify_each = lambda connection, check: answer
    with pytest.raises(TypeError, match="must return True, False or None, got"):
        memory_pair(client, server)


# -- accepting -------------------------------------------------------------------------------------


def test_true_accepts_nothing_that_is_not_named(client, expired):
    client.verify_each = accept
    with pytest.raises(ValueError, match="accepted CERT_HAS_EXPIRED, which is not in verify_acc"):
        memory_pair(client, expired)
    client.verify_accepts = ["CERT_NOT_YET_VALID"]
    with pytest.raises(ValueError, match="CERT_HAS_EXPIRED"):
        memory_pair(client, expired)


def test_a_name_alone_accepts_nothing(client, expired):
    client.verify_accepts = "CERT_HAS_EXPIRED"
    expect_refusal(client, expired)
    client.verify_each = lambda connection, check: None
    expect_refusal(client, expired)


def test_an_accepted_error_is_the_verdict(client, expired):
    client.verify_accepts = ["X509_V_ERR_CERT_HAS_EXPIRED"]
    client.verify_each = accept
    near, _ = memory_pair(client, expired)
    verdict = near.verify_result
    assert not verdict
    assert (verdict.name, verdict.depth, verdict.checked) == ("CERT_HAS_EXPIRED", 0, True)
    assert near.getpeercert() == {}
    assert near.get_verified_chain() == []
    info = near.info
    assert info.verified is False
    assert info.verified_chain == ()
    assert info.peer_certificate_data["notAfter"]
    assert info.asgi()["client_cert_error"] == "certificate has expired"


def test_one_accepted_error_does_not_cover_another(client, tmp_path, version):
    both = issue(tmp_path, "old", begins=-9 * DAY, ends=-DAY, names=("other.example",))
    far = serving(both, version)
    client.verify_each = lambda connection, check: check.name != "HOSTNAME_MISMATCH"
    client.verify_accepts = ["DEPTH_ZERO_SELF_SIGNED_CERT", "CERT_HAS_EXPIRED"]
    assert "Hostname mismatch" in str(expect_refusal(client, far))
    client.verify_accepts = ["HOSTNAME_MISMATCH", "DEPTH_ZERO_SELF_SIGNED_CERT"]
    client.verify_each = accept
    with pytest.raises(ValueError, match="CERT_HAS_EXPIRED"):
        memory_pair(client, far)
    client.verify_accepts = [*client.verify_accepts, "CERT_HAS_EXPIRED"]
    near, _ = memory_pair(client, far)
    assert not near.verify_result


def test_trust_on_first_use(client, unknown):
    """What it is for: a certificate that this program knows by its fingerprint."""
    known = []

    def first_use(connection, check):
        if check.name == "DEPTH_ZERO_SELF_SIGNED_CERT":
            known.append(check.certificate)
            return known[0] == check.certificate
        return None

    client.verify_each = first_use
    client.verify_accepts = ["DEPTH_ZERO_SELF_SIGNED_CERT"]
    for _ in range(2):
        near, _ = memory_pair(client, unknown)
        assert not near.verify_result
    known[0] = b""
    expect_refusal(client, unknown)


@pytest.mark.parametrize(
    "name", ["CERT_SIGNATURE_FAILURE", "CERT_REJECTED", "APPLICATION_VERIFICATION", "UNSPECIFIED"]
)
def test_some_errors_cannot_be_accepted(client, name):
    with pytest.raises(ValueError, match=f"{name} cannot be accepted"):
        client.verify_accepts = [name]


@pytest.mark.parametrize("name", ["", "EXPIRED", "cert_has_expired", 0, -1, 99999])
def test_what_is_no_error(client, name):
    with pytest.raises(ValueError, match="is not a verification error"):
        client.verify_accepts = [name]


def test_pins_are_demanded_of_what_was_accepted(client, expired):
    client.verify_each = accept
    client.verify_accepts = ["CERT_HAS_EXPIRED"]
    client.pins = bytes(32)
    with pytest.raises(ValueError, match="APPLICATION_VERIFICATION"):
        memory_pair(client, expired)


def test_the_callback_for_the_chain_is_asked_of_what_was_accepted(client, expired):
    client.verify_each = accept
    client.verify_accepts = ["CERT_HAS_EXPIRED"]

    def refuse_chain(connection, chain):
        raise Refusal(len(chain))

    client.verify_callback = refuse_chain
    with pytest.raises(Refusal, match="2"):
        memory_pair(client, expired)


# -- sessions --------------------------------------------------------------------------------------


def test_a_client_resumes_nothing_under_it(client, server):
    session = memory_pair(client, server)[0].session
    assert memory_pair(client, server, session=session)[0].session_reused
    calls = []
    client.verify_each = lambda connection, check: calls.append(check)
    near, _ = memory_pair(client, server, session=session)
    assert not near.session_reused
    assert not memory_pair(client, server, session=near.session)[0].session_reused
    client.verify_each = refuse
    with pytest.raises(Refusal):
        memory_pair(client, server, session=session)


def test_what_was_accepted_is_not_resumed_elsewhere(client, expired):
    """Neither by the context without its callback, nor by one that the session is carried to."""
    client.verify_each = accept
    client.verify_accepts = ["CERT_HAS_EXPIRED"]
    session = memory_pair(client, expired)[0].session
    client.verify_each = None
    expect_refusal(client, expired)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, expired, session=session)
    for carried in (
        tlskit.SSLSession.from_der(session.to_der()),
        tlskit.SSLSession.from_bytes(session.to_bytes()),
    ):
        with pytest.raises(tlskit.SSLCertVerificationError):
            memory_pair(client, expired, session=carried)


def test_a_server_resumes_nothing_under_it(client, server, root, leaf):
    asking(server, root, None)
    client.load_cert_chain(leaf.chain, leaf.key)
    before = memory_pair(client, server)[0].session
    assert memory_pair(client, server, session=before)[0].session_reused
    server.verify_each = lambda connection, check: None
    near, _ = memory_pair(client, server, session=before)
    assert not near.session_reused
    assert not memory_pair(client, server, session=near.session)[0].session_reused
    server.verify_each = refuse
    with pytest.raises(Refusal):
        memory_pair(client, server, session=before)


@pytest.mark.parametrize("where", ["first", "second"])
def test_another_context_does_not_get_around_it(client, server, root, leaf, version, where):
    other = serving(leaf, version)
    for context in (server, other):
        asking(context, root, None)
    (server if where == "first" else other).verify_each = refuse
    server.sni_callback = lambda connection, name, context: setattr(connection, "context", other)
    client.load_cert_chain(leaf.chain, leaf.key)
    with pytest.raises(Refusal):
        memory_pair(client, server)


def test_both_contexts_have_to_accept(client, server, root, leaf, version, tmp_path):
    other = serving(leaf, version)
    for context in (server, other):
        asking(context, root, None)
    server.sni_callback = lambda connection, name, context: setattr(connection, "context", other)
    old = issue(tmp_path, "old", issuer=root, begins=-9 * DAY, ends=-DAY)
    client.load_cert_chain(old.chain, old.key)
    server.configure(verify_each=accept, verify_accepts=["CERT_HAS_EXPIRED"])
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server)
    other.configure(verify_each=accept, verify_accepts=["CERT_HAS_EXPIRED"])
    _, far = memory_pair(client, server)
    assert far.verify_result.name == "CERT_HAS_EXPIRED"


@pytest.mark.parametrize("where", ["first", "second"])
def test_another_context_does_not_get_around_pins(client, server, root, leaf, version, where):
    other = serving(leaf, version)
    for context in (server, other):
        asking(context, root, None)
    (server if where == "first" else other).pins = bytes(32)
    server.sni_callback = lambda connection, name, context: setattr(connection, "context", other)
    client.load_cert_chain(leaf.chain, leaf.key)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server)


# -- the setting -----------------------------------------------------------------------------------


def test_it_needs_verification(client):
    client.check_hostname = False
    client.verify_each = refuse
    with pytest.raises(ValueError, match="CERT_NONE when verify_each is set"):
        client.verify_mode = tlskit.CERT_NONE
    client.configure(verify_mode=tlskit.CERT_NONE, verify_each=None)
    with pytest.raises(ValueError, match="verify_each needs a verify_mode other than CERT_NONE"):
        client.verify_each = refuse
    client.configure(verify_each=refuse, verify_mode=tlskit.CERT_REQUIRED)


def test_what_it_cannot_be(client):
    async def asynchronous(connection, check): ...

    with pytest.raises(TypeError, match="verify_each cannot be a coroutine function"):
        client.verify_each = asynchronous
    with pytest.raises(TypeError, match="verify_each must be callable or None, not int"):
        client.verify_each = 7


def test_it_is_copied_and_described(client):
    client.configure(verify_each=refuse, verify_accepts=["CERT_HAS_EXPIRED"])
    copy = client.copy()
    assert (copy.verify_each, copy.verify_accepts) == (refuse, ("CERT_HAS_EXPIRED",))
    assert "verify_each: tests.core.test_verify_each.refuse\n" in client.describe()
    assert "verify_accepts: CERT_HAS_EXPIRED\n" in client.describe()


# -- real peers ------------------------------------------------------------------------------------


@real_peer
def test_s_server(client, leaf, version):
    with s_server(leaf.identity, "-cert_chain", leaf.chain, *peers.speaking(version)) as far:
        seen = []
        client.verify_each = lambda connection, check: seen.append(check.depth)
        with client.wrap_socket(
            socket.create_connection(far.address, timeout=PATIENCE), server_hostname="localhost"
        ) as near:
            assert near.verify_result
        assert seen == [2, 1, 0]
        client.verify_each = refuse
        with (
            socket.create_connection(far.address, timeout=PATIENCE) as plain,
            pytest.raises(Refusal),
        ):
            client.wrap_socket(plain, server_hostname="localhost")


@real_peer
def test_s_client(server, root, leaf, version):
    asking(server, root, lambda connection, check: check.depth > 0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)

        def accept_one():
            plain, _ = listening.accept()
            plain.settimeout(PATIENCE)
            with contextlib.closing(plain), server.wrap_socket(plain, server_side=True):
                pass

        accepting = Background(accept_one)
        shown = ("-cert", leaf.chain, "-key", leaf.key, "-cert_chain", leaf.chain)
        with s_client(listening.getsockname(), root.chain, *shown) as near:
            assert isinstance(accepting.error, tlskit.SSLCertVerificationError)
            near.expect("alert")


def test_nginx(client, leaf):
    with nginx_server(leaf.identity) as running:
        client.verify_each = lambda connection, check: check.depth > 0
        with (
            socket.create_connection(running.address, timeout=PATIENCE) as plain,
            pytest.raises(tlskit.SSLCertVerificationError, match="verify_each"),
        ):
            client.wrap_socket(plain, server_hostname="localhost")
