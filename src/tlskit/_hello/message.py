"""ClientHello: the first message of a client (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2), as a value."""

from __future__ import annotations

from .._lazy import late_names
from . import fingerprints
from .reader import Reader, numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    from typing_extensions import Buffer
else:
    from .._frozen import NamedTuple

    Any, Buffer = late_names("tlskit._annotations", "Any Buffer")

_CLIENT_HELLO = 1  # HandshakeType
_HANDSHAKE = 22  # ContentType
_RECORD_MOST = 16384  # bytes of one record in plaintext (RFC 8446, 5.1)
(
    _SERVER_NAME, _GROUPS, _POINT_FORMATS, _SIGNATURES, _ALPN, _TICKET, _PSK, _EARLY_DATA,
    _VERSIONS, _COOKIE, _PSK_MODES, _CERT_SIGNATURES, _KEY_SHARE, _ECH,
) = 0, 10, 11, 13, 16, 35, 41, 42, 43, 44, 45, 50, 51, 0xFE0D  # fmt: skip


class Extension(NamedTuple):
    """An extension: its number in IANA's registry, and its data in bytes."""

    type: int
    data: bytes


class KeyShare(NamedTuple):
    """A client's offer for the key exchange: the group's number, and the public key."""

    group: int
    key: bytes


class PskIdentity(NamedTuple):
    """A session, or a pre-shared key, that a TLS 1.3 client offers: a ticket or a name, and the
    obfuscated age that the client sends with it, in milliseconds (RFC 8446, 4.2.11).
    """

    identity: bytes
    obfuscated_age: int


class ClientHello:
    """A client's first message, with everything that it offers. Immutable.

    `ctx.client_hello_callback` receives one; `ClientHello.parse` makes one from bytes. Numbers are
    those of IANA's registries, in the client's order, including any GREASE values (RFC 8701).

    Attributes:
        raw: the message as it was received, with its header of four bytes.
        legacy_version: the version field, 0x0303 in all modern clients; see `supported_versions`.
        random: 32 bytes.
        session_id: up to 32 bytes. It has no meaning in TLS 1.3.
        cipher_suites: the cipher suites, in order of preference.
        compression_methods: 0 (none) in every modern client.
        extensions: every `Extension`, including those that OpenSSL does not know.
        server_name: the server name that the client requests (SNI), or None.
        alpn_names: application protocols as bytes.
        groups: key exchange groups.
        point_formats: formats of elliptic curve points.
        signature_algorithms: those that the client accepts in the handshake, and in certificates
            unless `signature_algorithms_cert` says otherwise.
        signature_algorithms_cert: those that it accepts in certificates.
        supported_versions: protocol versions; empty before TLS 1.3.
        key_shares: a `KeyShare` for each group that the client expects the server to choose.
        psk_modes: how a pre-shared key may be used: 0 alone, 1 with a key exchange.
        psk_identities: a `PskIdentity` for each session or pre-shared key that is offered.
        cookie: the cookie of a HelloRetryRequest, repeated by the client, or None.
        session_ticket: a ticket of TLS 1.2; b"" if the client wants one; None if it does not.
        early_data: whether the client sends early data.
        encrypted_client_hello: whether it has the extension of ECH (RFC 9849), real or GREASE.
    """

    __slots__ = (
        "alpn_names", "cipher_suites", "compression_methods", "cookie", "early_data",
        "encrypted_client_hello", "extensions", "groups", "key_shares", "legacy_version",
        "point_formats", "psk_identities", "psk_modes", "random", "raw", "server_name",
        "session_id", "session_ticket", "signature_algorithms", "signature_algorithms_cert",
        "supported_versions",
    )  # fmt: skip

    raw: bytes
    legacy_version: int
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    compression_methods: tuple[int, ...]
    extensions: tuple[Extension, ...]
    server_name: str | None
    alpn_names: tuple[bytes, ...]
    groups: tuple[int, ...]
    point_formats: tuple[int, ...]
    signature_algorithms: tuple[int, ...]
    signature_algorithms_cert: tuple[int, ...]
    supported_versions: tuple[int, ...]
    key_shares: tuple[KeyShare, ...]
    psk_modes: tuple[int, ...]
    psk_identities: tuple[PskIdentity, ...]
    cookie: bytes | None
    session_ticket: bytes | None
    early_data: bool
    encrypted_client_hello: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(
            "ClientHello has no public constructor: use ClientHello.parse(), or one from a callback"
        )

    @classmethod
    def parse(cls, data: Buffer) -> ClientHello:
        """Parse a ClientHello from a handshake message, or from the TLS records that contain it.

        The parser is as strict as a server: truncated, oversized, duplicated or otherwise malformed
        input is refused.

        Raises:
            ValueError: this is not a complete and well-formed ClientHello; the message says why.
            TypeError: `data` is not bytes.
        """
        raw = _message(bytes(memoryview(data)))
        reader = Reader(raw, "the ClientHello")
        reader.take(4)
        self = cls.__new__(cls)
        values: dict[str, Any] = {
            "raw": raw,
            "legacy_version": reader.number(2),
            "random": reader.take(32),
            "session_id": reader.vector(1, most=32),
            "cipher_suites": numbers(reader.vector(2), "cipher_suites"),
            "compression_methods": tuple(reader.vector(1, least=1)),
        }
        values["extensions"] = _extensions(reader.vector(2)) if reader.left else ()
        reader.end()
        values.update(_decoded({one.type: one.data for one in values["extensions"]}))
        for name, value in values.items():
            object.__setattr__(self, name, value)
        return self

    # -- queries -----------------------------------------------------------------------------------

    def extension(self, number: int) -> bytes | None:
        """Return the data of the extension with this number, or None if there is none."""
        return next((one.data for one in self.extensions if one.type == number), None)

    @property
    def alpn_protocols(self) -> tuple[str, ...]:
        """The application protocols that the client offers, in order of preference, as text."""
        return tuple(name.decode("utf-8", "backslashreplace") for name in self.alpn_names)

    @property
    def grease(self) -> tuple[int, ...]:
        """The GREASE values (RFC 8701) that the client sends, each once. Browsers send some; most
        libraries do not.
        """
        everywhere = [
            *self.cipher_suites,
            *(one.type for one in self.extensions),
            *self.groups,
            *self.supported_versions,
            *self.signature_algorithms,
            *(share.group for share in self.key_shares),
        ]
        return tuple(sorted({number for number in everywhere if fingerprints.is_grease(number)}))

    @property
    def ja3(self) -> str:
        """The JA3 fingerprint, 32 hexadecimal digits. It changes with each connection of a browser
        that shuffles its extensions; `ja4` sorts them.
        """
        return fingerprints.ja3(self)

    @property
    def ja3_text(self) -> str:
        """The text whose MD5 is `ja3`."""
        return fingerprints.ja3_text(self)

    @property
    def ja4(self) -> str:
        """The JA4 fingerprint of a client over TCP, such as
        "t13d1516h2_8daaf6152771_e5627efa2ab1".
        """
        return fingerprints.ja4(self)

    @property
    def ja4_text(self) -> str:
        """`ja4` with its lists instead of their hashes ("JA4_r")."""
        return fingerprints.ja4_text(self)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields for JSON, with bytes in hexadecimal, and the fingerprints."""
        shown: dict[str, Any] = {
            name: _plain(getattr(self, name)) for name in self.__slots__ if name != "alpn_names"
        }
        for name in ("alpn_protocols", "grease", "ja3", "ja4"):
            shown[name] = _plain(getattr(self, name))
        return shown

    # -- a value -----------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a ClientHello is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a ClientHello is immutable: cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, ClientHello) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __reduce__(self) -> Any:
        return ClientHello.parse, (self.raw,)

    def __repr__(self) -> str:
        return (
            f"<ClientHello: {self.server_name or 'no name'}, {len(self.cipher_suites)} cipher "
            f"suites, {len(self.extensions)} extensions, {self.ja4}>"
        )


def _message(data: bytes) -> bytes:
    """Return the handshake message, taken out of its records if it is in any."""
    if not data:
        raise ValueError("a ClientHello cannot be empty")
    if data[0] == _HANDSHAKE:
        data = _unwrapped(data)
    if data[0] != _CLIENT_HELLO:
        raise ValueError(f"a ClientHello must begin with 1 (or 22, in a record), got {data[0]}")
    reader = Reader(data, "the ClientHello")
    reader.take(1)
    reader.vector(3)
    reader.end()
    return data


def _unwrapped(data: bytes) -> bytes:
    reader, found = Reader(data, "the record"), b""
    while reader.left:
        if reader.number(1) != _HANDSHAKE:
            raise ValueError("a record of another type interrupts the ClientHello")
        if reader.number(1) != 3:
            raise ValueError("the major version of a TLS record must be 3")
        reader.take(1)
        found += reader.vector(2, least=1, most=_RECORD_MOST)
    return found


def _extensions(data: bytes) -> tuple[Extension, ...]:
    reader, found = Reader(data, "the list of extensions"), []
    seen = set()
    while reader.left:
        extension = Extension(reader.number(2), reader.vector(2))
        if extension.type in seen:  # RFC 8446, 4.2
            raise ValueError(f"the extension {extension.type} appears twice")
        seen.add(extension.type)
        found.append(extension)
    return tuple(found)


# -- the extensions that are decoded ---------------------------------------------------------------


def _decoded(found: dict[int, bytes]) -> dict[str, Any]:
    """Return the attributes that hold single extensions, decoded."""
    return {
        "server_name": _server_name(found.get(_SERVER_NAME)),
        "alpn_names": _alpn(found.get(_ALPN)),
        "groups": _list(found, _GROUPS, "supported_groups"),
        "point_formats": _bytes(found, _POINT_FORMATS, "ec_point_formats"),
        "signature_algorithms": _list(found, _SIGNATURES, "signature_algorithms"),
        "signature_algorithms_cert": _list(found, _CERT_SIGNATURES, "signature_algorithms_cert"),
        "supported_versions": _list(found, _VERSIONS, "supported_versions", head=1),
        "key_shares": _key_shares(found.get(_KEY_SHARE)),
        "psk_modes": _bytes(found, _PSK_MODES, "psk_key_exchange_modes"),
        "psk_identities": _identities(found.get(_PSK)),
        "cookie": _cookie(found.get(_COOKIE)),
        "session_ticket": found.get(_TICKET),
        "early_data": _EARLY_DATA in found,
        "encrypted_client_hello": _ECH in found,
    }


def _one(data: bytes, what: str, head: int, least: int) -> bytes:
    """Return the single vector that an extension contains."""
    reader = Reader(data, what)
    inside = reader.vector(head, least=least)
    reader.end()
    return inside


def _list(found: dict[int, bytes], number: int, what: str, head: int = 2) -> tuple[int, ...]:
    data = found.get(number)
    return () if data is None else numbers(_one(data, what, head, 2), what)


def _bytes(found: dict[int, bytes], number: int, what: str) -> tuple[int, ...]:
    data = found.get(number)
    return () if data is None else tuple(_one(data, what, 1, 1))


def _server_name(data: bytes | None) -> str | None:
    """Decode a server name list: at most one entry of each type, and only host names are known (RFC
    6066, 3).
    """
    if data is None:
        return None
    reader, host = Reader(_one(data, "server_name", 2, 1), "server_name"), None
    while reader.left:
        kind, name = reader.number(1), reader.vector(2, least=1)
        if kind == 0 and host is not None:
            raise ValueError("server_name has two hosts")
        host = name if kind == 0 else host
    return None if host is None else host.decode("ascii", "surrogateescape")


def _alpn(data: bytes | None) -> tuple[bytes, ...]:
    if data is None:
        return ()
    what = "application_layer_protocol_negotiation"
    reader, names = Reader(_one(data, what, 2, 2), what), []
    while reader.left:
        names.append(reader.vector(1, least=1))
    return tuple(names)


def _key_shares(data: bytes | None) -> tuple[KeyShare, ...]:
    if data is None:
        return ()
    reader, shares = Reader(_one(data, "key_share", 2, 0), "key_share"), []
    while reader.left:
        shares.append(KeyShare(reader.number(2), reader.vector(2, least=1)))
    return tuple(shares)


def _identities(data: bytes | None) -> tuple[PskIdentity, ...]:
    if data is None:
        return ()
    whole = Reader(data, "pre_shared_key")
    reader, identities = Reader(whole.vector(2, least=7), "pre_shared_key"), []
    while reader.left:
        identities.append(PskIdentity(reader.vector(2, least=1), reader.number(4)))
    binders, count = Reader(whole.vector(2, least=33), "pre_shared_key"), 0
    whole.end()
    while binders.left:
        binders.vector(1, least=32)
        count += 1
    if count != len(identities):
        raise ValueError(f"pre_shared_key has {len(identities)} identities and {count} binders")
    return tuple(identities)


def _cookie(data: bytes | None) -> bytes | None:
    return None if data is None else _one(data, "cookie", 2, 1)


def _plain(value: Any) -> Any:
    """Convert a value to a form that JSON can represent."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):  # a name may contain bytes that are not text
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(one) for name, one in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
