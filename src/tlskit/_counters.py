"""The common form of all statistics: numbers by name, as attributes and as a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ._lazy import LateName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")


class Counted(Mapping[str, int]):
    """A frozen dataclass of numbers that is also a mapping: `stats.hits`, `stats["hits"]`,
    `dict(stats)`.
    """

    __tlskit_fields__: Mapping[str, Any]

    def __getitem__(self, name: str) -> int:
        if name not in self.__tlskit_fields__:
            raise KeyError(name)
        number: int = getattr(self, name)
        return number

    def __iter__(self) -> Iterator[str]:
        return iter(self.__tlskit_fields__)

    def __len__(self) -> int:
        return len(self.__tlskit_fields__)


class Counters(Mapping[str, int]):
    """Counts by name, at one moment: `counters["resumed"]`, or `counters.resumed`.

    Known names exist from the start, with 0; any other name also counts as 0. So two of them are
    equal, and one equals a dictionary, if all counts other than 0 are equal; and one in which
    everything is 0 is false.
    """

    __slots__ = ("_counts",)

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = dict(counts)

    def __getitem__(self, name: str) -> int:
        return self._counts.get(name, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __contains__(self, name: object) -> bool:
        return name in self._counts

    def __getattr__(self, name: str) -> int:
        if name.startswith("_") or name not in self._counts:
            raise AttributeError(f"there is no counter {name!r}")
        return self._counts[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._counts})

    def __bool__(self) -> bool:
        return any(self._counts.values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._occurred() == {name: number for name, number in other.items() if number}

    __hash__ = None  # type: ignore[assignment]  # as all mappings that can be compared with a dict

    def __repr__(self) -> str:
        return f"Counters({self._occurred()})"

    def _occurred(self) -> dict[str, int]:
        return {name: number for name, number in self._counts.items() if number}


class NegotiatedCounters(Mapping[str, Counters]):
    """What a context has negotiated, counted: `counted.group["x25519"]`, or
    `counted["group"]["x25519"]`.
    """

    __slots__ = ("_kinds",)

    def __init__(self, kinds: Mapping[str, Mapping[str, int]]) -> None:
        self._kinds = {kind: Counters(counts) for kind, counts in kinds.items()}

    @property
    def group(self) -> Counters:
        """Key exchanges, by the group's name."""
        return self._kinds["group"]

    @property
    def signature(self) -> Counters:
        """Full handshakes, by the algorithm that the server signed with."""
        return self._kinds["signature"]

    def __getitem__(self, kind: str) -> Counters:
        return self._kinds[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __repr__(self) -> str:
        return f"NegotiatedCounters({self._kinds})"
