"""Frozen dataclasses and named tuples whose classes are made quickly. Type checkers see the real
ones.

The module `dataclasses` imports `inspect`, and compiles several functions for each class. Here it
is imported only when a class's fields are needed; `dataclasses.fields`, `asdict`, `replace` and
`is_dataclass` accept the result. `typing.NamedTuple` compiles a function, and the annotation of
each field; `NamedTuple` here takes a tenth of the time, and compiles when a first tuple is made.
"""

from __future__ import annotations

from operator import itemgetter

from ._lazy import LateName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")

try:
    from _collections import _tuplegetter as _item  # type: ignore[import-not-found]
except ImportError:  # as on PyPy

    def _item(index: int, doc: str) -> property:
        return property(itemgetter(index), doc=doc)


_NOTHING: Any = object()


class field:
    """The options of a field: whether it is compared, and shown."""

    __slots__ = ("compare", "repr")

    def __init__(self, *, compare: bool = True, repr: bool = True) -> None:
        self.compare, self.repr = compare, repr


class _Fields:
    """`__dataclass_fields__` of a class, created on first access."""

    def __get__(self, _: Any, kind: Any) -> Any:
        import dataclasses

        listed = []
        for name, default in kind.__tlskit_fields__.items():
            special = kind.__tlskit_special__.get(name, field())
            arguments = {} if default is _NOTHING else {"default": default}
            listed.append(
                (
                    name,
                    kind.__annotations__[name],
                    dataclasses.field(compare=special.compare, repr=special.repr, **arguments),
                )
            )
        made = dataclasses.make_dataclass(
            kind.__name__,
            listed,
            kw_only=kind.__tlskit_kw_only__,
            frozen=True,
        )
        found: Any = vars(made)["__dataclass_fields__"]
        kind.__dataclass_fields__ = found
        return found


def dataclass(*, frozen: bool, kw_only: bool = False) -> Any:
    """Make a class of annotated fields a frozen one, as `dataclasses.dataclass(frozen=True)`."""
    assert frozen

    def make(kind: Any) -> Any:
        fields, special = {}, {}
        for name in kind.__annotations__:
            default = vars(kind).get(name, _NOTHING)
            if type(default) is field:
                special[name], default = default, _NOTHING
                delattr(kind, name)
            fields[name] = default
        kind.__tlskit_fields__, kind.__tlskit_special__ = fields, special
        kind.__tlskit_kw_only__ = kw_only
        kind.__dataclass_fields__ = _Fields()
        setattr(kind, "__match_args__", () if kw_only else tuple(fields))  # noqa: B010
        for method in (_init, _repr, _eq, _hash, _set, _delete, _replace):
            if method.__name__ not in vars(kind) or method is _hash:
                setattr(kind, method.__name__, method)
        return kind

    return make


def replace(one: Any, /, **changes: Any) -> Any:
    """Return a copy with some fields changed."""
    return type(one)(**{**one.__dict__, **changes})


def __init__(self: Any, *values: Any, **named: Any) -> None:
    fields = self.__tlskit_fields__
    if len(values) == len(fields) and not named and not self.__tlskit_kw_only__:
        self.__dict__.update(zip(fields, values, strict=True))
        return
    if values:
        if self.__tlskit_kw_only__ or len(values) > len(fields):
            raise TypeError(f"{type(self).__name__}() takes fewer positional arguments")
        for name, value in zip(fields, values, strict=False):
            if name in named:
                raise TypeError(f"{type(self).__name__}() got two values for {name!r}")
            named[name] = value
    mine = self.__dict__
    for name, default in fields.items():
        mine[name] = value = named.pop(name, default)
        if value is _NOTHING:
            mine.clear()
            raise TypeError(f"{type(self).__name__}() needs a value for {name!r}")
    if named:
        raise TypeError(f"{type(self).__name__}() has no field {next(iter(named))!r}")


def __repr__(self: Any) -> str:
    special = self.__tlskit_special__
    shown = (name for name in self.__tlskit_fields__ if name not in special or special[name].repr)
    said = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({said})"


def _compared(one: Any) -> tuple[Any, ...]:
    special = one.__tlskit_special__
    return tuple(
        getattr(one, name)
        for name in one.__tlskit_fields__
        if name not in special or special[name].compare
    )


def __eq__(self: Any, other: object) -> Any:
    return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented


def __hash__(self: Any) -> int:
    return hash(_compared(self))


def __setattr__(self: Any, name: str, value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: Any, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def __replace__(self: Any, /, **changes: Any) -> Any:
    return replace(self, **changes)


_init, _repr, _eq, _hash, _set, _delete, _replace = (
    __init__, __repr__, __eq__, __hash__, __setattr__, __delattr__, __replace__,
)  # fmt: skip


class _NamedTupleType(type):
    """Makes the annotations of a class the fields of a tuple."""

    def __new__(cls, name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> Any:
        made: Any = super().__new__(cls, name, bases, {"__slots__": (), **namespace})
        if bases == (tuple,) or hasattr(bases[0], "_fields"):  # NamedTuple, or a class of a class
            return made
        fields = tuple(made.__annotations__)
        made._fields = fields
        setattr(made, "__match_args__", fields)  # noqa: B010
        made._field_defaults = {field: namespace[field] for field in fields if field in namespace}
        for index, field in enumerate(fields):
            setattr(made, field, _item(index, f"Alias for field number {index}"))
        return made


class NamedTuple(tuple, metaclass=_NamedTupleType):  # type: ignore[type-arg]
    """As `typing.NamedTuple`: the base of a class whose annotations are the fields of a tuple."""

    _fields: tuple[str, ...]
    _field_defaults: dict[str, Any]

    def __new__(cls, *values: Any, **named: Any) -> Any:
        return _constructor(cls)(cls, *values, **named)

    @classmethod
    def _make(cls, values: Any) -> Any:
        return cls(*values)

    def _replace(self, **changes: Any) -> Any:
        return type(self)(**{**self._asdict(), **changes})

    __replace__ = _replace

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({shown})"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)


def _constructor(cls: Any) -> Any:
    """Compile the function that makes a named tuple, and give it to the class with the fields. That
    takes as long as making the class, so it waits for the first tuple.
    """
    fields, defaults = cls._fields, cls._field_defaults
    listed = ", ".join(fields)
    made = eval(f"lambda _cls, {listed}: _new(_cls, ({listed},))", {"_new": tuple.__new__})
    made.__defaults__ = tuple(defaults[name] for name in fields if name in defaults)
    made.__name__, made.__qualname__ = "__new__", f"{cls.__name__}.__new__"
    owner = next(kind for kind in cls.__mro__ if "_fields" in vars(kind))
    owner.__new__ = staticmethod(made)
    return made
