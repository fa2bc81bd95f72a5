"""The output of the commands: as layouts (see blocks.py), and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from .. import OPENSSL_VERSION, __version__
from .._core.certificate import SHORT_NAMES
from ..sessions import SessionInfo, SessionStats, SSLSession
from . import connect, demo, sessions
from .blocks import Bars, Block, Facts, Paragraph, Table, Verdict
from .demo.other_host import OTHER
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
# -- the outcomes ----------------------------------------------------------------------------------


def demo_layout(outcome: demo.Outcome) -> Iterator[Block]:
    """Return the layout of `tlskit demo`."""
    server = outcome.server
    yield Paragraph(versions())
    yield Paragraph(
        f"A server on {server['host']}:{server['port']} (process {server['pid']}), with a "
        f"certificate made for this run. With each protocol version the first process connects, "
        f"takes the session, sets it before the next handshake, and writes the newest one to a "
        f"file; the second process resumes from that file."
    )
    yield _connections("By hand", outcome.visits, processes=True)
    yield Paragraph(
        "With context.sessions.store = SQLiteStore(...) nothing has to be set. The store is a "
        "file that both processes share, and the server keeps its ticket key over a restart: "
        "before the last connection it is started again."
    )
    yield _connections("Automatically, from a store", outcome.automatic, processes=True)
    yield Table(
        f"The session of another host, offered as {OTHER}",
        ("library", "connection", "reason"),
        [
            (a.library, "accepted" if a.accepted else "refused", a.reason or _NOTHING)
            for a in outcome.other_host
        ],
        right=frozenset(),
        loose="reason",
        good=frozenset(i for i, a in enumerate(outcome.other_host) if not a.accepted),
        note="A resumed handshake shows no certificate, so the name would not be checked.",
    )
    yield Bars(
        "Time of a handshake, both ends, in memory",
        [
            (
                f"TLS {t.version.removeprefix('TLSv')}, {'resumed' if t.resumed else 'full'}",
                t.milliseconds,
                f"{t.milliseconds:.2f} ms",
            )
            for t in outcome.timings
        ],
        good=frozenset(i for i, t in enumerate(outcome.timings) if t.resumed),
    )
    yield _statistics(outcome.statistics)
    if outcome.complaint is None:
        resumed = sum(v.resumed for v in (*outcome.visits, *outcome.automatic))
        yield Verdict(f"All {resumed} connections that had a session resumed it.", good=True)


def connect_layout(outcome: connect.Outcome) -> Iterator[Block]:
    """Return the layout of `tlskit connect`."""
    order, first = outcome.order, outcome.visits[0]
    yield Paragraph(versions())
    address = (
        f"[{first.address}]:{first.port}"
        if ":" in first.address
        else f"{first.address}:{first.port}"
    )
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
            (
                "certificate",
                _distinguished(certificate.get("subject", ())) if certificate else "none",
            ),
            (
                "  names",
                ", ".join(names[:_MOST_NAMES])
                + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""),
            ),
            ("  issued by", _distinguished(certificate.get("issuer", ()))),
            ("  good until", certificate.get("notAfter", _NOTHING)),
            ("  verified", "no (--insecure)" if order.insecure else "yes"),
            ("sessions", _sessions(first)),
        ]
    )
    yield _connections("Connections", outcome.visits, processes=False)
    if order.store is not None and first.resumed:
        yield Verdict(
            f"The first connection resumed a session from the store, {_span(first.age)} old.",
            good=True,
        )
    elif order.store is not None:
        yield Verdict(f"The first connection did not resume: {first.reason}.", good=False)
    if outcome.resumed:
        yield Verdict("The second connection resumed the session of the first.", good=True)
    elif outcome.reason is not None:
        yield Verdict(f"The second connection did not resume: {outcome.reason}.", good=False)


def demo_json(outcome: demo.Outcome) -> dict[str, Any]:
    """Return the output of `tlskit demo --json`."""
    return {
        **json_versions(),
        "server": outcome.server,
        "connections": [asdict(v) for v in outcome.visits],
        "automatic": [asdict(v) for v in outcome.automatic],
        "other_host": [asdict(a) for a in outcome.other_host],
        "timings": [asdict(t) for t in outcome.timings],
        "statistics": {name: asdict(counters) for name, counters in outcome.statistics.items()},
        "error": outcome.complaint,
    }


def connect_json(outcome: connect.Outcome) -> dict[str, Any]:
    """Return the output of `tlskit connect --json`."""
    order = outcome.order
    return {
        **json_versions(),
        "host": order.host,
        "port": order.port,
        "server_name": order.name,
        "verified": not order.insecure,
        "certificate": outcome.certificate,
        "chain": [one.as_json() for one in outcome.chain],
        "signature_algorithm": outcome.signature,
        "connections": [asdict(v) for v in outcome.visits],
        "resumed": outcome.resumed,
        "reason": outcome.reason,
        "statistics": asdict(outcome.statistics),
        "error": outcome.failed.sentence if outcome.failed is not None else None,
    }


def failure_json(failure: Failure) -> dict[str, Any]:
    """Return the JSON output of a failed command."""
    return {**json_versions(), **failure.details, "error": failure.sentence}


def versions() -> str:
    return (
        f"tlskit {__version__}, {OPENSSL_VERSION}, {platform.python_implementation()} "
        f"{platform.python_version()}"
    )


def json_versions() -> dict[str, str]:
    return {"tlskit": __version__, "openssl": OPENSSL_VERSION, "python": platform.python_version()}


def _connections(title: str, visits: list[Visit], *, processes: bool) -> Table:
    rows: list[tuple[str, ...]] = []
    for number, v in enumerate(visits, 1):
        who = v.process if processes else str(number)
        kind = "resumed" if v.resumed else "full"
        sizes = (f"{n:,}" for n in (v.handshake_sent, v.handshake_received, v.sent + v.received))
        rows.append(
            (
                who,
                v.version.removeprefix("TLSv"),
                v.cipher or _NOTHING,
                v.group or _NOTHING,
                kind,
                f"{v.milliseconds:.1f}",
                *sizes,
            )
        )
    return Table(
        title,
        (
            "process" if processes else "#",
            "TLS",
            "cipher",
            "group",
            "kind",
            "ms",
            "sent",
            "received",
            "total",
        ),
        rows,
        loose="cipher",
        right=frozenset(("ms", "sent", "received", "total")),
        good=frozenset(i for i, v in enumerate(visits) if v.resumed),
        note=(
            "ms, sent and received: the handshake's milliseconds and bytes on the wire; total: "
            "bytes of the whole connection, both ways"
        ),
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
    return (
        ", ".join(f"{SHORT_NAMES.get(key, key)}={value}" for rdn in name for key, value in rdn)
        or _NOTHING
    )


# -- the contents of a store -----------------------------------------------------------------------


def listing_layout(listing: sessions.Listing) -> Iterator[Block]:
    """Return the layout of `tlskit sessions list`."""
    if not listing.items:
        yield Paragraph(f"There is nothing in {listing.order.where}.")
        return
    rows: list[tuple[str, ...]] = [
        (
            item.key[:10],
            item.kind,
            *_row(item.session),
            _span(item.age),
            _span(item.seconds_left),
            "yes" if item.session else "no",
        )
        for item in listing.items
    ]
    yield Table(
        f"Sessions in {listing.order.where}",
        ("key", "kind", "host", "TLS", "cipher", "age", "expires in", "readable"),
        rows,
        right=frozenset(("age", "expires in")),
        loose="cipher",
        note=(
            "client: to offer to a server; server: to resume a client's. Several under one key: "
            "tickets of one server."
        )
        + (f" {listing.unreadable} do not open with this secret." if listing.unreadable else "")
        + ("" if listing.complete else " There are more: --limit sets how many are listed."),
    )


def found_layout(listing: sessions.Listing) -> Iterator[Block]:
    """Return the layout of `tlskit sessions show`."""
    for item in listing.items:
        pairs = [("key", item.key), ("kind", item.kind), ("kept for", _span(item.seconds_left))]
        pairs += [("readable", "no")] if item.session is None else _described(item.session)
        yield Facts(pairs)


def removal_layout(removal: sessions.Removal) -> Iterator[Block]:
    """Return the layout of `tlskit sessions purge`."""
    if removal.removed is None:
        yield Paragraph(
            f"{removal.order.where} drops by itself what has expired: there is nothing to do."
        )
    else:
        what = "session" if removal.everything else "expired session"
        yield Paragraph(
            f"Removed {removal.removed} {what}{'' if removal.removed == 1 else 's'} from "
            f"{removal.order.where}."
        )


def listing_json(listing: sessions.Listing, *, whole: bool) -> dict[str, Any]:
    """Return the output of `list` and `show` with --json; `whole` includes all that was
    negotiated.
    """
    return {
        **json_versions(),
        "store": listing.order.where,
        "sessions": [
            {
                "key": item.key,
                "kind": item.kind,
                "readable": item.session is not None,
                "host": item.session and item.session.hostname,
                "protocol": item.session and item.session.protocol,
                "cipher": item.session and item.session.cipher,
                "age": item.age and round(item.age, 3),
                "expires_in": round(item.seconds_left, 3),
                **({"info": _told(item.session.info) if item.session else None} if whole else {}),
            }
            for item in listing.items
        ],
        "complete": listing.complete,
        "error": listing.failed and listing.failed.sentence,
    }


def removal_json(removal: sessions.Removal) -> dict[str, Any]:
    """Return the output of `purge` with --json."""
    return {
        **json_versions(),
        "store": removal.order.where,
        "removed": removal.removed,
        "error": None,
    }


def _row(session: SSLSession | None) -> tuple[str, str, str]:
    if session is None:
        return (_NOTHING, _NOTHING, _NOTHING)
    return (
        session.hostname or _NOTHING,
        session.protocol.removeprefix("TLSv"),
        session.cipher or _NOTHING,
    )


def _described(session: SSLSession) -> list[tuple[str, str]]:
    info = session.info
    certificate = info.peer_certificate_data or {}
    names = [value for _, value in certificate.get("subjectAltName", ())]
    texts = session.to_text().splitlines()[1:]
    pairs = [
        (name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in texts)
    ]
    offers = {
        "Peer's groups": info.peer_group_names,
        "Peer's signature algorithms": info.peer_signature_algorithm_names,
        "Peer's cipher suites": info.peer_cipher_suites
        and [f"{number:#06x}" for number in info.peer_cipher_suites],
        "Peer's extensions": info.peer_extensions and map(str, info.peer_extensions),
    }
    pairs += [
        ("Peer signed with", info.peer_signature_algorithm or _NOTHING),
        ("Matched name", info.matched_name or _NOTHING),
        ("Certificates sent by peer", str(len(info.peer_certificate_chain))),
        ("Certificates verified", str(len(info.verified_chain))),
        ("Certificate", _distinguished(certificate.get("subject", ()))),
        ("  names", ", ".join(names) or _NOTHING),
        ("  issued by", _distinguished(certificate.get("issuer", ()))),
        ("  good until", certificate.get("notAfter", _NOTHING)),
    ]
    return pairs + [(name, ", ".join(value)) for name, value in offers.items() if value]


def _told(info: SessionInfo) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, dict):
            return {name: plain(part) for name, part in value.items()}
        return [plain(part) for part in value] if isinstance(value, (tuple, list)) else value

    told: dict[str, Any] = plain(asdict(info))
    return told


def _span(seconds: float | None) -> str:
    """Format a time in the largest unit of which there are at least about two."""
    if seconds is None:
        return _NOTHING
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.99 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
