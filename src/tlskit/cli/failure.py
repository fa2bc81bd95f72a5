"""What can go wrong on the command line, each in one sentence: no traceback, and an exit status
that is not 0.
"""

from __future__ import annotations

import socket

from ..errors import SSLCertVerificationError, SSLEOFError, SSLError

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
    """Why a command cannot go on.

    Attributes:
        sentence: for the user.
        status: what the process exits with.
    """

    def __init__(self, sentence: str, *, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def connecting(error: OSError, where: str, timeout: float) -> Failure:
    """The failure of a TCP connection."""
    if isinstance(error, socket.gaierror):
        return Failure(f"Cannot find {where}: {spoken(error.strerror)}.")
    if isinstance(error, TimeoutError):
        return Failure(f"Cannot connect to {where}: no answer within {timeout:g} s.")
    return Failure(f"Cannot connect to {where}: {spoken(error.strerror or str(error))}.")


def handshaking(error: OSError, where: str, timeout: float) -> Failure:
    """The failure of a handshake."""
    if isinstance(error, SSLCertVerificationError):
        return Failure(
            f"The certificate of {where} was not accepted: {spoken(error.verify_message)}."
        )
    if isinstance(error, SSLEOFError):
        return Failure(f"{where} closed the connection in the middle of the handshake.")
    if isinstance(error, SSLError):
        if error.reason in _NOT_TLS:
            return Failure(
                f"{where} does not seem to speak TLS: what it answered is no TLS record "
                f"({error.reason})."
            )
        alert = getattr(error, "alert_received", None)
        if alert is not None:
            name = getattr(alert, "name", str(alert)).removeprefix("ALERT_DESCRIPTION_")
            return Failure(f"{where} refused the handshake with the alert {name}.")
        return Failure(f"The handshake with {where} failed: {spoken(str(error.args[-1]))}.")
    if isinstance(error, TimeoutError):
        return Failure(
            f"{where} took the connection, but the handshake did not end within {timeout:g} s."
        )
    return Failure(f"The handshake with {where} failed: {spoken(error.strerror or str(error))}.")


def reading(error: OSError, what: str, path: str) -> Failure:
    """The failure to make use of a file."""
    why = (
        f"there is no certificate in it ({error.reason})"
        if isinstance(error, SSLError)
        else spoken(error.strerror or str(error))
    )
    return Failure(f"Cannot read the {what} {path}: {why}.")


def spoken(text: str | None) -> str:
    """A message as the end of a sentence: without a capital that is only its first, and without a
    full stop.
    """
    text = (text or "unknown error").rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
