"""SHA-256 from `hashlib`, which is imported when something is first hashed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash as Hash
    from typing import Any

_real: Any = None


def sha256(data: Any = b"") -> Hash:
    """Return `hashlib.sha256(data)`."""
    global _real
    if _real is None:
        from hashlib import sha256

        _real = sha256
    return _real(data)  # type: ignore[no-any-return]
