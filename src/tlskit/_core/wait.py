"""Whether waiting in the kernel must go through Python: gevent and eventlet replace `select.select` by one of theirs."""

from __future__ import annotations

import select
from time import monotonic

from .native import lib


def cooperative() -> bool:
    """True when `select` was replaced, before or after this was imported, so that a wait in C would stop every green thread."""
    return select.select.__module__ != "select"


def wait(fd: int, status: int, deadline: float | None) -> int:
    """Wait as `status` says, by way of the replaced select: TK_DONE or TK_TIMED_OUT."""
    left = None if deadline is None else max(deadline - monotonic(), 0.0)
    reading, writing = ([fd], []) if status == lib.TK_WANT_READ else ([], [fd])
    ready = select.select(reading, writing, [], left)
    done: int = lib.TK_DONE if any(ready) else lib.TK_TIMED_OUT
    return done
