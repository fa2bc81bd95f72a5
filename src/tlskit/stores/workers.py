"""Threads and children that the contract of stores lets loose on one store."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

from .expectations import expect


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Let threads begin at once, and give what they return; an exception of one of them is
    raised.
    """
    barrier, results, errors = threading.Barrier(count), [None] * count, []

    def run(number: int) -> None:
        try:
            barrier.wait(30)
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
    expect(not any(thread.is_alive() for thread in threads), "a thread did not come to an end")
    return results


def forked(work: Callable[[], list[bytes]]) -> tuple[int, int]:
    """Run `work` in a child; its process id, and a pipe with a line for each thing that `work`
    returns.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # other threads may be there that Python does not count
        child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        lines = work()
    except BaseException as error:
        lines = [f"{type(error).__name__}: {error}".encode()]
    finally:
        try:
            os.write(writing, b"\n".join(lines))
        finally:
            os._exit(0)
