"""Read files in C: an event loop's watchdog does not see the file access of the stdlib's ssl
either.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .native import ffi, lib, only
from .wiping import wipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from .._frozen import NamedTuple

MOST = 1 << 30  # bytes; a limit for files that are named by mistake
_SECOND = 10**9
#: A file whose clock is another machine's may look older than it is.
_SETTLED_AFTER = 600 * _SECOND


class FileState(NamedTuple):
    """The attributes that change when a file does, in nanoseconds and bytes."""

    kind: int
    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @property
    def is_file(self) -> bool:
        return self.kind == lib.TK_FILE_REGULAR

    @property
    def is_directory(self) -> bool:
        return self.kind == lib.TK_FILE_DIRECTORY


def look(path: str) -> tuple[FileState, bool]:
    """Return the state of a path, and whether later states will reveal every change.

    They may not while the last change is recent: another one could follow with the same time and
    the same size.

    Raises:
        OSError: the path does not exist, or is not accessible.
    """
    found = ffi.new("tk_file_state *")
    number = lib.tk_file_look(os.fsencode(path), found)
    if number:
        raise OSError(number, os.strerror(number), path)
    state = FileState(
        found.kind, found.device, found.inode, found.size, found.modified, found.changed
    )
    last = max(state.modified, state.changed)
    return state, state.is_file and last < found.now - _SETTLED_AFTER


def kind_of(path: str) -> str | None:
    """Return "file", "directory", "other", or None if the path does not exist."""
    try:
        state, _ = look(path)
    except (OSError, ValueError):
        return None
    return "file" if state.is_file else "directory" if state.is_directory else "other"


@contextmanager
def opened(path: str) -> Iterator[bytearray]:
    """Read a file, and wipe its content at the end of the block, because any file may contain a
    key.

    Raises:
        OSError: the file cannot be read, or is larger than 1 GiB.
    """
    content = read(path)
    try:
        yield content
    finally:
        wipe(content)


def read(path: str) -> bytearray:
    """Return the content of a file, in Python's only copy of it, which the caller should wipe.

    Raises:
        OSError: the file cannot be read, or is larger than 1 GiB.
    """
    number = 0

    def fill(out: Any) -> None:
        nonlocal number
        number = lib.tk_file_read(os.fsencode(path), MOST, out)

    content = only(fill)
    if number:
        raise OSError(number, os.strerror(number), path)
    return content


def begin(path: str, text: bytes) -> None:
    """Create a file that can be appended to, with a first line if it is empty.

    Raises:
        OSError: the file cannot be written to.
    """
    number = lib.tk_file_begin(os.fsencode(path), text, len(text))
    if number:
        raise OSError(number, os.strerror(number), path)
