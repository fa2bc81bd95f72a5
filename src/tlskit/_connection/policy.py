"""ConnectionPolicy: the rules that one connection verifies its peer by.

Part of them libssl copies when the connection is made (mode, flags, depth, protocol bounds), and
part is looked up in the handshake (authorities). What was verified by a mixture of two policies
stands for neither: so the policy is noted when the connection is made, and compared when its
handshake begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_bytes

from ..sessions.binding import Binding, policy_digest
from .context import ConnectionContext


class ConnectionPolicy:
    """The policy of a context, at the moment when a connection is made from it.

    Make it before the connection, and give `confirm` what libssl has copied.

    Args:
        context: the connection's.
        hostname: the name of the server, on a client; None: none was given.

    Attributes:
        binding: the name and a digest of the rules.
        verifies: whether the peer has to show a certificate, or is asked for one.
        reverifies: whether a session's chain is verified again before the session is offered.
        by_key: whether a pre-shared key may stand in place of a certificate.
        checks_name: whether the certificate has to carry the server's name.
    """

    __slots__ = (
        "_context", "_expected", "_switched", "binding", "by_key", "checks_name", "reverifies",
        "verifies",
    )  # fmt: skip

    def __init__(self, context: ConnectionContext, hostname: str | None) -> None:
        rules = context._core.policy()
        self._context = context
        self._expected = rules[0]  # what libssl should copy
        self._switched = False
        self.checks_name = context.check_hostname
        self.binding = Binding(
            hostname.lower() if hostname else None,
            policy_digest(self.checks_name, context._host_flags, rules),
        )
        self.by_key = context._core.authenticates_by_key
        self.reverifies = context.sessions.reverify
        self.verifies = False

    def confirm(self, copied: Sequence[int]) -> None:
        """Take note of what libssl has copied. Another thread may have changed the context
        meanwhile, and even back again: libssl may have copied either, or a mixture.
        """
        self.verifies = bool(copied[0])
        self._switched = copied != self._expected or self._differs()

    def switch(self, context: ConnectionContext) -> None:
        """The connection has been given another context."""
        self._switched = self._switched or context is not self._context
        self._context = context

    def has_changed(self) -> bool:
        """Whether the context's rules are no longer those that the connection was made under."""
        return self._switched or self._differs()

    def _differs(self) -> bool:
        context = self._context
        digest = policy_digest(context.check_hostname, context._host_flags, context._core.policy())
        return digest != self.binding.policy

    @property
    def shows_certificate(self) -> bool:
        """Whether this side has a certificate of its own."""
        return bool(self._context._core.own_identity)

    @property
    def takes_early_data(self) -> bool:
        """Whether a server takes early data."""
        return self._context.max_early_data > 0

    def id_context(self) -> bytes:
        """The session id context of a server's connection.

        Where the server verifies its clients, or asks them for keys, it stands for the policy too.
        Under a mixture of policies it stands for nothing else.
        """
        given = self._context.sessions.id_context
        if not self.verifies and not self.by_key:
            return given
        return token_bytes(32) if self.has_changed() else self.binding.id_context(given)
