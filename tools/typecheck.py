"""Check types with pyright: the library, the typing program, that every public type is known, and
that the types of the stdlib's names can replace typeshed's (typeshed.py).

    python tools/typecheck.py

It checks the installed package, as a user's editor would. The exit status is 1 if anything is
missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    here = Path(sys.executable).parent
    environment = {**os.environ, "PATH": os.pathsep.join([str(here), os.environ["PATH"]])}
    program = str(here / "pyright")
    checked = [program, "--pythonpath", sys.executable, "tests/typing"]
    failed = subprocess.run(checked, cwd=ROOT, env=environment, check=False).returncode
    complete = [program, "--verifytypes", "tlskit", "--ignoreexternal"]
    with tempfile.TemporaryDirectory() as folder:  # outside the tree: not its sources
        done = subprocess.run(
            complete, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    lines = done.stdout.splitlines()
    print(*(line for line in lines if "error:" in line or "completeness" in line), sep="\n")
    compared = [sys.executable, str(ROOT / "tools" / "typeshed.py")]
    failed |= subprocess.run(compared, check=False, env=environment).returncode
    return 1 if failed or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
