"""What a session is bound to: the name and the verification policy under which its handshake was
made.

A resumed handshake carries no certificate, and verifies nothing. So a session may be offered only
where its own handshake would have been accepted: for the same server name, by the same rules.
`Binding` is both; equality decides. A session without a binding (read from bare DER or PEM) has to
stand a verification of the certificate in it instead.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple


class Binding(NamedTuple):
    """The server name and the policy of a connection. Both mean the same in every process, and on
    every machine.

    Attributes:
        hostname: as it was sent, in lower case; None: no name was given.
        policy: a digest of the rest that verification depends on, from `policy_digest`.
    """

    hostname: str | None
    policy: bytes

    @property
    def key(self) -> bytes:
        """32 bytes that stand for both: where a store keeps the sessions that may be offered under
        them.
        """
        return sha256(
            b"tlskit client 1\0"
            + self.policy
            + (b"" if self.hostname is None else b"=" + self.hostname.encode())
        ).digest()

    def id_context(self, given: bytes) -> bytes:
        """The session id context of a server that verifies its clients: 32 bytes that stand for its
        own and its policy.

        OpenSSL resumes a client's session under the id context that it was made with, and verifies
        nothing: a session from before a certificate was demanded, or from other authorities, must
        not pass for one that has shown it.
        """
        return sha256(given + self.policy).digest()


@lru_cache(maxsize=256)  # every connection asks, and contexts are few
def policy_digest(checked: bool, host_flags: int, policy: tuple[object, ...]) -> bytes:
    """32 bytes that stand for a verification policy.

    Args:
        checked: whether the certificate has to carry the server's name.
        host_flags: how names are compared.
        policy: `Context.policy()`: verification mode, flags and depth, protocol bounds, security
            level, trust anchors, own certificate, application protocols.
    """
    return sha256(repr((checked, host_flags, policy)).encode()).digest()
