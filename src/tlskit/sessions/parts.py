"""What a SessionInfo is made of: the parts of a cipher suite, and the kind of a key."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .._frozen import dataclass


@dataclass(frozen=True)
class CipherInfo:
    """The parts of a cipher suite. Corresponds to SSL_CIPHER_get_name(3) and its siblings."""

    id: int
    """IANA's 16-bit number."""
    name: str
    """OpenSSL's name."""
    standard_name: str | None
    """IANA's name."""
    protocol: str
    """The first protocol version that has it."""
    bits: int
    """Bits of secret key material that are used."""
    algorithm_bits: int
    """Bits of the algorithm's whole key."""
    aead: bool
    """Whether it encrypts and authenticates in one operation (GCM, CCM, ChaCha20-Poly1305)."""
    symmetric: str | None
    digest: str | None
    """The MAC's hash; None for an AEAD."""
    key_exchange: str | None
    authentication: str | None
    handshake_digest: str | None
    """The hash of the handshake's transcript and of the key derivation."""


@dataclass(frozen=True)
class KeyInfo:
    """The kind and size of a private key, without the key itself."""

    type: str
    """OpenSSL's name for the type: "RSA", "EC", "ED25519" ..."""
    bits: int
