"""Whether waiting in the kernel must go through Python: gevent and eventlet replace `select.select` by one of theirs."""

from __future__ import annotations

import select
from time import monotonic

from .native import lib

_native_select = select.select


def cooperative() -> bool:
    """True when `select` was replaced, so that a wait in C would stop every other green thread."""
    return select.select is not _native_select


def wait(fd: int, status: int, deadline: float | None) -> int:
    """Wait as `status` says, by way of the replaced select: TK_DONE or TK_TIMED_OUT."""
    left = None if deadline is None else max(deadline - monotonic(), 0.0)
    reading, writing = ([fd], []) if status == lib.TK_WANT_READ else ([], [fd])
    ready = select.select(reading, writing, [], left)
    done: int = lib.TK_DONE if any(ready) else lib.TK_TIMED_OUT
    return done
