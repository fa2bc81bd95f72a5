"""Fuzz what reads a peer's bytes, or bytes that others keep: `python -m tests.fuzz [--seconds N]
[TARGET...]`.

In C with libFuzzer and clang's sanitizers, what a peer sends (native.py); in Python with atheris,
our own parsers (parsers.py). Says how many inputs each target was given, and ends with 1 when one
of them failed; the inputs that did are in `fuzz-found/`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from . import native, parsers


def fuzz_native(folder: Path, targets: list[str], seconds: int, found: Path) -> list[str]:
    harness = native.make(folder)
    native.seed(harness, folder / "native")
    failed = []
    for target in targets:
        status, tried = native.run(harness, folder / "native", target, seconds, found)
        print(f"{target:12} in C       {tried:>9} inputs{'' if status == 0 else '  FAILED'}")
        failed += [target] if status else []
    return failed


def fuzz_parsers(folder: Path, targets: list[str], seconds: int, found: Path) -> list[str]:
    seeds, failed = parsers.seeds(folder), []
    for target in targets:
        corpus = folder / "parsers" / target
        corpus.mkdir(parents=True)
        for number, data in enumerate(seeds[target]):
            (corpus / str(number)).write_bytes(data)
        done = subprocess.run(
            [
                sys.executable, "-m", "tests.fuzz.worker", target, str(corpus),
                f"-max_total_time={seconds}", "-timeout=20", "-print_final_stats=1",
                f"-artifact_prefix={found}/{target}-",
            ],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        tried = re.findall(r"(?:units:\s*|Done )(\d+)", done.stderr)
        print(
            f"{target:12} in Python  {tried[-1] if tried else '0':>9} inputs"
            f"{'' if done.returncode == 0 else '  FAILED'}"
        )
        if done.returncode != 0:
            print((done.stdout + done.stderr)[-6000:])
            failed.append(target)
    return failed


def main() -> int:
    known = [*native.TARGETS, *parsers.TARGETS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Fuzz what reads bytes of others."
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default: 60")
    parser.add_argument("targets", nargs="*", choices=[*known, []], help="default: all")
    chosen = parser.parse_args()
    targets = chosen.targets or known
    found = Path("fuzz-found")
    found.mkdir(exist_ok=True)
    in_c = [target for target in targets if target in native.TARGETS]
    in_python = [target for target in targets if target in parsers.TARGETS]
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        if in_c and not native.available():
            print("the targets in C are left out: clang with libFuzzer is not on this machine")
        elif in_c:
            failed += fuzz_native(Path(folder), in_c, chosen.seconds, found)
        if in_python and importlib.util.find_spec("atheris") is None:
            print("the targets in Python need atheris, which is not installed: left out")
        elif in_python:
            failed += fuzz_parsers(Path(folder), in_python, chosen.seconds, found)
    if not any(found.iterdir()):
        found.rmdir()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
