"""Write a layout to a terminal with rich. Nothing else imports this module, so that rich is
optional.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from .blocks import Bars, Block, Facts, Paragraph, Table, bar_size, printable

_ROOMY = 100  # columns


def write_rich(blocks: Iterable[Block], out: TextIO) -> None:
    """Write a layout as wide as the terminal."""
    console = Console(file=out, highlight=False)
    for number, block in enumerate(blocks):
        if number:
            console.print()
        if isinstance(block, Table):
            console.print(Text(printable(block.title), style="bold"), end="\n\n")
            console.print(_table(block, gap=1 if console.width >= _ROOMY else 0))
            if block.note:
                console.print()
                console.print(Text(printable(block.note), style="dim"))
        elif isinstance(block, Bars):
            console.print(Text(printable(block.title), style="bold"), end="\n\n")
            console.print(_bars(block))
        elif isinstance(block, Facts):
            console.print(_facts(block))
        elif isinstance(block, Paragraph):
            console.print(Text(printable(block.text)))
        else:
            console.print(
                Text(printable(block.text), style="bold green" if block.good else "bold yellow")
            )


def _facts(block: Facts) -> RichTable:
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in block.pairs:
        grid.add_row(Text(name), Text(printable(value)))
    return grid


def _bars(block: Bars) -> RichTable:
    grid = RichTable.grid(padding=(0, 2))
    for number, (name, value, written) in enumerate(block.bars):
        style = "green" if number in block.good else "blue"
        bar = Text("\u2588" * bar_size(block, value), style=style)
        grid.add_row(Text(printable(name)), bar + Text(f" {written}"))
    return grid


def _table(block: Table, gap: int) -> RichTable:
    table = RichTable(
        box=box.SIMPLE_HEAD,
        header_style="cyan",
        pad_edge=False,
        show_edge=False,
        padding=(0, gap, 0, 0),
    )
    for column in block.columns:
        table.add_column(
            Text(column),
            justify="right" if column in block.right else "left",
            style="dim" if column in block.faint else "",
            no_wrap=column != block.loose,
            overflow="fold",
        )
    for number, row in enumerate(block.rows):
        cells = (Text(printable(cell), style="dim" if cell == "0" else "") for cell in row)
        table.add_row(*cells, style="green" if number in block.good else "")
    return table
