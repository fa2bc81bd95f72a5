"""The running Python's module `ssl`, and the names that it has imported, which programs use.

This module is imported together with tlskit. Modules that are loaded later take `ssl` from here,
because `sys.modules["ssl"]` may be tlskit by then.
"""

from __future__ import annotations

import ssl
import sys
from types import ModuleType

__all__ = ["found_in_ssl", "has_gil", "ssl"]

TYPE_CHECKING = False  # see tlskit/__init__.py
if TYPE_CHECKING:
    from typing import Any


def found_in_ssl(name: str) -> Any:
    """Return a name that tlskit does not define: a module (`ssl.socket`, `ssl.errno`), a function
    of another module (`ssl.create_connection`), or a plain value.

    Raises:
        AttributeError: `ssl` does not have it either, or defines it itself: a function that works
            without tlskit is not presented as tlskit's.
    """
    value = None if name.startswith("__") else getattr(ssl, name, None)
    home = str(getattr(value, "__module__", None)).partition(".")[0]
    theirs = home in ("ssl", "_ssl", "_cffi_ssl")  # the last is PyPy's
    if value is None or (theirs and not isinstance(value, ModuleType)):
        raise AttributeError(f"module 'tlskit' has no attribute {name!r}")
    return value


def has_gil() -> bool:
    """Return whether this Python runs one thread at a time; before 3.13 all do."""
    enabled = getattr(sys, "_is_gil_enabled", None)
    return enabled is None or bool(enabled())
