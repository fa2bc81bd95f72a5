"""Threads and child processes for the store contract."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

from .expectations import expect


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run functions in threads that start together. Returns their results, or raises the first
    exception.
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
    """Run `work` in a forked child. Returns its process id, and a pipe with one line per item that
    `work` returned.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # there may be threads that Python does not count
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
