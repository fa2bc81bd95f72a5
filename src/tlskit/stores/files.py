"""Private files: created complete and with mode 0600 whatever the umask, and refused when other
users may read them.
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
    """Create the file if it does not exist, and make sure that no other user can access it.

    The file appears with its content and mode in one step, so no other process sees it without
    them. When two processes create it at once, both end up with the first one's file. An existing
    file is never opened here: closing a file that SQLite has open in this process would drop
    SQLite's locks.

    Raises:
        PermissionError: the file belongs to another user, or others may read or write it.
        OSError: the file cannot be created, or is not a regular file.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        _create(path, content)
        found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    if hasattr(os, "geteuid"):  # elsewhere, modes and owners mean something else
        if found.st_uid != os.geteuid():
            raise PermissionError(
                errno.EPERM,
                (
                    f"the file belongs to user {found.st_uid}, so user {os.geteuid()} cannot keep "
                    f"secrets in it"
                ),
                path,
            )
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            raise PermissionError(
                errno.EPERM,
                (
                    f"other users may read or write the file (its mode is {mode:04o}): remove it, "
                    f"or chmod 600"
                ),
                path,
            )
    return found


def secret_file(path: str | os.PathLike[str]) -> list[bytes]:
    """Read secrets from a private file. If the file does not exist, create it with a new secret.

    Each line of the file is one secret in hexadecimal digits: the first one seals, all of them
    open. To rotate, add a new line at the top, and remove the last line once everything that it
    sealed has expired. Lines that begin with # are comments.

    Raises:
        PermissionError: the file belongs to another user, or others may read or write it.
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


def private_descriptor(path: str) -> int:
    """Create a file with mode 0600, whatever the umask, and return its descriptor, for writing."""
    descriptor = os.open(
        path,
        os.O_WRONLY
        | os.O_CREAT
        | os.O_EXCL
        | getattr(os, "O_CLOEXEC", 0)
        | getattr(os, "O_NOFOLLOW", 0),
        0o600,
    )
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)  # a umask may have taken away even the owner's rights
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _create(path: str, content: bytes) -> None:
    temporary = f"{path}.{secrets.token_hex(8)}"
    try:
        with open(private_descriptor(temporary), "wb") as file:
            file.write(content)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # another process was faster
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
