"""One measured connection, as the demo, its second process and `tlskit connect` make it.

A visit connects, sets the session if there is one, does the handshake, and then reads until the
tickets have arrived: with TLS 1.3 they follow the handshake, with the first read.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from .._connection.socket import SSLSocket
from .._context import SSLContext
from .._resumption.reasons import NotOffered, Refused, Resumed
from ..sessions import SSLSession
from . import failure
from . import starttls as begin

Address = tuple[str, int]


@dataclass(frozen=True)
class Visit:
    """The facts about one connection.

    Attributes:
        process: the process that made it: "first" or "second".
        address, port: the server's, as numbers.
        version, cipher, cipher_bits, group, alpn: what was negotiated; a TLS 1.2 resumption shows
            its session's group.
        resumed: whether the handshake resumed a session.
        age: the session's age in seconds; None if it did not resume.
        reason: why the handshake was a full one although it was to resume; otherwise None.
        milliseconds: how long the handshake took.
        handshake_sent, handshake_received: bytes on the wire until its end.
        sent, received: bytes on the wire of the whole connection.
        tickets: how many new sessions arrived.
        ticket_lifetime: how many seconds the last one can be offered for; None if there was none.
    """

    process: str
    address: str
    port: int
    version: str
    cipher: str | None
    cipher_bits: int
    group: str | None
    alpn: str | None
    resumed: bool
    age: int | None
    reason: str | None
    milliseconds: float
    handshake_sent: int
    handshake_received: int
    sent: int
    received: int
    tickets: int
    ticket_lifetime: int | None


@dataclass(frozen=True)
class Guest:
    """A connection after its visit, before it is closed: the report, the session for the next
    visit, the certificate.
    """

    visit: Visit
    session: SSLSession | None
    certificate: dict[str, Any]
    chain: list[bytes]
    signature: str | None


def visit(
    address: Address,
    context: SSLContext,
    *,
    server_hostname: str | None,
    session: SSLSession | None = None,
    timeout: float,
    converse: Callable[[SSLSocket, list[SSLSession]], None],
    where: str,
    process: str = "first",
    starttls: str | None = None,
) -> Guest:
    """Connect, do the handshake, receive the tickets, and close.

    Args:
        address: the server's: a name or a number, and a port.
        context: the context to connect with; its `sessions.on_new` is used.
        server_hostname: the name to send and to verify.
        session: the session to resume, if any.
        timeout: for the TCP connection, and again for the handshake, in seconds.
        converse: called with the socket and the growing list of new sessions.
        where: the server as the user names it, for messages.
        process: see `Visit`.
        starttls: the protocol in which TLS begins on request; None if it begins at once.

    Raises:
        Failure: the connection or the handshake failed.
    """
    fresh: list[SSLSession] = []
    context.sessions.on_new = lambda connection, new: fresh.append(new)
    try:
        plain = socket.create_connection(address, timeout)
    except OSError as error:
        raise failure.connecting(error, where, timeout) from error
    except UnicodeError as error:
        raise failure.Failure(f"{where} is not a host name.") from error
    with plain:
        begin.start(plain, starttls, server_hostname or address[0], where, timeout)
        try:
            host, port = _peer(plain)
            wrapped = context.wrap_socket(
                plain,
                server_hostname=server_hostname,
                do_handshake_on_connect=False,
                session=session,
            )
        except OSError as error:
            raise failure.handshaking(error, where, timeout) from error
        except (TypeError, ValueError) as error:
            raise failure.Failure(
                f"{server_hostname!r} cannot be a server's name: {error}."
            ) from error
        with wrapped:
            begun = perf_counter()
            try:
                wrapped.do_handshake()
            except OSError as error:
                raise failure.handshaking(error, where, timeout) from error
            took = perf_counter() - begun
            after = _facts(wrapped)
            converse(wrapped, fresh)
            end = _facts(wrapped)
            certificate = _certificate(wrapped)
            chain = [bytes(der) for der in wrapped.get_unverified_chain()]
            signature = _channel(wrapped).signature_algorithm(peer=True)
            resumption = wrapped.resumption
            _say_goodbye(wrapped)
    kept = fresh[-1] if fresh else session if end.reused else None
    wanted = session is not None or context.sessions.resume
    report = Visit(
        process=process,
        address=host,
        port=port,
        version=end.version_name,
        cipher=end.cipher_name,
        cipher_bits=end.cipher_bits,
        group=end.group,
        alpn=end.alpn,
        resumed=end.reused,
        age=resumption.age if isinstance(resumption, Resumed) else None,
        reason=str(resumption.reason)
        if wanted and isinstance(resumption, (NotOffered, Refused))
        else None,
        milliseconds=round(took * 1000, 3),
        handshake_sent=after.bytes_written,
        handshake_received=after.bytes_read,
        sent=end.bytes_written,
        received=end.bytes_read,
        tickets=len(fresh),
        ticket_lifetime=fresh[-1].expires_at - fresh[-1].time if fresh else None,
    )
    return Guest(report, kept, certificate, chain, signature)


def _peer(plain: socket.socket) -> Address:
    """Return the server's address, in a form that `create_connection` accepts."""
    host, port, *rest = plain.getpeername()
    if len(rest) == 2 and rest[1]:
        # a link-local address means nothing without its zone
        host = f"{host.partition('%')[0]}%{rest[1]}"
    return host, port


def _channel(wrapped: SSLSocket) -> Any:
    """Return the connection's Channel: no other code of the command line reaches into it."""
    return wrapped._channel()


def _facts(wrapped: SSLSocket) -> Any:
    return _channel(wrapped).facts()


def _certificate(wrapped: SSLSocket) -> dict[str, Any]:
    """Return the peer's certificate, even if it was not verified; {} without one."""
    peer = _channel(wrapped).peer()
    return {} if peer is None else peer.fields()


def _say_goodbye(wrapped: SSLSocket) -> None:
    """Send close_notify, and do not wait for the peer's."""
    with contextlib.suppress(OSError):
        wrapped.setblocking(False)
        wrapped.unwrap()
