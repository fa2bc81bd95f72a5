"""The data that a transport was given to write and has not encrypted yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SMALL = 16384  # bytes, the size of a record: smaller parts are joined
_JOINED = 65536  # bytes, roughly the most that are joined


class Backlog:
    """Bytes in order, in the parts in which they were given: `bytes` are kept, not copied."""

    __slots__ = ("_parts", "_start", "size")

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._start = 0  # how much of the first part has been dropped
        self.size = 0

    def put(self, data: bytes, start: int = 0) -> None:
        """Add `data` from `start` on; a `start` is only for the first part."""
        if not self._parts:
            self._start = start
        self._parts.append(data)
        self.size += len(data) - start

    def first(self) -> tuple[bytes, int, int]:
        """Return the first part, and where its remaining bytes begin and end."""
        data = self._parts[0]
        return data, self._start, len(data)

    def drop(self, n: int) -> None:
        """Drop `n` bytes of the first part."""
        self.size -= n
        self._start += n
        if self._start >= len(self._parts[0]):
            self._parts.popleft()
            self._start = 0

    def clear(self) -> None:
        self._parts.clear()
        self._start = self.size = 0


def frozen(data: Any) -> bytes:
    """Return the current bytes of a buffer, without a copy if it is immutable."""
    if type(data) is bytes:
        return data
    with memoryview(data) as view:
        whole = view.obj
        if type(whole) is bytes and view.contiguous and view.nbytes == len(whole):
            return whole
        return view.tobytes()


def check_data(data: Any) -> None:
    """Refuse anything but a bytes-like object, as asyncio does."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"data must be a bytes-like object, got {type(data).__name__}")


def joined(parts: Iterable[Any]) -> list[bytes]:
    """Return the same bytes in few parts: small ones are joined, so that they share records."""
    result: list[bytes] = []
    small: list[bytes] = []
    size = 0
    for part in parts:
        check_data(part)
        data = frozen(part)
        if small and (len(data) >= _SMALL or size >= _JOINED):
            result.append(b"".join(small))
            small, size = [], 0
        if len(data) >= _SMALL:
            result.append(data)
        elif data:
            small.append(data)
            size += len(data)
    if small:
        result.append(b"".join(small))
    return result
