"""What holds objects of C is neither pickled nor copied."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class Unpickled:
    """Refuse `pickle` and `copy`, in CPython's words for a class that is written in C.

    PyPy pickles cffi's objects by their attributes, locks included: without this, a pickle would
    hold a context's keys and passwords, and no process could use it.
    """

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot pickle '{type(self).__name__}' object")
