"""Hints for a peer that does not use TLS: what it seems to be, by the first bytes that it sent."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from ..._frozen import NamedTuple


class _Greeting(NamedTuple):
    pattern: bytes
    hint: str


_STARTTLS = (
    "The server greets in plain text, as an {name} server does. On this port TLS begins with "
    "{command}: use {way}, or connect to the port where TLS begins at once ({port})."
)

_FROM_SERVERS = [
    _Greeting(
        rb"HTTP/|<(?i:!doctype html|html)",
        "The server answered in plain HTTP: this port does not speak TLS. Use http:// here, or "
        "connect to the server's TLS port (443 for https).",
    ),
    _Greeting(
        rb"220[ -].*FTP",
        _STARTTLS.format(
            name="FTP", command="AUTH TLS", way="ftplib.FTP_TLS(context=...)", port="990"
        ),
    ),
    _Greeting(
        rb"220[ -]",
        _STARTTLS.format(
            name="SMTP", command="STARTTLS", way="smtplib.SMTP.starttls(context=...)", port="465"
        ),
    ),
    _Greeting(
        rb"\* (OK|PREAUTH|BYE)",
        _STARTTLS.format(
            name="IMAP",
            command="STARTTLS",
            way="imaplib.IMAP4.starttls(ssl_context=...)",
            port="993",
        ),
    ),
    _Greeting(
        rb"\+OK",
        _STARTTLS.format(
            name="POP3", command="STLS", way="poplib.POP3.stls(context=...)", port="995"
        ),
    ),
    _Greeting(
        rb"SSH-",
        "The server greets as an SSH server does: this port speaks SSH, not TLS.",
    ),
    _Greeting(
        rb"<(\?xml|stream)",
        "The server answered in XML, as an XMPP server does. On this port TLS begins with "
        "<starttls/>: negotiate it first, or connect to the port where TLS begins at once (5223).",
    ),
    _Greeting(
        rb"[\s\S]{3}\x00[\x09\x0a]",
        "The server greets as a MySQL server does: there TLS begins inside the protocol. Give the "
        "context to the database driver instead.",
    ),
    _Greeting(
        rb"[EN](\x00|$)",
        "The server answered as PostgreSQL does: there TLS begins with an SSLRequest. Give the "
        "context to the database driver instead.",
    ),
    _Greeting(
        rb"-(ERR|NOAUTH|DENIED)|\$-?\d",
        "The server answered as Redis does: this port speaks plain RESP. Use the port that "
        "`tls-port` names in its configuration.",
    ),
]

_FROM_CLIENTS = [
    _Greeting(
        rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|TRACE) ?",
        "The client speaks plain HTTP to this TLS port. Its URL has to begin with https://.",
    ),
    _Greeting(
        rb"PRI ",
        "The client speaks HTTP/2 without TLS (h2c) to this TLS port. Its URL has to begin with "
        "https://.",
    ),
    _Greeting(
        rb"CONNEC",
        "The client speaks to this TLS port as to a plain HTTP proxy (CONNECT). Set its proxy's "
        "URL to https://, or let it use the port without TLS.",
    ),
    _Greeting(
        rb"(EHLO|HELO|QUIT|AUTH|USER|\w{1,8} LOGIN)",
        "The client speaks plain text to a port where TLS begins at once. Let it use TLS from the "
        "start (SMTP_SSL, IMAP4_SSL, POP3_SSL), or serve it on a STARTTLS port.",
    ),
    _Greeting(rb"SSH-", "An SSH client has come to this TLS port."),
    _Greeting(
        rb"PROXY |\r\n\r\n\x00\r\nQUIT\n",
        "A load balancer's PROXY header came before the TLS handshake. Read it from the plain "
        "socket before you wrap it.",
    ),
    _Greeting(
        rb"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        "A PostgreSQL client has sent its SSLRequest to a port where TLS begins at once.",
    ),
]

_UNKNOWN = (
    "What the {peer} sent is not TLS. Check the port; does this one want another protocol, or a "
    "STARTTLS command first?"
)


def hint(received: bytes, *, server: bool) -> str:
    """Return a hint from the first bytes of a peer that does not use TLS.

    Args:
        received: the first bytes that arrived.
        server: whether this side is the server.
    """
    for greeting in _FROM_CLIENTS if server else _FROM_SERVERS:
        if re.match(greeting.pattern, received):
            return greeting.hint
    return _UNKNOWN.format(peer="client" if server else "server")
