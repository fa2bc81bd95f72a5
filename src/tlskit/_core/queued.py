"""A connection between two of the stdlib's MemoryBIOs, which asyncio and uvloop use.

libssl works on internal MemoryBIOs, and the bytes are moved: everything in `incoming` before an
operation, everything for `outgoing` after it, even if it failed. (The Pump of bridge.py is for
objects that may refuse bytes, and moves single records.)

An event loop reads as long as something is pending in `incoming` or in the connection, and then
waits for the network. So `pending()` includes bytes that were moved and not read: decrypted bytes
by their number, and a record that is not decrypted, or the peer's end after its data, as 1.

The common operations also exist in C (direct.py): those here are for where that C is missing,
and for the uncommon cases.

Threads: each direction has a lock, so that bytes stay in order. It is held during a call into C,
which never waits.
"""

from __future__ import annotations

from contextlib import suppress
from operator import index

from ..errors import SSLError, SSLWantReadError
from .bio import MemoryBIO
from .connection import Connection, Timeout
from .direct import usual
from .direction_locks import DirectionLocks
from .fault import want_read
from .memory import is_short
from .native import ROOM, ffi, lib, return_read_buffer, room_of, take_read_buffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

_read, _write = lib.tk_conn_read_given, lib.tk_conn_write_taken
_COUNT = lib.TK_DRY - 1  # the bits that hold a count
_DRY, _READ, _WRITE, _WANT_READ = lib.TK_DRY, lib.TK_READ, lib.TK_WRITE, lib.TK_WANT_READ
_HANDSHAKE, _SHUTDOWN = lib.TK_HANDSHAKE, lib.TK_SHUTDOWN
_AGAIN = lib.TK_PAUSED, lib.TK_INTERRUPTED
_SHORT = 49152  # bytes: their ciphertext fits into one buffer
_NO_SLOTS: tuple[str, ...] = ()  # two bases of a class cannot both have some: it has these
SLOTS = (
    "_dry", "_given_in", "_given_out", "_in", "_out", "_process", "_receives", "_sends",
)  # fmt: skip


def _room(size: int, buffer: Any) -> int:
    """Return how many bytes a read may return, into a buffer or without one."""
    if buffer is None:
        return size
    with memoryview(buffer) as view:
        return view.nbytes


class QueuedConnection(DirectionLocks, Connection):
    """A Connection between two MemoryBIOs of the stdlib's."""

    __slots__ = _NO_SLOTS

    _dry: bool  # all incoming bytes were read, and nothing is to be sent
    _given_in: Any
    _given_out: Any
    _in: MemoryBIO
    _out: MemoryBIO

    def connect_queues(self, inner: tuple[MemoryBIO, MemoryBIO], given: tuple[Any, Any]) -> None:
        """Connect the MemoryBIOs that it was made with to the program's; once, right after that."""
        self._in, self._out = inner
        self._given_in, self._given_out = given
        self._dry = False
        self._renew_locks()

    def usual(self) -> tuple[Any, Any, Any, Any, Any]:
        """Its `read`, `write`, `pending`, `do_handshake` and `shutdown`, to be called often."""
        locks = self._receives, self._sends
        queues = self._given_in, self._given_out
        return usual(self, queues, locks) or Connection.usual(self)

    # -- reading and writing -----------------------------------------------------------------------

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = 0.0) -> Any:
        len = len if type(len) is int else index(len)
        incoming = self._given_in
        if self._dry and len > 0 and not incoming.pending and not incoming.eof:
            raise want_read()
        if self.on_session is not None or self._over or (buffer is None and len <= 0):
            return self._read_slowly(len, buffer)
        if buffer is not None:
            return self._read_given(len, buffer)
        one = take_read_buffer()
        n = self._decrypt(one.pointer, min(len, ROOM))
        data = one.view[: n & _COUNT] if n > 0 else b""
        return_read_buffer(one)
        if n <= 0:
            return self._read_on(n, len)
        if n < _DRY:
            self._send()
        return data

    def _read_given(self, len: int, buffer: Any) -> Any:
        """Read as `read` does, straight into a buffer: aiofastnet does this, and uvloop for a
        BufferedProtocol.
        """
        pointer = room_of(buffer)
        room = pointer.__len__()
        if 0 < len < room:
            room = len
        if not room:
            return self._read_slowly(len, buffer)
        try:
            n = self._decrypt(pointer, room)
        finally:
            ffi.release(pointer)
        if n > _DRY:
            return n - _DRY
        if n <= 0:
            return self._read_on(n, len, buffer) or 0
        if self._out.pending:
            self._send()
        return n

    def _decrypt(self, pointer: Any, room: int) -> int:
        """Decrypt up to `room` bytes out of the incoming queue, and return the status."""
        with self._receiving:
            given = self._given_in.read(ROOM)
            n: int = _read(self._conn, given, given.__len__(), pointer, room)
            self._dry = n > _DRY
        return n

    def _read_on(self, n: int, len: int, buffer: Any = None) -> Any:
        """Return or raise the result of a read with this status."""
        if n in _AGAIN:
            return self._read_slowly(len, buffer)
        if self._out.pending:
            self._send()
        if n == 0:
            self._return_leftover()
            return b""
        if n == _WANT_READ:
            if self._given_in.pending:  # the bytes that were taken held no data
                return self.read(len, buffer)
            if self._ended():
                return self._read_slowly(len, buffer)
            raise want_read()
        try:
            raise self._error(n, _READ)
        finally:
            self._send()

    def _read_slowly(self, len: int, buffer: Any) -> Any:
        while True:
            self._receive()
            try:
                got = super().read(len, buffer)
                break
            except SSLWantReadError:
                if not self._ended():
                    raise
            finally:
                self._send()
        if not got and _room(len, buffer):
            self._return_leftover()
        return got

    def write(self, data: Buffer, timeout: Timeout = 0.0) -> int:
        if type(data) is not bytes and is_short(data):
            data = bytes(data)
        if self.on_session is not None:
            return self._write_slowly(data)
        if type(data) is memoryview and data.contiguous:
            return self._write_long(data)
        if type(data) is not bytes:
            return self._write_slowly(data)
        if len(data) > _SHORT:
            return self._write_long(data)
        one = take_read_buffer()
        with self._sending:
            n = _write(self._conn, data, len(data), one.pointer, ROOM)
            if n > 0:
                self._given_out.write(one.bytes[:n])
        return_read_buffer(one)
        if n < 0:
            return self._write_on(n, data)
        if not 0 < n < ROOM:
            self._send()
        return len(data)

    def _write_on(self, status: int, data: bytes | memoryview) -> int:
        """Handle a write of which nothing was sent."""
        if status in _AGAIN:
            return self._write_slowly(data)
        self._send()
        raise self._error(status, _WRITE)

    def _write_long(self, data: bytes | memoryview) -> int:
        """Write piece by piece, through a buffer in the processor's cache, as far as possible."""
        pointer: Any = ffi.from_buffer("char[]", data)
        size: int = pointer.__len__()
        at = 0
        one = take_read_buffer()
        with self._sending:
            while at < size:
                most = min(size - at, _SHORT)
                n = _write(self._conn, pointer + at, most, one.pointer, ROOM)
                if n <= 0:
                    break
                self._given_out.write(one.bytes[:n])
                at += most
        return_read_buffer(one)
        if at == size:
            return size
        if not at:
            return self._write_on(n, data)
        self._send()
        return at

    def _write_slowly(self, data: Buffer) -> int:
        try:
            return super().write(data)
        finally:
            self._send()

    # -- the other operations ----------------------------------------------------------------------

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        while True:
            self._receive()
            try:
                return super().do_handshake()
            except SSLWantReadError:
                if not self._ended():
                    raise
            finally:
                self._send()

    def _handshake_on(self, status: int) -> None:
        """Continue or end a handshake that C has left with this status."""
        try:
            if self.late_error is not None:
                self._raise_late_error()
            if status > 0:
                self.handshake_complete()
            elif status in _AGAIN or status == _WANT_READ:
                self.do_handshake()
            else:
                raise self._error(status, _HANDSHAKE)
        finally:
            self._send()

    def read_early_data(self, size: int, timeout: Timeout = 0.0) -> bytes:
        while True:
            self._receive()
            try:
                return super().read_early_data(size)
            except SSLWantReadError:
                if not self._ended():
                    raise
            finally:
                self._send()

    def shutdown(self, timeout: Timeout = 0.0) -> None:
        while True:
            self._receive()
            try:
                super().shutdown()
                break
            except SSLWantReadError:
                if not self._ended():
                    raise
            finally:
                self._send()
        self._return_leftover()

    def _shutdown_on(self, status: int) -> None:
        """Continue or end a shutdown that C has left with this status."""
        try:
            if self.late_error is not None:
                self._raise_late_error()
            if status in _AGAIN or status == _WANT_READ:
                self.shutdown()
            else:
                raise self._error(status, _SHUTDOWN)
        finally:
            self._send()

    def request_certificate(self) -> None:
        try:
            super().request_certificate()
        finally:
            self._send()

    def close(self) -> None:
        self._dry = False
        super().close()

    def pending(self) -> int:
        if self._dry:
            return 0
        return super().pending() or bool(lib.tk_conn_holds_more(self._conn))

    @property
    def _over(self) -> bool:
        """Return whether TLS is over: no more incoming bytes belong to it."""
        return bool(lib.tk_conn_is_over(self._conn))

    # -- moving ------------------------------------------------------------------------------------

    def _receive(self) -> None:
        with self._receiving:
            self._dry = False
            if not self._over and (data := self._given_in.read()):
                self._in.write(data)

    def _ended(self) -> bool:
        """Return whether the end of `incoming` has just been passed on."""
        if not self._given_in.eof:
            return False
        with self._receiving:
            if self._over or self._in.ended:
                return False
            self._in.write_eof()
            return True

    def _send(self) -> None:
        if self._out.pending:
            with self._sending:
                self._given_out.write(self._out.read())

    def _return_leftover(self) -> None:
        """End TLS, and put the bytes that do not belong to it back where they came from."""
        with self._receiving:
            lib.tk_conn_set_over(self._conn)
            if rest := self._in.read():
                with suppress(SSLError):  # nothing can be added after EOF
                    self._given_in.write(rest + self._given_in.read())
