"""A lock for each direction of a connection in memory, so that bytes stay in order.

A forked child does not have the threads that may have held them in its parent, so it makes them
again.
"""

from __future__ import annotations

from typing import Any

from .. import _forks
from .direct import Lock

_NO_SLOTS: tuple[str, ...] = ()  # its subclasses have them


class Directions:
    """What a connection in memory and its pump have in common."""

    __slots__ = _NO_SLOTS

    _process: object  # the one that the locks are of
    _receives: Any
    _sends: Any

    def _renew_locks(self) -> None:
        self._process = _forks.process
        self._receives, self._sends = Lock(), Lock()

    @property
    def _receiving(self) -> Any:
        """The lock of the bytes that come."""
        if self._process is not _forks.process:
            self._renew_locks()
        return self._receives

    @property
    def _sending(self) -> Any:
        """The lock of the bytes that go."""
        if self._process is not _forks.process:
            self._renew_locks()
        return self._sends
