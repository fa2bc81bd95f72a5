"""The fixtures work on a platform without `cryptography`, with the stand-in for trustme."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys

sys.modules["cryptography"] = sys.modules["trustme"] = None
import tests.support.elsewhere
import tests.conftest
import tests.core.conftest
import tests.core.test_context
import tests.core.test_trust
import tests.sessions.conftest
import tests.tickets.conftest
import trustme

assert trustme is tests.support.elsewhere.stand_in
"""


def test_the_fixtures_need_no_cryptography():
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
