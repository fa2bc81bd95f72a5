"""`make test-stdlib`: that Python's own tests run with tlskit in the place of ssl, and that it
shows where they do not pass.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ..support.pypy import PYPY

PATH = Path(__file__).parents[2] / "tools" / "stdlib_tests.py"
#: A package `test` whose tests pass with the stdlib, and come to every other end with tlskit.
FAKE = """
import os, ssl, threading, unittest

ours = "tlskit" in ssl.SSLContext.__module__

class Tests(unittest.TestCase):
    def test_a_fails(self):
        self.assertFalse(ours)

    def test_b_crashes(self):
        if ours:
            os.abort()

    def test_c_fails_in_part(self):
        for part in range(3):
            with self.subTest(part=part):
                self.assertFalse(ours and part == 1)

    def test_d_hangs(self):
        if ours:
            threading.Event().wait()

    def test_e_is_skipped(self):
        if ours:
            self.skipTest("not with tlskit")

    def test_f_passes(self):
        print("what a test prints is no news")

    def test_g_fails_everywhere(self):
        self.fail()

class Prepared(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        assert not ours

    def test_is_never_reached(self):
        pass
"""


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("stdlib_tests", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where its dataclass looks for annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fake(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name, text in {
        "__init__": "",
        "support": "",
        "test_fake": FAKE,
        "test_broken": "import ssl.nowhere",
    }.items():
        file = tmp_path / "test" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    environment = tool.environment()
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    monkeypatch.setattr(tool, "environment", lambda: environment)
    monkeypatch.setattr(tool, "SILENCE", 20 if PYPY else 3)
    return tool


@pytest.mark.parametrize("way", ["replace", "inject"])
def test_python_s_own_tests(tool: ModuleType, way: str) -> None:
    if importlib.util.find_spec("test.test_ssl") is None:
        pytest.skip("this Python comes without its tests")
    some = "SSLErrorTests|MemoryBIOTests|ContextTests.test_(options|constructor)"
    command = [sys.executable, str(PATH), "--way", way, "--match", some, "test_ssl"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=tool.environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    passed, _, total, *_ = done.stdout.splitlines()[-1].removeprefix(f"{way}: ").split()
    assert int(passed) == int(total) > 8


@pytest.mark.parametrize("way", ["replace", "inject"])
def test_everything_but_passing_is_told(
    fake: ModuleType, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    results = {which: fake.run("test_fake", which, "") for which in (fake.STDLIB, way)}
    numbers, failed = fake.report("test_fake", results)
    said = capsys.readouterr().out
    assert (numbers["counted"], numbers[way], failed) == (7, 1, [way])
    for expected in (
        "a_fails: failed",
        "b_crashes: crashed",
        "c_fails_in_part: failed",
        "d_hangs: hung",
        "e_is_skipped: skipped",
    ):
        assert expected in said
    assert "not run: test.test_fake.Prepared.test_is_never_reached" in said
    assert "f_passes" not in said
    assert "g_fails_everywhere" not in said
    assert 'test_fake.py", line' in said.partition("d_hangs: hung")[2]  # where it hung


def test_what_cannot_be_imported_is_a_problem(
    fake: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fake.run("test_broken", "replace", "")
    numbers, failed = fake.report(
        "test_broken",
        {fake.STDLIB: fake.Result({"test.test_broken.T.test": "passed"}), "replace": found},
    )
    assert (numbers["replace"], failed) == (0, ["replace"])
    assert "nowhere" in capsys.readouterr().out


def test_what_is_excluded_does_not_count(tool: ModuleType) -> None:
    excluded = dict.fromkeys((f"test.{name}" for name in tool.EXCLUDED), "passed")
    assert len(excluded) <= 13
    expected = tool.Result(
        {
            **excluded,
            "test.test_ssl.T.test_counts": "passed",
            "test.test_ssl.T.test_skipped": "skipped",
        }
    )
    assert tool.counted(expected) == ["test.test_ssl.T.test_counts"]
    assert tool.missed(expected, tool.Result()) == {"test.test_ssl.T.test_counts": "not run"}


def test_without_python_s_tests_one_sentence_says_so(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "test.py").write_text("")  # hides the package
    environment = tool.environment()
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, str(PATH)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "without the package `test`" in done.stderr
