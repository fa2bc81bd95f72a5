"""SessionInfo: everything that was negotiated, `conn.info` and `session.info`.

The information may come from two handshakes. The full handshake that made the session showed
certificates; notes of it stay with the session across resumptions and when it is written to bytes.
A resumed handshake shows none, but in it the peer makes its offers again. Anything that neither of
them told is None.
"""

from __future__ import annotations

from collections.abc import Sequence

from .._core.certificate import Certificate
from .._core.encrypted_hello import ech_status
from .._core.fault import verify_text
from .._core.notes import Notes
from .._core.session import Session
from .._lazy import LateName
from .parts import CipherInfo as CipherInfo
from .parts import KeyInfo as KeyInfo
from .records import Malformed, read, read_notes
from .registry import (
    FFDHE_FIRST,
    FFDHE_LAST,
    GROUPS,
    HEARTBEAT,
    SIGNATURE_ALGORITHMS,
    TRUNCATED_HMAC,
    VERSIONS,
    name_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
    from typing import Any
else:
    from .._frozen import dataclass, field, replace

    Any = LateName("typing", "Any")


LONGEST = 7 * 24 * 3600  # RFC 8446, 4.6.1


@dataclass(frozen=True, kw_only=True)
class SessionInfo:
    """Everything that was negotiated.

    It holds no secret, and nothing to resume with: it may be logged, pickled and passed on. Lists
    of what the peer offered hold IANA's numbers in the peer's order. None always means that this
    side cannot know.
    """

    side: str | None
    """Whose info this is: "client" or "server"."""
    version: str
    """The protocol version, such as "TLSv1.3"."""
    cipher: CipherInfo | None
    """The cipher suite with all its parts."""
    cipher_suite: int | None
    """IANA's number of the cipher suite."""
    compression_method: int | None
    """IANA's number of the compression method: 0 (none), unless OpenSSL was built with zlib and
    compression was turned on.
    """
    group: str | None
    """The group of the key exchange, such as "x25519". For a session, the group of the handshake
    that made it.
    """
    signature_algorithm: str | None
    """What this side signed the full handshake with, by IANA's name ("rsa_pss_rsae_sha256" for
    one); a client signs only when it shows a certificate. The same on every OpenSSL.
    """
    peer_signature_algorithm: str | None
    """What the peer signed the full handshake with."""
    alpn: str | None
    """The negotiated application protocol (ALPN)."""
    server_name: str | None
    """The server name that the client asked for (SNI)."""
    server_name_acknowledged: bool | None
    """Whether the server acknowledged it."""
    ech: str | None
    """Whether the client's ClientHello was encrypted (ECH, RFC 9849): "accepted", "grease" (it only
    looked so), or "not used"; None on a server. A handshake whose ECH is rejected fails.
    """
    ech_outer_name: str | None
    """The name that was sent in the clear instead of `server_name`; None without ECH."""
    extended_master_secret: bool | None
    """Whether the secret is bound to the handshake (RFC 7627); always True with TLS 1.3."""
    encrypt_then_mac: bool | None
    """Whether RFC 7366 is used; always False with TLS 1.3 and with an AEAD, where it has no
    meaning.
    """
    max_fragment_length: int | None
    """The largest number of plaintext bytes in a record: 16384, or what the client asked for (RFC
    6066, 4).
    """
    point_format: int | None
    """The format of elliptic curve points: 0 (uncompressed), the only one that OpenSSL uses; None
    if no curve is involved.
    """

    identity: bytes
    """The session id, under Pike's name; it does not identify the peer. See `session_id`."""
    id_context: bytes
    """The session id context under which a server would resume it."""
    created: int
    """When the full handshake ended, in seconds since 1970: the last time the certificates were
    checked.
    """
    last_activity: int | None = field(compare=False)
    """When this session's latest handshake ended, in seconds since 1970, as far as this process
    knows.
    """
    ticket_expiry_time: int | None
    """When its ticket expires, in seconds since 1970; None without a ticket."""

    peer_extensions: tuple[int, ...] | None = field(repr=False)
    """The extensions that the peer sent: on a server, all of the ClientHello's; on a client, those
    that OpenSSL knows.
    """
    peer_cipher_suites: tuple[int, ...] | None = field(repr=False)
    """The cipher suites that the client offered; None on a client."""
    shared_cipher_suites: tuple[int, ...] | None = field(repr=False)
    """Those of them that the server supports too."""
    peer_groups: tuple[int, ...] | None = field(repr=False)
    """The groups that the peer supports. Servers rarely tell clients, and only with TLS 1.3."""
    peer_signature_algorithms: tuple[int, ...] | None = field(repr=False)
    """The signature algorithms that the peer can verify. A client learns them only when it is asked
    for a certificate.
    """
    peer_point_formats: tuple[int, ...] | None = field(repr=False)
    """The point formats that the peer can read. TLS 1.3 ignores them."""

    certificate_chain: tuple[bytes, ...] | None = field(repr=False)
    """The chain that this side sent, in DER, its own certificate first; empty if it sent none. This
    is the configured chain, without certificates that OpenSSL added from the trust store.
    """
    private_key: KeyInfo | None = field(compare=False)
    """The kind of that certificate's key. It is never written with the session."""
    peer_certificate_chain: tuple[bytes, ...] = field(repr=False)
    """The chain as the peer sent it, in DER, its own certificate first."""
    verified_chain: tuple[bytes, ...] = field(repr=False)
    """The chain as it was verified, up to the trust anchor."""
    verified: bool | None
    """Whether the peer's certificate was requested and passed verification."""
    verify_code: int | None
    """The result of verification: an `X509_V_` number, 0 for success."""
    matched_name: str | None
    """The name in the certificate that the server's name matched."""

    ocsp_response: bytes | None = field(repr=False)
    """The OCSP response that the server stapled to its certificate, in DER; None: it sent none, or
    was not asked (`ctx.request_staple`). On a resumed connection, that of the full handshake.
    """
    staple: str | None
    """The result of the request for it: "good", "revoked" or "unknown" if it was verified;
    otherwise "missing", "malformed", "unsuccessful" (the responder had no answer), "untrusted" (not
    signed by the issuer), "other" (about other certificates) or "stale"; None if not requested.
    """
    staple_until: int | None
    """Until when the response is good, in seconds since 1970."""

    # -- what follows from these -------------------------------------------------------------------

    @property
    def session_id(self) -> bytes:
        """The session id. With TLS 1.3 the client derives it from its ticket."""
        return self.identity

    def to_dict(self) -> dict[str, Any]:
        """Return all fields in types that JSON has: bytes as hexadecimal digits, tuples as lists.
        Derived properties are left out. The session id is under `session_id`.
        """
        found = {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}
        return {("session_id" if name == "identity" else name): v for name, v in found.items()}

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's own certificate in DER."""
        return self.peer_certificate_chain[0] if self.peer_certificate_chain else None

    @property
    def peer_public_key(self) -> bytes | None:
        """The peer's public key in DER (a SubjectPublicKeyInfo), which pins are digests of."""
        return (
            Certificate.from_der(self.peer_certificate).public_key
            if self.peer_certificate
            else None
        )

    @property
    def must_staple(self) -> bool | None:
        """Whether the peer's certificate says that its server staples a response (RFC 7633)."""
        leaf = self.peer_certificate
        return None if leaf is None else Certificate.from_der(leaf).must_staple

    @property
    def verify_message(self) -> str | None:
        """`verify_code` in OpenSSL's words."""
        return None if self.verify_code is None else verify_text(self.verify_code)

    @property
    def peer_certificate_data(self) -> dict[str, Any] | None:
        """The decoded fields of the peer's certificate, as in `getpeercert()` but also when it is
        not verified, and the result of its verification.
        """
        if self.peer_certificate is None:
            return None
        fields = Certificate.from_der(self.peer_certificate).fields()
        return {
            **fields,
            "verified": self.verified,
            "verify_code": self.verify_code,
            "verify_message": self.verify_message,
        }

    def asgi(self) -> dict[str, Any]:
        """Return the TLS extension of an ASGI scope, for `scope["extensions"]["tls"]` of a server:
        its certificate, the client's chain, name (RFC 4514) and error, the version and the suite.
        """
        from .asgi import scope  # needs this module

        return scope(self)

    @property
    def peer_group_names(self) -> tuple[str, ...] | None:
        """`peer_groups` by name."""
        return _names(self.peer_groups, GROUPS)

    @property
    def peer_ffdhe_groups(self) -> tuple[int, ...] | None:
        """Those of `peer_groups` that are finite fields (RFC 7919)."""
        return (
            None
            if self.peer_groups is None
            else tuple(n for n in self.peer_groups if FFDHE_FIRST <= n <= FFDHE_LAST)
        )

    @property
    def peer_signature_algorithm_names(self) -> tuple[str, ...] | None:
        """`peer_signature_algorithms` by name."""
        return _names(self.peer_signature_algorithms, SIGNATURE_ALGORITHMS)

    @property
    def heartbeat(self) -> bool:
        """Always False: OpenSSL 3 has no heartbeats (RFC 6520). Whether a client offered them is in
        `peer_extensions`.
        """
        return False

    @property
    def truncated_hmac(self) -> bool:
        """Always False: OpenSSL has no truncated MACs (RFC 6066, 7). Whether a client offered them
        is in `peer_extensions`.
        """
        return False

    @property
    def peer_offered_heartbeat(self) -> bool | None:
        """Whether the client offered heartbeats; None on a client."""
        return self._offered(HEARTBEAT)

    @property
    def peer_offered_truncated_hmac(self) -> bool | None:
        """Whether the client offered truncated MACs; None on a client."""
        return self._offered(TRUNCATED_HMAC)

    def _offered(self, extension: int) -> bool | None:
        return (
            None
            if self.side != "server" or self.peer_extensions is None
            else extension in self.peer_extensions
        )


# -- making one ------------------------------------------------------------------------------------

#: A resumed handshake tells nothing new about these.
_OF_THE_FULL_ONE = {
    "used", "acknowledged", "verified", "verify_code", "matched", "shared_cipher_suites", "own",
    "peers", "chain", "key_type", "key_bits",
    "signed", "peer_signed", "staple", "staple_verdict", "staple_until",
}  # fmt: skip


def notes_of(session: Session) -> Notes:
    """Return the notes of the handshake that made a session, here or in another process."""
    return _opened(session.notes())


def info_of(
    session: Session, said: Sequence[Notes] | None = None, reverified_chain: Sequence[bytes] = ()
) -> SessionInfo:
    """Build the SessionInfo of a session.

    Args:
        session: the session.
        said: for a connection, the result of `Connection.notes()`.
        reverified_chain: for a connection, the chain that verified the certificate in a session
            without notes.
    """
    if said is None:
        notes, agreed = notes_of(session), session.alpn
    else:
        full, *rest = said or [Notes()]
        notes = _merged(_opened(full), rest[0]) if rest else _opened(full)
        agreed = (
            notes.alpn if said else session.alpn
        )  # up to TLS 1.2 a resumption negotiates it again
    peers, chain = _chains(session, notes)
    if reverified_chain and not chain and peers and reverified_chain[0] == peers[0]:
        chain, notes = tuple(reverified_chain), replace(notes, verified=1, verify_code=0)
    cipher = session.cipher_facts()
    version = VERSIONS.get(session.version, f"{session.version:#06x}")
    curves = (
        version != "TLSv1.3" and notes.group is not None and not notes.group.startswith("ffdhe")
    )
    return SessionInfo(
        side=None if notes.server is None else "server" if notes.server else "client",
        version=version,
        cipher=None
        if cipher is None
        else CipherInfo(
            cipher.id & 0xFFFF, cipher.name, cipher.standard_name, cipher.protocol, cipher.bits,
            cipher.algorithm_bits, cipher.aead,
            cipher.symmetric, cipher.digest, cipher.key_exchange, cipher.authentication,
            cipher.handshake_digest,
        ),
        cipher_suite=None if cipher is None else cipher.id & 0xFFFF,
        compression_method=notes.compression,
        group=notes.group,
        signature_algorithm=notes.signed,
        peer_signature_algorithm=notes.peer_signed,
        alpn=agreed,
        server_name=notes.server_name if notes.server_name is not None else session.hostname,
        server_name_acknowledged=True if session.hostname else _yes(notes.acknowledged),
        ech=None if notes.server != 0 else ech_status(notes.ech or 0),
        ech_outer_name=notes.ech_outer,
        extended_master_secret=True if version == "TLSv1.3" else _yes(notes.extended_master_secret),
        encrypt_then_mac=False
        if version == "TLSv1.3" or (cipher is not None and cipher.aead)
        else _yes(notes.encrypt_then_mac),
        max_fragment_length=notes.fragment,
        point_format=0 if curves else None,
        identity=session.id,
        id_context=session.id_context,
        created=session.time if notes.made is None else notes.made,
        last_activity=notes.used,
        ticket_expiry_time=expiry(session) if session.has_ticket else None,
        peer_extensions=notes.extensions,
        peer_cipher_suites=notes.cipher_suites,
        shared_cipher_suites=notes.shared_cipher_suites,
        peer_groups=notes.groups,
        peer_signature_algorithms=notes.signature_algorithms,
        peer_point_formats=notes.point_formats,
        certificate_chain=notes.own,
        private_key=None if notes.key_type is None else KeyInfo(notes.key_type,
        notes.key_bits or 0),
        peer_certificate_chain=peers,
        verified_chain=chain,
        verified=_yes(notes.verified),
        verify_code=notes.verify_code,
        matched_name=notes.matched,
        ocsp_response=notes.staple,
        staple=None if notes.staple_verdict is None else _staple(notes.staple_verdict),
        staple_until=notes.staple_until,
    )  # fmt: skip


def _staple(verdict: int) -> str:
    from .._core.staple import staple_verdict

    return staple_verdict(verdict)


def expiry(session: Session) -> int:
    """When the session is no longer worth offering, in seconds since 1970."""
    thrown_away = (
        session.has_ticket and VERSIONS.get(session.version) == "TLSv1.3"
    )  # which a hint of 0 means there
    lifetime = session.lifetime_hint if session.lifetime_hint or thrown_away else session.timeout
    return session.time + min(lifetime, LONGEST)


def _opened(notes: Notes) -> Notes:
    """Return the notes of a full handshake, taken in this process or read from bytes."""
    if notes.blob is not None:
        try:
            written = read_notes(dict(read(notes.blob)))
        except Malformed:  # it was checked when it was read; this is for safety
            return Notes(used=notes.used)
        return replace(written, used=written.used if notes.used is None else notes.used)
    return replace(notes, own=()) if notes.own is None and notes.server is not None else notes


def _merged(full: Notes, live: Notes) -> Notes:
    fields = {}
    for name in Notes.__dataclass_fields__:
        first, second = getattr(full, name), getattr(live, name)
        if name not in _OF_THE_FULL_ONE:
            first, second = second, first
        fields[name] = second if first is None else first
    if full.acknowledged is None and not live.acknowledged:
        fields["acknowledged"] = None  # a server does not repeat it
    return Notes(**{**fields, "made": full.made, "alpn": live.alpn})


def _chains(session: Session, notes: Notes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the peer's chain and the verified one. For a certificate that was sent after the
    handshake (TLS 1.3), neither was noted.
    """
    leaf = session.peer()
    if leaf is None:
        return (), ()
    peers = notes.peers if notes.peers and notes.peers[0] == leaf.der else (leaf.der,)
    return peers, notes.chain if notes.chain and notes.chain[0] == leaf.der else ()


def _yes(flag: int | None) -> bool | None:
    return None if flag is None else bool(flag)


def _names(codes: tuple[int, ...] | None, names: dict[int, str]) -> tuple[str, ...] | None:
    return None if codes is None else tuple(name_of(code, names) for code in codes)


def _plain(value: Any) -> Any:
    """Convert a value to what JSON can represent."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, (CipherInfo, KeyInfo)):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
