"""Server names as programs write them: with a dot at the end, with a zone, or not at all."""

from __future__ import annotations

import datetime
import ipaddress
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import tlskit
from tlskit import MemoryStore

from ..stdlib.compare import MODULES, outcome
from ..support.pairs import client_context, memory_pair, only, server_context


def showing(tmp_path, *names):
    """A server with a certificate for these names, and a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
    made = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    path = tmp_path / "server.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made)
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=made.decode())
    return client, server


def connected(client, server, hostname):
    """The client's end, and the name that the server was asked for."""
    asked = []
    server.sni_callback = lambda end, name, context: asked.append(name)
    near, _ = memory_pair(client, server, hostname=hostname)
    return near, asked[0]


@pytest.mark.parametrize("hostname", ["localhost.", "LOCALHOST.", b"localhost."])
def test_a_dot_at_the_end(tmp_path, version, hostname):
    client, server = showing(tmp_path, x509.DNSName("localhost"))
    only(version, client, server)
    near, asked = connected(client, server, hostname)
    assert asked.lower() == "localhost"
    assert near.server_hostname.lower() == "localhost."


def refused_by_name(error):
    """OpenSSL 4.0 refuses at once what cannot be the name of a host."""
    if isinstance(error, tlskit.SSLCertVerificationError):
        assert error.verify_code in (62, 64)  # hostname, or address
    elif not isinstance(error, UnicodeError):
        assert "as a host name to verify" in str(error)


@pytest.mark.parametrize("hostname", ["localhost.example.", "localhost..", "ocalhost.", "l."])
def test_a_dot_makes_no_other_name_right(tmp_path, hostname):
    client, server = showing(tmp_path, x509.DNSName("localhost"))
    with pytest.raises((tlskit.SSLError, UnicodeError)) as caught:
        connected(client, server, hostname)
    refused_by_name(caught.value)


@pytest.mark.parametrize("hostname", [".", "..", ".localhost", ".localhost."])
def test_a_dot_at_the_beginning(pki, hostname):
    context = client_context(pki)
    with pytest.raises(ValueError, match=r"leading dot|label"):
        context.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=hostname)


def test_sessions_do_not_mind_the_dot(pki, version):
    client, server = client_context(pki), server_context(pki)
    only(version, client, server)
    client.sessions.store = MemoryStore()
    memory_pair(client, server, hostname="localhost.")
    assert memory_pair(client, server, hostname="localhost")[0].session_reused


def test_a_zone(tmp_path, version):
    address = x509.IPAddress(ipaddress.ip_address("fe80::1"))
    client, server = showing(tmp_path, address, x509.DNSName("fe80::1%lo"))
    only(version, client, server)
    near, asked = connected(client, server, "fe80::1%eth0")
    assert asked is None
    assert near.server_hostname == "fe80::1%eth0"


@pytest.mark.parametrize("hostname", ["fe80::2%eth0", "fe80::1:1%eth0", "fe80::2%fe80::1"])
def test_another_address_with_a_zone(tmp_path, hostname):
    client, server = showing(tmp_path, x509.IPAddress(ipaddress.ip_address("fe80::1")))
    with pytest.raises(tlskit.SSLCertVerificationError, match="IP address mismatch"):
        connected(client, server, hostname)


def test_a_zone_belongs_to_the_session(tmp_path, version):
    """The same link-local address on another link is another machine."""
    client, server = showing(tmp_path, x509.IPAddress(ipaddress.ip_address("fe80::1")))
    only(version, client, server)
    client.sessions.store = MemoryStore()
    memory_pair(client, server, hostname="fe80::1%eth0")
    assert not memory_pair(client, server, hostname="fe80::1%eth1")[0].session_reused
    assert memory_pair(client, server, hostname="fe80::1%eth0")[0].session_reused


@pytest.mark.parametrize("hostname", ["127.0.0.1%eth0", "1.2.3.4."])
def test_what_only_looks_like_an_address(tmp_path, hostname):
    """IPv4 has no zones, and an address no root: these are names, and in no certificate."""
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    client, server = showing(tmp_path, address, x509.IPAddress(ipaddress.ip_address("1.2.3.4")))
    with pytest.raises(tlskit.SSLError) as caught:
        connected(client, server, hostname)
    refused_by_name(caught.value)


# -- none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hostname", [None, ""])
def test_no_name_in_memory(hostname):
    """As the running Python has it."""

    def work(module):
        context = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
        context.wrap_bio(module.MemoryBIO(), module.MemoryBIO(), server_hostname=hostname)

    theirs, ours = (outcome(lambda module=module: work(module)) for module in MODULES)
    assert ours.raised is theirs.raised
    if ours.raised is None:
        warned = [kind for kind, _ in theirs.warned]
        assert [kind for kind, _ in ours.warned] == (warned or [RuntimeWarning])


@pytest.mark.parametrize("more", [{"server_hostname": "localhost"}, {"session": True}])
def test_what_is_a_clients_for_a_server_in_memory(pki, more):
    """As the running Python has it."""

    def work(module):
        context = module.SSLContext(module.PROTOCOL_TLS_SERVER)
        given = dict(more)
        if "session" in given:
            given["session"] = object()
        context.wrap_bio(module.MemoryBIO(), module.MemoryBIO(), server_side=True, **given)

    theirs, ours = (outcome(lambda module=module: work(module)) for module in MODULES)
    assert ours.raised is theirs.raised


def test_the_chain_is_verified_without_a_name(pki):
    client = client_context(pki)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            memory_pair(client, server_context(pki), hostname=None)
        except ValueError:
            pytest.skip("this Python's ssl refuses it")
        with pytest.raises(tlskit.SSLCertVerificationError):
            memory_pair(client, server_context(pki, identity=pki.stranger), hostname=None)


# -- versions --------------------------------------------------------------------------------------


def test_both_bounds_move_in_either_order(pki):
    """As programs do that try one version after another."""
    for order in (("minimum_version", "maximum_version"), ("maximum_version", "minimum_version")):
        client, server = client_context(pki), server_context(pki)
        for version in [tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3] * 2:
            for name in order:
                setattr(client, name, version)
            assert memory_pair(client, server)[0].version() == version.name.replace("_", ".")


def test_bounds_that_contradict_each_other(pki):
    def work(module):
        context = client_context(pki, module=module)
        context.maximum_version = module.TLSVersion.TLSv1_2
        context.minimum_version = module.TLSVersion.TLSv1_3
        bounds = context.minimum_version, context.maximum_version
        end = context.wrap_bio(module.MemoryBIO(), module.MemoryBIO(), server_hostname="localhost")
        with pytest.raises(module.SSLError, match=r"NO_PROTOCOLS_AVAILABLE|no protocols"):
            end.do_handshake()
        return bounds

    theirs, ours = (outcome(lambda module=module: work(module)) for module in MODULES)
    assert (ours.raised, ours.value) == (theirs.raised, theirs.value)


@pytest.mark.parametrize(
    "name",
    [
        "localhost", "Example.ORG", "example.org.", "a" * 63, f"{'a' * 63}.{'b' * 63}", "a-b_c.d",
        "bücher.example", "straße.de", "例え.テスト", "xn--bcher-kva.example", "*.example.org",
    ],
)  # fmt: skip
def test_a_name_is_encoded_as_the_codec_does(name):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    made = context.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=name)
    assert made.server_hostname == name.encode("idna").decode("ascii")


@pytest.mark.parametrize(
    "name",
    ["a" * 64, f"{'a' * 64}.org", f"org.{'a' * 64}", "a..b", "example.org..", "\N{SNOWMAN}" * 64],
)
def test_a_name_that_the_codec_refuses_is_refused(name):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ValueError, match=r"."):
        name.encode("idna")
    with pytest.raises(ValueError, match=r"."):
        context.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=name)
