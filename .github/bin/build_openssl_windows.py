"""Build OpenSSL with MSVC: python build_openssl_windows.py SERIES DIR.

As build_openssl.sh, for a Windows machine: static libraries with headers in DIR, from the tarball
that tools/sources.txt pins. Needs Visual Studio, Perl (not Git's) and NASM on the PATH.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
EDIT = Path(__file__).parent / "edit_openssl.pl"
PREFIX = r"C:\Program Files\Common Files\tlskit"  # only an administrator writes there
TOOLS = [r"C:\Strawberry\perl\bin", r"C:\Program Files\NASM"]  # before Git's perl
FIND = r"C:\Program Files (x86)\Microsoft Visual Studio\Installer\vswhere.exe"


def pinned(series: str) -> tuple[str, str]:
    """The URL of the tarball, and its SHA-256."""
    for line in (TOP / "tools" / "sources.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"openssl-{series} "):
            _name, _version, digest, _debian, url = line.split()
            return url, digest
    raise SystemExit(f"tools/sources.txt has no version of the series {series}")


def fetch(series: str, into: Path) -> Path:
    url, digest = pinned(series)
    path = into / "openssl.tar.gz"
    with urllib.request.urlopen(url, timeout=120) as answer, path.open("wb") as file:
        shutil.copyfileobj(answer, file)
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise SystemExit(f"{url} has another SHA-256 than the one that is pinned")
    return path


def msvc() -> dict[str, str]:
    """The environment that Visual Studio's own script sets up."""
    command = [FIND, "-latest", "-products", "*", "-property", "installationPath"]
    home = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    script = rf'"{home}\VC\Auxiliary\Build\vcvars64.bat" >nul && set'
    said = subprocess.run(script, shell=True, capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    path = next(name for name in found if name.upper() == "PATH")
    return {**found, "PATH": os.pathsep.join([*TOOLS, found[path]])}


def options() -> list[str]:
    text = (Path(__file__).parent / "openssl-options.txt").read_text(encoding="utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def main() -> None:
    series, target = sys.argv[1], Path(sys.argv[2]).resolve()
    stamp = target / ".built"
    wanted = " ".join([*pinned(series), *options(), EDIT.read_text(encoding="utf-8")])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    environment = {**os.environ, **msvc()}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with tarfile.open(fetch(series, work)) as archive:
            archive.extractall(work)
        source = next(path for path in work.iterdir() if path.is_dir())
        perl = shutil.which("perl", path=environment["PATH"]) or "perl"
        subprocess.run([perl, str(EDIT), str(source)], check=True)
        configure = [perl, "Configure", "VC-WIN64A", *options(), "no-engine"]
        configure += [f"--prefix={PREFIX}", f"--openssldir={PREFIX}"]
        staged = work / "staged"
        for command in (
            configure,
            ["nmake", "build_libs"],
            ["nmake", "install_dev", f"DESTDIR={staged}"],
        ):
            program = shutil.which(command[0], path=environment["PATH"]) or command[0]
            subprocess.run([program, *command[1:]], cwd=source, env=environment, check=True)
        made = next(staged.rglob("include")).parent
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
    stamp.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
