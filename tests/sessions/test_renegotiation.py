"""What a connection answers while a renegotiation is under way (TLS 1.2), and after it.

The other side is the `openssl` command, which begins the renegotiation. The end under test is fed
one record at a time, and asked everything after each.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tlskit
from tlskit import NotOffered, Reason, Resumed, TLSVersion

from ..support.pairs import Background, client_context, only, server_context
from ..support.peers import Peer, s_client, s_server, speaking, version
from ..support.pki import PKI
from ..support.processes import PATIENCE

pytestmark = pytest.mark.skipif(version() is None, reason="there is no openssl command")

TLSv1_2 = TLSVersion.TLSv1_2
QUESTIONS: dict[str, Callable[[tlskit.SSLObject], Any]] = {
    "version": lambda end: end.version(),
    "cipher": lambda end: end.cipher(),
    "group": lambda end: end.group(),
    "protocol": lambda end: end.selected_alpn_protocol(),
    "compression": lambda end: end.compression(),
    "shared ciphers": lambda end: end.shared_ciphers(),
    "key identity": lambda end: end.psk_identity,
    "certificate": lambda end: end.getpeercert(True),
    "fields": lambda end: end.getpeercert(),
    "verified": lambda end: end.get_verified_chain(),
    "unverified": lambda end: end.get_unverified_chain(),
    "reused": lambda end: end.session_reused,
    "resumption": lambda end: type(end.resumption),
    "info": lambda end: end.info,
    "session": lambda end: end.session,
    "binding": lambda end: end.get_channel_binding(),
}


def answers(end: tlskit.SSLObject) -> dict[str, Any]:
    return {name: ask(end) for name, ask in QUESTIONS.items()}


class End:
    """A connection in memory whose peer is behind a socket."""

    def __init__(self, context: tlskit.SSLContext, sock: socket.socket, **options: Any) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)
        self.stream = sock.makefile("rb")
        self.incoming, self.outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, **options)
        while self.attempt(self.tls.do_handshake) is None and not self.tls.version():
            self.feed()

    def attempt(self, work: Callable[[], Any]) -> Any:
        """What it gives; None when it needs more."""
        try:
            return work()
        except tlskit.SSLWantReadError:
            return None
        finally:
            if self.outgoing.pending:
                self.sock.sendall(self.outgoing.read())

    def feed(self) -> None:
        """One record."""
        head = self.stream.read(5)
        self.incoming.write(head + self.stream.read(int.from_bytes(head[3:], "big")))

    def read(self, after_each: Callable[[], object] = lambda: None) -> bytes:
        """The next data."""
        while (data := self.attempt(lambda: self.tls.read(100))) is None:
            after_each()
            self.feed()
        return bytes(data)


def client(pki: PKI) -> Any:
    context = client_context(pki)
    only(TLSv1_2, context)
    context.set_alpn_protocols(["h2"])
    return context


@contextlib.contextmanager
def connected(context: tlskit.SSLContext, address: Any) -> Iterator[End]:
    with socket.create_connection(address) as sock:
        yield End(context, sock, server_hostname="localhost")


@contextlib.contextmanager
def client_end(pki: PKI, *options: str) -> Iterator[tuple[End, Peer]]:
    """A tlskit client of `s_server`."""
    said = (*speaking(TLSv1_2), "-alpn", "h2", *options)
    with s_server(pki.direct, *said) as peer, connected(client(pki), peer.address) as end:
        yield end, peer


@contextlib.contextmanager
def server_end(
    pki: PKI,
) -> Iterator[tuple[End, Peer]]:
    """A tlskit server of `s_client`, which shows a certificate."""
    context = server_context(pki)
    only(TLSv1_2, context)
    context.load_verify_locations(pki.root)
    context.verify_mode = tlskit.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    context.options |= tlskit.OP_ALLOW_CLIENT_RENEGOTIATION
    certificate = ("-cert", str(pki.client.chain), "-key", str(pki.client.key))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        s_client(
            listener.getsockname(), pki.root, *speaking(TLSv1_2), "-alpn", "h2", *certificate
        ) as peer,
    ):
        listener.settimeout(PATIENCE)
        with listener.accept()[0] as sock:
            yield End(context, sock, server_side=True), peer


#: What a renegotiation changes, when it is complete; and nothing else does.
CHANGED = {"info", "session", "binding"}


def renegotiate(end: End, peer: Peer) -> list[dict[str, Any]]:
    """Let the peer begin one, and return the answers before it and after each record of it."""
    peer.say(b"before\n")
    assert end.read() == b"before\n"
    letter, mark = (
        (b"R\n", "RENEGOTIATING") if end.tls.server_side else (b"r\n", "SSL_do_handshake -> 1")
    )
    given = [answers(end.tls)]

    def work() -> None:
        peer.say(letter)
        peer.expect(mark)
        peer.say(b"after\n")

    talking = Background(work)
    assert end.read(lambda: given.append(answers(end.tls))) == b"after\n"
    talking.result()
    return given


def judge(given: list[dict[str, Any]], after: dict[str, Any], *, resumed: bool) -> None:
    before = given[0]
    assert before["info"] is not None
    assert before["certificate"] is not None
    assert before["protocol"] == "h2"
    changed = [{name for name in QUESTIONS if seen[name] != before[name]} for seen in given]
    assert sum(not names for names in changed) > 3, "it was asked in the middle"
    first = next((i for i, names in enumerate(changed) if names), len(changed))
    assert all(names <= CHANGED for names in changed[first:]), "all of it changes at once"
    different = {name for name in QUESTIONS if after[name] != before[name]}
    assert "binding" in different
    assert ("session" in different) is not resumed
    assert different <= CHANGED
    assert after["info"].peer_certificate_chain == before["info"].peer_certificate_chain
    assert after["info"].alpn == "h2"


@pytest.mark.parametrize("resumed", [True, False], ids=["abbreviated", "full"])
def test_client(pki: PKI, resumed: bool) -> None:
    options = () if resumed else ("-no_resumption_on_reneg",)
    with client_end(pki, *options) as (end, peer):
        given = renegotiate(end, peer)
        judge(given, answers(end.tls), resumed=resumed)
        assert end.tls.session_reused is False
        assert end.tls.resumption == NotOffered(Reason.NOT_ENABLED)


def test_server(pki: PKI) -> None:
    with server_end(pki) as (end, peer):
        given = renegotiate(end, peer)
        judge(given, answers(end.tls), resumed=False)
        assert end.tls.session_reused is False
        assert end.tls.resumption == NotOffered(Reason.CLIENT_OFFERED_NOTHING)


@pytest.mark.parametrize("again", [True, False], ids=["abbreviated", "full"])
def test_client_that_had_resumed(pki: PKI, again: bool) -> None:
    """The connection was resumed, whatever its second handshake does."""
    context = client(pki)
    context.sessions.resume = True
    options = () if again else ("-no_resumption_on_reneg",)
    said = (*speaking(TLSv1_2), "-alpn", "h2", *options)
    with s_server(pki.direct, *said) as peer:
        with connected(context, peer.address) as end:
            end.attempt(end.tls.unwrap)
        with connected(context, peer.address) as end:
            peer.expect("^CIPHER is")
            peer.expect("^CIPHER is")
            given = renegotiate(end, peer)
            judge(given, answers(end.tls), resumed=again)
            assert end.tls.session_reused is True
            assert isinstance(end.tls.resumption, Resumed)


def test_twice(pki: PKI) -> None:
    with server_end(pki) as (end, peer):
        judge(renegotiate(end, peer), answers(end.tls), resumed=False)
        judge(renegotiate(end, peer), answers(end.tls), resumed=False)


@pytest.mark.parametrize("server", [True, False], ids=["server", "client"])
def test_one_that_never_ends(pki: PKI, server: bool) -> None:
    """What the handshake before it has settled stays, on a connection that is of no more use."""
    with server_end(pki) if server else client_end(pki) as (end, peer):
        peer.say(b"before\n")
        assert end.read() == b"before\n"
        before = answers(end.tls)
        told: list[str | None] = []
        peer.say(b"R\n" if server else b"r\n")

        def cut() -> None:
            told.append(end.tls.version())
            if len(told) == 3:  # it is in the middle
                raise EOFError

        with pytest.raises(EOFError):
            end.read(cut)
        end.incoming.write_eof()
        with pytest.raises(tlskit.SSLError):
            end.tls.read(1)
        assert answers(end.tls) == before
        with pytest.raises(ValueError, match="a renegotiation is under way"):
            end.tls.export_keying_material("EXPERIMENTAL-test", 32)
