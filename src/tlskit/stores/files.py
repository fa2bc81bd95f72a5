"""Files for their owner alone: created whole and private, whatever the umask, and refused when
others may read them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from .._core.paths import named_path

_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EXDEV)
_SECRET = 32


def private_file(path: str, content: bytes = b"") -> os.stat_result:
    """Create a file that is not there yet, and see to it that nobody else can use it.

    The file comes into being with its content and its mode, so that no other process sees it
    without them; when two processes create it, both find the one that came first. It is never
    opened here when it exists: closing a file that SQLite has open in this process would drop
    SQLite's locks.

    Raises:
        PermissionError: the file belongs to somebody else, or others may read or write it.
        OSError: the file cannot be created, or is not a regular file.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        _create(path, content)
        found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "this is not a regular file", path)
    if hasattr(os, "geteuid"):  # elsewhere, modes and owners mean something else
        if found.st_uid != os.geteuid():
            raise PermissionError(
                errno.EPERM,
                (
                    f"this file belongs to user {found.st_uid}, and holds no secrets of user "
                    f"{os.geteuid()}"
                ),
                path,
            )
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            raise PermissionError(
                errno.EPERM,
                (
                    f"other users may read or write this file (its mode is {mode:04o}): remove "
                    f"it, or chmod 600"
                ),
                path,
            )
    return found


def secret_file(path: str | os.PathLike[str]) -> list[bytes]:
    """Read secrets from a private file, which is created with a new one when it is not there.

    The file has a secret in each line, in hexadecimal digits: the first seals, all open. To rotate,
    put a new line on top, and take the last one away when what it sealed has expired. Lines that
    begin with # are comments.

    Raises:
        PermissionError: the file belongs to somebody else, or others may read or write it.
        ValueError: a line is not a secret, or the file has none.
    """
    path = os.path.abspath(named_path("path", path))
    private_file(path, secrets.token_hex(_SECRET).encode() + b"\n")
    lines = [
        line.strip()
        for line in Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    ]
    try:
        found = [bytes.fromhex(line) for line in lines if line and not line.startswith("#")]
    except ValueError:
        raise ValueError(
            f"{path} has a line that is not a secret: each line must be one secret in "
            f"hexadecimal digits"
        ) from None
    if not found:
        raise ValueError(f"{path} has no secret: remove the file, and a new one will be made")
    return found


def _create(path: str, content: bytes) -> None:
    temporary = f"{path}.{secrets.token_hex(8)}"
    descriptor = os.open(
        temporary,
        os.O_WRONLY
        | os.O_CREAT
        | os.O_EXCL
        | getattr(os, "O_CLOEXEC", 0)
        | getattr(os, "O_NOFOLLOW", 0),
        0o600,
    )
    try:
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)  # a umask may have taken away even the owner's rights
            os.write(descriptor, content)
        finally:
            os.close(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # somebody else was faster
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if not os.path.exists(
                path
            ):  # a file system without links: the last one wins, and all read what is there then
                os.rename(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
