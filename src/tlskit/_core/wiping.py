"""Secrets on their way into C: bytes that are overwritten after use.

Python's text and bytes are immutable, and their content stays in memory after they are freed. So a
copy of a secret here is a bytearray, of its final size from the beginning: one that grows leaves
copies behind.
"""

from __future__ import annotations

from .native import ffi, lib


def wipe(*parts: object) -> None:
    """Overwrite those that are bytearrays; others are not tlskit's own."""
    for part in parts:
        if isinstance(part, bytearray) and part:
            lib.tk_wipe(ffi.from_buffer(part), len(part))


def encoded(text: str, encoding: str = "utf-8", errors: str = "strict") -> bytearray:
    """Encode text one character at a time, so that no other object ever holds all of it.

    Raises:
        UnicodeEncodeError: as str.encode, but with a single character in it, not the text.
    """
    into, at = bytearray(sum(len(c.encode(encoding, errors)) for c in text)), 0
    for c in text:
        one = c.encode(encoding, errors)
        into[at : at + len(one)] = one
        at += len(one)
    return into
