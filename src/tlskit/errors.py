"""The exceptions: the stdlib's own classes, so that `except ssl.SSLError` in any code catches what
tlskit raises.

Besides `library`, `reason`, `verify_code` and `verify_message`, an SSLError raised by tlskit has

- `errors`: OpenSSL's complete error queue, the oldest entry first, as `ErrorEntry`s;
- `alert_sent`, `alert_received`: the fatal alert of this connection, a number with its RFC name in
  `.name`, or None;
- `hint`: what happened, on whose side, and what to try; the message ends with it. An OSError or a
  TimeoutError of a handshake has one as well;
- `verify_depth`, `certificate`: for a failed verification, the refused certificate's position in
  the chain (0 is the peer's own), and that certificate in DER;
- `ech_retry_configs`: where the server has rejected an encrypted ClientHello (the reason is
  "ECH_REQUIRED"), the new ECHConfigList that it sent; b"" if it sent none, None if it has not
  proved its identity (see `SSLContext.ech_config_list`);
- `peer_chain`, `verified_so_far`: the certificates that the peer sent, and the part of the chain
  that could be built from them, in DER, the peer's own first.
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from ._frozen import NamedTuple

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
