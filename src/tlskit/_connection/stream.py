"""StreamChannel: a Channel for an event loop's transport."""

from __future__ import annotations

from .._core.stream import Stage, Stream
from .channel import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Wire:
    """Replaces the pair of BIOs in `wrap_bio`: a socket, and the buffers of its event loop.

    Without a descriptor (-1), bytes are fed to the connection and taken from it.

    Args:
        peer_address: the peer's address, as `socket.getpeername` returns it.
    """

    __slots__ = ("fd", "peer_address", "stage")

    def __init__(self, stage: Stage, fd: int = -1, peer_address: Any = None) -> None:
        self.stage, self.fd, self.peer_address = stage, fd, peer_address


class StreamChannel(Channel, Stream):
    """A Channel whose bytes an event loop's transport carries."""

    may_await = True
    __slots__ = (
        "_peer_address", "_room", "_stage", "again", "plain", "pull", "push", "stalled", "taken",
        "unsent",
    )  # fmt: skip

    def __init__(self, *args: Any, wire: Wire, **kwargs: Any) -> None:
        self._peer_address = wire.peer_address  # needed now: the constructor looks for a session
        super().__init__(*args, fd=wire.fd, **kwargs)
        self.open(wire.stage)

    @property
    def callback_timeout(self) -> float | None:
        """The number of seconds that the handshake may wait for a callback; None for no limit of
        its own.
        """
        return self._state.callback_timeout

    @property
    def peer_address(self) -> Any:
        """The peer's address: the SSLObject has no socket to ask."""
        return self._peer_address
