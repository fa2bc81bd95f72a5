"""A pre-shared key with the hash that it is for."""

from __future__ import annotations

from .native import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HASHES = {"sha256": lib.TK_PSK_SHA256, "sha384": lib.TK_PSK_SHA384}


class PreSharedKey:
    """A pre-shared key with its hash, as a PSK callback may return it. Plain bytes are for SHA-256.

    In TLS 1.3 a key belongs to the hash of a cipher suite (RFC 8446, 4.2.11): one for SHA-384 is
    used with TLS_AES_256_GCM_SHA384 only. Up to TLS 1.2 the hash does not matter. Immutable; the
    key is not in its `repr`.

    Args:
        key: 1 to 512 bytes.
        hash: "sha256" or "sha384".

    Raises:
        TypeError, ValueError: an argument is not valid.
    """

    __slots__ = ("_key", "hash")

    def __init__(self, key: bytes, *, hash: str = "sha256") -> None:
        if not isinstance(key, bytes):
            raise TypeError(f"a pre-shared key must be bytes, got {type(key).__name__}")
        if hash not in _HASHES:
            raise ValueError(
                f'the hash of a pre-shared key must be "sha256" or "sha384", got {hash!r}'
            )
        self._key = key
        self.hash: str = hash

    def __repr__(self) -> str:
        return f"<PreSharedKey: {self.hash}>"

    def __bool__(self) -> bool:
        return bool(self._key)


def key_and_hash(secret: Any) -> tuple[Any, int]:
    """Return a callback's key and TK_PSK_...: plain bytes are for SHA-256."""
    if isinstance(secret, PreSharedKey):
        return secret._key, _HASHES[secret.hash]
    return secret, _HASHES["sha256"]
