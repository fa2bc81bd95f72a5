"""Methods that a Connection calls during its handshake and at its end, for subclasses."""

from __future__ import annotations


class LifecycleHooks:
    """The methods that a subclass overrides. Here, none does anything."""

    __slots__ = ()

    def answer(self, reason: int) -> int | None:
        """Handle a paused operation (pauses.py): return None to continue, or an alert to refuse."""

    def handshake_complete(self) -> None:
        """Called when `do_handshake` has succeeded."""

    def handshake_failed(self) -> None:
        """Called when a handshake has failed."""

    def log_failure(self, error: Exception) -> None:
        """Called with the error that has ended a handshake."""
