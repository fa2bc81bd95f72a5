"""Guard: a circuit breaker between handshakes and a store, so that nothing the store does can fail
a handshake.

The caches call a store only through a Guard. It catches every exception of the store except those
that end a program or a task (KeyboardInterrupt, SystemExit, a cancellation). A return value of the
wrong type counts as nothing found.

A store is skipped for a while after three bad calls in a row, or after bad calls that took a second
in total; a call is bad when it fails or takes longer than `patience`. While the store is skipped,
handshakes do not wait for it. Then one call is let through as a probe. If it succeeds, the store is
in use again; if not, the next pause is twice as long, up to a minute. A guard cannot end a call
that hangs: stores time out by themselves (see SessionStore), and the guard limits how often a
handshake waits for that. If the probe itself hangs, the next one follows after a minute.

An event loop's thread does not wait for a store that may block. A helper thread makes the call
(helper.py); if it does not return in time, it counts as bad, and the handshake is a full one.

A store may itself connect to its server with TLS, under a context that uses the store. Such a
connection does not call the store again, and makes a full handshake.

The logger `tlskit` gets the first failure, and no other until the store has recovered, but at least
a minute passes between two messages. The messages do not depend on keys or values.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any, NamedTuple

from .._counters import Counted
from .._forks import Forked, watch
from .helper import Helper, in_event_loop
from .memory import MemoryStore
from .store import SessionStore, UnreadableEntry, unreadable

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:
    from .._frozen import dataclass, replace


_IN_A_ROW, _LOST = 3, 1.0  # bad calls, and seconds they took, before the store is skipped
_SHORTEST, _LONGEST = 1.0, 60.0  # seconds that it is skipped for
_UNTIL_WELL = math.inf
_QUIET = 60.0  # seconds between a recovery and the next message


class Answer(NamedTuple):
    """The result of a store call.

    Attributes:
        value: what was found, or None.
        trouble: a sentence that says why the store did not answer; None if it did.
        bad: whether the store's answer was unusable: of the wrong type, or an entry that the store
            could not open.
    """

    value: Any
    trouble: str | None = None
    bad: bool = False

    def __repr__(self) -> str:
        return f"<Answer: {self.trouble or ('nothing' if self.value is None else 'a value')}>"


@dataclass(frozen=True)
class GuardStats(Counted):
    """A guard's counters of its store.

    Attributes:
        calls: calls that were made.
        failures: calls that raised an exception.
        slow: calls that returned, but took longer than the patience.
        skipped: calls that were not made because the store was being skipped.
        bad_entries: values of the wrong type, and entries that a sealed store could not open.
    """

    calls: int = 0
    failures: int = 0
    slow: int = 0
    skipped: int = 0
    bad_entries: int = 0


class Guard:
    """Call a store, whatever state it is in. Any thread may use it; no method raises an Exception.

    Args:
        store: the store to call. All guards of one store share what they know of its health.
        patience: how many seconds a call may take before it counts as bad.

    Attributes:
        loop_patience: how many seconds the thread of an event loop waits for a store that may
            block; None, until a context sets it, means without limit.
    """

    __slots__ = ("_health", "_now", "_patience", "_seen", "loop_patience", "store")

    store: SessionStore

    def __init__(
        self,
        store: SessionStore,
        *,
        patience: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self._patience, self._now = store, patience, clock
        self.loop_patience: float | None = None
        self._health = _health_of(store, clock)
        self._seen = {"calls": 0, "failures": 0, "slow": 0, "skipped": 0, "bad_entries": 0}

    # -- what the caches ask -----------------------------------------------------------------------

    def take(self, key: bytes) -> Answer:
        """`SessionStore.take`."""
        return self._value("take", key)

    def get(self, key: bytes) -> Answer:
        """`SessionStore.get`."""
        return self._value("get", key)

    def put(self, key: bytes, value: Any, seconds: float, *, most: int = 1) -> bool:
        """`SessionStore.put`; returns whether the store was called and did not fail."""
        return (
            self._ask("put", lambda: self.store.put(key, value, seconds, most=most)).trouble is None
        )

    def remove(self, key: bytes, value: Any = None) -> bool:
        """`SessionStore.remove`; False also when the store did not answer."""
        return self._ask("remove", lambda: self.store.remove(key, value)).value is True

    def purge(self) -> int:
        """`SessionStore.purge`; 0 also when the store did not answer."""
        count = self._ask("purge", lambda: self.store.purge()).value
        return count if isinstance(count, int) else 0

    @property
    def resting(self) -> bool:
        """Whether the store is being skipped now."""
        return self._health.resting

    def stats(self) -> GuardStats:
        """Return the current counters."""
        return GuardStats(**self._health.copied(self._seen))

    def __repr__(self) -> str:
        resting = ", not asked for a while" if self.resting else ""
        return f"<Guard of {_name(self.store)}{resting}>"

    # -- how ---------------------------------------------------------------------------------------

    def _value(self, what: str, key: bytes) -> Answer:
        def call() -> Any:
            unreadable.met = False
            value = getattr(self.store, what)(key)
            if value is None and unreadable.met:
                raise UnreadableEntry
            return value

        answer = self._ask(what, call)
        if answer.value is None:
            return answer
        if type(answer.value) is bytes or self._in_process():
            return answer
        self._health.count(self._seen, "bad_entries")
        _dispose(answer.value)
        return Answer(
            None, f"the store gave a {type(answer.value).__name__} where bytes were expected", True
        )

    def _ask(self, what: str, call: Callable[[], Any]) -> Answer:
        begin, health, me = self._now(), self._health, get_ident()
        if me in health.inside:
            health.count(self._seen, "skipped")
            return Answer(
                None,
                (
                    f"{_name(self.store)} is already being asked, and this connection is part of "
                    f"that call"
                ),
            )
        if not health.admits(begin, self._seen):
            return Answer(
                None, f"{_name(self.store)} does not answer, and is not asked for a while"
            )
        value, error, opened = None, None, True
        health.inside.add(me)
        try:
            value = self._bounded(call)
        except UnreadableEntry:
            opened = False
        except Exception as raised:
            error = raised
        except (
            BaseException
        ):  # the task is being cancelled, or the program ends: not the store's fault
            health.withdraw()
            raise
        finally:
            health.inside.discard(me)
        took = self._now() - begin
        slow = error is None and took > self._patience
        if health.note(
            took, "failures" if error is not None else "slow" if slow else None, self._seen
        ):
            happened = (
                f"took {took:.1f} seconds"
                if error is None
                else f"raised {_said(error, self.store)}"
            )
            if slow or error is not None:
                _log().warning(
                    "The session store %s %s in %s(): until it recovers, handshakes are full.",
                    _name(self.store),
                    happened,
                    what,
                )
            else:
                _log().info("The session store %s has recovered.", _name(self.store))
        if not opened:
            health.count(self._seen, "bad_entries")
            return Answer(None, "the store held an entry that could not be opened", True)
        return (
            Answer(value)
            if error is None
            else Answer(None, f"{_name(self.store)} raised {type(error).__name__}")
        )

    def _bounded(self, call: Callable[[], Any]) -> Any:
        """Make the call; an event loop's thread waits at most `loop_patience` for it."""
        if self.loop_patience is None or self._in_process() or not in_event_loop():
            return call()
        return self._health.helper().ask(call, self.loop_patience)

    def _in_process(self) -> bool:
        return _attribute(self.store, "in_process") is True


class MemoryGuard(Guard):
    """A Guard of a MemoryStore, which takes no time and fails only when it is closed. It only
    counts, and concurrent calls may be missed.
    """

    __slots__ = ("_made",)

    def __init__(self, store: SessionStore) -> None:
        super().__init__(store)
        self._made = 0

    def take(self, key: bytes) -> Answer:
        self._made += 1
        try:
            return Answer(self.store.take(key))
        except ValueError as error:
            return Answer(None, str(error))

    def get(self, key: bytes) -> Answer:
        self._made += 1
        try:
            return Answer(self.store.get(key))
        except ValueError as error:
            return Answer(None, str(error))

    def put(self, key: bytes, value: Any, seconds: float, *, most: int = 1) -> bool:
        self._made += 1
        try:
            self.store.put(key, value, seconds, most=most)
        except ValueError:
            return False
        return True

    def stats(self) -> GuardStats:
        seen = super().stats()
        return replace(seen, calls=seen.calls + self._made)


def guarded(store: SessionStore) -> Guard:
    """Return the right kind of guard for this store."""
    return MemoryGuard(store) if type(store) is MemoryStore else Guard(store)


class _Health(Forked):
    """A store's health, and which calls are let through. Its lock is held for a few lines at a
    time, and never during a store call.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._now = clock
        self._quiet_until = 0.0  # infinite: a failure was logged, and the store has not recovered
        self._after_fork()
        watch(self)

    def _after_fork(self) -> None:
        # A finaliser or a signal handler may interrupt, with a connection of its own.
        self._lock = RLock()
        self._bad, self._lost = 0, 0.0  # bad calls in a row, and what they took
        self._rest, self._resting_until = 0.0, 0.0
        # When the probe counts as lost, and another may be made; 0: no probe is under way.
        self._probe_lost_at = 0.0
        self.inside: set[int] = set()  # threads that are in a call
        self._helper: Helper | None = None  # a forked child does not have its parent's thread

    def helper(self) -> Helper:
        """Return the thread that makes calls on behalf of an event loop's thread."""
        with self._lock:
            if self._helper is None or self._helper.is_busy:
                self._helper = Helper()
            return self._helper

    @property
    def resting(self) -> bool:
        return self._now() < self._resting_until

    def count(self, seen: dict[str, int], name: str) -> None:
        with self._lock:
            seen[name] += 1

    def copied(self, seen: dict[str, int]) -> dict[str, int]:
        with self._lock:
            return dict(seen)

    def admits(self, now: float, seen: dict[str, int]) -> bool:
        """Whether a call may be made: none during a pause, one probe after it, all when the store
        is healthy.
        """
        with self._lock:
            if self._rest and now < max(self._resting_until, self._probe_lost_at):
                seen["skipped"] += 1
                return False
            self._probe_lost_at = now + _LONGEST if self._rest else 0.0
            seen["calls"] += 1
            return True

    def withdraw(self) -> None:
        """Forget an admitted call that ended without a verdict."""
        with self._lock:
            self._probe_lost_at = 0.0

    def note(self, took: float, bad: str | None, seen: dict[str, int]) -> bool:
        """Record the outcome of a call. Returns whether it deserves a log message: the first bad
        call, or a recovery.
        """
        with self._lock:
            probed, self._probe_lost_at = self._probe_lost_at > 0, 0.0
            if bad is None:
                recovered = self._bad > 0 and self._quiet_until == _UNTIL_WELL
                self._bad, self._lost, self._rest = 0, 0.0, 0.0
                if recovered:
                    self._quiet_until = self._now() + _QUIET
                return recovered
            seen[bad] += 1
            self._bad, self._lost = self._bad + 1, self._lost + took
            if probed or self._bad >= _IN_A_ROW or self._lost >= _LOST:
                self._rest = min(max(_SHORTEST, 2 * self._rest if probed else self._rest), _LONGEST)
                self._resting_until = self._now() + self._rest
            news = self._now() >= self._quiet_until
            if news:
                self._quiet_until = _UNTIL_WELL
            return news


_known: weakref.WeakKeyDictionary[object, _Health] = weakref.WeakKeyDictionary()


def _health_of(store: object, clock: Callable[[], float]) -> _Health:
    """Return the health that all guards of a store share; a new one for an unhashable store, or for
    a guard with its own clock.
    """
    if clock is not time.monotonic:
        return _Health(clock)
    try:
        return _known.get(store) or _known.setdefault(
            store, _Health(clock)
        )  # no lock: a child may be forked in between
    except Exception:
        return _Health(clock)


def _attribute(store: object, name: str) -> object:
    try:
        return getattr(store, name, None)
    except Exception:
        return None


def _name(store: object) -> str:
    return type(store).__name__


def _said(error: Exception, store: object) -> str:
    """The exception for the log: its words only if the store has never seen a secret."""
    kind = type(error).__name__
    if _attribute(store, "sealed") is not True and not isinstance(error, OSError):
        return kind
    try:
        words = " ".join(str(error).split())[:200]
    except Exception:
        return kind
    return f"{kind} ({words})" if words else kind


def _dispose(value: object) -> None:
    """Close a coroutine, which would otherwise warn that it was never awaited."""
    close = _attribute(value, "close") if hasattr(value, "__await__") else None
    if callable(close):
        try:
            close()
        except Exception:
            return


def _log() -> Any:
    import logging  # not at the top: most programs never have anything logged here

    return logging.getLogger("tlskit")
