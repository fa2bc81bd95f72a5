"""Opening a connection through cffi, where direct.py cannot."""

from __future__ import annotations

from .fault import from_queue, plain_error
from .native import ffi, lib, owned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .bio import MemoryBIO
    from .context import Context
    from .names import ServerName

_NULL = ffi.NULL
_faults: list[Any] = []  # reused: such a large struct costs more than opening one


def opened(
    context: Context,
    server: bool,
    fd: int,
    bios: tuple[MemoryBIO, MemoryBIO] | None,
    handle: Any,
    name: ServerName | None,
    checked: bool,
) -> Any:
    """Return the owner of a new SSL, a tk_conn.

    Args:
        handle: for calls to Python, or NULL.
        checked: whether the name is compared to the certificate.

    Raises:
        SSLError: OpenSSL could not make one.
    """
    incoming, outgoing = (_NULL, _NULL) if bios is None else (bios[0]._at(), bios[1]._at())
    named = _NULL if name is None else name.checked if checked else name.unchecked
    try:
        fault = _faults.pop()
    except IndexError:
        fault = ffi.new("tk_fault *")
    pointer = lib.tk_conn_open(context._ctx, server, fd, incoming, outgoing, handle, named, fault)
    if not pointer:
        raise _not_opened(fault, name)
    _faults.append(fault)
    return owned(pointer, lib.tk_conn_free)


def _not_opened(fault: Any, name: ServerName | None) -> Exception:
    if fault.count == 0 and name is not None:  # OpenSSL 4.0 does not record why
        return plain_error(f"OpenSSL does not accept {name.text!r} as a host name to verify")
    return from_queue(fault)
