"""Set a damaged SQLite file aside: rename it, or copy and empty it where it cannot be renamed.

Windows does not rename a file that another process has open, and SQLite keeps its files open. Such
a file is copied and emptied in its place, under all of SQLite's locks. Connections of other
processes notice that the file has shrunk, and open it again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

from .files import private_descriptor

#: Where SQLite locks a file, on Unix and on Windows: "The Lock-Byte Page" of its file format.
_FIRST, _COUNT = 0x40000000, 512
_MAGIC = b"SQLite format 3\0"  # what every file but an empty one begins with
_PAUSE = 0.001  # seconds between two attempts to lock them

Trace = tuple[int, int, int]  # inode, nanoseconds of the last change, bytes


def last_set_aside(path: str) -> Trace | None:
    """Return what tells the file at PATH.damaged from any other that was or will be there."""
    try:
        found = os.stat(f"{path}.damaged")
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def renamed(path: str) -> bool:
    """Rename a damaged file, its journal first: a new file must not find the old one's journal.
    Returns False if the system does not allow it.
    """
    try:
        for ending in ("-journal", "-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.replace(path + ending, f"{path}.damaged{ending}")
    except PermissionError:
        return False
    return True


def emptied(path: str, before: Trace | None, deadline: float) -> bool:
    """Copy a damaged file, and empty it. Returns False if another process has set the file aside
    since `before`: then the file is a new one, and is left unchanged.

    Raises:
        TimeoutError: others were using the file up to the deadline, in seconds of the monotonic
            clock.
        OSError: the file cannot be copied or emptied. Nothing was lost.
    """
    # On Unix, closing the file drops the locks of this process's other connections to it. Few
    # systems there refuse to rename a file that can be written.
    with open(path, "r+b", buffering=0) as file, _locked(file, path, deadline):
        file.seek(0)
        if last_set_aside(path) != before and file.read(len(_MAGIC)) in (_MAGIC, b""):
            return False
        with contextlib.suppress(FileNotFoundError), open(path + "-journal", "r+b") as journal:
            _move(journal, f"{path}.damaged-journal")
        _move(file, f"{path}.damaged")
    return True


def _move(file: BinaryIO, path: str) -> None:
    """Move the content of an open file to the file at `path`, which is replaced."""
    temporary = f"{path}.{secrets.token_hex(8)}"
    try:
        with open(private_descriptor(temporary), "wb") as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    file.truncate(0)


@contextlib.contextmanager
def _locked(file: BinaryIO, path: str, deadline: float) -> Iterator[None]:
    """Hold all of SQLite's locks on a file, so that no connection reads or writes it."""
    while True:
        try:
            _lock(file)
            break
        except OSError:  # wine gives no number
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    f"{path} is damaged, and other processes are using it, so it cannot be emptied"
                ) from None
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        _unlock(file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(_FIRST)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, _COUNT)

    def _unlock(file: BinaryIO) -> None:
        file.seek(_FIRST)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, _COUNT)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _COUNT, _FIRST)

    def _unlock(file: BinaryIO) -> None:
        fcntl.lockf(file, fcntl.LOCK_UN, _COUNT, _FIRST)
