"""What a session is bound to: the name and the verification policy under which its handshake was made.

A resumed handshake carries no certificate, and verifies nothing. So a session may be offered only where its own
handshake would have been accepted: for the same server name, by the same rules. `Binding` is both; equality decides.
A session without a binding (read from bare DER or PEM) has to stand a verification of the certificate in it instead.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple


class Binding(NamedTuple):
    """The server name and the policy of a connection.

    Attributes:
        hostname: as it was sent, in lower case; None: no name was given.
        checked: whether the certificate had to carry that name.
        host_flags: how names were compared.
        policy: `Context.policy()`: verification mode, flags and depth, protocol bounds, security level, trust
            anchors, own certificate, application protocols.
    """

    hostname: str | None
    checked: bool
    host_flags: int
    policy: tuple[object, ...]

    def id_context(self, given: bytes) -> bytes:
        """The session id context of a server that verifies its clients: 32 bytes that stand for its own and its policy.

        OpenSSL resumes a client's session under the id context that it was made with, and verifies nothing: a session
        from before a certificate was demanded, or from other authorities, must not pass for one that has shown it.
        """
        return sha256(given + repr(self.policy).encode()).digest()

    def difference(self, other: Binding) -> str | None:
        """Why a session bound to `self` must not be offered under `other`; None when it may."""
        if self.hostname != other.hostname:
            return "the session was made with another server name"
        if self != other:
            return "the session was made under another verification policy"
        return None
