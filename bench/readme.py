"""Write the results of a run into the README, between its markers: nothing there is written by
hand.

    python -m bench.readme RESULTS.json LOOPS.json README.md
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from . import eventloops
from .catalog import LIMIT, OURS, STDLIB
from .report import number, times

BEGIN, END = "<!-- bench: written by make bench -->", "<!-- bench: end -->"


def table(results: dict[str, Any]) -> str:
    """Return the rows that have both columns: how many times as good as the stdlib."""
    lines = [
        "| | ssl | tlskit | ratio | ± | by CPU | plain C |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for work in results["work"]:
        medians, ratios, less = work["median"], work["ratio"], work["better"] == "less"
        if not ratios.get(OURS):
            continue

        def gain(ratio: float | None, less: bool = less) -> str:
            return times(1 / ratio if less else ratio) if ratio else "-"

        cpu = work.get("cpu_ratio", {}).get(OURS)
        unit = work["unit"] if work["unit"].startswith("/") else f" {work['unit']}"
        spread = "-" if work["spread"] is None else f"{work['spread']:.0%}"
        lines.append(
            f"| {work['title']} | {number(medians[STDLIB])}{unit} | {number(medians[OURS])}{unit} "
            f"| {gain(ratios[OURS])} | {spread} | {gain(cpu)} | {gain(ratios.get(LIMIT))} |"
        )
    said = "; ".join(f"{column}: {version}" for column, version in results["openssl"].items())
    return "\n".join(
        [
            *lines,
            "",
            "More is better: where less of the unit is, the ratio is turned over. "
            f"{said}; "
            f"Python {results['python'].split()[0]}, {results['processors']} processors.",
        ]
    )


def written(readme: str, results: dict[str, Any], loops: dict[str, Any]) -> str:
    """Return the README with this run's figures."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise SystemExit("bench: the README must have each of the two benchmark markers once")
    text = "\n\n".join([BEGIN, table(results), eventloops.markdown(loops), END])
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: text, readme, flags=re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write the file."""
    if len(arguments) != 3:
        print("python -m bench.readme RESULTS.json LOOPS.json README.md", file=sys.stderr)
        return 2
    results, loops = (json.loads(Path(name).read_text(encoding="utf-8")) for name in arguments[:2])
    readme = Path(arguments[2])
    readme.write_text(written(readme.read_text(encoding="utf-8"), results, loops), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
