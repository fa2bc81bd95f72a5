"""tools/hostile.py in short: a server survives its peers, and the tool notices when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.processes import run_tool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/statm").exists(), reason="the resident set is read from /proc"
    ),
]


def test_a_server_survives_hostile_peers() -> None:
    done = run_tool("hostile.py", "136")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "honest clients were served" in done.stdout


def test_the_tool_notices_what_is_left() -> None:
    # a peer that waits for the end of its connection waits in vain: no longer than it has to
    done = run_tool("hostile.py", "34", "--keep", "--patience", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "descriptors are left" in done.stdout
