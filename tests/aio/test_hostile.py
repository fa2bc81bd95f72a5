"""tools/hostile.py in short: a server survives its peers, and the tool notices when it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "hostile.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/statm").exists(), reason="the resident set is read from /proc"
    ),
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, TOOL, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )


def test_a_server_survives_hostile_peers() -> None:
    done = run("136")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "honest clients were served" in done.stdout


def test_the_tool_notices_what_is_left() -> None:
    done = run("34", "--keep")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "descriptors are left" in done.stdout
