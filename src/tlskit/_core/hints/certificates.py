"""The parts of a hint about a certificate: its name, its dates, the names that it is valid for."""

from __future__ import annotations

from contextlib import suppress
from ssl import cert_time_to_seconds
from time import time
from typing import Any

from ...errors import SSLError
from ..certificate import Certificate

_LONGEST = 80  # characters of a name that a peer has chosen
_MOST_NAMES = 5


def quoted(text: str) -> str:
    """Return a peer's text in quotation marks, printable and shortened."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f"'{shown[: _LONGEST - 3]}...'" if len(shown) > _LONGEST else f"'{shown}'"


def name_of(rdns: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """Return a subject's common name, or the last part of its name if it has none."""
    parts = [pair for rdn in rdns for pair in rdn]
    for kind in ("commonName", "organizationalUnitName", "organizationName"):
        for found, value in reversed(parts):
            if found == kind:
                return quoted(value)
    return quoted(parts[-1][1]) if parts else "a certificate without a subject"


class Described:
    """The fields of a certificate, as a hint needs them."""

    __slots__ = ("_fields",)

    def __init__(self, der: bytes | None) -> None:
        self._fields: dict[str, Any] = {}
        if der:
            with suppress(SSLError):  # what cannot be parsed has no name
                self._fields = Certificate.from_der(der).fields()

    @property
    def subject(self) -> str:
        """Its subject, or the first of its alternative names."""
        if not self._fields.get("subject") and (names := self._fields.get("subjectAltName")):
            return quoted(str(names[0][1]))
        return name_of(self._fields.get("subject", ()))

    @property
    def issuer(self) -> str:
        """The subject of the certificate that signed it."""
        return name_of(self._fields.get("issuer", ()))

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same."""
        return bool(self._fields) and self._fields.get("subject") == self._fields.get("issuer")

    @property
    def begins(self) -> str:
        """notBefore, and how long ago or ahead it is."""
        return _when(self._fields.get("notBefore"))

    @property
    def ends(self) -> str:
        """notAfter, and how long ago or ahead it is."""
        return _when(self._fields.get("notAfter"))

    @property
    def has_begun(self) -> bool:
        """Whether notBefore has passed."""
        begins = self._fields.get("notBefore")
        return begins is not None and cert_time_to_seconds(begins) <= time()

    @property
    def has_ended(self) -> bool:
        """Whether notAfter has passed."""
        ends = self._fields.get("notAfter")
        return ends is None or cert_time_to_seconds(ends) <= time()

    @property
    def names(self) -> str:
        """The names that it is valid for, as a list in a sentence."""
        found = [
            quoted(value)
            for kind, value in self._fields.get("subjectAltName", ())
            if kind in ("DNS", "IP Address")
        ]
        if not found:
            return "no host name at all (it has no subjectAltName)"
        if len(found) > _MOST_NAMES:
            return f"{', '.join(found[:_MOST_NAMES])} and {len(found) - _MOST_NAMES} more"
        return " and ".join(filter(None, [", ".join(found[:-1]), found[-1]]))


def _when(text: str | None) -> str:
    """Return a date, and how many days ago or ahead it is."""
    if text is None:
        return "an unknown date"
    seconds = cert_time_to_seconds(text)
    away = seconds - time()
    from datetime import datetime, timezone

    day = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{day} ({span(abs(away))} {'from now' if away > 0 else 'ago'})"


def span(seconds: float) -> str:
    """Format a time in its largest unit."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size or size == 1:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("unreachable")
