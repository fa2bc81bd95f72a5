"""Situation: what is known about a connection at the moment when an operation on it fails."""

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
        done: whether the handshake was complete before.
        kind: "ssl", "eof", "reset" or "timeout": how the operation failed.
        library, reason: of the error that names the failure, as OpenSSL numbers them; 0: none.
        hostname: the name that the certificate is verified against.
        turned_down: a callback refused a certificate, and raised nothing.
        server_name: the name in the ClientHello (SNI).
        received: bytes that have come from the peer.
        first_bytes: the beginning of the record at which reading stopped.
        alert_sent, alert_received: numbers of fatal alerts; -1: none.
        verify_code: X509_V_ number; 0: verification did not fail.
        verify_depth: how far from the leaf (0) the certificate is that failed.
        certificate: that certificate in DER.
        sent: the peer's chain as it sent it, in DER.
        authorities: how many CA certificates this context trusts.
        own_certificate: whether this context has a certificate of its own.
        asked: whether the peer has asked this client for a certificate.
        lowest, highest: protocol versions that this context allows; 0: OpenSSL's own bound.
        security_level: of this context.
        staple: the result of the request for an OCSP response (TK_STAPLE_...); 0: not requested.
    """

    server: bool
    doing: str
    done: bool
    kind: str
    library: int = 0
    reason: int = 0
    hostname: str | None = None
    turned_down: bool = False
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
        """The other side as a noun."""
        return "client" if self.server else "server"
