"""What a Connection asks of its subclasses during its handshake and at its end."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .callbacks import Callbacks


class LifecycleHooks:
    """The methods that a subclass overrides. Here, none does anything."""

    __slots__ = ()

    @property
    def callbacks(self) -> Callbacks:
        """Return what C calls in the middle of an operation, if the context has any callbacks."""
        raise NotImplementedError("this connection has no callbacks")

    def answer(self, reason: int) -> int | None:
        """Handle a paused operation (pauses.py): return None to continue, or an alert to refuse."""

    def handshake_complete(self) -> None:
        """Called when `do_handshake` has succeeded."""

    def handshake_failed(self) -> None:
        """Called when a handshake has failed."""

    def log_failure(self, error: Exception) -> None:
        """Called with the error that has ended a handshake."""
