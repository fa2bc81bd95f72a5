"""Names that load when they are first named (PEP 562): stores and tools that most programs do not
use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def names(
    package: str,
    public: list[str],
    places: dict[str, str],
    otherwise: Callable[[str], Any] | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package.

    Args:
        package: its name.
        public: its `__all__`.
        places: for each lazy name, the module that has it, relative to the package; a module stands
            for itself when its name is the same.
        otherwise: where to look for a name that is none of these.
    """

    def __getattr__(name: str) -> Any:
        place = places.get(name)
        if place is None and otherwise is not None:
            return otherwise(name)
        if place is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(place, package)
        found = module if place == f".{name}" else getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *public, *places})

    return __getattr__, __dir__
