"""tools/leak.py in short: memory stays flat over many handshakes, and the tool notices when it does
not.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..support.processes import run_tool

if "TRUSTME_PYTHON" not in os.environ:
    pytest.importorskip("cryptography")  # for the certificates of the program

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="the resident set is read from /proc"
)


@pytest.fixture(autouse=True)
def freed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """AddressSanitizer would keep the last 256 MiB that were freed, to see who still uses them."""
    given = os.environ.get("ASAN_OPTIONS")
    if given is not None:
        at_once = "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
        monkeypatch.setenv("ASAN_OPTIONS", f"{given}:{at_once}")


def test_memory_stays_flat() -> None:
    done = run_tool("leak.py", "1500", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the second half has grown by" in done.stdout


def test_memory_stays_flat_under_asyncio() -> None:
    done = run_tool("leak.py", "360", "--aio", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_tool_notices_a_leak() -> None:
    done = run_tool("leak.py", "300", "--keep", timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the second half has grown by" in done.stdout


@pytest.mark.slow
def test_memory_stays_flat_while_contexts_are_reloaded() -> None:
    done = run_tool("leak.py", "4000", "--reload", "400", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "connections have resumed" in done.stdout


@pytest.mark.slow
def test_tool_notices_states_that_are_kept() -> None:
    done = run_tool("leak.py", "400", "--reload", "200", "--keep", timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the second half has grown by" in done.stdout
