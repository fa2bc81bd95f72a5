"""Measure TLS under event loops, in turns: every way at the same work, wall and CPU time.

    python -m bench.eventloops [--quick] [--json FILE] [WORK ...]

For each piece of work, the ways are processes that measure in turns of a few hundredths of a
second, and a round gives each of them one turn. After some rounds, new processes take over. A ratio
is the median of the rounds' own ratios; its spread is half the distance between the quartiles of
those.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from .__main__ import ROOT, compile_limit, environment_of_children, make_certificates
from .loops import WORKS
from .report import number
from .turns import TurnError, Turns, Worker, middle

BASE, IN_C = "ssl@asyncio", "C@epoll"
WAYS = {
    BASE: "ssl",
    "tlskit@asyncio": "tlskit",
    "tlskit@asyncio+inject": "tlskit, injected",
    "tlskit@tlskit.aio": "tlskit.aio",
    "ssl@uvloop": "ssl, uvloop",
    "tlskit@uvloop": "tlskit, uvloop",
    "tlskit@tlskit.aio/uvloop": "tlskit.aio, uvloop",
    "ssl@aiofastnet": "ssl, aiofastnet",
    "tlskit@aiofastnet": "tlskit, aiofastnet",
    "tlskit@aiofastnet+inject": "tlskit, aiofastnet, injected",
    IN_C: "plain C, epoll",
}
TITLES = {
    "echo_64": "64-byte echo",
    "echo_16k": "16 KiB echo",
    "echo_256k": "256 KiB echo",
    "connect_echo_close": "connect, echo, close",
}
VERSIONS = {"TLSv1_3": "TLS 1.3", "TLSv1_2": "TLS 1.2"}
FULL, QUICK = (6, 7, 0.05), (1, 3, 0.03)  # processes, rounds of each, and seconds of a turn


def possible(limit: Path | None) -> list[str]:
    """Return the ways whose libraries are installed; `limit` is the C program, if there is one."""
    missing = {name for name in ("uvloop", "aiofastnet") if importlib.util.find_spec(name) is None}
    if limit is None or sys.platform != "linux":
        missing.add(IN_C)
    return [way for way in WAYS if not any(name in way for name in missing)]


def start(
    way: str, work: str, version: str, seconds: float, folder: str, limit: Path | None
) -> Worker:
    """Start the process of a way."""
    environment = environment_of_children()
    if way == IN_C:
        environment["TLSKIT_BENCH_VERSION"] = version.removeprefix("TLSv").replace("_", ".")
        return Worker([str(limit), work, str(seconds), "0", folder, "0"], environment, str(ROOT))
    rest = [way, work, str(seconds), folder, version]
    return Worker([sys.executable, "-m", "bench.loops", *rest], environment, str(ROOT))


def times(got: dict[str, Any]) -> dict[str, Any]:
    """Return a result of the C program, which says how often a second, like one of bench.loops."""
    if "value" not in got:
        return got
    wall = 1 / got["value"]
    return {"wall": wall, "cpu": wall * got["busy"], "openssl": got["openssl"]}


def run_one(
    work: str, version: str, plan: tuple[int, int, float], folder: str, limit: Path | None
) -> tuple[dict[str, Any], list[str], str]:
    """Run all rounds of one piece of work; return its row, what failed, and OpenSSL's version. A
    way that has failed has no place in the row.
    """
    processes, rounds, seconds = plan
    row: dict[str, Any] = {way: {"cpu": [], "wall": []} for way in possible(limit)}
    failed: dict[str, str] = {}
    openssl = ""

    turns = Turns(processes, rounds, 60 + 20 * seconds)
    for found in turns.results(
        list(row), lambda way: start(way, work, version, seconds, folder, limit)
    ):
        for way, got in found.items():
            if isinstance(got, TurnError):
                failed[way] = f"{work}, {way}: {got}"
            else:
                one = times(got)
                openssl = one["openssl"]
                row[way]["cpu"].append(one["cpu"])
                row[way]["wall"].append(one["wall"])
    return {way: row[way] for way in row if way not in failed}, list(failed.values()), openssl


def run(works: list[str], plan: tuple[int, int, float]) -> dict[str, Any]:
    """Run all rounds; return the seconds of an operation for each version, work and way."""
    python = sys.version.split()[0]
    results: dict[str, Any] = {"rows": {}, "failures": [], "notes": [], "python": python}
    with tempfile.TemporaryDirectory(prefix="tlskit-bench-") as name:
        make_certificates(Path(name))
        limit = compile_limit(Path(name), results["notes"])
        for version in VERSIONS:
            for work in works:
                row, failed, openssl = run_one(work, version, plan, name, limit)
                results["rows"].setdefault(version, {})[work] = row
                results["failures"] += failed
                results["openssl"] = openssl or results.get("openssl", "?")
    return results


def ratio(row: dict[str, Any], way: str, kind: str) -> tuple[float, float] | None:
    """Return how many times as fast as the base it is, and the spread of that."""
    if way not in row or BASE not in row:
        return None
    return middle([b / m for m, b in zip(row[way][kind], row[BASE][kind], strict=True)])


def table(results: dict[str, Any], version: str) -> list[str]:
    """Return the table of one version, CPU time before wall time."""
    rows = results["rows"].get(version, {})
    works = list(rows)
    heads = [
        f"{TITLES[work]} ({number(median(rows[work][BASE]['cpu']) * 1e6)} us)"
        if BASE in rows[work]
        else TITLES[work]
        for work in works
    ]
    lines = [f"| {VERSIONS[version]} | " + " | ".join(heads) + " |"]
    lines.append("| --- |" + " ---: |" * len(works))
    for way, name in WAYS.items():
        cells = []
        for work in works:
            cpu, wall = (ratio(rows[work], way, kind) for kind in ("cpu", "wall"))
            cells.append(f"{cpu[0]:.2f}x ±{cpu[1]:.2f} ({wall[0]:.2f}x)" if cpu and wall else "-")
        if any(cell != "-" for cell in cells):
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def caption(results: dict[str, Any]) -> str:
    """Return what the tables show."""
    return (
        f"Both ends in one process, Python {results['python']}, {results.get('openssl', '?')}. How "
        "many times as fast as the stdlib's ssl on asyncio, whose CPU time for an operation is in "
        "the heading: by CPU time, with half the distance between the quartiles of the rounds, and "
        "by wall time in brackets."
    )


def markdown(results: dict[str, Any]) -> str:
    """Return the tables, one for each version."""
    parts = []
    for version in VERSIONS:
        if results["rows"].get(version):
            parts += [*table(results, version), ""]
    failures = (f"FAILED: {failure}" for failure in dict.fromkeys(results["failures"]))
    return "\n".join([*parts, caption(results), *results.get("notes", ()), *failures])


def main(arguments: list[str] | None = None) -> int:
    """Run it. Return 1 if a measurement failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.eventloops", description=__doc__)
    parser.add_argument("works", nargs="*", choices=[[], *WORKS], default=[], metavar="WORK")
    parser.add_argument("--quick", action="store_true", help="no figures to quote")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--seconds", type=float, metavar="S")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    options = parser.parse_args(arguments)
    processes, rounds, seconds = QUICK if options.quick else FULL
    plan = (processes, options.rounds or rounds, options.seconds or seconds)
    results = run(options.works or list(WORKS), plan)
    print(markdown(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 1 if results["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
