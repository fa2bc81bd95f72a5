"""How SSLContext coexists with the stdlib's class beneath it.

It is a real subclass of `ssl.SSLContext`, so below each of our contexts there is an SSL_CTX of the
stdlib's. That one is dormant: a client that verifies and trusts nobody. Three things keep it
dormant, and keep the stdlib's own contexts working:

* `NotOurs` replaces every inherited name that tlskit does not define, including those of future
  Pythons, and refuses.
* `SharedProperty`: the stdlib's setters set `super(SSLContext, SSLContext).options`, where
  SSLContext is the current value of that name in `ssl`. If that is tlskit's class, a context of the
  stdlib's arrives at a property of ours, which passes it on to the stdlib's. (A plain property
  would be called again and again, until a RecursionError.)
* `ContextType`: after an injection, contexts that were created before are still instances of
  `ssl.SSLContext`. Some libraries treat anything else as "no TLS wanted". This remains so after the
  injection is undone: modules that were imported in the meantime still use tlskit's class, and
  receive contexts of the stdlib's again.
"""

from __future__ import annotations

import sys
from abc import ABCMeta

from .._core.paths import without_values
from . import classes as stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: The stdlib's own attributes of a context, below its class in Python.
_BENEATH = super(stdlib.SSLContext, stdlib.SSLContext)


def _is_ours(instance: Any) -> bool:
    """Return whether it is a context of tlskit's whose settings exist."""
    return Dormant in type(instance).__mro__ and hasattr(instance, "_settings")


class ContextType(ABCMeta):
    """The metaclass of SSLContext. An ABCMeta, so that a class can derive from both SSLContext and
    an ABC.

    Attributes:
        standing_in: the class that replaces, or has replaced, the stdlib's in `ssl`, and accepts
            the stdlib's instances as its own; or None.
    """

    standing_in: type | None = None

    def __instancecheck__(cls, instance: Any) -> bool:
        return type.__instancecheck__(cls._asked(), instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return type.__subclasscheck__(cls._asked(), subclass)

    def _asked(cls) -> type:
        return stdlib.SSLContext if cls is ContextType.standing_in else cls


class SharedProperty(property):
    """A property that is set here on our contexts, and on the stdlib's own contexts there."""

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
    """Raised by NotOurs; also an AttributeError, so that `hasattr` returns False."""


class NotOurs:
    """Replaces a name of the stdlib's class that would configure the dormant base without effect,
    and refuses.
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
        # The dormant base is being created: PyPy's is written in Python, and calls its own methods.
        return getattr(stdlib.SSLContext, self.name).__get__(instance, owner)

    def __set__(self, instance: object, value: object) -> None:
        if _is_ours(instance):
            self._refuse()
        getattr(_BENEATH, self.name).__set__(instance, value)

    __delete__ = __call__ = _refuse


class Dormant(stdlib.SSLContext, metaclass=ContextType):
    """The stdlib's class as the last of our bases, with nothing in it that could be used by
    mistake.
    """


def cover_inherited(kind: type[Dormant]) -> None:
    """Make every inherited name refuse on our contexts, and pass the stdlib's own contexts on."""
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
