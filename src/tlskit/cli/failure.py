"""Errors of the command line, each in one sentence: no traceback, and an exit status other
than 0.
"""

from __future__ import annotations

import socket
from typing import Any

from ..errors import SSLCertVerificationError, SSLEOFError, SSLError
from .certificates import shown

FAILED = 1
MISUSED = 2  # also argparse's own

_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_TOO_SMALL",
)


class Failure(Exception):
    """Why a command cannot continue.

    Attributes:
        sentence: for the user.
        status: the exit status of the process.
        details: further fields of the JSON output.
    """

    def __init__(
        self, sentence: str, *, status: int = FAILED, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status
        self.details: dict[str, Any] = details or {}


def connecting(error: OSError, where: str, timeout: float) -> Failure:
    """Return the failure of a TCP connection."""
    if isinstance(error, socket.gaierror):
        return Failure(f"Cannot find {where}: {spoken(error.strerror)}.")
    if isinstance(error, TimeoutError):
        return Failure(f"Cannot connect to {where}: no answer within {timeout:g} s.")
    return Failure(f"Cannot connect to {where}: {spoken(error.strerror or str(error))}.")


def handshaking(error: OSError, where: str, timeout: float) -> Failure:
    """Return the failure of a handshake."""
    failed = _handshaking(error, where, timeout)
    hint = getattr(error, "hint", "")
    return Failure(
        f"{failed.sentence} {hint}" if hint else failed.sentence,
        status=failed.status,
        details=details(error),
    )


def details(error: OSError) -> dict[str, Any]:
    """Return an error's attributes for JSON."""
    found = {
        "reason": getattr(error, "reason", None),
        "hint": getattr(error, "hint", "") or None,
        "alert_sent": _alert(getattr(error, "alert_sent", None)),
        "alert_received": _alert(getattr(error, "alert_received", None)),
    }
    if isinstance(error, SSLCertVerificationError):
        found["verify_code"] = error.verify_code
        found["verify_message"] = error.verify_message
        found["verify_depth"] = getattr(error, "verify_depth", None)
        found["chain"] = [one.as_json() for one in shown(getattr(error, "peer_chain", ()))]
    return found


def _alert(alert: Any) -> str | None:
    return None if alert is None else str(getattr(alert, "name", alert))


def _handshaking(error: OSError, where: str, timeout: float) -> Failure:
    if isinstance(error, SSLCertVerificationError):
        return Failure(
            f"The certificate of {where} was not accepted: {spoken(error.verify_message)}."
        )
    if isinstance(error, SSLEOFError):
        return Failure(f"The handshake with {where} failed: the connection was closed.")
    if isinstance(error, SSLError):
        if error.reason in _NOT_TLS:
            return Failure(
                f"{where} does not seem to speak TLS: its answer is not a TLS record "
                f"({error.reason})."
            )
        alert = getattr(error, "alert_received", None)
        if alert is not None:
            name = getattr(alert, "name", str(alert)).removeprefix("ALERT_DESCRIPTION_")
            return Failure(f"{where} refused the handshake with the alert {name}.")
        return Failure(f"The handshake with {where} failed: {_bare(error)}.")
    if isinstance(error, TimeoutError):
        return Failure(f"The handshake with {where} did not end within {timeout:g} s.")
    return Failure(f"The handshake with {where} failed: {_bare(error, error.strerror)}.")


def _bare(error: OSError, text: str | None = None) -> str:
    """Return an error's own words, without the hint at their end."""
    said = text or str(error.args[-1] if error.args else error)
    hint = getattr(error, "hint", "")
    return spoken(said.removesuffix(hint).rstrip() if hint else said)


def reading(error: OSError, what: str, path: str) -> Failure:
    """Return the failure to read or use a file."""
    why = (
        f"there is no certificate in it ({error.reason})"
        if isinstance(error, SSLError)
        else spoken(error.strerror or str(error))
    )
    if not isinstance(error, SSLError) and error.filename is None:
        path = ""  # probably not a path: it may be a key
    return Failure(f"Cannot read the {what}{' ' * bool(path)}{path}: {why}.")


def spoken(text: str | None) -> str:
    """Return a message as the end of a sentence: without a full stop, and without a capital letter
    that only begins it.
    """
    text = (text or "unknown error").rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
