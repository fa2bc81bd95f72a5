"""Certificates and keys from anywhere: files, PEM and DER in memory, objects, PKCS#12, URIs;
several types on one context; and what is refused, with everything as it was.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.serialization import pkcs12

import tlskit

from ..support import peers
from ..support.certificates import DAY, Made, authority, issue
from ..support.pairs import memory_pair, only

TLS12 = tlskit.TLSVersion.TLSv1_2
PASSWORD = b"correct horse"


@pytest.fixture
def server() -> Any:
    return tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)


def shown(root: Made, server: Any, **settings: Any) -> list[bytes]:
    """The chain that a client is shown, after it has verified it."""
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(root.chain)
    for name, value in settings.items():
        getattr(client, name)(value)
    if settings:
        only(TLS12, client)
    chain: list[bytes] = [
        bytes(der) for der in memory_pair(client, server)[0].get_unverified_chain()
    ]
    return chain


def pkcs8(made: Made, encoding: Any = ser.Encoding.DER, password: bytes | None = None) -> bytes:
    how = ser.NoEncryption() if password is None else ser.BestAvailableEncryption(password)
    raw: bytes = made.private_key.private_bytes(encoding, ser.PrivateFormat.PKCS8, how)
    return raw


def traditional(made: Made, encoding: Any) -> bytes:
    kind = ser.PrivateFormat.TraditionalOpenSSL
    raw: bytes = made.private_key.private_bytes(encoding, kind, ser.NoEncryption())
    return raw


#: How a leaf with its chain and its key may be given to `add_certificate`.
FORMS: dict[str, Any] = {
    "paths": lambda m: (m.chain, m.key),
    "path strings": lambda m: (str(m.chain), str(m.key)),
    "path bytes": lambda m: (bytes(m.chain), bytes(m.key)),
    "one path": lambda m: (m.identity.both,),
    "PEM bytes": lambda m: (m.chain.read_bytes(), m.key.read_bytes()),
    "PEM text": lambda m: (m.chain.read_text(), m.key.read_text()),
    "PEM bytearray": lambda m: (bytearray(m.chain.read_bytes()), bytearray(m.key.read_bytes())),
    "PEM memoryview": lambda m: (memoryview(m.chain.read_bytes()), memoryview(m.key.read_bytes())),
    "one PEM": lambda m: (m.identity.both.read_bytes(),),
    "DER": lambda m: (m.der + der(m.above[0]), pkcs8(m)),
    "DER and a chain": lambda m: (m.der, pkcs8(m), [der(m.above[0])]),
    "traditional DER": lambda m: (m.der, traditional(m, ser.Encoding.DER), der(m.above[0])),
    "traditional PEM": lambda m: (m.pem, traditional(m, ser.Encoding.PEM), pem(m.above[0])),
    "objects": lambda m: (m.certificate, m.private_key, [m.above[0]]),
    "objects and paths": lambda m: (m.certificate, m.key, (pem(m.above[0]).decode(),)),
    "file URIs": lambda m: (m.chain.as_uri(), m.key.as_uri()),
    "one file URI": lambda m: (m.identity.both.as_uri(),),
}


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(ser.Encoding.DER)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(ser.Encoding.PEM)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_add_certificate(root, leaf, server, form):
    server.add_certificate(*form(leaf))
    assert shown(root, server) == [leaf.der, der(leaf.above[0])]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_load_cert_chain(root, leaf, server, form):
    certificate, *rest = form(leaf)
    if len(rest) == 2:
        pytest.skip("load_cert_chain has no separate chain")
    server.load_cert_chain(certificate, *rest)
    assert shown(root, server) == [leaf.der, der(leaf.above[0])]


def test_der_files(root, leaf, server, tmp_path):
    certificate, key = tmp_path / "leaf.der", tmp_path / "key.der"
    certificate.write_bytes(leaf.der + der(leaf.above[0]))
    key.write_bytes(pkcs8(leaf))
    server.load_cert_chain(certificate, key)
    assert shown(root, server) == [leaf.der, der(leaf.above[0])]


def test_as_client_certificate(root, leaf, server, tmp_path):
    server.add_certificate(leaf.chain, leaf.key)
    server.load_verify_locations(root.chain)
    server.verify_mode = tlskit.CERT_REQUIRED
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(root.chain)
    client.add_certificate(leaf.certificate, leaf.private_key, leaf.above[0])
    _, far = memory_pair(client, server)
    assert far.getpeercert(True) == leaf.der


# -- several ---------------------------------------------------------------------------------------


def test_several_types_each_with_its_chain(root, middle, server, tmp_path):
    other = authority(tmp_path, "Other CA", issuer=root, key="rsa")
    ec = issue(tmp_path, "ec", issuer=middle)
    rsa = issue(tmp_path, "rsa", issuer=other, key="rsa")
    ed = issue(tmp_path, "ed", issuer=root, key="ed25519")
    for one in (ec, rsa, ed):
        server.add_certificate(one.certificate, one.private_key, one.above[:-1])
    cases = {"ECDHE-RSA-AES128-GCM-SHA256": [rsa.der, other.der]}
    cases["ECDHE-ECDSA-AES128-GCM-SHA256"] = [ec.der, middle.der]
    for ciphers, chain in cases.items():
        assert shown(root, server, set_ciphers=ciphers) == chain
    assert shown(root, server, set_server_sigalgs="ed25519") == [ed.der]


def test_another_of_the_same_type_takes_its_place(root, leaf, server, tmp_path):
    server.add_certificate(leaf.chain, leaf.key)
    other = issue(tmp_path, "other", issuer=root)
    server.add_certificate(other.chain, other.key)
    assert shown(root, server) == [other.der]


def test_open_connections_keep_theirs(root, leaf, server, tmp_path):
    server.add_certificate(leaf.chain, leaf.key)
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(root.chain)
    near, far = memory_pair(client, server)
    other = issue(tmp_path, "other", issuer=root)
    server.add_certificate(other.chain, other.key)
    near.write(b"x")
    assert far.read(1) == b"x"
    assert near.getpeercert(True) == leaf.der
    assert memory_pair(client, server)[0].getpeercert(True) == other.der


# -- PKCS#12 ---------------------------------------------------------------------------------------


def p12(made: Made, password: bytes | None, above: list[Any] | None = None) -> bytes:
    how = ser.NoEncryption() if password is None else ser.BestAvailableEncryption(password)
    above = list(made.above[:-1]) if above is None else above
    return pkcs12.serialize_key_and_certificates(
        b"name", made.private_key, made.certificate, above, how
    )


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["plain", "encrypted"])
@pytest.mark.parametrize("form", ["bytes", "path"])
def test_pkcs12(root, leaf, server, tmp_path, password, form):
    content: Any = p12(leaf, password)
    if form == "path":
        (tmp_path / "leaf.p12").write_bytes(content)
        content = tmp_path / "leaf.p12"
    server.load_pkcs12(content, password)
    assert shown(root, server) == [leaf.der, der(leaf.above[0])]


@pytest.mark.parametrize("uri", [False, True], ids=["bytes", "file:"])
def test_certificates_in_pkcs12_have_no_order(root, middle, server, tmp_path, uri):
    low = authority(tmp_path, "low", issuer=middle)
    deep = issue(tmp_path, "deep", issuer=low)
    stray = authority(tmp_path, "stray")
    content = p12(deep, PASSWORD, [stray.certificate, middle.certificate, low.certificate])
    if uri:
        (tmp_path / "deep.p12").write_bytes(content)
        server.add_certificate((tmp_path / "deep.p12").as_uri(), password=PASSWORD)
    else:
        server.load_pkcs12(content, PASSWORD)
    assert shown(root, server) == [deep.der, low.der, middle.der]


def test_pkcs12_asks_for_its_password(root, leaf, server):
    server.load_pkcs12(p12(leaf, PASSWORD), lambda: PASSWORD.decode())
    assert shown(root, server)[0] == leaf.der


def test_pkcs12_without_its_password(leaf, server):
    with pytest.raises(tlskit.SSLError, match="encrypted, and no password was given"):
        server.load_pkcs12(p12(leaf, PASSWORD))


def test_pkcs12_with_a_wrong_password(leaf, server):
    with pytest.raises(tlskit.SSLError) as caught:
        server.load_pkcs12(p12(leaf, PASSWORD), "wrong")
    assert caught.value.hint == "The password is wrong, or the file was changed."


@pytest.mark.parametrize("content", [b"0\x82\x01\x00nonsense", b"\x30\x84"])
def test_no_pkcs12(server, content):
    with pytest.raises(tlskit.SSLError):
        server.load_pkcs12(content)


# -- passwords -------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", [ser.Encoding.PEM, ser.Encoding.DER], ids=["PEM", "DER"])
@pytest.mark.parametrize("password", [PASSWORD, PASSWORD.decode(), lambda: PASSWORD])
def test_encrypted_keys(root, leaf, server, encoding, password):
    server.add_certificate(leaf.chain, pkcs8(leaf, encoding, PASSWORD), password=password)
    assert shown(root, server)[0] == leaf.der


@pytest.mark.parametrize("encoding", [ser.Encoding.PEM, ser.Encoding.DER], ids=["PEM", "DER"])
def test_an_encrypted_key_without_its_password(leaf, server, encoding):
    with pytest.raises(tlskit.SSLError, match="encrypted, and no password was given"):
        server.add_certificate(leaf.chain, pkcs8(leaf, encoding, PASSWORD))


@pytest.mark.parametrize("encoding", [ser.Encoding.PEM, ser.Encoding.DER], ids=["PEM", "DER"])
def test_a_wrong_password(leaf, server, encoding):
    with pytest.raises(tlskit.SSLError) as caught:
        server.add_certificate(leaf.chain, pkcs8(leaf, encoding, PASSWORD), password="wrong")
    assert caught.value.hint == "The password is wrong."
    assert str(caught.value).endswith(". The password is wrong.")


def test_a_wrong_password_for_a_uri(leaf, server, tmp_path):
    (tmp_path / "key.pem").write_bytes(pkcs8(leaf, ser.Encoding.PEM, PASSWORD))
    (tmp_path / "all.p12").write_bytes(p12(leaf, PASSWORD))
    for uri, hint in (
        ((tmp_path / "key.pem").as_uri(), "The password is wrong."),
        ((tmp_path / "all.p12").as_uri(), "The password is wrong, or the file was changed."),
    ):
        with pytest.raises(tlskit.SSLError) as caught:
            server.add_certificate(leaf.chain, uri, password="wrong")
        assert caught.value.hint == hint


def test_old_encryption(leaf, server, tmp_path):
    """OpenSSL has RC2 in its legacy provider only, which is not loaded."""
    subprocess.run(
        [peers.command(), "pkcs12", "-export", "-legacy", "-inkey", leaf.key, "-in", leaf.chain,
         "-out", tmp_path / "old.p12", "-passout", "pass:secret"],
        check=True, capture_output=True,
    )  # fmt: skip
    with pytest.raises(tlskit.SSLError) as caught:
        server.load_pkcs12(tmp_path / "old.p12", "secret")
    assert caught.value.hint.startswith("It is encrypted with an old algorithm (RC2, RC4 or DES)")


# -- what is refused, and leaves everything as it was ----------------------------------------------


@pytest.fixture
def serving(leaf: Made, server: Any) -> Any:
    server.add_certificate(leaf.chain, leaf.key)
    return server


@pytest.fixture
def stranger(tmp_path: Path, root: Made) -> Made:
    return issue(tmp_path, "stranger", issuer=root)


def test_the_key_of_another(root, leaf, serving, stranger):
    with pytest.raises(tlskit.SSLError) as caught:
        serving.add_certificate(stranger.chain, leaf.key)
    assert caught.value.reason == "KEY_VALUES_MISMATCH"
    assert str(caught.value).startswith("[X509: KEY_VALUES_MISMATCH] key values mismatch. The priv")
    assert caught.value.hint.startswith("The private key belongs to another certificate.")
    assert shown(root, serving)[0] == leaf.der


def test_a_key_of_another_type(root, leaf, serving, tmp_path):
    rsa = issue(tmp_path, "rsa", issuer=root, key="rsa")
    with pytest.raises(tlskit.SSLError) as caught:
        serving.load_cert_chain(rsa.chain, leaf.key)
    assert "of another type" in caught.value.hint
    assert shown(root, serving)[0] == leaf.der


def test_expired(root, leaf, serving, tmp_path):
    old = issue(tmp_path, "old", issuer=root, begins=-9 * DAY, ends=-DAY)
    with pytest.raises(ValueError, match=r"^the certificate 'CN=old' expired on .* GMT$"):
        serving.add_certificate(old.chain, old.key)
    assert shown(root, serving)[0] == leaf.der
    serving.load_cert_chain(old.chain, old.key)  # as the stdlib does


def test_a_misordered_chain(root, leaf, serving, middle):
    with pytest.raises(
        ValueError, match=r"^the chain is not in order: 'CN=leaf' was issued by 'CN=.*"
    ):
        serving.add_certificate(leaf.certificate, leaf.private_key, [root.certificate, middle.pem])
    assert shown(root, serving)[0] == leaf.der


@pytest.mark.parametrize(
    "given", [b"", "", b"-----BEGIN CERTIFICATE-----\n", "/no/such/file", b"0\x82\x01\x00no DER"]
)
def test_nothing_to_read(root, leaf, serving, given):
    with pytest.raises((OSError, ValueError)):
        serving.add_certificate(given, leaf.key)
    with pytest.raises((OSError, ValueError)):
        serving.add_certificate(leaf.chain, given)
    assert shown(root, serving)[0] == leaf.der


@pytest.mark.parametrize("given", [None, 7, object(), [b"x"]])
def test_other_types(leaf, server, given):
    with pytest.raises(TypeError):
        server.add_certificate(given, leaf.key)


def test_uris_that_lead_nowhere(leaf, server):
    with pytest.raises(tlskit.SSLError):
        server.add_certificate("pkcs11:token=none;object=none", leaf.key)
    with pytest.raises((tlskit.SSLError, OSError)):
        server.add_certificate("file:/no/such/file")


def test_weak_for_the_security_level(root, server, tmp_path):
    weak = issue(tmp_path, "weak", issuer=root, key="rsa1024")
    server.security_level = 2
    with pytest.raises(tlskit.SSLError) as caught:
        server.add_certificate(weak.chain, weak.key)
    assert caught.value.reason == "EE_KEY_TOO_SMALL"
    assert "RSA 2048 or P-256" in caught.value.hint


def test_a_key_is_nowhere_in_the_message(leaf, server):
    secret = leaf.key.read_text().splitlines()[1]
    for key in (leaf.key.read_text()[:90], leaf.key.read_bytes()[:90]):
        with pytest.raises(tlskit.SSLError) as caught:
            server.add_certificate(leaf.chain, key)
        assert secret[:20] not in str(caught.value)


def test_copies_of_a_key_are_wiped(leaf, server, monkeypatch):
    from tlskit._core import credential

    seen: list[Any] = []
    wipe = credential.Source.wipe
    monkeypatch.setattr(credential.Source, "wipe", lambda s: (wipe(s), seen.append(s.data)))
    server.add_certificate(leaf.certificate, leaf.private_key)
    server.add_certificate(leaf.chain, leaf.key)
    copies = [data for data in seen if isinstance(data, bytearray)]
    assert len(copies) >= 3
    assert not any(map(any, copies))


def test_bytes_of_the_callers_own_are_left_alone(leaf, server):
    key = bytearray(leaf.key.read_bytes())
    server.add_certificate(leaf.chain, key)
    assert key == leaf.key.read_bytes()


@pytest.mark.parametrize("uri", ["pkcs11:token=none;object=none", "pkcs11:object=x"])
def test_a_uri_that_no_provider_opens(uri):
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    with pytest.raises(tlskit.SSLError, match="no provider that opens URIs of this kind") as caught:
        server.add_certificate(uri)
    assert "openssl.cnf" in caught.value.hint
