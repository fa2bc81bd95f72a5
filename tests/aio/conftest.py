"""Every test of asyncio runs with asyncio's own event loop and with uvloop's, each with its own
transport and with tlskit's.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tlskit import aio

from ..support.system import selector_loop

PATIENCE = 20.0  # seconds: only a test that fails waits as long


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sys.version_info < (
        3,
        11,
    ):  # asyncio's old transports complain when the peer was the first to close
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(
                    pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
                )


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


needs_uvloop = pytest.mark.skipif(
    importlib.util.find_spec("uvloop") is None, reason="there is no uvloop for this Python"
)
LOOPS = [
    pytest.param(selector_loop, id="asyncio"),
    pytest.param(_uvloop, id="uvloop", marks=needs_uvloop),
]


class Runner:
    """Runs coroutines in a loop that is closed afterwards.

    What the loop would have logged (exceptions that nobody awaited, protocols that raised) fails
    the test, unless it is taken out of `complaints` before the end.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.complaints: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: self.complaints.append(context))

    def __call__(self, main: Coroutine[Any, Any, Any]) -> Any:
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(asyncio.wait_for(main, PATIENCE))

    def close(self) -> None:
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left, timeout=PATIENCE))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        with contextlib.suppress(
            asyncio.TimeoutError
        ):  # of a test that has failed, threads may be left
            self.loop.run_until_complete(
                asyncio.wait_for(self.loop.shutdown_default_executor(), PATIENCE)
            )
        asyncio.set_event_loop(None)
        self.loop.close()


@pytest.fixture(params=["memory", "own"])
def installed(request: pytest.FixtureRequest) -> Any:
    """Whether the loops use tlskit's transport, or go through memory as they do by themselves."""
    if request.param == "memory":
        yield False
        return
    with aio.install():
        yield True


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest, installed: bool) -> Any:
    """Run a coroutine to its end, with either loop and either transport; return its result."""
    runner = Runner(request.param())
    yield runner
    runner.close()
    assert runner.complaints == []
