"""Peers that send as much as libssl lets through, and the oddest of it: whatever they send, only an
OSError may come of it, and what does not fit is left out.
"""

from __future__ import annotations

import contextlib
import datetime
import random
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import tlskit
from tlskit import MemoryStore, SQLiteStore, SSLSession

from ..support.pairs import memory_pair, only

NOW = datetime.datetime(2026, 1, 1)
KEY = ed25519.Ed25519PrivateKey.generate()
KEY_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def certificate(number, *, names=(), authority=False):
    """As small as it can be, and different from the others."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(number))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(KEY.public_key()).serial_number(number + 1)
    builder = builder.not_valid_before(NOW).not_valid_after(datetime.datetime(2049, 1, 1))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    return builder.sign(KEY, None)


LEAF = certificate(0, names=[x509.DNSName("localhost")])
MANY = [certificate(n) for n in range(1, 331)]


def pem_of(*certificates):
    return "".join(c.public_bytes(Encoding.PEM).decode() for c in certificates)


def side(tmp_path, version, *, server, chain=None, leaf=LEAF):
    """A context that shows this chain, and trusts the leaf as its own authority."""
    role = tlskit.PROTOCOL_TLS_SERVER if server else tlskit.PROTOCOL_TLS_CLIENT
    context = tlskit.SSLContext(role)
    context.verify_flags |= tlskit.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=pem_of(LEAF))
    if chain is not None:
        path = tmp_path / f"{'server' if server else 'client'}.pem"
        path.write_text(KEY_PEM + pem_of(leaf, *chain))
        context.load_cert_chain(path)
    only(version, context)
    return context


STORES = {
    "none": lambda folder: None,
    "memory": lambda folder: MemoryStore(),
    "sqlite": lambda folder: SQLiteStore(folder / "db", secret=bytes(range(32))),
}


def all_of(end):
    """Everything that can be asked of a connection."""
    info = end.info
    answers = [
        end.getpeercert(), end.getpeercert(True), end.get_verified_chain(), repr(info),
        end.get_unverified_chain(), end.version(), end.cipher(), end.shared_ciphers(),
        end.selected_alpn_protocol(), end.resumption, end.session_reused, end.group(), repr(end),
    ]  # fmt: skip
    session = end.session
    if session is not None:
        data = session.to_bytes()
        again = SSLSession.from_bytes(data)
        answers += [again == session, session.to_text(), repr(session), session.to_pem()]
        answers += [again.info, SSLSession.from_pem(session.to_pem()), hash(session)]
        assert len(data) < 1 << 20
    return answers


@pytest.mark.parametrize("count", [200, 254, 255, 256, 330])
@pytest.mark.parametrize("store", STORES)
def test_a_server_with_a_long_chain(tmp_path, version, store, count):
    server = side(tmp_path, version, server=True, chain=MANY[:count])
    client = side(tmp_path, version, server=False)
    client.sessions.store = STORES[store](tmp_path)
    for number in range(3):
        near, far = memory_pair(client, server)
        assert near.session_reused is (number > 0 and store != "none")
        all_of(near)
        all_of(far)
        assert near.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)
        assert len(near.get_verified_chain()) == 1
        if not near.session_reused:
            assert len(near.get_unverified_chain()) == count + 1


@pytest.mark.parametrize("verify", [tlskit.CERT_OPTIONAL, tlskit.CERT_REQUIRED])
@pytest.mark.parametrize("store", STORES)
def test_a_client_with_a_long_chain(tmp_path, version, store, verify):
    """From any client, out of `accept`: the server has a store."""
    server = side(tmp_path, version, server=True, chain=[])
    server.verify_mode = verify
    server.sessions.client_certificates = True
    server.sessions.store = STORES[store](tmp_path)
    client = side(tmp_path, version, server=False, chain=MANY)
    session = None
    for number in range(3):
        near, far = memory_pair(client, server, session=session)
        assert near.session_reused is (number > 0)
        all_of(near)
        all_of(far)
        session = near.session


@pytest.mark.parametrize("version", [tlskit.TLSVersion.TLSv1_3], ids=["TLSv1_3"])
def test_more_than_libssl_takes(tmp_path, version):
    """100 KB of certificates: the handshake fails, with an SSLError on both sides."""
    server = side(
        tmp_path, version, server=True, chain=[*MANY, *(certificate(9000 + n) for n in range(300))]
    )
    client = side(tmp_path, version, server=False)
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


def test_many_names_in_a_certificate(tmp_path, version):
    names = [x509.DNSName(f"n{n}.example") for n in range(4000)] + [x509.DNSName("localhost")]
    leaf = certificate(1, names=names)
    server = side(tmp_path, version, server=True, chain=[], leaf=leaf)
    client = side(tmp_path, version, server=False)
    client.load_verify_locations(cadata=pem_of(leaf))
    client.sessions.store = STORES["sqlite"](tmp_path)
    for number in range(2):
        near, _ = memory_pair(client, server)
        assert near.session_reused is (number > 0)
        assert len(near.getpeercert()["subjectAltName"]) == 4001
        all_of(near)


def test_the_longest_names_and_protocols(tmp_path, version):
    server, client = (
        side(tmp_path, version, server=True, chain=[]),
        side(tmp_path, version, server=False),
    )
    protocols = ["x" * 255, *(f"{n:0255}" for n in range(60))]
    server.set_alpn_protocols(protocols[-1:])
    client.set_alpn_protocols(protocols)
    client.check_hostname = False
    host = ".".join(["a" * 63] * 3 + ["b" * 61])
    seen = []
    server.sni_callback = lambda end, name, context: seen.append(name)
    near, far = memory_pair(client, server, hostname=host)
    assert seen == [host]
    assert near.selected_alpn_protocol() == protocols[-1]
    all_of(near)
    all_of(far)


def mutated(der, random_):
    """A certificate with some of its bytes changed, that libssl still reads; or None."""
    raw = bytearray(der)
    for _ in range(random_.choice([1, 1, 2, 5])):
        at = random_.randrange(8, len(raw))
        raw[at] = random_.choice([0, 0xFF, 0x80, raw[at] ^ 1 << random_.randrange(8)])
    pem = tlskit.DER_cert_to_PEM_cert(bytes(raw))
    probe = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    try:
        probe.load_verify_locations(cadata=pem)
    except tlskit.SSLError:
        return None
    return pem


@pytest.mark.parametrize("seed", range(40))
def test_odd_certificates(tmp_path, version, seed):
    """What a peer shows has been read by libssl, and by nobody else so far."""
    random_ = random.Random(seed)
    names = [
        x509.DNSName("localhost"), x509.RFC822Name("a@b.example"), x509.DNSName("*.example"),
        x509.UniformResourceIdentifier("https://example/"), x509.RegisteredID(NameOID.TITLE),
        x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x" * 60)])),
    ]  # fmt: skip
    whole = certificate(7, names=names, authority=True).public_bytes(Encoding.DER)
    pems = [pem for pem in (mutated(whole, random_) for _ in range(60)) if pem][:20]
    if not pems:
        pytest.skip("libssl reads none of them")
    server, client = (
        side(tmp_path, version, server=True, chain=[]),
        side(tmp_path, version, server=False),
    )
    path = tmp_path / "odd.pem"
    path.write_text(KEY_PEM + pem_of(LEAF) + "".join(pems))
    with contextlib.suppress(tlskit.SSLError):
        server.load_cert_chain(path)
    client.check_hostname, client.verify_mode = False, tlskit.CERT_NONE
    client.sessions.store = STORES["sqlite"](tmp_path)
    for _ in range(2):
        with contextlib.suppress(OSError):
            near, far = memory_pair(client, server)
            all_of(near)
            all_of(far)
    for pem in pems:  # and as the peer's own, which is looked at in every field
        with contextlib.suppress(OSError):
            tlskit._core.certificate.Certificate.from_der(tlskit.PEM_cert_to_DER_cert(pem)).fields()


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("end", ["client", "server"])
def test_damaged_handshakes(tmp_path, version, end, seed):
    """A byte of a flight is changed on its way: both sides fail with an OSError, or do not see
    it.
    """
    random_ = random.Random(seed)
    server = side(tmp_path, version, server=True, chain=MANY[:3])
    server.sessions.store = MemoryStore()
    client = side(tmp_path, version, server=False, chain=MANY[:3])
    client.sessions.store = MemoryStore()
    server.verify_mode = tlskit.CERT_OPTIONAL
    server.sni_callback = lambda end, name, context: None
    a, b, c, d = (tlskit.MemoryBIO() for _ in range(4))
    near = client.wrap_bio(a, b, server_hostname="localhost")
    far = server.wrap_bio(c, d, server_side=True)
    when = random_.randrange(3)
    for turn in range(4):
        for one, out, into in ((near, b, c), (far, d, a)):
            with contextlib.suppress(OSError):
                one.do_handshake()
            data = bytearray(out.read())
            if data and turn == when and (one is near) is (end == "client"):
                data[random_.randrange(5 if len(data) > 5 else 0, len(data))] ^= (
                    1 << random_.randrange(8)
                )
            into.write(bytes(data))
    for one in (near, far):
        for call in (one.version, one.cipher, lambda one=one: one.session, one.getpeercert):
            with contextlib.suppress(OSError, ValueError):  # "handshake not done yet"
                call()
        with contextlib.suppress(OSError):
            one.read(1)


@pytest.mark.parametrize(
    "junk",
    [b"\n" * (1 << 20), b" \n\t" * (1 << 18), b"A" * (1 << 20), b"-" * (1 << 20)],
    ids=["line breaks", "white space", "letters", "dashes"],
)
@pytest.mark.parametrize("form", ["{}", "{begin}{}", "{begin}{}{end}", "{begin}" * 3 + "{}{end}"])
def test_reading_pem_takes_linear_time(form, junk):
    words = "-----{} SSL SESSION PARAMETERS-----"
    text = form.format(junk.decode(), begin=words.format("BEGIN"), end=words.format("END"))
    before = time.process_time()
    with pytest.raises(tlskit.SSLError):
        SSLSession.from_pem(text)
    assert time.process_time() - before < 1


def test_what_a_store_holds_of_a_long_chain(tmp_path, version):
    """The verified chain is there in any case; the rest as far as it fits."""
    server = side(tmp_path, version, server=True, chain=MANY)
    client = side(tmp_path, version, server=False)
    near, _ = memory_pair(client, server)
    again = SSLSession.from_bytes(near.session.to_bytes())
    assert again.info.verified_chain == tuple(near.get_verified_chain())
    assert len(again.info.peer_certificate_chain) == 1
    assert len(near.session.info.peer_certificate_chain) == len(MANY) + 1
