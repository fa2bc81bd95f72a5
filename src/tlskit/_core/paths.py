"""Check paths from a program. People sometimes pass a private key instead of its file's path, so a
value that is probably not a path is never repeated in a message, an attribute or a traceback.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import wraps

from .._shown import has_der, has_pem, is_coded_key
from .files import kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])

_LONGEST = 4096  # PATH_MAX; no system allows more
_LONGEST_NAME = 255
_CONTROL = bytes(range(1, 0x20)) + b"\x7f"


def named_path(
    name: str, value: Any, *, wanted: str = "the path of a file", bounded: bool = True
) -> str:
    """Return the path that an argument names.

    Args:
        name: the argument's name.
        value: str, bytes or os.PathLike.
        wanted: what the argument is, for the message.
        bounded: False for a list of paths, which may be long.

    Raises:
        TypeError: it has another type.
        ValueError: it contains a null character.
        OSError: it is probably not a path. The value is not repeated.
    """
    try:
        path = os.fsdecode(value)
    except TypeError:
        raise TypeError(f"{name} should be a valid filesystem path") from None
    except UnicodeDecodeError:  # Windows is strict, and this error contains the value
        path = None
    raw = os.fspath(value) if path is None else os.fsencode(path)
    number, why = _objection(raw, bounded)
    if path is None or number:
        kind, unit = type(value).__name__, "bytes" if isinstance(value, bytes) else "characters"
        size = len(path) if path is not None and isinstance(value, str) else len(raw)
        number, why = (
            number or errno.ENOENT,
            why or " that cannot be decoded in this system's encoding",
        )
        value = path = raw = ""  # tracebacks may show this frame's variables
        raise OSError(number, f"{name} must be {wanted}, got {kind} of {size} {unit}{why}")
    if "\0" in path:
        raise ValueError("embedded null byte")
    return path


def _objection(raw: bytes, bounded: bool) -> tuple[int, str]:
    """Return an errno and why this cannot be a path; 0 if it may be one."""
    if has_pem(raw):
        return errno.ENOENT, " with PEM in it"
    if has_der(raw):
        return errno.ENOENT, " that looks like DER"
    if raw.translate(None, _CONTROL) != raw:
        return errno.ENOENT, " with line breaks or control characters in it"
    parts = raw.replace(b"\\", b"/").split(b"/")
    if bounded and (len(raw) > _LONGEST or any(len(part) > _LONGEST_NAME for part in parts)):
        return errno.ENAMETOOLONG, ", which is longer than a path can be"
    if is_coded_key(raw) and kind_of(os.fsdecode(raw)) is None:
        return errno.ENOENT, " that looks like a key in hexadecimal digits or base64"
    return 0, ""


def without_values(function: Function) -> Function:
    """Wrap a function so that its frame keeps no values when it raises: they may be keys and
    passwords, and some programs show them with a traceback.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            args = kwargs = None  # type: ignore[assignment]
            if error.__traceback__ is not None:
                from traceback import clear_frames

                clear_frames(error.__traceback__.tb_next)
            raise

    return call  # type: ignore[return-value]
