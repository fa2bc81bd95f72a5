"""What an error says: each of the failures that people meet, with a real peer, and its message.

A message begins with OpenSSL's words, as the stdlib's does, and goes on with `error.hint`: what
happened, on whose side it is, and what to try. In the texts below `...` stands for a date or for
whatever else changes from run to run.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import socket
import ssl as stdlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

import tlskit

from ..support import raw
from ..support.certificates import DAY, NOW, Made, authority, issue
from ..support.names import alert_reason
from ..support.pairs import (
    Background,
    client_context,
    memory_pair,
    only,
    server_context,
    strict,
)
from ..support.pki import PKI

TLS12, TLS13 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3
PATIENCE = 20.0
OPENSSL = tlskit.OPENSSL_VERSION_INFO[:2]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return authority(tmp_path_factory.mktemp("root"), "Example Root")


def client(*trusted: Any, **settings: Any) -> Any:
    """A client's context that trusts these certificates."""
    context = strict(tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT))
    for one in trusted:
        context.load_verify_locations(getattr(one, "chain", one))
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def serving(shown: Made | None = None, *, module: Any = stdlib, **settings: Any) -> Any:
    """A server's context, the stdlib's by default: somebody else's TLS."""
    context = module.SSLContext(module.PROTOCOL_TLS_SERVER)
    if module is tlskit:
        strict(context)
    if shown is not None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(shown.chain, shown.key)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def connect(near: Any, far: Any, hostname: str | None = "localhost") -> tuple[Any, Any]:
    """What both ends raise, the client's first, in the handshake or in one byte each way."""

    def talk(context: Any, sock: socket.socket, **how: Any) -> None:
        with context.wrap_socket(sock, **how) as tls:
            tls.sendall(b"x")
            assert tls.recv(1) == b"x"

    one, other = socket.socketpair()
    for end in (one, other):
        end.settimeout(PATIENCE)
    accepting = Background(lambda: talk(far, other, server_side=True))
    error = None
    try:
        talk(near, one, server_hostname=hostname)
    except (OSError, ValueError) as caught:
        error = caught
    return error, accepting.error


def check(error: Any, begins: str, hint: str) -> None:
    """The message is OpenSSL's words and the hint; `...` in both stands for anything."""
    wanted = r"[\s\S]*".join(re.escape(part) for part in hint.split("..."))
    assert re.fullmatch(wanted, error.hint), error.hint
    assert str(error).endswith(f". {error.hint}")
    assert error.args[-1].endswith(error.hint)
    begins = begins.rstrip(".")
    assert error.args[-1].startswith(f"{begins}. {error.hint[:10]}"), error.args[-1]


REFUSED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "


def refused(near: Any, far: Any, words: str, hint: str, hostname: str = "localhost") -> Any:
    error, _ = connect(near, far, hostname)
    assert type(error) is tlskit.SSLCertVerificationError
    assert error.reason == "CERTIFICATE_VERIFY_FAILED"
    assert error.verify_message.startswith(words.rstrip("."))  # OpenSSL 4.0 has more words at times
    check(error, REFUSED + error.verify_message, hint)
    return error


# -- the server's certificate ----------------------------------------------------------------------


def test_expired(root, tmp_path):
    shown = issue(tmp_path, "leaf", issuer=root, begins=-9 * DAY, ends=-2 * DAY)
    error = refused(
        client(root),
        serving(shown),
        "certificate has expired",
        "The server's certificate ('leaf') expired on ... UTC (2 days ago). It has to be "
        "renewed by "
        "the server's operator. If the date is wrong, set this machine's clock: it says ... UTC.",
    )
    assert error.verify_depth == 0
    assert error.certificate == shown.der
    assert error.peer_chain == (shown.der,)
    assert error.verified_so_far == (shown.der, root.der)


def test_expired_intermediate(root, tmp_path):
    middle = authority(tmp_path, "Old CA", issuer=root, begins=-9 * DAY, ends=-DAY)
    shown = issue(tmp_path, "leaf", issuer=middle)
    error = refused(
        client(root),
        serving(shown),
        "certificate has expired",
        "The CA certificate 'Old CA' in the server's chain expired on ...",
    )
    assert error.verify_depth == 1
    assert error.certificate == middle.der
    assert error.peer_chain == (shown.der, middle.der)


def test_expired_root(tmp_path):
    old = authority(tmp_path, "Old Root", begins=-9 * DAY, ends=-DAY)
    refused(
        client(old),
        serving(issue(tmp_path, "leaf", issuer=old)),
        "certificate has expired",
        "The trusted CA certificate 'Old Root' expired on ...",
    )


def test_not_yet_valid(root, tmp_path):
    shown = issue(tmp_path, "leaf", issuer=root, begins=3 * DAY + datetime.timedelta(hours=1))
    refused(
        client(root),
        serving(shown),
        "certificate is not yet valid",
        "The server's certificate ('leaf') is not valid before ... UTC (3 days from now). Check "
        "this machine's clock: it says ... UTC.",
    )


@pytest.mark.parametrize(
    ("days", "words", "hint"),
    [
        (-30, "certificate is not yet valid", "is not valid before ... UTC (... ago). It is "
         "verified as of context.verify_time, which is earlier."),
        (30, "certificate has expired", "expires on ... UTC (... from now). It is verified as of "
         "context.verify_time, which is later."),
    ],
)  # fmt: skip
def test_another_time(tmp_path, days, words, hint):
    """The clock is right, and the program has asked for another time."""
    authority_ = authority(tmp_path, "Example Root", begins=-5 * DAY, ends=9 * DAY)
    shown = issue(tmp_path, "leaf", issuer=authority_)
    near = client(authority_, verify_time=NOW + days * DAY)
    refused(
        near, serving(shown), words, f"The ... certificate '...' {hint}".replace("'...'", "...")
    )


def test_self_signed(root, tmp_path):
    shown = issue(tmp_path, "homemade")
    error = refused(
        client(root),
        serving(shown),
        "self-signed certificate",
        "The server's certificate ('homemade') is signed with its own key, and this context does "
        "not trust it. If it is the one you expect, trust it: load_verify_locations() with that "
        "certificate.",
    )
    assert error.peer_chain == (shown.der,)


def test_unknown_root_in_chain(root, tmp_path):
    stranger = authority(tmp_path, "Proxy Root")
    shown = issue(tmp_path, "leaf", issuer=stranger)
    with shown.chain.open("ab") as file:
        file.write(stranger.pem)
    error = refused(
        client(root),
        serving(shown),
        "self-signed certificate in certificate chain",
        "The server's chain ends in the root 'Proxy Root', which this context does not trust. If "
        "you know that authority (a company's own, a proxy's that inspects TLS), load its "
        "certificate with load_verify_locations().",
    )
    assert error.peer_chain == (shown.der, stranger.der)


def test_missing_intermediate(root, tmp_path):
    middle = authority(tmp_path, "Middle CA", issuer=root)
    shown = issue(tmp_path, "leaf", issuer=middle, send=False)
    error = refused(
        client(root),
        serving(shown),
        "unable to get local issuer certificate",
        "The server sent its own certificate alone, and its issuer 'Middle CA' is not among the "
        "authorities that this context trusts. If 'Middle CA' is an intermediate, the server's "
        "operator has to configure the whole chain; browsers hide this by fetching it. If it is a "
        "root of your own, load it with load_verify_locations().",
    )
    assert error.verified_so_far == (shown.der,)


def test_unknown_authority(root, tmp_path):
    stranger = authority(tmp_path, "Stranger")
    middle = authority(tmp_path, "Middle CA", issuer=stranger)
    refused(
        client(root),
        serving(issue(tmp_path, "leaf", issuer=middle)),
        "unable to get local issuer certificate",
        "The server's chain leads to 'Stranger', the issuer of 'Middle CA', which is neither in "
        "the chain nor trusted by this context. Load that authority with load_verify_locations() "
        "if it is yours; else the server's operator has to send the missing intermediate "
        "certificate.",
    )


def test_nobody_is_trusted(root, tmp_path):
    refused(
        client(),
        serving(issue(tmp_path, "leaf", issuer=root)),
        "unable to get local issuer certificate",
        "This context trusts no authority at all. Call load_default_certs() for the system's, or "
        "load_verify_locations() for your own.",
    )


def test_wrong_host(root, tmp_path):
    names = [f"host{n}.example" for n in range(7)]
    error = refused(
        client(root),
        serving(issue(tmp_path, "leaf", issuer=root, names=names)),
        "Hostname mismatch, certificate is not valid for 'localhost'.",
        "The server's certificate is for 'host0.example', 'host1.example', 'host2.example', "
        "'host3.example', 'host4.example' and 2 more. Connect by one of these names, or have the "
        "certificate reissued for 'localhost'.",
    )
    assert "Hostname mismatch, certificate is not valid for 'localhost'. The" in str(error)


def test_wrong_address(root, tmp_path):
    refused(
        client(root),
        serving(issue(tmp_path, "leaf", issuer=root, names=["localhost", "::1"])),
        "IP address mismatch, certificate is not valid for '127.0.0.1'.",
        "The server's certificate is for 'localhost' and '0:0:0:0:0:0:0:1'. Connect by one of "
        "these "
        "names, or have the certificate reissued for '127.0.0.1'.",
        hostname="127.0.0.1",
    )


def test_no_name_at_all(root, tmp_path):
    refused(
        client(root),
        serving(issue(tmp_path, "other", issuer=root, names=[])),
        "Hostname mismatch, certificate is not valid for 'localhost'.",
        "The server's certificate is for no host name at all (it has no subjectAltName). Connect "
        "by one of these names, or have the certificate reissued for 'localhost'.",
    )


def test_wrong_purpose(root, tmp_path):
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    refused(
        client(root),
        serving(issue(tmp_path, "leaf", issuer=root, usages=usages)),
        "unsuitable certificate purpose",
        "The server's certificate ('leaf') may not be used for server authentication: its extended "
        "key usage or key usage excludes that. It has to be reissued for server authentication.",
    )


def test_issued_by_no_authority(root, tmp_path):
    middle = issue(tmp_path, "not a CA", issuer=root)
    shown = issue(tmp_path, "leaf", issuer=middle)
    refused(
        client(root),
        serving(shown),
        "invalid CA certificate",
        "The CA certificate 'not a CA' in the server's chain has signed another certificate, but "
        "is not a CA (basicConstraints). The server's operator has to fix the chain.",
    )


def test_revoked(root, tmp_path):
    shown = issue(tmp_path, "leaf", issuer=root)
    near = client(root, verify_flags=tlskit.VERIFY_CRL_CHECK_LEAF)
    refused(
        near,
        serving(shown),
        "unable to get certificate CRL",
        "verify_flags ask for revocation lists, and there is none of 'Example Root'. Load it with "
        "load_verify_locations() (a PEM file may hold CRLs), or clear VERIFY_CRL_CHECK_LEAF and "
        "VERIFY_CRL_CHECK_CHAIN.",
    )
    near.load_verify_locations(revocations(root, tmp_path, shown, ends=DAY))
    refused(
        near,
        serving(shown),
        "certificate revoked",
        "The server's certificate ('leaf') has been revoked by its issuer. Do not trust it: it has "
        "to be replaced.",
    )


def test_old_revocations(root, tmp_path):
    near = client(root, verify_flags=tlskit.VERIFY_CRL_CHECK_LEAF)
    near.load_verify_locations(revocations(root, tmp_path, None, ends=-DAY))
    refused(
        near,
        serving(issue(tmp_path, "leaf", issuer=root)),
        "CRL has expired",
        "The revocation list of 'Example Root' has expired. Fetch the new one, and load it again.",
    )


def revocations(issuer: Made, folder: Any, one: Made | None, *, ends: Any) -> Any:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW - 5 * DAY)
        .next_update(NOW + ends)
    )
    if one is not None:
        number = one.certificate.serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(NOW - DAY)
        builder = builder.add_revoked_certificate(entry.build())
    path = folder / "revoked.pem"
    signed = builder.sign(issuer.private_key, hashes.SHA256())
    from cryptography.hazmat.primitives.serialization import Encoding

    path.write_bytes(signed.public_bytes(Encoding.PEM))
    return path


def test_key_too_small(root, tmp_path):
    refused(
        client(root, security_level=2),
        serving(issue(tmp_path, "leaf", issuer=root, key="rsa1024")),
        "EE certificate key too weak",
        "The server's certificate ('leaf') has a key too small for security level 2. Have it "
        "reissued with at least RSA 2048 or P-256; until then, context.security_level = 1 accepts "
        "it.",
    )


def test_depth(root, tmp_path):
    middle = root
    for n in range(3):
        middle = authority(tmp_path, f"CA {n}", issuer=middle)
    refused(
        client(root, verify_depth=1),
        serving(issue(tmp_path, "leaf", issuer=middle)),
        "certificate chain too long",
        "The server's chain has more CA certificates than verify_depth allows. Raise "
        "context.verify_depth if the chain is sound.",
    )


def test_path_length(root, tmp_path):
    middle = authority(tmp_path, "short", issuer=root, path_length=0)
    below = authority(tmp_path, "below", issuer=middle)
    refused(
        client(root),
        serving(issue(tmp_path, "leaf", issuer=below)),
        "path length constraint exceeded",
        "The CA certificate 'short' in the server's chain has more CA certificates below it than "
        "its path length allows: its issuer made a mistake.",
    )


def test_name_constraints(root, tmp_path):
    only_example = x509.NameConstraints([x509.DNSName("example.org")], None)
    middle = authority(tmp_path, "narrow", issuer=root, extra=[only_example])
    refused(
        client(root),
        serving(issue(tmp_path, "leaf", issuer=middle, names=["localhost"])),
        "permitted subtree violation",
        "The server's certificate ('leaf') has a name that a CA above it may not issue "
        "certificates for (name constraints).",
    )


def test_changed_signature(root, tmp_path):
    twin = authority(tmp_path, "Example Root")
    without = {"without": [x509.AuthorityKeyIdentifier]}
    error, _ = connect(client(twin), serving(issue(tmp_path, "leaf", issuer=root, **without)))
    assert error.verify_message == "certificate signature failure"
    check(
        error,
        REFUSED + "certificate signature failure",
        "The server's certificate ('leaf') was not signed with the key of 'Example Root' that is "
        "trusted or in the chain. The CA may have a new key under its old name: load its current "
        "certificate.",
    )


def test_a_name_from_a_peer_is_printable_and_short(root, tmp_path):
    nasty = "x\x1b[2J\n" + "y" * 50
    error, _ = connect(client(root), serving(issue(tmp_path, "leaf", subject=nasty)))
    assert r"'x\x1b[2J\n" + "y" * 50 + "'" in error.hint
    assert str(error).isprintable()


# -- VERIFY_X509_STRICT, rule by rule --------------------------------------------------------------

STRICT = (
    " VERIFY_X509_STRICT demands it; create_default_context() sets that flag since Python 3.13. "
    "Have the certificate reissued, or clear the flag: context.verify_flags &= "
    "~ssl.VERIFY_X509_STRICT."
)
CA_USAGE = [x509.KeyUsage]
LEAF = "The server's certificate ('leaf') "
MIDDLE = "The CA certificate 'middle' in the server's chain "

#: What is wrong with the leaf or with the CA above it, OpenSSL's words, and ours.
RULES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "authority key identifier": (
        "leaf",
        {"without": [x509.AuthorityKeyIdentifier]},
        "Missing Authority Key Identifier",
        LEAF + "has no authority key identifier (RFC 5280, 4.2.1.1).",
    ),
    "subject key identifier": (
        "middle",
        {"without": [x509.SubjectKeyIdentifier]},
        "Missing Subject Key Identifier",
        MIDDLE + "has no subject key identifier (RFC 5280, 4.2.1.2).",
    ),
    "basic constraints": (
        "middle",
        {"critical": {x509.BasicConstraints: False}},
        "Basic Constraints of CA cert not marked critical",
        MIDDLE + "does not mark its basic constraints as critical (RFC 5280, 4.2.1.9).",
    ),
    "key usage": (
        "middle",
        {"without": CA_USAGE},
        "CA cert does not include key usage extension",
        MIDDLE + "is a CA's and has no key usage (RFC 5280, 4.2.1.3).",
    ),
    "subject": (
        "leaf",
        {"subject": "", "critical": {x509.SubjectAlternativeName: False}},
        "Subject empty and Subject Alt Name extension not critical",
        "The server's certificate ('localhost') has an empty subject, and does not mark its "
        "subjectAltName as critical (RFC 5280, 4.2.1.6).",
    ),
}


#: Rules that OpenSSL has dropped in 4.0: what it can read itself need not be marked as critical.
DROPPED = ("basic constraints", "subject") if OPENSSL >= (4, 0) else ()


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in DROPPED])
def test_strict(root, tmp_path, rule):
    which, how, words, hint = RULES[rule]
    middle = authority(tmp_path, "middle", issuer=root, **(how if which == "middle" else {}))
    shown = issue(tmp_path, "leaf", issuer=middle, **(how if which == "leaf" else {}))
    near = client(root)
    lenient = near.verify_flags & ~tlskit.VERIFY_X509_STRICT
    near.verify_flags = lenient | tlskit.VERIFY_X509_STRICT
    error = refused(near, serving(shown), words, hint + STRICT)
    assert error.certificate == (shown if which == "leaf" else middle).der
    near.verify_flags = lenient
    assert connect(near, serving(shown)) == (None, None)  # the way out that the hint names


@pytest.mark.parametrize("rule", DROPPED)
def test_no_longer_strict(root, tmp_path, rule):
    which, how, _, _ = RULES[rule]
    middle = authority(tmp_path, "middle", issuer=root, **(how if which == "middle" else {}))
    shown = issue(tmp_path, "leaf", issuer=middle, **(how if which == "leaf" else {}))
    near = client(root)
    near.verify_flags |= tlskit.VERIFY_X509_STRICT
    assert connect(near, serving(shown)) == (None, None)


@pytest.mark.parametrize("which", [x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier])
def test_critical_extension(root, tmp_path, which):
    refused(
        client(root),
        serving(issue(tmp_path, "leaf", issuer=root, critical={which: True})),
        "unhandled critical extension",
        "The server's certificate ('leaf') has a critical extension that OpenSSL does not know.",
    )


# -- ... and the rules that no CA's software breaks by itself: certificates are made by hand


def usage(**on: bool) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: on.get(name, False) for name in every})


def raw_extension(oid: str, body: str) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), bytes.fromhex(body))


BASIC_CONSTRAINTS, ALTERNATIVES = "2.5.29.19", "2.5.29.17"

#: How the leaf is made, OpenSSL's words, and ours.
ODD_LEAVES: dict[str, tuple[dict[str, Any], str, str]] = {
    "signing key of no CA": (
        {"extra": [usage(key_cert_sign=True, digital_signature=True)]},
        "Key usage keyCertSign invalid for non-CA cert",
        "may sign certificates by its key usage, but is not a CA's (RFC 5280, 4.2.1.9).",
    ),
    "path length of no CA": (
        {
            "without": [x509.BasicConstraints],
            "extra": [raw_extension(BASIC_CONSTRAINTS, "3003020100")],
        },
        "Path length invalid for non-CA cert",
        "has a path length, but is not a CA's (RFC 5280, 4.2.1.9).",
    ),
    "path length without signing": (
        {
            "without": [x509.BasicConstraints],
            "extra": [
                raw_extension(BASIC_CONSTRAINTS, "30060101ff020100"),
                usage(digital_signature=True),
            ],
            "critical": {x509.UnrecognizedExtension: True},
        },
        "Path length given without key usage keyCertSign",
        "has a path length, but may not sign certificates (RFC 5280, 4.2.1.9).",
    ),
    "alternative names": (
        {"names": (), "extra": [raw_extension(ALTERNATIVES, "3000")]},
        "Empty Subject Alternative Name extension",
        "has an empty subjectAltName (RFC 5280, 4.2.1.6).",
    ),
    "no name at all": (
        {"names": (), "subject": ""},
        "Subject name empty",
        "has an empty subject (RFC 5280, 4.1.2.6).",
    ),
}


@pytest.mark.parametrize(("how", "words", "hint"), ODD_LEAVES.values(), ids=ODD_LEAVES)
def test_strict_leaf(root, tmp_path, how, words, hint):
    shown = issue(tmp_path, "leaf", issuer=root, **how)
    near = client(root)
    near.verify_flags |= tlskit.VERIFY_X509_STRICT
    error, _ = connect(near, serving(shown))
    expect_rule(error, shown, words, hint)


def expect_rule(error: Any, shown: Made, words: str, hint: str) -> None:
    assert error.verify_message == words
    check(error, REFUSED + words, "The server's certificate (...) " + hint + STRICT)
    assert error.certificate == shown.der
    assert error.verify_depth == 0


#: An authority key identifier with this inside, since OpenSSL 4.0.
ODD_IDENTIFIERS = {
    "empty": (
        lambda serial: b"",
        "Empty Authority Key Identifier",
        "has an empty authority key identifier",
    ),
    "serial number alone": (
        lambda serial: tlv(0x82, serial),
        "Authority Key Identifier issuer and serial number must be paired",
        "has an authority key identifier with an issuer or a serial number, but not with both",
    ),
}


@pytest.mark.skipif(OPENSSL < (4, 0), reason="these rules came with OpenSSL 4.0")
@pytest.mark.parametrize(
    ("inside", "words", "hint"), ODD_IDENTIFIERS.values(), ids=list(ODD_IDENTIFIERS)
)
def test_strict_authority_key_identifier(root, tmp_path, inside, words, hint):
    number = root.certificate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    how = {
        "without": [x509.AuthorityKeyIdentifier],
        "extra": [raw_extension("2.5.29.35", tlv(0x30, inside(serial)).hex())],
    }
    test_strict_leaf(root, tmp_path, how, words, f"{hint} (RFC 5280, 4.2.1.1).")


def test_strict_issuer(root, tmp_path):
    nameless = authority(tmp_path, "nameless", issuer=root, subject="")
    shown = issue(tmp_path, "leaf", issuer=nameless)
    near = client(root)
    near.verify_flags |= tlskit.VERIFY_X509_STRICT
    error, _ = connect(near, serving(shown))
    expect_rule(error, shown, "Issuer name empty", "names no issuer (RFC 5280, 4.1.2.4).")


@pytest.mark.parametrize(
    ("of", "into", "words", "hint"),
    [
        (
            "a003020102",
            "a003020101",
            "Using cert extension requires at least X509v3",
            "has extensions, but is not of version 3 (RFC 5280, 4.1.2.1)." + STRICT,
        ),
        (
            "2a8648ce3d040302",  # the first: inside of what is signed
            "2a8648ce3d040303",
            "cert info signature and signature algorithm mismatch",
            "names two different signature algorithms (RFC 5280, 4.1.1.2)." + STRICT,
        ),
    ],
    ids=["version", "algorithms"],
)
def test_strict_bytes(root, tmp_path, of, into, words, hint):
    """A certificate that is signed as it is, with one thing in it that no CA would write."""
    made = issue(tmp_path, "leaf", issuer=root)
    body = made.certificate.tbs_certificate_bytes.replace(bytes.fromhex(of), bytes.fromhex(into), 1)
    signature = root.private_key.sign(body, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    der = tlv(0x30, body + algorithm + tlv(0x03, b"\0" + signature))
    made.chain.write_text(stdlib.DER_cert_to_PEM_cert(der))
    near = client(root)
    near.verify_flags |= tlskit.VERIFY_X509_STRICT
    error, _ = connect(near, serving(made))
    assert error.verify_message == words
    check(error, REFUSED + words, "The server's certificate (...) " + hint)
    assert error.certificate == der


def tlv(tag: int, body: bytes) -> bytes:
    size = len(body).to_bytes(2, "big")
    return bytes([tag, 0x82]) + size + body if len(body) > 127 else bytes([tag, len(body)]) + body


# -- what is agreed on -----------------------------------------------------------------------------


def agreed(
    near: Any, far: Any, *, near_says: tuple[str, str] | None, far_says: tuple[str, str] | None
) -> tuple[Any, Any]:
    errors = connect(near, far)
    for error, says in zip(errors, (near_says, far_says), strict=True):
        if says is not None:
            check(error, *says)
    return errors


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_server_too_old(root, tmp_path):
    shown = issue(tmp_path, "leaf", issuer=root)
    far = serving(shown, minimum_version=stdlib.TLSVersion.TLSv1)
    far.maximum_version = stdlib.TLSVersion.TLSv1_1
    near = client(root, minimum_version=tlskit.TLSVersion.TLSv1_2)
    agreed(
        near,
        far,
        near_says=(
            "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version",
            "The server supports none of the protocol versions that this client allows (TLS 1.2 to "
            "TLS 1.3). See context.minimum_version; versions below TLS 1.2 also need "
            "context.security_level = 0.",
        ),
        far_says=None,
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_client_too_old(root, tmp_path):
    shown = issue(tmp_path, "leaf", issuer=root)
    near = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
    near.load_verify_locations(root.chain)
    near.set_ciphers("DEFAULT:@SECLEVEL=0")
    near.minimum_version = stdlib.TLSVersion.TLSv1
    near.maximum_version = stdlib.TLSVersion.TLSv1_1
    agreed(
        near,
        serving(shown, module=tlskit, minimum_version=tlskit.TLSVersion.TLSv1_2),
        near_says=None,
        far_says=(
            "[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol",
            "The client supports none of the protocol versions that this server allows (TLS 1.2 to "
            "TLS 1.3). See context.minimum_version and maximum_version; versions below TLS 1.2 "
            "also need context.security_level = 0.",
        ),
    )


def test_no_shared_cipher(root, tmp_path):
    shown = issue(tmp_path, "leaf", issuer=root)
    near = client(root)
    far = serving(shown, module=tlskit)
    only(TLS12, near, far)
    near.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    far.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    agreed(
        near,
        far,
        near_says=(
            f"[SSL: {HANDSHAKE_FAILURE[0]}] {HANDSHAKE_FAILURE[1]}",
            "The server and this client (TLS 1.2 only) have no cipher suite, group or signature "
            "algorithm in common, or the server wants a client certificate. An old server may need "
            "set_ciphers(), or a lower context.security_level; `tlskit doctor` shows what it "
            "accepts.",
        ),
        far_says=(
            "[SSL: NO_SHARED_CIPHER] no shared cipher",
            "The client offers no cipher suite that this server allows and has the right kind of "
            "certificate for (ECDSA or RSA). See set_ciphers() and security_level.",
        ),
    )


HANDSHAKE_FAILURE = (
    ("TLS_ALERT_HANDSHAKE_FAILURE", "tls alert handshake failure")
    if OPENSSL >= (4, 0)
    else (
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        f"{'ssl/tls' if OPENSSL >= (3, 2) else 'sslv3'} alert handshake failure",
    )
)


def test_server_without_a_certificate(root):
    agreed(
        client(root),
        serving(module=tlskit),
        near_says=None,
        far_says=(
            "[SSL: NO_SHARED_CIPHER] no shared cipher",
            "This server has no certificate, and without one most cipher suites cannot be used. "
            "Call load_cert_chain().",
        ),
    )


def test_no_shared_group(root, tmp_path):
    near, far = client(root), serving(issue(tmp_path, "leaf", issuer=root), module=tlskit)
    near.set_groups("P-256")
    far.set_groups("P-384")
    only(TLS13, near, far)
    agreed(
        near,
        far,
        near_says=None,
        far_says=(
            "[SSL: NO_SUITABLE_KEY_SHARE] no suitable key share",
            "The client and this server have no key exchange group in common. See set_groups(); "
            "X25519 and P-256 are supported nearly everywhere.",
        ),
    )


def test_no_shared_signature_algorithm(root, tmp_path):
    near, far = client(root), serving(issue(tmp_path, "leaf", issuer=root), module=tlskit)
    near.set_server_sigalgs("rsa_pss_rsae_sha256")
    only(TLS13, near, far)
    agreed(
        near,
        far,
        near_says=None,
        far_says=(
            "[SSL: NO_SUITABLE_SIGNATURE_ALGORITHM] no suitable signature algorithm",
            "The client accepts no signature algorithm that fits this side's certificate, or none "
            "that security_level allows. Load a certificate with another key type beside it (ECDSA "
            "P-256 and RSA cover nearly everything), or see set_client_sigalgs() and "
            "set_server_sigalgs().",
        ),
    )


def test_alpn(root, tmp_path):
    near = client(root)
    near.set_alpn_protocols(["h3"])
    with raw_alert(120) as address:
        check(
            fails(near, address),
            "[SSL: TLSV1_ALERT_NO_APPLICATION_PROTOCOL] tlsv1 alert no application protocol",
            "None of the application protocols that this client offers (ALPN) is spoken by the "
            "server. See set_alpn_protocols().",
        )


def test_server_name(root):
    with raw_alert(112) as address:
        check(
            fails(client(root), address),
            "[SSL: TLSV1_UNRECOGNIZED_NAME] tlsv1 unrecognized name",
            "The server does not know the name 'localhost' (SNI). Check server_hostname.",
        )


def test_no_server_name(root):
    with raw_alert(112) as address:
        check(
            fails(client(root, check_hostname=False), address, None),
            "[SSL: TLSV1_UNRECOGNIZED_NAME] tlsv1 unrecognized name",
            "The server wants to be told a name (SNI), and got none. Pass server_hostname.",
        )


def test_internal_error(root):
    with raw_alert(80) as address:
        check(
            fails(client(root), address),
            "[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error",
            "The server failed for a reason of its own. Only its log can tell which.",
        )


# -- the client's certificate ----------------------------------------------------------------------


@pytest.mark.parametrize("module", [tlskit, stdlib], ids=["tlskit", "stdlib"])
def test_no_client_certificate(root, tmp_path, version, module):
    near = client(root)
    far = serving(issue(tmp_path, "leaf", issuer=root), module=module)
    far.verify_mode = module.CERT_REQUIRED
    far.load_verify_locations(root.chain)
    only(version, near, far)
    error, theirs = connect(near, far)
    assert error.alert_received == (116 if version == TLS13 else 40)
    assert error.hint == (
        "The server requires a client certificate, and none was loaded. Load one with "
        "load_cert_chain() before you connect."
    )
    if module is tlskit:
        check(
            theirs,
            "[SSL: PEER_DID_NOT_RETURN_A_CERTIFICATE] peer did not return a certificate",
            "This server requires a client certificate (CERT_REQUIRED), and the client sent none. "
            "It has to load one, issued by an authority that this server trusts.",
        )


@pytest.mark.skipif(
    sys.platform == "win32", reason="a pair of sockets is TCP there, and a write succeeds"
)
def test_refused_late(root, tmp_path):
    """With TLS 1.3 a client hears after its handshake that the server does not let it in. A write
    that meets the closed connection first says why, and so does the read after it.
    """
    far = serving(issue(tmp_path, "leaf", issuer=root), module=tlskit)
    far.verify_mode = tlskit.CERT_REQUIRED
    one, other = socket.socketpair()
    accepting = Background(lambda: far.wrap_socket(other, server_side=True))
    with client(root).wrap_socket(one, server_hostname="localhost") as tls:
        assert isinstance(accepting.error, tlskit.SSLError)
        other.close()
        with pytest.raises(BrokenPipeError) as caught:
            tls.sendall(b"x")
        assert caught.value.alert_received == 116
        assert caught.value.hint.startswith("The server requires a client certificate, and none")
        assert str(caught.value).endswith(caught.value.hint)
        for _ in range(2):
            with pytest.raises(tlskit.SSLError) as told:
                tls.recv(1)
            assert told.value.alert_received == 116


def test_client_certificate_of_a_stranger(root, tmp_path, version):
    stranger = authority(tmp_path, "Stranger")
    shown = issue(tmp_path, "me", issuer=stranger)
    near = client(root)
    near.load_cert_chain(shown.chain, shown.key)
    far = serving(issue(tmp_path, "leaf", issuer=root), module=tlskit)
    far.verify_mode = tlskit.CERT_REQUIRED
    far.load_verify_locations(root.chain)
    only(version, near, far)
    error, theirs = connect(near, far)
    assert error.hint == (
        "The server does not trust the authority that issued this client's certificate, or misses "
        "an intermediate: give load_cert_chain() the whole chain, or the server that CA."
    )
    assert theirs.hint.startswith(
        "The client sent its own certificate alone, and its issuer 'Stranger' is not among"
    )
    assert theirs.peer_chain == (shown.der,)


def test_expired_client_certificate(root, tmp_path, version):
    shown = issue(tmp_path, "me", issuer=root, begins=-9 * DAY, ends=-2 * DAY)
    near = client(root)
    near.load_cert_chain(shown.chain, shown.key)
    far = serving(issue(tmp_path, "leaf", issuer=root), module=tlskit)
    far.verify_mode = tlskit.CERT_REQUIRED
    far.load_verify_locations(root.chain)
    only(version, near, far)
    error, theirs = connect(near, far)
    assert error.hint == (
        "The server refused this client's certificate: it has expired, or is not valid yet."
    )
    assert theirs.hint.startswith("The client's certificate ('me') expired on ")


def test_the_client_refuses_the_server(root, tmp_path):
    shown = issue(tmp_path, "leaf")
    near = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
    near.load_verify_locations(root.chain)
    _, theirs = connect(near, serving(shown, module=tlskit))
    assert theirs.hint == (
        "The client does not trust the authority that issued this server's certificate, or misses "
        "an intermediate: give load_cert_chain() the whole chain, or the client that CA."
    )


# -- pre-shared keys -------------------------------------------------------------------------------


def with_keys(client_key: bytes, server_key: bytes, version: Any) -> tuple[Any, Any]:
    near = client(check_hostname=False, verify_mode=tlskit.CERT_NONE)
    far = serving(module=tlskit)
    for context in (near, far):
        context.set_ciphers("PSK")
    near.set_psk_client_callback(lambda hint: ("me", client_key))
    far.set_psk_server_callback(lambda identity: server_key)
    only(version, near, far)
    return connect(near, far)


@pytest.mark.skipif(not tlskit.HAS_PSK, reason="this OpenSSL has no pre-shared keys")
def test_other_key():
    error, theirs = with_keys(b"k" * 32, b"other" * 6, TLS13)
    assert theirs.hint == (
        "The client's proof that it knows the pre-shared key is wrong: both sides have different "
        "keys for that identity."
    )
    assert error.hint


@pytest.mark.skipif(not tlskit.HAS_PSK, reason="this OpenSSL has no pre-shared keys")
def test_unknown_identity():
    error, theirs = with_keys(b"k" * 32, b"", TLS12)
    assert error.hint == (
        "The server does not know the pre-shared key's identity that this client sent. Both sides "
        "have to be given the same identity and key."
    )
    assert theirs.hint == (
        "This server has no key for the identity that the client sent: the server's callback "
        "returned an empty key."
    )


# -- peers that do not speak TLS, or stop speaking it ----------------------------------------------


@contextlib.contextmanager
def peer(talk: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """A server on loopback that does this with its one connection, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def serve() -> None:
            plain, _ = listener.accept()
            with plain, contextlib.suppress(ConnectionError):  # the client need not be polite
                plain.settimeout(PATIENCE)
                talk(plain)

        serving_ = Background(serve)
        yield listener.getsockname()
        serving_.result()


def raw_alert(description: int) -> Any:
    def talk(plain: socket.socket) -> None:
        plain.recv(65536)
        plain.sendall(raw.alert(raw.FATAL, description))

    return peer(talk)


def fails(
    context: Any, address: Any, hostname: str | None = "localhost", timeout: float = PATIENCE
) -> Any:
    with (
        socket.create_connection(address, timeout=timeout) as plain,
        pytest.raises(OSError, match=r"\. [A-Z]") as caught,
    ):
        context.wrap_socket(plain, server_hostname=hostname)
    return caught.value


GREETINGS = {
    b"HTTP/1.1 400 Bad Request\r\n\r\n": "The server answered in plain HTTP: this port does not "
    "speak TLS. Use http:// here, or connect to the server's TLS port (443 for https).",
    b"220 mail.example ESMTP Postfix\r\n": "The server greets in plain text, as an SMTP server "
    "does. On this port TLS begins with STARTTLS: use smtplib.SMTP.starttls(context=...), or "
    "connect to the port where TLS begins at once (465).",
    b"220 (vsFTPd 3.0.3)\r\n": "The server greets in plain text, as an FTP server does. On this "
    "port TLS begins with AUTH TLS: use ftplib.FTP_TLS(context=...), or connect to the port where "
    "TLS begins at once (990).",
    b"* OK IMAP4rev1 ready\r\n": "The server greets in plain text, as an IMAP server does. On this "
    "port TLS begins with STARTTLS: use imaplib.IMAP4.starttls(ssl_context=...), or connect to the "
    "port where TLS begins at once (993).",
    b"+OK POP3 ready\r\n": "The server greets in plain text, as an POP3 server does. On this port "
    "TLS begins with STLS: use poplib.POP3.stls(context=...), or connect to the port where TLS "
    "begins at once (995).",
    b"SSH-2.0-OpenSSH_9.2\r\n": "The server greets as an SSH server does: this port speaks SSH, "
    "not TLS.",
    b"<?xml version='1.0'?><stream:stream>": "The server answered in XML, as an XMPP server does. "
    "On this port TLS begins with <starttls/>: negotiate it first, or connect to the port where "
    "TLS begins at once (5223).",
    b"J\x00\x00\x00\x0a8.0.36\x00": "The server greets as a MySQL server does: there TLS begins "
    "inside the protocol. Give the context to the database driver instead.",
    b"-ERR unknown command\r\n": "The server answered as Redis does: this port speaks plain RESP. "
    "Use the port that `tls-port` names in its configuration.",
    b"what is this?\r\n": "What the server sent is not TLS. Check the port; does this one want "
    "another protocol, or a STARTTLS command first?",
}


@pytest.mark.parametrize(("greeting", "hint"), GREETINGS.items(), ids=map(repr, GREETINGS))
def test_plain_server(root, greeting, hint):
    def talk(plain: socket.socket) -> None:
        plain.recv(65536)
        plain.sendall(greeting)
        plain.recv(65536)

    with peer(talk) as address:
        error = fails(client(root), address)
    assert error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG")
    assert error.hint == hint
    assert str(error).startswith(f"[SSL: {error.reason}] ")


def test_plain_server_in_memory(root):
    incoming = tlskit.MemoryBIO()
    near = client(root).wrap_bio(incoming, tlskit.MemoryBIO(), server_hostname="localhost")
    with pytest.raises(tlskit.SSLWantReadError) as waits:
        near.do_handshake()
    assert not hasattr(waits.value, "hint")
    incoming.write(b"220 mail.example ESMTP Postfix\r\n")
    with pytest.raises(tlskit.SSLError) as caught:
        near.do_handshake()
    assert "as an SMTP server does" in caught.value.hint


REQUESTS = {
    b"GET / HTTP/1.1\r\n\r\n": "The client speaks plain HTTP to this TLS port. Its URL has to "
    "begin "
    "with https://.",
    b"CONNECT a:443 HTTP/1.1\r\n\r\n": "The client speaks to this TLS port as to a plain HTTP "
    "proxy "
    "(CONNECT). Set its proxy's URL to https://, or let it use the port without TLS.",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": "The client speaks HTTP/2 without TLS (h2c) to this TLS "
    "port. Its URL has to begin with https://.",
    b"EHLO client\r\n": "The client speaks plain text to a port where TLS begins at once. Let "
    "it use "
    "TLS from the start (SMTP_SSL, IMAP4_SSL, POP3_SSL), or serve it on a STARTTLS port.",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n": "A load balancer's PROXY header came before the TLS "
    "handshake. Read it from the plain socket before you wrap it.",
    b"SSH-2.0-Go\r\n": "An SSH client has come to this TLS port.",
    b"\x00\x00\x00\x08\x04\xd2\x16\x2f": "A PostgreSQL client has sent its SSLRequest to a port "
    "where "
    "TLS begins at once.",
}


@pytest.mark.parametrize(("request_", "hint"), REQUESTS.items(), ids=map(repr, REQUESTS))
def test_plain_client(pki, request_, hint):
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(PATIENCE)
        far.settimeout(PATIENCE)
        near.sendall(request_)
        near.shutdown(socket.SHUT_WR)
        with pytest.raises(tlskit.SSLError) as caught:
            server_context(pki).wrap_socket(far, server_side=True)
    assert caught.value.hint == hint


def test_server_hangs_up_at_once(root):
    with peer(lambda plain: plain.recv(65536) and None) as address:
        error = fails(client(root), address)
    assert type(error) is tlskit.SSLEOFError
    assert error.hint == (
        "The server closed the connection without any answer to the ClientHello. It may not speak "
        "TLS on this port, or a proxy or firewall in between refuses the connection or the server "
        "name."
    )
    assert "EOF occurred in violation of protocol. The server closed" in str(error)


def test_server_hangs_up_in_the_middle(root):
    def talk(plain: socket.socket) -> None:
        plain.recv(65536)
        plain.sendall(raw.record(raw.HANDSHAKE, b"\x02\x00\x00\x50" + bytes(20)))

    with peer(talk) as address:
        assert fails(client(root), address).hint == (
            "The server closed the connection in the middle of the handshake. Only its log can "
            "tell why; a server that wants a client certificate may do this too."
        )


@raw.needs_resets
def test_reset(root):
    def talk(plain: socket.socket) -> None:
        plain.recv(65536)
        raw.reset(plain)

    with peer(talk) as address:
        error = fails(client(root), address)
    assert type(error) is ConnectionResetError
    assert error.hint == (
        "The server, or a firewall on the way, reset the connection without any answer to the "
        "ClientHello. It may not speak TLS on this port, or the server name is blocked."
    )
    assert re.match(r"\[Errno \d+\] Connection reset by peer\. The server, or", str(error))


def test_no_answer(root):
    def talk(plain: socket.socket) -> None:
        while plain.recv(65536):
            pass

    with peer(talk) as address:
        error = fails(client(root), address, timeout=0.05)
    assert type(error) is TimeoutError
    assert str(error) == f"The handshake operation timed out. {error.hint}"
    assert error.hint == (
        "The server accepted the connection, but did not answer the ClientHello in time. The port "
        "may speak another protocol, or something on the way drops large ClientHellos "
        "(post-quantum key shares make them larger than a packet)."
    )


def test_client_goes_away(pki):
    near, far = socket.socketpair()
    near.close()
    with far, pytest.raises(tlskit.SSLEOFError) as caught:
        server_context(pki).wrap_socket(far, server_side=True)
    assert caught.value.hint == (
        "The client went away in the handshake: it may have refused this server's certificate "
        "without a word, or only probed the port."
    )


def test_client_is_silent(pki):
    near, far = socket.socketpair()
    far.settimeout(0.05)
    with near, far, pytest.raises(TimeoutError) as caught:
        server_context(pki).wrap_socket(far, server_side=True)
    assert caught.value.hint == (
        "The client did not finish the handshake in time: it has sent nothing."
    )


def test_truncated(pki, version):
    near, far = client_context(pki), server_context(pki)
    only(version, near, far)
    one, other = socket.socketpair()
    accepting = Background(lambda: far.wrap_socket(other, server_side=True))
    with near.wrap_socket(one, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
        served = accepting.result()
        socket.socket(fileno=served.detach()).close()
        with pytest.raises(tlskit.SSLEOFError) as caught:
            tls.recv(1)
    assert caught.value.hint == (
        "The server ended the connection without a close_notify: what came before may be cut "
        "short. If the application protocol marks the end of its data, suppress_ragged_eofs "
        "or OP_IGNORE_UNEXPECTED_EOF makes this the end of the stream."
    )


def test_changed_on_the_way(pki, version):
    near, far = client_context(pki), server_context(pki)
    only(version, near, far)
    to_client = tlskit.MemoryBIO()
    to_server = tlskit.MemoryBIO()
    one = near.wrap_bio(to_client, to_server, server_hostname="localhost")
    other = far.wrap_bio(to_server, to_client, server_side=True)
    from ..support.pairs import shake, take_tickets

    shake(one, other)
    take_tickets(one)
    one.write(b"data")
    to_server.write(raw.flipped(to_server.read()))
    with pytest.raises(tlskit.SSLError) as caught:
        other.read(4)
    assert caught.value.hint == (
        "What came from the client does not decrypt: bytes were changed or lost on the way, or "
        "another part of the program reads from or writes to the socket beside TLS."
    )
    with pytest.raises(tlskit.SSLError) as told:
        one.read(1)
    assert told.value.reason == alert_reason("BAD_RECORD_MAC")
    assert told.value.hint.startswith("The server could not decrypt what it received")


def test_plain_text_after_the_handshake(pki, version):
    near, far = client_context(pki), server_context(pki)
    only(version, near, far)
    with raw_pair(near, far) as (tls, plain):
        plain.sendall(b"220 back to plain text\r\n")
        with pytest.raises(tlskit.SSLError) as caught:
            tls.recv(1)
    assert caught.value.hint == (
        "What the server sent after the handshake is not TLS: it, or somebody on the way, went on "
        "in plain text, or another part of the program reads from the socket."
    )


@contextlib.contextmanager
def raw_pair(near: Any, far: Any) -> Iterator[tuple[Any, socket.socket]]:
    """A client after its handshake, and the plain socket at the other end."""
    one, other = socket.socketpair()
    accepting = Background(lambda: far.wrap_socket(other, server_side=True))
    with (
        near.wrap_socket(one, server_hostname="localhost") as tls,
        socket.socket(fileno=accepting.result().detach()) as plain,
    ):
        yield tls, plain


def test_old_renegotiation(root):
    near = client(root)
    with legacy_server() as address:
        assert fails(near, address).hint == (
            "The server does not support secure renegotiation (RFC 5746), which OpenSSL 3 "
            "requires. If it cannot be updated, context.options |= OP_LEGACY_SERVER_CONNECT "
            "accepts it."
        )


def legacy_server() -> Any:
    """A ServerHello of TLS 1.2 without the renegotiation_info extension."""

    def talk(plain: socket.socket) -> None:
        hello = plain.recv(65536)
        session = hello[44 : 44 + hello[43]]
        body = b"\x03\x03" + bytes(32) + bytes([len(session)]) + session + b"\xc0\x2f\x00"
        message = b"\x02" + len(body).to_bytes(3, "big") + body
        plain.sendall(raw.record(raw.HANDSHAKE, message))
        plain.recv(65536)

    return peer(talk)


# -- what holds for all of them --------------------------------------------------------------------


def test_an_error_without_a_connection(tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    with pytest.raises(tlskit.SSLError) as caught:
        context.load_cert_chain(empty)
    assert caught.value.hint.startswith("There is no PEM block of the kind that is needed")


def test_hint_survives_pickling(root, tmp_path):
    import pickle

    error, _ = connect(client(root), serving(issue(tmp_path, "leaf")))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.hint == error.hint


def test_nothing_is_explained_while_all_goes_well(contexts, monkeypatch):
    from tlskit._core import diagnosis

    def explain(*_: Any) -> None:
        raise AssertionError("nothing has failed")

    monkeypatch.setattr(diagnosis, "_hint", explain)
    near, far = memory_pair(*contexts)
    near.write(b"x")
    assert far.read(1) == b"x"
    with pytest.raises(tlskit.SSLWantReadError):
        far.read(1)


def test_every_alert_of_the_handshake_has_a_hint(root):
    """Whatever a server refuses with, the client is told what that means."""
    for alert in stdlib._TLSAlertType:
        if alert.name in ("CLOSE_NOTIFY", "NO_RENEGOTIATION", *GONE):
            continue
        with raw_alert(alert.value) as address:
            assert fails(client(root), address).hint, alert


GONE = (
    "DECRYPTION_FAILED", "DECOMPRESSION_FAILURE", "NO_CERTIFICATE", "EXPORT_RESTRICTION",
    "CERTIFICATE_UNOBTAINABLE", "BAD_CERTIFICATE_STATUS_RESPONSE", "BAD_CERTIFICATE_HASH_VALUE",
)  # fmt: skip


def test_pki_still_works(pki: PKI, version: Any) -> None:
    assert connect(client(pki.root), server_context(pki)) == (None, None)
