"""Measure everything, and write the pages and the chart: `make bench`, in about half an hour.

    python -m bench.everything FOLDER [--wheel PYTHON] [--free PYTHON] [PART ...]

FOLDER gets the results of each part. A part that fails is named at the end; the others are written.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from . import pages
from .__main__ import ROOT


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the arguments of Python for each part."""

    def file(name: str) -> str:
        return str(options.folder / name)

    wheel = ["--wheel", str(options.wheel)] if options.wheel else []
    free = ["--free", str(options.free)] if options.free else []
    return {
        "work": ["bench", "--json", file("work.json"), *wheel],
        "loops": ["bench.eventloops", "--json", file("loops.json")],
        "resumption": ["bench.resumption", "--json", file("resumption.json")],
        "threads": ["bench.scale", "threads", "--markdown", file("threads.md"), *free],
        "idle": ["bench.scale", "idle", "--markdown", file("idle.md")],
        "stores": ["bench.scale", "stores", "--markdown", file("stores.md")],
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the parts. Return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.everything", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART", help="work, loops, ...; all if omitted")
    parser.add_argument("--wheel", type=Path, metavar="PYTHON", help="with a wheel of tlskit")
    parser.add_argument("--free", type=Path, metavar="PYTHON", help="free-threaded, with tlskit")
    options = parser.parse_intermixed_args(arguments)  # parts may follow the options
    options.folder = options.folder.absolute()
    options.folder.mkdir(parents=True, exist_ok=True)
    known = commands(options)
    if unknown := set(options.parts) - set(known):
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(known)}")
    failed = []
    for part in options.parts or known:
        print(f"\n== {part}", flush=True)
        if subprocess.run([sys.executable, "-m", *known[part]], cwd=ROOT, check=False).returncode:
            failed.append(part)
    pages.main([str(options.folder)])
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
