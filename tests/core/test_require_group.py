"""`require_group` and `require_pq`: whose handshake is refused when it is complete, and what is
told of groups and signature algorithms.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess

import pytest

import tlskit
from tlskit import MemoryStore, metrics

from ..support import peers
from ..support.certificates import authority, issue
from ..support.pairs import (
    Background,
    client_context,
    memory_pair,
    only,
    server_context,
    shake,
    socket_pair,
)
from ..support.peers import PATIENCE

NEW = tlskit.OPENSSL_VERSION_INFO >= (3, 5)
TLS12, TLS13 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3
REFUSED = "GROUP_NOT_ALLOWED"


@pytest.fixture
def client(pki, version):
    context = client_context(pki)
    only(version, context)
    return context


@pytest.fixture
def server(pki):
    context = server_context(pki)
    context.set_groups("X25519:P-256")
    return context


def refused(client, server, match, *, side=0, **more):
    """The error of the side that refuses."""
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost", **more)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(tlskit.SSLError, match=match) as caught:
        shake(near, far)
    assert caught.value.reason == REFUSED
    ends = near, far
    for operation in (lambda: ends[side].read(1), lambda: ends[side].write(b"x")):
        with pytest.raises(tlskit.SSLError) as again:
            operation()
        assert again.value.reason == REFUSED
    return caught.value


# -- what passes, and what does not ----------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["P-384", "prime256v1:P-384", ["secp256r1", "secp384r1"]])
def test_a_group_that_is_allowed(client, server, wanted):
    server.set_groups("P-384")
    client.require_group = wanted
    near, far = memory_pair(client, server)
    assert near.group() == "secp384r1"
    near.write(b"hello")
    assert far.read(5) == b"hello"


def test_a_client_refuses(client, server):
    server.set_groups("P-256")
    client.require_group = "X25519:P-384"
    error = refused(
        client, server, r"in the group secp256r1; this context requires x25519, secp384r1"
    )
    assert "server's operator" in error.hint
    assert client.handshake_failures["group_not_allowed"] >= 1


def test_a_server_refuses(client, server):
    client.set_groups("X25519:P-256")  # up to TLS 1.2, the certificate needs the second
    server.require_group = "P-384"
    error = refused(client, server, r"in the group x25519; this context requires secp384r1", side=1)
    assert "client's operator" in error.hint


def test_a_write_that_comes_first_sends_nothing(client, server):
    server.set_groups("P-256")
    client.require_group = "X25519"
    near, far = socket.socketpair()
    accepting = Background(lambda: server.wrap_socket(far, server_side=True))
    with (
        near,
        client.wrap_socket(
            near, server_hostname="localhost", do_handshake_on_connect=False
        ) as wrapped,
    ):
        wrapped.settimeout(PATIENCE)
        with pytest.raises(tlskit.SSLError) as caught:
            wrapped.sendall(b"secret")
        assert caught.value.reason == REFUSED
    received = b""
    with contextlib.suppress(ConnectionResetError), accepting.result() as other:
        received = other.recv(10)  # the client left with the server's tickets unread
    assert received == b""


def test_a_key_exchange_without_a_group(pki):
    client, server = client_context(pki), server_context(pki, identity=pki.rsa)
    only(TLS12, client, server)
    client.set_ciphers("AES128-GCM-SHA256:@SECLEVEL=0")
    server.set_ciphers("AES128-GCM-SHA256:@SECLEVEL=0")
    memory_pair(client, server)
    client.require_group = "X25519"
    refused(client, server, "without a key exchange in a group")


# -- resumption ------------------------------------------------------------------------------------


def test_resumed_connections_are_judged_too(client, server):
    server.set_groups("X25519:P-256")
    client.require_group = "X25519"
    client.sessions.store = MemoryStore()
    memory_pair(client, server)
    near, _ = memory_pair(client, server)
    assert near.session_reused
    server.set_groups("P-256")  # of TLS 1.3 alone does that change a resumption
    if client.minimum_version == TLS13:
        refused(client, server, "in the group secp256r1")
    else:
        assert memory_pair(client, server)[0].session_reused


def test_sessions_of_another_requirement_are_not_resumed(client, server):
    client.sessions.store = MemoryStore()
    memory_pair(client, server)
    client.require_group = "X25519"
    near, _ = memory_pair(client, server)
    assert not near.session_reused
    assert memory_pair(client, server)[0].session_reused


def test_a_server_resumes_nothing_from_before(client, server):
    client.sessions.store = MemoryStore()
    memory_pair(client, server)
    server.require_group = "X25519"
    assert not memory_pair(client, server)[0].session_reused
    assert memory_pair(client, server)[0].session_reused


@pytest.mark.parametrize("demanding", [None, "client", "server"])
def test_a_resumption_without_a_key_exchange(pki, demanding):
    """psk_ke, which libssl falls back to where the two sides have no group in common."""
    client, server = client_context(pki), server_context(pki)
    only(TLS13, client, server)
    client.set_groups("X25519")
    client.sessions.store = MemoryStore()
    client.options |= tlskit.OP_ALLOW_NO_DHE_KEX
    server.options |= tlskit.OP_ALLOW_NO_DHE_KEX
    if demanding is not None:
        (client if demanding == "client" else server).require_group = "X25519"
    memory_pair(client, server)
    server.set_groups("P-384")
    if demanding is None:
        near, _ = memory_pair(client, server)
        assert near.session_reused
        assert 51 not in near.info.peer_extensions  # key_share
    else:
        with pytest.raises(tlskit.SSLError):
            memory_pair(client, server)


def test_a_context_from_the_sni_callback_demands_too(client, server, pki):
    other = server_context(pki)
    other.require_group = "P-384"
    client.set_groups("X25519:P-256")

    def switch(connection, name, context):
        connection.context = other

    server.sni_callback = switch
    refused(client, server, "in the group x25519", side=1)


def test_early_data_of_a_refused_group_is_not_read(pki):
    client, server = client_context(pki), server_context(pki)
    only(TLS13, client, server)
    client.sessions.store = MemoryStore()
    server.max_early_data = 1000
    server.set_groups("X25519:P-256")
    server.require_group = "X25519:P-256"
    with socket_pair(client, server) as (near, far):
        far.sendall(b"x")
        assert near.recv(1) == b"x"
    client.set_groups("X25519")
    near, far = socket.socketpair()
    other = server.copy()
    other.require_group = "P-256"
    with (
        near,
        far,
        other.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as accepted,
    ):
        accepted.settimeout(PATIENCE)
        connecting = Background(
            lambda: client.wrap_socket(near, server_hostname="localhost", early_data=b"early")
        )
        with pytest.raises(tlskit.SSLError) as caught:
            accepted.do_handshake()
        assert caught.value.reason == REFUSED
        if connecting.error is None:
            connecting.result().close()


# -- the setting -----------------------------------------------------------------------------------


def test_what_is_set_can_be_read():
    context = tlskit.create_default_context()
    assert context.require_group == ()
    assert context.require_pq is False
    context.require_group = ["P-256", "x25519"]
    assert context.require_group == ("secp256r1", "x25519")
    assert "require_group: secp256r1 x25519\n" in context.describe()
    context.require_group = None
    assert context.require_group == ()


@pytest.mark.parametrize("wrong", ["", "nothing", "X25519:", ["X25519:P-256"], "X25519\0"])
def test_no_such_group(wrong):
    context = tlskit.create_default_context()
    with pytest.raises(ValueError, match="has no group"):
        context.require_group = wrong
    assert context.require_group == ()


def test_no_name():
    with pytest.raises(TypeError, match="must hold names, got int"):
        tlskit.create_default_context().require_group = [29]


@pytest.mark.skipif(NEW, reason="this OpenSSL has post-quantum groups")
def test_no_post_quantum_group():
    context = tlskit.create_default_context()
    with pytest.raises(NotImplementedError, match=r"OpenSSL has from 3\.5 on"):
        context.require_pq = True
    before = context.minimum_version
    with pytest.raises(NotImplementedError):
        context.configure(minimum_version=TLS13, require_pq=True)
    assert context.minimum_version == before


@pytest.mark.skipif(not NEW, reason="needs OpenSSL 3.5")
class TestPostQuantum:
    def test_a_hybrid(self, pki):
        client, server = client_context(pki), server_context(pki)
        client.require_pq = server.require_pq = True
        near, far = memory_pair(client, server)
        assert near.group() == far.group() == "X25519MLKEM768"
        assert near.info.group == "X25519MLKEM768"

    @pytest.mark.parametrize("group", ["MLKEM512", "MLKEM1024", "SecP256r1MLKEM768"])
    def test_another(self, pki, group):
        client, server = client_context(pki), server_context(pki)
        client.set_groups(group)
        server.set_groups(f"X25519:{group}")
        client.configure(require_pq=True, require_group=group, sessions={"store": MemoryStore()})
        assert memory_pair(client, server)[0].group() == group
        near, _ = memory_pair(client, server)
        assert near.session_reused
        assert near.group() == group

    def test_a_classical_one_is_refused(self, pki):
        client, server = client_context(pki), server_context(pki)
        server.set_groups("X25519")
        client.require_pq = True
        refused(client, server, "in the group x25519; this context requires X25519MLKEM768, ")

    def test_tls12_has_none(self, pki):
        client, server = client_context(pki), server_context(pki)
        only(TLS12, server)
        client.require_pq = True
        error = refused(client, server, "in the group")
        assert "These groups need TLS 1.3, and the server agreed on TLSv1.2" in error.hint

    def test_demands_that_exclude_each_other(self, pki):
        client, server = client_context(pki), server_context(pki)
        client.configure(require_pq=True, require_group="X25519")
        refused(client, server, "requires no group")


# -- real peers ------------------------------------------------------------------------------------


@pytest.mark.skipif(not peers.version(), reason="there is no openssl command")
def test_against_openssl(pki, version):
    client = client_context(pki)
    only(version, client)
    client.require_group = "P-384"
    with peers.s_server(
        pki.server, "-cert_chain", pki.server.chain, "-groups", "P-256", *peers.speaking(version)
    ) as peer:
        sock = socket.create_connection(peer.address, PATIENCE)
        with sock, pytest.raises(tlskit.SSLError, match="in the group secp256r1") as caught:
            client.wrap_socket(sock, server_hostname="localhost")
        assert caught.value.reason == REFUSED
    with peers.s_server(
        pki.server, "-cert_chain", pki.server.chain, "-groups", "P-384", *peers.speaking(version)
    ) as peer:
        sock = socket.create_connection(peer.address, PATIENCE)
        with client.wrap_socket(sock, server_hostname="localhost") as wrapped:
            assert wrapped.group() == "secp384r1"


# -- what is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "expected"), [("rsa", "rsa_pss_rsae_sha256"), ("server", "ecdsa_secp256r1_sha256")]
)
def test_the_signature_algorithm(pki, version, shown, expected):
    identity = getattr(pki, shown)
    client, server = client_context(pki), server_context(pki, identity=identity)
    only(version, client)
    client.sessions.store = MemoryStore()
    near, far = memory_pair(client, server)
    assert near.info.peer_signature_algorithm == far.info.signature_algorithm == expected
    assert near.info.signature_algorithm is None  # a client without a certificate
    near, _ = memory_pair(client, server)
    assert near.session_reused
    assert near.info.peer_signature_algorithm == expected
    again = tlskit.SSLSession.from_bytes(near.session.to_bytes())
    assert again.info.peer_signature_algorithm == expected
    assert again.info.to_dict()["peer_signature_algorithm"] == expected


@pytest.mark.skipif(not peers.version(), reason="there is no openssl command")
def test_the_signature_of_a_key_for_pss_alone(tmp_path, version):
    chain, key = str(tmp_path / "chain.pem"), str(tmp_path / "key.pem")
    subprocess.run(
        [
            peers.command(), "req", "-x509", "-newkey", "rsa-pss", "-nodes", "-subj", "/CN=pss",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", chain,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    client = tlskit.create_default_context(cafile=chain)
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    only(version, client)
    near, far = memory_pair(client, server)
    assert near.info.peer_signature_algorithm == far.info.signature_algorithm
    assert near.info.peer_signature_algorithm == "rsa_pss_pss_sha256"
    assert server.negotiated().signature == {"rsa_pss_pss_sha256": 1}


def test_the_clients_signature_algorithm(pki, version):
    client, server = client_context(pki), server_context(pki)
    only(version, client)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    near, far = memory_pair(client, server)
    assert far.info.peer_signature_algorithm == near.info.signature_algorithm
    assert near.info.signature_algorithm in tlskit_names()


def tlskit_names():
    from tlskit.sessions.registry import SIGNATURE_ALGORITHMS

    return set(SIGNATURE_ALGORITHMS.values())


def test_metrics(client, server):
    server.set_groups("P-384")
    assert client.negotiated() == {"group": {}, "signature": {}}
    client.sessions.store = MemoryStore()
    for _ in range(3):
        memory_pair(client, server)
    exchanges = 3 if client.minimum_version == TLS13 else 1
    counted = {"group": {"secp384r1": exchanges}, "signature": {"ecdsa_secp256r1_sha256": 1}}
    assert client.negotiated() == server.negotiated() == counted
    assert client.negotiated().group == counted["group"]
    assert dict(client.negotiated().signature) == counted["signature"]
    server.set_alpn_protocols(["h2"])  # another state
    assert server.negotiated() == counted
    taken = metrics.snapshot(server)
    assert taken["negotiated_group_secp384r1"] == exchanges
    assert taken["negotiated_signature_ecdsa_secp256r1_sha256"] == 1


def test_failed_handshakes_are_not_counted(client, server):
    server.set_groups("P-256")
    client.set_groups("P-384")
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)
    assert client.negotiated() == {"group": {}, "signature": {}}


# -- post-quantum certificates ---------------------------------------------------------------------


@pytest.mark.skipif(not NEW, reason="needs OpenSSL 3.5")
@pytest.mark.parametrize("kind", ["mldsa44", "mldsa65", "mldsa87"])
def test_ml_dsa_certificates(tmp_path, kind):
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    root = authority(tmp_path, "root", key=kind)
    leaf = issue(tmp_path, "leaf", issuer=root, key=kind)
    client, server = tlskit.create_default_context(), tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    client.load_verify_locations(cadata=root.pem.decode())
    server.load_cert_chain(leaf.chain, leaf.key)
    near, far = memory_pair(client, server)
    assert near.info.peer_signature_algorithm == far.info.signature_algorithm == kind
    assert near.server_sigalg() == kind
    assert near.info.verified


@pytest.mark.skipif(not NEW, reason="needs OpenSSL 3.5")
def test_cnsa2_from_end_to_end(tmp_path):
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    root = authority(tmp_path, "root", key="mldsa87")
    leaf = issue(tmp_path, "leaf", issuer=root, key="mldsa87")
    client, server = tlskit.create_default_context(), tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    client.load_verify_locations(cadata=root.pem.decode())
    server.load_cert_chain(leaf.chain, leaf.key)
    for context in (client, server):
        context.configure(policy="cnsa2", require_pq=True)
    near, _ = memory_pair(client, server)
    assert (near.group(), near.cipher()[0]) == ("MLKEM1024", "TLS_AES_256_GCM_SHA384")
    assert near.info.peer_signature_algorithm == "mldsa87"
