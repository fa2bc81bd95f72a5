"""SHA-256, of the module `hashlib`, which is loaded when something is digested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_real: Any = None


def sha256(data: Any = b"") -> Hash:
    """As `hashlib.sha256`."""
    global _real
    if _real is None:
        from hashlib import sha256

        _real = sha256
    return _real(data)  # type: ignore[no-any-return]
