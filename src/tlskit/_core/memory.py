"""The operations of a connection in memory, which never wait.

An event loop calls four of them for each message, and each costs less than what Python adds to it.
The common case is written in C (direct.py), and again here where that C is missing; all else is
Connection's.
"""

from __future__ import annotations

from operator import index

from .connection import Connection, Timeout
from .direct import usual
from .fault import want_read
from .native import ROOM, lib, return_read_buffer, take_read_buffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

_read, _write = lib.tk_conn_read, lib.tk_conn_write
_WANT_READ, _READ, _WRITE = lib.TK_WANT_READ, lib.TK_READ, lib.TK_WRITE
_HANDSHAKE, _SHUTDOWN = lib.TK_HANDSHAKE, lib.TK_SHUTDOWN
_AGAIN = lib.TK_PAUSED, lib.TK_INTERRUPTED
_COPIED = 16384  # bytes: up to here, a copy costs less than cffi's view of a buffer


class MemoryConnection(Connection):
    """A Connection between two MemoryBIOs."""

    __slots__ = ()

    def usual(self) -> tuple[Any, Any, Any, Any, Any]:
        """Its `read`, `write`, `pending`, `do_handshake` and `shutdown`, to be called often."""
        return usual(self) or Connection.usual(self)

    def _decide(self, _: int) -> None:
        """Make the decision for which an operation in C has paused. C then goes on with it."""
        self._answer(_HANDSHAKE, 0.0, None)

    def _handshake_on(self, status: int) -> None:
        if self.late_error is not None:
            self._raise_late_error()
        if status in _AGAIN:
            Connection.do_handshake(self)
        elif status <= 0:
            raise self._error(status, _HANDSHAKE)
        else:
            self.handshake_complete()

    def _shutdown_on(self, status: int) -> None:
        if self.late_error is not None:
            self._raise_late_error()
        if status in _AGAIN:
            Connection.shutdown(self)
        elif status <= 0:
            raise self._error(status, _SHUTDOWN)

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = 0.0) -> Any:
        len = len if type(len) is int else index(len)
        if buffer is not None or len <= 0 or self.on_session is not None:
            return Connection.read(self, len, buffer)
        one = take_read_buffer()
        n = _read(self._conn, one.pointer, min(len, ROOM), 0)
        data = one.view[:n] if n > 0 else b""
        return_read_buffer(one)
        if n >= 0:
            return data
        if n == _WANT_READ:
            raise want_read()
        return self._read_on(n, len)

    def _read_on(self, status: int, len: int, buffer: Any = None) -> Any:
        if status in _AGAIN:
            return Connection.read(self, len, buffer)
        raise self._error(status, _READ)

    def write(self, data: Buffer, timeout: Timeout = 0.0) -> int:
        if self.on_session is not None:
            return Connection.write(self, data)
        if type(data) is not bytes:
            if not is_short(data):
                return Connection.write(self, data)
            data = bytes(data)
        n: int = _write(self._conn, data, len(data), 0)
        return n if n >= 0 else self._write_on(n, data)

    def _write_on(self, status: int, data: bytes) -> int:
        if status in _AGAIN:
            return Connection.write(self, data)
        raise self._error(status, _WRITE)


def is_short(data: Any) -> bool:
    """Return whether `bytes(data)` is a short copy of it."""
    kind = type(data)
    return (kind is memoryview and data.nbytes <= _COPIED and data.c_contiguous) or (
        kind is bytearray and len(data) <= _COPIED
    )
