"""The parts of a layout (paragraphs, facts, tables and a verdict), and how each looks as plain
text.

Text from a server, such as names in certificates, is shown without the characters that could
control a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paragraph:
    """Text."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names with their values, one below the other."""

    pairs: list[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        right: the columns of numbers.
        loose: the column that may be wrapped if the others leave too little room.
        faint: the columns that only explain.
        good: the rows to highlight.
        note: a remark below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    right: frozenset[str]
    loose: str
    faint: frozenset[str] = frozenset()
    good: frozenset[int] = frozenset()
    note: str = ""


@dataclass(frozen=True)
class Bars:
    """A bar chart: a name, a number, and the formatted number, for each bar.

    Attributes:
        good: the bars to highlight.
    """

    title: str
    bars: list[tuple[str, float, str]]
    good: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """The last sentence, with the overall result."""

    text: str
    good: bool


Block = Paragraph | Facts | Table | Bars | Verdict

BAR = 48  # columns of the longest bar


def printable(text: str) -> str:
    """Return `text` with unprintable characters escaped, control characters above all."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain(block: Block) -> str:
    """Format a block as plain text."""
    if isinstance(block, Table):
        return _plain_table(block)
    if isinstance(block, Bars):
        return _plain_bars(block)
    if isinstance(block, Facts):
        width = max(len(name) for name, _ in block.pairs)
        return "".join(f"{name:<{width}}  {printable(value)}\n" for name, value in block.pairs)
    return printable(block.text) + "\n"


def _plain_table(table: Table) -> str:
    cells = [[printable(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    aligned = [
        "  ".join(
            cell.rjust(width) if column in table.right else cell.ljust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        ).rstrip()
        for row in cells
    ]
    rule = "  ".join("-" * width for width in widths)
    note = ["", printable(table.note)] if table.note else []
    return "\n".join([printable(table.title), "", aligned[0], rule, *aligned[1:], *note, ""])


def bar_size(bars: Bars, number: float) -> int:
    """Return the width of a bar in columns."""
    longest = max(value for _, value, _ in bars.bars)
    return max(1, round(BAR * number / longest)) if longest > 0 else 0


def _plain_bars(bars: Bars) -> str:
    width = max(len(name) for name, _, _ in bars.bars)
    lines = [
        f"{printable(name):<{width}}  {'#' * bar_size(bars, value)} {written}"
        for name, value, written in bars.bars
    ]
    return "\n".join([printable(bars.title), "", *lines, ""])
