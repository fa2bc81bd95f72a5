"""MemoryBIO: the byte queue of the memory transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import SSLError
from .native import ROOM, Spare, ffi, give_back, lib, owned, spare

if TYPE_CHECKING:
    from typing_extensions import Buffer


class MemoryBIO:
    """A byte queue between a connection and whoever carries its bytes: what `wrap_bio` reads from
    and writes to.

    Two connections may share one, each as the other's outgoing side. Any thread may use it. While
    it is empty it holds no memory. Corresponds to BIO_s_mem(3), but is tlskit's own.
    """

    __slots__ = ("__weakref__", "_mem")

    def __init__(self) -> None:
        self._mem = owned(lib.tk_mem_new(), lib.tk_mem_free)

    def read(self, size: int = -1, /) -> bytes:
        """Take up to `size` bytes out, or all there are when it is negative; b"" when there are
        none.
        """
        if not hasattr(size, "__index__"):
            raise TypeError(f"'{type(size).__name__}' object cannot be interpreted as an integer")
        pending: int = lib.tk_mem_pending(self._mem)
        room = pending if size < 0 or size > pending else size
        if room == 0:
            return b""
        one = spare() if room <= ROOM else Spare(room)
        data: bytes = one.view[: lib.tk_mem_read(self._mem, one.pointer, room)]
        give_back(one)
        return data

    def write(self, data: Buffer, /) -> int:
        """Put all of `data` in, and return how many bytes that is.

        Raises:
            SSLError: after write_eof().
        """
        if lib.tk_mem_ended(self._mem):
            raise SSLError("cannot write() after write_eof()")
        if type(data) is bytes:
            return self._put(data, len(data))
        pointer = ffi.from_buffer("char[]", data)
        try:
            return self._put(pointer, len(pointer))
        finally:
            ffi.release(pointer)

    def _put(self, data: Any, size: int) -> int:
        if lib.tk_mem_write(self._mem, data, size) < 0:
            raise MemoryError(f"no memory for {size} bytes in a MemoryBIO")
        return size

    def __repr__(self) -> str:
        ended = ", then the end" if lib.tk_mem_ended(self._mem) else ""
        return f"<{type(self).__name__} with {self.pending} bytes{ended}>"

    def write_eof(self) -> None:
        """Mark the end: `eof` becomes true once all has been read."""
        lib.tk_mem_write_eof(self._mem)

    @property
    def pending(self) -> int:
        """How many bytes can be read."""
        n: int = lib.tk_mem_pending(self._mem)
        return n

    @property
    def eof(self) -> bool:
        """True when the end was marked and all has been read."""
        return bool(lib.tk_mem_eof(self._mem))
