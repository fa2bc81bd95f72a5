"""The running Python's module `ssl`, and what it has imported for itself, and programs find there.

This module is imported together with tlskit. Modules that load later take `ssl` from here: by then,
somebody may have put tlskit in its place (`sys.modules["ssl"] = tlskit`).
"""

from __future__ import annotations

import ssl
from types import ModuleType

__all__ = ["found_in_ssl", "ssl"]

TYPE_CHECKING = False  # see tlskit/__init__.py
if TYPE_CHECKING:
    from typing import Any


def found_in_ssl(name: str) -> Any:
    """Return a name that tlskit does not have: of a module (`ssl.socket`, `ssl.errno`), a function
    of another module (`ssl.create_connection`), or a plain value.

    Raises:
        AttributeError: `ssl` does not have it either, or has it of its own: what would work
            without tlskit is not handed out as if it were tlskit's.
    """
    value = None if name.startswith("__") else getattr(ssl, name, None)
    theirs = getattr(value, "__module__", None) in ("ssl", "_ssl")
    if value is None or (theirs and not isinstance(value, ModuleType)):
        raise AttributeError(f"module 'tlskit' has no attribute {name!r}")
    return value
