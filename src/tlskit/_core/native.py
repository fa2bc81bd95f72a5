"""How a C object gets its one owner, and how C returns lists."""

from __future__ import annotations

from collections import deque
from struct import Struct

from _tlsbind import CONST, FEATURES, ffi, lib

TYPE_CHECKING = False  # see tlskit/__init__.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__ = [
    "CONST",
    "FEATURES",
    "ROOM",
    "ReadBuffer",
    "address_of",
    "ffi",
    "lib",
    "listed",
    "only",
    "owned",
    "read_buffers",
    "return_read_buffer",
    "take_read_buffer",
]


_HEAD = Struct("=II")


def owned(pointer: Any, free: Any) -> Any:
    """Let the garbage collector free `pointer`: `free` runs once, in any order and any thread,
    without Python.

    The only call of ffi.gc. NULL is refused: a caller that may get NULL handles it first.
    """
    if not pointer:
        raise MemoryError("OpenSSL had no memory for a new object")
    return ffi.gc(pointer, free)


def address_of(pointer: Any) -> int:
    """Return a pointer as a number; 0 for NULL."""
    return int(ffi.cast("uintptr_t", pointer))


def listed(fill: Callable[[Any], object]) -> Iterator[tuple[int, bytes]]:
    """Let a C helper fill a tk_records, and yield its (tag, bytes) pairs, each a copy."""
    records, found, at = ffi.new("tk_records *"), [], 0
    try:
        fill(records)
        if records.failed:
            raise MemoryError("there was no memory for a list from OpenSSL")
        data = ffi.buffer(records.data, records.size) if records.size else b""
        while at < len(data):
            tag, size = _HEAD.unpack_from(data, at)
            found.append((tag, data[at + 8 : at + 8 + size]))
            at += 8 + size
    finally:
        lib.tk_records_free(records)
    yield from found


def only(fill: Callable[[Any], object]) -> bytearray:
    """Let a C helper fill a tk_records with one body, and return it as a bytearray, which can be
    wiped; an empty one if there is none.
    """
    records = ffi.new("tk_records *")
    try:
        fill(records)
        if records.failed:
            raise MemoryError("there was no memory for a list from OpenSSL")
        if not records.size:
            return bytearray()
        with memoryview(ffi.buffer(records.data, records.size)) as view:
            return bytearray(view[_HEAD.size :])
    finally:
        lib.tk_records_free(records)


def is_empty(data: Any) -> bool:
    """Return whether there is nothing in a buffer."""
    with memoryview(data) as view:
        return not view.nbytes


def room_of(buffer: Any) -> Any:
    """Return the memory of a caller's buffer, to be filled. Release it soon: meanwhile the buffer
    cannot be resized.

    Raises:
        TypeError: it has no memory that lies together and can be written to.
    """
    try:
        return ffi.from_buffer("char[]", buffer, require_writable=True)
    except BufferError as error:
        raise TypeError(
            f"read-write bytes-like object expected, not {type(buffer).__name__}"
        ) from error


class ReadBuffer:
    """A buffer for one read, which is often shorter than the buffer: the bytes are copied out of
    it.

    Kept in a pool, because an allocation costs more than the call. `pop` and `append` of a deque
    are atomic, with and without the GIL, so a signal handler or a finaliser that runs in between
    takes another one. No buffer is larger than those of the pool: the pages of a fresh block would
    cost more than another call.
    """

    __slots__ = ("bytes", "pointer", "view")

    def __init__(self, room: int) -> None:
        self.pointer = _uncleared("char[]", room)
        self.view = ffi.buffer(self.pointer, room)
        self.bytes = memoryview(self.view)


_uncleared = ffi.new_allocator(should_clear_after_alloc=False)
ROOM, _POOL = 65536, 16

#: The pool itself: reads take a buffer from it and put it back. Appending to a full pool drops
#: another member.
read_buffers: deque[ReadBuffer] = deque(maxlen=_POOL)


def take_read_buffer() -> ReadBuffer:
    """Take a buffer from the pool, or create one if it is empty."""
    try:
        return read_buffers.pop()
    except IndexError:
        return ReadBuffer(ROOM)


def return_read_buffer(one: ReadBuffer) -> None:
    """Put a buffer from `take_read_buffer` back."""
    read_buffers.append(one)
