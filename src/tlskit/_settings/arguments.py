"""Arguments as the stdlib's C code takes them: the same types, and for all others the same
exceptions.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, TypeVar

from .._core import files
from .._core.paths import named_path
from .._core.wiped import encoded
from .._state.awaiting import is_coroutine_function

_Callback = TypeVar("_Callback")


def integer(value: Any, *, bits: int = 32) -> int:
    """Take whatever can stand for a whole number, if it fits into so many bits with a sign."""
    number = operator.index(value)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise OverflowError(
            f"Python int too large to convert to C {'int' if bits == 32 else 'long'}"
        )
    return number


def unsigned(value: Any, negative: type[Exception] = OverflowError) -> int:
    """Take an int of 64 bits without a sign."""
    if not isinstance(value, int):
        raise TypeError(f"argument must be int, not {type(value).__name__}")
    if value < 0:
        raise negative("can't convert negative int to unsigned")
    if value >= 2**64:
        raise OverflowError("Python int too large to convert to C unsigned long")
    return int(value)


def words(value: Any) -> bytes:
    """Take a string that C can read to its end."""
    if not isinstance(value, str):
        raise TypeError(f"argument must be str, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError("embedded null character")
    return value.encode()


def listing(value: Any) -> bytes:
    """Take words as OpenSSL has them, or one by one in any iterable: colons go between."""
    if isinstance(value, str):
        return words(value)
    if isinstance(value, (bytes, bytearray)) or not isinstance(value, Iterable):
        raise TypeError(f"argument must be str, or an iterable of them, not {type(value).__name__}")
    return b":".join(map(words, value))


def path_of(
    name: str, value: Any, *, wanted: str = "the path of a file", bounded: bool = True
) -> str | None:
    """Take a path; None stays None."""
    return None if value is None else named_path(name, value, wanted=wanted, bounded=bounded)


def secret_of(name: str, value: Any) -> bytearray:
    """Read the file of that path, which may hold a secret: the caller wipes what it gets."""
    return files.read(named_path(name, value))


def password_of(
    value: Any, complaint: str = "password should be a string or callable"
) -> bytearray:
    """Take a password as bytes: a copy, which the caller wipes."""
    if isinstance(value, str):
        return encoded(value)
    if isinstance(value, (bytes, bytearray)):
        return bytearray(value)
    raise TypeError(complaint)


def whole_number(value: int, what: str, most: int | None = None, least: int = 0) -> int:
    """Take a whole number within these bounds."""
    if not isinstance(value, int):
        raise TypeError(f"{what} must be a whole number, not {type(value).__name__}")
    if most is not None and not least <= value <= most:
        raise ValueError(f"{what} must be between {least} and {most}, got {value}")
    return int(value)


def callback_or_none(value: _Callback, name: str, *, awaited: bool = False) -> _Callback:
    """Take what can be called, or None; a coroutine function where something would await it."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, not {type(value).__name__}")
    if not awaited and is_coroutine_function(value):
        raise TypeError(
            f"{name} cannot be a coroutine function (async def): OpenSSL cannot wait there. Use a "
            f"plain function"
        )
    return value
