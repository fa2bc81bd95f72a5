"""Watcher: reloads a context's files when they change."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from .._core import files
from .._forks import Forked, watch
from .._shown import shown

if TYPE_CHECKING:
    from typing_extensions import Self

_log = logging.getLogger("tlskit")


class Watcher(Forked):
    """Checks files periodically, and reloads a context when they change. Made by `ctx.watch`.

    It runs in one thread or task at a time, which the user starts and stops. A forked child does
    not inherit the thread. A check asks the system for each file's state, and reads a file only
    while its last change is recent.

    Attributes:
        interval: seconds between two checks.
        reloads: how often the context was reloaded.
        failures: how often a reload failed.
        last_error: the exception of the last attempt; None if it succeeded, or if there was none.
    """

    def __init__(
        self,
        paths: Sequence[str],
        reload: Callable[[], object],
        interval: float,
        on_reload: Callable[[], object] | None,
        on_error: Callable[[Exception], object] | None,
    ) -> None:
        if not paths:
            raise ValueError("watch needs a file: certfile, cafile or crl")
        if not interval >= 1.0:
            raise ValueError(f"interval must be at least 1 second, got {shown(interval)}")
        self.interval: float = interval
        self.reloads: int = 0
        self.failures: int = 0
        self.last_error: Exception | None = None
        self._paths = tuple(paths)
        self._reload, self._on_reload, self._on_error = reload, on_reload, on_error
        self._after_fork()
        self._seen = self._look()
        watch(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def check(self) -> bool:
        """Check the files now, and reload the context if they have changed. Returns whether it was
        reloaded. A failed reload does not raise: see `last_error`.
        """
        with self._lock:
            found = self._look()
            if found == self._seen and self.last_error is None:
                return False
            try:
                self._reload()
            except Exception as error:
                self._failed(error)
                return False
            self._seen, self.last_error = found, None
            self.reloads += 1
        if self._on_reload is not None:
            self._on_reload()
        return True

    def _look(self) -> dict[str, Any]:
        """Return the state of each file, and its content if the state might hide a change."""
        return {path: _state(path) for path in self._paths}

    def _failed(self, error: Exception) -> None:
        news = repr(error) != repr(self.last_error)
        self.failures += 1
        self.last_error = error
        if not news:
            return
        if self._on_error is not None:
            self._on_error(error)
        else:
            _log.error("a context could not be reloaded and keeps its settings: %s", error)

    # -- a thread ----------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start a daemon thread that checks the files until `stop()`. Returns the watcher.

        Raises:
            RuntimeError: the watcher is already running.
        """
        if self._thread is not None:
            raise RuntimeError("this watcher is already running")
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="tlskit-watch", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop the thread and wait for its end. Without a thread, do nothing."""
        thread, self._thread = self._thread, None
        self._stopping.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self.interval):
            self._guarded_check()

    def _guarded_check(self) -> None:
        try:
            self.check()
        except Exception:  # from a callback: later changes must not be missed because of it
            _log.exception("a callback of a watcher failed")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # -- a task ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Check the files until the task is cancelled: for asyncio, instead of the thread.

        Files are read in the loop's default executor.
        """
        while True:
            await asyncio.sleep(self.interval)
            await asyncio.get_running_loop().run_in_executor(None, self._guarded_check)


def _state(path: str) -> tuple[object, ...]:
    try:
        state, tells = files.look(path)
        if tells:
            return (state,)
        with files.opened(path) as content:
            return (state, sha256(content).digest())
    except OSError as error:  # it may be about to appear
        return (error.errno,)
