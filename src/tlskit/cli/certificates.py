"""A server's certificates as the command line shows them: as text, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from ssl import cert_time_to_seconds
from typing import Any

from .._core.certificate import SHORT_NAMES, Certificate
from .._core.der import split

_BASIC_CONSTRAINTS, _ALTERNATIVE_NAMES = b"\x55\x1d\x13", b"\x55\x1d\x11"  # their OIDs
_BOOLEAN, _EXTENSIONS = 0x01, 0xA3  # tags


def distinguished(name: Iterable[Iterable[tuple[str, str]]]) -> str:
    """Return a subject or an issuer on one line; "-" for an empty one."""
    parts = [f"{SHORT_NAMES.get(kind, kind)}={value}" for rdn in name for kind, value in rdn]
    return ", ".join(parts) or "-"


@dataclass(frozen=True)
class Shown:
    """A certificate and its description.

    Attributes:
        der: the certificate itself.
        fields: in the format of `getpeercert`.
        key: the type of its key, with its size or group.
        bits: the size of the key.
        signature: the algorithm that it is signed with.
        authority: whether it may sign others.
    """

    der: bytes
    fields: dict[str, Any]
    key: str
    bits: int | None
    signature: str | None
    authority: bool

    @property
    def subject(self) -> str:
        """Its subject, or, if that is empty, the first of its names."""
        names = self.names
        return (
            distinguished(self.fields.get("subject", ()))
            if self.has_subject
            else ", ".join(names[:1]) or "-"
        )

    @property
    def has_subject(self) -> bool:
        return bool(self.fields.get("subject"))

    @property
    def issuer(self) -> str:
        return distinguished(self.fields.get("issuer", ()))

    @property
    def names(self) -> list[str]:
        """Return the host names and addresses that it is valid for."""
        found = self.fields.get("subjectAltName", ())
        return [str(value) for kind, value in found if kind in ("DNS", "IP Address")]

    @property
    def self_issued(self) -> bool:
        return self.fields.get("subject") == self.fields.get("issuer")

    def issued(self, other: Shown) -> bool:
        """Return whether the other certificate names this one as its issuer."""
        return bool(other.fields.get("issuer") == self.fields.get("subject"))

    @property
    def begins(self) -> datetime:
        return _date(self.fields["notBefore"])

    @property
    def ends(self) -> datetime:
        return _date(self.fields["notAfter"])

    @property
    def leniencies(self) -> list[str]:
        """Why OpenSSL before 4.0 rejects it under VERIFY_X509_STRICT, although 4.0 accepts it."""
        critical = _criticality(self.der)
        found = []
        if self.authority and not critical.get(_BASIC_CONSTRAINTS, True):
            found.append("does not mark its basic constraints as critical (RFC 5280, 4.2.1.9)")
        if not self.has_subject and not critical.get(_ALTERNATIVE_NAMES, True):
            found.append(
                "has an empty subject, and does not mark its subjectAltName as critical (RFC 5280, "
                "4.2.1.6)"
            )
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "names": self.names,
            "serial": self.fields.get("serialNumber"),
            "not_before": self.begins.isoformat(),
            "not_after": self.ends.isoformat(),
            "key": self.key,
            "key_bits": self.bits,
            "signature_algorithm": self.signature,
            "authority": self.authority,
            "pem": Certificate.from_der(self.der).public_bytes(),
        }


def shown(ders: Sequence[bytes]) -> list[Shown]:
    """Describe these certificates, in their order."""
    return [_shown(Certificate.from_der(der)) for der in ders]


def _shown(certificate: Certificate) -> Shown:
    summary = certificate.summary
    size = summary.group or (f"{summary.bits} bits" if summary.bits else "")
    key = " ".join(filter(None, (summary.type or "unknown", size)))
    return Shown(
        certificate.der, certificate.fields(), key, summary.bits, summary.signature,
        summary.authority,
    )  # fmt: skip


def _criticality(der: bytes) -> dict[bytes, bool]:
    """Return whether each extension of a certificate is critical, by the bytes of its OID."""
    body = next(split(_inside(der)))
    found = {}
    for part in split(_inside(body)):
        if part[0] == _EXTENSIONS:
            for extension in split(_inside(_inside(part))):
                oid, second, *_ = split(_inside(extension))
                found[_inside(oid)] = second[0] == _BOOLEAN and second[-1] != 0
    return found


def _inside(encoded: bytes) -> bytes:
    """Return the contents of a value in DER."""
    return encoded[2 + (encoded[1] & 0x7F if encoded[1] & 0x80 else 0) :]


def _date(text: str) -> datetime:
    return datetime.fromtimestamp(cert_time_to_seconds(text), timezone.utc)
