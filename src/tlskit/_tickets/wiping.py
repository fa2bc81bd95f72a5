"""Wiping: a thread that wipes ticket keys when they have ended, also where nobody connects.

A handshake brings the keys of its ring up to date, and wipes those that have ended. On a server
that idles none comes by. So one thread for all rings of the process sleeps until the next key ends.
It begins with the first ring, ends when there is none any more, and begins again in a forked child.
"""

from __future__ import annotations

import contextlib
import os
import threading
from weakref import WeakSet

from .._core.tickets import Ring

_LONGEST = 3600.0  # seconds; a clock may be set meanwhile


class Wiper:
    """The thread, and the rings that it looks after. Any thread may use it."""

    def __init__(self) -> None:
        self._begin([])

    def _begin(self, rings: list[Ring]) -> None:
        self._changed = threading.Condition()
        self._rings = WeakSet(rings)
        self._thread: threading.Thread | None = None

    def watch(self, ring: Ring) -> None:
        """Look after a ring while it lives."""
        with self._changed:
            self._rings.add(ring)
            self._changed.notify()
            self._start()

    def look(self) -> None:
        """Look at all rings now: what they hold, or their clock, has changed."""
        with self._changed:
            self._changed.notify()

    def after_fork(self) -> None:
        """Begin again in a child, which has none of its parent's threads."""
        self._begin(rings := list(self._rings))
        if rings:
            with self._changed:
                self._start()

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="tlskit ticket keys", daemon=True)
            with contextlib.suppress(RuntimeError):  # no threads here, or not any more
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        with self._changed:
            while rings := list(self._rings):
                seconds = min(ring.wipe_ended() for ring in rings)
                del rings  # or they would live for as long as this sleeps
                self._changed.wait(min(seconds, _LONGEST))
            self._thread = None


wiper = Wiper()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=wiper.after_fork)
