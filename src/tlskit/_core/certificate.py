"""The owner of an X509, and the dictionary that getpeercert() returns."""

from __future__ import annotations

from collections.abc import Iterator
from ssl import DER_cert_to_PEM_cert
from sys import byteorder

from .fault import from_queue
from .native import ffi, lib, listed, owned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from .._frozen import NamedTuple

_GENERAL_NAMES = {
    lib.TK_X509_ALT_EMAIL: "email",
    lib.TK_X509_ALT_DNS: "DNS",
    lib.TK_X509_ALT_URI: "URI",
    lib.TK_X509_ALT_RID: "Registered ID",
}
_LINKS = {
    lib.TK_X509_OCSP: "OCSP",
    lib.TK_X509_CA_ISSUERS: "caIssuers",
    lib.TK_X509_CRL_POINT: "crlDistributionPoints",
}
_TEXTS = {
    lib.TK_X509_SERIAL: "serialNumber",
    lib.TK_X509_NOT_BEFORE: "notBefore",
    lib.TK_X509_NOT_AFTER: "notAfter",
}
_ORDER = (
    "subject", "issuer", "version", "serialNumber", "notBefore", "notAfter", "subjectAltName",
    "OCSP", "caIssuers", "crlDistributionPoints"
)  # fmt: skip

#: The short names of attributes (RFC 4514, 3).
SHORT_NAMES = {
    "commonName": "CN", "countryName": "C", "localityName": "L", "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
}  # fmt: skip


class KeySummary(NamedTuple):
    """A certificate's key and signature, by OpenSSL's names."""

    type: str | None
    group: str | None
    signature: str | None
    bits: int | None
    authority: bool


_KNOWN_MOST = 64
_known_fields: dict[bytes, dict[str, Any]] = {}  # of the most recent certificates, by their DER

_SUMMARY = (lib.TK_KEY_TYPE, lib.TK_KEY_GROUP, lib.TK_KEY_SIGNATURE)


class Certificate:
    """An X.509 certificate. Immutable; any thread may use it."""

    __slots__ = ("_x509", "der")

    der: bytes

    def __init__(self, x509: Any) -> None:
        self._x509 = owned(x509, lib.tk_x509_free)
        self.der = next(body for _, body in listed(lambda out: lib.tk_x509_der(self._x509, out)))

    @classmethod
    def from_der(cls, der: bytes) -> Certificate:
        """Parse a certificate in DER; raise SSLError if it is not one."""
        fault = ffi.new("tk_fault *")
        return cls._read(lib.tk_x509_from_der(der, len(der), fault), fault)

    @classmethod
    def from_pem(cls, pem: bytes | bytearray) -> Certificate:
        """Parse the first certificate in PEM; raise SSLError if there is none."""
        fault = ffi.new("tk_fault *")
        return cls._read(lib.tk_x509_from_pem(ffi.from_buffer(pem), len(pem), fault), fault)

    @classmethod
    def _read(cls, x509: Any, fault: Any) -> Certificate:
        if x509 == ffi.NULL:
            raise from_queue(fault)
        return cls(x509)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    @property
    def public_key(self) -> bytes:
        """Return the public key as a SubjectPublicKeyInfo in DER. Corresponds to
        X509_get_X509_PUBKEY(3).
        """
        return next(body for _, body in listed(lambda out: lib.tk_x509_public_key(self._x509, out)))

    @property
    def end_point(self) -> bytes | None:
        """The digest for the channel binding tls-server-end-point; None if RFC 5929, 4.1 leaves it
        undefined. Corresponds to X509_digest(3).
        """
        into = ffi.new("char[]", 64)
        return bytes(ffi.buffer(into, lib.tk_x509_end_point(self._x509, into))) or None

    @property
    def rfc4514(self) -> str:
        """Return its subject in the notation of RFC 4514. Corresponds to X509_NAME_print_ex(3)."""
        found = (text for _, text in listed(lambda out: lib.tk_x509_rfc4514(self._x509, out)))
        return next(found, b"").decode("utf-8", "replace")

    @property
    def must_staple(self) -> bool:
        """Whether it requires its server to staple an OCSP response (RFC 7633)."""
        return bool(lib.tk_x509_must_staple(self._x509))

    @property
    def summary(self) -> KeySummary:
        """Return the types of its key and its signature."""
        found = dict(listed(lambda out: lib.tk_x509_summary(self._x509, out)))
        bits = found.get(lib.TK_KEY_BITS)
        kind, group, signature = (found.get(tag, b"").decode() or None for tag in _SUMMARY)
        return KeySummary(
            kind,
            group,
            signature,
            bits=None if bits is None else int.from_bytes(bits, byteorder, signed=True),
            authority=lib.TK_KEY_CA in found,
        )

    def public_bytes(self, encoding: int = 1, /) -> str | bytes:
        """Return the certificate as PEM (1) or DER (2), as the stdlib's private Certificate
        does.
        """
        return DER_cert_to_PEM_cert(self.der) if encoding == 1 else self.der

    def __repr__(self) -> str:
        subject = ", ".join(
            f"{SHORT_NAMES.get(kind, kind)}={value}"
            for part in self.fields().get("subject", ())
            for kind, value in part
        )
        return f"<{type(self).__name__} {subject!r}>"

    def get_info(self) -> dict[str, Any]:
        """Return `fields()`, under the stdlib's private name."""
        return self.fields()

    def fields(self) -> dict[str, Any]:
        """Return the fields in the format of `ssl.SSLSocket.getpeercert`."""
        return _known(self.der, self._x509)


def fields_of(der: bytes) -> dict[str, Any]:
    """Return the fields of a certificate in DER; raise SSLError if it is not one."""
    return _known(der, None)


def _known(der: bytes, x509: Any) -> dict[str, Any]:
    try:
        known = _known_fields[der]  # not `get`, which takes a lock without the GIL
    except KeyError:
        if x509 is None:
            return Certificate.from_der(der).fields()
        fault = ffi.new("tk_fault *")
        known = _fields(list(listed(lambda out: lib.tk_x509_fields(x509, out, fault))))
        while len(_known_fields) >= _KNOWN_MOST:
            _known_fields.pop(next(iter(_known_fields)), None)
        _known_fields[der] = known
    return known.copy()


def dated(entries: list[tuple[int, bytes]]) -> dict[str, Any] | None:
    """Return the issuer and the dates of something that an authority has signed; None without
    entries.
    """
    if not entries:
        return None
    found: dict[str, Any] = {_TEXTS[tag]: body.decode() for tag, body in entries if tag in _TEXTS}
    found["issuer"] = _name(
        entries, lib.TK_X509_ISSUER_RDN, lib.TK_X509_ISSUER_NAME, lib.TK_X509_ISSUER_VALUE
    )
    return found


def _fields(entries: list[tuple[int, bytes]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "subject": _name(
            entries, lib.TK_X509_SUBJECT_RDN, lib.TK_X509_SUBJECT_NAME, lib.TK_X509_SUBJECT_VALUE
        ),
        "issuer": _name(
            entries, lib.TK_X509_ISSUER_RDN, lib.TK_X509_ISSUER_NAME, lib.TK_X509_ISSUER_VALUE
        ),
    }
    for tag, body in entries:
        if tag in _TEXTS:
            found[_TEXTS[tag]] = body.decode()
        elif tag in _LINKS:
            found.setdefault(_LINKS[tag], []).append(body.decode("utf-8", "replace"))
        elif tag == lib.TK_X509_VERSION:
            found["version"] = memoryview(body).cast("i")[0]
    if any(tag == lib.TK_X509_ALT_BEGIN for tag, _ in entries):
        found["subjectAltName"] = list(_alternatives(entries))
    return {
        key: tuple(found[key]) if type(found[key]) is list else found[key]
        for key in _ORDER
        if key in found
    }


def _name(
    entries: list[tuple[int, bytes]], rdn: int, key: int, value: int
) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Return a distinguished name: a tuple of RDNs, each a tuple of (name, value) pairs."""
    rdns: list[list[tuple[str, str]]] = []
    name = ""
    for tag, body in entries:
        if tag == rdn:
            rdns.append([])
        elif tag == key:
            name = body.decode()
        elif tag == value:
            rdns[-1].append((name, body.decode("utf-8", "replace")))
    return tuple(tuple(pairs) for pairs in rdns)


def _alternatives(entries: list[tuple[int, bytes]]) -> Iterator[tuple[str, Any]]:
    parts = (lib.TK_X509_ALT_RDN, lib.TK_X509_ALT_NAME, lib.TK_X509_ALT_VALUE)
    for at, (tag, body) in enumerate(entries):
        if tag in _GENERAL_NAMES:
            yield _GENERAL_NAMES[tag], body.decode("utf-8", "replace")
        elif tag == lib.TK_X509_ALT_IP:
            yield "IP Address", _address(body)
        elif tag == lib.TK_X509_ALT_OTHER:
            kind, _, rest = body.decode("utf-8", "replace").partition(":")
            yield kind, rest
        elif tag == lib.TK_X509_ALT_DIRNAME:
            end = at + 1
            while end < len(entries) and entries[end][0] in parts:
                end += 1
            yield "DirName", _name(entries[at + 1 : end], *parts)


def _address(packed: bytes) -> str:
    """Format an address as OpenSSL prints it, which for IPv6 is not the short form."""
    if len(packed) == 4:
        return ".".join(map(str, packed))
    if len(packed) == 16:
        return ":".join(f"{int.from_bytes(packed[i : i + 2], 'big'):X}" for i in range(0, 16, 2))
    return "<invalid>"
