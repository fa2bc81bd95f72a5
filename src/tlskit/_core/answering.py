"""Answering: who answers for a handshake that has paused, and how long the others wait for that.

A store may be asked meanwhile, which may take its time. So whoever else is in the same handshake
waits with the timeout of its own call, and a forked child, in which the thread that answers is not
there, begins anew.
"""

from __future__ import annotations

import os
from threading import RLock

process = object()  #: another one in every forked child: whoever has locks compares it


def _in_child() -> None:
    global process
    process = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class Answering:
    """A lock that is free in a forked child, whoever held it in the parent. Reentrant."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = (process, RLock())

    def begin(self, seconds: float) -> bool:
        """Take the lock, and return whether that was possible in time; -1: wait for ever."""
        if self._held[0] is not process:
            self._held = (process, RLock())
        return self._held[1].acquire(timeout=seconds)

    def end(self) -> None:
        """Give the lock back."""
        self._held[1].release()
