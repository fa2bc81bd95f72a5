"""The C harness: compiled with clang's libFuzzer and sanitizers, a process for each target."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..bind.c import program

HERE = Path(__file__).resolve().parent / "c"
TARGETS = (
    "hello", "reply", "session", "certificate", "transport", "ticket_data", "sealed", "key_files",
    "response",
)  # fmt: skip
# A child of a small process: Linux hands the peak of a process's memory on to what it starts, and
# libFuzzer would take that of the tests for its own.
APART = ["sh", "-c", '"$@"; exit $?', "sh"]
FLAGS = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]


def available() -> bool:
    """Whether clang is here, with libFuzzer, which may be in a package of its own."""
    if shutil.which("clang") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        linked = subprocess.run(
            ["clang", *FLAGS, "-x", "c", "-", "-o", str(Path(folder, "fuzz"))],
            input=b"int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n; }",
            stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    return linked.returncode == 0


def make(folder: Path) -> Path:
    """Compile the harness into `folder`; CalledProcessError when the compiler refuses."""
    build = program.build_ffi()
    openssl = build.find_openssl()
    tables, harness = folder / "tables.c", folder / "fuzz"
    tables.write_text(build.tables(openssl.include), encoding="utf-8")
    csrc = program.ROOT / build.CSRC
    sources = [*HERE.glob("*.c"), *program.HERE.glob("*.c"), *csrc.glob("tk_*.c"), tables]
    warnings = [flag for flag in build.compile_args() if flag != "-Werror"]
    subprocess.run(
        [
            "clang", *warnings, *FLAGS, "-Dmain=tk_test_main",
            f"-I{csrc}", f"-I{openssl.include}", f"-I{program.HERE}", *map(str, sources),
            "-o", str(harness), *(f"-L{d}" for d in openssl.library_dirs),
            *(f"-l{name}" for name in openssl.libraries), *openssl.link_args, "-pthread",
        ],
        check=True,
    )  # fmt: skip
    return harness


def seed(harness: Path, folder: Path) -> None:
    """Let the harness write a first corpus, made of real handshakes."""
    for target in TARGETS:
        (folder / target).mkdir(parents=True)
    subprocess.run([str(harness)], env={**os.environ, "FUZZ_SEEDS": str(folder)}, check=True)


def run(harness: Path, corpus: Path, target: str, seconds: int, found: Path) -> tuple[int, int]:
    """Fuzz one target; the exit status, and how many inputs were tried."""
    done = subprocess.run(
        [
            *APART, str(harness), str(corpus / target), f"-max_total_time={seconds}",
            "-max_len=8192", "-timeout=20", "-print_final_stats=1",
            f"-artifact_prefix={found}/{target}-",
        ],
        env={**os.environ, "FUZZ_TARGET": target},
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    if done.returncode != 0:
        print(done.stderr[-6000:])
    return done.returncode, int(tried[1]) if tried else 0
