"""Stores across forks: a child process must not use its parent's locks, connections and claims."""

from __future__ import annotations

import os
import weakref


class Forked:
    """An object with work to do at a fork, once it has been given to `watch`."""

    __slots__ = ()

    def _before_fork(self) -> None:
        """Run in the parent, in the forking thread: finish anything that a fork must not
        interrupt.
        """

    def _after_fork_in_parent(self) -> None:
        """Undo `_before_fork`."""

    def _after_fork(self) -> None:
        """Run in the child before anything else does, while it has one thread. Takes no lock and
        does not block.
        """


# By identity. Not a WeakSet: those cannot be listed while another thread adds to them.
_watched: weakref.WeakValueDictionary[int, Forked] = weakref.WeakValueDictionary()
_forking: list[Forked] = []


def watch(thing: Forked) -> None:
    """Call the object's methods at every fork, for as long as the object lives."""
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
