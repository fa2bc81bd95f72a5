"""Counts each outcome of resumption on the connections of one context."""

from __future__ import annotations

from collections.abc import Iterable
from threading import RLock

from .._counters import Counters
from .._forks import Forked, watch
from .reasons import Reason, Resumed, Resumption

#: The outcomes of resumption, and what is counted beside them.
OUTCOMES = (
    "resumed", *(reason.name.lower() for reason in Reason),
    "stored", "withheld", "bad_entry", "ticket_reused", "peer_dropped",
)  # fmt: skip


class Tally(Forked):
    """Counts events by name. Safe from any thread, and from a signal handler or a finaliser that
    interrupts it.

    Args:
        known: names that exist from the start.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._counts: dict[str, int] = dict.fromkeys(known, 0)
        self._after_fork()
        watch(self)

    def _after_fork(self) -> None:
        self._lock = RLock()

    def add(self, outcome: Resumption) -> None:
        name = type(outcome).__name__ if isinstance(outcome, Resumed) else outcome.reason.name
        self.count(name.lower())

    def count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + by

    def snapshot(self) -> Counters:
        """Return all counters, as they are now."""
        with self._lock:
            return Counters(self._counts)
