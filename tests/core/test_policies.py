"""Named policies: what they set, and whom they keep out."""

from __future__ import annotations

import pytest

import tlskit

from ..support.certificates import authority, issue
from ..support.pairs import client_context, memory_pair, only, server_context, serving

TLS12, TLS13 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3
NEW = tlskit.OPENSSL_VERSION_INFO >= (3, 5)


@pytest.mark.parametrize("name", ["intermediate", "modern"])
def test_they_speak_to_the_defaults(pki, name):
    client, server = client_context(pki), server_context(pki)
    client.set_policy(name)
    near, _ = memory_pair(client, server)
    assert near.version() == "TLSv1.3"
    other = client_context(pki)
    server.set_policy(name)
    assert memory_pair(other, server)[0].version() == "TLSv1.3"
    assert memory_pair(client, server)[0].group() in ("x25519", "X25519", "X25519MLKEM768")


def test_intermediate_on_tls12(pki):
    client, server = client_context(pki), server_context(pki)
    client.set_policy("intermediate")
    assert client.minimum_version == TLS12
    only(TLS12, server)
    near, _ = memory_pair(client, server)
    assert near.cipher()[0] in {c["name"] for c in client.get_ciphers()}
    assert {c["aead"] for c in client.get_ciphers()} == {True}
    server.set_ciphers("ECDHE-ECDSA-AES128-SHA256")  # CBC
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


def test_modern_keeps_tls12_out(pki):
    client, server = client_context(pki), server_context(pki)
    client.set_policy("modern")
    assert client.minimum_version == TLS13
    only(TLS12, server)
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


@pytest.mark.skipif(not NEW, reason="needs OpenSSL 3.5")
def test_post_quantum(pki):
    client, server = client_context(pki), server_context(pki)
    client.set_policy("post-quantum")
    assert memory_pair(client, server)[0].group() == "X25519MLKEM768"
    server.set_groups("X25519:P-256")
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


@pytest.mark.skipif(not NEW, reason="needs OpenSSL 3.5")
def test_cnsa2_wants_certificates_to_match(pki):
    client, server = client_context(pki), server_context(pki)
    client.set_policy("cnsa2")
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


@pytest.mark.skipif(NEW, reason="this OpenSSL has it")
@pytest.mark.parametrize("name", ["post-quantum", "cnsa2"])
def test_what_this_openssl_lacks_changes_nothing(pki, name):
    client = client_context(pki)
    before = client.describe()
    with pytest.raises(NotImplementedError, match=r"OpenSSL has from 3\.5 on"):
        client.set_policy(name)
    assert client.describe() == before


@pytest.mark.parametrize("name", ["", "strong", None, 7])
def test_no_policy(pki, name):
    with pytest.raises(ValueError, match="policy must be 'intermediate', 'modern'"):
        client_context(pki).set_policy(name)


def test_a_frozen_context_keeps_its_policy(pki):
    client = client_context(pki)
    client.freeze()
    with pytest.raises(RuntimeError, match="frozen"):
        client.set_policy("modern")


def test_by_configure(pki):
    client = client_context(pki)
    client.configure(policy="modern", alpn_protocols=["h2"])
    assert client.minimum_version == TLS13


@pytest.mark.skipif(not NEW, reason="needs OpenSSL 3.5")
@pytest.mark.parametrize("name", ["intermediate", "modern"])
def test_they_prefer_post_quantum_groups(pki, name):
    client, server = client_context(pki), server_context(pki)
    for context in (client, server):
        context.set_policy(name)
    near, far = memory_pair(client, server)
    assert near.group() == far.group() == "X25519MLKEM768"
    server.set_groups("X25519")
    assert memory_pair(client, server)[0].group().lower() == "x25519"


@pytest.mark.skipif(not NEW, reason="needs OpenSSL 3.5")
@pytest.mark.parametrize(
    ("name", "kind"),
    [("modern", "mldsa44"), ("modern", "mldsa65"), ("intermediate", "mldsa87"),
     ("post-quantum", "mldsa65")],
)  # fmt: skip
def test_which_post_quantum_certificates_they_accept(tmp_path, name, kind):
    """Those that OpenSSL accepts by default: these policies say nothing about signatures."""
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    root = authority(tmp_path, "root", key=kind)
    leaf = issue(tmp_path, "leaf", issuer=root, key=kind)
    client, server = tlskit.create_default_context(cafile=root.chain), serving(leaf)
    client.set_policy(name)
    near, _ = memory_pair(client, server)
    assert near.info.peer_signature_algorithm == kind
    assert near.info.verified


@pytest.mark.skipif(not NEW, reason="needs OpenSSL 3.5")
@pytest.mark.parametrize("kind", ["mldsa44", "mldsa65"])
def test_cnsa2_refuses_smaller_certificates(tmp_path, kind):
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    root = authority(tmp_path, "root", key=kind)
    leaf = issue(tmp_path, "leaf", issuer=root, key=kind)
    client, server = tlskit.create_default_context(cafile=root.chain), serving(leaf)
    client.set_policy("cnsa2")
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)
