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
_PATIENCE = 1.0  # seconds
#: What a package has for its own use, and does not list.
_OURS = {"TYPE_CHECKING", "annotations", "names"}


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
    then get an incomplete module. A thread that is in the middle of another import waits for its
    turn for a second only: it holds that module's lock, and the thread whose turn it is may need
    the module.
    """
    homes = {name: place for place, listed in places.items() for name in listed}

    def __getattr__(name: str) -> Any:
        place = homes.get(name)
        if place is None and otherwise is not None:
            return otherwise(name)
        if place is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = _imported(place, package)
        found = module if place == f".{name}" else getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *public, *homes} - _OURS)

    return __getattr__, __dir__


class LateModule:
    """A module that is imported when something of it is first used. As with `names`, one thread
    imports at a time.

    Args:
        place: its name, relative to the package, if there is one.
    """

    def __init__(self, place: str, package: str | None = None) -> None:
        self._place, self._package = place, package

    def __getattr__(self, name: str) -> Any:
        found = getattr(_imported(self._place, self._package), name)
        setattr(self, name, found)
        return found


class LateAttribute:
    """An attribute of a class, whose value a LateModule has. The value takes this object's place
    when it is first read.
    """

    def __init__(self, module: LateModule, name: str) -> None:
        self._module, self._name = module, name

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._owner, self._attribute = owner, attribute

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        found = getattr(self._module, self._name)
        if vars(self._owner).get(self._attribute) is self:
            setattr(self._owner, self._attribute, found)
        return found


class LateName(str):
    """A name for annotations, which only `typing.get_type_hints` imports: to `typing`, a string is
    a forward reference. Type checkers see the real name.
    """

    def __new__(cls, module: str, name: str) -> LateName:
        return super().__new__(cls, f"__import__('importlib').import_module({module!r}).{name}")

    def __or__(self, other: Any) -> Any:
        return eval(self) | other

    __ror__ = __or__  # the order of a union means nothing

    def __getitem__(self, arguments: Any) -> Any:
        if type(arguments) is int:  # `typing` of Python 3.11 looks at the first character
            return super().__getitem__(arguments)
        return eval(self)[arguments]


def late_names(module: str, names: str) -> list[LateName]:
    """Return several LateNames of one module; `names` has spaces in between."""
    return [LateName(module, name) for name in names.split()]


def _imported(place: str, package: str | None) -> Any:
    lock = _shared.get("lock") or _made_lock()
    held = lock.enter(_PATIENCE if _is_importing() else -1)
    try:
        return import_module(place, package)
    finally:
        if held:
            lock.__exit__()


def _made_lock() -> Any:
    """Return the lock of all packages. Every import needs the modules that this function uses
    anyway.
    """
    from ._forks import ForkLock

    return _shared.setdefault("lock", ForkLock())


def _is_importing() -> bool:
    """Return whether this thread is executing a module's top level, however deep."""
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
