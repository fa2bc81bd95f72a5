"""ConnectionPolicy: the rules that one connection verifies its peer by."""

from __future__ import annotations

from .._state import State
from ..sessions.binding import Binding


class ConnectionPolicy:
    """The policy of the state that a connection is made from. The state never changes, and so
    neither does the policy, unless a callback gives the connection another context.

    Args:
        state: the state of its context that the connection began with.
        hostname: the name of the server, on a client; None: none was given.

    Attributes:
        binding: the name and a digest of the rules.
        verifies: whether the peer has to show a certificate, or is asked for one.
        reverifies: whether a session's chain is verified again before the session is offered.
        by_key: whether a pre-shared key may stand in place of a certificate.
        shows_certificate: whether this side has a certificate of its own.
        takes_early_data: whether a server takes early data.
        id_context: the session id context of a server's connection.
    """

    __slots__ = (
        "_switched", "binding", "by_key", "id_context", "reverifies", "shows_certificate",
        "takes_early_data", "verifies",
    )  # fmt: skip

    def __init__(self, state: State, hostname: str | None) -> None:
        self._switched = False
        self.binding = Binding(hostname.lower() if hostname else None, state.policy)
        self.verifies = state.verifies
        self.reverifies = state.sessions.reverify
        self.by_key = state.by_key
        self.shows_certificate = state.shows_certificate
        self.takes_early_data = state.max_early_data > 0
        self.id_context = state.id_context

    def switch(self) -> None:
        """The connection has been given another context: what comes of it stands for no policy."""
        self._switched = True

    def has_changed(self) -> bool:
        """Whether the connection has been given another context since it was made."""
        return self._switched
