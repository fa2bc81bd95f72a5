"""The transport's own tests, with asyncio's loop and with uvloop's."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import LOOPS, Runner


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Any:
    """Run a coroutine to its end, with either loop, and return its result."""
    runner = Runner(request.param())
    yield runner
    runner.close()
    assert runner.complaints == []
