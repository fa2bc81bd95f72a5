"""A reader for TLS's presentation language (RFC 8446, 3), safe for untrusted bytes."""

from __future__ import annotations


class Reader:
    """Takes fields from the front of some bytes. Raises ValueError for anything that does not fit.

    Args:
        data: the bytes.
        what: a name for the bytes in error messages.
    """

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._what, self._at = data, what, 0

    @property
    def left(self) -> int:
        """Return the number of bytes that are left."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """Take `size` bytes."""
        if size > self.left:
            raise ValueError(f"{self._what} ends after {self.left} of {size} bytes")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        """Take a number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, head: int, *, least: int = 0, most: int | None = None) -> bytes:
        """Take a vector whose length precedes it, in `head` bytes."""
        size = self.number(head)
        if size < least or (most is not None and size > most):
            raise ValueError(f"{self._what} has a vector of {size} bytes, which is not allowed")
        return self.take(size)

    def end(self) -> None:
        """Refuse any bytes that are left."""
        if self.left:
            raise ValueError(f"{self._what} has {self.left} bytes too many")


def numbers(data: bytes, what: str) -> tuple[int, ...]:
    """Parse a list of two-byte numbers, at least one."""
    if not data or len(data) % 2:
        raise ValueError(f"{what} must be a list of two-byte numbers, got {len(data)} bytes")
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
