"""Write the results of a run into the README, the documentation and the chart, between markers:
nothing there is written by hand.

    python -m bench.pages FOLDER     FOLDER has what `python -m bench.everything` has measured
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from . import eventloops
from .__main__ import ROOT
from .catalog import CATALOG, LIMIT, OURS, PYOPENSSL, STDLIB, WHEEL
from .chart import Bar, draw
from .report import cost_unit, number, short_version, times
from .turns import gain
from .work import MEASURES

PAGES = tuple(ROOT / name for name in ("README.md", "docs/asyncio.md", "docs/performance.md"))
CHART = ROOT / "bench" / "chart.svg"
BEGIN, END = "<!-- bench: {} -->", "<!-- bench: end -->"
NAMES = {LIMIT: "plain C", PYOPENSSL: "pyOpenSSL", WHEEL: "the wheel"}


def work(folder: Path) -> str:
    """Return the table of all rows, and what it shows."""
    results = read(folder / "work.json")
    others = [column for column in NAMES if column in results["openssl"]]
    lines = [
        "| | ssl | tlskit | by CPU | by wall | "
        + " | ".join(NAMES[column] for column in others)
        + " |",
        "| --- |" + " ---: |" * (4 + len(others)),
    ]
    for row in results["work"]:
        by_cpu, by_wall = row["cpu"].get(OURS, {}), row["wall"].get(OURS, {})
        if not by_cpu.get("gain"):
            continue
        rest = (times(row["cpu"].get(column, {}).get("gain")) for column in others)
        cells = (cost(row, STDLIB), cost(row, OURS), spread(by_cpu), spread(by_wall), *rest)
        lines.append(f"| {row['title']} | " + " | ".join(cells) + " |")
    said = "; ".join(
        f"{NAMES.get(column, column)}: {short_version(version)}"
        for column, version in results["openssl"].items()
    )
    return "\n".join([
        *lines, "",
        "The first two columns are CPU time for an operation (of both ends, where both are in one "
        "process), MB for a second of CPU time, or what the unit says. The others are how many "
        "times as good as the stdlib's `ssl`: more is better everywhere. A ratio is the median of "
        "the rounds' ratios, and ± half the distance between their quartiles. Plain C and tlskit "
        "run on the stdlib's OpenSSL; pyOpenSSL and the wheel of tlskit as they are installed, "
        "with theirs. "
        f"{said}. Python {results['python'].split()[0]}, {results['processors']} processors.",
    ])  # fmt: skip


def spread(found: dict[str, Any]) -> str:
    """Return a ratio with its accuracy."""
    within = "" if found["spread"] is None else f" ±{found['spread']:.0%}"
    return times(found["gain"]) + within


def cost(row: dict[str, Any], column: str) -> str:
    value = row["cost"].get(column)
    return "-" if value is None else f"{number(value)} {cost_unit(row)}"


def meanings(folder: Path) -> str:
    """Return what one operation of each row is."""
    rows: dict[str, list[str]] = {}
    for one in CATALOG:
        rows.setdefault(one.function, []).append(one.title)
    lines = ["| row | one operation, or what is measured |", "| --- | --- |"]
    for function, titles in rows.items():
        said = MEASURES[function].__doc__ if function in MEASURES else IMPORT_ROW
        lines.append(f"| {'; '.join(titles)} | {' '.join((said or '').split())} |")
    return "\n".join(lines)


IMPORT_ROW = "Measure the milliseconds of `import ssl` or `import tlskit` in a new process."


def loops(folder: Path) -> str:
    """Return the event loops' table of TLS 1.3."""
    results = read(folder / "loops.json")
    return "\n".join([*eventloops.table(results, "TLSv1_3"), "", eventloops.caption(results)])


def all_loops(folder: Path) -> str:
    """Return the event loops' tables."""
    return eventloops.markdown(read(folder / "loops.json"))


def resumption(folder: Path) -> str:
    """Return how much faster a client is when it resumes by itself."""
    results = read(folder / "resumption.json")
    lines = ["| client | CPU time of a full connection | of one that resumes | by CPU | by wall |",
             "| --- | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for name, against in results["against"].items():
        if against is None or not against.startswith("full, ") or "by itself, " not in name:
            continue
        client = name.removeprefix("by itself, ").replace("over sockets", "plain sockets")
        mine, base = (median(results["cpu"][one]) for one in (name, against))
        cpu, wall = (gain(results[kind][name], results[kind][against]) for kind in ("cpu", "wall"))
        lines.append(
            f"| {client} | {number(1e6 / base)} us | {number(1e6 / mine)} us "
            f"| {times(cpu)} | {times(wall)} |"
        )
    return "\n".join(lines)


def printed(name: str) -> Callable[[Path], str]:
    """Return a section that `bench.scale` has printed."""
    return lambda folder: (folder / f"{name}.md").read_text(encoding="utf-8").strip()


def idle_memory(folder: Path) -> str:
    """Return the sentence of the README about idle connections."""
    table = (folder / "idle.md").read_text(encoding="utf-8")
    count = re.search(r"^\| ([\d,]+) idle", table, re.MULTILINE)
    ours, theirs = (
        re.search(rf"^\| {re.escape(way)} \| ([\d.]+)", table, re.MULTILINE)
        for way in ("tlskit.aio", "ssl, asyncio")
    )
    if count is None or ours is None or theirs is None:
        raise ValueError("idle.md lacks the rows that the README needs")
    return (
        f"A server with {count[1]} idle connections needs {float(ours[1]):.0f} KiB for each; "
        f"over asyncio's own transport it needs {float(theirs[1]):.0f} KiB."
    )


SECTIONS: dict[str, Callable[[Path], str]] = {
    "work": work,
    "meanings": meanings,
    "loops": loops,
    "all loops": all_loops,
    "resumption": resumption,
    "stores": printed("stores"),
    "threads": printed("threads"),
    "idle": printed("idle"),
    "idle memory": idle_memory,
}


def loop_bars(results: dict[str, Any]) -> list[Bar]:
    """Return a row for each work of `bench.eventloops`, with TLS 1.3 over tlskit.aio."""
    rows = []
    for work, ways in results["rows"].get("TLSv1_3", {}).items():
        found = eventloops.ratio(ways, "tlskit@tlskit.aio", "cpu")
        if found is None:
            continue
        theirs, ours = (
            number(median(ways[way]["cpu"]) * 1e6) for way in (eventloops.BASE, "tlskit@tlskit.aio")
        )
        title = f"{eventloops.TITLES[work]}, tlskit.aio"
        rows.append(Bar(title, found[0], None, None, f"{theirs} → {ours} us"))
    return rows


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def written(page: str, folder: Path) -> str:
    """Return the page with this run's figures. Sections that were not measured stay as they are."""

    def section(match: re.Match[str]) -> str:
        try:
            text = SECTIONS[match[1]](folder)
        except FileNotFoundError:
            return match[0]
        gap = "\n\n" if "\n" in text else ""  # a table, or a sentence in a paragraph
        return f"{BEGIN.format(match[1])}{gap}{text}{gap}{END}"

    pattern = BEGIN.format("([^>]*?)") + "(.*?)" + re.escape(END)
    return re.sub(pattern, section, page, flags=re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write the pages."""
    if len(arguments) != 1:
        print("python -m bench.pages FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8"), folder), encoding="utf-8")
    if (folder / "work.json").exists():
        more = folder / "loops.json"
        chart = draw(read(folder / "work.json"), loop_bars(read(more)) if more.exists() else [])
        CHART.write_text(chart, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
