"""Translate C's errors into Python exceptions. No other code interprets OpenSSL's numbers.

In this order: an exception that Python code raised inside a hook; statuses whose name says it all;
a failed verification; an end of file where TLS does not allow one; the operating system's error;
any other SSLError.
"""

from __future__ import annotations

import errno
import os
import sys
from ssl import SSLErrorNumber, _TLSAlertType  # type: ignore[attr-defined]

from ..errors import (
    ErrorEntry,
    SSLCertVerificationError,
    SSLEOFError,
    SSLError,
    SSLWantReadError,
    SSLWantWriteError,
    SSLZeroReturnError,
)
from .native import CONST, ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WANT_READ = int(SSLErrorNumber.SSL_ERROR_WANT_READ)
UNWANTED = "GROUP_NOT_ALLOWED"
_EOF_TEXT = "EOF occurred in violation of protocol"


def translate(
    status: int,
    fault: Any,
    *,
    doing: str = "",
    hostname: str | None = None,
    certificate: bytes | None = None,
) -> Exception:
    """Return the exception for a negative status of a tk_ call.

    Args:
        status: the return value of the call.
        fault: its tk_fault, used only for TK_SSL and TK_SYSCALL.
        doing: "read", "write", "handshake" ..., for the message of a timeout.
        hostname: the expected name, for the message of a mismatch.
        certificate: the certificate at which verification failed, in DER, if it did.
    """
    if status == lib.TK_WANT_READ:
        return want_read()
    if status == lib.TK_WANT_WRITE:
        return _plain(
            SSLWantWriteError,
            SSLErrorNumber.SSL_ERROR_WANT_WRITE,
            "The operation did not complete (write)",
        )
    if status == lib.TK_UNWANTED:
        return unwanted()
    if status == lib.TK_MEMORY:
        return MemoryError("no memory for the bytes of a connection")
    if status == lib.TK_TIMED_OUT:
        return TimeoutError(f"The {doing} operation timed out")
    if status == lib.TK_REENTERED:
        return RuntimeError(
            f"a callback of this connection cannot begin another {doing} on it, while the "
            f"operation that calls it goes on"
        )
    if status == lib.TK_CLOSED:
        return OSError(errno.EBADF, os.strerror(errno.EBADF))
    if status in (lib.TK_ZERO_RETURN, lib.TK_EOF):
        return _plain(
            SSLZeroReturnError,
            SSLErrorNumber.SSL_ERROR_ZERO_RETURN,
            "TLS/SSL connection has been closed (EOF)",
        )
    # From 3.2 on libssl reports a failed write as a system error, also in its queue.
    if status == lib.TK_SYSCALL and all(
        entry.library == CONST.ERR_LIB_SYS for entry in _entries(fault)
    ):
        if number := fault.sys_errno or (fault.error[0].reason if fault.count else 0):
            return OSError(number, system_text(number))
        return _with_fault(_plain(SSLEOFError, SSLErrorNumber.SSL_ERROR_EOF, _EOF_TEXT), fault)
    return from_queue(
        fault, hostname=hostname, certificate=certificate, number=SSLErrorNumber.SSL_ERROR_SSL
    )


if sys.platform == "win32":

    def system_text(number: int) -> str:
        """Return the system's text for an errno. C does not know those of Windows' sockets."""
        from ctypes import FormatError

        return FormatError(number).strip() if number >= 10000 else os.strerror(number)

else:
    system_text = os.strerror


def want_read() -> SSLWantReadError:
    """Return the exception of a read that finds nothing: in an event loop, every second read."""
    error = SSLWantReadError(_WANT_READ, "The operation did not complete (read)")
    error.library = error.reason = None  # type: ignore[assignment]
    return error


def from_queue(
    fault: Any,
    *,
    hostname: str | None = None,
    certificate: bytes | None = None,
    number: int | None = None,
) -> SSLError:
    """Return the SSLError for a fault with an error queue.

    Args:
        fault: the tk_fault of the call.
        hostname: the expected name, for the message of a mismatch.
        certificate: the certificate at which verification failed, in DER, if it did.
        number: the error's errno: SSL_ERROR_SSL where a connection reads, writes or makes its
            handshake. By default it is OpenSSL's reason, as in the stdlib.
    """
    last = last_entry(fault)
    if last is None:
        return _with_fault(
            _plain(SSLError, number or 0, "A failure in the SSL library occurred"), fault
        )
    kind: type[SSLError] = SSLError
    text, verify = _said(last), None
    number = last.reason if number is None else number
    if last.library == CONST.ERR_LIB_SSL and last.reason == CONST.SSL_R_CERTIFICATE_VERIFY_FAILED:
        kind, verify = SSLCertVerificationError, _verify_message(fault.verify_code, hostname)
        text = f"{text}: {verify}"
    elif (
        last.library == CONST.ERR_LIB_SSL
        and last.reason == CONST.SSL_R_UNEXPECTED_EOF_WHILE_READING
    ):
        kind, number, text = SSLEOFError, SSLErrorNumber.SSL_ERROR_EOF, _EOF_TEXT
    library, reason = _text(last.library_name), _text(last.reason_name)
    label = f"[{library}: {reason}] " if library and reason else f"[{library}] " if library else ""
    error = _plain(kind, number, label + text)
    error.library, error.reason = library, reason  # type: ignore[assignment]  # typeshed leaves out that they may be None
    if verify is not None:
        error.verify_code, error.verify_message = fault.verify_code, verify  # type: ignore[attr-defined]
        error.verify_depth, error.certificate = fault.verify_depth, certificate  # type: ignore[attr-defined]
    return _with_fault(error, fault)


def last_entry(fault: Any) -> Any:
    """Return the entry that names the failure: the last one, except for the system's error when an
    alert could not be sent.
    """
    entries = _entries(fault)
    return next(
        (entry for entry in reversed(entries) if entry.library != CONST.ERR_LIB_SYS),
        entries[-1] if entries else None,
    )


def _entries(fault: Any) -> list[Any]:
    return [fault.error[i] for i in range(fault.count)]


def unexpected_eof() -> SSLEOFError:
    """Return the error for a transport that ended without close_notify, between two records."""
    text = f"[SSL: UNEXPECTED_EOF_WHILE_READING] {_EOF_TEXT}"
    error = _plain(SSLEOFError, SSLErrorNumber.SSL_ERROR_EOF, text)
    error.library, error.reason = "SSL", "UNEXPECTED_EOF_WHILE_READING"
    return _without_fault(error)  # type: ignore[return-value]


def unwanted() -> SSLError:
    """Return the error for a handshake in a group that the context does not allow; see
    diagnosis.py.
    """
    error = plain_error(f"[SSL: {UNWANTED}] ")
    error.library, error.reason = "SSL", UNWANTED
    return error


def unnumbered_error(message: str) -> SSLError:
    """Return an SSLError without any number, as the stdlib's `set_ciphers` raises. Its text is the
    message: the stdlib's shows a tuple.
    """
    error = SSLError(message)
    error.strerror = message
    error.library = error.reason = None  # type: ignore[assignment]
    return _without_fault(error)


def plain_error(message: str) -> SSLError:
    """Return an SSLError of tlskit's own, shaped like the stdlib's, without an OpenSSL number."""
    return _without_fault(_plain(SSLError, 0, message))


def _plain(kind: type[SSLError], number: int, message: str) -> SSLError:
    error = kind(int(number), message)
    error.library = error.reason = None  # type: ignore[assignment]
    return error


def _without_fault(error: SSLError) -> SSLError:
    """Let an error of tlskit's own have the attributes that one of OpenSSL's has."""
    error.hint, error.errors = "", ()  # type: ignore[attr-defined]
    error.alert_sent = error.alert_received = None  # type: ignore[attr-defined]
    return error


def _with_fault(error: SSLError, fault: Any) -> SSLError:
    error.hint = ""  # type: ignore[attr-defined]  # see diagnosis.py
    error.errors = tuple(map(_entry, _entries(fault)))  # type: ignore[attr-defined]
    error.alert_sent = alert_of(fault.alert_sent)  # type: ignore[attr-defined]
    error.alert_received = alert_of(fault.alert_received)  # type: ignore[attr-defined]
    return error


def _entry(entry: Any) -> ErrorEntry:
    return ErrorEntry(
        entry.code,
        _text(entry.library_name),
        _text(entry.reason_name),
        _said(entry),
        _text(entry.data) or "",
    )


def _said(entry: Any) -> str:
    return _text(entry.text) or f"unknown error ({entry.code:#x})"


def alert_of(description: int) -> int | None:
    """Return the alert by its RFC name; the stdlib's AlertDescription lacks the newer ones."""
    if description < 0:
        return None
    try:
        return _TLSAlertType(description)  # type: ignore[no-any-return]
    except ValueError:
        return description


def _text(pointer: Any) -> str | None:
    return ffi.string(pointer).decode("utf-8", "replace") if pointer else None


def _verify_message(code: int, hostname: str | None) -> str:
    if code == CONST.X509_V_ERR_HOSTNAME_MISMATCH:
        return f"Hostname mismatch, certificate is not valid for '{hostname}'."
    if code == CONST.X509_V_ERR_IP_ADDRESS_MISMATCH:
        return f"IP address mismatch, certificate is not valid for '{hostname}'."
    return verify_text(code)


def verify_text(code: int) -> str:
    """Return OpenSSL's text for a verification result. Corresponds to
    X509_verify_cert_error_string(3).
    """
    return _text(lib.tk_verify_text(code)) or "unknown verification error"
