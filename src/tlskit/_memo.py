"""Remember the results of functions.

With the GIL it is `functools.lru_cache`. Without the GIL, CPython 3.13 holds that cache's own lock
while the function runs, and a fork in that moment leaves the child with a lock that nobody
releases. A dictionary's lock is held for no call, and a lookup takes none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


def has_gil() -> bool:
    """Return whether this Python runs one thread at a time; before 3.13 all do."""
    enabled = getattr(sys, "_is_gil_enabled", None)
    return enabled is None or bool(enabled())


def remembered(most: int) -> Callable[[_Function], _Function]:
    """Decorate a function of positional arguments whose last `most` results are kept.

    It may be called more than once for the same arguments, by several threads.
    """
    if has_gil():
        return lru_cache(maxsize=most)  # type: ignore[return-value]
    return _in_dictionary(most)


def _in_dictionary(most: int) -> Callable[[_Function], _Function]:
    def decorate(function: _Function) -> _Function:
        known: dict[Any, Any] = {}

        def call(*arguments: Any) -> Any:
            try:
                return known[arguments]
            except KeyError:
                pass
            found = function(*arguments)
            if len(known) >= most:
                known.clear()
            known[arguments] = found
            return found

        call.__doc__, call.__name__ = function.__doc__, function.__name__
        return call  # type: ignore[return-value]

    return decorate
