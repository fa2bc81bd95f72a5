"""What a session is bound to: the name and the verification policy under which its handshake was
made.

A resumed handshake carries no certificate, and verifies nothing. So a session may be offered only
where its own handshake would have been accepted: for the same server name, by the same rules.
`Binding` is both; equality decides. A session without a binding (read from bare DER or PEM) has to
stand a verification of the certificate in it instead.
"""

from __future__ import annotations

from typing import NamedTuple

from .._digest import sha256


class Binding(NamedTuple):
    """The server name and the policy of a connection. Both mean the same in every process, and on
    every machine.

    Attributes:
        hostname: as it was sent, in lower case; None: no name was given.
        policy: a digest of the rest that verification depends on: `State.policy`.
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
