"""Check that a wheel has the properties that a release promises, and fail otherwise.

    python tools/wheels/check.py dist/tlskit-*.whl

A wheel is small, and contains only the packages and the licence. Its one extension exports only its
init function, and contains no path of the machine that compiled it. On Linux it has no executable
stack, and full RELRO. It uses only Python's limited API, if the wheel's name says so.
"""

from __future__ import annotations

import argparse
import getpass
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MOST = 4 * 1000 * 1000  # bytes of the wheel
INIT = {"PyInit__native", "PyInit__direct", "_cffi_pypyinit__native"}
PATHS = rb"/(?:root|home|tmp|Users|build|work|github|host)/[\x21-\x7e]{4,}"


class Report:
    """The checks, and which of them failed."""

    def __init__(self) -> None:
        self.failed = False

    def say(self, what: str, good: bool, found: object = "") -> None:
        self.failed |= not good
        print(f"  {'ok ' if good else 'NOT'} {what}{': ' if str(found) else ''}{found}")


def elf(binary: Path, wheel: str, report: Report) -> None:
    """Check the data for the dynamic linker."""
    text = subprocess.run(
        [
            "readelf",
            "--wide",
            "--file-header",
            "--version-info",
            "--program-headers",
            "--dynamic",
            "--dyn-syms",
            str(binary),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    shown = re.findall(r" (?:GLOBAL|WEAK)\s+DEFAULT\s+(?!UND)\S+\s+(\S+)", text)
    report.say(
        "shows its init functions alone", bool(shown) and set(shown) <= INIT, " ".join(shown[:9])
    )
    asked = re.findall(r" UND\s+((?:tk|SSL|EVP|X509|OPENSSL|BIO|ERR)_\w+)", text)
    report.say("nothing of tlskit or OpenSSL missing", not asked, " ".join(asked[:9]))
    stack = re.search(r"GNU_STACK.*? (RWE?) ", text)
    report.say("stack not executable", stack is not None and stack.group(1) == "RW")
    report.say("full RELRO", "GNU_RELRO" in text and "BIND_NOW" in text)
    report.say("no text relocations", "TEXTREL" not in text)
    named = re.search(r"manylinux_(\d+)_(\d+)_(\w+)\.whl", wheel)
    if named:
        most = (int(named[1]), int(named[2]))
        wanted = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_(\d+\.\d+)", text)}
        newest = ".".join(map(str, max(wanted)))
        report.say(f"runs on glibc {named[1]}.{named[2]}", max(wanted) <= most, f"asks {newest}")
    machine = {"x86_64": "X86-64", "aarch64": "AArch64"}[
        re.sub(r".*linux_\d+_\d+_|\.whl", "", wheel)
    ]
    report.say("for the machine that it names", machine in text, machine)
    needed = re.findall(r"\(NEEDED\).*?\[(.*?)\]", text)
    system = re.compile(r"lib(c|m|dl|pthread|rt)\.so|libc\.so|ld-linux|libc\.musl")
    report.say("needs the C library alone", all(map(system.match, needed)), " ".join(needed))
    report.say("no search path of its own", "RPATH" not in text and "RUNPATH" not in text)


def paths_in(content: bytes) -> list[str]:
    """Return paths of the machine that compiled it."""
    here = re.escape(os.path.expanduser("~").encode()) + rb"/[\x21-\x7e]+"
    found = re.findall(PATHS, content) + (
        re.findall(here, content) if getpass.getuser() != "root" else []
    )
    return [path.decode() for path in found]


def content(wheel: zipfile.ZipFile, report: Report) -> list[str]:
    """Return the names of the wheel's extensions."""
    names = wheel.namelist()
    top = {name.partition("/")[0] for name in names}
    metadata = {name for name in top if name.endswith(".dist-info")}
    report.say(
        "packages alone", top - metadata == {"tlskit", "_tlsbind"}, " ".join(sorted(top - metadata))
    )
    sources = [name for name in names if "csrc" in name or "/decl/" in name]
    report.say("no sources of the build", not sources, " ".join(sources))
    report.say(
        "typed, with a licence", "tlskit/py.typed" in names and any("LICENSE" in n for n in names)
    )
    return [name for name in names if name.endswith((".so", ".pyd"))]


def audit_abi3(wheel: Path, report: Report) -> None:
    """Run abi3audit, which knows the names of each version's limited API."""
    command = [sys.executable, "-m", "abi3audit", "--strict", "--summary", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = " ".join((done.stdout + done.stderr).split())
    report.say("abi3audit", done.returncode == 0, said.rpartition(":")[2].strip())


def check(path: Path) -> bool:
    report = Report()
    size = path.stat().st_size
    print(path.name)
    report.say(f"at most {MOST / 1e6:g} MB", size <= MOST, f"{size / 1e6:.2f} MB")
    with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as folder:
        extensions = content(wheel, report)
        report.say("one extension", len(extensions) == 1, " ".join(extensions))
        for name in extensions:
            binary = Path(wheel.extract(name, folder))
            found = paths_in(binary.read_bytes())
            report.say("no paths of the machine that built it", not found, " ".join(found[:5]))
            if name.endswith(".so") and binary.read_bytes()[:4] == b"\x7fELF":
                elf(binary, path.name, report)
    if "-abi3-" in path.name:
        audit_abi3(path, report)
    return not report.failed


def main() -> int:
    parser = argparse.ArgumentParser(description="Check wheels of tlskit.")
    parser.add_argument("wheels", nargs="+", type=Path)
    good = [check(path) for path in parser.parse_args().wheels]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
