"""Connection classes that applications derive from tlskit's classes, or from the stdlib's.

`sslsocket_class` and `sslobject_class` of a context may be of either kind. A class derived from the
stdlib's is combined with tlskit's when it is first used, so that its `super()` finds tlskit's
methods, and `isinstance` returns what it did before.

Such a class can take part in creating a connection in two ways: by its own `_create`, which the
stdlib calls; and by its own `__init__`. The stdlib never calls the latter, though some programs
assume so (they set a session in it). Here it is called, with the arguments of `_create`, once the
connection exists and before its handshake: this can only do what the programmer intended.
"""

from __future__ import annotations

from types import new_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# on the class, so that both are freed together: a program may create one for every connection
_CACHE = "_combined_with_tlskit"
_REFUSAL = "does not have a public constructor"


class NoPublicConstructor(TypeError):
    """Raised by the constructors of connections, which `SSLContext` makes."""

    def __init__(self, kind: type, maker: str) -> None:
        super().__init__(f"{kind.__name__} {_REFUSAL}. Instances are returned by {maker}().")


def combined(kind: type, ours: type, base: type) -> type:
    """Return the class to create a connection of.

    Args:
        kind: the class that the context names, or any object with a `_create`.
        ours: tlskit's class.
        base: the stdlib's.
    """
    if kind is ours or not isinstance(kind, type) or issubclass(kind, ours):
        return kind
    if not issubclass(kind, base):  # it has its own idea of a connection, and its own _create
        return kind
    if kind is base:
        return ours
    found: type | None = vars(kind).get(_CACHE)
    if found is None:
        described = {
            "__module__": kind.__module__,
            "__qualname__": kind.__qualname__,
            "__doc__": kind.__doc__,
        }
        found = new_class(
            kind.__name__, (kind, ours), exec_body=lambda namespace: namespace.update(described)
        )
        try:
            setattr(kind, _CACHE, found)
        except (AttributeError, TypeError):  # a metaclass that forbids it
            return found
    return found


def initialise(connection: Any, ours: type, *args: Any, **kwargs: Any) -> None:
    """Call the `__init__` of an application's class derived from `ours`, if it accepts the
    arguments of `_create`.
    """
    init = type(connection).__init__
    if init is ours.__init__:  # type: ignore[misc]
        return
    from inspect import signature  # for the few that get here

    try:
        signature(init).bind(connection, *args, **kwargs)
    except TypeError:  # it expects other arguments, from other code
        return
    try:
        init(connection, *args, **kwargs)
    except NoPublicConstructor:
        return
    except TypeError as error:  # in the stdlib's words, from a class that imitates its classes
        if _REFUSAL not in str(error):
            raise
