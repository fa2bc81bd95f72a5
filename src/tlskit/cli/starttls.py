"""The plaintext beginning of protocols in which TLS starts on request (STARTTLS).

Each function here talks until the next byte in either direction is TLS. A server's reply is read
byte by byte to its end and not beyond: the bytes after it belong to TLS.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from html import escape

from .failure import Failure, spoken

_LONGEST = 65536  # bytes that a server may send before TLS begins


class Unwilling(Exception):
    """The server does not begin TLS; the text contains its reply."""


def begin(sock: socket.socket, protocol: str, host: str) -> None:
    """Ask the server to begin TLS.

    Args:
        sock: connected, with a timeout.
        protocol: one of PROTOCOLS.
        host: the server's name, which XMPP requires.

    Raises:
        Unwilling: the server refused, or uses another protocol.
        OSError: the connection failed.
    """
    PROTOCOLS[protocol](sock, host)


def _byte(sock: socket.socket) -> bytes:
    byte = sock.recv(1)
    if not byte:
        raise Unwilling("the server closed the connection before it began TLS")
    return byte


def _until(sock: socket.socket, end: bytes) -> bytes:
    """Read up to and including `end`."""
    said = bytearray()
    while not said.endswith(end):
        if len(said) >= _LONGEST:
            raise Unwilling(f"the server said {_LONGEST} bytes and no end of them")
        said += _byte(sock)
    return bytes(said)


def _shown(said: bytes) -> str:
    text = said.decode("utf-8", "replace").strip()
    return text[:77] + "..." if len(text) > 80 else text


def _expect(said: bytes, wanted: bytes, name: str) -> None:
    if not said.startswith(wanted):
        raise Unwilling(f"the {name} server said {_shown(said)!r}")


def _replies(sock: socket.socket) -> bytes:
    """Read a reply of SMTP or FTP, and return its last line."""
    while True:
        line = _until(sock, b"\n")
        if not re.match(rb"\d{3}-", line) and not line.startswith(b" "):
            return line


def _smtp(sock: socket.socket, host: str) -> None:
    _expect(_replies(sock), b"220", "SMTP")
    sock.sendall(b"EHLO localhost\r\n")
    _expect(_replies(sock), b"250", "SMTP")
    sock.sendall(b"STARTTLS\r\n")
    _expect(_replies(sock), b"220", "SMTP")


def _ftp(sock: socket.socket, host: str) -> None:
    _expect(_replies(sock), b"220", "FTP")
    sock.sendall(b"AUTH TLS\r\n")
    _expect(_replies(sock), b"234", "FTP")


def _imap(sock: socket.socket, host: str) -> None:
    _expect(_until(sock, b"\n"), b"* OK", "IMAP")
    sock.sendall(b"a STARTTLS\r\n")
    while (line := _until(sock, b"\n")).startswith(b"* "):
        pass
    _expect(line, b"a OK", "IMAP")


def _pop3(sock: socket.socket, host: str) -> None:
    _expect(_until(sock, b"\n"), b"+OK", "POP3")
    sock.sendall(b"STLS\r\n")
    _expect(_until(sock, b"\n"), b"+OK", "POP3")


#: An LDAPMessage: ExtendedRequest 1.3.6.1.4.1.1466.20037 (RFC 4511, 4.14).
_LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + b"1.3.6.1.4.1.1466.20037"


def _ldap(sock: socket.socket, host: str) -> None:
    sock.sendall(_LDAP_REQUEST)
    answer = _ber(sock)
    # messageID 1, then an ExtendedResponse whose resultCode is success (0)
    if not re.match(rb"\x02\x01\x01\x78[\s\S]{1,5}?\x0a\x01\x00", answer):
        raise Unwilling("the LDAP server refused StartTLS")


def _ber(sock: socket.socket) -> bytes:
    """Read a SEQUENCE, and return its contents."""
    if _byte(sock) != b"\x30":
        raise Unwilling("the server does not speak LDAP")
    size = _byte(sock)[0]
    if size & 0x80:
        size = int.from_bytes(_exactly(sock, min(size & 0x7F, 4)), "big")
    return _exactly(sock, min(size, _LONGEST))


def _exactly(sock: socket.socket, size: int) -> bytes:
    return b"".join(_byte(sock) for _ in range(size))


def _postgres(sock: socket.socket, host: str) -> None:
    sock.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
    answer = _byte(sock)
    if answer == b"N":
        raise Unwilling("the PostgreSQL server has TLS turned off (ssl = off)")
    if answer != b"S":
        raise Unwilling("the server does not speak PostgreSQL's protocol")


def _xmpp(sock: socket.socket, host: str) -> None:
    opening = (
        f"<?xml version='1.0'?><stream:stream to='{escape(host)}' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
    )
    sock.sendall(opening.encode())
    features = _until(sock, b">")
    while not re.search(rb"</(stream:)?features>|<(stream:)?features\s*/>|</stream:", features):
        features += _until(sock, b">")
        if len(features) > _LONGEST:
            raise Unwilling("the XMPP server's features have no end")
    if b"urn:ietf:params:xml:ns:xmpp-tls" not in features:
        raise Unwilling("the XMPP server does not offer STARTTLS")
    sock.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    answer = _until(sock, b">")
    if not answer.lstrip().startswith(b"<proceed"):
        raise Unwilling(f"the XMPP server said {_shown(answer)!r}")


PROTOCOLS: dict[str, Callable[[socket.socket, str], None]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ftp": _ftp,
    "ldap": _ldap,
    "postgres": _postgres,
    "xmpp": _xmpp,
}


def start(sock: socket.socket, protocol: str | None, host: str, where: str, timeout: float) -> None:
    """Begin TLS with this protocol, or do nothing for None.

    Raises:
        Failure: the server did not begin TLS; the sentence is for the user.
    """
    if protocol is None:
        return
    name = protocol.upper()
    try:
        begin(sock, protocol, host)
    except Unwilling as error:
        raise Failure(f"{where} did not begin TLS by {name}'s STARTTLS: {error}.") from error
    except TimeoutError as error:
        said = f"{where} did not begin TLS by {name}'s STARTTLS within {timeout:g} s"
        raise Failure(
            f"{said}. Does TLS begin at once on this port? Leave out --starttls then."
        ) from error
    except OSError as error:
        why = spoken(error.strerror or str(error))
        raise Failure(f"{where} failed before it began TLS: {why}.") from error
