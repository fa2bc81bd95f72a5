"""Split concatenated values in DER."""

from __future__ import annotations

from collections.abc import Iterator


def split(joined: bytes) -> Iterator[bytes]:
    """Yield concatenated values in DER one by one."""
    at = 0
    while at + 2 <= len(joined):
        count = joined[at + 1] & 0x7F if joined[at + 1] & 0x80 else 0
        head = 2 + count
        size = int.from_bytes(joined[at + 2 : at + head], "big") if count else joined[at + 1]
        yield joined[at : at + head + size]
        at += head + size
