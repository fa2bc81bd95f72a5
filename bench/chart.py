"""The bar chart for the README: how many times as good as the stdlib, as SVG.

Also runs on the results of an earlier run: `python -m bench.chart RESULTS.json CHART.svg`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from .catalog import LIMIT, OURS, STDLIB, WHEEL
from .report import cost_unit, number, short_version, times

WIDTH, LEFT, RIGHT = 900, 300, 230  # of the picture, of the titles, of the numbers
TOP, ROW, BAR, BOTTOM = 84, 28, 14, 44
MOST = 2.5  # times the stdlib; longer bars are cut off

STYLE = """
.back { fill: #ffffff; stroke: #d0d7de }
text {
  font: 12px -apple-system, BlinkMacSystemFont, "Segoe UI", "Noto Sans", Helvetica, sans-serif;
  fill: #1f2328
}
.head { font-size: 15px; font-weight: 600 }
.soft { fill: #59636e }
.gain { font-weight: 600 }
.grid { stroke: #d0d7de; stroke-dasharray: 2 3 }
.base { stroke: #59636e; stroke-width: 1.5 }
.good { fill: #2da44e }
.poor { fill: #bf8700 }
.limit { stroke: #1f2328; stroke-width: 2.5 }
.wheel { fill: #ffffff; stroke: #8250df; stroke-width: 2 }
.tear { stroke: #ffffff; stroke-width: 3; fill: none }
@media (prefers-color-scheme: dark) {
  .back { fill: #0d1117; stroke: #30363d }
  text { fill: #e6edf3 }
  .soft { fill: #9198a1 }
  .grid { stroke: #30363d }
  .base { stroke: #9198a1 }
  .good { fill: #3fb950 }
  .poor { fill: #d29922 }
  .limit { stroke: #e6edf3 }
  .wheel { fill: #0d1117; stroke: #ab7df8 }
  .tear { stroke: #0d1117 }
}
""".strip()


@dataclass(frozen=True)
class Bar:
    """A row: the gain of tlskit over the stdlib, and those of the C program and of the wheel."""

    title: str
    gain: float
    limit: float | None
    wheel: float | None
    values: str


def bars(results: dict[str, Any]) -> list[Bar]:
    """Return the rows of results (of `Report.as_dict`) that have both columns, by CPU time."""
    rows = []
    for work in results["work"]:
        gain, limit, wheel = (
            work["cpu"].get(column, {}).get("gain") for column in (OURS, LIMIT, WHEEL)
        )
        if not gain:
            continue
        theirs, ours = (number(work["cost"][column]) for column in (STDLIB, OURS))
        told = f"{theirs} → {ours} {cost_unit(work)}"
        rows.append(Bar(work["title"], gain, limit, wheel, told))
    return rows


def draw(results: dict[str, Any], more: Sequence[Bar] = ()) -> str:
    """Return the chart as SVG, with more rows at its end."""
    rows = [*bars(results), *more]
    height = TOP + ROW * len(rows) + BOTTOM
    end = TOP + ROW * len(rows)
    has_limit = any(row.limit for row in rows)
    described = "; ".join(f"{row.title}: {times(row.gain)}" for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 '
        f'{WIDTH} {height}" role="img" '
        'aria-labelledby="title description">',
        '<title id="title">tlskit compared with the standard library&#39;s ssl</title>',
        f'<desc id="description">{escape(described)}</desc>',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="back" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        text(20, 30, "tlskit, in times the stdlib's ssl, by CPU time", "head"),
        text(
            20,
            50,
            "Longer is better. The numbers are the stdlib's and tlskit's CPU time, or what their "
            "unit says.",
            "soft",
        ),
    ]
    for tick in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5):
        at = x(tick)
        parts.append(line(at, TOP - 6, at, end, "base" if tick == 1.0 else "grid"))
        parts.append(
            text(at, TOP - 12, "ssl = 1" if tick == 1.0 else f"{tick:g}", "soft", "middle")
        )
    for i, row in enumerate(rows):
        parts += drawn(row, TOP + ROW * i + ROW // 2)
    if has_limit:
        parts.append(line(20, end + 14, 20, end + 30, "limit"))
        parts.append(
            text(30, end + 26, "plain C, the same OpenSSL (\u203a: off the scale)", "soft")
        )
    if any(row.wheel for row in rows):
        parts.append(circle(330, end + 22))
        said = short_version(results["openssl"].get(WHEEL, ""))
        parts.append(text(342, end + 26, f"tlskit's wheel, with {said}", "soft"))
    versions = " / ".join(
        dict.fromkeys(
            short_version(results["openssl"][column])
            for column in (STDLIB, OURS)
            if column in results["openssl"]
        )
    )
    origin = f"Python {results['python'].split()[0]}, {versions}"
    parts.append(text(WIDTH - 20, end + 26, origin, "soft", "end"))
    return "\n".join([*parts, "</svg>", ""])


def drawn(row: Bar, middle: int) -> list[str]:
    """Draw one row around its middle line."""
    top = middle - BAR // 2
    parts = [text(LEFT - 12, middle + 4, row.title, anchor="end")]
    kind = "good" if row.gain >= 0.995 else "poor"
    parts.append(
        f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{x(min(row.gain, MOST)) - LEFT:.1f}" '
        f'height="{BAR}" rx="2"/>'
    )
    if row.gain > MOST:
        tear = x(MOST) - 14
        way = (
            f"M{tear + 4:.1f} {top - 2} L{tear - 2:.1f} {middle} L{tear + 6:.1f} {middle} "
            f"L{tear:.1f} {top + BAR + 2}"
        )
        parts.append(f'<path class="tear" d="{way}"/>')
    if row.limit is not None and row.limit <= MOST:
        parts.append(line(x(row.limit), top - 4, x(row.limit), top + BAR + 4, "limit"))
    elif row.limit is not None:
        parts.append(text(x(MOST) + 4, middle + 4, "›", "soft"))  # noqa: RUF001
    if row.wheel is not None and row.wheel <= MOST:
        parts.append(circle(x(row.wheel), middle))
    parts.append(text(x(MOST) + 58, middle + 4, times(row.gain), "gain", "end"))
    parts.append(text(x(MOST) + 66, middle + 4, row.values, "soft"))
    return parts


def x(ratio: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * ratio / MOST


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}"/>'


def circle(at: float, middle: float) -> str:
    return f'<circle class="wheel" cx="{at:.1f}" cy="{middle}" r="4.5"/>'


def text(at: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{at:.1f}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def main(arguments: list[str]) -> int:
    """Draw the results of an earlier run."""
    if len(arguments) != 2:
        print("python -m bench.chart RESULTS.json CHART.svg", file=sys.stderr)
        return 2
    Path(arguments[1]).write_text(
        draw(json.loads(Path(arguments[0]).read_text(encoding="utf-8"))), encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
