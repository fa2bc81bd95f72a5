"""What was negotiated, as numbers and names from libssl."""

from __future__ import annotations

from .native import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from .._frozen import NamedTuple

_OFFERED = {
    lib.TK_OFFERED_UNKNOWN: "unknown", lib.TK_OFFERED_NOTHING: "nothing", lib.TK_OFFERED_ID: "id",
    lib.TK_OFFERED_TICKET: "ticket", lib.TK_OFFERED_PSK: "psk",
}  # fmt: skip
_REFUSED = {
    lib.TK_TICKET_FINE: "", lib.TK_TICKET_UNKNOWN: "unknown", lib.TK_TICKET_RETIRED: "retired",
    lib.TK_TICKET_TAMPERED: "tampered", lib.TK_TICKET_EXPIRED: "expired",
    lib.TK_TICKET_ELSEWHERE: "elsewhere", lib.TK_TICKET_CONTEXT: "context",
}  # fmt: skip
_pool: list[Any] = []  # structs, which cost more to create than to fill


class Facts(NamedTuple):
    """What was negotiated, as OpenSSL reports it after (or during) the handshake."""

    # to a server, to resume from: "nothing", "id", "ticket" or "psk"; "unknown": no ClientHello yet
    offered: str
    early: int  # SSL_EARLY_DATA_...
    # of a keyring: "" (it was not), "unknown", "retired", "tampered", "expired", "elsewhere" or
    # "context"; of OpenSSL's own tickets: "expired" or "context"
    refused_ticket: str
    session_time: int  # creation time of the session in force, in seconds since 1970
    completed: int  # when the first handshake was complete, likewise; 0: it is not
    done: bool
    server: bool
    reused: bool  # whether the first handshake resumed a session
    reused_last: bool  # ... and the last one, after a renegotiation
    version: int
    version_name: str
    cipher_id: int
    cipher_name: str | None
    cipher_standard_name: str | None
    cipher_protocol: str | None
    cipher_bits: int
    group: str | None
    alpn: str | None
    compression: str | None
    server_name: str | None
    extended_master_secret: int
    verify_code: int
    verify_depth: int  # of the certificate with that error; -1 if unknown
    shutdown: int
    bytes_read: int
    bytes_written: int


def look(conn: Any) -> Any:
    """Return a struct with what was negotiated, to be passed to `put_back`."""
    try:
        f = _pool.pop()
    except IndexError:
        f = ffi.new("tk_conn_facts *")
    lib.tk_conn_facts_of(conn, f)
    return f


def put_back(f: Any) -> None:
    """Keep such a struct for the next look."""
    _pool.append(f)


def read_facts(f: Any) -> Facts:
    """Convert the output of tk_conn_facts_of."""
    return Facts(
        _OFFERED[f.offered], f.early, _REFUSED[f.refused_ticket], f.session_time, f.completed,
        bool(f.done), bool(f.server), bool(f.reused), bool(f.reused_last), f.version,
        text_of(f.version_name) or "", f.cipher_id, text_of(f.cipher_name),
        text_of(f.cipher_standard_name),
        text_of(f.cipher_protocol), f.cipher_bits, text_of(f.group_name), alpn_of(f),
        text_of(f.compression), text_of(f.server_name) or None,
        f.extended_master_secret, f.verify_code, f.verify_depth, f.shutdown,
        f.bytes_read, f.bytes_written,
    )  # fmt: skip


def alpn_of(f: Any) -> str | None:
    """Return the application protocol in the output of tk_conn_facts_of."""
    if not f.alpn_size:
        return None
    return bytes(ffi.buffer(f.alpn, f.alpn_size)).decode("ascii", "backslashreplace")


def text_of(pointer: Any) -> str | None:
    """Convert a C string; None for NULL."""
    return ffi.string(pointer).decode("utf-8", "replace") if pointer else None
