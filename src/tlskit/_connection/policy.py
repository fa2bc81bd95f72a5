"""The rules by which one connection verifies its peer."""

from __future__ import annotations

from .._digest import sha256
from .._state import State
from ..sessions.binding import Binding


class ConnectionPolicy:
    """The policy of the state that a connection is made from. The state never changes, so the
    policy does not either, unless a callback gives the connection another context.

    Args:
        state: the state of its context that the connection began with.
        hostname: the name of the server in lower case, on a client; None if none was given.
        encrypts_hello: whether the ClientHello is encrypted. A session that was made so
            is not offered in the clear, where it would show which server it comes from.

    Attributes:
        encrypts_hello: the argument.
        binding: the name and a digest of the rules.
    """

    __slots__ = ("_state", "_switched", "binding", "encrypts_hello")

    def __init__(self, state: State, hostname: str | None, *, encrypts_hello: bool = False) -> None:
        self._state = state
        self._switched = False
        self.encrypts_hello = encrypts_hello
        rules = sha256(state.policy + b"ech").digest() if encrypts_hello else state.policy
        self.binding = Binding(hostname, rules)

    @property
    def verifies(self) -> bool:
        """Whether the peer must send, or is asked for, a certificate."""
        return self._state.verifies

    @property
    def reverifies(self) -> bool:
        """Whether a session's chain is verified again before the session is offered."""
        return self._state.sessions.reverify

    @property
    def requires_staple(self) -> bool:
        """Whether a server's certificate needs an OCSP response that is in date."""
        return self._state.requires_staple

    @property
    def uses_psk(self) -> bool:
        """Whether a pre-shared key may replace a certificate."""
        return self._state.uses_psk

    @property
    def shows_certificate(self) -> bool:
        """Whether this side has a certificate of its own."""
        return self._state.shows_certificate

    @property
    def takes_early_data(self) -> bool:
        """Whether a server accepts early data."""
        return self._state.max_early_data > 0

    @property
    def id_context(self) -> bytes:
        """The session id context of a server's connection."""
        return self._state.id_context

    def switch(self) -> None:
        """Note that the connection was given another context: its sessions then belong to no
        policy.
        """
        self._switched = True

    def has_changed(self) -> bool:
        """Return whether the connection has been given another context since it was made."""
        return self._switched
