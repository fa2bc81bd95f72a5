"""Happy eyeballs: attempts start one after another; the first to succeed wins (RFC 8305)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    won: set[asyncio.Future[_Won]] = set()
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
                    running |= done - {one}
                    won.add(one)
                    return one.result()
        return None
    finally:
        await _settled(running, won)


async def _settled(running: set[asyncio.Future[_Won]], won: set[asyncio.Future[_Won]]) -> None:
    """Cancel the other attempts and wait until they have ended. If this is cancelled meanwhile,
    nobody gets the winner.
    """
    for one in running:
        one.cancel()
        one.add_done_callback(_close)
    if running:
        try:
            await asyncio.wait(running)
        except BaseException:
            for one in won:
                _close(one)
            raise


def _close(one: asyncio.Future[_Won]) -> None:
    """Close a result that is no longer needed."""
    if not one.cancelled() and one.exception() is None:
        close = getattr(one.result(), "close", None)
        if close is not None:
            close()
