"""Early data (0-RTT): what goes with the ClientHello, what a server takes of it, and that nothing
is taken twice.
"""

from __future__ import annotations

import contextlib
import socket
import ssl as stdlib
from typing import Any

import pytest

import tlskit
from tlskit import EarlyDataStatus, MemoryStore

from ..support import inside
from ..support.pairs import (
    Background,
    client_context,
    memory_pair,
    server_context,
    shake,
    take_tickets,
)
from ..support.pki import PKI
from .test_automatic import BytesStore

EARLY = b"GET /early HTTP/1.1\r\n\r\n"
ACCEPTED, REJECTED, NOT_SENT = (
    EarlyDataStatus.ACCEPTED,
    EarlyDataStatus.REJECTED,
    EarlyDataStatus.NOT_SENT,
)


@pytest.fixture
def server(pki: PKI) -> Any:
    return serving(pki)


def serving(pki: PKI, *, size: int = 16384, store: Any = None) -> Any:
    """A server that takes early data."""
    context = server_context(pki, identity=pki.direct)
    context.max_early_data = size
    if store is not None:
        context.sessions.store = store
    return context


@pytest.fixture
def client(pki: PKI) -> Any:
    """A client that resumes by itself."""
    context = client_context(pki)
    context.sessions.resume = True
    return context


class Wire:
    """Two ends in memory, and every byte that went from the client to the server."""

    def __init__(
        self,
        client: Any,
        server: Any,
        *,
        early: bytes | None = EARLY,
        hostname: str = "localhost",
        session: Any = None,
    ) -> None:
        self.to_client, self.to_server, self.out = (
            tlskit.MemoryBIO(),
            tlskit.MemoryBIO(),
            tlskit.MemoryBIO(),
        )
        self.near = client.wrap_bio(
            self.to_client, self.out, server_hostname=hostname, early_data=early, session=session
        )
        self.far = server.wrap_bio(self.to_server, self.to_client, server_side=True)
        self.sent = b""

    def push(self) -> None:
        data = self.out.read()
        self.sent += data
        self.to_server.write(data)

    def near_step(self) -> bool:
        with contextlib.suppress(tlskit.SSLWantReadError):
            self.near.do_handshake()
            return True
        return False

    def finish(self) -> None:
        """The handshake, to its end on both sides."""
        done = [False, False]
        for _ in range(6):
            done[0] = done[0] or self.near_step()
            self.push()
            if not done[1]:
                with contextlib.suppress(tlskit.SSLWantReadError):
                    self.far.do_handshake()
                    done[1] = True
        assert done == [True, True]
        take_tickets(self.near)

    def early(self) -> bytes:
        """All that the server reads of early data, now."""
        got = b""
        while data := self.far.read_early_data(1000):
            got += data
        return got


def warm(client: Any, server: Any) -> None:
    memory_pair(client, server)


# -- accepted --------------------------------------------------------------------------------------


def test_it_comes_with_the_client_hello(client: Any, server: Any) -> None:
    """The server has it, and has answered, before the client has heard anything of it."""
    warm(client, server)
    wire = Wire(client, server)
    assert not wire.near_step()
    wire.push()
    assert wire.far.read_early_data() == EARLY
    assert wire.far.early_data_status is ACCEPTED
    assert wire.far.write(b"early answer") == 12
    with pytest.raises(tlskit.SSLWantReadError):
        wire.far.read_early_data()
    assert wire.near_step()
    assert wire.near.early_data_status is ACCEPTED
    assert wire.near.session_reused
    wire.push()
    assert wire.far.read_early_data() == b""
    wire.far.do_handshake()
    assert wire.near.read(100) == b"early answer"
    wire.near.write(b"late")
    wire.push()
    assert wire.far.read(100) == b"late"


def test_it_can_be_read_after_the_handshake(client: Any, server: Any) -> None:
    warm(client, server)
    wire = Wire(client, server)
    wire.finish()
    assert wire.near.early_data_status is wire.far.early_data_status is ACCEPTED
    assert wire.early() == EARLY
    with pytest.raises(tlskit.SSLWantReadError):
        wire.far.read(100)  # it is not given twice


def test_in_pieces_and_to_the_limit(client: Any, pki: PKI) -> None:
    server = serving(pki, size=50000)
    warm(client, server)
    data = bytes(range(250)) * 200
    wire = Wire(client, server, early=data)
    wire.finish()
    assert wire.near.early_data_status is ACCEPTED
    assert wire.early() == data


@pytest.mark.parametrize("connected", [True, False])
def test_over_sockets(client: Any, server: Any, connected: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> list[Any]:
            seen: list[Any] = []
            for _ in range(2):
                plain, _address = listener.accept()
                with (
                    plain,
                    server.wrap_socket(
                        plain, server_side=True, do_handshake_on_connect=False
                    ) as far,
                ):
                    early = b""
                    while data := far.read_early_data():
                        early += data
                        far.sendall(b"for " + data[:10])
                    far.do_handshake()
                    seen += [early, far.early_data_status]
                    if not early:
                        seen.append(far.recv(100))
                        far.sendall(b"late answer")
            return seen

        serving_ = Background(serve)
        answers = []
        for _ in range(2):
            plain = (
                socket.socket()
                if not connected
                else socket.create_connection(listener.getsockname())
            )
            with client.wrap_socket(plain, server_hostname="localhost", early_data=EARLY) as near:
                if not connected:
                    near.connect(listener.getsockname())
                answers += [near.early_data_status, near.recv(100)]
        assert answers == [NOT_SENT, b"late answer", ACCEPTED, b"for GET /early"]
        assert serving_.result() == [b"", NOT_SENT, EARLY, EARLY, ACCEPTED]


def test_through_the_stdlibs_bios(client: Any, server: Any) -> None:
    warm(client, server)
    to_client, to_server = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost", early_data=EARLY)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    assert far.read_early_data() == EARLY
    shake(near, far)
    assert near.early_data_status is ACCEPTED


def test_with_a_session_that_was_set(client: Any, server: Any) -> None:
    client.sessions.resume = False
    session = memory_pair(client, server)[0].session
    assert session.max_early_data == 16384
    wire = Wire(client, server, session=session)
    wire.finish()
    assert wire.early() == EARLY


# -- not taken, and sent again ---------------------------------------------------------------------


def late(wire: Wire, status: EarlyDataStatus) -> None:
    """It was no early data, and has come all the same, once and first."""
    wire.finish()
    assert wire.near.early_data_status is status
    assert wire.early() == b""
    wire.near.write(b"behind")
    wire.push()
    assert wire.far.read(1000) == EARLY + b"behind"


def test_no_session_yet(client: Any, server: Any) -> None:
    late(Wire(client, server), NOT_SENT)


def test_a_server_that_takes_none(client: Any, server: Any, pki: PKI) -> None:
    other = serving(pki, size=0)
    warm(client, other)
    late(Wire(client, other), NOT_SENT)


def test_more_than_the_session_allows(client: Any, pki: PKI) -> None:
    server = serving(pki, size=len(EARLY) - 1)
    warm(client, server)
    late(Wire(client, server), NOT_SENT)


def test_a_server_that_takes_none_any_more(client: Any, server: Any) -> None:
    warm(client, server)
    server.max_early_data = 0
    late(Wire(client, server), REJECTED)


def test_a_server_that_has_forgotten(client: Any, server: Any, pki: PKI) -> None:
    warm(client, server)
    late(Wire(client, serving(pki)), REJECTED)


def test_hello_retry_request(client: Any, server: Any) -> None:
    warm(client, server)
    server.set_ecdh_curve("secp521r1")
    late(Wire(client, server), REJECTED)


def test_tls12(client: Any, server: Any) -> None:
    client.maximum_version = tlskit.TLSVersion.TLSv1_2
    warm(client, server)
    late(Wire(client, server), NOT_SENT)


def test_a_client_that_reads_first(client: Any, server: Any) -> None:
    """read() makes the handshake too; the early data is not forgotten over it."""
    wire = Wire(client, server)
    for _ in range(4):
        with contextlib.suppress(tlskit.SSLWantReadError):
            wire.near.read(10)
        wire.push()
        with contextlib.suppress(tlskit.SSLWantReadError):
            wire.far.do_handshake()
    wire.push()
    assert wire.far.read(1000) == EARLY


# -- nothing is taken twice ------------------------------------------------------------------------


def replay(first_flight: bytes, server: Any) -> bytes:
    """What a server takes of a recorded first flight."""
    to_server, to_client = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    far = server.wrap_bio(to_server, to_client, server_side=True)
    to_server.write(first_flight)
    got = b""
    with contextlib.suppress(tlskit.SSLWantReadError):
        while data := far.read_early_data():
            got += data
    assert far.early_data_status is not ACCEPTED or got
    return got


@pytest.mark.parametrize("kept", ["openssl", "objects", "bytes"])
def test_a_replay_to_the_same_server(client: Any, pki: PKI, kept: str) -> None:
    server = serving(
        pki, store={"openssl": None, "objects": MemoryStore(), "bytes": BytesStore()}[kept]
    )
    warm(client, server)
    wire = Wire(client, server)
    wire.near_step()
    wire.push()
    assert wire.far.read_early_data() == EARLY
    assert replay(wire.sent, server) == b""
    assert replay(wire.sent, server) == b""


@pytest.mark.parametrize("store", [MemoryStore(), BytesStore()], ids=["objects", "bytes"])
def test_a_replay_to_another_server_of_one_store(client: Any, pki: PKI, store: Any) -> None:
    servers = [serving(pki, store=store) for _ in range(3)]
    warm(client, servers[0])
    wire = Wire(client, servers[1])
    wire.near_step()
    wire.push()
    assert wire.far.read_early_data() == EARLY
    assert [replay(wire.sent, server) for server in servers] == [b""] * 3


def test_the_first_of_two_wins_also_when_it_is_the_replay(client: Any, pki: PKI) -> None:
    store = BytesStore()
    server = serving(pki, store=store)
    warm(client, server)
    wire = Wire(client, server)
    wire.near_step()
    recorded = wire.out.read()
    assert replay(recorded, server) == EARLY
    wire.to_server.write(recorded)
    wire.finish()  # a full handshake; the client sends it again
    assert wire.near.early_data_status is REJECTED
    assert wire.far.read(1000) == EARLY


def test_eight_threads_replay_at_once(client: Any, pki: PKI) -> None:
    store = BytesStore()
    servers = [serving(pki, store=store) for _ in range(8)]
    warm(client, servers[0])
    wire = Wire(client, servers[0])
    wire.near_step()
    recorded = wire.out.read()
    workers = [Background(lambda server=server: replay(recorded, server)) for server in servers]
    assert sorted(worker.result() for worker in workers) == [b""] * 7 + [EARLY]


def test_a_store_that_is_down(client: Any, pki: PKI) -> None:
    store = BytesStore()
    server = serving(pki, store=store)
    warm(client, server)
    store.break_with = OSError("gone")
    late(Wire(client, server), REJECTED)


def test_a_keyring_is_not_asked(client: Any, server: Any, pki: PKI) -> None:
    """What was used is known to the server alone: so a fleet's keys do not help over to another
    machine.
    """
    other = serving(pki)
    other.tickets.keyring = server.tickets.keyring = keyring = tlskit.TicketKeyring()
    warm(client, server)
    assert memory_pair(client, server)[0].session_reused
    assert not memory_pair(client, other)[0].session_reused
    assert keyring.stats().new == 0
    client.maximum_version = tlskit.TLSVersion.TLSv1_2
    warm(client, server)
    assert memory_pair(client, other)[0].session_reused
    assert keyring.stats().new > 0


# -- bounds and wrong use --------------------------------------------------------------------------


def test_more_than_the_server_allows(client: Any, pki: PKI) -> None:
    """A client that does not keep to what it was told is cut off."""
    server = serving(pki, size=1000)
    warm(client, server)
    server.max_early_data = 10
    wire = Wire(client, server, early=b"x" * 900)
    wire.near_step()
    wire.push()
    with pytest.raises(tlskit.SSLError):
        wire.early()


@pytest.mark.parametrize("bad", [-1, 2**32, 1.5, "1", None])
def test_max_early_data_is_checked(server: Any, bad: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        server.max_early_data = bad
    assert server.max_early_data == 16384


def test_a_client_has_no_limit_to_set(client: Any) -> None:
    with pytest.raises(ValueError, match="early_data"):
        client.max_early_data = 1
    assert client.max_early_data == 0


@pytest.mark.parametrize("bad", ["text", 5, object()])
def test_early_data_is_bytes(client: Any, bad: Any) -> None:
    with pytest.raises(TypeError):
        client.wrap_bio(
            tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost", early_data=bad
        )


def test_early_data_is_a_clients(server: Any) -> None:
    with pytest.raises(ValueError, match="client"):
        server.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_side=True, early_data=b"x")


def test_off_unless_asked_for(pki: PKI) -> None:
    assert server_context(pki).max_early_data == 0
    assert memory_pair(client_context(pki), server_context(pki))[0].session.max_early_data == 0


def test_a_client_reads_none(client: Any, server: Any) -> None:
    near, far = memory_pair(client, server)
    assert near.read_early_data() == b""
    assert far.read_early_data() == b""
    with pytest.raises((ValueError, OverflowError)):
        far.read_early_data(-1)


def test_nothing_to_send(client: Any, server: Any) -> None:
    warm(client, server)
    wire = Wire(client, server, early=b"")
    wire.finish()
    assert wire.near.early_data_status is NOT_SENT


def test_an_unverified_server_gets_nothing_early(pki: PKI, server: Any) -> None:
    """A session that was earned without verification is not offered under it, and so carries
    nothing.
    """
    careless = client_context(pki)
    careless.check_hostname = False
    careless.verify_mode = tlskit.CERT_NONE
    careful = client_context(pki)
    careless.sessions.store = careful.sessions.store = MemoryStore()
    memory_pair(careless, server)
    wire = Wire(careful, server)
    wire.near_step()
    assert inside.offer_of(wire.near).session is None
