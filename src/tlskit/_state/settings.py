"""The settings of a context, the state in force, and the way to the next state.

How it works. Connections are made from a *state*, which never changes once a connection uses it.
Until then, a setting changes the state in place: contexts are configured before they are used, and
that costs nothing. After that, a change creates another state from the same settings and the new
one, and puts it in force by setting one attribute. A new connection uses the state that is in force
at that moment, as a whole.

One lock is held while a setting is made, and while a state is used for the first time. No handshake
and no connection ever takes it, so a setter only waits for other setters, and a callback in the
middle of a handshake may set anything, even in its own context. The lock is recursive, because a
finaliser or a signal handler may interrupt a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock, get_ident

from .._core.trust import TrustStore
from .._core.unpickled import Unpickled
from .._forks import Forked, watch
from .._resumption.tally import OUTCOMES, Tally
from .caches import Caches
from .failure_reasons import FAILURES
from .state import State
from .table import DEFAULTS, TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Settings(Unpickled, Forked):
    """The settings of one context. Safe from any thread.

    Args:
        role: "any", "client" or "server".
        values: the values that differ from the defaults of the table.

    Attributes:
        role: the argument.
        tally: counts the outcomes of the context's sessions.
        failures: counts why its handshakes failed.
        frozen: whether settings are refused.
    """

    __slots__ = (
        "__weakref__",
        "_draft",
        "_drafter",
        "_lock",
        "_state",
        "failures",
        "frozen",
        "role",
        "tally",
    )

    def __init__(self, role: str, values: dict[str, Any]) -> None:
        settings = {**DEFAULTS, **values}
        self.role: str = role
        self.tally: Tally = Tally(OUTCOMES)
        self.failures: Tally = Tally(FAILURES)
        self.frozen: bool = False
        self._state = State(role, settings, Caches(role, self.tally, settings["sessions"]))
        self._draft: State | None = None
        self._drafter = 0
        self._lock = RLock()
        watch(self)

    def _after_fork(self) -> None:
        """Reset the lock: a thread that no longer exists may have held it, in the middle of a
        change.
        """
        self._lock = RLock()
        if self._drafter != get_ident():
            self._draft, self._drafter = None, 0
        if self._state.changing:
            self._state = self._state.next()

    # -- queries -----------------------------------------------------------------------------------

    @property
    def now(self) -> State:
        """The state in force; during a change, the thread that makes it gets the next state."""
        draft = self._draft
        return draft if draft is not None and self._drafter == get_ident() else self._state

    def __getitem__(self, name: str) -> Any:
        return self.now.settings[name]

    def use(self) -> State:
        """Return the state in force for a connection; from then on the state never changes."""
        state = self._state
        if state.used:
            trust = state.directory_trust
            if trust is None or trust.current() is trust:
                return state
        return self._use()

    def _use(self) -> State:
        with self._lock:
            state = self._state
            if state.changing:  # this thread is in the middle of a change
                state = state.next()
            trust: TrustStore = state.settings["trust"]
            now = trust.current()
            if now is not trust:  # what was removed from a directory is no longer trusted
                state = self._state = state.next() if state.used else state
                state.apply("trust", now)
            if not state.used:
                state.prepare()
            return state

    @contextmanager
    def built(self) -> Iterator[State]:
        """Yield the state in force with its SSL_CTX, and let nobody change it meanwhile: for
        queries.
        """
        with self._lock:
            state = self.now
            state.build()
            yield state

    # -- changing ----------------------------------------------------------------------------------

    def change(self, **values: Any) -> None:
        """Set these values: all of them, or none if one is refused.

        Raises:
            RuntimeError: the settings are frozen.
        """
        with self._lock:
            self.refuse_if_frozen()
            state = self.now
            can_fail = sum(TABLE[name].can_fail for name in values)
            in_place = state is self._draft or not (state.used or state.changing or can_fail > 1)
            if in_place:
                for name in sorted(values, key=lambda name: not TABLE[name].can_fail):
                    state.apply(name, values[name])
            else:
                with self.together():
                    self.change(**values)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Put all settings that this thread makes in the block in force together at its end, or
        none of them if it raises.
        """
        with self._lock:
            self.refuse_if_frozen()
            if self._draft is not None:  # part of a larger change
                yield
                return
            _ = self.trust.identity  # settled: from now on it is copied, not loaded into
            draft = self._draft = self._state.next()
            self._drafter = get_ident()
            try:
                yield
                if self._state.is_built:
                    draft.build()
            except BaseException:
                self._state.undo()
                raise
            finally:
                self._draft, self._drafter = None, 0
            self._state = draft

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from setting anything meanwhile: for code that reads first, and then sets.

        Raises:
            RuntimeError: the settings are frozen.
        """
        with self._lock:
            self.refuse_if_frozen()
            yield

    def change_sessions(self, **values: Any) -> None:
        """Set these values of the session settings."""
        with self._lock:
            self.change(sessions=self["sessions"].changed(self.role, **values))

    @property
    def trust(self) -> TrustStore:
        """The certificates that the context trusts."""
        store: TrustStore = self["trust"]
        return store

    @trust.setter
    def trust(self, store: TrustStore) -> None:
        self.change(trust=store)

    def freeze(self) -> None:
        """Refuse all changes from now on."""
        with self._lock:
            self.frozen = True

    def refuse_if_frozen(self) -> None:
        """Raise RuntimeError if the settings are frozen."""
        if self.frozen:
            raise RuntimeError(
                "this context is frozen: its settings cannot be changed; change a copy of it "
                "(ctx.copy()) instead"
            )
