"""`typing.get_type_hints` finds every name in the annotations of what is public, although tlskit
imports some for type checkers alone.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

import tlskit
from tlskit import aio, enums, errors, inject, metrics, sessions, stores
from tlskit.sessions import contract

from .support.processes import bare

PUBLIC = [tlskit, aio, contract, enums, errors, inject, metrics, sessions, stores]
SPECIAL = {"__call__", "__enter__", "__exit__", "__init__", "__iter__", "__new__"}


def functions_of(kind: type) -> Iterator[tuple[str, FunctionType]]:
    """The functions of a class and of its bases in tlskit: methods, and those of properties."""
    for base in kind.__mro__:
        for name, value in vars(base).items():
            if not base.__module__.startswith("tlskit") or (
                name.startswith("_") and name not in SPECIAL
            ):
                continue
            if isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            parts = (value.fget, value.fset) if isinstance(value, property) else (value,)
            # what Python itself has written, as for a NamedTuple, has names of its own
            own = (part for part in parts if inspect.isfunction(part))
            yield from ((name, part) for part in own if str(part.__module__).startswith("tlskit"))


def annotated(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """All that a module makes public, with its name: functions, classes, and their functions."""
    for name in module.__all__ if hasattr(module, "__all__") else dir(module):
        value = getattr(module, name)
        if name.startswith("_") or not getattr(value, "__module__", "").startswith("tlskit"):
            continue
        if inspect.isclass(value):
            yield name, value
            yield from ((f"{name}.{own}", part) for own, part in functions_of(value))
        elif inspect.isfunction(value):
            yield name, value


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_names_resolve(module: ModuleType) -> None:
    unknown, count = [], 0
    for name, value in annotated(module):
        count += 1
        try:
            found = typing.get_type_hints(value)
        except (NameError, TypeError) as error:
            unknown.append(f"{name}: {error}")
        else:
            assert not any(isinstance(part, str) for part in found.values()), name
    assert unknown == []
    assert count > (300 if module is tlskit else 0)


def test_they_are_the_real_ones() -> None:
    hints: Callable[[object], dict[str, Any]] = typing.get_type_hints
    assert hints(tlskit.SSLContext.wrap_socket)["return"] is tlskit.SSLSocket
    assert hints(tlskit.SSLContext.wrap_bio)["session"] == tlskit.SSLSession | None
    assert hints(tlskit.SSLContext.wrap_bio)["incoming"] is Any
    assert hints(tlskit.SSLSocket.context.fget)["return"] is tlskit.SSLContext  # type: ignore[attr-defined]
    assert hints(tlskit.SSLSocket.recv_into)["nbytes"] == int | None
    if sys.version_info >= (3, 11):  # Python 3.10 leaves strings alone inside of dict[...]
        assert hints(tlskit.SSLSocket.getpeercert)["return"] == dict[str, Any] | bytes | None
    assert hints(tlskit.SSLObject.certificate_request.fget)["return"] == (  # type: ignore[attr-defined]
        tlskit.CertificateRequest | None
    )


def test_nothing_but_a_question_imports_typing() -> None:
    program = (
        "import sys, tlskit\n"
        "function = tlskit.SSLContext.wrap_bio\n"
        "tlskit.SSLSocket, tlskit.SSLObject, tlskit.MemoryBIO\n"
        "print('typing' in sys.modules)\n"
        "import typing\n"
        "print(typing.get_type_hints(function)['return'].__name__)\n"
    )
    assert bare(program).split() == ["False", "SSLObject"]
