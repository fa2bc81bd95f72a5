"""OCSP responses, as clients and servers judge them (tk_response.c)."""

from __future__ import annotations

from .certificate import Certificate
from .native import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from .._frozen import NamedTuple

_NAMES = (
    "MISSING", "GOOD", "REVOKED", "UNKNOWN", "MALFORMED", "UNSUCCESSFUL", "UNTRUSTED", "OTHER",
    "STALE",
)  # fmt: skip
VERDICTS: dict[int, str] = {getattr(lib, f"TK_STAPLE_{name}"): name.lower() for name in _NAMES}


class StapleVerdict(NamedTuple):
    """The verdict of a response on a certificate.

    Attributes:
        verdict: "good", "revoked", "unknown", or why the response has no verdict.
        until: when it expires, in seconds since 1970; -1 if not stated.
    """

    verdict: str
    until: int


def staple_verdict(number: int) -> str:
    """Return a verdict as a word."""
    return VERDICTS.get(number, "malformed")


def judge(leaf: Certificate, issuer: Certificate | None, response: bytes) -> StapleVerdict:
    """Return a response's verdict on `leaf`; without its issuer, the signature is not checked.

    Corresponds to OCSP_basic_verify(3), but only the issuer and its delegates are accepted.
    """
    until = ffi.new("int64_t *")
    above = ffi.NULL if issuer is None else issuer._x509
    found = lib.tk_staple_of(leaf._x509, above, response, len(response), until)
    return StapleVerdict(staple_verdict(found), until[0])
