"""Compile the extension with another compiler, for a machine that is not this one.

    OPENSSL_DIR=... python tools/platforms/compile.py OUT --cc 'aarch64-linux-gnu-gcc' \\
        --include PYTHONS_HEADERS [--windows IMPORT_LIBRARY]

setuptools compiles for the Python that it runs in. This takes the sources and the flags from
build_ffi.py, compiles them, and writes OUT/_native.abi3.so or, for Windows, OUT/_native.pyd.
OPENSSL_DIR
names a static OpenSSL for the target.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["OPENSSL_STATIC"] = "1"

import build_ffi  # noqa: E402  (found by the line above)

WINDOWS = ["ws2_32", "crypt32", "advapi32", "user32", "gdi32"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile tlskit's extension for another machine.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--cc", required=True, help="the compiler, with its first arguments")
    parser.add_argument("--include", action="append", default=[], help="a folder of headers")
    parser.add_argument("--windows", metavar="LIBRARY", help="python3's import library")
    parser.add_argument("--objects", action="store_true", help="compile, and do not link")
    parser.add_argument("--link", default="", help="arguments for the linker in place of Linux's")
    chosen = parser.parse_args()

    out: Path = chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    openssl = build_ffi.from_prefix(Path(os.environ["OPENSSL_DIR"]))
    source = out / "_native.c"
    build_ffi.make_ffi().emit_c_code(str(source))
    cc, includes = shlex.split(chosen.cc), [build_ffi.CSRC, openssl.include, *chosen.include]
    flags = ["-O2", "-DNDEBUG", "-DPy_LIMITED_API=0x030a0000", *(f"-I{i}" for i in includes)]
    if chosen.windows:  # its code is always position-independent, and shows what it is told to
        hidden = ("-fvisibility=hidden", "-pthread")
        flags += [f for f in build_ffi.compile_args() if f not in hidden] + [
            "-D_WIN32_WINNT=0x0602"
        ]
        made, last = "_native.pyd", [chosen.windows, *(f"-l{name}" for name in WINDOWS)]
        last += ["-static-libgcc"]
    else:
        flags += ["-fPIC", *build_ffi.compile_args()]
        made = "_native.abi3.so"
        last = shlex.split(chosen.link) or build_ffi.link_args()

    def compiled(path: Path) -> Path:
        target = out / path.with_suffix(".o").name
        subprocess.run([*cc, *flags, "-c", str(path), "-o", str(target)], check=True, cwd=ROOT)
        return target

    sources = [source, *sorted((ROOT / build_ffi.CSRC).glob("tk_*.c")), *build_ffi.direct_sources()]
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, sources))
    if chosen.objects:
        print(f"{len(objects)} files are compiled")
        return 0
    archives = [link for link in openssl.link_args if link.endswith(".a")]
    libraries = [] if chosen.windows else [a for a in openssl.link_args if not a.endswith(".a")]
    command = [*cc, "-shared", "-o", str(out / made), *map(str, objects), *archives, *libraries]
    subprocess.run([*command, *last], check=True, cwd=ROOT)
    print(out / made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
