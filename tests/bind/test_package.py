"""What the packages hold: the sdist all that building and testing needs, the wheel only what
running needs.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in an sdist, made from a copy so that nothing is left in the tree."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("sdist")
    unwanted = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "*.so")
    shutil.copytree(ROOT, folder / "tree", ignore=unwanted)
    shutil.copytree(ROOT / ".github", folder / "tree" / ".github")
    script = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=folder / "tree",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        return [name.partition("/")[2] for name in archive.getnames()]


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE", "README.md", "pyproject.toml", "setup.py", "build_ffi.py", "Makefile",
        "src/_tlsbind/_native.pyi", "src/_tlsbind/decl/constants.py", "src/tlskit/py.typed",
        "src/tlskit/_core/native.py", "tests/conftest.py", "tests/support/pki.py",
        "tests/bind/c/tk_test.c", "tools/stub.py", ".github/workflows/ci.yml",
        ".github/bin/build_openssl.sh",
    ],
)  # fmt: skip
def test_sdist_has(sdist, name):
    assert name in sdist


@pytest.mark.parametrize("room", ["csrc", "direct"])
def test_sdist_has_all_of_the_c(sdist, room):
    folder = ROOT / "src" / "_tlsbind" / room
    assert {f"src/_tlsbind/{room}/{path.name}" for path in folder.iterdir()} <= set(sdist)


def test_sdist_has_nothing_compiled(sdist):
    assert [name for name in sdist if name.endswith((".so", ".o", ".pyc"))] == []


def test_wheel_has_what_running_needs_and_no_more():
    try:
        found = importlib.metadata.files("tlskit") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("tlskit is not installed, but runs from its source tree")
    files = [str(path) for path in found if "__pycache__" not in path.parts]
    if not any(name.startswith("tlskit/") for name in files):
        pytest.skip("tlskit is installed in place")
    assert {"tlskit/py.typed", "_tlsbind/_native.pyi", "tlskit/_core/native.py"} <= set(files)
    assert [
        name for name in files if "csrc" in name or "decl" in name or name.startswith("tests")
    ] == []
    top = {name.split("/")[0] for name in files if not name.startswith("..")}
    assert {name for name in top if not name.endswith(".dist-info")} == {"tlskit", "_tlsbind"}
