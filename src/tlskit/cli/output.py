"""Write layouts: as tables for a terminal (rich), as plain text, or as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any, TextIO

from .blocks import Block, plain


def write(blocks: Iterable[Block], out: TextIO) -> None:
    """Write a layout: with rich where `out` is a terminal and rich is installed, as plain text
    otherwise.
    """
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(
            errors="backslashreplace"
        )  # a name in a certificate may have letters that `out` has not
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
