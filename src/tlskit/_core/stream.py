"""The operations of a connection that belongs to an event loop (tk_stream.c).

Nothing here waits, and "nothing has arrived" is a value, not an exception. `pull` and `push` run
for every event of a loop, so they are the calls into C themselves, without a Python frame. Usually
they return a number of bytes, which says it all. Any other number is for `pulled` and `pushed`,
which raise exceptions, and set `again`, `stalled`, `taken` and `unsent`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType

from .connection import Connection, Timeout
from .native import ffi, lib, owned, room_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_receive, _send = lib.tk_stream_receive, lib.tk_stream_send
_receive_into, _handshake = lib.tk_stream_receive_into, lib.tk_stream_handshake
_HANDSHAKE, _READ, _WRITE, _SHUTDOWN = (
    lib.TK_HANDSHAKE, lib.TK_READ, lib.TK_WRITE, lib.TK_SHUTDOWN,
)  # fmt: skip
_PAUSED, _INTERRUPTED = lib.TK_PAUSED, lib.TK_INTERRUPTED
_COUNT, _UNSENT_SHIFT, _UNSENT = (1 << 32) - 1, lib.TK_STREAM_UNSENT_SHIFT, (1 << 24) - 1
_EVENTS = lib.TK_STREAM_EVENTS << lib.TK_STREAM_FLAGS_SHIFT
_AGAIN = lib.TK_STREAM_AGAIN << lib.TK_STREAM_FLAGS_SHIFT

#: bytes, the most that one `receive` returns
ROOM: int = lib.TK_STAGE_ROOM

#: The return values of `advance` before the handshake is complete.
WANT_READ: int = lib.TK_WANT_READ
WANT_WRITE: int = lib.TK_WANT_WRITE

#: The return values of `receive` and `receive_into` without bytes.
NOTHING: int = 0
CLEAN_END: int = lib.TK_ZERO_RETURN  # close_notify
RAGGED_END: int = lib.TK_ENDED  # the transport ended without it, between two records


class Stage:
    """Buffers that all connections of one event loop share. Only the loop's thread uses them.

    Args:
        forgets: whether the loop stops watching a socket once the socket has an error, and reports
            the error only once.
    """

    __slots__ = ("_stage", "plain", "room")

    def __init__(self, *, forgets: bool = False) -> None:
        self._stage = owned(lib.tk_stage_new(2 if forgets else 1), lib.tk_stage_free)
        self.room = lib.tk_stage_plain(self._stage)
        self.plain = ffi.buffer(self.room, ROOM)


_OF_THE_SUBCLASS: tuple[str, ...] = ()  # allows combining it with another base that has slots


class Stream(Connection):
    """A Connection whose bytes go through a Stage.

    Attributes:
        pull: receive once from the socket, and decrypt into `plain`. From 1 to ROOM, the result is
            a number of bytes; any other number is for `pulled`.
        push: encrypt some bytes, whose number is the second argument, and send them. If it returns
            that number, all were sent; any other number is for `pushed`.
        plain: where `pull` puts the bytes, until the next operation of any connection of the loop.
        again: a `receive` left something: call it again, because the loop will not. The caller
            resets it. Or a callback has raised: see `late_error`.
        stalled: the last `send` has to wait for bytes from the peer: a renegotiation.
        taken: how many bytes the last `send` has encrypted, if it returned False.
        unsent: how many bytes of ciphertext the socket had not accepted at the end of the last
            operation.
    """

    __slots__ = _OF_THE_SUBCLASS
    _stage: Stage
    _room: Any
    pull: Callable[[], int]
    push: Callable[[bytes, int], int]
    plain: Any
    again: bool
    stalled: bool
    taken: int
    unsent: int

    def open(self, stage: Stage) -> None:
        """Use this stage for the connection's bytes; called before the handshake."""
        if not lib.tk_stream_open(self._conn, stage._stage):
            raise MemoryError("there was no memory for a connection")
        self._stage = stage  # must outlive the connection
        self._room, self.plain = stage.room, stage.plain
        self.pull, self.push = MethodType(_receive, self._conn), MethodType(_send, self._conn)
        self.again = self.stalled = False
        self.taken = self.unsent = 0

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        """Start or continue the handshake. Corresponds to SSL_do_handshake(3)."""
        self._operate(_HANDSHAKE, (), timeout, _handshake)
        self.handshake_complete()

    def advance(self) -> int:
        """Do as do_handshake, but return WANT_READ or WANT_WRITE where there are no sessions to
        hand out: an exception costs more. Once the handshake is complete, the result is positive.
        """
        if self.on_session is None and self.late_error is None:
            n: int = _handshake(self._conn, 0)
            if self.late_error is not None:
                self._raise_late_error()
            if n in (WANT_READ, WANT_WRITE):
                return n
            if n > 0:
                self.handshake_complete()
                return n
            if n not in (_PAUSED, _INTERRUPTED):
                raise self._error(n, _HANDSHAKE)
        self.do_handshake()
        return 1

    def receive(self) -> Any:
        """Receive once from the socket and decrypt; return bytes, or NOTHING, CLEAN_END or
        RAGGED_END.

        Raises:
            SSLError, OSError: the connection has failed. Earlier data has been returned already.
        """
        return self.pulled(self.pull())

    def pulled(self, n: int, data: bytes | None = None) -> Any:
        """Return or raise the result of `receive`, after `pull` has returned this number; `data`
        are the bytes, if they have been taken from `plain`.
        """
        if n > 0:
            if data is None:
                data = self.plain[: n & _COUNT]  # before a callback can use the stage
            self._received(n)
            return data or NOTHING
        return self._ended(n) if n else NOTHING

    def receive_into(self, buffer: Any) -> int:
        """Receive into a writable buffer that is not empty; return the number of bytes, or what
        `receive` returns instead of bytes.
        """
        pointer = room_of(buffer)
        room = len(pointer)
        try:
            n: int = _receive_into(self._conn, pointer, room)
        finally:
            ffi.release(pointer)
        return n if 0 <= n < room else self.filled(n)

    def filled(self, n: int) -> int:
        """Return or raise the result of `receive_into`, after the call into C has returned `n`."""
        if n > 0:
            return self._received(n)
        return self._ended(n) if n else NOTHING

    def send(self, buffer: Any) -> bool:
        """Encrypt all or a first part of a buffer, and send it. Return whether everything was sent;
        if not, `taken` and `unsent` have the details.

        Raises:
            SSLError, OSError: the connection has failed.
        """
        pointer = ffi.from_buffer("char[]", buffer)
        size = len(pointer)
        try:
            n: int = _send(self._conn, pointer, size)
        finally:
            ffi.release(pointer)
        return self.pushed(n, size)

    def pushed(self, n: int, size: int) -> bool:
        """Return or raise the result of `send`, after `push` has returned `n` for `size` bytes."""
        if n == _PAUSED:  # in a renegotiation: the reader continues it
            self._answer(_WRITE, 0.0, None)
            self.taken, self.stalled, self.again = 0, True, True
            return False
        if n < 0:
            raise self._error(n, _WRITE)
        self.stalled = bool(n & _AGAIN)
        self.taken = self._noted(n)
        return self.taken == size and not self.unsent

    def finish(self) -> None:
        """Send close_notify. Corresponds to SSL_shutdown(3)."""
        n: int = lib.tk_stream_finish(self._conn)
        if n < 0:
            raise self._error(n, _SHUTDOWN)
        self._noted(n)

    def holds_bytes(self) -> bool:
        """Return whether `receive` can return something without the socket."""
        return bool(lib.tk_stream_waiting(self._conn))

    def take(self) -> bytes:
        """Return and remove the bytes to send, for a connection without a socket."""
        taken = b""
        while n := lib.tk_stream_take(self._conn, self._room, ROOM):
            taken += self.plain[:n]
        self.unsent = 0
        return taken

    def _received(self, n: int) -> int:
        self.again = self.again or bool(n & _AGAIN)
        return self._noted(n)

    def _noted(self, n: int) -> int:
        """Handle the flags that accompany a count."""
        self.unsent = n >> _UNSENT_SHIFT & _UNSENT
        if n & _EVENTS and self.on_session is not None:
            self._hand_out_sessions(later=True)
        if n & _EVENTS and self.late_error is not None:
            self.again = True
        return n & _COUNT

    def _ended(self, n: int) -> int:
        if self.on_session is not None:
            self._hand_out_sessions(later=True)
        if self.late_error is not None:
            self._raise_late_error()
        self.unsent = lib.tk_stream_unsent(self._conn)
        if n in (CLEAN_END, RAGGED_END):
            return n
        if n == _PAUSED:  # in a renegotiation
            self._answer(_READ, 0.0, None)
            self.again = True
            return NOTHING
        raise self._error(n, _READ)
