"""Certificates with something special about them, which trustme does not make: their key, digest,
dates, or an extension that is missing or wrong.

    root = authority(folder, "root")
    shown = issue(folder, "leaf", issuer=root, digest=hashes.SHA512())
    shown.chain, shown.key          # files, for load_cert_chain; `shown.root` for the client
"""

from __future__ import annotations

import datetime
import importlib
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .pki import Identity

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
KEYS: dict[str, Callable[[], Any]] = {
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "mldsa44": lambda: _ml_dsa("MLDSA44PrivateKey"),
    "mldsa65": lambda: _ml_dsa("MLDSA65PrivateKey"),
    "mldsa87": lambda: _ml_dsa("MLDSA87PrivateKey"),
}
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)


def _ml_dsa(kind: str) -> Any:
    """Newer versions of cryptography have them."""
    module = importlib.import_module("cryptography.hazmat.primitives.asymmetric.mldsa")
    return getattr(module, kind).generate()


@dataclass(frozen=True)
class Made:
    """A certificate, its key, and the files that hold them."""

    certificate: x509.Certificate
    private_key: Any
    above: tuple[x509.Certificate, ...]
    identity: Identity = field(repr=False)

    @property
    def chain(self) -> Path:
        return self.identity.chain

    @property
    def key(self) -> Path:
        return self.identity.key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return _key_pem(self.private_key)


def authority(folder: Path, name: str, *, issuer: Made | None = None, **changes: Any) -> Made:
    """A CA: a root of its own, or below `issuer`."""
    return issue(folder, name, issuer=issuer, ca=True, names=(), **changes)


def issue(
    folder: Path,
    name: str,
    *,
    issuer: Made | None = None,
    ca: bool = False,
    key: str = "ec",
    digest: Any = None,
    rsa_padding: Any = None,
    names: Iterable[str] = ("localhost", "127.0.0.1"),
    begins: datetime.timedelta = -DAY,
    ends: datetime.timedelta = 30 * DAY,
    usages: Iterable[x509.ObjectIdentifier] = (
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    ),
    subject: str | None = None,
    without: Iterable[type[x509.ExtensionType]] = (),
    critical: dict[type[x509.ExtensionType], bool] | None = None,
    extra: Iterable[x509.ExtensionType] = (),
    path_length: int | None = None,
    send: bool = True,
) -> Made:
    """A certificate signed by `issuer`, or by itself.

    Args:
        ca: whether it may sign others.
        key: one of KEYS.
        digest: of its signature; SHA-256 by default.
        begins, ends: its dates, from now on.
        usages: its extended key usages.
        subject: its common name; "" for an empty subject; its file's name by default.
        without: extensions to leave out.
        critical: extensions to mark as critical, or not to, against their nature.
        extra: further extensions.
        send: whether the chain's file holds the intermediates too.
    """
    private = KEYS[key]()
    common = name if subject is None else subject
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])
    signer = private if issuer is None else issuer.private_key
    above = () if issuer is None else (issuer.certificate, *issuer.above)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named if issuer is None else issuer.certificate.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
    )
    extensions: list[tuple[Any, bool]] = [
        (x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
        (x509.BasicConstraints(ca, path_length if ca else None), True),
    ]
    if ca:
        extensions.append((_usage(key_cert_sign=True, crl_sign=True), True))
    elif usages:
        extensions.append((x509.ExtendedKeyUsage(list(usages)), False))
    if alternatives := [_name(text) for text in names]:
        extensions.append((x509.SubjectAlternativeName(alternatives), not common))
    replaced = {type(one) for one in extra}
    changes = critical or {}
    for extension, by_nature in extensions:
        if type(extension) not in replaced and type(extension) not in tuple(without):
            builder = builder.add_extension(extension, changes.get(type(extension), by_nature))
    for extension in extra:
        builder = builder.add_extension(extension, changes.get(type(extension), False))
    signed = builder.sign(signer, _digest(signer, digest), **_padding(rsa_padding))
    return _kept(folder, name, signed, private, above, send)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _digest(signer: Any, digest: Any) -> Any:
    kind = type(signer).__name__
    if kind.startswith(("Ed", "MLDSA")):  # the digest is part of the algorithm
        return None
    return digest or hashes.SHA256()


def _padding(rsa_padding: Any) -> dict[str, Any]:
    return {} if rsa_padding is None else {"rsa_padding": rsa_padding}


def _usage(**on: bool) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: on.get(name, False) for name in every})


def _kept(
    folder: Path,
    name: str,
    signed: x509.Certificate,
    private: Any,
    above: tuple[x509.Certificate, ...],
    send: bool,
) -> Made:
    pem = serialization.Encoding.PEM
    shown = [signed, *(c for c in above if c.subject != c.issuer)] if send else [signed]
    chain, key, both = (folder / f"{name}.{end}" for end in ("chain.pem", "key.pem", "pem"))
    chain.write_bytes(b"".join(c.public_bytes(pem) for c in shown))
    key.write_bytes(_key_pem(private))
    both.write_bytes(key.read_bytes() + chain.read_bytes())
    return Made(signed, private, above, Identity(chain, key, both))


def _key_pem(private: Any) -> bytes:
    kind = serialization.PrivateFormat.PKCS8
    pem: bytes = private.private_bytes(
        serialization.Encoding.PEM, kind, serialization.NoEncryption()
    )
    return pem
