"""Make an sdist in dist/, and build, install and import it in an empty environment.

    python tools/sdist_test.py

pip gets nothing but the file: what building needs, it takes from the package's own metadata. Where
something is missing that pip cannot get, the build has to name all of it in one sentence: a
compiler, Python's headers, OpenSSL's headers, each of them alone and all at once. Headers are
hidden by mounts that only that one process sees (unshare(1)); without such mounts, that part is
left out.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
PROOF = "import tlskit; print(tlskit.__file__, tlskit.OPENSSL_VERSION)"
NEEDS = ("a C compiler", "Python's headers", "OpenSSL's headers")
CASES = [(need,) for need in NEEDS] + [NEEDS]
SENTENCE = "tlskit: building needs"


def made(folder: Path) -> Path:
    """Return an sdist, built from a copy: nothing is left in the tree."""
    unwanted = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, folder / "tree", ignore=unwanted)
    subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=folder / "tree", check=True, stdout=-1
    )
    source = next(folder.glob("*.tar.gz"))
    (ROOT / "dist").mkdir(exist_ok=True)
    return Path(shutil.copy(source, ROOT / "dist"))


def headers(need: str) -> list[Path]:
    """Return the folders that contain them here."""
    if need == "Python's headers":
        found = [Path(sysconfig.get_path(name)) for name in ("include", "platinclude")]
    else:
        roots = ["/usr/include", "/usr/local/include"]
        multiarch = sysconfig.get_config_var("MULTIARCH")
        found = [Path(root, "openssl") for root in roots]
        found += [Path("/usr/include", multiarch, "openssl")] if multiarch else []
    return [path for path in dict.fromkeys(found) if path.is_dir()]


def hiding(folders: Iterable[Path]) -> list[str] | None:
    """Return a command prefix that hides these folders; None if they cannot be hidden."""
    script = "".join(f"mount -t tmpfs none {shlex.quote(str(path))} && " for path in folders)
    for way in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        command = [*way, "sh", "-c", f'{script}exec "$@"', "sh"]
        try:
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
        except OSError:
            continue
    return None


def environment(missing: Iterable[str]) -> dict[str, str]:
    unwanted = ("OPENSSL", "CC", "CFLAGS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**clean, "CC": "/no/such/compiler"} if "a C compiler" in missing else clean


def install(home: Path, source: Path, missing: Iterable[str] = ()) -> tuple[int, str] | None:
    """Return pip's exit status and output; None if the headers cannot be hidden."""
    before: list[str] | None = []
    hidden = [path for need in missing if "headers" in need for path in headers(need)]
    if hidden and (before := hiding(hidden)) is None:
        return None
    python = str(home / "bin" / "python")
    command = [
        *(before or []),
        python,
        "-m",
        "pip",
        "install",
        "--no-binary",
        "tlskit",
        str(source),
    ]
    done = subprocess.run(
        command, cwd=home, env=environment(missing), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def refused(home: Path, source: Path, missing: tuple[str, ...]) -> bool:
    """Return whether the build says in one sentence that exactly this is missing."""
    done = install(home, source, missing)
    if done is None:
        print(f"  not tried without {' and '.join(missing)}: unshare(1) gives no mounts here")
        return True
    status, said = done
    sentences = [line.strip() for line in said.splitlines() if SENTENCE in line]
    good = status != 0 and len(sentences) == 1
    good = good and all((need in sentences[0]) == (need in missing) for need in NEEDS)
    print(f"  {'ok ' if good else 'NOT'} without {', '.join(missing)}:", *sentences)
    if not good:
        print(said, file=sys.stderr)
    return good


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        source = made(Path(folder))
        print(f"{source.name}: {source.stat().st_size / 1e3:.0f} kB")
        home = Path(folder, "venv")
        venv.create(home, with_pip=True)
        good = [refused(home, source, missing) for missing in CASES]
        done = install(home, source)
        assert done is not None
        if done[0] != 0:
            print(done[1], file=sys.stderr)
            return 1
        subprocess.run([home / "bin" / "python", "-I", "-c", PROOF], check=True)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
