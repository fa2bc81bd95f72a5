"""Binding: the server name and the verification policy that a session's handshake was made with.

A resumed handshake carries no certificate and verifies nothing. So a session may be offered only
where its own handshake would have been accepted: for the same server name, under the same policy.
A `Binding` holds both, and must be equal. If a session has no binding (read from plain DER or PEM),
its certificate is verified again instead.
"""

from __future__ import annotations

from .._digest import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from .._frozen import NamedTuple


class Binding(NamedTuple):
    """The server name and the policy of a connection. Both mean the same in every process and on
    every machine.

    Attributes:
        hostname: the name as it was sent, in lower case; None if no name was given.
        policy: a digest of everything else that verification depends on: `State.policy`.
    """

    hostname: str | None
    policy: bytes

    @property
    def key(self) -> bytes:
        """A digest of both, 32 bytes: the store key of the sessions that may be offered under
        them.
        """
        return sha256(
            b"tlskit client 1\0"
            + self.policy
            + (b"" if self.hostname is None else b"=" + self.hostname.encode())
        ).digest()
