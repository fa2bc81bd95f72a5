"""The facts about a connection at the moment when an operation on it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from ..._frozen import dataclass


@dataclass(frozen=True, kw_only=True)
class Situation:
    """The facts that a hint is made from.

    Attributes:
        server: whether this side is the server.
        doing: "handshake", "read" or "write".
        done: whether the handshake was already complete.
        kind: "ssl", "eof", "reset" or "timeout": how the operation failed.
        library, reason: OpenSSL's numbers of the error that names the failure; 0 for none.
        hostname: the name that the certificate is verified against.
        callback_refused: whether a callback refused a certificate without raising.
        server_name: the name in the ClientHello (SNI).
        received: the number of bytes that have arrived from the peer.
        first_bytes: the beginning of the record at which reading stopped.
        alert_sent, alert_received: numbers of fatal alerts; -1 for none.
        verify_code: X509_V_ number; 0 if verification did not fail.
        verify_depth: the depth of the certificate that failed; 0 is the leaf.
        certificate: that certificate in DER.
        sent: the peer's chain as it sent it, in DER.
        authorities: how many CA certificates this context trusts.
        own_certificate: whether this context has a certificate of its own.
        asked: whether the peer has requested a certificate from this client.
        lowest, highest: protocol versions that this context allows; 0 for OpenSSL's own limit.
        security_level: of this context.
        staple: the result of the request for an OCSP response (TK_STAPLE_...); 0 if not requested.
    """

    server: bool
    doing: str
    done: bool
    kind: str
    library: int = 0
    reason: int = 0
    hostname: str | None = None
    callback_refused: bool = False
    server_name: str | None = None
    received: int = 0
    first_bytes: bytes = b""
    alert_sent: int = -1
    alert_received: int = -1
    verify_code: int = 0
    verify_depth: int = -1
    certificate: bytes | None = None
    sent: tuple[bytes, ...] = ()
    authorities: int | None = None
    own_certificate: bool = False
    asked: bool = False
    lowest: int = 0
    highest: int = 0
    security_level: int = 0
    staple: int = 0

    @property
    def peer(self) -> str:
        """The other side, as a noun."""
        return "client" if self.server else "server"
