"""Facts of a handshake, as C noted them (tk_info.c)."""

from __future__ import annotations

from collections.abc import Iterable
from struct import unpack
from sys import byteorder

from .native import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import Any
else:
    from .._frozen import dataclass


@dataclass(frozen=True)
class Notes:
    """Facts of a handshake. A fact that this side cannot see is None."""

    made: int | None = None
    """When the handshake was completed, in seconds since 1970."""
    used: int | None = None
    """When the last handshake of the session was completed."""
    server: int | None = None
    """1 on a server, 0 on a client; all yes-or-no facts are 1 or 0."""
    extended_master_secret: int | None = None
    encrypt_then_mac: int | None = None
    fragment: int | None = None
    compression: int | None = None
    verified: int | None = None
    verify_code: int | None = None
    acknowledged: int | None = None
    key_bits: int | None = None
    group: str | None = None
    alpn: str | None = None
    server_name: str | None = None
    matched: str | None = None
    key_type: str | None = None
    signed: str | None = None
    peer_signed: str | None = None
    staple_verdict: int | None = None
    staple_until: int | None = None
    ech: int | None = None
    ech_outer: str | None = None
    staple: bytes | None = None
    groups: tuple[int, ...] | None = None
    signature_algorithms: tuple[int, ...] | None = None
    cipher_suites: tuple[int, ...] | None = None
    shared_cipher_suites: tuple[int, ...] | None = None
    point_formats: tuple[int, ...] | None = None
    extensions: tuple[int, ...] | None = None
    own: tuple[bytes, ...] | None = None
    peers: tuple[bytes, ...] | None = None
    chain: tuple[bytes, ...] | None = None
    blob: bytes | None = None
    """All of these except `used`, for an imported session, as Python serialised them elsewhere."""


def _number(body: bytes) -> int | None:
    number = int.from_bytes(body, byteorder, signed=True)
    return None if number < 0 else number


def _text(body: bytes) -> str:
    return body.decode("ascii", "backslashreplace")


def _pairs(body: bytes) -> tuple[int, ...]:
    return unpack(f">{len(body) // 2}H", body)


def _native(body: bytes) -> tuple[int, ...]:
    return tuple(memoryview(body).cast("H"))


_FIELDS: dict[int, tuple[str, Any]] = {
    lib.TK_INFO_BLOB: ("blob", bytes),
    lib.TK_INFO_MADE: ("made", _number),
    lib.TK_INFO_USED: ("used", _number),
    lib.TK_INFO_SERVER: ("server", _number),
    lib.TK_INFO_EMS: ("extended_master_secret", _number),
    lib.TK_INFO_ETM: ("encrypt_then_mac", _number),
    lib.TK_INFO_FRAGMENT: ("fragment", _number),
    lib.TK_INFO_COMPRESSION: ("compression", _number),
    lib.TK_INFO_VERIFIED: ("verified", _number),
    lib.TK_INFO_VERIFY_CODE: ("verify_code", _number),
    lib.TK_INFO_ACKNOWLEDGED: ("acknowledged", _number),
    lib.TK_INFO_KEY_BITS: ("key_bits", _number),
    lib.TK_INFO_GROUP: ("group", _text),
    lib.TK_INFO_ALPN: ("alpn", _text),
    lib.TK_INFO_SERVER_NAME: ("server_name", _text),
    lib.TK_INFO_MATCHED: ("matched", _text),
    lib.TK_INFO_KEY_TYPE: ("key_type", _text),
    lib.TK_INFO_SIGNED: ("signed", _text),
    lib.TK_INFO_PEER_SIGNED: ("peer_signed", _text),
    lib.TK_INFO_STAPLE_VERDICT: ("staple_verdict", _number),
    lib.TK_INFO_STAPLE_UNTIL: ("staple_until", _number),
    lib.TK_INFO_ECH: ("ech", _number),
    lib.TK_INFO_ECH_OUTER: ("ech_outer", _text),
    lib.TK_INFO_STAPLE: ("staple", bytes),
    lib.TK_INFO_GROUPS: ("groups", _pairs),
    lib.TK_INFO_SIGALGS: ("signature_algorithms", _pairs),
    lib.TK_INFO_CIPHERS: ("cipher_suites", _pairs),
    lib.TK_INFO_SHARED: ("shared_cipher_suites", _pairs),
    lib.TK_INFO_FORMATS: ("point_formats", tuple),
    lib.TK_INFO_EXTENSIONS: ("extensions", _native),
}
_CHAINS = {lib.TK_INFO_OWN: "own", lib.TK_INFO_PEERS: "peers", lib.TK_INFO_CHAIN: "chain"}


def read_notes(entries: Iterable[tuple[int, bytes]]) -> list[Notes]:
    """Parse the output of tk_session_info and tk_conn_info: nothing, the session's notes, or the
    session's and the connection's own.
    """
    found: list[Notes] = []
    fields: dict[str, Any] = {}
    for tag, body in entries:
        if tag == lib.TK_INFO_LIVE:
            found.append(Notes(**fields))
            fields = {}
        elif tag in _CHAINS:
            fields[_CHAINS[tag]] = (*fields.get(_CHAINS[tag], ()), body)
        else:
            name, read = _FIELDS[tag]
            fields[name] = read(body)
    return [*found, Notes(**fields)] if fields else found
