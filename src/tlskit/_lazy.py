"""Names that are imported when they are first used (PEP 562), so that a program pays for what it
uses.
"""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

_shared: dict[str, Any] = {}


def names(
    package: str,
    public: list[str],
    places: Mapping[str, Sequence[str]],
    otherwise: Callable[[str], Any] | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a package.

    Args:
        package: its name.
        public: its `__all__`.
        places: for each module, relative to the package, its names. The name of the module itself
            stands for the module.
        otherwise: where to look for any other name.

    Thread-safe: one thread imports at a time. The import system has a lock for each module; two
    threads that import modules in opposite orders would wait for each other, and one of them would
    then get an incomplete module.
    """
    homes = {name: place for place, listed in places.items() for name in listed}

    def __getattr__(name: str) -> Any:
        place = homes.get(name)
        if place is None and otherwise is not None:
            return otherwise(name)
        if place is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with _shared.get("lock") or _made_lock():
            module = import_module(place, package)
        found = module if place == f".{name}" else getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *public, *homes})

    return __getattr__, __dir__


def _made_lock() -> Any:
    """Return the lock of all packages. Every import needs the modules that this function uses
    anyway.
    """
    from ._forks import ForkLock

    return _shared.setdefault("lock", ForkLock())
