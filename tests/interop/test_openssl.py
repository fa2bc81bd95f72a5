"""tlskit against `openssl s_server` and `openssl s_client`: every version, full and resumed, and
sessions that change hands.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl as stdlib
from collections.abc import Iterator
from typing import Any

import pytest

import tlskit

from ..support import peers
from ..support.names import alert_reason
from ..support.pairs import Background, client_context, echo_server, only, server_context
from ..support.peers import PATIENCE, Peer, Server, s_client, s_server, speaking
from ..support.pki import PKI, Identity

pytestmark = [
    pytest.mark.skipif(
        peers.version() is None, reason="there is no openssl command of OpenSSL 3 or later"
    ),
    pytest.mark.filterwarnings(r"ignore:ssl\.TLSVersion\.TLSv1:DeprecationWarning"),
]

TLSv1, TLSv1_2, TLSv1_3 = (
    tlskit.TLSVersion.TLSv1,
    tlskit.TLSVersion.TLSv1_2,
    tlskit.TLSVersion.TLSv1_3,
)
NAMES = {"TLSv1": "TLSv1", "TLSv1_1": "TLSv1.1", "TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}
BOTH = pytest.mark.parametrize("version", [TLSv1_2, TLSv1_3], ids=lambda version: version.name)
BULK = (
    b"0123456789012345" * 65536
)  # 1 MiB, and no letter that s_server or s_client takes for a command
MORE = b"<end>\n"


# -- ends ------------------------------------------------------------------------------------------


@pytest.fixture
def client(pki: PKI, version: tlskit.TLSVersion) -> tlskit.SSLContext:
    """A client that speaks `version` alone."""
    context: tlskit.SSLContext = client_context(pki)
    only(version, context)
    return context


@pytest.fixture
def server(pki: PKI, version: tlskit.TLSVersion) -> tlskit.SSLContext:
    """A server that speaks `version` alone."""
    context: tlskit.SSLContext = server_context(pki)
    only(version, context)
    return context


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket on a free loopback port, which does not wait for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        yield listening


def connect(context: Any, address: Any, *, hostname: str = "localhost", **settings: Any) -> Any:
    """A connected socket of tlskit's, after the handshake."""
    return context.wrap_socket(
        socket.create_connection(address, timeout=PATIENCE), server_hostname=hostname, **settings
    )


def accept(context: Any, listening: socket.socket) -> Any:
    """An accepted socket of tlskit's, after the handshake."""
    plain, _ = listening.accept()
    plain.settimeout(PATIENCE)
    return context.wrap_socket(plain, server_side=True)


def exactly(sock: Any, size: int) -> bytes:
    """This many bytes, or what came before the end."""
    got = bytearray()
    while len(got) < size and (data := sock.recv(size - len(got))):
        got += data
    return bytes(got)


def exchange(sock: Any, peer: Peer) -> None:
    """Data both ways. What the server sent before it, tickets for one, has been read then, on
    either side.
    """
    sock.sendall(b"from tlskit\n")
    peer.expect("from tlskit")
    peer.say(b"from openssl\n")
    assert exactly(sock, 13) == b"from openssl\n"


def part(far: Any, peer: Peer) -> None:
    """The client quits, and the server takes leave of it."""
    peer.say(b"Q\n")
    assert far.recv(1) == b""
    far.unwrap()
    far.close()  # s_client waits for this, up to half a second
    assert peer.end() == 0


def shown_by(identity: Identity) -> bytes:
    """DER of the first certificate in the file."""
    end = "-----END CERTIFICATE-----"
    return stdlib.PEM_cert_to_DER_cert(identity.chain.read_text().partition(end)[0] + end)


# -- tlskit's client and s_server ------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("-no_ticket",)], ids=["tickets", "ids"])
def test_client_full_and_resumed(pki, version, client, options):
    with s_server(pki.direct, *speaking(version), *options) as peer:
        with connect(client, peer.address) as near:
            assert not near.session_reused
            assert near.version() == NAMES[version.name]
            assert near.getpeercert(True) == shown_by(pki.direct)
            assert peer.expect(r"^CIPHER is (\S+)$")[1] == near.cipher()[0]
            exchange(near, peer)
            session = near.session
            near.unwrap()
            peer.expect("^DONE$")
        assert "Reused session-id" not in peer.output
        assert session.has_ticket == (version == TLSv1_3 or not options)
        assert session.has_ticket or session.id
        for _ in range(2):
            with connect(client, peer.address, session=session) as near:
                assert near.session_reused
                assert near.version() == NAMES[version.name]
                assert near.getpeercert(True) == shown_by(pki.direct)
                assert peer.expect(r"^CIPHER is (\S+)$")[1] == near.cipher()[0]
                peer.expect("^Reused session-id$")
                exchange(near, peer)
                session = near.session  # a stateful ticket of TLS 1.3 works once: here is the next
                near.unwrap()
                peer.expect("^DONE$")
    assert client.session_stats()["hits"] == 2


@pytest.mark.parametrize("options", [(), ("-no_ticket",)], ids=["tickets", "ids"])
def test_client_goes_on_where_the_server_has_forgotten(pki, version, client, options):
    session = None
    for _ in range(
        2
    ):  # two processes, of which the second has neither the first's sessions nor its ticket keys
        with (
            s_server(pki.direct, *speaking(version), *options) as peer,
            connect(client, peer.address, session=session) as near,
        ):
            assert not near.session_reused
            peer.expect("^CIPHER is")
            exchange(near, peer)
            session = near.session
            assert session.is_resumable
            assert "Reused session-id" not in peer.output


def test_client_without_a_ticket(pki):
    client = client_context(pki)
    with s_server(pki.direct, *speaking(TLSv1_3), "-num_tickets", "0") as peer:
        session = None
        for _ in range(2):
            with connect(client, peer.address, session=session) as near:
                assert not near.session_reused
                peer.expect("^CIPHER is")
                exchange(near, peer)
                session = near.session
                assert not session.has_ticket
                assert not session.is_resumable
                near.unwrap()
                peer.expect("^DONE$")


def test_client_resumes_through_a_hello_retry_request(pki):
    client = client_context(pki)
    with s_server(pki.direct, *speaking(TLSv1_3), "-groups", "P-384") as peer:
        session = None
        for resumed in (False, True):
            with connect(client, peer.address, session=session) as near:
                assert near.session_reused is resumed
                assert near.group() == "secp384r1"
                peer.expect("^CIPHER is")
                exchange(near, peer)
                session = near.session
                near.unwrap()
                peer.expect("^DONE$")


@BOTH
def test_client_verifies_a_chain(pki, version, client, tmp_path):
    leaf, *above = re.findall(
        r"-----BEGIN.*?END CERTIFICATE-----\n", pki.server.chain.read_text(), re.DOTALL
    )
    (tmp_path / "above.pem").write_text("".join(above))
    with (
        s_server(pki.server, *speaking(version), "-cert_chain", tmp_path / "above.pem") as peer,
        connect(client, peer.address) as near,
    ):
        assert near.get_unverified_chain() == [
            stdlib.PEM_cert_to_DER_cert(pem) for pem in (leaf, *above)
        ]
        assert len(near.get_verified_chain()) == 3
    with (
        s_server(pki.server, *speaking(version)) as peer,
        pytest.raises(
            tlskit.SSLCertVerificationError, match="unable to get local issuer"
        ) as caught,
    ):
        connect(client, peer.address)  # the same server, without its intermediate authority
    assert caught.value.verify_code == 20


@pytest.mark.parametrize(
    ("hostname", "shown"),
    [("localhost", "stranger"), ("nobody.example", "direct"), ("localhost", "expired")],
)
def test_client_refuses_a_certificate(pki, version, client, hostname, shown):
    with s_server(getattr(pki, shown), *speaking(version)) as peer:
        with pytest.raises(tlskit.SSLCertVerificationError):
            connect(client, peer.address, hostname=hostname)
        peer.expect("alert (unknown ca|bad certificate|certificate expired)")


@pytest.mark.parametrize(
    ("ours", "theirs"), [(TLSv1_2, TLSv1_3), (TLSv1_3, TLSv1_2)], ids=["1.2-1.3", "1.3-1.2"]
)
def test_client_and_server_without_a_common_version(pki, ours, theirs):
    client = client_context(pki)
    only(ours, client)
    with s_server(pki.direct, *speaking(theirs)) as peer:
        with pytest.raises(tlskit.SSLError) as caught:
            connect(client, peer.address)
        assert caught.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"
        peer.expect("unsupported protocol")


def test_client_shows_its_certificate(pki, version, client):
    client.load_cert_chain(pki.client.chain, pki.client.key)
    demands = ("-Verify", "1", "-CAfile", pki.root, "-verify_return_error")
    with s_server(pki.direct, *speaking(version), *demands) as peer:
        session = None
        for resumed in (False, True):
            with connect(client, peer.address, session=session) as near:
                assert near.session_reused is resumed
                pem = peer.expect(r"Client certificate\n(-----BEGIN[^\0]*?END CERTIFICATE-----)")[1]
                assert stdlib.PEM_cert_to_DER_cert(pem) == shown_by(pki.client)
                peer.expect("^CIPHER is")
                exchange(near, peer)
                session = near.session
                near.unwrap()
                peer.expect("^DONE$")


def test_client_without_the_certificate_that_is_demanded(pki, version, client):
    with s_server(pki.direct, *speaking(version), "-Verify", "1", "-CAfile", pki.root) as peer:
        with pytest.raises(tlskit.SSLError) as caught, connect(client, peer.address) as near:
            near.recv(1)  # with TLS 1.3 the client is through before it is told
        wanted = (
            "TLSV13_ALERT_CERTIFICATE_REQUIRED"
            if version == TLSv1_3
            else alert_reason("HANDSHAKE_FAILURE")
        )
        assert caught.value.reason == wanted
        peer.expect("peer did not return a certificate")


def test_client_alpn(pki, version, client):
    client.set_alpn_protocols(["http/1.1", "h2"])
    with s_server(pki.direct, *speaking(version), "-alpn", "h2,spdy/1") as peer:
        session = None
        for resumed in (False, True):
            with connect(client, peer.address, session=session) as near:
                assert near.session_reused is resumed
                assert near.selected_alpn_protocol() == "h2"
                peer.expect("ALPN protocols selected: h2")
                peer.expect("^CIPHER is")
                exchange(near, peer)
                session = near.session
                near.unwrap()
                peer.expect("^DONE$")


@BOTH
def test_client_alpn_without_a_common_protocol(pki, version, client):
    client.set_alpn_protocols(["http/1.1"])
    with s_server(pki.direct, *speaking(version), "-alpn", "h2") as peer:
        with pytest.raises(tlskit.SSLError) as caught:
            connect(client, peer.address)
        assert caught.value.reason == "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"
        peer.expect("no application protocol")


def test_client_sends_the_server_name(pki, version, client):
    second = ("-servername", "other.example", "-cert2", pki.rsa.chain, "-key2", pki.rsa.key)
    with s_server(pki.direct, *speaking(version), *second) as peer:
        sessions = {}
        for _ in range(2):
            for hostname, shown in (("localhost", pki.direct), ("other.example", pki.rsa)):
                with connect(
                    client, peer.address, hostname=hostname, session=sessions.get(hostname)
                ) as near:
                    assert near.session_reused is (hostname in sessions)
                    assert near.getpeercert(True) == shown_by(shown)
                    if hostname not in sessions:
                        assert peer.expect('Hostname in TLS extension: "(.*?)"')[1] == hostname
                    peer.expect("^CIPHER is")
                    exchange(near, peer)
                    sessions[hostname] = near.session
                    near.unwrap()
                    peer.expect("^DONE$")


def test_client_does_not_offer_one_name_s_session_to_another(pki, version, client):
    with s_server(pki.direct, *speaking(version)) as peer:
        session = None
        for hostname in ("localhost", "other.example"):
            with connect(client, peer.address, hostname=hostname, session=session) as near:
                assert not near.session_reused
                peer.expect("^CIPHER is")
                exchange(near, peer)
                session = near.session
                near.unwrap()
                peer.expect("^DONE$")
        assert "Reused session-id" not in peer.output


def test_client_moves_much(pki, version, client):
    with s_server(pki.direct, *speaking(version)) as peer, connect(client, peer.address) as near:
        peer.expect("^CIPHER is")
        near.sendall(BULK + MORE)
        peer.expect(MORE.decode())
        assert BULK.decode() in peer.output
        typing = Background(lambda: peer.say(BULK))
        assert exactly(near, len(BULK)) == BULK
        typing.result()


def test_client_is_told_of_the_end(pki, version, client):
    with (
        s_server(pki.direct, *speaking(version), "-rev") as peer,
        connect(client, peer.address, suppress_ragged_eofs=False) as near,
    ):
        near.sendall(b"desrever\n")
        assert exactly(near, 9) == b"reversed\n"
        near.sendall(b"CLOSE\n")
        assert near.recv(1) == b""
        near.unwrap()
        peer.expect("^CONNECTION CLOSED$")


def test_client_is_told_of_a_ragged_end(pki, version, client):
    with (
        s_server(pki.direct, *speaking(version)) as peer,
        connect(client, peer.address, suppress_ragged_eofs=False) as near,
    ):
        peer.expect("^CIPHER is")
        exchange(near, peer)
        peer.kill()
        with pytest.raises(tlskit.SSLEOFError):
            near.recv(1)


@pytest.mark.parametrize("letter", ["k", "K"], ids=["one-way", "both-ways"])
def test_client_follows_a_key_update(pki, letter):
    client = client_context(pki)
    with s_server(pki.direct, *speaking(TLSv1_3)) as peer, connect(client, peer.address) as near:
        peer.expect("^CIPHER is")
        for _ in range(3):
            exchange(near, peer)
            peer.say(letter.encode() + b"\n")
        exchange(near, peer)


def test_client_follows_a_renegotiation(pki):
    client = client_context(pki)
    only(TLSv1_2, client)
    with s_server(pki.direct, *speaking(TLSv1_2)) as peer, connect(client, peer.address) as near:
        peer.expect("^CIPHER is")
        exchange(near, peer)
        before = near.get_channel_binding()
        peer.say(b"r\n")
        reading = Background(lambda: exactly(near, 6))
        peer.expect("SSL_do_handshake -> 1")
        peer.say(b"after\n")
        assert reading.result() == b"after\n"
        assert client.session_stats()["connect_renegotiate"] == 1
        assert near.get_channel_binding() != before
        exchange(near, peer)


# -- s_client and tlskit's server ------------------------------------------------------------------


@pytest.mark.parametrize("options", [0, tlskit.OP_NO_TICKET], ids=["tickets", "ids"])
def test_server_full_and_resumed(pki, version, server, listener, tmp_path, options):
    server.options |= options
    kept, offer = tmp_path / "session.pem", ()
    for resumed in (False, True, True):
        said = (*speaking(version), "-sess_out", kept, *offer)
        with (
            s_client(listener.getsockname(), pki.root, *said) as peer,
            accept(server, listener) as far,
        ):
            assert far.session_reused is resumed
            assert far.version() == NAMES[version.name]
            new, name, cipher = peer.expect(r"^(New|Reused), (\S+), Cipher is (\S+)$").groups()
            assert new == ("Reused" if resumed else "New")
            assert name == far.cipher()[1]
            assert cipher == far.cipher()[0]
            exchange(far, peer)
            part(far, peer)
        offer = ("-sess_in", kept)
    assert server.session_stats()["hits"] == 2
    assert (len(server.sessions) > 0) == bool(options), (
        "only a session without a ticket is the server's to keep"
    )


@pytest.mark.parametrize("options", [0, tlskit.OP_NO_TICKET], ids=["tickets", "ids"])
@pytest.mark.parametrize(
    "version",
    [v for v in tlskit.TLSVersion if TLSv1 <= v <= TLSv1_2],
    ids=lambda version: version.name,
)
def test_server_of_a_client_that_reconnects(pki, version, server, listener, options):
    """Not with TLS 1.3: there `s_client -reconnect` hangs up before it has read a ticket."""
    server.options |= options
    with s_client(listener.getsockname(), pki.root, *speaking(version), "-reconnect") as peer:
        for resumed in (False, *(True,) * 5):
            with accept(server, listener) as far:
                assert far.session_reused is resumed
                peer.expect("^Reused, " if resumed else "^New, ")
                if server.session_stats()["hits"] < 5:
                    assert far.recv(1) == b""
                    far.unwrap()
                else:
                    exchange(far, peer)
                    part(far, peer)


@pytest.mark.parametrize("options", [0, tlskit.OP_NO_TICKET], ids=["tickets", "ids"])
def test_server_does_not_know_the_session(pki, version, listener, tmp_path, options):
    kept, offer = tmp_path / "session.pem", ()
    for _ in range(2):
        server = server_context(pki)  # without what the one before knew
        only(version, server)
        server.options |= options
        said = (*speaking(version), "-sess_out", kept, *offer)
        with (
            s_client(listener.getsockname(), pki.root, *said) as peer,
            accept(server, listener) as far,
        ):
            assert not far.session_reused
            peer.expect("^New, ")
            exchange(far, peer)
            part(far, peer)
        offer = ("-sess_in", kept)


def test_server_asks_again_before_it_resumes(pki, listener, tmp_path):
    """A HelloRetryRequest, in a full handshake and in a resumed one."""
    server = server_context(pki)
    server.set_ecdh_curve("secp384r1")
    kept, offer = tmp_path / "session.pem", ()
    for resumed in (False, True):
        said = (*speaking(TLSv1_3), "-sess_out", kept, *offer)
        with (
            s_client(listener.getsockname(), pki.root, *said) as peer,
            accept(server, listener) as far,
        ):
            assert far.session_reused is resumed
            assert far.group() == "secp384r1"
            exchange(far, peer)
            part(far, peer)
        offer = ("-sess_in", kept)


@pytest.mark.parametrize(
    ("hostname", "shown"),
    [("localhost", "stranger"), ("nobody.example", "server"), ("localhost", "expired")],
)
def test_server_is_refused(pki, version, listener, hostname, shown):
    server = server_context(pki, identity=getattr(pki, shown))
    only(version, server)
    with s_client(listener.getsockname(), pki.root, *speaking(version), hostname=hostname) as peer:
        with pytest.raises(tlskit.SSLError) as caught:
            accept(server, listener)
        assert caught.value.reason in (
            "TLSV1_ALERT_UNKNOWN_CA",
            alert_reason("BAD_CERTIFICATE"),
            alert_reason("CERTIFICATE_EXPIRED"),
        )
        peer.expect("certificate verify failed")
        assert peer.end() == 1


@pytest.mark.parametrize(
    ("ours", "theirs"), [(TLSv1_2, TLSv1_3), (TLSv1_3, TLSv1_2)], ids=["1.2-1.3", "1.3-1.2"]
)
def test_server_and_client_without_a_common_version(pki, listener, ours, theirs):
    server = server_context(pki)
    only(ours, server)
    with s_client(listener.getsockname(), pki.root, *speaking(theirs)) as peer:
        with pytest.raises(tlskit.SSLError) as caught:
            accept(server, listener)
        assert caught.value.reason == "UNSUPPORTED_PROTOCOL"
        peer.expect("alert protocol version")
        assert peer.end() == 1


@pytest.mark.parametrize("options", [0, tlskit.OP_NO_TICKET], ids=["tickets", "ids"])
def test_server_demands_a_certificate(pki, version, server, listener, tmp_path, options):
    server.options |= options
    server.verify_mode = tlskit.CERT_REQUIRED
    server.load_verify_locations(pki.root)
    kept, offer = tmp_path / "session.pem", ()
    for resumed in (False, True):
        said = (
            *speaking(version),
            "-cert",
            pki.client.chain,
            "-key",
            pki.client.key,
            "-sess_out",
            kept,
            *offer,
        )
        with (
            s_client(listener.getsockname(), pki.root, *said) as peer,
            accept(server, listener) as far,
        ):
            assert far.session_reused is resumed
            assert far.getpeercert(True) == shown_by(pki.client)
            assert far.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)
            exchange(far, peer)
            part(far, peer)
        offer = ("-sess_in", kept)


@pytest.mark.parametrize("shown", [None, "stranger"])
def test_server_refuses_a_client(pki, version, server, listener, shown):
    server.verify_mode = tlskit.CERT_REQUIRED
    server.load_verify_locations(pki.root)
    own = () if shown is None else ("-cert", pki.stranger.chain, "-key", pki.stranger.key)
    with s_client(listener.getsockname(), pki.root, *speaking(version), *own) as peer:
        with pytest.raises(tlskit.SSLError) as caught:
            accept(server, listener)
        if shown is None:
            assert caught.value.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
        else:
            assert isinstance(caught.value, tlskit.SSLCertVerificationError)
            assert caught.value.verify_code == 20
        peer.expect("alert (certificate required|handshake failure|unknown ca)")


def test_server_asks_for_a_certificate_after_the_handshake(pki, listener):
    server = server_context(pki)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.post_handshake_auth = True
    server.load_verify_locations(pki.root)
    own = ("-cert", pki.client.chain, "-key", pki.client.key, "-enable_pha")
    with (
        s_client(listener.getsockname(), pki.root, *speaking(TLSv1_3), *own) as peer,
        accept(server, listener) as far,
    ):
        assert far.getpeercert(True) is None
        exchange(far, peer)
        far.verify_client_post_handshake()
        far.sendall(b"now show it\n")
        peer.expect("now show it")
        exchange_from(peer, far)
        assert far.getpeercert(True) == shown_by(pki.client)


def exchange_from(peer: Peer, sock: Any) -> None:
    """Data from the peer only."""
    peer.say(b"from openssl\n")
    assert exactly(sock, 13) == b"from openssl\n"


def test_server_alpn(pki, version, server, listener):
    server.set_alpn_protocols(["h2", "http/1.1"])
    with (
        s_client(
            listener.getsockname(), pki.root, *speaking(version), "-alpn", "spdy/1,http/1.1,h2"
        ) as peer,
        accept(server, listener) as far,
    ):
        assert far.selected_alpn_protocol() == "h2"
        peer.expect("^ALPN protocol: h2$")


def test_server_alpn_without_a_common_protocol(pki, version, server, listener):
    server.set_alpn_protocols(["h2"])
    with (
        s_client(listener.getsockname(), pki.root, *speaking(version), "-alpn", "http/1.1") as peer,
        accept(server, listener) as far,
    ):
        assert far.selected_alpn_protocol() is None
        peer.expect("^No ALPN negotiated$")


@pytest.mark.parametrize("hostname", ["localhost", "other.example", None])
def test_server_chooses_by_name(pki, version, server, listener, hostname):
    other = server_context(pki, identity=pki.rsa)
    only(version, other)
    asked = []

    def choose(connection: Any, name: str | None, context: tlskit.SSLContext) -> None:
        asked.append(name)
        if name == "other.example":
            connection.context = other

    server.sni_callback = choose
    said = (*speaking(version), "-showcerts")
    with (
        s_client(listener.getsockname(), pki.root, *said, hostname=hostname) as peer,
        accept(server, listener) as far,
    ):
        peer.expect("Verify return code: 0")
        exchange(far, peer)
        assert asked == [hostname]
        pem = re.search(r"-----BEGIN CERTIFICATE.*?END CERTIFICATE-----", peer.output, re.DOTALL)
        assert stdlib.PEM_cert_to_DER_cert(pem[0]) == shown_by(
            pki.rsa if hostname == "other.example" else pki.server
        )


def test_server_turns_a_name_away(pki, version, server, listener):
    server.sni_callback = lambda connection, name, context: (
        tlskit.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    )
    with s_client(listener.getsockname(), pki.root, *speaking(version)) as peer:
        with pytest.raises(tlskit.SSLError):
            accept(server, listener)
        peer.expect("SSL alert number 112")
        assert peer.end() == 1


def test_server_moves_much(pki, version, server, listener):
    with (
        s_client(listener.getsockname(), pki.root, *speaking(version), "-quiet") as peer,
        accept(server, listener) as far,
    ):
        far.sendall(BULK + MORE)
        peer.expect(MORE.decode())
        assert BULK.decode() in peer.output
        typing = Background(lambda: peer.say(BULK))
        assert exactly(far, len(BULK)) == BULK
        typing.result()


def test_server_ends_it(pki, version, server, listener):
    with (
        s_client(listener.getsockname(), pki.root, *speaking(version)) as peer,
        accept(server, listener) as far,
    ):
        exchange(far, peer)
        far.unwrap()
        assert far.recv(1) == b"", "nothing follows the close_notify, and the socket is plain"
        far.close()  # s_client waits for this, up to half a second
        peer.expect("^closed$")
        assert peer.end() == 0


def test_server_is_told_of_a_ragged_end(pki, version, server, listener):
    with (
        s_client(listener.getsockname(), pki.root, *speaking(version)) as peer,
        accept(server, listener) as far,
    ):
        far.suppress_ragged_eofs = False
        exchange(far, peer)
        peer.kill()
        with pytest.raises(tlskit.SSLEOFError):
            far.recv(1)


@pytest.mark.parametrize("letter", ["k", "K"], ids=["one-way", "both-ways"])
def test_server_follows_a_key_update(pki, listener, letter):
    with (
        s_client(listener.getsockname(), pki.root, *speaking(TLSv1_3)) as peer,
        accept(server_context(pki), listener) as far,
    ):
        for _ in range(3):
            exchange(far, peer)
            peer.say(letter.encode() + b"\n")
            peer.expect("KEYUPDATE")
        exchange(far, peer)


def test_server_does_not_renegotiate(pki, listener):
    server = server_context(pki)
    only(TLSv1_2, server)
    with (
        s_client(listener.getsockname(), pki.root, *speaking(TLSv1_2)) as peer,
        accept(server, listener) as far,
    ):
        exchange(far, peer)
        peer.say(b"R\n")
        with pytest.raises(tlskit.SSLError) as caught:
            far.recv(1)
        assert caught.value.reason == alert_reason(
            "HANDSHAKE_FAILURE"
        )  # that is how s_client takes the refusal
        peer.expect("no renegotiation")
        assert server.session_stats()["accept_good"] == 1


# -- sessions that change hands --------------------------------------------------------------------
#
# A bug found here: a client's sessions used to carry the id context b"Python", s_client's carry
# none, and OpenSSL's client fails the whole handshake
# (ATTEMPT_TO_REUSE_SESSION_IN_DIFFERENT_CONTEXT) where it resumes under another one.


@contextlib.contextmanager
def palindrome_server(kind: str, pki: PKI, version: tlskit.TLSVersion) -> Iterator[tuple[str, int]]:
    """The address of a server that sends each line back: tlskit's as it is, s_server reversed, a
    palindrome the same.
    """
    if kind == "s_server":
        with s_server(pki.direct, *speaking(version), "-rev") as peer:
            yield peer.address
    else:
        context = server_context(pki, identity=pki.direct)
        only(version, context)
        with echo_server(context) as address:
            yield address


@pytest.mark.parametrize("kind", ["s_server", "tlskit"])
def test_a_session_of_s_client_is_resumed_by_tlskit(pki, version, client, tmp_path, kind):
    kept = tmp_path / "session.pem"
    with palindrome_server(kind, pki, version) as address:
        with s_client(address, pki.root, *speaking(version), "-sess_out", kept) as peer:
            peer.expect("^New, ")
            peer.say(b"level\n")
            peer.expect("level")
            peer.say(b"Q\n")
            assert peer.end() == 0
        session = tlskit.SSLSession.from_pem(kept.read_text())
        assert session.protocol == NAMES[version.name]
        with connect(client, address, session=session) as near:
            assert near.session_reused
            near.sendall(b"level\n")
            assert exactly(near, 6) == b"level\n"
            near.unwrap()


@pytest.mark.parametrize("kind", ["s_server", "tlskit"])
def test_a_session_of_tlskit_is_resumed_by_s_client(pki, version, client, tmp_path, kind):
    kept = tmp_path / "session.pem"
    with palindrome_server(kind, pki, version) as address:
        with connect(client, address) as near:
            near.sendall(b"level\n")
            assert exactly(near, 6) == b"level\n"
            kept.write_text(near.session.to_pem())
            near.unwrap()
        with s_client(address, pki.root, *speaking(version), "-sess_in", kept) as peer:
            peer.expect("^Reused, ")
            peer.say(b"level\n")
            peer.expect("level")
            peer.say(b"Q\n")
            assert peer.end() == 0


@BOTH
def test_what_s_client_writes_is_what_tlskit_writes(pki, version, server, listener, tmp_path):
    kept = tmp_path / "session.pem"
    with (
        s_client(listener.getsockname(), pki.root, *speaking(version), "-sess_out", kept) as peer,
        accept(server, listener) as far,
    ):
        exchange(far, peer)
        part(far, peer)
    assert tlskit.SSLSession.from_pem(kept.read_text()).to_pem() == kept.read_text()


@BOTH
@pytest.mark.parametrize("doubt", ["authority", "name"])
def test_a_session_from_elsewhere_vouches_for_nobody(pki, version, client, tmp_path, doubt):
    """s_client may trust whom it likes: tlskit offers its session only where it would have accepted
    the certificate.
    """
    kept = tmp_path / "session.pem"
    shown, root = (
        (pki.stranger, pki.stranger_root) if doubt == "authority" else (pki.direct, pki.root)
    )
    with s_server(shown, *speaking(version)) as server:
        with s_client(server.address, root, *speaking(version), "-sess_out", kept) as peer:
            server.expect("^CIPHER is")
            server.say(b"tickets first\n")
            peer.expect("tickets first")
            peer.say(b"Q\n")
            assert peer.end() == 0
            server.expect("^DONE$")
        session = tlskit.SSLSession.from_pem(kept.read_text())
        assert session.is_resumable
        hostname = "localhost" if doubt == "authority" else "nobody.example"
        with pytest.raises(tlskit.SSLCertVerificationError):
            connect(client, server.address, hostname=hostname, session=session)
        server.expect("alert (unknown ca|bad certificate)")
        assert "Reused session-id" not in server.output


def test_s_server_is_gone_after_its_block(pki):
    """The support itself: a server does not outlive its block, and what is not said fails at once
    when it has ended.
    """
    with s_server(pki.direct) as peer:
        assert isinstance(peer, Server)
        address = peer.address
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=PATIENCE)
    with pytest.raises(AssertionError, match="openssl ended without 'never said'"):
        peer.expect("never said")
