"""getpeercert() and the parts of certificates that it shows, against the stdlib's own decoder, for
certificates of every kind.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import ssl as stdlib
import subprocess
import warnings
from pathlib import Path

import pytest
import test as python_tests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID, ObjectIdentifier

import tlskit
from tlskit._core.certificate import Certificate

from ..stdlib.compare import MODULES, outcome
from ..support import peers
from ..support.pairs import client_context, memory_pair, server_context

decode = stdlib._ssl._test_decode_cert
KEY = ec.generate_private_key(ec.SECP256R1())
UTC = datetime.timezone.utc


def name(*rdns):
    """A name from RDNs, each a list of (oid, value) or (oid, value, type)."""
    sets = []
    for rdn in rdns:
        pairs = [rdn] if isinstance(rdn, tuple) else rdn
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of odd lengths
            sets.append(
                x509.RelativeDistinguishedName(
                    [x509.NameAttribute(*pair, _validate=False) for pair in pairs]
                )
            )
    return x509.Name(sets)


PLAIN = name((NameOID.COMMON_NAME, "plain"))


def certificate(*extensions, subject=PLAIN, issuer=PLAIN, serial=1, begins=None, ends=None):
    """A certificate in PEM with these extensions, signed by itself."""
    now = datetime.datetime(2024, 5, 7, 1, 2, 3, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(KEY.public_key())
        .serial_number(serial)
    )
    builder = builder.not_valid_before(begins or now).not_valid_after(
        ends or now + datetime.timedelta(days=30)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def san(*names):
    return x509.SubjectAlternativeName(list(names))


def raw_san(der):
    """A subjectAltName that no library would make."""
    return x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.17"), der)


def tlv(tag, body):
    size = (
        bytes([len(body)])
        if len(body) < 128
        else b"\x81" + bytes([len(body)])
        if len(body) < 256
        else b"\x82" + len(body).to_bytes(2, "big")
    )
    return bytes([tag]) + size + body


def raw_sans(*parts):
    return raw_san(tlv(0x30, b"".join(parts)))


def parts(der):
    """The elements of a DER value that is a sequence or a set, each with its head."""
    at, found = 0, []
    while at < len(der):
        size, start = der[at + 1], at + 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(der[at + 2 : start], "big")
        found.append(der[at : start + size])
        at = start + size
    return found


def body(der):
    return der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0) :]


def rebuilt(pem, change):
    """The certificate with the list of its own fields changed: version, serial, algorithm, issuer,
    dates, subject, key, extensions.
    """
    own, *rest = parts(body(stdlib.PEM_cert_to_DER_cert(pem.decode())))
    fields = change(parts(body(own)))
    return stdlib.DER_cert_to_PEM_cert(
        tlv(0x30, tlv(0x30, b"".join(fields)) + b"".join(rest))
    ).encode()


def with_subject(der):
    return lambda fields: [*fields[:5], der, *fields[6:]]


def oid(*arcs):
    """An object identifier of any length, with its head."""
    encoded = b""
    for arc in (40 * arcs[0] + arcs[1], *arcs[2:]):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        encoded += bytes(reversed(digits))
    return tlv(0x06, encoded)


ENDLESS = oid(1, 2, *[2**32 - 1] * 40)
LONG_RDN = tlv(0x30, tlv(0x31, tlv(0x30, ENDLESS + tlv(0x0C, b"what"))))

DEEP = name(
    (NameOID.COUNTRY_NAME, "SE"),
    [(NameOID.ORGANIZATION_NAME, "Örg"), (NameOID.COMMON_NAME, "two in one")],
    (NameOID.COMMON_NAME, "日本語"),
)
UTF8, BMP, T61, UNIVERSAL, PRINTABLE, IA5 = (
    getattr(_ASN1Type, n)
    for n in (
        "UTF8String",
        "BMPString",
        "T61String",
        "UniversalString",
        "PrintableString",
        "IA5String",
    )
)
URL = x509.UniformResourceIdentifier


def access(method, location):
    return x509.AccessDescription(method, location)


def point(*names, relative=None, reasons=None, issuer=None):
    return x509.DistributionPoint(list(names) or None, relative, reasons, issuer)


OCSP, ISSUERS = AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS
ODD_METHOD = ObjectIdentifier("1.3.6.1.5.5.7.48.99")

CASES = {
    "nothing": lambda: certificate(),
    # -- names
    "no subject": lambda: certificate(subject=x509.Name([])),
    "no issuer": lambda: certificate(issuer=x509.Name([])),
    "neither": lambda: certificate(subject=x509.Name([]), issuer=x509.Name([])),
    "several parts": lambda: certificate(subject=DEEP, issuer=DEEP),
    "the same part twice": lambda: certificate(
        subject=name(*[(NameOID.ORGANIZATIONAL_UNIT_NAME, x) for x in "abcb"])
    ),
    "three in one": lambda: certificate(
        subject=name(
            [(NameOID.COMMON_NAME, x) for x in ("c", "bb", "a")], (NameOID.COUNTRY_NAME, "DE")
        )
    ),
    "UTF-8": lambda: certificate(subject=name((NameOID.COMMON_NAME, "Grüße, 世界 🌍", UTF8))),
    "BMP": lambda: certificate(subject=name((NameOID.COMMON_NAME, "Grüße, 世界", BMP))),
    "an empty value": lambda: certificate(subject=name((NameOID.COMMON_NAME, "", UTF8))),
    "a null in a value": lambda: certificate(
        subject=name((NameOID.COMMON_NAME, "good.example\0evil.example", UTF8))
    ),
    "a newline in a value": lambda: certificate(
        subject=name((NameOID.COMMON_NAME, "a\nb, CN = c/CN=d", UTF8))
    ),
    "a long value": lambda: certificate(subject=name((NameOID.COMMON_NAME, "x" * 5000, UTF8))),
    "mail and domains": lambda: certificate(
        subject=name(
            (NameOID.EMAIL_ADDRESS, "a@b.example", IA5), (NameOID.DOMAIN_COMPONENT, "example", IA5)
        )
    ),
    "an unknown attribute": lambda: certificate(
        subject=name((ObjectIdentifier("1.2.3.4.5.6.7"), "what", UTF8))
    ),
    "a very long unknown attribute": lambda: certificate(
        subject=name((ObjectIdentifier("1.2." + ".".join(["4294967295"] * 12)), "what", UTF8))
    ),
    "every usual attribute": lambda: certificate(
        subject=name(
            *[
                (
                    getattr(NameOID, n),
                    "DE" if "COUNTRY" in n else n.lower(),
                    PRINTABLE if "COUNTRY" in n else UTF8,
                )
                for n in dir(NameOID)
                if n.isupper()
            ]
        )
    ),
    "an attribute with an endless id": lambda: rebuilt(certificate(), with_subject(LONG_RDN)),
    "a T.61 value": lambda: rebuilt(
        certificate(),
        with_subject(tlv(0x30, tlv(0x31, tlv(0x30, oid(2, 5, 4, 3) + tlv(0x14, b"k\xe4se"))))),
    ),
    "a universal value": lambda: rebuilt(
        certificate(),
        with_subject(
            tlv(
                0x30,
                tlv(0x31, tlv(0x30, oid(2, 5, 4, 3) + tlv(0x1C, "käse🌍".encode("utf-32-be")))),
            )
        ),
    ),
    "bad UTF-8 in a value": lambda: rebuilt(
        certificate(),
        with_subject(tlv(0x30, tlv(0x31, tlv(0x30, oid(2, 5, 4, 3) + tlv(0x0C, b"k\xe4se"))))),
    ),
    "odd bytes in a BMP value": lambda: rebuilt(
        certificate(),
        with_subject(tlv(0x30, tlv(0x31, tlv(0x30, oid(2, 5, 4, 3) + tlv(0x1E, b"abc"))))),
    ),
    "a value that is no string": lambda: rebuilt(
        certificate(),
        with_subject(tlv(0x30, tlv(0x31, tlv(0x30, oid(2, 5, 4, 3) + tlv(0x02, b"\5"))))),
    ),
    "an empty part": lambda: rebuilt(certificate(), with_subject(tlv(0x30, tlv(0x31, b"")))),
    "version 1": lambda: rebuilt(certificate(), lambda fields: fields[1:7]),
    "version 2": lambda: rebuilt(
        certificate(), lambda fields: [tlv(0xA0, tlv(0x02, b"\1")), *fields[1:7]]
    ),
    "version 256": lambda: rebuilt(
        certificate(), lambda fields: [tlv(0xA0, tlv(0x02, b"\0\xff")), *fields[1:]]
    ),
    # -- numbers and dates
    "serial 0": lambda: patched(
        certificate(serial=0x7F), bytes.fromhex("02017f"), bytes.fromhex("020100")
    ),
    "serial negative": lambda: patched(
        certificate(serial=0x7F), bytes.fromhex("02017f"), bytes.fromhex("0201ff")
    ),
    "serial of 20 bytes": lambda: certificate(serial=2**159 - 1),
    "serial with a high bit": lambda: certificate(serial=0x80),
    "serial 10": lambda: certificate(serial=10),
    "serial 256": lambda: certificate(serial=256),
    "long ago": lambda: certificate(
        begins=datetime.datetime(1950, 1, 1), ends=datetime.datetime(1950, 1, 2)
    ),
    "the last of two digits": lambda: certificate(ends=datetime.datetime(2049, 12, 31, 23, 59, 59)),
    "the first of four digits": lambda: certificate(ends=datetime.datetime(2050, 1, 1)),
    "no end": lambda: certificate(ends=datetime.datetime(9999, 12, 31, 23, 59, 59)),
    "one digit of a day": lambda: certificate(ends=datetime.datetime(2030, 2, 3, 4, 5, 6)),
    "a date that is none": lambda: patched(certificate(), b"240507010203Z", b"249907010203Z"),
    # -- alternative names
    "DNS": lambda: certificate(
        san(
            x509.DNSName("a.example"),
            x509.DNSName("*.b.example"),
            x509.DNSName("xn--knig-5qa.example"),
        )
    ),
    "mail": lambda: certificate(san(x509.RFC822Name("a@b.example"))),
    "URI": lambda: certificate(san(URL("https://example.org/?a=b#c"), URL("urn:uuid:0"))),
    "IPv4": lambda: certificate(
        san(
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("255.0.10.0")),
        )
    ),
    "IPv6": lambda: certificate(
        san(
            *[
                x509.IPAddress(ipaddress.ip_address(a))
                for a in (
                    "::1",
                    "2001:db8::",
                    "fe80::1:2",
                    "::ffff:1.2.3.4",
                    "0123:4567:89ab:cdef:fedc:ba98:7654:3210",
                )
            ]
        )
    ),
    "registered ids": lambda: certificate(
        san(
            x509.RegisteredID(ObjectIdentifier("1.2.3.4.5")),
            x509.RegisteredID(NameOID.COMMON_NAME),
            x509.RegisteredID(ObjectIdentifier("2.5.29.17")),
        )
    ),
    "directory names": lambda: certificate(
        san(x509.DirectoryName(DEEP), x509.DNSName("after"), x509.DirectoryName(PLAIN))
    ),
    "an empty directory name": lambda: certificate(
        san(x509.DirectoryName(x509.Name([])), x509.DNSName("after"))
    ),
    "other names": lambda: certificate(
        san(
            x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), tlv(0x0C, b"user@example")),
            x509.OtherName(ObjectIdentifier("1.2.3.4"), tlv(0x02, b"\x05")),
            x509.OtherName(
                ObjectIdentifier("1.3.6.1.5.5.7.8.9"), tlv(0x0C, "käse@example".encode())
            ),
            x509.OtherName(ObjectIdentifier("1.3.6.1.5.5.7.8.5"), tlv(0x0C, b"jabber@example")),
        )
    ),
    "all kinds in a row": lambda: certificate(
        san(
            x509.DNSName("a"),
            x509.RFC822Name("b@c"),
            URL("d:e"),
            x509.DirectoryName(DEEP),
            x509.RegisteredID(ObjectIdentifier("1.2.3")),
            x509.IPAddress(ipaddress.ip_address("1.2.3.4")),
            x509.DNSName("z"),
            x509.OtherName(ObjectIdentifier("1.2.3.4"), tlv(0x0C, b"x")),
        )
    ),
    "many names": lambda: certificate(san(*[x509.DNSName(f"{n}.example") for n in range(500)])),
    "a registered id without end": lambda: certificate(
        raw_sans(tlv(0x88, body(ENDLESS)), tlv(0x82, b"after"))
    ),
    "no names at all": lambda: certificate(raw_sans()),
    "an empty DNS name": lambda: certificate(raw_sans(tlv(0x82, b""))),
    "a null in a DNS name": lambda: certificate(
        raw_sans(tlv(0x82, b"good.example\0evil.example"), tlv(0x82, b"next"))
    ),
    "a null in mail and URI": lambda: certificate(raw_sans(tlv(0x81, b"a\0b"), tlv(0x86, b"c\0d"))),
    "UTF-8 in a DNS name": lambda: certificate(raw_sans(tlv(0x82, "käse.example".encode()))),
    "an address of five bytes": lambda: certificate(
        raw_sans(tlv(0x87, b"12345"), tlv(0x82, b"after"))
    ),
    "an address of no bytes": lambda: certificate(raw_sans(tlv(0x87, b""))),
    "an address with its mask": lambda: certificate(raw_sans(tlv(0x87, bytes(range(8))))),
    "an X.400 address": lambda: certificate(
        raw_sans(tlv(0xA3, tlv(0x30, b"")), tlv(0x82, b"after"))
    ),
    "an EDI party": lambda: certificate(
        raw_sans(tlv(0xA5, tlv(0xA1, tlv(0x0C, b"party"))), tlv(0x82, b"after"))
    ),
    "names that cannot be read": lambda: certificate(raw_san(b"garbage")),
    "names that break off": lambda: certificate(raw_san(tlv(0x30, tlv(0x82, b"a.example"))[:-1])),
    "names twice over": lambda: patched(
        certificate(
            san(x509.DNSName("a.example")),
            x509.UnrecognizedExtension(
                ObjectIdentifier("2.5.29.99"), tlv(0x30, tlv(0x82, b"b.example"))
            ),
        ),
        bytes.fromhex("0603551d63"),
        bytes.fromhex("0603551d11"),
    ),
    # -- links
    "OCSP": lambda: certificate(
        x509.AuthorityInformationAccess(
            [access(OCSP, URL("http://a/")), access(OCSP, URL("http://b/"))]
        )
    ),
    "issuers": lambda: certificate(
        x509.AuthorityInformationAccess([access(ISSUERS, URL("http://a/ca.crt"))])
    ),
    "OCSP and issuers, mixed": lambda: certificate(
        x509.AuthorityInformationAccess(
            [
                access(ISSUERS, URL("http://a/")),
                access(OCSP, URL("http://b/")),
                access(ISSUERS, URL("http://c/")),
                access(ODD_METHOD, URL("http://d/")),
            ]
        )
    ),
    "access by other than URI": lambda: certificate(
        x509.AuthorityInformationAccess(
            [access(OCSP, x509.DirectoryName(DEEP)), access(ISSUERS, x509.DNSName("a"))]
        )
    ),
    "access by other ways": lambda: certificate(
        x509.AuthorityInformationAccess([access(ODD_METHOD, URL("http://d/"))])
    ),
    "CRL": lambda: certificate(
        x509.CRLDistributionPoints(
            [point(URL("http://a/1.crl"), URL("ldap://a/2")), point(URL("http://b/3.crl"))]
        )
    ),
    "CRL by other than URI": lambda: certificate(
        x509.CRLDistributionPoints(
            [point(x509.DirectoryName(DEEP)), point(x509.DNSName("x"), URL("http://c/"))]
        )
    ),
    "CRL by a relative name": lambda: certificate(
        x509.CRLDistributionPoints(
            [
                point(
                    relative=x509.RelativeDistinguishedName(
                        [x509.NameAttribute(NameOID.COMMON_NAME, "r")]
                    )
                )
            ]
        )
    ),
    "CRL by its issuer alone": lambda: certificate(
        x509.CRLDistributionPoints([point(issuer=[x509.DirectoryName(PLAIN)])])
    ),
    "CRL for some reasons": lambda: certificate(
        x509.CRLDistributionPoints(
            [point(URL("http://a/"), reasons=frozenset([x509.ReasonFlags.key_compromise]))]
        )
    ),
    "a null in a link": lambda: certificate(
        x509.UnrecognizedExtension(
            ObjectIdentifier("1.3.6.1.5.5.7.1.1"),
            tlv(
                0x30, tlv(0x30, bytes.fromhex("06082b06010505073001") + tlv(0x86, b"http://a/\0b"))
            ),
        )
    ),
    "links that cannot be read": lambda: certificate(
        x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.5.5.7.1.1"), b"garbage"),
        x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.31"), b"?"),
    ),
    "no links in a list of links": lambda: certificate(
        x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.5.5.7.1.1"), tlv(0x30, b"")),
        x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.31"), tlv(0x30, b"")),
    ),
}


def patched(pem, old, new):
    """The certificate with some bytes replaced (once); the signature is no good any more, which
    nobody looks at here.
    """
    raw = stdlib.PEM_cert_to_DER_cert(pem.decode())
    assert len(old) == len(new)
    assert old in raw
    return stdlib.DER_cert_to_PEM_cert(raw.replace(old, new, 1)).encode()


def decoded(work):
    """The fields, or the class of the error."""
    result = outcome(work)
    return result.raised or result.value


def ours(pem):
    return decoded(lambda: Certificate.from_pem(pem).fields())


def theirs(pem, folder):
    path = folder / "certificate.pem"
    path.write_bytes(pem)
    return decoded(lambda: decode(str(path)))


@pytest.mark.parametrize("case", CASES)
def test_like_the_stdlib(case, tmp_path):
    pem = CASES[case]()
    assert ours(pem) == theirs(pem, tmp_path)


KEPT_OUT = [case for case in CASES if case.startswith(("names that", "names twice", "links that"))]


def loaded(module, pem, folder):
    """A server's context with this certificate."""
    path, key = folder / "chain.pem", folder / "key.pem"
    path.write_bytes(pem)
    key.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = module.SSLContext(module.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path, key)
    return server


@pytest.mark.parametrize("case", [case for case in CASES if case not in KEPT_OUT])
def test_the_same_bytes_of_a_peer(case, tmp_path):
    """All the way through a handshake, which leaves them as they are; and not a field of what was
    not verified.
    """
    pem = CASES[case]()
    for module in MODULES:
        client = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = module.CERT_NONE
        result = outcome(lambda module=module: loaded(module, pem, tmp_path))
        if result.raised is not None:
            assert outcome(lambda: loaded(stdlib, pem, tmp_path)).raised is result.raised
            continue
        near, _ = memory_pair(client, result.value, module=module)
        assert near.getpeercert() == {}
        assert near.getpeercert(True) == stdlib.PEM_cert_to_DER_cert(pem.decode())


@pytest.mark.parametrize("case", KEPT_OUT)
def test_a_certificate_of_our_own_that_cannot_be_read(case, tmp_path):
    """Nobody would take it: better said when it is loaded. (The stdlib no longer does, with an
    OpenSSL from 3.2 on.)
    """
    pem = CASES[case]()
    theirs, ours = (
        outcome(lambda module=module: loaded(module, pem, tmp_path)).raised for module in MODULES
    )
    assert ours is tlskit.SSLError
    assert theirs in (None, ours)


def test_the_values_of_one(tmp_path):
    """Spelled out, in case both are wrong in the same way."""
    fields = Certificate.from_pem(CASES["all kinds in a row"]()).fields()
    assert list(fields) == [
        "subject",
        "issuer",
        "version",
        "serialNumber",
        "notBefore",
        "notAfter",
        "subjectAltName",
    ]
    assert fields["subject"] == ((("commonName", "plain"),),)
    assert fields["version"] == 3
    assert fields["serialNumber"] == "01"
    assert fields["notBefore"] == "May  7 01:02:03 2024 GMT"
    assert fields["notAfter"] == "Jun  6 01:02:03 2024 GMT"
    deep = (
        (("countryName", "SE"),),
        (("commonName", "two in one"), ("organizationName", "Örg")),
        (("commonName", "日本語"),),
    )
    kind, directory = fields["subjectAltName"][3]
    assert kind == "DirName"
    assert [sorted(rdn) for rdn in directory] == [sorted(rdn) for rdn in deep]
    assert fields["subjectAltName"][:3] == (("DNS", "a"), ("email", "b@c"), ("URI", "d:e"))
    assert fields["subjectAltName"][4:7] == (
        ("Registered ID", "1.2.3"),
        ("IP Address", "1.2.3.4"),
        ("DNS", "z"),
    )
    fields = Certificate.from_pem(CASES["OCSP and issuers, mixed"]()).fields()
    assert fields["OCSP"] == ("http://b/",)
    assert fields["caIssuers"] == ("http://a/", "http://c/")
    fields = Certificate.from_pem(CASES["CRL"]()).fields()
    assert fields["crlDistributionPoints"] == ("http://a/1.crl", "ldap://a/2", "http://b/3.crl")


def test_a_registered_id_longer_than_any():
    """OpenSSL writes ids of up to 586 bytes out (CVE-2023-2650): the stdlib gives up on the whole
    certificate, which a peer sends.
    """
    pem = certificate(
        raw_sans(tlv(0x88, body(oid(1, 2, *[2**32 - 1] * 1000))), tlv(0x82, b"after"))
    )
    assert Certificate.from_pem(pem).fields()["subjectAltName"] == (
        ("Registered ID", "<INVALID>"),
        ("DNS", "after"),
    )


# -- certificates that other programs made ---------------------------------------------------------


def openssl(*arguments, folder):
    subprocess.run([peers.command(), *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Certificates of the openssl program, by name."""
    folder = tmp_path_factory.mktemp("made")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem", folder=folder)
    (folder / "masks.cnf").write_text(
        "[req]\nprompt=no\nutf8=yes\ndistinguished_name=dn\n[dn]\nC=DE\n0.O=Käse & "
        "Söhne\n1.O=second\nCN=größer\n"
        "[mixed]\nsubjectAltName=DNS:a.example,email:b@c.example,URI:d://e,IP:1.2.3.4,IP:::1,RID:1.2.3.4,dirName:dn,otherName:1.2.3.4;UTF8:käse\n"
        "authorityInfoAccess=OCSP;URI:http://o/,caIssuers;URI:http://i/,OCSP;DNS:x.example\n"
        "crlDistributionPoints=p,q\n[p]\nfullname=URI:http://p/,URI:http://p2/\nreasons=keyCompromise\n[q]\nrelativename=r\nCRLissuer=dirName:dn\n"
        "[r]\nCN=relative\n"
        "[copy]\nsubjectAltName=email:move\n[ns]\nnsComment=hello\nbasicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"
    )
    new = ("req", "-new", "-x509", "-key", "key.pem", "-config", "masks.cnf", "-utf8")
    openssl(
        "req",
        "-new",
        "-key",
        "key.pem",
        "-config",
        "masks.cnf",
        "-utf8",
        "-out",
        "request.pem",
        folder=folder,
    )
    openssl(
        "x509",
        "-req",
        "-in",
        "request.pem",
        "-signkey",
        "key.pem",
        "-out",
        "v1.pem",
        "-set_serial",
        "0x123456789ABCDEF0",
        folder=folder,
    )
    openssl(*new, "-extensions", "mixed", "-days", "36500", "-out", "mixed.pem", folder=folder)
    openssl(*new, "-extensions", "ns", "-set_serial", "0", "-out", "authority.pem", folder=folder)
    openssl(
        *new,
        "-subj",
        "/C=DE+CN=multi+O=valued/CN=last",
        "-multivalue-rdn",
        "-out",
        "multi.pem",
        folder=folder,
    )
    openssl(
        *new,
        "-subj",
        "/CN=user/emailAddress=a@b.example",
        "-extensions",
        "copy",
        "-out",
        "moved.pem",
        folder=folder,
    )
    for mask in ("utf8only", "nombstr", "pkix", "default", "MASK:0x2002"):
        text = (folder / "masks.cnf").read_text().replace("[req]\n", f"[req]\nstring_mask={mask}\n")
        (folder / "mask.cnf").write_text(text)
        file = f"mask-{mask.replace(':', '-')}.pem"
        openssl(
            "req",
            "-new",
            "-x509",
            "-key",
            "key.pem",
            "-config",
            "mask.cnf",
            "-utf8",
            "-out",
            file,
            folder=folder,
        )
    return folder


MADE = [
    "v1",
    "mixed",
    "authority",
    "multi",
    "moved",
    "mask-utf8only",
    "mask-nombstr",
    "mask-pkix",
    "mask-default",
    "mask-MASK-0x2002",
]


@pytest.mark.parametrize("which", MADE)
def test_of_the_openssl_program(made, which):
    path = made / f"{which}.pem"
    assert Certificate.from_pem(path.read_bytes()).fields() == decode(str(path))


def test_of_trustme(pki):
    for path in pki.folder.glob("*.pem"):
        if b"BEGIN CERTIFICATE" in path.read_bytes():
            assert Certificate.from_pem(path.read_bytes()).fields() == decode(str(path)), path


def of_the_interpreter():
    """The certificates of CPython's own tests, where this Python has them."""
    base = Path(python_tests.__file__).parent
    paths = sorted(
        {
            *base.glob("certdata/*.pem"),
            *base.glob("certdata/capath/*"),
            *base.glob("*.pem"),
            *base.glob("capath/*"),
        }
    )
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize(
    "path", of_the_interpreter() or [None], ids=lambda path: path.name if path else "none"
)
def test_of_the_interpreter(path, tmp_path):
    if path is None:
        pytest.skip("this Python came without its tests")
    assert ours(path.read_bytes()) == theirs(path.read_bytes(), tmp_path)


def test_of_the_machine():
    """Whatever authorities are here: every one of them."""
    context = stdlib.create_default_context()
    if not context.get_ca_certs():
        pytest.skip("this machine trusts nobody")
    mine = tlskit.create_default_context()
    assert {der: Certificate.from_der(der).fields() for der in mine.get_ca_certs(True)} == dict(
        zip(context.get_ca_certs(True), context.get_ca_certs(), strict=True)
    )


# -- the peer's ------------------------------------------------------------------------------------


def test_getpeercert(pki, version):
    for module in MODULES:
        client, server = client_context(pki, module=module), server_context(pki, module=module)
        client.minimum_version = client.maximum_version = version
        near, far = memory_pair(client, server, module=module)
        assert near.getpeercert() == decode(str(pki.server.chain))
        assert near.getpeercert(False) == near.getpeercert(binary_form=False)
        assert (
            near.getpeercert(True)
            == near.getpeercert(binary_form=True)
            == stdlib.PEM_cert_to_DER_cert(first(pki.server.chain))
        )
        assert far.getpeercert() is None
        assert far.getpeercert(True) is None


def first(path):
    text = path.read_text()
    return text[: text.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"


def test_getpeercert_on_a_server(pki, version):
    for module in MODULES:
        client, server = client_context(pki, module=module), server_context(pki, module=module)
        client.minimum_version = client.maximum_version = version
        client.load_cert_chain(pki.client.chain, pki.client.key)
        server.load_verify_locations(pki.root)
        server.verify_mode = module.CERT_OPTIONAL
        _, far = memory_pair(client, server, module=module)
        assert far.getpeercert() == decode(str(pki.client.chain))


def test_getpeercert_too_early(pki):
    for module in MODULES:
        near = client_context(pki, module=module).wrap_bio(
            module.MemoryBIO(), module.MemoryBIO(), server_hostname="localhost"
        )
        for binary in (False, True):
            with pytest.raises(ValueError, match="handshake not done yet"):
                near.getpeercert(binary)


def test_it_can_be_changed_by_its_owner(pki):
    """Each call gives a dictionary of its own."""
    near, _ = memory_pair(client_context(pki), server_context(pki))
    one = near.getpeercert()
    one.clear()
    assert near.getpeercert()


# -- between PEM and DER ---------------------------------------------------------------------------


def test_der_and_pem(pki):
    pem = first(pki.server.chain)
    for module in MODULES:
        assert module.DER_cert_to_PEM_cert(
            module.PEM_cert_to_DER_cert(pem)
        ) == stdlib.DER_cert_to_PEM_cert(stdlib.PEM_cert_to_DER_cert(pem))


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 1000])
def test_der_to_pem_of_every_length(size):
    raw = os.urandom(size)
    assert tlskit.DER_cert_to_PEM_cert(raw) == stdlib.DER_cert_to_PEM_cert(raw)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "words",
        stdlib.PEM_HEADER,
        stdlib.PEM_FOOTER,
        f"{stdlib.PEM_HEADER}\nAAAA\n",
        None,
        b"x",
        5,
    ],
    ids=repr,
)
def test_pem_that_is_none(bad):
    seen = [
        outcome(lambda module=module: module.PEM_cert_to_DER_cert(bad)).raised for module in MODULES
    ]
    assert seen[0] is seen[1] is not None


@pytest.mark.parametrize(
    "bad", [b"", b"0", b"\x30\x03\x02\x01\x05", b"garbage" * 100, bytes(1000), b"\xff" * 1000]
)
def test_der_that_is_none(bad):
    with pytest.raises(tlskit.SSLError):
        Certificate.from_der(bad)
    with pytest.raises(tlskit.SSLError):
        Certificate.from_pem(bad)


def test_every_truncation(pki):
    raw = stdlib.PEM_cert_to_DER_cert(first(pki.server.chain))
    for size in range(len(raw)):
        with pytest.raises(tlskit.SSLError):
            Certificate.from_der(raw[:size])


def test_damaged_bytes_do_no_harm(pki, tmp_path):
    """Every byte changed in turn: refused, or read as the stdlib reads it."""
    raw = bytearray(stdlib.PEM_cert_to_DER_cert(CASES["all kinds in a row"]().decode()))
    read = 0
    for at in range(len(raw)):
        raw[at] ^= 0x55
        pem = stdlib.DER_cert_to_PEM_cert(bytes(raw)).encode()
        raw[at] ^= 0x55
        mine, reference = ours(pem), theirs(pem, tmp_path)
        assert mine == reference, at
        read += isinstance(mine, dict)
    assert 0 < read < len(raw)


def test_certificates_compare_by_their_bytes(pki):
    one, two, other = (
        Certificate.from_pem(path.read_bytes()) for path in (pki.root, pki.root, pki.stranger_root)
    )
    assert one == two != other
    assert len({one, two, other}) == 2
    assert one != one.der


def test_a_certificate_shows_whose_it_is(pki):
    near, _ = memory_pair(client_context(pki), server_context(pki))
    leaf, *_, root = near._sslobj.get_verified_chain()
    assert repr(leaf) == repr(near._sslobj.get_unverified_chain()[0]) != repr(root)
    assert re.fullmatch("<Certificate '.*O=.*'>", repr(root))
    assert repr(Certificate.from_pem(CASES["names that cannot be read"]())).startswith(
        "<Certificate '"
    )
