"""The output of `tlskit doctor`: as a layout (see blocks.py), and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from . import doctor
from .blocks import Block, Facts, Paragraph, Table, Verdict
from .certificates import Shown
from .report import json_versions, versions

_MARKS = {"ok": "ok", "note": "note", "warning": "WARNING", "problem": "PROBLEM"}


def layout(checkup: doctor.Checkup) -> Iterator[Block]:
    """Return the layout of `tlskit doctor`."""
    order = checkup.order
    yield Paragraph(versions())
    yield Paragraph(f"{order.where}, as {order.name}")
    if checkup.sent:
        yield _chain("Chain as the server sends it", checkup.sent)
    if checkup.proper and [o.der for o in checkup.proper] != [o.der for o in checkup.sent]:
        yield _chain("Chain as it should be sent", checkup.proper)
    yield Facts([(f"{_MARKS[f.level]:<7}  {f.topic}", f.text) for f in checkup.findings])
    problems = sum(f.level == "problem" for f in checkup.findings)
    warnings = sum(f.level == "warning" for f in checkup.findings)
    yield Verdict(_verdict(problems, warnings), good=problems == 0)


def _verdict(problems: int, warnings: int) -> str:
    counts = [
        f"{n} {word}{'' if n == 1 else 's'}"
        for n, word in ((problems, "problem"), (warnings, "warning"))
        if n
    ]
    return " and ".join(counts) + "." if counts else "No problems found."


def _chain(title: str, chain: list[Shown]) -> Table:
    rows: list[tuple[str, ...]] = [
        (str(n), one.subject, one.issuer, f"{one.ends:%Y-%m-%d}", one.key, one.signature or "-")
        for n, one in enumerate(chain)
    ]
    columns = ("#", "subject", "issuer", "until", "key", "signature")
    return Table(title, columns, rows, loose="subject", right=frozenset("#"))


def as_json(checkup: doctor.Checkup) -> dict[str, Any]:
    """Return the output of `tlskit doctor --json`."""
    order = checkup.order
    return {
        **json_versions(),
        "host": order.host,
        "port": order.port,
        "server_name": order.name,
        "starttls": order.starttls,
        "healthy": checkup.healthy,
        "negotiated": checkup.negotiated,
        "versions": checkup.versions,
        "groups": checkup.groups,
        "chain_sent": [one.as_json() for one in checkup.sent],
        "chain_proper": [one.as_json() for one in checkup.proper],
        "findings": [asdict(one) for one in checkup.findings],
        "error": None,
    }
