"""tools/leak.py in short: memory stays flat over many handshakes, and the tool notices when it does
not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cryptography")  # for the certificates of the program

TOOL = Path(__file__).resolve().parents[2] / "tools" / "leak.py"

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="the resident set is read from /proc"
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, TOOL, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )


def test_memory_stays_flat() -> None:
    done = run("1500")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the second half has grown by" in done.stdout


def test_memory_stays_flat_under_asyncio() -> None:
    done = run("360", "--aio")
    assert done.returncode == 0, done.stdout + done.stderr


def test_tool_notices_a_leak() -> None:
    done = run("300", "--keep")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the second half has grown by" in done.stdout


@pytest.mark.slow
def test_memory_stays_flat_while_contexts_are_reloaded() -> None:
    done = run("4000", "--reload", "400")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "connections have resumed" in done.stdout


@pytest.mark.slow
def test_tool_notices_states_that_are_kept() -> None:
    done = run("400", "--reload", "200", "--keep")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the second half has grown by" in done.stdout
