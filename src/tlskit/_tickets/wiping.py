"""Wiping: a thread that wipes ticket keys when they retire, even if no client connects.

A handshake brings its ring's keys up to date and wipes the retired ones, but an idle server makes
no handshakes. So one thread for all rings of the process sleeps until the next key retires. It
starts with the first ring, ends with the last one, and starts again in a forked child.
"""

from __future__ import annotations

import contextlib
import threading
from weakref import WeakSet

from .._core.tickets import Ring
from .._forks import Forked, watch

_LONGEST = 3600.0  # seconds; the clock may be changed meanwhile


class Wiper(Forked):
    """The thread and its rings. Any thread may use it."""

    def __init__(self) -> None:
        self._begin([])
        watch(self)

    def _begin(self, rings: list[Ring]) -> None:
        self._changed = threading.Condition()
        self._rings = WeakSet(rings)
        self._thread: threading.Thread | None = None

    def watch(self, ring: Ring) -> None:
        """Wipe a ring's retired keys for as long as the ring lives."""
        with self._changed:
            self._rings.add(ring)
            self._changed.notify()
            self._start()

    def look(self) -> None:
        """Check all rings now, because their keys or their clock have changed."""
        with self._changed:
            self._changed.notify()

    def _after_fork(self) -> None:
        self._begin(rings := list(self._rings))
        if rings:
            with self._changed:
                self._start()

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="tlskit ticket keys", daemon=True)
            with contextlib.suppress(RuntimeError):  # no threads on this platform, or not any more
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        with self._changed:
            while rings := list(self._rings):
                seconds = min(ring.wipe_ended() for ring in rings)
                del rings  # otherwise they would live for as long as this sleeps
                self._changed.wait(min(seconds, _LONGEST))
            self._thread = None


wiper = Wiper()
