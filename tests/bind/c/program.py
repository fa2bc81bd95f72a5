"""Make the C test program, and run it: `python -m tests.bind.c.program [--valgrind | --sanitize
KIND] [GROUP...]`.

It is compiled with the helpers' own sources, the tables that build_ffi.py makes, and the OpenSSL
that build_ffi.py finds: so OPENSSL_DIR, CC and TLSKIT_CFLAGS work here too.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
VALGRIND = [
    "valgrind",
    "--quiet",
    "--leak-check=full",
    "--show-leak-kinds=definite,indirect,possible",
    "--error-exitcode=1",
]
SANITIZE = {
    "address": [
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        "-fno-omit-frame-pointer",
    ],
    "thread": ["-fsanitize=thread"],
}
FIXED_ADDRESSES = [
    "setarch",
    "-R",
]  # gcc's thread sanitizer gives up where the kernel moves things about too much


def build_ffi() -> ModuleType:
    """The project's build script, which only defines things when it is imported."""
    sys.path.insert(0, str(ROOT))
    try:
        import build_ffi
    finally:
        sys.path.remove(str(ROOT))
    return build_ffi


def make(folder: Path, flags: list[str]) -> Path:
    """Compile the program into `folder`; CalledProcessError when the compiler refuses."""
    build = build_ffi()
    openssl = build.find_openssl()
    tables, program = folder / "tables.c", folder / "tk_test"
    tables.write_text(build.tables(openssl.include), encoding="utf-8")
    sources = [*sorted(HERE.glob("*.c")), *sorted((ROOT / build.CSRC).glob("tk_*.c")), tables]
    subprocess.run(
        [
            *shlex.split(os.environ.get("CC", "cc")), *build.compile_args(), "-O1", "-g", *flags,
            f"-I{ROOT / build.CSRC}", f"-I{openssl.include}", f"-I{HERE}", *map(str, sources),
            "-o", str(program),
            *(f"-L{d}" for d in openssl.library_dirs),
            *(f"-l{name}" for name in openssl.libraries), *openssl.link_args, "-pthread",
        ],
        check=True,
    )  # fmt: skip
    return program


def can_run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bind.c.program", description="Make the C test program, and run it."
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--valgrind",
        action="store_true",
        help="run it under valgrind, and fail on any error or leak",
    )
    how.add_argument(
        "--sanitize",
        choices=SANITIZE,
        help="compile it with gcc's sanitizers of addresses (and behaviour), or of threads",
    )
    parser.add_argument(
        "groups",
        nargs="*",
        metavar="GROUP",
        help="blocks, objects, memory, sockets, tickets, seal; all when none is",
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            program = make(Path(folder), SANITIZE.get(chosen.sanitize, []))
        except subprocess.CalledProcessError as error:
            return error.returncode
        below = VALGRIND if chosen.valgrind else []
        if chosen.sanitize == "thread" and can_run(*FIXED_ADDRESSES, "true"):
            below = FIXED_ADDRESSES
        return subprocess.run([*below, str(program), *chosen.groups], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
