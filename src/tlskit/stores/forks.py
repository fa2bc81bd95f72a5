"""What becomes of stores when a process forks: the child must not use its parent's locks,
connections and claims.
"""

from __future__ import annotations

import os
import weakref


class Forked:
    """What has something to do when its process forks. `watch` makes it so."""

    __slots__ = ()

    def _before_fork(self) -> None:
        """Run in the parent, in the thread that forks: make an end of what must not be cut in
        two.
        """

    def _after_fork_in_parent(self) -> None:
        """Undo `_before_fork`."""

    def _after_fork(self) -> None:
        """Run in the child before anything else of it, while it has one thread. It takes no lock,
        and does not block.
        """


# By identity. Not a WeakSet: those cannot be listed while another thread adds to them.
_watched: weakref.WeakValueDictionary[int, Forked] = weakref.WeakValueDictionary()
_forking: list[Forked] = []


def watch(thing: Forked) -> None:
    """Let its methods run at every fork while it lives."""
    _watched[id(thing)] = thing


def _before() -> None:
    found = (reference() for reference in _watched.valuerefs())
    _forking[:] = [thing for thing in found if thing is not None]
    for thing in _forking:
        thing._before_fork()


def _in_parent() -> None:
    while _forking:
        _forking.pop()._after_fork_in_parent()


def _in_child() -> None:
    while _forking:
        _forking.pop()._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
