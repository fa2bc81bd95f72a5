"""Channel bindings, exported keys, Finished messages and hello randoms: the same at both ends, and
nothing where there is nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

import tlskit

from ..support import peers
from ..support.certificates import PSS, authority, issue
from ..support.pairs import client_context, memory_pair, only, server_context
from ..support.pki import PKI

TLS12, TLS13 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3
# Python 3.10 and 3.11 warn of the options for versions that a client's context has by itself
pytestmark = pytest.mark.filterwarnings(r"ignore:ssl\.OP_NO_SSL:DeprecationWarning")
KINDS = ("tls-exporter", "tls-server-end-point", "tls-unique")


def resumed(client: Any, server: Any) -> tuple[Any, Any]:
    first, _ = memory_pair(client, server)
    near, far = memory_pair(client, server, session=first.session)
    assert near.session_reused
    return near, far


@pytest.fixture(params=["full", "resumed"])
def pair(request, contexts):
    return memory_pair(*contexts) if request.param == "full" else resumed(*contexts)


@pytest.fixture
def without_ems(pki: PKI) -> tuple[Any, Any]:
    client, server = client_context(pki), server_context(pki)
    only(TLS12, client, server)
    client.options |= tlskit.OP_NO_EXTENDED_MASTER_SECRET
    return client, server


def test_the_ends_agree(pair, version):
    near, far = pair
    kinds = KINDS if version == TLS12 else KINDS[:2]
    assert near.channel_binding_types == far.channel_binding_types == kinds
    for kind in kinds:
        assert near.channel_binding(kind) == far.channel_binding(kind)
    assert len(near.channel_binding("tls-exporter")) == 32


def test_connections_differ(contexts):
    one, other = (memory_pair(*contexts)[0] for _ in range(2))
    assert one.channel_binding("tls-exporter") != other.channel_binding("tls-exporter")
    assert one.channel_binding("tls-server-end-point") == other.channel_binding(
        "tls-server-end-point"
    )


def test_unique_is_what_the_stdlib_gives(pair, version):
    near, far = pair
    assert near.get_channel_binding() == far.get_channel_binding()
    if version == TLS12:
        assert near.channel_binding("tls-unique") == near.get_channel_binding()
        return
    with pytest.raises(ValueError, match=r"^tls-unique is not defined for TLS 1\.3"):
        near.channel_binding("tls-unique")


DIGESTS = {
    "sha256": (hashes.SHA256, "sha256"),
    "sha384": (hashes.SHA384, "sha384"),
    "sha512": (hashes.SHA512, "sha512"),
}


@pytest.mark.parametrize("key", ["rsa", "ec"])
@pytest.mark.parametrize(("digest", "used"), DIGESTS.values(), ids=DIGESTS)
def test_end_point_takes_the_signatures_digest(tmp_path, version, key, digest, used):
    root = authority(tmp_path, "root", key=key)
    shown = issue(tmp_path, "leaf", issuer=root, digest=digest())
    check_end_point(root, shown, version, used)


@pytest.mark.skipif(peers.version() is None, reason="there is no openssl command")
def test_end_point_takes_sha256_for_sha1(tmp_path, version):
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    key, chain = tmp_path / "old.key", tmp_path / "old.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")  # sooner made than RSA's
    made = (*kind, "-nodes", "-sha1", "-days", "9", "-keyout", key, "-out", chain)
    with contextlib.ExitStack() as stack:
        process = peers.Peer("req", "-x509", *made, *names)
        stack.callback(process.stop)
        assert process.end() == 0, process.output
    der = tlskit.PEM_cert_to_DER_cert(chain.read_text())
    shown = SimpleNamespace(chain=chain, key=key, der=der)
    check_end_point(shown, shown, version, "sha256")


def test_end_point_of_rsa_pss_takes_the_digest_of_its_parameters(tmp_path, version):
    root = authority(tmp_path, "root", key="rsa")
    shown = issue(tmp_path, "leaf", issuer=root, digest=hashes.SHA384(), rsa_padding=PSS)
    check_end_point(root, shown, version, "sha384")


def check_end_point(root: Any, shown: Any, version: Any, used: str) -> None:
    client, server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT), served(shown)
    client.load_verify_locations(root.chain)
    client.security_level = server.security_level = 0
    only(version, client, server)
    for near, far in (memory_pair(client, server), resumed(client, server)):
        expected = hashlib.new(used, shown.der).digest()
        assert near.channel_binding("tls-server-end-point") == expected
        assert far.channel_binding("tls-server-end-point") == expected


def served(shown: Any) -> Any:
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.security_level = 0
    server.load_cert_chain(shown.chain, shown.key)
    return server


@pytest.mark.parametrize("key", ["ed25519", "ed448"])
def test_end_point_is_not_defined_for_eddsa(tmp_path, version, key):
    root = authority(tmp_path, "root", key=key)
    client, server = (
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
        served(issue(tmp_path, "leaf", issuer=root)),
    )
    client.load_verify_locations(root.chain)
    only(version, client, server)
    for end in memory_pair(client, server):
        with pytest.raises(ValueError, match=r"Ed25519.*RFC 5929, 4\.1.*use tls-exporter"):
            end.channel_binding("tls-server-end-point")
        assert end.channel_binding_types[0] == "tls-exporter"
        assert "tls-server-end-point" not in end.channel_binding_types


def test_end_point_is_the_chosen_certificate_of_several(pki, tmp_path):
    root = authority(tmp_path, "root")
    server = server_context(pki)
    rsa, ec = (issue(tmp_path, key, issuer=root, key=key) for key in ("rsa", "ec"))
    for shown in (rsa, ec):
        server.load_cert_chain(shown.chain, shown.key)
    for ciphers, shown in (("ECDHE-RSA-AES128-GCM-SHA256", rsa), ("ECDHE+aECDSA", ec)):
        client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(root.chain)
        only(TLS12, client)
        client.set_ciphers(ciphers)
        near, far = memory_pair(client, server)
        assert near.getpeercert(True) == shown.der
        expected = hashlib.sha256(shown.der).digest()
        assert near.channel_binding("tls-server-end-point") == expected
        assert far.channel_binding("tls-server-end-point") == expected


def test_exporter_needs_the_extended_master_secret(without_ems):
    near, far = memory_pair(*without_ems)
    for end in (near, far):
        with pytest.raises(ValueError, match=r"^tls-exporter needs .* extended master secret"):
            end.channel_binding("tls-exporter")
        assert end.channel_binding_types == ("tls-server-end-point", "tls-unique")
        assert end.export_keying_material("EXPERIMENTAL-x", 16)  # the caller's own affair
    for end in resumed(*without_ems):
        with pytest.raises(ValueError, match=r"^tls-unique is not unique .*RFC 7627"):
            end.channel_binding("tls-unique")
        assert end.channel_binding_types == ("tls-server-end-point",)


def test_exported_material(pair, version):
    near, far = pair
    made = near.export_keying_material("EXPERIMENTAL-tlskit", 48, b"context")
    assert len(made) == 48
    assert made == far.export_keying_material(b"EXPERIMENTAL-tlskit", 48, b"context")
    assert made != near.export_keying_material("EXPERIMENTAL-tlskit", 48, b"other")
    assert made != near.export_keying_material("EXPERIMENTAL-other", 48, b"context")
    none, empty = (
        near.export_keying_material("EXPERIMENTAL-tlskit", 48, value) for value in (None, b"")
    )
    assert (none == empty) == (version == TLS13)  # RFC 8446, 7.5; RFC 5705, 4
    assert far.export_keying_material("EXPERIMENTAL-tlskit", 48, bytearray()) == empty


@pytest.mark.parametrize("length", [0, -1, 65536])
def test_lengths_out_of_range(pair, length):
    with pytest.raises(ValueError, match=f"length must be between 1 and 65535, got {length}"):
        pair[0].export_keying_material("EXPERIMENTAL-x", length)


def test_a_reserved_label_is_refused(pki):
    client, server = client_context(pki), server_context(pki)
    only(TLS12, client, server)
    near, _ = memory_pair(client, server)
    with pytest.raises(tlskit.SSLError):
        near.export_keying_material("master secret", 16)
    assert near.export_keying_material("EXPERIMENTAL-x", 16)  # and the connection goes on


def test_finished_messages(pair):
    near, far = pair
    assert near.finished_message() == far.peer_finished_message()
    assert near.peer_finished_message() == far.finished_message()
    assert near.finished_message() != far.finished_message()


def test_randoms(pair):
    near, far = pair
    for name in ("client_random", "server_random"):
        assert len(getattr(near, name)()) == 32
        assert getattr(near, name)() == getattr(far, name)()
    assert near.client_random() != near.server_random()


def test_before_the_handshake(contexts):
    near = contexts[0].wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    assert near.finished_message() is None
    assert near.peer_finished_message() is None
    assert near.client_random() is None
    assert near.server_random() is None
    assert near.channel_binding_types == ()
    for ask in (
        lambda: near.channel_binding("tls-exporter"),
        lambda: near.export_keying_material("EXPERIMENTAL-x", 16),
    ):
        with pytest.raises(ValueError, match=r"^the handshake is not complete yet$"):
            ask()


def test_unconnected_sockets(contexts):
    with contexts[0].wrap_socket(socket.socket(), server_hostname="localhost") as near:
        assert near.finished_message() is None
        assert near.client_random() is None
        with pytest.raises(ValueError, match="not complete"):
            near.channel_binding("tls-exporter")


def test_an_unknown_kind(pair):
    with pytest.raises(ValueError, match=r"must be 'tls-exporter', .* got 'tls-other'"):
        pair[0].channel_binding("tls-other")


def test_a_server_without_a_certificate(pki):
    client, server = (
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER),
    )
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    for context in (client, server):
        context.set_ciphers("aNULL:@SECLEVEL=0")
    only(TLS12, client, server)
    for end in memory_pair(client, server):
        assert end.channel_binding_types == ("tls-exporter", "tls-unique")
        with pytest.raises(ValueError, match="needs a server certificate"):
            end.channel_binding("tls-server-end-point")
