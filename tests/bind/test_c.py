"""The C helpers without Python: see c/tk_test.c."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .c import program

COMPILER = shlex.split(os.environ.get("CC", "cc"))[0]

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="is written for POSIX"),
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason="needs a C compiler"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program.make(tmp_path_factory.mktemp("c"), [])


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


@pytest.mark.parametrize(
    "group", ["blocks", "objects", "memory", "sockets", "tickets", "seal", "states", "chains"]
)
def test_passes(made, group):
    assert run(str(made), group).startswith(f"ok {group}\ndone, with OpenSSL")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
def test_leaks_nothing_and_reads_nothing_that_is_not_there(made):
    assert "done, with OpenSSL" in run(*program.VALGRIND, str(made))
