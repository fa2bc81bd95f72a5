"""Remember the results of functions.

With the GIL it is `functools.lru_cache`. Without the GIL, CPython 3.13 holds that cache's own lock
while the function runs, and a fork in that moment leaves the child with a lock that nobody
releases. A dictionary's lock is held for no call, and a lookup takes none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ._stdlib.module import has_gil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    _Function = TypeVar("_Function", bound=Callable[..., Any])


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
