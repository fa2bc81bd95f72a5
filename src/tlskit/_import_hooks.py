"""Run a callback once a module has been imported: now, or when the program imports it.

This is how `inject_into_ssl` reaches the event loops of a program that has not imported asyncio
yet, without importing it for programs that never will.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._forks import ForkLock

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:  # the protocols there would import inspect and tempfile
    Loader = MetaPathFinder = object

_lock = ForkLock()
_wanted: dict[str, list[Callable[[], object]]] = {}


def when_imported(name: str, callback: Callable[[], object]) -> None:
    """Call `callback` now if module `name` has been imported, otherwise as soon as it is. The
    callback must be quick and must not raise.
    """
    with _lock:
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if module is None or getattr(spec, "_initializing", False):
            if callback not in (callbacks := _wanted.setdefault(name, [])):
                callbacks.append(callback)
            if _finder not in sys.meta_path:
                sys.meta_path.insert(0, _finder)
            return
    callback()


def forget(name: str, callback: Callable[[], object]) -> None:
    """Cancel a `when_imported` whose callback has not run yet."""
    with _lock:
        if callback in (callbacks := _wanted.get(name, [])):
            callbacks.remove(callback)
        if not any(_wanted.values()) and _finder in sys.meta_path:
            sys.meta_path.remove(_finder)


class _Finder(MetaPathFinder):
    """A finder that finds nothing itself, but wraps the other finders' loaders in a `_Loader`."""

    def __init__(self) -> None:
        self._inside = threading.local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _wanted.get(fullname) or getattr(self._inside, "now", False):
            return None
        self._inside.now = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._inside.now = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(fullname, spec.loader)
        return spec


class _Loader(Loader):
    """A loader that delegates to the real one, which the module sees, and then calls back."""

    def __init__(self, name: str, loader: Any) -> None:
        self._name, self._loader = name, loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        with _lock:
            callbacks = _wanted.pop(self._name, [])
        for callback in callbacks:
            callback()


_finder = _Finder()
