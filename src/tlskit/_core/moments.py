"""Moments: what a Connection calls while its handshake goes on and when it has ended, for a
subclass that has a part in it.
"""

from __future__ import annotations


class Moments:
    """The part of a Connection that a subclass overrides. Here, none does anything."""

    __slots__ = ()

    def answer(self, reason: int) -> int | None:
        """Called when an operation has paused (pauses.py): None to go on, or an alert to refuse."""

    def handshake_complete(self) -> None:
        """Called when `do_handshake` has come to its end with success."""

    def handshake_failed(self) -> None:
        """Called when a handshake has come to its end without success."""

    def log_failure(self, error: Exception) -> None:
        """Called with the error that has ended a handshake."""
