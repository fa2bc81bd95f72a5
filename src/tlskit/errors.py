"""The exceptions: the stdlib's own classes, so that `except ssl.SSLError` catches what tlskit
raises, whoever imports it.

Beside `library`, `reason`, `verify_code` and `verify_message`, an SSLError raised by tlskit has

- `errors`: the whole of OpenSSL's error queue, the oldest first, as `ErrorEntry`s;
- `alert_sent`, `alert_received`: the fatal alert of this connection, a number with its RFC name in
  `.name`, or None;
- `hint`: what happened, on whose side, and what to try; the end of the message too. An OSError or a
  TimeoutError of a handshake has one as well;
- `verify_depth`, `certificate`: for a failed verification, how far from the peer's own certificate
  (0) the refused one stands, and that certificate in DER;
- `peer_chain`, `verified_so_far`: the certificates that the peer sent, and the chain as far as it
  could be built from them, in DER, the peer's own first.
"""

from __future__ import annotations

from ssl import (
    CertificateError,
    SSLCertVerificationError,
    SSLEOFError,
    SSLError,
    SSLSyscallError,
    SSLWantReadError,
    SSLWantWriteError,
    SSLZeroReturnError,
)
from typing import NamedTuple

__all__ = [
    "CertificateError",
    "ErrorEntry",
    "SSLCertVerificationError",
    "SSLEOFError",
    "SSLError",
    "SSLSyscallError",
    "SSLWantReadError",
    "SSLWantWriteError",
    "SSLZeroReturnError",
]


class ErrorEntry(NamedTuple):
    """One entry of OpenSSL's error queue."""

    code: int
    library: str | None
    reason: str | None
    text: str
    data: str
