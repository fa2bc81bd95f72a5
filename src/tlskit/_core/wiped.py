"""Secrets on their way into C: bytes that are overwritten when they are done with.

Python's text and bytes cannot be changed, and what they held stays in memory after they are gone.
So what is copied of a secret here is a bytearray, of its size from the beginning: one that grows
leaves pieces behind.
"""

from __future__ import annotations

from .native import ffi, lib


def wipe(*parts: object) -> None:
    """Overwrite those that are bytearrays; others belong to somebody else."""
    for part in parts:
        if isinstance(part, bytearray) and part:
            lib.tk_wipe(ffi.from_buffer(part), len(part))


def encoded(text: str, encoding: str = "utf-8", errors: str = "strict") -> bytearray:
    """Encode text one character at a time, so that nothing else ever holds the whole.

    Raises:
        UnicodeEncodeError: as str.encode; it has one character in it, and not the text.
    """
    into, at = bytearray(sum(len(c.encode(encoding, errors)) for c in text)), 0
    for c in text:
        one = c.encode(encoding, errors)
        into[at : at + len(one)] = one
        at += len(one)
    return into
