"""A program of somebody else's as a process that is talked to and listened to.

Nothing here sleeps. What a process has written is collected by a thread, and `expect` waits until
the wanted words are there, or the process has ended, or too much time has passed; then it fails,
and shows everything that was written.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

#: Seconds: only a test that fails waits as long. An emulated machine needs more.
PATIENCE = float(os.environ.get("TLSKIT_PATIENCE", "20"))


def bare(program: str) -> str:
    """Run a program in a Python that has imported nothing else, not even what measures coverage;
    return what it prints.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=True,
    ).stdout


TOOLS = Path(__file__).resolve().parents[2] / "tools"


def run_tool(name: str, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a program of tools/ to its end, over the tlskit that is tested."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, TOOLS / name, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        check=False,
    )


class Process:
    """A running program. Its output is both of its streams, in one text."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name or Path(command[0]).name
        self._written, self._ended, self._at = "", False, 0
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while True:
            heard = os.read(self._process.stdout.fileno(), 1 << 16)
            with self._news:
                self._written += heard.decode(
                    "latin-1"
                )  # a character for each byte, whatever it is
                self._ended = not heard
                self._news.notify_all()
            if not heard:
                return

    @property
    def output(self) -> str:
        """All that it has written so far."""
        with self._news:
            return self._written

    def expect(self, pattern: str, patience: float = PATIENCE) -> re.Match[str]:
        """Wait until what it writes matches `pattern`, a regular expression in which ^ and $ are
        ends of lines.

        Each call goes on where the one before has found something, so the second of two connections
        is not mistaken for the first.
        """
        wanted = re.compile(pattern, re.MULTILINE)
        deadline = monotonic() + patience
        with self._news:
            while not (found := wanted.search(self._written, self._at)):
                left = deadline - monotonic()
                if self._ended or left <= 0:
                    why = "ended" if self._ended else f"has run for {patience:g} seconds more"
                    before, after = self._written[: self._at], self._written[self._at :]
                    raise AssertionError(
                        f"{self.name} {why} without {pattern!r}; it wrote:\n{after}\nand "
                        f"before:\n{before}"
                    )
                self._news.wait(left)
            self._at = found.end()
            return found

    def say(self, data: bytes) -> None:
        """Type this."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(
                f"{self.name} has ended, and cannot be told {data[:80]!r}; it wrote:\n{self.output}"
            ) from None

    def end(self, patience: float = PATIENCE) -> int:
        """Wait until it has ended of its own accord; its exit status. `output` is complete then."""
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} has not ended; it wrote:\n{self.output}") from None
        self._listening.join(patience)
        assert not self._listening.is_alive(), f"{self.name} has ended, but its output has not"
        return status

    def kill(self) -> None:
        """End it at once, so that it says no farewell to its peer."""
        self._process.kill()
        self.end()

    def stop(self, gently: signal.Signals = signal.SIGTERM) -> None:
        """End it, whatever it does; it is gone afterwards."""
        with contextlib.suppress(OSError):  # what was typed last may have nobody to read it
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.send_signal(gently)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listening.join(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
