"""Make an sdist in dist/, and build, install and import it in an empty environment.

    python tools/sdist_test.py

pip gets nothing but the file: what building needs, it takes from the package's own metadata. Then
the build is run with no compiler to be found, and has to say so in one sentence.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
PROOF = "import tlskit; print(tlskit.__file__, tlskit.OPENSSL_VERSION)"


def made(folder: Path) -> Path:
    """An sdist, from a copy: nothing is left in the tree."""
    unwanted = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, folder / "tree", ignore=unwanted)
    subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=folder / "tree", check=True, stdout=-1
    )
    source = next(folder.glob("*.tar.gz"))
    (ROOT / "dist").mkdir(exist_ok=True)
    return Path(shutil.copy(source, ROOT / "dist"))


def install(home: Path, source: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [home / "bin" / "python", "-m", "pip", "install", "--no-binary", "tlskit", source]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENSSL", "CC", "CFLAGS"))}
    return subprocess.run(
        command, cwd=home, env={**clean, **environment}, capture_output=True, text=True, check=False
    )


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        source = made(Path(folder))
        print(f"{source.name}: {source.stat().st_size / 1e3:.0f} kB")
        home = Path(folder, "venv")
        venv.create(home, with_pip=True)
        refused = install(home, source, CC="/no/such/compiler")
        said = [line.strip() for line in refused.stdout.splitlines() + refused.stderr.splitlines()]
        sentence = [line for line in said if line.startswith("tlskit: building needs")]
        print("without a compiler:", *sentence)
        if refused.returncode == 0 or len(sentence) != 1:
            print(refused.stderr, file=sys.stderr)
            return 1
        done = install(home, source)
        if done.returncode != 0:
            print(done.stdout + done.stderr, file=sys.stderr)
            return 1
        subprocess.run([home / "bin" / "python", "-I", "-c", PROOF], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
