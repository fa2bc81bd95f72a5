"""The owner of an SSL, and the Python half of its operations.

An operation is one call into C (tk_op.c has the loop: lock, step, fault, wait), which returns a
count of bytes, or a status. Only three things are left to do here: return a count; after a signal,
let Python's handlers run, which they do between two bytecodes, and call again with the time that is
left; and leave everything else to the translator in fault.py. A timeout of 0 never waits: that is
the memory transport, and non-blocking sockets.

New sessions (tickets) queue up in C while an operation runs, and are passed to `on_session` after
it.

For a `read` or a `write`, the call into C costs as much as a call or two of Python, and so does
each frame that an SSLWantReadError passes. The common case of these, and of a handshake that never
waits, is therefore written out. All else goes through `_operate`, and so does the rest of an
operation that a signal or a pause has interrupted.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from math import ceil
from operator import index
from time import monotonic

from .._lazy import LateModule
from . import direct, wait
from .context import Context
from .encrypted_hello import EncryptedHello
from .exporter import Exporter
from .fault import from_queue, translate, want_read
from .hook_switches import CALLING
from .lifecycle import LifecycleHooks
from .names import ServerName
from .native import (
    ROOM,
    ReadBuffer,
    address_of,
    ffi,
    lib,
    read_buffers,
    return_read_buffer,
    room_of,
    take_read_buffer,
)
from .pauses import NOBODY, pause_lock_of
from .peer import Peer
from .queries import Queries
from .rekeying import Rekeying
from .session import Session
from .verifying import ConnectionVerifying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

    from . import answers, hooks, opening
    from .answers import Answers
    from .bio import MemoryBIO
else:
    answers = LateModule(".answers", __package__)  # where C has none
    hooks = LateModule(".hooks", __package__)  # what connects C to Python
    opening = LateModule(".opening", __package__)

Timeout = float | None  # seconds; 0.0: never wait; None: for ever

_read, _write, _events = lib.tk_conn_read, lib.tk_conn_write, lib.tk_conn_events
_take, _put = read_buffers.pop, read_buffers.append  # bound here once, for speed
_INTERRUPTED, _PAUSED = lib.TK_INTERRUPTED, lib.TK_PAUSED
_WANT_READ, _WANT_WRITE = lib.TK_WANT_READ, lib.TK_WANT_WRITE
_WAITS = (_WANT_READ, _WANT_WRITE)
_HANDSHAKE, _READ, _WRITE, _SHUTDOWN = lib.TK_HANDSHAKE, lib.TK_READ, lib.TK_WRITE, lib.TK_SHUTDOWN
_EARLY = -1  # for libssl, part of the handshake
_OPERATIONS: dict[int, Callable[..., int]] = {
    _EARLY: lib.tk_conn_read_early, _HANDSHAKE: lib.tk_conn_handshake, _READ: _read,
    _WRITE: _write, _SHUTDOWN: lib.tk_conn_shutdown,
}  # fmt: skip
_native_select = wait.native_select
_RECORD = 16384  # bytes, the most that a record holds
_DOING = {
    _EARLY: "handshake", _HANDSHAKE: "handshake", _READ: "read", _WRITE: "write", _SHUTDOWN: "read",
}  # fmt: skip

_NULL = ffi.NULL
_TK_CONN = ffi.typeof("tk_conn *")
_NO_BIOS = None, None


class Connection(
    Queries,
    Exporter,
    Peer,
    Rekeying,
    ConnectionVerifying,
    EncryptedHello,
    LifecycleHooks,
):
    """An SSL over a socket's descriptor or over two MemoryBIOs. Any threads may use it: see
    tk_op.c.

    Attributes:
        answers: the answers to common questions about it.
        reverified_chain: the chain that `reverify` has found; empty if none.
        on_session: called with each new Session after the operation in which it arrived. If None,
            sessions are not queued, and an operation skips `late_error`.
        late_error: an exception from a callback for sessions, messages or pre-shared keys. The
            operation raises it, or the next one if there are bytes to return first.
        psk_offered: the identity whose pre-shared key was passed last, or None.
        hook_error: an exception that Python code raised inside a hook of this connection, until it
            has been reported.
    """

    __slots__ = (
        "__weakref__", "_conn", "_context", "_fd", "_handle", "_native", "_others", "_pause_lock",
        "always_hands_out", "answers", "hook_error", "hostname", "late_error", "psk_offered",
    )  # fmt: skip

    def __init__(
        self,
        context: Context,
        *,
        server: bool,
        fd: int = -1,
        bios: tuple[MemoryBIO, MemoryBIO] | None = None,
        name: ServerName | None = None,
        checked: bool = False,
    ) -> None:
        called = context.hooks & CALLING
        self._handle = hooks.handle_of(self) if called else _NULL
        incoming, outgoing = bios or _NO_BIOS
        self._native = direct.opened(
            context.address, server, fd, incoming, outgoing,
            address_of(self._handle) if called else 0,
            0 if name is None else name.addresses[checked],
        )  # fmt: skip
        if self._native is not None:
            self._conn = ffi.cast(_TK_CONN, self._native.address)
            self.answers: Answers = self._native
        else:
            self._conn = opening.opened(context, server, fd, bios, self._handle, name, checked)
            self.answers = answers.Answers(self._conn)
        self._pause_lock = NOBODY
        self._context = context  # its hooks must outlive the SSL
        self._others: tuple[Context, ...] = ()
        self._fd = fd
        self.on_session: Callable[[Session], None] | None = None
        self.always_hands_out = False  # `hand_out` has other work to do, too
        self.hook_error: BaseException | None = None
        self.late_error: BaseException | None = None
        self.psk_offered: bytes | None = None
        self.hostname: str | None = None
        self.reverified_chain: Sequence[bytes] = ()

    # -- before the handshake ----------------------------------------------------------------------

    def set_context(self, context: Context) -> None:
        """Use the certificate and the hooks of another context. Corresponds to
        SSL_set_SSL_CTX(3).
        """
        if not self._handle:
            self._handle = hooks.handle_of(self)
        status = lib.tk_conn_set_context(self._conn, context._ctx, self._handle)
        if status == lib.TK_REENTERED:
            raise RuntimeError(
                "this callback cannot change the context of its connection, because OpenSSL is in "
                "the middle of using it: change it in sni_callback"
            )
        if status < 0:
            raise MemoryError("OpenSSL could not change the context of a connection")
        self._others += (context,)

    def request_certificate(self) -> None:
        """Ask a TLS 1.3 client for its certificate. Corresponds to
        SSL_verify_client_post_handshake(3).
        """
        fault = ffi.new("tk_fault *")
        status = lib.tk_conn_request_certificate(self._conn, fault)
        if status == lib.TK_REENTERED:
            raise self._error(status, _HANDSHAKE)
        if status < 0:
            raise from_queue(fault)

    # -- operations --------------------------------------------------------------------------------

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        """Start or continue the handshake. Corresponds to SSL_do_handshake(3)."""
        if timeout != 0.0 or not self._done_at_once(_HANDSHAKE):
            self._operate(_HANDSHAKE, (), timeout)
        self.handshake_complete()

    def read_early_data(self, size: int, timeout: Timeout = 0.0) -> bytes:
        """Return up to `size` bytes of the client's early data on a server; b"" when there is no
        more. Corresponds to SSL_read_early_data(3).
        """
        into = ffi.new("char[]", size)
        return bytes(ffi.buffer(into, self._operate(_EARLY, (into, size), timeout)))

    def shutdown(self, timeout: Timeout = 0.0) -> None:
        """Send close_notify, and wait for the peer's. Corresponds to SSL_shutdown(3)."""
        if timeout != 0.0 or not self._done_at_once(_SHUTDOWN):
            self._operate(_SHUTDOWN, (), timeout)

    def close_notify(self, timeout: Timeout = 0.0) -> None:
        """Send close_notify, and do not wait. Corresponds to SSL_shutdown(3)."""
        self._operate(_SHUTDOWN, (), timeout, lib.tk_conn_close_notify)

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = 0.0) -> Any:
        """Read what is available, up to `len` bytes and across records, and return the bytes, or a
        count if a buffer is given.

        The end of the peer's data is b"" (or 0). Corresponds to SSL_read_ex(3).
        """
        len = len if type(len) is int else index(len)
        if (
            buffer is None
            and len > 0
            and self.on_session is None
            and (timeout == 0.0 or select.select is _native_select)
        ):
            if timeout == 0.0:
                ms = 0
            elif timeout is None:
                ms = -1
            else:
                ms, began = ceil(timeout * 1000), monotonic()
            try:
                one = _take()
            except IndexError:
                one = ReadBuffer(ROOM)
            n = _read(self._conn, one.pointer, len if len < ROOM else ROOM, ms)
            data = one.view[:n] if n > 0 else b""
            _put(one)
            if n >= 0:
                return data
            return self._read_after(n, len, timeout, monotonic() - began if timeout else 0.0)
        if buffer is not None:
            return self._read_into(len, buffer, timeout)
        if len < 0:
            raise ValueError("size should not be negative")
        return self._read_bytes(len, timeout) if len else b""

    def _read_after(
        self, n: int, size: int, timeout: Timeout, passed: float, buffer: Any = None
    ) -> Any:
        """Continue or end a read that C has left with this status after so many seconds."""
        if n != _PAUSED and n != _INTERRUPTED:
            raise want_read() if n == _WANT_READ else self._error(n, _READ)
        left = max(timeout - passed, 1e-3) if timeout else timeout
        return (
            self._read_bytes(size, left) if buffer is None else self._read_into(size, buffer, left)
        )

    def _read_bytes(self, n: int, timeout: Timeout) -> bytes:
        one = take_read_buffer()
        n = self._operate(_READ, (one.pointer, min(n, ROOM)), timeout)
        data: bytes = one.view[:n]
        return_read_buffer(one)
        return data

    def _read_into(self, n: int, buffer: Any, timeout: Timeout) -> int:
        pointer = room_of(buffer)
        try:
            room = len(pointer)
            if 0 < n < room:
                room = n
            return self._operate(_READ, (pointer, room), timeout) if room else 0
        finally:
            ffi.release(pointer)  # otherwise a traceback would keep the buffer alive

    def write(self, data: Buffer, timeout: Timeout = 0.0) -> int:
        """Write `data`, and return how many bytes were written: all of them, unless the transport
        does not wait.

        If it raises anything, repeat the call with the same bytes: each is sent once. Corresponds
        to SSL_write_ex(3).
        """
        if type(data) is not bytes:
            return self._write_from(data, timeout)
        if self.on_session is None and (
            timeout == 0.0 or (select.select is _native_select and len(data) <= _RECORD)
        ):
            if timeout == 0.0:
                ms = 0
            elif timeout is None:
                ms = -1
            else:
                ms, began = ceil(timeout * 1000), monotonic()
            n: int = _write(self._conn, data, len(data), ms)
            if n >= 0:
                return n
            return self._write_after(n, data, timeout, monotonic() - began if timeout else 0.0)
        return self._write_all(data, len(data), timeout)

    def _write_after(self, n: int, data: bytes, timeout: Timeout, passed: float) -> int:
        """Continue or end a write that C has left with this status after so many seconds."""
        if n != _PAUSED and n != _INTERRUPTED:
            raise self._error(n, _WRITE)
        left = max(timeout - passed, 1e-3) if timeout else timeout
        return self._write_all(data, len(data), left)

    def _write_from(self, data: Any, timeout: Timeout) -> int:
        pointer = ffi.from_buffer("char[]", data)
        try:
            return self._write_all(pointer, len(pointer), timeout)
        finally:
            ffi.release(pointer)

    def _write_all(self, pointer: Any, size: int, timeout: Timeout) -> int:
        """Write all bytes, despite any number of signals: more than one record may take several
        calls of C.
        """
        if size <= _RECORD or timeout == 0.0:
            return self._operate(_WRITE, (pointer, size), timeout)
        progress = ffi.new("tk_progress *")
        try:
            return self._operate(_WRITE, (pointer, size, progress), timeout, lib.tk_conn_write_on)
        except BaseException:
            lib.tk_conn_write_leave(self._conn, pointer, size, progress)
            raise

    def _done_at_once(self, kind: int) -> bool:
        """Do an operation in the usual case; return False if it has to go on in `_operate`."""
        if self.on_session is not None or self.late_error is not None:
            return False
        n = _OPERATIONS[kind](self._conn, 0)
        if self.late_error is not None:
            self._raise_late_error()
        if n == _WANT_READ:
            raise want_read()
        if n <= 0 and n != _PAUSED and n != _INTERRUPTED:
            raise self._error(n, kind)
        return n > 0

    def _operate(
        self,
        kind: int,
        arguments: tuple[Any, ...],
        timeout: Timeout,
        operation: Callable[..., int] | None = None,
    ) -> int:
        """Finish one operation, and return a count of bytes, or 1 if it does not count bytes."""
        if self.late_error is not None:
            self._raise_late_error()
        operation = operation or _OPERATIONS[kind]
        through_python = timeout != 0.0 and wait.cooperative()
        deadline = monotonic() + timeout if timeout else None
        while True:
            if through_python or timeout == 0.0:
                ms = 0
            elif deadline is None:
                ms = -1
            else:
                ms = max(ceil((deadline - monotonic()) * 1000), 1)
            n: int = operation(self._conn, *arguments, ms)
            if self.on_session is not None and (self.always_hands_out or _events(self._conn)):
                self._hand_out_sessions(later=n > 0 and kind in (_READ, _WRITE, _EARLY))
            if self.late_error is not None and not (n > 0 and kind in (_READ, _WRITE, _EARLY)):
                self._raise_late_error()
            if n > 0 or (n == 0 and kind in (_READ, _WRITE, _EARLY)):
                return n
            if n == _INTERRUPTED:
                # signals may arrive faster than time passes
                if deadline is not None and monotonic() >= deadline:
                    raise self._error(lib.TK_TIMED_OUT, kind)
                continue
            if n == _PAUSED:
                self._answer(kind, timeout, deadline)
                continue
            if through_python and n in (_WANT_READ, _WANT_WRITE):
                n = wait.wait(self._fd, n, deadline)
                if n > 0:
                    continue
            raise self._error(n, kind)

    def _answer(self, kind: int, timeout: Timeout, deadline: float | None) -> None:
        """Decide what the operation has paused for: one thread decides for all threads in it."""
        seconds = -1.0 if timeout is None else 0.0
        if deadline is not None:
            seconds = max(deadline - monotonic(), 0.0)
        if not (pause_lock := pause_lock_of(self)).begin(seconds):
            raise self._error(lib.TK_TIMED_OUT if timeout else lib.TK_WANT_READ, kind)
        try:
            if reason := lib.tk_conn_paused(self._conn):
                alert = self.answer(reason)
                if alert is None:
                    lib.tk_conn_go_on(self._conn)
                else:
                    lib.tk_conn_refuse(self._conn, alert)
        finally:
            pause_lock.end()

    def _error(self, status: int, kind: int) -> Exception:
        """Return the exception to raise; an exception that a hook raised is its cause."""
        if self.late_error is not None:
            self._raise_late_error()
        fault, rejected = None, None
        if status in (lib.TK_SSL, lib.TK_SYSCALL):
            fault = ffi.new("tk_fault *")
            lib.tk_conn_fault(self._conn, max(kind, _HANDSHAKE), fault)
            if not self.handshake_done:
                self.handshake_failed()
            rejected = self.rejected() if fault.verify_depth >= 0 else None
        error = translate(
            status, fault, doing=_DOING[kind], hostname=self.expected_name, certificate=rejected
        )
        if status not in _WAITS:
            from .diagnosis import explain  # imported late: few connections fail

            explain(self, error, fault, _DOING[kind])
        if self.hook_error is not None and status == lib.TK_SSL:
            error.__cause__, self.hook_error = self.hook_error, None
        return error

    def _raise_late_error(self) -> None:
        error, self.late_error = self.late_error, None
        if isinstance(error, Exception) and not self.handshake_done:
            self.log_failure(error)
        raise error  # type: ignore[misc]  # the caller has checked that there is one

    def _hand_out_sessions(self, *, later: bool = False) -> None:
        """Pass on the queued sessions. If a receiver raises, raise it now, or later if bytes must
        be returned first.
        """
        while True:
            try:
                return self.hand_out()
            except BaseException as error:
                if not later:
                    raise
                self.late_error = error

    def hand_out(self) -> None:
        """Pass the queued sessions to `on_session`."""
        while (
            self.on_session is not None
            and (session := lib.tk_conn_next_session(self._conn)) != ffi.NULL
        ):
            self.on_session(Session(session))

    def usual(self) -> tuple[Any, Any, Any, Any, Any]:
        """Return `read`, `write`, `pending`, `do_handshake` and `shutdown`, to be called often."""
        return self.read, self.write, self.pending, self.do_handshake, self.shutdown

    def close(self) -> None:
        """End every operation, whatever thread is in it, with EBADF; return when all have ended."""
        lib.tk_conn_close(self._conn)
        if self.on_session is not None:
            self._hand_out_sessions()
