"""What a peer's certificate is expected to be: names, purpose, time; and revocation lists."""

from __future__ import annotations

import datetime
import socket
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

import tlskit

from ..support import peers
from ..support.certificates import DAY, NOW, authority, issue
from ..support.pairs import memory_pair, serving
from ..support.peers import PATIENCE, s_server

real_peer = pytest.mark.skipif(peers.version() is None, reason="there is no openssl command")


def expect_refusal(context, other, match=None, *, hostname="localhost", session=None):
    with pytest.raises(tlskit.SSLCertVerificationError, match=match) as caught:
        memory_pair(context, other, hostname=hostname, session=session)
    return caught.value


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "matched"),
    [
        (["localhost"], "localhost"),
        (["nowhere.example", "LOCALHOST"], "localhost"),
        (["nowhere.example", "127.0.0.1"], None),
        (["10.9.8.7", "127.0.0.1"], None),
        ("127.0.0.1", None),
        (["::1", "localhost."], "localhost"),
    ],
)
def test_any_of_the_names_will_do(client, server, names, matched):
    client.verify_names = names
    near, far = memory_pair(client, server, hostname="proxy.example")
    assert near.verify_result
    assert near.info.matched_name == matched
    assert far.info.server_name == "proxy.example"


@pytest.mark.parametrize(
    "names", [["nowhere.example"], ["10.9.8.7", "::1"], ["localhost.example", "ocalhost"]]
)
def test_none_of_the_names(client, server, names):
    client.verify_names = names
    error = expect_refusal(client, server)
    assert error.verify_code == 62
    assert " or ".join(names) in str(error)
    assert error.verify_depth == 0


def test_they_count_without_check_hostname(client, server):
    client.configure(check_hostname=False, verify_names=["nowhere.example"])
    expect_refusal(client, server, "Hostname mismatch")
    client.verify_names = []
    assert memory_pair(client, server)[0].verify_result
    client.check_hostname = True
    expect_refusal(client, server, hostname="nowhere.example")


def test_a_server_demands_names_of_its_clients(client, server, root, leaf):
    server.trust_store = tlskit.TrustStore(root.der)
    server.configure(verify_mode=tlskit.CERT_REQUIRED, verify_names=["worker.example"])
    client.load_cert_chain(leaf.chain, leaf.key)
    expect_refusal(client, server)
    server.verify_names = ["worker.example", "localhost"]
    _, far = memory_pair(client, server)
    assert far.info.matched_name == "localhost"


def test_names_of_both_contexts_hold(client, server, root, leaf, version):
    other = serving(leaf, version)
    for context in (server, other):
        context.trust_store = tlskit.TrustStore(root.der)
        context.verify_mode = tlskit.CERT_REQUIRED
    server.sni_callback = lambda connection, name, context: setattr(connection, "context", other)
    client.load_cert_chain(leaf.chain, leaf.key)
    memory_pair(client, server)
    server.verify_names = ["worker.example"]
    expect_refusal(client, server)
    server.verify_names, other.verify_names = [], ["worker.example"]
    expect_refusal(client, server)


def test_names_follow_the_host_flags(client, root, tmp_path):
    far = serving(issue(tmp_path, "leaf", issuer=root, names=("*.apps.example",)))
    client.verify_names = ["one.apps.example"]
    assert memory_pair(client, far)[0].verify_result
    client.hostname_checks_wildcards = False
    expect_refusal(client, far)


@pytest.mark.parametrize(
    "name",
    [
        "", ".example", "a" * 254, "x\0y", "a..b", "a b", "ä ö", "a\nb", "a\x7f", "*.example",
        "localhost:443", "https://localhost", "a/b", "[::1]", ".",
    ],
)  # fmt: skip
def test_what_is_no_name(client, name):
    with pytest.raises(ValueError, match="is not a host name"):
        client.verify_names = ["localhost", name]
    assert client.verify_names == ()


def test_what_they_cannot_be(client):
    with pytest.raises(TypeError, match="must be text, got bytes"):
        client.verify_names = [b"localhost"]
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    with pytest.raises(ValueError, match="verify_names need a verify_mode other than CERT_NONE"):
        client.verify_names = ["localhost"]


def test_the_dot_of_the_root_is_in_no_certificate(client, server):
    client.verify_names = ["localhost."]
    assert client.verify_names == ("localhost",)


def test_international_names(client):
    client.verify_names = ["König.example"]
    assert client.verify_names == ("xn--knig-5qa.example",)


@real_peer
def test_names_with_s_server(client, leaf, version):
    with s_server(leaf.identity, "-cert_chain", leaf.chain, *peers.speaking(version)) as far:
        client.verify_names = ["nowhere.example", "127.0.0.1"]
        with client.wrap_socket(
            socket.create_connection(far.address, timeout=PATIENCE), server_hostname="proxy.example"
        ) as near:
            assert near.verify_result
        client.verify_names = ["nowhere.example"]
        with (
            socket.create_connection(far.address, timeout=PATIENCE) as plain,
            pytest.raises(tlskit.SSLCertVerificationError, match="nowhere"),
        ):
            client.wrap_socket(plain, server_hostname="localhost")


# -- purpose ---------------------------------------------------------------------------------------


@pytest.fixture
def for_clients(root, tmp_path, version):
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    return serving(issue(tmp_path, "client", issuer=root, usages=usages), version)


@pytest.mark.parametrize("purpose", ["sslclient", tlskit.Purpose.CLIENT_AUTH, "any"])
def test_another_purpose(client, for_clients, purpose):
    expect_refusal(client, for_clients, "may not be used for server authentication")
    client.verify_purpose = purpose
    assert memory_pair(client, for_clients)[0].verify_result


@pytest.mark.parametrize("purpose", ["sslserver", tlskit.Purpose.SERVER_AUTH, None, "codesign"])
def test_a_purpose_that_it_is_not_for(client, for_clients, purpose):
    if purpose == "codesign" and tlskit.OPENSSL_VERSION_INFO < (3, 2):
        pytest.skip("this OpenSSL has no purpose of that name")
    client.verify_purpose = "any"
    client.verify_purpose = purpose
    expect_refusal(client, for_clients)


def test_what_is_no_purpose(client):
    with pytest.raises(ValueError, match="got 'web'"):
        client.verify_purpose = "web"
    with pytest.raises(TypeError, match="must be a name or None, got int"):
        client.verify_purpose = 1
    assert client.verify_purpose is None
    client.verify_purpose = tlskit.Purpose.SERVER_AUTH
    assert client.verify_purpose == "sslserver"


# -- time ------------------------------------------------------------------------------------------


@pytest.fixture
def longer(client, tmp_path):
    """A client that trusts an authority that was there earlier, and what it issued."""
    above = authority(tmp_path, "Old Root", begins=-90 * DAY, ends=90 * DAY)
    client.trust_store = tlskit.TrustStore(above.pem)
    return above


def test_another_time(client, longer, tmp_path, version):
    old = serving(issue(tmp_path, "old", issuer=longer, begins=-9 * DAY, ends=-2 * DAY), version)
    expect_refusal(client, old, "expired")
    client.verify_time = NOW - 3 * DAY
    near, _ = memory_pair(client, old)
    assert near.verify_result
    client.verify_time = (NOW - DAY).timestamp()
    expect_refusal(client, old, "expired")
    client.verify_time = NOW - 20 * DAY
    expect_refusal(client, old, "not yet valid")
    client.verify_time = None
    expect_refusal(client, old, "expired")


def test_a_time_and_flags_do_not_disturb_each_other(client, longer, tmp_path):
    old = serving(issue(tmp_path, "old", issuer=longer, begins=-9 * DAY, ends=-2 * DAY))
    for order in (("verify_time", "verify_flags"), ("verify_flags", "verify_time")):
        context = client.copy()
        values = {"verify_time": NOW - 3 * DAY, "verify_flags": tlskit.VERIFY_X509_PARTIAL_CHAIN}
        for name in order:
            setattr(context, name, values[name])
        assert context.verify_flags == tlskit.VERIFY_X509_PARTIAL_CHAIN
        assert memory_pair(context, old)[0].verify_result


def test_a_server_verifies_at_that_time_too(client, server, longer, root, tmp_path):
    client.trust_store = client.trust_store | tlskit.TrustStore(root.der)
    old = issue(tmp_path, "old", issuer=longer, begins=-9 * DAY, ends=-2 * DAY)
    client.load_cert_chain(old.chain, old.key)
    server.trust_store = tlskit.TrustStore(longer.der)
    server.verify_mode = tlskit.CERT_REQUIRED
    expect_refusal(client, server)
    server.verify_time = NOW - 3 * DAY
    assert memory_pair(client, server)[1].verify_result


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        (datetime.datetime(2020, 1, 1), ValueError, "must have a time zone"),
        ("2020-01-01", TypeError, "must be seconds, a datetime or None, got str"),
        (-1, ValueError, "must be between 1970 and 9999"),
        (1e18, ValueError, "must be between 1970 and 9999"),
    ],
)
def test_what_is_no_time(client, value, error, match):
    with pytest.raises(error, match=match):
        client.verify_time = value
    assert client.verify_time is None


# -- wildcards -------------------------------------------------------------------------------------


def test_partial_wildcards(client, root, tmp_path):
    far = serving(issue(tmp_path, "leaf", issuer=root, names=("w*.apps.example",)))
    assert not client.hostname_checks_partial_wildcards
    expect_refusal(client, far, hostname="www.apps.example")
    client.hostname_checks_partial_wildcards = True
    near, _ = memory_pair(client, far, hostname="www.apps.example")
    assert near.verify_result
    expect_refusal(client, far, hostname="mail.apps.example")


def test_wildcards(client, root, tmp_path):
    far = serving(issue(tmp_path, "leaf", issuer=root, names=("*.apps.example",)))
    assert client.hostname_checks_wildcards
    memory_pair(client, far, hostname="www.apps.example")
    client.hostname_checks_wildcards = False
    expect_refusal(client, far, hostname="www.apps.example")
    assert client.copy().hostname_checks_wildcards is False


# -- depth -----------------------------------------------------------------------------------------


def test_depth(client, server):
    """One intermediate stands between."""
    client.verify_depth = 1
    assert memory_pair(client, server)[0].verify_result
    client.verify_depth = 0
    expect_refusal(client, server, "chain")


# -- revocation lists ------------------------------------------------------------------------------


def revocations(issuer, *revoked, ends=DAY, begins=-DAY):
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW + begins)
        .next_update(NOW + ends)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.private_key.public_key()),
            False,
        )
    )
    for one in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(one.certificate.serial_number)
            .revocation_date(NOW - DAY)
            .build()
        )
    return builder.sign(issuer.private_key, hashes.SHA256())


@pytest.fixture
def direct(root, tmp_path, version):
    """A certificate right below the root."""
    return issue(tmp_path, "direct", issuer=root)


@pytest.mark.parametrize("form", ["object", "DER", "PEM", "text", "path"])
def test_a_list_revokes(client, root, direct, form, tmp_path):
    far = serving(direct)
    memory_pair(client, far)
    crl = revocations(root, direct)
    path = tmp_path / "list.crl"
    path.write_bytes(crl.public_bytes(Encoding.PEM))
    client.add_crl(
        {
            "object": crl, "DER": crl.public_bytes(Encoding.DER), "PEM": path.read_bytes(),
            "text": path.read_text(), "path": path,
        }[form]
    )  # fmt: skip
    assert client.cert_store_stats()["crl"] == 1
    assert tlskit.VerifyFlags.VERIFY_CRL_CHECK_LEAF in client.verify_flags
    expect_refusal(client, far, "revoked")


def test_a_list_of_nothing(client, root, direct, server):
    client.add_crl(revocations(root))
    assert memory_pair(client, serving(direct))[0].verify_result
    expect_refusal(client, server, "unable to get certificate CRL")  # of the intermediate: none


def test_flags_that_were_set_stay(client, root, direct):
    client.verify_flags |= tlskit.VERIFY_CRL_CHECK_CHAIN
    before = client.verify_flags
    client.add_crl(revocations(root, direct))
    assert client.verify_flags == before


def test_a_later_list_takes_the_place_of_the_one_before(client, root, direct):
    client.add_crl(revocations(root))
    memory_pair(client, serving(direct))
    client.add_crl(revocations(root, direct, begins=-DAY / 2))
    expect_refusal(client, serving(direct), "revoked")


def test_a_list_ends_resumption(client, root, direct):
    far = serving(direct)
    session = memory_pair(client, far)[0].session
    assert memory_pair(client, far, session=session)[0].session_reused
    client.add_crl(revocations(root, direct))
    expect_refusal(client, far, "revoked", session=session)


@pytest.mark.parametrize("what", ["certificate", "both"])
def test_a_certificate_is_not_trusted_by_mistake(client, root, tmp_path, what):
    stranger = authority(tmp_path, "Stranger")
    given = stranger.pem
    if what == "both":
        given += revocations(root).public_bytes(Encoding.PEM)
    before = client.cert_store_stats(), client.verify_flags
    with pytest.raises(ValueError, match="must hold revocation lists alone"):
        client.add_crl(given)
    assert (client.cert_store_stats(), client.verify_flags) == before


def test_what_is_no_list(client, tmp_path):
    with pytest.raises(tlskit.SSLError):
        client.add_crl(b"0\x03\x02\x01\x01")
    with pytest.raises(FileNotFoundError):
        client.add_crl(tmp_path / "nothing.crl")
    with pytest.raises(TypeError):
        client.add_crl(7)
    assert client.cert_store_stats()["crl"] == 0


# -- all of them -----------------------------------------------------------------------------------

CHANGES = {
    "verify_names": ["localhost"],
    "verify_purpose": "sslserver",
    "verify_time": time.time(),
    "verify_depth": 7,
    "hostname_checks_wildcards": False,
    "hostname_checks_partial_wildcards": True,
    "verify_accepts": ["CERT_HAS_EXPIRED"],
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_ends_resumption(client, server, name):
    """A session is not offered under another policy than the one that it was made under."""
    session = memory_pair(client, server)[0].session
    assert memory_pair(client, server, session=session)[0].session_reused
    setattr(client, name, CHANGES[name])
    near, _ = memory_pair(client, server, session=session)
    assert not near.session_reused
    assert near.resumption.reason.name == "OTHER_POLICY"
    session = near.session
    assert memory_pair(client, server, session=session)[0].session_reused


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_ends_resumption_on_a_server(client, server, root, leaf, name):
    server.trust_store = tlskit.TrustStore(root.der)
    server.verify_mode = tlskit.CERT_REQUIRED
    client.load_cert_chain(leaf.chain, leaf.key)
    session = memory_pair(client, server)[0].session
    assert memory_pair(client, server, session=session)[0].session_reused
    value = "sslclient" if name == "verify_purpose" else CHANGES[name]
    setattr(server, name, value)
    assert not memory_pair(client, server, session=session)[0].session_reused


def test_a_session_from_elsewhere_is_verified_by_them(client, server):
    """One without a binding: its certificate passes the connection's own rules, or none."""
    der = memory_pair(client, server)[0].session.to_der()
    for name, value in (("verify_names", ["nowhere.example"]), ("verify_purpose", "codesign")):
        if name == "verify_purpose" and tlskit.OPENSSL_VERSION_INFO < (3, 2):
            continue
        context = client.copy()
        setattr(context, name, value)
        expect_refusal(context, server, session=tlskit.SSLSession.from_der(der))


def test_they_are_configured_copied_and_described(client):
    client.configure(
        verify_names=["b.example", "a.example"], verify_purpose="any",
        verify_time=datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc),
    )  # fmt: skip
    copy = client.copy()
    assert copy.verify_names == ("b.example", "a.example")
    assert (copy.verify_purpose, copy.verify_time) == ("any", 1893456000)
    assert copy.describe() == client.describe()
    for line in (
        "verify_names: b.example a.example\n", "verify_purpose: any\n", "verify_time: 1893456000\n",
    ):  # fmt: skip
        assert line in client.describe()
    client.freeze()
    for name in ("verify_names", "verify_purpose", "verify_time"):
        with pytest.raises(RuntimeError, match="frozen"):
            setattr(client, name, getattr(client, name))
