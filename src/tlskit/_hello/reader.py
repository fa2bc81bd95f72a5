"""Reader: TLS's presentation language (RFC 8446, 3), from bytes that anybody may have made."""

from __future__ import annotations


class Reader:
    """Takes fields off the front of some bytes. Whatever does not fit is a ValueError.

    Args:
        data: the bytes.
        what: what they are, for messages.
    """

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._what, self._at = data, what, 0

    @property
    def left(self) -> int:
        """How many bytes have not been taken."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """Take so many bytes."""
        if size > self.left:
            raise ValueError(f"{self._what} ends after {self.left} of {size} bytes")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        """Take a number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, head: int, *, least: int = 0, most: int | None = None) -> bytes:
        """Take a vector with its length, in `head` bytes, before it."""
        size = self.number(head)
        if size < least or (most is not None and size > most):
            raise ValueError(f"{self._what} has a vector of {size} bytes, which is not allowed")
        return self.take(size)

    def end(self) -> None:
        """Refuse what is left."""
        if self.left:
            raise ValueError(f"{self._what} has {self.left} bytes too many")


def numbers(data: bytes, what: str) -> tuple[int, ...]:
    """Numbers of two bytes each; there must be one at least."""
    if not data or len(data) % 2:
        raise ValueError(f"{what} is a list of {len(data)} bytes, of two-byte numbers")
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
