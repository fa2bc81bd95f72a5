"""`tlskit connect`: show what a TLS server negotiates, and whether it resumes."""

from __future__ import annotations

import select
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from .._connection.socket import SSLSocket
from .._context import SSLContext
from .._functions import create_default_context
from .._stdlib.constants import OP_IGNORE_UNEXPECTED_EOF
from ..enums import TLSVersion, VerifyMode
from ..errors import SSLCertVerificationError, SSLError, SSLWantReadError
from ..sessions import SessionStats, SSLSession
from . import failure, places
from .certificates import Shown, shown
from .failure import Failure
from .visit import Guest, Visit, visit

VERSIONS = {
    "1.0": TLSVersion.TLSv1,
    "1.1": TLSVersion.TLSv1_1,
    "1.2": TLSVersion.TLSv1_2,
    "1.3": TLSVersion.TLSv1_3,
}
HTTPS_PORTS = (443, 8443)

_TICKETS_WITHIN = 1.0  # seconds
_STORE_WITHIN = 1.0  # seconds
_SIBLINGS_WITHIN = 0.1  # seconds to wait for a second ticket after the first: many servers send two


@dataclass(frozen=True)
class Order:
    """The user's arguments.

    Attributes:
        host, port: the server.
        server_name: the name to send and to verify; None for the host.
        cafile: the trusted authorities; None for the operating system's.
        insecure: verify nothing.
        alpn: the application protocols to offer.
        lowest, highest: the protocol versions; None for tlskit's defaults.
        timeout: for each TCP connection and each handshake, in seconds.
        store: the store to take sessions from and keep new ones in, or None.
        secret_file: the file with the store's secret.
        starttls: the protocol in which TLS begins on request; None if it begins at once.
        groups, ciphers: what to offer, in OpenSSL's notation; None for the defaults.
    """

    host: str
    port: int
    server_name: str | None = None
    cafile: str | None = None
    insecure: bool = False
    alpn: tuple[str, ...] = ()
    lowest: TLSVersion | None = None
    highest: TLSVersion | None = None
    timeout: float = 10.0
    store: str | None = None
    secret_file: str | None = None
    starttls: str | None = None
    groups: str | None = None
    ciphers: str | None = None

    @property
    def where(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        return (
            self.server_name or self.host.partition("%")[0]
        )  # without the zone of an IPv6 address


@dataclass(frozen=True)
class Outcome:
    """The results.

    Attributes:
        order: the user's arguments.
        visits: the connections, one or two.
        certificate: the server's, in the format of `getpeercert`, verified or not.
        statistics: the counters of the context that both connections were made from.
        chain: the server's certificates, as it sent them.
        signature: the algorithm that the server signed its handshake with; None if unknown.
        failed: why there is no second connection; None if there is one.
    """

    order: Order
    visits: list[Visit]
    certificate: dict[str, Any] = field(repr=False)
    statistics: SessionStats
    chain: list[Shown] = field(repr=False, default_factory=list)
    signature: str | None = None
    failed: Failure | None = None

    @property
    def resumed(self) -> bool:
        return len(self.visits) > 1 and self.visits[1].resumed

    @property
    def reason(self) -> str | None:
        """Why the second connection did not resume; None if it did, or was not made."""
        if self.resumed or len(self.visits) < 2:
            return None
        first, second = self.visits
        if first.tickets == 0 and not first.resumed:
            if first.version == "TLSv1.3":
                return f"no ticket came within {_TICKETS_WITHIN:g} s of the first handshake"
            return "the server gave the first connection neither a session id nor a ticket"
        if first.ticket_lifetime == 0:
            return "the server said that its ticket is good for 0 seconds"
        if first.version != second.version:
            return f"the server chose {second.version} this time"
        return second.reason


def run(order: Order) -> Outcome:
    """Connect, describe, reconnect.

    Raises:
        Failure: the first connection failed. If only the second did, the outcome says so.
    """
    context = _context(order)
    if order.store is None:
        return _visits(order, context)
    with closing(
        places.to_use(order.store, places.given_secret(order.secret_file), timeout=_STORE_WITHIN)
    ) as store:
        context.sessions.store = store
        return _visits(order, context)


def _visits(order: Order, context: SSLContext) -> Outcome:
    first = _visit(order, context, (order.host, order.port), None)
    visits, failed = [first.visit], None
    try:
        # Connect to the same machine: another one behind the same name need not know the session.
        # With a store, it does.
        by_hand = first.session if order.store is None else None
        visits.append(_visit(order, context, (first.visit.address, order.port), by_hand).visit)
    except Failure as error:
        failed = Failure(
            f"The first connection was made, the second was not. {error.sentence}",
            status=error.status,
        )
    return Outcome(
        order,
        visits,
        first.certificate,
        context.sessions.stats(),
        chain=shown(first.chain),
        signature=first.signature,
        failed=failed,
    )


def _visit(
    order: Order, context: SSLContext, address: tuple[str, int], session: SSLSession | None
) -> Guest:
    try:
        return visit(
            address,
            context,
            server_hostname=order.name,
            session=session,
            timeout=order.timeout,
            converse=_conversation(order),
            where=order.where,
            starttls=order.starttls,
        )
    except Failure as error:
        if isinstance(error.__cause__, SSLCertVerificationError):
            options = (
                "To trust another authority use --cafile, to expect another name --server-name, to "
                "verify nothing --insecure."
            )
            raise Failure(
                f"{error.sentence} {options}", status=error.status, details=error.details
            ) from error
        raise


def _context(order: Order) -> SSLContext:
    try:
        context = create_default_context(cafile=order.cafile)
    except OSError as error:
        raise failure.reading(error, "CA file", str(order.cafile)) from error
    context.options &= ~OP_IGNORE_UNEXPECTED_EOF  # set by some distributions; report the EOF here
    if order.insecure:
        context.check_hostname = False
        context.verify_mode = VerifyMode.CERT_NONE
    if order.alpn:
        try:
            context.set_alpn_protocols(order.alpn)
        except (SSLError, UnicodeError) as error:
            raise Failure(
                f"These are not application protocols: {', '.join(order.alpn)}.",
                status=failure.MISUSED,
            ) from error
    _bound(context, order.lowest, order.highest)
    _offer(context, order)
    return context


def _offer(context: SSLContext, order: Order) -> None:
    """Offer only these groups and cipher suites; those of TLS 1.3 are set separately."""
    try:
        if order.groups is not None:
            context.set_groups(order.groups.replace(",", ":"))
        if order.ciphers is not None:
            names = order.ciphers.replace(",", ":").split(":")
            newer = [name for name in names if name.startswith("TLS_")]
            older = [name for name in names if name not in newer]
            if newer:
                context.set_ciphersuites(":".join(newer))
            if older:
                context.set_ciphers(":".join(older))
            if not older:
                context.minimum_version = TLSVersion.TLSv1_3
            if not newer and context.maximum_version != TLSVersion.TLSv1_3:
                context.maximum_version = TLSVersion.TLSv1_2
    except (SSLError, ValueError) as error:
        what = order.groups if order.ciphers is None else order.ciphers
        raise Failure(f"This OpenSSL does not accept {what!r}.", status=failure.MISUSED) from error


def _bound(context: SSLContext, lowest: TLSVersion | None, highest: TLSVersion | None) -> None:
    if highest is not None and lowest is None:
        lowest = min(highest, TLSVersion.TLSv1_2)
    if highest is not None and lowest is not None and lowest > highest:
        raise Failure(
            f"These protocol versions leave nothing to negotiate: {lowest.name} is above "
            f"{highest.name}.",
            status=failure.MISUSED,
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # the user has requested the old version by name
            if lowest is not None:
                context.minimum_version = lowest
            if highest is not None:
                context.maximum_version = highest
    except ValueError as error:
        raise Failure(
            f"These protocol versions leave nothing to negotiate: {error}.", status=failure.MISUSED
        ) from error
    if lowest is not None and lowest < TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL 3 has TLS 1.0 and 1.1 only at this level


def _conversation(order: Order) -> Callable[[SSLSocket, list[SSLSession]], None]:
    """Return a function that makes tickets arrive: it sends a harmless request, and waits a
    moment.
    """

    def converse(connection: SSLSocket, fresh: list[SSLSession]) -> None:
        if fresh or connection.version() != "TLSv1.3":
            return  # up to TLS 1.2, sessions arrive with the handshake
        alpn = connection.selected_alpn_protocol()
        try:
            if alpn == "http/1.1" or (alpn is None and order.port in HTTPS_PORTS):
                connection.sendall(_head_request(connection.server_hostname or "", order.port))
            _await_session(connection, fresh)
        except OSError as error:
            # A TLS 1.3 server may refuse the client only now, for example because it wants a
            # certificate. Any other way in which it ends a negotiated connection does not matter
            # here.
            if getattr(error, "alert_received", None) is not None:
                raise failure.handshaking(error, order.where, order.timeout) from error

    return converse


def _head_request(name: str, port: int) -> bytes:
    host = f"[{name}]" if ":" in name else name
    if port != 443:
        host += f":{port}"
    return (
        f"HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tlskit\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def _await_session(connection: SSLSocket, fresh: list[SSLSession]) -> None:
    """Read until the sessions have arrived, the server has closed, or time is up."""
    deadline = monotonic() + _TICKETS_WITHIN
    connection.setblocking(False)
    while (left := deadline - monotonic()) > 0:
        before = len(fresh)
        try:
            if not connection.recv(16384):
                return
        except SSLWantReadError:
            if len(fresh) == before:
                select.select([connection], [], [], left)
        if fresh:
            deadline = min(deadline, monotonic() + _SIBLINGS_WITHIN)
