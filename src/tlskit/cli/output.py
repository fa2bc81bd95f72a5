"""Write layouts: as tables for a terminal (rich), as plain text, or as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from .blocks import Block, plain


def write(blocks: Iterable[Block], out: TextIO) -> None:
    """Write a layout: with rich if `out` is a terminal and rich is installed, otherwise as plain
    text.
    """
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(
            errors="backslashreplace"
        )  # a name in a certificate may have letters that `out` cannot encode
    if out.isatty():
        try:
            from ._rich import write_rich
        except ImportError:
            pass
        else:
            write_rich(blocks, out)
            return
    out.write("\n".join(plain(block) for block in blocks))


def write_json(value: dict[str, Any], out: TextIO) -> None:
    """Write one JSON document."""
    out.write(json.dumps(value, indent=2) + "\n")


@contextmanager
def progress(out: TextIO) -> Iterator[Callable[[str], None]]:
    """Show a line of progress on a terminal and remove it afterwards; elsewhere, show nothing.

    Yields a function that takes a few words.
    """
    if not out.isatty():
        yield lambda step: None
        return

    def show(step: str) -> None:
        out.write(f"\r\x1b[K{step} ...")
        out.flush()

    try:
        yield show
    finally:
        out.write("\r\x1b[K")
        out.flush()
