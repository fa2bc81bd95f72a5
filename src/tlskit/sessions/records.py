"""Records: the format of a session's parts. A record is a tag (2 bytes), a size (4 bytes) and that
many bytes of content. Records are in the order of their tags, each tag occurs once, and numbers are
big-endian. A reader skips an unknown record if the tag's highest bit is set, and refuses it
otherwise.

The second half of this module writes the notes of a handshake as records. A certificate that occurs
in several chains is written once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct, pack, unpack

from .._core.notes import Notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPTIONAL = 0x8000
MOST = 1 << 20  # bytes of all records together
CERTIFICATES_MOST = MOST // 2  # ... of which the chains may take so many
_HEAD = Struct(">HI")


class Malformed(ValueError):
    """The bytes do not have the expected format."""


def write(records: Sequence[tuple[int, bytes]]) -> bytes:
    """Write records one after another."""
    data = b"".join(_HEAD.pack(tag, len(body)) + body for tag, body in sorted(records))
    if len(data) > MOST:
        raise ValueError(
            f"a session with its certificates may take at most {MOST} bytes, got {len(data)}"
        )
    return data


def read(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Parse records, checking every size.

    Raises:
        Malformed: `data` is not a sequence of complete records in order.
    """
    at, last, whole = 0, -1, len(data)
    while at < whole:
        if at + _HEAD.size > whole:
            raise Malformed("the records of a session are cut short")
        tag, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + size > whole or tag <= last:
            raise Malformed("the records of a session are cut short or out of order")
        yield tag, data[at : at + size]
        at, last = at + size, tag


# -- the notes of a handshake ----------------------------------------------------------------------

_NUMBERS = {
    "made": 1, "used": 2, "server": 3, "extended_master_secret": 4, "encrypt_then_mac": 5,
    "fragment": 6, "compression": 7,
    "verified": 8, "verify_code": 9, "acknowledged": 10,
    "staple_verdict": 11, "staple_until": 12, "ech": 13,
}  # fmt: skip
_TEXTS = {
    "group": 20, "server_name": 21, "matched": 22, "signed": 23, "peer_signed": 24, "ech_outer": 25,
}  # fmt: skip
_PAIRS = {
    "groups": 30,
    "signature_algorithms": 31,
    "cipher_suites": 32,
    "shared_cipher_suites": 33,
    "extensions": 34,
}
_BYTES = {"point_formats": 40}
_RAW = {"staple": 45}
_CHAINS = {"own": 50, "peers": 51, "chain": 52}
_POOL = 60
_POOLED = 255  # certificates, because one byte refers to each

_NAMES: dict[int, tuple[str, dict[str, int]]] = {
    OPTIONAL | number: (name, table)
    for table in (_NUMBERS, _TEXTS, _PAIRS, _BYTES, _RAW, _CHAINS)
    for name, number in table.items()
}


def write_notes(notes: Notes) -> bytes:
    """Write notes as records, without anything about this side's private key.

    The peer decides how large its part is, so what does not fit is left out: whole chains, the
    verified chain last.
    """
    pool: dict[bytes, int] = {}
    records = []
    for tag, (name, table) in _NAMES.items():
        value = getattr(notes, name)
        if value is not None and table is not _CHAINS:
            body = _body(value, table)
            if body is not None:
                records.append((tag, body))
    room = CERTIFICATES_MOST
    for name in ("chain", "own", "peers"):
        chain = getattr(notes, name)
        if chain is None:
            continue
        new = [der for der in dict.fromkeys(chain) if der not in pool]
        size = sum(4 + len(der) for der in new)
        if size > room or len(pool) + len(new) > _POOLED or len(chain) > _POOLED:
            continue
        room -= size
        body = bytes(pool.setdefault(der, len(pool)) for der in chain)
        records.append((OPTIONAL | _CHAINS[name], body))
    if pool:
        records.append(
            (OPTIONAL | _POOL, b"".join(len(der).to_bytes(4, "big") + der for der in pool))
        )
    return write(records)


def _body(value: Any, table: dict[str, int]) -> bytes | None:
    """Return the content of a record; None if the value is unknown or must not be written."""
    if table is _NUMBERS:
        return int(value).to_bytes(8, "big") if 0 <= value < 1 << 63 else None
    if table is _TEXTS:
        return str(value).encode("utf-8", "backslashreplace")
    return pack(f">{len(value)}H", *value) if table is _PAIRS else bytes(value)


def read_notes(found: Mapping[int, bytes]) -> Notes:
    """Return the notes in these records, without those that this version does not know.

    Raises:
        Malformed: a record does not hold what its tag promises.
    """
    pool = tuple(_certificates(found.get(OPTIONAL | _POOL, b"")))
    notes = Notes(
        **{
            _NAMES[tag][0]: _value(body, _NAMES[tag][1], pool)
            for tag, body in found.items()
            if tag in _NAMES
        }
    )
    if (notes.verify_code or 0) >= 1 << 31:  # it will be passed to OpenSSL as a C int
        raise Malformed("the verification result in a session is not valid")
    return notes


def _value(body: bytes, table: dict[str, int], pool: tuple[bytes, ...]) -> Any:
    if table is _NUMBERS:
        if len(body) != 8 or body[0] > 0x7F:
            raise Malformed("a number in a session is not valid")
        return int.from_bytes(body, "big")
    if table is _TEXTS:
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("a text in a session is not valid") from error
    if table is _BYTES:
        return tuple(body)
    if table is _RAW:
        return body
    if table is _PAIRS:
        if len(body) % 2:
            raise Malformed("a list in a session is cut short")
        return unpack(f">{len(body) // 2}H", body)
    if any(i >= len(pool) for i in body):
        raise Malformed("a certificate of a session is missing")
    return tuple(pool[i] for i in body)


def _certificates(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        der = data[at + 4 : at + 4 + size]
        if at + 4 + size > len(data) or not _is_der_sequence(der):
            raise Malformed("a certificate in a session is cut short or damaged")
        yield der
        at += 4 + size


def _is_der_sequence(der: bytes) -> bool:
    """Whether these bytes are exactly one ASN.1 sequence, as a certificate is."""
    if len(der) < 2 or der[0] != 0x30:
        return False
    if der[1] < 0x80:
        return len(der) == 2 + der[1]
    head = 2 + (der[1] & 0x7F)
    return 2 < head <= 6 and len(der) == head + int.from_bytes(der[2:head], "big")
