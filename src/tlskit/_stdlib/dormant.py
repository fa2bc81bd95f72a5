"""How SSLContext lives with the stdlib's class beneath it.

It is a real subclass of `ssl.SSLContext`, so there is an SSL_CTX of the stdlib's below every
context of ours. That one is dormant: a client that verifies and trusts nobody. Three things keep it
so, and keep the stdlib's own contexts awake:

* `NotOurs` stands for every inherited name that tlskit does not define, also one of a future
Python: it refuses. * `SharedProperty`: the stdlib's setters go on to `super(SSLContext,
SSLContext).options`, where SSLContext is whatever
  stands under that name in `ssl`. When that is tlskit's class, a context of the stdlib's own
  arrives at a property of ours; it is sent on to where it was going. (With a plain property it
  would come back, and again, until a RecursionError.)
* `ContextType`: once tlskit stands in for the stdlib, contexts that were made before are instances
of `ssl.SSLContext` as
  they have always been. There are libraries that take anything else for "no TLS wanted". It stays
  so when tlskit is taken out again: what was imported in the meantime still asks tlskit's class,
  and meets contexts of the stdlib's again.
"""

from __future__ import annotations

import sys
from abc import ABCMeta
from typing import Any, NoReturn

from .._core.paths import without_values
from . import classes as stdlib

#: The stdlib's own attributes of a context, below its class in Python.
_BENEATH = super(stdlib.SSLContext, stdlib.SSLContext)


def _is_ours(instance: Any) -> bool:
    """Whether it is a context of tlskit's that has its settings by now."""
    return Dormant in type(instance).__mro__ and hasattr(instance, "_settings")


class ContextType(ABCMeta):
    """The metaclass of SSLContext. An ABCMeta, so that a class can still derive from SSLContext and
    from an ABC.

    Attributes:
        standing_in: the class that stands in `ssl` for the stdlib's, or has, and takes the stdlib's
            instances for its own; or None.
    """

    standing_in: type | None = None

    def __instancecheck__(cls, instance: Any) -> bool:
        return type.__instancecheck__(cls._asked(), instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return type.__subclasscheck__(cls._asked(), subclass)

    def _asked(cls) -> type:
        return stdlib.SSLContext if cls is ContextType.standing_in else cls


class SharedProperty(property):
    """A property that is set on our contexts here, and on the stdlib's own there."""

    @without_values
    def __set__(self, instance: Any, value: Any) -> None:
        if _is_ours(instance):
            super().__set__(instance, value)
        else:
            assert self.fget is not None
            getattr(_BENEATH, self.fget.__name__).__set__(instance, value)

    if sys.implementation.name == "pypy":  # whose base reads its own properties as it is made

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None or _is_ours(instance):
                return super().__get__(instance, owner)
            assert self.fget is not None
            return getattr(_BENEATH, self.fget.__name__).__get__(instance, owner)

    def __delete__(self, instance: Any) -> None:
        assert self.fget is not None
        raise AttributeError(f"{self.fget.__name__} of a context cannot be deleted")


class NotPartOfTlskit(NotImplementedError, AttributeError):
    """What NotOurs raises: an AttributeError too, so that `hasattr` says False."""


class NotOurs:
    """A name of the stdlib's class that would configure the dormant base, to no effect: it
    refuses.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def _refuse(self, *args: object) -> NoReturn:
        raise NotPartOfTlskit(f"SSLContext.{self.name} is not part of this version of tlskit")

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if _is_ours(instance):
            self._refuse()
        # The dormant base is being made: PyPy's does that in Python, and calls its own methods.
        return getattr(stdlib.SSLContext, self.name).__get__(instance, owner)

    def __set__(self, instance: object, value: object) -> None:
        if _is_ours(instance):
            self._refuse()
        getattr(_BENEATH, self.name).__set__(instance, value)

    __delete__ = __call__ = _refuse


class Dormant(stdlib.SSLContext, metaclass=ContextType):
    """The stdlib's class as the last of our bases, with nothing in it that could be reached by
    mistake.
    """


def cover_inherited(kind: type[Dormant]) -> None:
    """Make every inherited name of our contexts refuse, or send the stdlib's own on its way."""
    ours = kind.__mro__[: kind.__mro__.index(Dormant)]
    # PyPy's class is written in Python, and keeps in slots what CPython keeps in C: the dormant
    # context needs them.
    slots = {name for base in stdlib.SSLContext.__mro__ for name in vars(base).get("__slots__", ())}
    for name in dir(stdlib.SSLContext):
        if name in slots or (name.startswith("__") and name.endswith("__")):
            continue
        home = next((cls for cls in ours if name in vars(cls)), None)
        if home is None:
            setattr(Dormant, name, NotOurs(name))
            continue
        plain = vars(home)[name]
        if type(plain) is property and plain.fset is not None:
            setattr(home, name, SharedProperty(plain.fget, plain.fset, plain.fdel, plain.__doc__))
