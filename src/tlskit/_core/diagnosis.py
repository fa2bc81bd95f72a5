"""Add to an exception what is known about the connection that failed.

It runs when something has failed for good, never for an operation that merely has to wait.
"""

from __future__ import annotations

from ..errors import SSLCertVerificationError, SSLEOFError, SSLError, SSLZeroReturnError
from .fault import UNWANTED, alert_of, last_entry
from .group_mismatch import Negotiated, group_mismatch
from .native import CONST, ffi, lib, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol
else:
    Protocol = object

_HAS_NO_ISSUER = ("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "UNABLE_TO_VERIFY_LEAF_SIGNATURE")
_NO_ISSUER = {getattr(CONST, f"X509_V_ERR_{name}", -1) for name in _HAS_NO_ISSUER}


class Failed(Negotiated, Protocol):
    """What is asked of a connection that has failed."""

    _conn: Any

    @property
    def expected_name(self) -> str | None: ...
    @property
    def callback_refused(self) -> bool: ...
    def ech_retry_configs(self) -> Any: ...
    def log_failure(self, error: Exception) -> None: ...


def explain(connection: Failed, error: Exception, fault: Any, doing: str) -> None:
    """Set an exception's hint, and append the hint to its message.

    Args:
        connection: the one whose operation failed.
        error: an SSLError, an OSError or a TimeoutError that is about to be raised.
        fault: the tk_fault of the operation, or None.
        doing: "handshake", "read" or "write".
    """
    kind = _kind(error)
    if kind is None:
        return
    if isinstance(error, SSLCertVerificationError):
        error.peer_chain = tuple(_refused(connection, built=False))  # type: ignore[attr-defined]
        error.verified_so_far = tuple(_refused(connection, built=True))  # type: ignore[attr-defined]
    if kind == "reset" and doing == "write":
        fault = _alert_before(connection, error, fault)
    if kind == "ssl" and error.reason == UNWANTED:  # type: ignore[attr-defined]
        said, hint = group_mismatch(connection)
        error.args = (error.args[0], f"{error.args[1]}{said}")
    else:
        hint = _hint(connection, error, fault, doing, kind)
    if getattr(error, "reason", None) == "ECH_REQUIRED" and doing == "handshake":
        error.ech_retry_configs = connection.ech_retry_configs()  # type: ignore[attr-defined]
    error.hint = hint  # type: ignore[attr-defined]
    if hint:
        _append(error, hint)
    if doing == "handshake" and (fault is None or not fault.repeated):
        connection.log_failure(error)


def explain_loading(error: SSLError, fault: Any, *, encrypted: bool = False) -> SSLError:
    """Set the hint of an error from a certificate or a key, and append it to the message.

    Args:
        encrypted: whether a key that a password was given for could not be read.
    """
    from .hints.loading import hint

    entries = (fault.error[n] for n in reversed(range(fault.count)))
    found = hint(((one.library, one.reason) for one in entries), encrypted=encrypted)
    if found:
        error.hint = found  # type: ignore[attr-defined]
        _append(error, found)
    return error


def explain_no_context(error: SSLError) -> SSLError:
    """Set the hint of an error from SSL_CTX_new(3), and append it to the message. It may be an
    error of the stdlib's OpenSSL.
    """
    from .library import explain_no_algorithms

    if error.reason == "LIBRARY_HAS_NO_CIPHERS":
        hint = explain_no_algorithms()
        error.hint = hint  # type: ignore[attr-defined]
        _append(error, hint)
    return error


def _alert_before(connection: Failed, error: Exception, fault: Any) -> Any:
    """Return the fault with a server's last alert, if the server closed the connection before it
    was read.
    """
    if lib.tk_conn_glance(connection._conn) != lib.TK_SSL:
        return fault
    said = ffi.new("tk_fault *")
    lib.tk_conn_fault(connection._conn, lib.TK_READ, said)
    if said.alert_received < 0:
        return fault
    error.alert_received = alert_of(said.alert_received)  # type: ignore[attr-defined]
    return said


def _kind(error: Exception) -> str | None:
    """Return how the operation failed, as in Situation; None if no explanation is needed."""
    if isinstance(error, SSLZeroReturnError):
        return None
    if isinstance(error, SSLEOFError):
        return "eof"
    if isinstance(error, SSLError):
        return "ssl"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "reset" if isinstance(error, ConnectionError) else None


def _refused(connection: Failed, *, built: bool) -> list[bytes]:
    return [der for _, der in listed(lambda out: lib.tk_conn_refused(connection._conn, built, out))]


def _telling_entry(fault: Any) -> Any:
    """Return the entry of the error queue that says what happened. From OpenSSL 3.2 on, the record
    layer adds one that only says that it failed.
    """
    last = last_entry(fault)
    general = getattr(CONST, "SSL_R_RECORD_LAYER_FAILURE", None)
    if last is not None and fault.count > 1 and last.reason == general:
        return fault.error[fault.count - 2]
    return last


def _hint(connection: Failed, error: Exception, fault: Any, doing: str, kind: str) -> str:
    from .hints import Situation, hint_for  # late: so much text is loaded only when needed

    t = ffi.new("tk_explain *")
    lib.tk_conn_explain(connection._conn, t)
    verify_code = getattr(error, "verify_code", 0)
    last = None if fault is None else _telling_entry(fault)
    name = ffi.string(t.server_name).decode("ascii", "backslashreplace")
    return hint_for(
        Situation(
            server=bool(t.server),
            doing=doing,
            done=bool(t.done),
            kind=kind,
            library=0 if last is None else last.library,
            reason=0 if last is None else last.reason,
            hostname=connection.expected_name,
            callback_refused=connection.callback_refused,
            server_name=name or None,
            received=t.received,
            first_bytes=bytes(ffi.buffer(t.came, t.came_size)),
            alert_sent=-1 if fault is None else fault.alert_sent,
            alert_received=-1 if fault is None else fault.alert_received,
            verify_code=verify_code,
            verify_depth=getattr(error, "verify_depth", -1),
            certificate=getattr(error, "certificate", None),
            sent=getattr(error, "peer_chain", ()),
            authorities=_authorities(connection) if verify_code in _NO_ISSUER else None,
            own_certificate=bool(t.own_certificate),
            asked=bool(t.asked),
            lowest=t.min_version,
            highest=t.max_version,
            security_level=t.security_level,
            staple=t.staple,
        )
    )


def _authorities(connection: Failed) -> int | None:
    """Return how many CA certificates are trusted; None if a directory may hold any number."""
    trust = connection._context.trust
    return None if trust.directories else trust.count()["x509_ca"]


def _append(error: Exception, hint: str) -> None:
    """Append the hint to the message, whose beginning stays: programs look for words in it."""
    *first, text = error.args
    said = f"{str(text).rstrip('.')}. {hint}"
    error.args = (*first, said)
    if isinstance(error, OSError) and first:
        error.strerror = said
