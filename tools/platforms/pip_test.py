"""Install tlskit with pip and run its tests, without make.

    python tools/platforms/pip_test.py

Mainly for Windows. OPENSSL_DIR names the OpenSSL to build with. Further arguments are pytest's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder, "venv"), Path(folder, "work")
        venv.create(home, with_pip=True)
        python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-q", "--upgrade", "pip>=25.1"], check=True)
        subprocess.run([*pip, "install", "-q", "--group", "test"], check=True, cwd=ROOT)
        subprocess.run([*pip, "install", "-v", "."], check=True, cwd=ROOT)
        unwanted = shutil.ignore_patterns("__pycache__")
        for name in ("tests", "tools", "docs", "bench"):
            shutil.copytree(ROOT / name, work / name, ignore=unwanted)
        for path in [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]:
            shutil.copy(path, work)
        subprocess.run([python, "-m", "tests.support.smoke"], check=True, cwd=work)
        chosen = sys.argv[1:] or ["tests/core", "tests/sessions", "tests/tickets", "tests/stdlib"]
        command = [python, "-m", "pytest", "-q", "-m", "not slow and not conformance", *chosen]
        return subprocess.run(command, cwd=work, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
