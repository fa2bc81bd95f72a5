"""Happy eyeballs: attempts start one after another; the first to succeed wins (RFC 8305)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

_Won = TypeVar("_Won")


async def staggered(
    attempts: Sequence[Callable[[], Awaitable[_Won]]], delay: float | None
) -> _Won | None:
    """Return the result of the first successful attempt; None if all fail with an OSError.

    Args:
        attempts: functions that start an attempt each; the next starts when one has failed.
        delay: seconds after which the next attempt starts in parallel; None for never.

    However this ends, no attempt is left running, and results that arrive too late are closed.
    """
    if delay is None:
        for attempt in attempts:
            with contextlib.suppress(OSError):
                return await attempt()
        return None
    running: set[asyncio.Future[_Won]] = set()
    todo = list(attempts)
    try:
        while todo or running:
            if todo:
                running.add(asyncio.ensure_future(todo.pop(0)()))
            done, _ = await asyncio.wait(
                running, timeout=delay if todo else None,
                return_when=asyncio.FIRST_COMPLETED,
            )  # fmt: skip
            for one in done:
                running.discard(one)
                if not isinstance(one.exception(), OSError):
                    _close(done - {one})
                    return one.result()
        return None
    finally:
        for one in running:
            one.cancel()
        await _settled(running)


async def _settled(running: set[asyncio.Future[_Won]]) -> None:
    """Wait until the cancelled attempts have ended, even if this is cancelled meanwhile."""
    if running:
        ended = asyncio.gather(*running, return_exceptions=True)
        try:
            await asyncio.shield(ended)
        finally:
            _close({one for one in running if one.done()})


def _close(futures: set[asyncio.Future[_Won]]) -> None:
    """Close results that are no longer needed."""
    for one in futures:
        if not one.cancelled() and one.exception() is None:
            close = getattr(one.result(), "close", None)
            if close is not None:
                close()
