"""What becomes of stores when a process forks: the child must not use its parent's locks, connections and claims."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """What has something to do in a forked child."""

    def _after_fork(self) -> None:
        """Run in the child, before anything else of it, while it has one thread. It takes no lock, and does not block."""


_watched: weakref.WeakSet[Forked] = weakref.WeakSet()


def watch(store: Forked) -> None:
    """Let `store._after_fork()` run in every child that is forked while the store lives."""
    _watched.add(store)


def _in_child() -> None:
    for store in list(_watched):
        store._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
