"""A user's argument that names a server: HOST, HOST:PORT, or a URL."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

#: The port of a scheme, and how TLS begins there; None if at once.
SCHEMES: dict[str, tuple[int, str | None]] = {
    "https": (443, None),
    "wss": (443, None),
    "smtps": (465, None),
    "imaps": (993, None),
    "pop3s": (995, None),
    "ftps": (990, None),
    "ldaps": (636, None),
    "rediss": (6379, None),
    "mqtts": (8883, None),
    "amqps": (5671, None),
    "smtp": (25, "smtp"),
    "submission": (587, "smtp"),
    "imap": (143, "imap"),
    "pop3": (110, "pop3"),
    "ftp": (21, "ftp"),
    "ldap": (389, "ldap"),
    "postgres": (5432, "postgres"),
    "postgresql": (5432, "postgres"),
    "xmpp": (5222, "xmpp"),
}


class Target(NamedTuple):
    """A server, and the protocol in which TLS begins there (None if at once)."""

    host: str
    port: int
    starttls: str | None = None


def target(text: str) -> Target:
    """Parse a user's argument.

    Raises:
        ValueError: it does not name a server; the message is for the user.
    """
    if "://" in text:
        return _from_url(text)
    host, port = text, ""
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise ValueError(f"{text!r} is not [ADDRESS] or [ADDRESS]:PORT")
        port = port[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host or "/" in host or any(c.isspace() for c in host):
        raise ValueError(f"{text!r} is not HOST, HOST:PORT or a URL")
    return Target(host, _port(port) if port else 443)


def _from_url(text: str) -> Target:
    scheme, _, _ = text.partition("://")
    if scheme.lower() not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise ValueError(f"{scheme}:// is not one of the schemes that begin TLS: {known}")
    usual, starttls = SCHEMES[scheme.lower()]
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URL: {error}") from None
    if not host:
        raise ValueError(f"{text!r} names no host")
    return Target(host, usual if port is None else _port(str(port)), starttls)


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number < 65536:
        raise ValueError(f"{text!r} is not a port between 1 and 65535")
    return number
