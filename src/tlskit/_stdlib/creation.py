"""Create the stdlib's own contexts: one at a time, and not while the process forks.

The stdlib's libcrypto also has locks, and a forked child would wait for ever for one that another
thread of its parent held.
"""

from __future__ import annotations

from .._forks import ForkLock
from ..errors import SSLError
from . import classes as stdlib
from .module import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    _Kind = TypeVar("_Kind", bound=ssl.SSLContext)

_lock = ForkLock()


def begun(kind: type[_Kind], protocol: int) -> _Kind:
    """Return a new context of that class, as the stdlib creates it."""
    try:
        with _lock:
            return stdlib.SSLContext.__new__(kind, protocol)
    except SSLError as error:
        from .._core.diagnosis import explain_no_context

        raise explain_no_context(error) from None
