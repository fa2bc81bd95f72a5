"""Processes that measure in turns.

Each one prepares its work, then measures once for each line on its stdin, and prints the result as
a line of JSON. All of them are started before the first turn, and only one works at a time, for a
few hundredths of a second: whatever slows the machine down for longer than that slows all of them,
and the ratios of one round stay right.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from statistics import median, quantiles
from typing import Any, NamedTuple, TypeVar

Item = TypeVar("Item")


class TurnError(Exception):
    """A process did not measure; the text is the last line that it printed on stderr."""


class Worker:
    """One of the processes."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: str) -> None:
        self.command = command
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):  # it may have ended
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]
        self._process.stderr.close()  # type: ignore[union-attr]

    def measure(self, timeout: float) -> dict[str, Any]:
        """Give it a turn, and return its result.

        Raises:
            TurnError: it failed, or it had no result after `timeout` seconds.
        """
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        late = threading.Timer(timeout, self._process.kill)
        late.start()
        try:
            with contextlib.suppress(OSError):  # then it has said why
                stdin.write("\n")
                stdin.flush()
            line = stdout.readline()
            if line:
                found: dict[str, Any] = json.loads(line)
                return found
            said = stderr.read().strip().splitlines()
        except ValueError:
            raise TurnError(f"{shlex.join(self.command)} printed {line!r}") from None
        finally:
            late.cancel()
        raise TurnError(said[-1] if said else f"no result after {timeout:.0f} seconds")

    def turn(self, timeout: float) -> dict[str, Any] | TurnError:
        """Give it a turn; return its result, or the reason why there is none."""
        try:
            return self.measure(timeout)
        except TurnError as error:
            return error


def answer(measure: Callable[[], dict[str, Any]]) -> None:
    """Be one of the processes: measure once for each line on stdin, until it ends."""
    while sys.stdin.readline():
        print(json.dumps(measure()), flush=True)


class Turns(NamedTuple):
    """How often to measure: a process has its own luck with the addresses of its memory, so there
    are several of each, one after the other.
    """

    processes: int
    rounds: int  # of each process
    timeout: float  # seconds of a turn, at most

    def results(
        self, ways: list[str], start: Callable[[str], Worker]
    ) -> Iterator[dict[str, dict[str, Any] | TurnError]]:
        """Yield the results of each round, or the reason why there is none; `start` returns the
        process of a way.
        """
        for _ in range(self.processes):
            with contextlib.ExitStack() as started:
                workers = {way: started.enter_context(start(way)) for way in ways}
                failed: dict[str, TurnError] = {}
                for way, worker in workers.items():  # the first turn prepares, and does not count
                    got = worker.turn(self.timeout)
                    if isinstance(got, TurnError):
                        failed[way] = got
                for order in rotated(ways, self.rounds):
                    found = {
                        way: failed.get(way) or workers[way].turn(self.timeout) for way in order
                    }
                    failed |= {way: got for way, got in found.items() if isinstance(got, TurnError)}
                    yield found


def rotated(ways: list[Item], rounds: int) -> Iterator[list[Item]]:
    """Yield the order of each round, so that no way always follows the same one."""
    for number in range(rounds):
        start = number % len(ways)
        yield ways[start:] + ways[:start]


def middle(ratios: list[float]) -> tuple[float, float]:
    """Return the median, and half the distance between the quartiles."""
    if len(ratios) < 2:
        return median(ratios), 0.0
    first, _, third = quantiles(ratios, n=4, method="inclusive")
    return median(ratios), (third - first) / 2


def gain(mine: list[float], base: list[float]) -> float:
    """Return the median of the rounds' ratios of two rates."""
    return median(m / b for m, b in zip(mine, base, strict=True))
