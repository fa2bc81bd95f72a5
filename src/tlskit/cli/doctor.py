"""`tlskit doctor`: find what is or will be wrong with a TLS server, and what to do about it.

It makes between twelve and thirty connections, one after the other: as a strict client, as a
lenient one, one for each protocol version and for each group, and two in a row for resumption. It
sends nothing but TLS handshakes, after a STARTTLS if requested.
"""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from .. import _functions as functions
from .._context import SSLContext
from ..enums import TLSVersion, VerifyFlags, VerifyMode
from ..errors import SSLCertVerificationError, SSLError
from . import certificates, connect, failure, starttls
from .certificates import Shown
from .failure import Failure

STRICT = VerifyFlags.VERIFY_X509_STRICT | VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
OLD = (TLSVersion.TLSv1, TLSVersion.TLSv1_1)
SOON = timedelta(days=21)
GROUPS = ("X25519MLKEM768", "X25519", "P-256", "P-384", "P-521", "ffdhe2048")
POST_QUANTUM = GROUPS[:1]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        level: "ok"; "note", worth knowing; "warning", should be fixed; "problem", clients fail.
        topic: the subject, in a word or two.
        text: sentences.
    """

    level: str
    topic: str
    text: str


@dataclass
class Checkup:
    """The results of all checks.

    Attributes:
        order: the user's arguments.
        findings: in the order in which they were found.
        sent: the chain as the server sent it.
        proper: the chain as it should be sent; empty if unknown.
        versions: the protocol versions that the server supports.
        groups: the groups that it accepts, of those that this OpenSSL has.
        negotiated: what a client with default settings negotiated: protocol, cipher, group, ALPN.
    """

    order: connect.Order
    findings: list[Finding] = field(default_factory=list)
    sent: list[Shown] = field(default_factory=list)
    proper: list[Shown] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    negotiated: dict[str, Any] = field(default_factory=dict)

    def add(self, level: str, topic: str, text: str) -> None:
        self.findings.append(Finding(level, topic, text))

    @property
    def healthy(self) -> bool:
        return not any(f.level == "problem" for f in self.findings)


@dataclass(frozen=True)
class _Probe:
    """One handshake: its result, or the error that it failed with."""

    error: OSError | None = None
    sent: tuple[bytes, ...] = ()
    verified: tuple[bytes, ...] = ()
    negotiated: dict[str, Any] = field(default_factory=dict)


def run(order: connect.Order) -> Checkup:
    """Examine a server.

    Raises:
        Failure: there is no such server, or it does not begin TLS.
    """
    checkup = Checkup(order)
    trusting = _probe(order, _context(order, strict=False))
    anybody = trusting if trusting.error is None else _probe(order, _anybody())
    _negotiation(checkup, trusting, anybody)
    if anybody.error is None:
        _chain(checkup, trusting, anybody)
        _strictness(checkup, trusting)
    _versions(checkup)
    if checkup.versions:
        _groups(checkup)
        _resumption(checkup, trusted=trusting.error is None)
    return checkup


# -- connections ---------------------------------------------------------------------------------


def _context(order: connect.Order, *, strict: bool) -> SSLContext:
    try:
        context = functions.create_default_context(cafile=order.cafile)
    except OSError as error:
        raise failure.reading(error, "CA file", str(order.cafile)) from error
    flags = context.verify_flags & ~STRICT
    context.verify_flags = flags | (STRICT if strict else VerifyFlags.VERIFY_X509_PARTIAL_CHAIN)
    return context


def _anybody() -> SSLContext:
    """Return a context that accepts anything."""
    context = functions.create_default_context()
    context.check_hostname = False
    context.verify_mode = VerifyMode.CERT_NONE
    context.security_level = 0
    return context


def _only(version: TLSVersion) -> SSLContext:
    context = _anybody()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    if version in OLD:
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _probe(order: connect.Order, context: SSLContext) -> _Probe:
    where, timeout = order.where, order.timeout
    try:
        plain = socket.create_connection((order.host, order.port), timeout)
    except OSError as error:
        raise failure.connecting(error, where, timeout) from error
    except UnicodeError as error:
        raise Failure(f"{where} is not a host name.") from error
    with plain:
        starttls.start(plain, order.starttls, order.name, where, timeout)
        try:
            wrapped = context.wrap_socket(plain, server_hostname=order.name)
        except OSError as error:
            return _Probe(error=error)
        except ValueError as error:
            raise Failure(f"{order.name!r} cannot be a server's name: {error}.") from error
        with wrapped:
            cipher = wrapped.cipher()
            return _Probe(
                sent=tuple(map(bytes, wrapped.get_unverified_chain())),
                verified=tuple(map(bytes, wrapped.get_verified_chain())),
                negotiated={
                    "version": wrapped.version(),
                    "cipher": None if cipher is None else cipher[0],
                    "group": wrapped.group(),
                },
            )


def hint_of(error: OSError) -> str:
    """Return an error's hint, or its message if it has none."""
    hint: str = getattr(error, "hint", "")
    return hint or f"{failure.spoken(error.strerror or str(error)).capitalize()}."


# -- the checks ------------------------------------------------------------------------------------


def _negotiation(checkup: Checkup, trusting: _Probe, anybody: _Probe) -> None:
    if trusting.error is not None and not isinstance(trusting.error, SSLCertVerificationError):
        checkup.add("problem", "handshake", hint_of(trusting.error))
    if anybody.error is not None:
        if isinstance(trusting.error, SSLCertVerificationError):
            checkup.add("problem", "certificate", hint_of(trusting.error))
        return
    got = checkup.negotiated = anybody.negotiated
    parts = [got["version"], got["cipher"], got["group"]]
    checkup.add("ok", "handshake", f"{', '.join(filter(None, parts))}.")


def _chain(checkup: Checkup, trusting: _Probe, anybody: _Probe) -> None:
    sent = checkup.sent = certificates.shown(anybody.sent)
    if isinstance(trusting.error, SSLCertVerificationError):
        checkup.add("problem", "certificate", hint_of(trusting.error))
    elif trusting.error is None:
        checkup.add("ok", "certificate", f"Trusted, and valid for {checkup.order.name}.")
    checkup.proper = _proper(sent, trusting)
    for level, text in _order_of(sent, checkup.proper):
        checkup.add(level, "chain", text)
    for one in sent:
        if finding := _dates(one):
            checkup.add(*finding)


def _proper(sent: list[Shown], trusting: _Probe) -> list[Shown]:
    """Return the chain as it should be sent: each certificate followed by its issuer, without the
    root.
    """
    if trusting.error is None and trusting.verified:
        chain = certificates.shown(trusting.verified)
    else:
        chain = sent[:1]
        while chain and not chain[-1].self_issued:
            above = next((o for o in sent if o not in chain and o.issued(chain[-1])), None)
            if above is None:
                break
            chain.append(above)
    return chain[:1] + [one for one in chain[1:] if not one.self_issued]


def _order_of(sent: list[Shown], proper: list[Shown]) -> Iterator[tuple[str, str]]:
    missing = [one.subject for one in proper if one not in sent]
    if missing:
        yield (
            "warning",
            f"The server does not send {', '.join(missing)}, which this machine knows and others "
            "may not. Append it to the server's certificate file.",
        )
    wanted = [one for one in sent if one in proper]
    if [one.der for one in wanted] != [one.der for one in proper if one in sent]:
        yield (
            "warning",
            "The certificates are in the wrong order: each has to be followed by its issuer. Old "
            "TLS 1.2 clients refuse that.",
        )
    if len({one.der for one in sent}) < len(sent):
        yield "note", "A certificate is sent twice."
    roots = [one.subject for one in sent[1:] if one.self_issued]
    if roots:
        yield (
            "note",
            f"The root {', '.join(roots)} is sent too. Clients ignore it: leave it out to save "
            "bytes in every handshake.",
        )
    strays = [o.subject for o in sent if o not in proper and not o.self_issued]
    if strays:
        yield "note", f"{', '.join(strays)} is sent, and belongs to no chain to the leaf."


def _dates(one: Shown) -> tuple[str, str, str] | None:
    left = one.ends - datetime.now(timezone.utc)
    day = f"{one.ends:%Y-%m-%d %H:%M UTC}"
    if left < timedelta(0):
        return "problem", "dates", f"{one.subject} expired on {day}."
    if one.begins > datetime.now(timezone.utc):
        return "problem", "dates", f"{one.subject} is not valid before {one.begins:%Y-%m-%d}."
    if left < SOON and not one.self_issued:
        return "warning", "dates", f"{one.subject} expires in {left.days} days, on {day}."
    return None if one.authority else ("ok", "dates", f"{one.subject} is valid until {day}.")


def _strictness(checkup: Checkup, trusting: _Probe) -> None:
    """Check what a client with the defaults of Python 3.13 and later refuses."""
    if trusting.error is not None:
        return
    strict = _probe(checkup.order, _context(checkup.order, strict=True))
    if strict.error is not None:
        checkup.add(
            "warning",
            "strictness",
            f"Clients with the defaults of Python 3.13 and later fail. {hint_of(strict.error)}",
        )
        return
    chain = certificates.shown(strict.verified)
    odd = [f"{one.subject} {what}" for one in chain for what in one.leniencies]
    if odd:  # this OpenSSL is a 4.0 or later
        checkup.add(
            "warning",
            "strictness",
            "Clients with the defaults of Python 3.13 and later fail if their OpenSSL is older "
            f"than 4.0. {'. '.join(odd)}.",
        )
    else:
        checkup.add("ok", "strictness", "Passes VERIFY_X509_STRICT, the default of Python 3.13.")


def _versions(checkup: Checkup) -> None:
    for name, version in connect.VERSIONS.items():
        try:
            context = _only(version)
        except (ValueError, SSLError):  # this OpenSSL was built without it
            continue
        if _probe(checkup.order, context).error is None:
            checkup.versions.append(f"TLS {name}")
    spoken = ", ".join(checkup.versions) or "none that this OpenSSL has"
    old = [f"TLS {name}" for name, version in connect.VERSIONS.items() if version in OLD]
    if set(checkup.versions) & set(old):
        checkup.add(
            "warning",
            "versions",
            f"{spoken}. TLS 1.0 and 1.1 are deprecated: RFC 8996. Turn them off.",
        )
    elif checkup.versions and "TLS 1.3" not in checkup.versions:
        checkup.add("note", "versions", f"{spoken}. TLS 1.3 would make handshakes shorter.")
    elif checkup.versions:
        checkup.add("ok", "versions", f"{spoken}.")


def _groups(checkup: Checkup) -> None:
    known = []
    for name in GROUPS:
        context = _anybody()
        try:
            context.set_groups(name)
        except SSLError:  # this OpenSSL does not support it
            continue
        known.append(name)
        probe = _probe(checkup.order, context)
        if probe.error is None and (probe.negotiated["group"] or "").lower() in _aliases(name):
            checkup.groups.append(name)
    spoken = ", ".join(checkup.groups) or "none of those that were tried"
    if not set(known) & set(POST_QUANTUM):
        checkup.add("ok", "groups", f"{spoken}. This OpenSSL has no post-quantum group to try.")
    elif not set(checkup.groups) & set(POST_QUANTUM):
        checkup.add(
            "note",
            "groups",
            f"{spoken}. Without X25519MLKEM768, what is recorded today can be read once there are "
            "quantum computers.",
        )
    else:
        checkup.add("ok", "groups", f"{spoken}.")


def _aliases(name: str) -> set[str]:
    other = {"P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1"}
    return {name.lower(), other.get(name, name).lower(), "prime256v1" if name == "P-256" else ""}


def _resumption(checkup: Checkup, *, trusted: bool) -> None:
    order = replace(checkup.order, insecure=not trusted)
    try:
        outcome = connect.run(order)
    except Failure as error:
        checkup.add("note", "resumption", error.sentence)
        return
    if outcome.resumed:
        checkup.add("ok", "resumption", "A second connection resumed the session of the first.")
    else:
        why = outcome.reason or (outcome.failed.sentence if outcome.failed else "unknown")
        checkup.add("note", "resumption", f"Every handshake is a full one: {why.rstrip('.')}.")
