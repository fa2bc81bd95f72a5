"""How a context of the stdlib's own is made: one at a time, and not while the process forks.

The stdlib's libcrypto has locks, too, and a forked child would wait for ever for one that a thread
of its parent's had.
"""

from __future__ import annotations

from typing import TypeVar

from .._forks import ForkLock
from . import classes as stdlib
from .module import ssl

_Kind = TypeVar("_Kind", bound=ssl.SSLContext)
_lock = ForkLock()


def begun(kind: type[_Kind], protocol: int) -> _Kind:
    """Return a new context of that class, as the stdlib makes it."""
    with _lock:
        return stdlib.SSLContext.__new__(kind, protocol)
