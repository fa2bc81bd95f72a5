"""Files that are read in C: what an event loop's watchdog sees of the stdlib's ssl is nothing, and
so it should be here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from .native import ffi, lib, only
from .wiped import wipe

MOST = 1 << 30  # bytes; a bound for what is named by mistake
_SECOND = 10**9
#: A file whose clock is another machine's may look older than it is.
_SETTLED_AFTER = 600 * _SECOND


class FileState(NamedTuple):
    """What is different when the file is, in nanoseconds and bytes."""

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
    """Return the state of what is there, and whether the state tells of every change to come.

    It does not while the last change is young: another one could follow with the same time and the
    same size.

    Raises:
        OSError: nothing is there, or it cannot be looked at.
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
    """Return "file", "directory", "other", or None where nothing is."""
    try:
        state, _ = look(path)
    except (OSError, ValueError):
        return None
    return "file" if state.is_file else "directory" if state.is_directory else "other"


@contextmanager
def opened(path: str) -> Iterator[bytearray]:
    """Read a file, and wipe what was read at the end of the block: any file may have a key in it.

    Raises:
        OSError: it cannot be read, or is larger than 1 GiB.
    """
    content = read(path)
    try:
        yield content
    finally:
        wipe(content)


def read(path: str) -> bytearray:
    """Return the content of a file in the one copy that Python gets, for the caller to wipe.

    Raises:
        OSError: it cannot be read, or is larger than 1 GiB.
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
    """Make a file that can be appended to, with a first line if it is empty.

    Raises:
        OSError: it cannot be written to.
    """
    number = lib.tk_file_begin(os.fsencode(path), text, len(text))
    if number:
        raise OSError(number, os.strerror(number), path)
