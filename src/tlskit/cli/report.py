"""How the outcomes look: a layout, written as plain text, as tables for a terminal (rich), or as JSON.

A layout is a list of paragraphs, facts, tables and a verdict. What a server says (names in certificates, for one) is
shown without the characters that could steer a terminal.
"""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from .. import OPENSSL_VERSION, __version__
from ..sessions import SessionStats
from . import connect, demo
from .failure import Failure
from .visit import Visit

MEANINGS = {
    "number": "sessions in the cache",
    "connect": "handshakes as a client",
    "connect_good": "... and completed",
    "connect_renegotiate": "... renegotiated",
    "accept": "handshakes as a server",
    "accept_good": "... and completed",
    "accept_renegotiate": "... renegotiated",
    "hits": "sessions resumed",
    "misses": "asked for, not there",
    "timeouts": "found, but expired",
    "cache_full": "dropped: no room left",
    "cb_hits": "from an external cache",
}

_NOTHING = "-"
_MOST_NAMES = 4
_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "countryName": "C",
}


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
        loose: the column that may take several lines where the others leave too little room.
        faint: the columns that are there only to explain.
        good: the rows that are to stand out.
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
class Verdict:
    """The last sentence: what it all came to."""

    text: str
    good: bool


Block = Paragraph | Facts | Table | Verdict


# -- the two outcomes ---------------------------------------------------------------------------------------------


def demo_layout(outcome: demo.Outcome) -> Iterator[Block]:
    """What `tlskit demo` shows."""
    server = outcome.server
    yield Paragraph(_versions())
    yield Paragraph(
        f"A server on {server['host']}:{server['port']} (process {server['pid']}), with a certificate that was made for this run. "
        "For each protocol version the first process connects, takes the session, sets it before the next handshake, and "
        "writes the newest one to a file; the second process resumes from that file."
    )
    yield _connections("Connections", outcome.visits, processes=True)
    yield _statistics(outcome.statistics)
    if outcome.complaint is None:
        offered = sum(v.resumed for v in outcome.visits)
        yield Verdict(f"All {offered} connections that had a session resumed it.", good=True)


def connect_layout(outcome: connect.Outcome) -> Iterator[Block]:
    """What `tlskit connect` shows."""
    order, first = outcome.order, outcome.visits[0]
    yield Paragraph(_versions())
    address = f"[{first.address}]:{first.port}" if ":" in first.address else f"{first.address}:{first.port}"
    certificate = outcome.certificate
    names = [value for _, value in certificate.get("subjectAltName", ())]
    yield Facts(
        [
            ("server", address if order.where == address else f"{order.where} at {address}"),
            ("name", order.name),
            ("protocol", first.version),
            ("cipher", f"{first.cipher or _NOTHING} ({first.cipher_bits} bits)"),
            ("group", first.group or _NOTHING),
            ("ALPN", first.alpn or ("none of those offered" if order.alpn else "not asked for")),
            ("certificate", _distinguished(certificate.get("subject", ())) if certificate else "none"),
            ("  names", ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")),
            ("  issued by", _distinguished(certificate.get("issuer", ()))),
            ("  good until", certificate.get("notAfter", _NOTHING)),
            ("  verified", "no (--insecure)" if order.insecure else "yes"),
            ("sessions", _sessions(first)),
        ]
    )
    yield _connections("Connections", outcome.visits, processes=False)
    if outcome.resumed:
        yield Verdict("The second connection resumed the session of the first.", good=True)
    elif outcome.reason is not None:
        yield Verdict(f"The second connection did not resume: {outcome.reason}.", good=False)


def demo_json(outcome: demo.Outcome) -> dict[str, Any]:
    """What `tlskit demo --json` writes."""
    return {
        **_json_versions(),
        "server": outcome.server,
        "connections": [asdict(v) for v in outcome.visits],
        "statistics": {name: asdict(counters) for name, counters in outcome.statistics.items()},
        "error": outcome.complaint,
    }


def connect_json(outcome: connect.Outcome) -> dict[str, Any]:
    """What `tlskit connect --json` writes."""
    order = outcome.order
    return {
        **_json_versions(),
        "host": order.host,
        "port": order.port,
        "server_name": order.name,
        "verified": not order.insecure,
        "certificate": outcome.certificate,
        "connections": [asdict(v) for v in outcome.visits],
        "resumed": outcome.resumed,
        "reason": outcome.reason,
        "statistics": asdict(outcome.statistics),
        "error": outcome.failed.sentence if outcome.failed is not None else None,
    }


def failure_json(failure: Failure) -> dict[str, Any]:
    """What either writes when there is nothing else to tell."""
    return {**_json_versions(), "error": failure.sentence}


def _versions() -> str:
    return f"tlskit {__version__}, {OPENSSL_VERSION}, {platform.python_implementation()} {platform.python_version()}"


def _json_versions() -> dict[str, str]:
    return {"tlskit": __version__, "openssl": OPENSSL_VERSION, "python": platform.python_version()}


def _connections(title: str, visits: list[Visit], *, processes: bool) -> Table:
    rows: list[tuple[str, ...]] = []
    for number, v in enumerate(visits, 1):
        who = v.process if processes else str(number)
        kind = "resumed" if v.resumed else "full"
        sizes = (f"{n:,}" for n in (v.handshake_sent, v.handshake_received, v.sent + v.received))
        rows.append((who, v.version.removeprefix("TLSv"), v.cipher or _NOTHING, v.group or _NOTHING, kind, f"{v.milliseconds:.1f}", *sizes))
    return Table(
        title,
        ("process" if processes else "#", "TLS", "cipher", "group", "kind", "ms", "sent", "received", "total"),
        rows,
        loose="cipher",
        right=frozenset(("ms", "sent", "received", "total")),
        good=frozenset(i for i, v in enumerate(visits) if v.resumed),
        note="ms, sent and received: the handshake's milliseconds and bytes on the wire; total: bytes of the whole connection, both ways",
    )


def _statistics(statistics: dict[str, SessionStats]) -> Table:
    counters = [asdict(one) for one in statistics.values()]
    return Table(
        "Session statistics",
        ("counter", *statistics, "meaning"),
        [(name, *(str(c[name]) for c in counters), meaning) for name, meaning in MEANINGS.items()],
        loose="meaning",
        right=frozenset(statistics),
        faint=frozenset(("meaning",)),
    )


def _sessions(first: Visit) -> str:
    if first.tickets == 0:
        return "none came"
    return f"{first.tickets}, to be offered for {first.ticket_lifetime} s"


def _distinguished(name: Iterable[Iterable[tuple[str, str]]]) -> str:
    return ", ".join(f"{_SHORT.get(key, key)}={value}" for rdn in name for key, value in rdn) or _NOTHING


# -- writing ------------------------------------------------------------------------------------------------------


def write(blocks: Iterable[Block], out: TextIO) -> None:
    """Write a layout: with rich where `out` is a terminal and rich is installed, as plain text otherwise."""
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="backslashreplace")  # a name in a certificate may have letters that `out` has not
    if out.isatty():
        try:
            from ._rich import write_rich
        except ImportError:
            pass
        else:
            write_rich(blocks, out)
            return
    out.write("\n".join(_plain(block) for block in blocks))


def write_json(value: dict[str, Any], out: TextIO) -> None:
    """Write one JSON document."""
    out.write(json.dumps(value, indent=2) + "\n")


def printable(text: str) -> str:
    """`text` with escapes in place of what is not to be printed: control characters, above all."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _plain(block: Block) -> str:
    if isinstance(block, Table):
        return _plain_table(block)
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
    note = ["", table.note] if table.note else []
    return "\n".join([table.title, "", aligned[0], rule, *aligned[1:], *note, ""])
