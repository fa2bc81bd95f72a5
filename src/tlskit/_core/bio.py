"""MemoryBIO: the byte queue of the memory transport. On CPython it is written in C
(_tlsbind/direct/queue.c), and elsewhere in Python.
"""

from __future__ import annotations

from operator import index

from . import direct
from .fault import unnumbered_error
from .native import ROOM, ReadBuffer, ffi, lib, owned, return_read_buffer, take_read_buffer
from .unpickled import Unpickled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer, Self

_read, _write = lib.tk_mem_read, lib.tk_mem_write
_COPIED = 16384  # bytes: up to here, a copy costs less than cffi's view of a buffer


class PythonQueue(Unpickled):
    """The byte queue in Python, for where direct/queue.c is not compiled in."""

    __slots__ = ("_mem", "_state")
    _mem: Any
    _state: Any

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("MemoryBIO() takes no arguments")
        self = super().__new__(cls)
        # Not in __init__, which a derived class may define without calling ours.
        self._mem = owned(lib.tk_mem_new(), lib.tk_mem_free)
        self._state = lib.tk_mem_look(self._mem)
        return self

    @property
    def pending(self) -> int:
        """The number of bytes that can be read."""
        n: int = self._state.pending
        return n

    @property
    def eof(self) -> bool:
        """Whether the end was marked and all bytes have been read."""
        return bool(lib.tk_mem_eof(self._mem))

    @property
    def ended(self) -> bool:
        """Whether the end was marked."""
        return bool(self._state.ended)

    def read(self, size: int = -1, /) -> bytes:
        """Remove and return up to `size` bytes, or all of them if it is negative; b"" if there are
        none.
        """
        pending: int = self._state.pending
        if size == -1 or (size := index(size)) < 0 or size > pending:
            size = pending
        if size == 0:
            return b""
        if size > ROOM:
            return self._read_much(size)
        one = take_read_buffer()
        data: bytes = one.view[: _read(self._mem, one.pointer, size)]
        return_read_buffer(one)
        return data

    def _read_much(self, size: int) -> bytes:
        if size < self._state.pending:
            one = ReadBuffer(size)
            return one.view[: _read(self._mem, one.pointer, size)]
        whole = lib.tk_mem_detach(self._mem)  # at once: another thread may also be reading
        if whole == ffi.NULL:
            raise MemoryError("no memory for reading a MemoryBIO")
        try:
            return ffi.buffer(lib.tk_mem_front(whole), lib.tk_mem_pending(whole))[:]
        finally:
            lib.tk_mem_free(whole)

    def write(self, data: Buffer, /) -> int:
        """Append all of `data`, and return the number of bytes.

        Raises:
            SSLError: after write_eof().
        """
        if self._state.ended:
            raise unnumbered_error("cannot write() after write_eof()")
        if type(data) is bytes:
            n: int = _write(self._mem, data, len(data))
            if n < 0:
                raise MemoryError(f"no memory for {len(data)} bytes in a MemoryBIO")
            return n
        if type(data) is memoryview and data.nbytes <= _COPIED and data.c_contiguous:
            return self.write(bytes(data))
        return _write_from(self._mem, data)

    def write_eof(self, /) -> None:
        """Mark the end: `eof` becomes true once all bytes have been read."""
        lib.tk_mem_write_eof(self._mem)


def _write_from(mem: Any, data: Buffer) -> int:
    pointer = ffi.from_buffer("char[]", data)
    try:
        size = len(pointer)
        if _write(mem, pointer, size) < 0:
            raise MemoryError(f"no memory for {size} bytes in a MemoryBIO")
    finally:
        ffi.release(pointer)
    return size


if TYPE_CHECKING:
    Queue = PythonQueue
else:
    Queue = direct.Queue or PythonQueue


class MemoryBIO(Queue):
    """A byte queue between a connection and the code that carries its bytes: `wrap_bio` reads from
    one and writes to another.

    Two connections may share one, each as the other's outgoing side. Any thread may use it. While
    it is empty it holds no memory. Corresponds to BIO_s_mem(3), but is tlskit's own.
    """

    __slots__ = ("__weakref__",)

    def _write_slowly(self, data: Buffer) -> int:
        """Write what is not bytes, for the queue in C."""
        if self.ended:
            raise unnumbered_error("cannot write() after write_eof()")
        if type(data) is memoryview and data.nbytes <= _COPIED and data.c_contiguous:
            return self.write(bytes(data))
        return _write_from(self._at(), data)

    def _at(self) -> Any:
        """Return the tk_mem, which lives as long as this."""
        if isinstance(self, PythonQueue):
            return self._mem
        return ffi.cast("tk_mem *", self._address)

    def __repr__(self) -> str:
        ended = ", then the end" if self.ended else ""
        return f"<{type(self).__name__} with {self.pending} bytes{ended}>"
