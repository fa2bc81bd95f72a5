"""An authority that issues certificates of many kinds, and revokes them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from ..support.pki import Identity


class Authority:
    """A root with the means to make odd certificates and to revoke them."""

    def __init__(self, folder: Path, name: str = "An authority") -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._build(self.name, self.key.public_key(), authority=True)
        self.root = folder / f"{name}.pem"
        self.root.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self._issued = 0

    def issue(
        self,
        *names: str,
        bits: int = 0,
        not_after: datetime.datetime | None = None,
        common_name: str | None = None,
    ) -> tuple[Identity, x509.Certificate]:
        """A certificate for DNS names; with an RSA key when `bits` are given."""
        key: Any = (
            rsa.generate_private_key(65537, bits)
            if bits
            else ec.generate_private_key(ec.SECP256R1())
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or "A server")])
        certificate = self._build(subject, key.public_key(), names=names, not_after=not_after)
        self._issued += 1
        paths = [
            self.folder / f"leaf{self._issued}.{part}.pem" for part in ("chain", "key", "both")
        ]
        text = certificate.public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        for path, content in zip(paths, (text, secret, secret + text), strict=True):
            path.write_bytes(content)
        return Identity(*paths), certificate

    def revoke(self, *certificates: x509.Certificate) -> Path:
        """A file with the list of what is revoked; the longer list is the newer one, which
        counts.
        """
        now = datetime.datetime.now(datetime.timezone.utc)
        made = now - datetime.timedelta(days=1) + datetime.timedelta(hours=len(certificates))
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(made)
        builder = builder.next_update(now + datetime.timedelta(days=30))
        builder = builder.add_extension(x509.CRLNumber(1 + len(certificates)), critical=False)
        for certificate in certificates:
            one = (
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(now)
            )
            builder = builder.add_revoked_certificate(one.build())
        path = self.folder / f"revoked{len(certificates)}.crl.pem"
        path.write_bytes(
            builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _build(
        self,
        subject: x509.Name,
        key: Any,
        *,
        names: tuple[str, ...] = (),
        authority: bool = False,
        not_after: datetime.datetime | None = None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
        )
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(
            now - datetime.timedelta(days=1)
        )
        builder = builder.not_valid_after(not_after or now + datetime.timedelta(days=30))
        builder = builder.add_extension(
            x509.BasicConstraints(ca=authority, path_length=None), critical=True
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
            )
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key), critical=False
        )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
            critical=False,
        )
        if authority:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self.key, hashes.SHA256())
