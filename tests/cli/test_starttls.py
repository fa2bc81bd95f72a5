"""`--starttls`: each protocol's plain beginning, against a server that speaks it, and one that does
not want to.
"""

from __future__ import annotations

import socket

import pytest

from tlskit.cli import starttls

from ..support import servers
from ..support.pairs import server_context
from .servers import Answering, as_json, complaint, serving

#: What a server says (S), and what it waits for (C).
TALKS: dict[str, list[tuple[str, bytes]]] = {
    "smtp": [
        ("S", b"220-mail.example\r\n220 ESMTP\r\n"),
        ("C", b"EHLO localhost\r\n"),
        ("S", b"250-mail.example\r\n250-SIZE 1\r\n250 STARTTLS\r\n"),
        ("C", b"STARTTLS\r\n"),
        ("S", b"220 go ahead\r\n"),
    ],
    "imap": [
        ("S", b"* OK ready\r\n"),
        ("C", b"a STARTTLS\r\n"),
        ("S", b"* CAPABILITY IMAP4rev1\r\na OK begin\r\n"),
    ],
    "pop3": [("S", b"+OK ready\r\n"), ("C", b"STLS\r\n"), ("S", b"+OK begin\r\n")],
    "ftp": [("S", b"220 ready\r\n"), ("C", b"AUTH TLS\r\n"), ("S", b"234 begin\r\n")],
    "ldap": [
        ("C", b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"),
        ("S", b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"),
    ],
    "postgres": [("C", b"\x00\x00\x00\x08\x04\xd2\x16\x2f"), ("S", b"S")],
    "xmpp": [
        (
            "C",
            b"<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' "
            b"xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
        ),
        (
            "S",
            b"<?xml version='1.0'?><stream:stream id='1' version='1.0'><stream:features>"
            b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
        ),
        ("C", b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        ("S", b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    ],
}

#: How each server says no, in place of its last word.
REFUSALS = {
    "smtp": (b"454 TLS not available\r\n", "the SMTP server said '454 TLS not available'"),
    "imap": (b"a NO not now\r\n", "the IMAP server said 'a NO not now'"),
    "pop3": (b"-ERR not now\r\n", "the POP3 server said '-ERR not now'"),
    "ftp": (b"534 no\r\n", "the FTP server said '534 no'"),
    "ldap": (
        b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00",
        "the LDAP server refused StartTLS",
    ),
    "postgres": (b"N", "the PostgreSQL server has TLS turned off (ssl = off)"),
    "xmpp": (b"<failure/>", "the XMPP server said '<failure/>'"),
}


def exactly(plain: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (data := plain.recv(size - len(got))):
        got += data
    return got


class Talking:
    """A server that talks in plain text first, and then answers over TLS."""

    def __init__(self, talk: list[tuple[str, bytes]], then: Answering | None) -> None:
        self.talk, self.then, self.wrong = talk, then, b""

    def __call__(self, plain: socket.socket) -> None:
        for who, text in self.talk:
            if who == "S":
                plain.sendall(text)
            elif (heard := exactly(plain, len(text))) != text:
                self.wrong = heard
                return
        if self.then is not None:
            self.then(plain)


@pytest.mark.parametrize("protocol", TALKS)
def test_begins(pki, capsys, protocol):
    talking = Talking(TALKS[protocol], Answering(server_context(pki)))
    with serving(talking) as port:
        told = as_json(
            capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root),
            "--starttls", protocol,
        )  # fmt: skip
    assert talking.wrong == b""
    assert told["resumed"]


@pytest.mark.parametrize("protocol", TALKS)
def test_refuses(capsys, protocol):
    no, why = REFUSALS[protocol]
    with serving(Talking([*TALKS[protocol][:-1], ("S", no)], None)) as port:
        said = complaint(capsys, "connect", f"localhost:{port}", "--starttls", protocol)
    assert said == f"localhost:{port} did not begin TLS by {protocol.upper()}'s STARTTLS: {why}."


@pytest.mark.parametrize("protocol", TALKS)
def test_hangs_up(capsys, protocol):
    with serving(lambda plain: plain.shutdown(socket.SHUT_WR)) as port:
        said = complaint(capsys, "doctor", f"localhost:{port}", "--starttls", protocol)
    assert "closed the connection before it began TLS" in said


def test_nothing_is_read_beyond_the_plain_part():
    """An attacker on the way may put bytes behind the server's last word; TLS has to see them."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"+OK ready\r\n+OK begin\r\ninjected")
        starttls.begin(near, "pop3", "localhost")
        assert near.recv(100) == b"injected"


@pytest.mark.slow
def test_a_real_postgres(pki, capsys):
    with servers.postgres_server(pki.narrow) as running:
        told = as_json(
            capsys, "connect", f"postgres://localhost:{running.port}", "--cafile", str(pki.root)
        )
    assert told["connections"][0]["version"] == "TLSv1.3"
