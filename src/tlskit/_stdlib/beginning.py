"""How a context of the stdlib's own is made: one at a time, and not while the process forks.

The stdlib's libcrypto has locks, too, and a forked child would wait for ever for one that a thread
of its parent's had.
"""

from __future__ import annotations

import os
import ssl
from threading import RLock
from typing import TypeVar

from . import classes as stdlib

_Kind = TypeVar("_Kind", bound=ssl.SSLContext)
_lock = RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def begun(kind: type[_Kind], protocol: int) -> _Kind:
    """Return a new context of that class, as the stdlib makes it."""
    with _lock:
        return stdlib.SSLContext.__new__(kind, protocol)
