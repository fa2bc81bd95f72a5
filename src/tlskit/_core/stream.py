"""Stream: the operations of a connection that belongs to an event loop (tk_stream.c).

Nothing here waits, and "nothing has come" is a value, not an exception. The usual case of `receive`
and `send` is written out for speed; what else there is to tell stands in `again` and `unsent`.
"""

from __future__ import annotations

from typing import Any

from .connection import Connection, Timeout
from .native import ffi, lib, owned

_receive, _send = lib.tk_stream_receive, lib.tk_stream_send
_HANDSHAKE, _READ, _WRITE, _SHUTDOWN = (
    lib.TK_HANDSHAKE, lib.TK_READ, lib.TK_WRITE, lib.TK_SHUTDOWN,
)  # fmt: skip
_COUNT, _UNSENT_SHIFT, _UNSENT = (1 << 32) - 1, lib.TK_STREAM_UNSENT_SHIFT, (1 << 24) - 1
_EVENTS = lib.TK_STREAM_EVENTS << lib.TK_STREAM_FLAGS_SHIFT
_AGAIN = lib.TK_STREAM_AGAIN << lib.TK_STREAM_FLAGS_SHIFT

#: bytes, the most that one `receive` returns
ROOM: int = lib.TK_STAGE_ROOM

#: What `receive` and `receive_into` return when they return no bytes.
NOTHING: int = 0
CLEAN_END: int = lib.TK_ZERO_RETURN  # close_notify
RAGGED_END: int = lib.TK_ENDED  # the transport's end, without it, between two records


class Stage:
    """Rooms that all connections of one event loop share. One thread uses it.

    Args:
        forgets: whether the loop stops watching a socket once the socket has an error, and tells
            of it only once.
    """

    __slots__ = ("_stage", "plain", "room")

    def __init__(self, *, forgets: bool = False) -> None:
        self._stage = owned(lib.tk_stage_new(2 if forgets else 1), lib.tk_stage_free)
        self.room = lib.tk_stage_plain(self._stage)
        self.plain = ffi.buffer(self.room, ROOM)


_OF_THE_SUBCLASS: tuple[str, ...] = ()  # so that it can have another base with slots


class Stream(Connection):
    """A Connection whose bytes go through a Stage.

    Attributes:
        again: a `receive` was not all: call it again, the loop will not. The caller resets it.
        stalled: the last `send` has to wait for bytes of the peer: a handshake within the
            connection.
        taken: how many bytes the last `send` has encrypted, if it returned False.
        unsent: how many bytes of ciphertext the socket has not taken yet, as the last operation
            has left them.
    """

    __slots__ = _OF_THE_SUBCLASS
    _stage: Stage
    _room: Any
    _plain: Any
    again: bool
    stalled: bool
    taken: int
    unsent: int

    def open(self, stage: Stage) -> None:
        """Carry the bytes through this stage, from now on and before the handshake."""
        if not lib.tk_stream_open(self._conn, stage._stage):
            raise MemoryError("there was no memory for a connection")
        self._stage = stage  # it has to outlive the connection
        self._room, self._plain = stage.room, stage.plain
        self.again = self.stalled = False
        self.taken = self.unsent = 0

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        """Make the handshake, or go on with it. Corresponds to SSL_do_handshake(3)."""
        self._operate(_HANDSHAKE, (), timeout, lib.tk_stream_handshake)

    def receive(self) -> Any:
        """Receive once from the socket and decrypt what has come: bytes, or one of NOTHING,
        CLEAN_END and RAGGED_END.

        Raises:
            SSLError, OSError: the connection has failed. What came before has been returned.
        """
        n = _receive(self._conn, self._room, ROOM)
        if 0 < n <= ROOM:
            return self._plain[:n]
        if n == NOTHING:
            return n
        if n > 0:
            data = self._plain[: n & _COUNT]  # before a callback can use the stage
            self._received(n)
            return data or NOTHING
        return self._ended(n)

    def receive_into(self, buffer: Any) -> int:
        """As `receive`, into a writable buffer that is not empty: how many bytes, or what it
        returns instead.
        """
        pointer = ffi.from_buffer("char[]", buffer, require_writable=True)
        room = len(pointer)
        try:
            n: int = _receive(self._conn, pointer, room)
        finally:
            ffi.release(pointer)
        if 0 <= n < room:
            return n
        return self._received(n) if n > 0 else self._ended(n)

    def send(self, data: bytes, start: int, end: int) -> bool:
        """Encrypt `data[start:end]`, or a first part of it, and send it. Return whether all has
        gone; if not, `taken` and `unsent` say what has become of it.

        Raises:
            SSLError, OSError: the connection has failed.
        """
        n: int = _send(self._conn, data, start, end)
        if n == end - start:
            self.unsent = 0
            self.stalled = False
            return True
        return self._sent(n, end - start)

    def send_buffer(self, buffer: Any) -> bool:
        """As `send`, all of any buffer, as it is now."""
        pointer = ffi.from_buffer("char[]", buffer)
        size = len(pointer)
        try:
            n: int = _send(self._conn, pointer, 0, size)
        finally:
            ffi.release(pointer)
        return self._sent(n, size)

    def finish(self) -> None:
        """Send close_notify. Corresponds to SSL_shutdown(3)."""
        n: int = lib.tk_stream_finish(self._conn)
        if n < 0:
            raise self._error(n, _SHUTDOWN)
        self._noted(n)

    def holds_bytes(self) -> bool:
        """Whether `receive` has something to say without the socket."""
        return bool(lib.tk_stream_waiting(self._conn))

    def take(self) -> bytes:
        """Take what is to be sent, of a connection without a socket."""
        taken = b""
        while n := lib.tk_stream_take(self._conn, self._room, ROOM):
            taken += self._plain[:n]
        self.unsent = 0
        return taken

    def _received(self, n: int) -> int:
        self.again = self.again or bool(n & _AGAIN)
        return self._noted(n)

    def _sent(self, n: int, size: int) -> bool:
        if n < 0:
            raise self._error(n, _WRITE)
        self.stalled = bool(n & _AGAIN)
        self.taken = self._noted(n)
        return self.taken == size and not self.unsent

    def _noted(self, n: int) -> int:
        """Take notice of what stands beside a count."""
        self.unsent = n >> _UNSENT_SHIFT & _UNSENT
        if n & _EVENTS and self.on_session is not None:
            self._hand_out_sessions(later=True)
        return n & _COUNT

    def _ended(self, n: int) -> int:
        if self.on_session is not None:
            self._hand_out_sessions(later=True)
        if self.late_error is not None:
            self._raise_late_error()
        self.unsent = lib.tk_stream_unsent(self._conn)
        if n in (CLEAN_END, RAGGED_END):
            return n
        raise self._error(n, _READ)
