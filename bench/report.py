"""The results: medians, ratios, the tables and the JSON."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .catalog import COLUMNS, LIMIT, OURS, PYOPENSSL, STDLIB, WHEEL, Work
from .turns import middle

HEADINGS = {
    STDLIB: "ssl", OURS: "tlskit", LIMIT: "C limit", PYOPENSSL: "pyOpenSSL", WHEEL: "wheel",
}  # fmt: skip


def cost_unit(row: dict[str, Any]) -> str:
    """Return the unit of a row's costs (of `Report.as_dict`)."""
    return "us" if row["unit"] == "/s" else str(row["unit"])


def short_version(text: str) -> str:
    """Return OpenSSL's version without its date."""
    return text.rsplit(" ", 3)[0]


@dataclass
class Outcome:
    """The values of one piece of work, per column (or variant) and round; None if a process
    failed.
    """

    work: Work
    values: dict[str, list[float | None]] = field(default_factory=dict)
    busy: dict[str, list[float]] = field(default_factory=dict)

    def add(self, column: str, value: float | None, busy: float = 1.0) -> None:
        self.values.setdefault(column, []).append(value)
        if value is not None:
            self.busy.setdefault(column, []).append(busy)

    def median(self, column: str) -> float | None:
        got = [value for value in self.values.get(column, []) if value is not None]
        return median(got) if got else None

    def cost(self, column: str) -> float | None:
        """Return the median by CPU time: microseconds for an operation, MB for each second of the
        measured process's CPU time, or the value itself if it is not a rate.
        """
        got = [one for one in self.by_round(column, cpu=True) if one is not None]
        if not got:
            return None
        return 1e6 / median(got) if self.work.unit == "/s" else median(got)

    def by_round(self, column: str, *, cpu: bool) -> list[float | None]:
        """Return the values of the rounds; `cpu` relates them to the CPU time used."""
        if not cpu or not self.work.unit.endswith(("/s", "ms")):
            return self.values.get(column, [])
        shares = iter(self.busy.get(column, []))
        less = self.work.better == "less"
        return [
            None if value is None
            else value * max(next(shares), 0.001) if less
            else value / max(next(shares), 0.001)
            for value in self.values.get(column, [])
        ]  # fmt: skip

    def _ratios_of_rounds(self, column: str, *, cpu: bool) -> list[float]:
        pairs = zip(self.by_round(column, cpu=cpu), self.by_round(STDLIB, cpu=cpu), strict=False)
        return [ours / base for ours, base in pairs if ours is not None and base]

    def ratio(self, column: str, *, cpu: bool = False) -> float | None:
        """Return the median of the rounds' ratios to the stdlib's."""
        ratios = self._ratios_of_rounds(column, cpu=cpu)
        return median(ratios) if ratios else None

    def gain(self, column: str, *, cpu: bool = False) -> float | None:
        """Return how many times as good as the stdlib: the ratio, inverted where less is better."""
        ratio = self.ratio(column, cpu=cpu)
        return 1 / ratio if ratio and self.work.better == "less" else ratio

    def spread(self, column: str = OURS, *, cpu: bool = False) -> float | None:
        """Return half the distance between the quartiles of the rounds' ratios, relative to their
        median.
        """
        ratios = self._ratios_of_rounds(column, cpu=cpu)
        if not ratios:
            return None
        center, spread = middle(ratios)
        return spread / center

    def meets_aim(self) -> bool | None:
        ratio, aim = self.ratio(OURS), self.work.aim
        if ratio is None or aim is None:
            return None
        return ratio >= aim if self.work.better == "more" else ratio <= aim


@dataclass
class Report:
    """A whole run.

    Attributes:
        outcomes: one for each piece of work, in the order of the catalog.
        openssl: the OpenSSL version that each column reports.
        notes: remarks on this run.
        failures: what went wrong.
    """

    outcomes: list[Outcome]
    openssl: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def columns(self) -> list[str]:
        """Return the columns that have a value."""
        return [
            column
            for column in COLUMNS
            if any(outcome.median(column) is not None for outcome in self.outcomes)
        ]

    def text(self) -> str:
        """Return a table for a terminal."""
        rows = [[*self._heading(), "spread", "aim"]]
        for outcome in self.outcomes:
            spread, aim, met = outcome.spread(), outcome.work.aim, outcome.meets_aim()
            sign = ">=" if outcome.work.better == "more" else "<="
            verdict = (
                ""
                if aim is None
                else f"{sign} {aim:g}x" + {True: " met", False: " MISSED", None: ""}[met]
            )
            rows.append([*self._row(outcome), "" if spread is None else f"±{spread:.0%}", verdict])
        last = len(rows[0]) - 1
        left = {0, last - 2 - len(self._ratios()) - 1, last}  # the title, the unit and the aim
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.ljust(w) if i in left else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*(line.rstrip() for line in lines), "", *self.remarks()])

    def remarks(self) -> list[str]:
        """Return the remarks that belong to the table."""
        lines = []
        if any(outcome.work.better == "less" for outcome in self.outcomes):
            lines.append("Medians. Where less is better, the unit says so.")
        for outcome in self.outcomes:
            lines += self._remarks_of(outcome)
        lines.append(
            "OpenSSL: "
            + "; ".join(
                f"{HEADINGS[column]}: {version}" for column, version in self.openssl.items()
            )
        )
        if len({self.openssl.get(column) for column in (STDLIB, OURS, LIMIT)} - {None}) > 1:
            lines.append(
                "WARNING: ssl, tlskit and C do not have the same OpenSSL, so the ratios compare "
                "libraries of C as well."
            )
        lines.append(
            f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} "
            f"processors."
        )
        return [*lines, *self.notes, *(f"FAILED: {failure}" for failure in self.failures)]

    def as_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "python": sys.version,
            "platform": platform.platform(),
            "processors": os.cpu_count(),
            "openssl": self.openssl,
            "notes": self.notes,
            "failures": self.failures,
            "work": [
                {
                    "name": outcome.work.name,
                    "title": outcome.work.title,
                    "unit": outcome.work.unit,
                    "better": outcome.work.better,
                    "aim": outcome.work.aim,
                    "values": outcome.values,
                    "busy": outcome.busy,
                    "median": {column: outcome.median(column) for column in outcome.values},
                    "cost": {column: outcome.cost(column) for column in outcome.values},
                    "wall": self._gains(outcome, cpu=False),
                    "cpu": self._gains(outcome, cpu=True),
                    "meets_aim": outcome.meets_aim(),
                }
                for outcome in self.outcomes
            ],
        }

    def _gains(self, outcome: Outcome, *, cpu: bool) -> dict[str, Any]:
        return {
            column: {
                "gain": outcome.gain(column, cpu=cpu),
                "spread": outcome.spread(column, cpu=cpu),
            }
            for column in outcome.values
        }

    def _ratios(self) -> list[str]:
        """Return the columns that are compared with the stdlib's."""
        columns = self.columns()
        return [column for column in columns if column != STDLIB and STDLIB in columns]

    def _heading(self) -> list[str]:
        return [
            "work",
            *(HEADINGS[c] for c in self.columns()),
            "unit",
            *(f"{HEADINGS[c]} / {HEADINGS[STDLIB]}" for c in self._ratios()),
            "by CPU",
        ]

    def _row(self, outcome: Outcome) -> list[str]:
        unit = outcome.work.unit + (", less is better" if outcome.work.better == "less" else "")
        values = [number(outcome.median(column)) for column in self.columns()]
        return [
            outcome.work.title,
            *values,
            unit,
            *(times(outcome.ratio(column)) for column in self._ratios()),
            times(outcome.ratio(OURS, cpu=True)),
        ]

    def _remarks_of(self, outcome: Outcome) -> list[str]:
        work, lines = outcome.work, []
        for variant, name in work.variants.items():
            value = outcome.median(variant)
            if value is not None:
                lines.append(f"{work.title}: {name}: {number(value)} {work.unit}.")
        if work.cores == "two":
            rates = {HEADINGS[c]: outcome.cost(c) for c in self.columns()}
            said = ", ".join(
                f"{name} {number(rate)}" for name, rate in rates.items() if rate is not None
            )
            lines.append(
                f"{work.title}: MB in a second of the measured end's own processor time, "
                f"whatever the other end does: {said}."
            )
        return lines


def number(value: float | None) -> str:
    """Format a number with at least three digits, and a separator for thousands."""
    if value is None:
        return "-"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}".replace(",", " ")


def times(ratio: float | None) -> str:
    """Format a ratio."""
    if ratio is None:
        return "-"
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2f}x"
