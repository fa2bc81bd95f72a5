"""The binding: OpenSSL's libssl and the C helpers, compiled by cffi. It has no behaviour of its
own, and is only for tlskit.

`ffi` and `lib` are cffi's; `CONST` has the OpenSSL constants that existed when this was compiled,
as attributes; `FEATURES` lists the features that existed, by the names in decl/features.py.
"""

from __future__ import annotations

from sys import byteorder
from types import SimpleNamespace

from ._native import ffi, lib

TYPE_CHECKING = (
    False  # type checkers know the name; the module `typing` would be most of this import
)
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CONST", "FEATURES", "ffi", "lib"]


class Feature:
    """A feature that not every OpenSSL has.

    Attributes:
        there: whether the OpenSSL that this was compiled with has it.
        since: the versions that have it, as the end of "this requires ...".
    """

    __slots__ = ("since", "there")

    def __init__(self, there: bool, since: str) -> None:
        self.there, self.since = there, since


def _rows(fill: Any) -> list[tuple[int, bytes]]:
    """Return the (tag, bytes) pairs of a list that C fills. tlskit has a better function for this,
    but must not be imported here.
    """
    listed = ffi.new("tk_records *")
    fill(listed)
    found, at = [], 0
    data = bytes(ffi.buffer(listed.data, listed.size))
    lib.tk_records_free(listed)
    while at < len(data):
        tag, size = memoryview(data)[at : at + 8].cast("I")
        found.append((tag, data[at + 8 : at + 8 + size]))
        at += 8 + size
    return found


class Constants(SimpleNamespace):
    """OpenSSL's constants, as attributes."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> int: ...


def _constants() -> Constants:
    rows = [row for _, row in _rows(lib.tk_constants)]
    return Constants(
        **{
            name.decode(): int.from_bytes(value, byteorder, signed=True)
            for name, value in zip(rows[::2], rows[1::2], strict=True)
        }
    )


def _features() -> dict[str, Feature]:
    rows = [row for _, row in _rows(lib.tk_features)]
    triples = zip(rows[::3], rows[1::3], rows[2::3], strict=True)
    return {name.decode(): Feature(any(there), since.decode()) for name, there, since in triples}


if lib.tk_init() != 1:
    raise ImportError(
        "tlskit: libssl could not be initialised; is its configuration file broken? (see "
        "OPENSSL_CONF)"
    )

CONST: Constants = _constants()
FEATURES: dict[str, Feature] = _features()
