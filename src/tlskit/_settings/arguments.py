"""Check arguments as the stdlib's C code does: it accepts the same types, and raises the same
exceptions for all others.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable

from .._core import files
from .._core.paths import named_path
from .._core.wiping import encoded
from .._memo import remembered
from .._shown import may_be_key, shown
from .._state.coroutines import is_coroutine_function
from ..enums import _SSLMethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    _Callback = TypeVar("_Callback")


def integer(value: Any, *, bits: int = 32) -> int:
    """Accept anything that can be converted to an integer that fits into `bits` bits with a
    sign.
    """
    number = operator.index(value)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise OverflowError(
            f"Python int too large to convert to C {'int' if bits == 32 else 'long'}"
        )
    return number


def unsigned(value: Any, negative: type[Exception] = OverflowError) -> int:
    """Accept an unsigned int of 64 bits."""
    if not isinstance(value, int):
        raise TypeError(f"argument must be int, not {type(value).__name__}")
    if value < 0:
        raise negative("can't convert negative int to unsigned")
    if value >= 2**64:
        raise OverflowError("Python int too large to convert to C unsigned long")
    return int(value)


def words(value: Any) -> bytes:
    """Accept a string that C can read to its end."""
    if not isinstance(value, str):
        raise TypeError(f"argument must be str, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError("embedded null character")
    return value.encode()


def listing(value: Any) -> bytes:
    """Accept a list in OpenSSL's notation, or any iterable of words, which are joined with
    colons.
    """
    if isinstance(value, str):
        return words(value)
    if _is_buffer(value) or not isinstance(value, Iterable):
        raise TypeError(f"argument must be str, or an iterable of them, not {type(value).__name__}")
    return b":".join(map(words, value))


def _is_buffer(value: Any) -> bool:
    """Whether it is bytes, or an array of numbers or characters: none of them holds words."""
    try:
        memoryview(value).release()
    except TypeError:
        return False
    return True


def path_of(
    name: str, value: Any, *, wanted: str = "the path of a file", bounded: bool = True
) -> str | None:
    """Accept a path, or None."""
    return None if value is None else named_path(name, value, wanted=wanted, bounded=bounded)


def secret_of(name: str, value: Any) -> bytearray:
    """Read the file of that path, which may hold a secret: the caller must wipe the result."""
    return files.read(named_path(name, value))


def password_of(
    value: Any, complaint: str = "password should be a string or callable"
) -> bytearray:
    """Accept a password, and return a copy as bytes, which the caller must wipe."""
    if isinstance(value, str):
        return encoded(value)
    if isinstance(value, (bytes, bytearray)):
        return bytearray(value)
    raise TypeError(complaint)


def whole_number(value: int, what: str, most: int | None = None, least: int = 0) -> int:
    """Accept a whole number within these bounds."""
    if not isinstance(value, int):
        raise TypeError(f"{what} must be an integer, got {type(value).__name__}")
    if most is not None and not least <= value <= most:
        raise ValueError(f"{what} must be between {least} and {most}, got {value}")
    return int(value)


def callback_or_none(value: _Callback, name: str, *, awaited: bool = False) -> _Callback:
    """Accept a callable or None; a coroutine function only if `awaited`."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, not {type(value).__name__}")
    if not awaited and is_coroutine_function(value):
        raise TypeError(
            f"{name} cannot be a coroutine function (async def): OpenSSL cannot wait there. Use a "
            f"plain function"
        )
    return value


def check_serves(protocol: _SSLMethod, name: str) -> None:
    """Refuse a setting that only servers have, on a client's context (ValueError)."""
    if protocol is _SSLMethod.PROTOCOL_TLS_CLIENT:
        raise ValueError(f"{name} cannot be set on TLS_CLIENT context")


def new_ascii_name(hostname: str | bytes) -> str:
    """Return a server's name as `wrap_socket` takes it, in ASCII (IDNA 2003)."""
    try:
        name = _in_ascii(hostname) if isinstance(hostname, str) else hostname.decode("ascii")
    except UnicodeError:
        if not may_be_key(hostname):
            raise
        name = None  # that error holds the whole value
    if name is None:
        raise ValueError(f"server_hostname must be a host name, got {shown(hostname)}")
    if not name or name.startswith("."):
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    if "\0" in name:
        raise TypeError("server_hostname has a null character in it")
    return name


def _in_ascii(name: str) -> str:
    """Return `name` as the codec "idna" encodes it. That loads the tables of Unicode, which only
    names with other characters need.
    """
    *labels, last = name.split(".")
    if name.isascii() and all(0 < len(label) < 64 for label in labels) and len(last) < 64:
        return name
    return name.encode("idna").decode("ascii")


#: The same, remembered.
ascii_name = remembered(256)(new_ascii_name)  # programs talk to few servers, and often


def is_read_only(name: str, value: object, *, hint: str) -> AttributeError:
    """Return the error for an attribute of an SSLContext that cannot be set."""
    return AttributeError(
        f"`{name}` of an SSLContext cannot be set to a {type(value).__name__}: {hint}"
    )
