"""Detect whether waiting must go through Python: gevent and eventlet replace `select.select`."""

from __future__ import annotations

import errno
import select
import sys
from socket import SO_ERROR, SOL_SOCKET, socket
from time import monotonic

from .native import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    _Socket = TypeVar("_Socket", bound=socket)


#: The interpreter's own, unless it had been replaced already: while it is in place, nothing is
#: cooperative.
native_select: Any = select.select if select.select.__module__ == "select" else None


def cooperative() -> bool:
    """Return whether `select` was replaced, before or after this import, so that a wait in C would
    stop every green thread.
    """
    return select.select.__module__ != "select"


def wait(fd: int, status: int, deadline: float | None) -> int:
    """Wait as `status` says, with the replaced select, and return TK_DONE or TK_TIMED_OUT."""
    left = None if deadline is None else max(deadline - monotonic(), 0.0)
    reading, writing = ([fd], []) if status == lib.TK_WANT_READ else ([], [fd])
    ready = select.select(reading, writing, [], left)
    done: int = lib.TK_DONE if any(ready) else lib.TK_TIMED_OUT
    return done


def for_accept(sock: Any) -> None:
    """Wait for a connection to a listening socket, with the replaced select, so that the following
    accept does not block.
    """
    timeout = sock.gettimeout()
    if timeout != 0 and cooperative() and not _ready(sock, lib.TK_WANT_READ, timeout):
        raise TimeoutError("timed out")


def connect(kind: Any, sock: Any, addr: Any) -> int:
    """Return what `kind.connect_ex(sock, addr)` returns, but wait with the replaced select."""
    timeout = sock.gettimeout()
    kind.settimeout(sock, 0)
    try:
        failed: int = kind.connect_ex(sock, addr)
        if failed in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            failed = (
                sock.getsockopt(SOL_SOCKET, SO_ERROR)
                if _ready(sock, lib.TK_WANT_WRITE, timeout)
                else errno.EWOULDBLOCK
            )
        return failed
    finally:
        kind.settimeout(sock, timeout)


def restored(sock: _Socket) -> _Socket:
    """Return the socket, blocking again if it was before TLS: on Windows, C makes the descriptor
    itself non-blocking.
    """
    if sys.platform == "win32" and sock.fileno() >= 0:
        sock.settimeout(sock.gettimeout())
    return sock


def _ready(sock: Any, status: int, timeout: float | None) -> bool:
    return (
        wait(sock.fileno(), status, None if timeout is None else monotonic() + timeout)
        == lib.TK_DONE
    )
