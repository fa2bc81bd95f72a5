"""A chain that has passed once is known to its context: its signatures are not verified again. All
else is, each time, and any other chain is verified as if it were the first.
"""

from __future__ import annotations

import dataclasses
import ssl

import pytest

import tlskit

from ..support.pairs import memory_pair, serving, shake

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives import hashes

from ..support.certificates import DAY, NOW, authority, issue
from .test_expected import revocations


@pytest.fixture
def known(client, server):
    """A client that has verified the server's chain already."""
    for _ in range(2):
        near, _ = memory_pair(client, server)
        assert near.info.verified
    return client


def refused(client, server, match, **options):
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, **{"server_hostname": "localhost", **options})
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(tlskit.SSLCertVerificationError, match=match):
        shake(near, far)
    assert near.info is None


def test_a_known_chain_looks_as_it_did_at_first(client, server, leaf, middle, root):
    seen = []
    for _ in range(3):
        near, _ = memory_pair(client, server)
        seen.append((near.info.verified, near.info.verified_chain, near.getpeercert()))
        assert near.info.verified_chain == (leaf.der, middle.der, root.der)
        assert not near.session_reused
    assert seen[0] == seen[1] == seen[2]


def test_a_known_chain_is_not_good_for_another_name(known, server):
    refused(known, server, "Hostname mismatch", server_hostname="other.example")


def change_trust(client, other):
    client.trust_store = tlskit.TrustStore(other.pem)


def change_pins(client, other):
    client.pins = [other.certificate.fingerprint(hashes.SHA256())]


def change_time(client, other):
    client.verify_time = NOW + 60 * DAY


def change_depth(client, other):
    client.verify_depth = 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (change_trust, "unable to get local issuer"),
        (change_pins, "application verification"),
        (change_time, "expired"),
        (change_depth, "chain too long"),
    ],
)
def test_a_known_chain_meets_settings_that_have_changed(known, server, tmp_path, change, match):
    change(known, authority(tmp_path, "Another Root"))
    refused(known, server, match)


def test_a_known_chain_is_looked_up_in_revocation_lists(client, root, version, tmp_path):
    shown = issue(tmp_path, "direct", issuer=root)
    server = serving(shown, version)
    client.add_crl(revocations(root, begins=-2 * DAY))
    for _ in range(2):
        memory_pair(client, server)
    client.add_crl(revocations(root, shown))
    refused(client, server, "revoked")


def test_callbacks_are_asked_about_a_known_chain(known, server, leaf, middle, root):
    chains, certificates = [], []
    known.verify_callback = lambda connection, chain: chains.append(chain)
    for _ in range(2):
        memory_pair(known, server)
    assert chains == 2 * [(leaf.der, middle.der, root.der)]
    known.verify_callback = None
    known.verify_each = lambda connection, check: certificates.append(check.certificate)
    for _ in range(2):
        memory_pair(known, server)
    assert certificates == 2 * [root.der, middle.der, leaf.der]


def showing(version, made, *chain):
    """A server that shows these certificates, with the key of `made`."""
    file = made.chain.with_name("shown.pem")
    file.write_bytes(b"".join(chain))
    identity = dataclasses.replace(made.identity, chain=file)
    return serving(dataclasses.replace(made, identity=identity), version)


def test_an_altered_signature_is_not_the_known_one(known, leaf, middle, version):
    altered = bytearray(leaf.der)
    altered[-1] ^= 1
    shown = ssl.DER_cert_to_PEM_cert(bytes(altered)).encode()
    refused(known, showing(version, leaf, shown, middle.pem), "certificate signature failure")


@pytest.mark.parametrize("false", ["leaf", "middle"])
def test_an_impostor_is_not_the_known_one(known, root, middle, false, version, tmp_path):
    """The names are the known chain's, and the keys are not."""
    issuer = authority(tmp_path, "Example Root") if false == "middle" else root
    above = authority(tmp_path, "Middle CA", issuer=issuer)
    shown = issue(tmp_path, "leaf", issuer=above)
    chain = (shown.pem, above.pem if false == "middle" else middle.pem)
    match = "certificate signature failure|unable to get local issuer|unable to verify the first"
    refused(known, showing(version, shown, *chain), match)


def test_a_server_knows_the_chains_of_its_clients(client, server, root, middle, leaf, tmp_path):
    server.verify_mode = tlskit.CERT_REQUIRED
    server.trust_store = tlskit.TrustStore(root.pem)
    client.load_cert_chain(leaf.chain, leaf.key)
    for _ in range(2):
        _, far = memory_pair(client, server)
        assert far.info.verified_chain == (leaf.der, middle.der, root.der)
    stranger = issue(tmp_path, "leaf", issuer=authority(tmp_path, "Middle CA"))
    client.load_cert_chain(stranger.chain, stranger.key)
    near, far = (tlskit.MemoryBIO(), tlskit.MemoryBIO())
    ends = (
        client.wrap_bio(near, far, server_hostname="localhost"),
        server.wrap_bio(far, near, server_side=True),
    )
    with pytest.raises(tlskit.SSLCertVerificationError, match="unable to get local issuer"):
        shake(*ends)


def test_more_chains_than_are_kept(client, root, version, tmp_path):
    servers = [serving(issue(tmp_path, f"s{i}", issuer=root), version) for i in range(12)]
    for _ in range(2):
        for one in servers:
            assert memory_pair(client, one)[0].info.verified
    refused(client, servers[0], "Hostname mismatch", server_hostname="other.example")
