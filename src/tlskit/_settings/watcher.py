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

if TYPE_CHECKING:
    from typing_extensions import Self

_log = logging.getLogger("tlskit")


class Watcher(Forked):
    """Looks at files now and then, and reloads a context when they have changed. `ctx.watch` makes
    it.

    It holds for one thread or one task at a time, which its user starts and stops. A forked child
    does not inherit the thread. Between two looks it does nothing; a look asks the system for the
    state of each file, and reads files only while their last change is young.

    Attributes:
        interval: seconds between two looks.
        reloads: how often the context was reloaded.
        failures: how often that failed.
        last_error: what the last attempt raised; None when it succeeded, or there was none.
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
            raise ValueError(f"interval must be at least 1 second, got {interval!r}")
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
        """Look at the files now, reload the context if they have changed, and return whether it
        was reloaded. Never raises what a reload raises: see `last_error`.
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
        """The state of each file, and its content where the state does not tell of a change."""
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
            _log.error("a context was not reloaded and goes on as it was: %s", error)

    # -- a thread ----------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start a daemon thread that looks at the files until `stop()`. Returns the watcher.

        Raises:
            RuntimeError: it is running already.
        """
        if self._thread is not None:
            raise RuntimeError("this watcher is running already")
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="tlskit-watch", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop the thread, and wait until it has ended. Without a thread, nothing happens."""
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
        except Exception:  # of a callback: the next change must not go unseen for it
            _log.exception("a callback of a watcher failed")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # -- a task ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at the files until the task is cancelled: for asyncio, in place of the thread.

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
    except OSError as error:  # it may be on its way
        return (error.errno,)
