"""A lock for each direction of a connection in memory, so that bytes stay in order.

A forked child lacks the threads that may have held the locks in its parent, so it creates new ones.
"""

from __future__ import annotations

from .. import _forks
from .direct import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NO_SLOTS: tuple[str, ...] = ()  # its subclasses have them


class DirectionLocks:
    """Shared by a connection in memory and its pump."""

    __slots__ = _NO_SLOTS

    _process: object  # the process that the locks belong to
    _receives: Any
    _sends: Any

    def _renew_locks(self) -> None:
        self._process = _forks.process
        self._receives, self._sends = Lock(), Lock()

    @property
    def _receiving(self) -> Any:
        """Return the lock that keeps incoming bytes in order."""
        if self._process is not _forks.process:
            self._renew_locks()
        return self._receives

    @property
    def _sending(self) -> Any:
        """Return the lock that keeps outgoing bytes in order."""
        if self._process is not _forks.process:
            self._renew_locks()
        return self._sends
