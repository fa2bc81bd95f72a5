"""Tally: how often each outcome of resumption came about, on the connections of one context."""

from __future__ import annotations

from collections import Counter
from threading import RLock

from .._forks import Forked, watch
from .reasons import Resumed, Resumption


class Tally(Forked):
    """How often each of these happened. Safe from any thread, and from a signal handler or a
    finaliser in its middle.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._after_fork()
        watch(self)

    def _after_fork(self) -> None:
        self._lock = RLock()

    def add(self, outcome: Resumption) -> None:
        name = type(outcome).__name__ if isinstance(outcome, Resumed) else outcome.reason.name
        self.count(name.lower())

    def count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by

    def snapshot(self) -> Counter[str]:
        with self._lock:
            return Counter(self._counts)
