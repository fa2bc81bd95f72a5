"""Hints for an OCSP response that a server has not stapled, or that is not sufficient."""

from __future__ import annotations

from ..staple import staple_verdict
from .situation import Situation


def hint(s: Situation) -> str:
    """Return what was wrong with the staple; "" if none was requested."""
    if s.server or not s.staple:
        return ""
    verdict = staple_verdict(s.staple)
    if verdict == "revoked":
        return f"{_STAPLES[verdict]} The server's operator has to replace it: do not trust it."
    return (
        f"{_STAPLES.get(verdict, '')} Either this context requires a good one (require_staple) or "
        f"the certificate does (must-staple). The server's operator has to enable OCSP stapling, "
        f"or renew the response."
    )


_STAPLES = {
    "missing": "The server sent no OCSP response with its certificate.",
    "revoked": "The OCSP response says that the server's certificate is revoked.",
    "unknown": "The OCSP response says that the responder does not know the server's certificate.",
    "malformed": "The server's OCSP response cannot be read.",
    "unsuccessful": "The server's OCSP response says only that the responder had no answer.",
    "untrusted": "The server's OCSP response is not signed by the certificate's issuer.",
    "other": "The server's OCSP response is about other certificates.",
    "stale": "The server's OCSP response is not in date; if this machine's clock is wrong, set it.",
}
