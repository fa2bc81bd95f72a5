"""A callback that chooses the certificate of a connection, and what the peer has asked for."""

from __future__ import annotations

import contextlib
import socket
import ssl as stdlib

import pytest

import tlskit

from ..support import peers
from ..support.certificates import DAY, authority, issue
from ..support.pairs import Background, greeting, memory_pair, only
from ..support.peers import PATIENCE, s_client, s_server

real_peer = pytest.mark.skipif(peers.version() is None, reason="there is no openssl command")


class Refusal(Exception):
    pass


@pytest.fixture(scope="module")
def others(root, tmp_path_factory):
    """Certificates for more names, and one with another kind of key."""
    folder = tmp_path_factory.mktemp("others")
    return {
        "one": issue(folder, "one", issuer=root, names=("one.example",)),
        "two": issue(folder, "two", issuer=root, names=("two.example",)),
        "rsa": issue(folder, "rsa", issuer=root, names=("one.example",), key="rsa"),
    }


def certified(made):
    return tlskit.CertifiedKey(made.chain, made.key)


@pytest.fixture
def server(leaf, root, version):
    """It asks for certificates."""
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.chain, leaf.key)
    context.trust_store = tlskit.TrustStore(root.der)
    context.configure(verify_mode=tlskit.CERT_OPTIONAL, client_ca_names=root.der)
    only(version, context)
    return context


def refuse(connection, request):
    raise Refusal("none of mine")


# -- a client --------------------------------------------------------------------------------------


def test_a_client_chooses(client, server, root, others, version):
    requests = []

    def choose(connection, request):
        requests.append((connection, request))
        return certified(others["one"])

    client.certificate_callback = choose
    near, far = memory_pair(client, server)
    assert far.getpeercert(True) == others["one"].der
    assert far.verify_result
    ((connection, request),) = requests
    assert connection is near
    assert request.server_side is False
    assert request.server_name == "localhost"
    assert request.authorities == (((("commonName", "Example Root"),),),)
    assert "ecdsa_secp256r1_sha256" in request.signature_algorithm_names
    assert bool(request.certificate_types) is (version is tlskit.TLSVersion.TLSv1_2)
    assert near.info.certificate_chain[0] == others["one"].der


@pytest.mark.parametrize("form", ["tuple", "PEM", "list"])
def test_what_it_may_return(client, server, others, form):
    one = others["one"]
    client.certificate_callback = lambda connection, request: {
        "tuple": (one.chain, one.key),
        "PEM": (one.pem, one.key_pem, ()),
        "list": [certified(one), certified(others["rsa"])],
    }[form]
    shown = memory_pair(client, server)[1].getpeercert(True)
    assert shown in ((one.der, others["rsa"].der) if form == "list" else (one.der,))


def test_none_leaves_what_the_context_has(client, server, leaf):
    client.certificate_callback = lambda connection, request: None
    assert memory_pair(client, server)[1].getpeercert(True) is None
    client.load_cert_chain(leaf.chain, leaf.key)
    assert memory_pair(client, server)[1].getpeercert(True) == leaf.der


def test_an_empty_list_shows_none(client, server, leaf):
    client.load_cert_chain(leaf.chain, leaf.key)
    client.certificate_callback = lambda connection, request: []
    assert memory_pair(client, server)[1].getpeercert(True) is None


def test_what_it_returns_is_for_its_own_connection(client, server, leaf, others):
    client.load_cert_chain(leaf.chain, leaf.key)
    client.certificate_callback = lambda connection, request: certified(others["one"])
    memory_pair(client, server)
    client.certificate_callback = None
    assert memory_pair(client, server)[1].getpeercert(True) == leaf.der


def test_it_is_not_called_when_nobody_asks(client, server):
    server.verify_mode = tlskit.CERT_NONE
    client.certificate_callback = refuse
    near, _ = memory_pair(client, server)
    assert near.certificate_request is None


def test_asked_after_the_handshake(root, leaf, others, client):
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(leaf.chain, leaf.key)
    server.trust_store = tlskit.TrustStore(root.der)
    server.configure(verify_mode=tlskit.CERT_REQUIRED, post_handshake_auth=True)
    client.post_handshake_auth = True
    calls = []

    def choose(connection, request):
        calls.append(request)
        return certified(others["two"])

    client.certificate_callback = choose
    near, far = memory_pair(client, server)
    assert calls == []
    far.verify_client_post_handshake()
    far.write(b"who?")
    assert near.read(4) == b"who?"
    near.write(b"me")
    assert far.read(2) == b"me"
    assert far.getpeercert(True) == others["two"].der
    assert len(calls) == 1


def test_what_it_raises_comes_out_of_its_own_connection(client, server, leaf):
    client.certificate_callback = refuse
    one, other = socket.socketpair()
    accepting = Background(lambda: server.wrap_socket(other, server_side=True))
    with one, pytest.raises(Refusal, match="none of mine"):
        client.wrap_socket(one, server_hostname="localhost")
    assert isinstance(accepting.error, tlskit.SSLError)
    client.certificate_callback = None
    memory_pair(client, server)


@pytest.mark.parametrize("answer", [7, "client.pem", object(), [7], {"cert": 1}])
def test_a_wrong_answer(client, server, answer):
    client.certificate_callback = lambda connection, request: answer
    with pytest.raises(TypeError, match="certificate_callback must return a CertifiedKey"):
        memory_pair(client, server)


def test_a_certificate_that_cannot_be_read(client, server, others, tmp_path):
    client.certificate_callback = lambda connection, request: (
        others["one"].pem, others["two"].key_pem,
    )  # fmt: skip
    with pytest.raises(tlskit.SSLError, match="KEY_VALUES_MISMATCH"):
        memory_pair(client, server)
    client.certificate_callback = lambda connection, request: (tmp_path / "nothing.pem",)
    with pytest.raises(FileNotFoundError):
        memory_pair(client, server)


def test_a_client_resumes_nothing_under_it(client, server, others):
    """It would be taken for whom it was before."""
    client.load_cert_chain(others["one"].chain, others["one"].key)
    session = memory_pair(client, server)[0].session
    assert memory_pair(client, server, session=session)[0].session_reused
    client.certificate_callback = lambda connection, request: certified(others["two"])
    near, far = memory_pair(client, server, session=session)
    assert not near.session_reused
    assert near.resumption.reason.name == "CERTIFICATE_CALLBACK"
    assert far.getpeercert(True) == others["two"].der
    client.sessions.store = tlskit.MemoryStore()
    for _ in range(2):
        near, _ = memory_pair(client, server)
        assert not near.session_reused
    client.certificate_callback = None
    assert not memory_pair(client, server, session=near.session)[0].session_reused


# -- a server --------------------------------------------------------------------------------------


def by_name(others):
    known = {f"{name}.example": certified(made) for name, made in others.items() if name != "rsa"}
    return lambda connection, request: known.get(request.server_name)


def test_a_server_chooses_by_name(client, server, others, leaf):
    server.certificate_callback = by_name(others)
    for name in ("one", "two"):
        near, _ = memory_pair(client, server, hostname=f"{name}.example")
        assert near.getpeercert(True) == others[name].der
    assert memory_pair(client, server)[0].getpeercert(True) == leaf.der


def test_a_server_with_no_certificate_of_its_own(client, others, version):
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    only(version, server)
    server.certificate_callback = by_name(others)
    near, far = memory_pair(client, server, hostname="one.example")
    assert near.verify_result
    assert far.info.certificate_chain[0] == others["one"].der
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server, hostname="else.example")


def test_a_server_chooses_by_what_the_client_can_verify(client, server, others, version):
    def choose(connection, request):
        assert request.server_side
        ecdsa = any("ecdsa" in name for name in request.signature_algorithm_names)
        return certified(others["one" if ecdsa else "rsa"])

    server.certificate_callback = choose
    near, _ = memory_pair(client, server, hostname="one.example")
    assert near.getpeercert(True) == others["one"].der
    rsa = client.copy()
    rsa.set_server_sigalgs("RSA-PSS+SHA256:RSA+SHA256")
    near, _ = memory_pair(rsa, server, hostname="one.example")
    assert near.getpeercert(True) == others["rsa"].der


def test_a_second_hello_is_not_asked_about(client, server, others):
    calls = []

    def choose(connection, request):
        calls.append(request)
        return certified(others["one"])

    server.certificate_callback = choose
    server.set_groups("P-256")
    client.set_groups("X25519:P-256")
    near, _ = memory_pair(client, server, hostname="one.example")
    assert near.getpeercert(True) == others["one"].der
    assert len(calls) == 1


def test_a_server_that_refuses(client, server):
    server.certificate_callback = refuse
    with pytest.raises(Refusal):
        memory_pair(client, server)


def test_a_server_resumes_what_it_made_under_the_same_callback(client, server, others):
    server.certificate_callback = by_name(others)
    session = memory_pair(client, server, hostname="one.example")[0].session
    near, _ = memory_pair(client, server, hostname="one.example", session=session)
    assert near.session_reused
    assert near.getpeercert(True) == others["one"].der
    session = memory_pair(client, server, hostname="one.example")[0].session
    near, _ = memory_pair(client, server, hostname="two.example", session=session)
    assert not near.session_reused


@pytest.mark.parametrize("store", [False, True])
@pytest.mark.parametrize("then", ["another", "none", "elsewhere"])
def test_another_callback_resumes_nothing(client, server, others, then, store):
    """Whoever can send a connection elsewhere must not have it resumed by a server that would not
    show this certificate.
    """
    server.verify_mode = tlskit.CERT_NONE
    if store:
        server.sessions.store = tlskit.MemoryStore()
    else:
        server.tickets.keyring = tlskit.TicketKeyring()
    server.certificate_callback = by_name(others)
    session = memory_pair(client, server, hostname="one.example")[0].session
    far = server
    if then == "elsewhere":
        far = server.copy()
    far.certificate_callback = None if then == "none" else by_name(others)
    hostname = "one.example"
    if then == "none":
        with pytest.raises(tlskit.SSLCertVerificationError):
            memory_pair(client, far, hostname=hostname, session=session)
    else:
        near, _ = memory_pair(client, far, hostname=hostname, session=session)
        assert not near.session_reused


def test_the_callback_of_the_context_that_was_set(client, server, others, leaf):
    other = server.copy()
    server.certificate_callback = refuse
    other.certificate_callback = by_name(others)
    server.sni_callback = lambda connection, name, context: setattr(connection, "context", other)
    near, _ = memory_pair(client, server, hostname="one.example")
    assert near.getpeercert(True) == others["one"].der


# -- what was asked for ----------------------------------------------------------------------------


def test_a_request_can_be_read_afterwards(client, server, version):
    near, far = memory_pair(client, server)
    request = near.certificate_request
    assert request.authorities == near.client_ca_names
    assert request.signature_algorithms == near.info.peer_signature_algorithms
    assert bool(request.certificate_types) is (version is tlskit.TLSVersion.TLSv1_2)
    seen = far.certificate_request
    assert seen.server_side
    assert seen.server_name == "localhost"
    assert seen.signature_algorithms == far.info.peer_signature_algorithms


def test_no_request_before_a_handshake(client):
    near = client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    assert near.certificate_request is None


# -- CertifiedKey ----------------------------------------------------------------------------------


def test_a_certified_key(leaf, client, server):
    one = tlskit.CertifiedKey(leaf.chain, leaf.key)
    assert one.certificate_chain[0] == leaf.der
    assert len(one.certificate_chain) == 2
    assert one.key_type == "EC"
    assert repr(one) == "<CertifiedKey: EC, <Certificate 'CN=leaf'>>"
    client.add_certificate(one)
    assert memory_pair(client, server)[1].getpeercert(True) == leaf.der
    with pytest.raises(TypeError, match="already has its key and its chain"):
        client.add_certificate(one, leaf.key)


def test_a_certified_key_is_checked(root, tmp_path, leaf):
    old = issue(tmp_path, "old", issuer=root, begins=-9 * DAY, ends=-DAY)
    with pytest.raises(ValueError, match="expired"):
        tlskit.CertifiedKey(old.chain, old.key)
    with pytest.raises(tlskit.SSLError, match="KEY_VALUES_MISMATCH"):
        tlskit.CertifiedKey(leaf.chain, authority(tmp_path, "else").key)


# -- the setting -----------------------------------------------------------------------------------


def test_it_is_copied_and_described(client):
    client.certificate_callback = refuse
    assert client.copy().certificate_callback is refuse
    assert "certificate_callback: tests.core.test_certificate_callback.refuse\n" in (
        client.describe()
    )
    with pytest.raises(TypeError, match="must be callable or None, not int"):
        client.certificate_callback = 7
    client.certificate_callback = None
    assert client.certificate_callback is None


def test_a_coroutine_function_needs_an_event_loop(client, server):
    async def choose(connection, request): ...

    client.certificate_callback = choose
    with pytest.raises(TypeError, match="certificate_callback is a coroutine function"):
        memory_pair(client, server)
    one, other = socket.socketpair()
    with one, other, pytest.raises(TypeError, match="certificate_callback is a coroutine"):
        client.wrap_socket(one, server_hostname="localhost")


# -- real peers ------------------------------------------------------------------------------------


@real_peer
def test_s_server(client, leaf, root, others, version):
    asked = ("-Verify", "3", "-CAfile", root.chain, *peers.speaking(version))
    with s_server(leaf.identity, "-cert_chain", leaf.chain, *asked) as far:
        requests = []

        def choose(connection, request):
            requests.append(request)
            return certified(others["one"])

        client.certificate_callback = choose
        plain = socket.create_connection(far.address, timeout=PATIENCE)
        with client.wrap_socket(plain, server_hostname="localhost") as near:
            near.sendall(b"hello\n")
            far.expect("subject=.*one")
            far.expect("hello")
        assert requests[0].authorities


@real_peer
def test_s_client(server, root, others, version):
    server.certificate_callback = by_name(others)
    with (
        greeting(server) as (address, accepting),
        s_client(address, root.chain, hostname="two.example") as near,
    ):
        near.expect("subject=.*two")
        near.expect("welcome")
        accepting.result().close()


def test_the_stdlib_as_a_client(server, root, others, version):
    server.certificate_callback = by_name(others)
    client = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(root.chain)
    one, other = socket.socketpair()
    accepting = Background(lambda: server.wrap_socket(other, server_side=True))
    with client.wrap_socket(one, server_hostname="two.example") as near:
        assert near.getpeercert(True) == others["two"].der
        with contextlib.closing(accepting.result()):
            pass
