"""Automatic resumption with peers as they are: those that send no new ticket, that share a name and
not their sessions, that fail on every resumption, or that send tickets without end.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import tlskit
from tlskit import MemoryStore, NotOffered, Reason

from ..support import inside
from ..support.pairs import Background, memory_pair
from ..support.pki import PKI
from ..support.system import stop_listening
from .helpers import Kind, Link, client_for, server_for

KIND12 = Kind("tls12-ticket", tlskit.TLSVersion.TLSv1_2, True)
KIND13 = Kind("tls13-ticket", tlskit.TLSVersion.TLSv1_3, True)


@pytest.fixture
def client(kind: Kind, pki: PKI) -> Any:
    context = client_for(kind, pki)
    context.sessions.resume = True
    return context


@pytest.fixture
def modern(pki: PKI) -> Any:
    """A client of TLS 1.3 that resumes."""
    context = client_for(KIND13, pki)
    context.sessions.resume = True
    return context


@pytest.fixture
def stingy(pki: PKI) -> Any:
    """A server of TLS 1.3, which a test may have send no tickets."""
    return server_for(KIND13, pki, identity=pki.direct)


# -- tickets that have no successor ----------------------------------------------------------------


def test_a_ticket_without_a_successor_is_used_again(modern: Any, stingy: Any) -> None:
    memory_pair(modern, stingy)
    stingy.num_tickets = 0
    reused = [memory_pair(modern, stingy)[0].session_reused for _ in range(6)]
    assert reused == [True] * 6
    # Two tickets came, and six connections resumed.
    assert modern.sessions.counters["ticket_reused"] == 4


def test_single_use_goes_without(modern: Any, stingy: Any) -> None:
    modern.sessions.single_use = True
    assert modern.sessions.single_use is True
    memory_pair(modern, stingy)
    stingy.num_tickets = 0
    ends = [memory_pair(modern, stingy)[0] for _ in range(4)]
    assert [end.session_reused for end in ends] == [True, True, False, False]
    assert ends[2].resumption == NotOffered(Reason.ALREADY_TAKEN)
    assert modern.sessions.counters["ticket_reused"] == 0


def test_single_use_does_not_take_what_another_context_has_set_aside(
    modern: Any, stingy: Any, pki: PKI
) -> None:
    memory_pair(modern, stingy)
    stingy.num_tickets = 0
    memory_pair(modern, stingy)
    careful = client_for(KIND13, pki)
    careful.sessions.store = modern.sessions.store
    careful.sessions.single_use = True
    near, _ = memory_pair(careful, stingy)
    assert near.resumption == NotOffered(Reason.ALREADY_TAKEN)
    assert memory_pair(modern, stingy)[0].session_reused


def test_more_connections_at_once_than_tickets(modern: Any, stingy: Any) -> None:
    memory_pair(modern, stingy)
    stingy.num_tickets = 0
    assert all(memory_pair(modern, stingy)[0].session_reused for _ in range(3))


def test_fresh_tickets_come_first(modern: Any, stingy: Any) -> None:
    """Where each connection brings a successor, no ticket is shown twice."""
    shown = []
    for _ in range(6):
        near, _ = memory_pair(modern, stingy)
        shown.append(inside.offer_of(near).session)
    tickets = [session.ticket for session in shown if session is not None]
    assert len(tickets) == len(set(tickets)) == 5
    assert modern.sessions.counters["ticket_reused"] == 0


def test_a_server_that_sends_one_ticket(modern: Any, stingy: Any) -> None:
    stingy.num_tickets = 1
    reused = [memory_pair(modern, stingy)[0].session_reused for _ in range(5)]
    assert reused == [False, True, True, True, True]
    assert modern.sessions.counters["ticket_reused"] == 0


def early(client: Any, server: Any) -> Any:
    """The client's end of a connection that has early data to send."""
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost", early_data=b"early")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(6):
        for end in (near, far):
            with contextlib.suppress(tlskit.SSLWantReadError):
                end.do_handshake()
    with contextlib.suppress(tlskit.SSLWantReadError):
        near.read(1)
    return near


def test_early_data_never_goes_with_a_ticket_twice(modern: Any, stingy: Any) -> None:
    stingy.max_early_data = 1000
    memory_pair(modern, stingy)
    stingy.num_tickets = 0
    ends = [early(modern, stingy) for _ in range(4)]
    status = [end.early_data_status for end in ends]
    assert status[:2] == [tlskit.EarlyDataStatus.ACCEPTED] * 2
    assert status[2:] == [tlskit.EarlyDataStatus.NOT_SENT] * 2


# -- peers on which each resumption fails ----------------------------------------------------------


def test_after_one_failure_nothing_of_the_peer_is_offered(
    kind: Kind, client: Any, pki: PKI
) -> None:
    """Whatever stands before the server answers each offered session with a fatal alert."""
    server = server_for(kind, pki, identity=pki.direct)
    for _ in range(4):  # so that several lie in the store
        client.sessions.resume = False
        near, _ = memory_pair(client, server)
        client.sessions.resume = True
        client.sessions.add(near.session)
    memory_pair(client, server, hostname="other.example")
    incoming, outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    incoming.write(b"\x15\x03\x03\x00\x02\x02\x28")
    with pytest.raises(tlskit.SSLError):
        near.do_handshake()
    near, _ = memory_pair(client, server)
    assert isinstance(near.resumption, NotOffered)
    assert client.sessions.counters["peer_dropped"] == 1
    # Other peers keep theirs, and this one begins again.
    assert memory_pair(client, server, hostname="other.example")[0].session_reused
    assert memory_pair(client, server)[0].session_reused


# -- services on different ports of one name -------------------------------------------------------


@contextlib.contextmanager
def service(context: Any) -> Iterator[tuple[str, int]]:
    """A server that answers each connection with a byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                with (
                    contextlib.suppress(OSError),
                    context.wrap_socket(plain, server_side=True) as end,
                ):
                    end.sendall(b"x")
                    end.recv(1)

        serving = Background(serve)
        try:
            yield listener.getsockname()
        finally:
            stop_listening(listener)
            serving.result()


def visit(client: Any, address: tuple[str, int], **how: Any) -> Any:
    """What became of resumption on a connection that has read a byte."""
    plain = socket.create_connection(address, timeout=20)
    with client.wrap_socket(plain, server_hostname="localhost", **how) as end:
        assert end.recv(1) == b"x"
        return end.resumption


def test_two_services_of_one_name(kind: Kind, client: Any, pki: PKI) -> None:
    servers = [server_for(kind, pki, identity=pki.direct) for _ in range(2)]
    with service(servers[0]) as one, service(servers[1]) as two:
        outcomes = [visit(client, address) for address in (one, two) * 4]
        assert all(outcomes[2:])
        # Another context with the same store need not find out again.
        other = client_for(kind, pki)
        other.sessions.store = client.sessions.store
        assert all(visit(other, address) for address in (one, two) * 2)


def test_two_services_with_the_same_keys(kind: Kind, client: Any, pki: PKI) -> None:
    """As an FTP server's control and data connections: whatever the port, they resume."""
    server = server_for(kind, pki, identity=pki.direct)
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(service(server)) for _ in range(4)]
        outcomes = [visit(client, address) for address in ports + ports[::-1]]
    assert all(outcomes[1:])


def test_a_service_that_was_restarted_elsewhere(kind: Kind, client: Any, pki: PKI) -> None:
    """Its keys and its port have changed: what it sent before does not stand in the way."""
    for _ in range(2):
        server = server_for(kind, pki, identity=pki.direct)
        with contextlib.ExitStack() as stack:
            ports = [stack.enter_context(service(server)) for _ in range(3)]
            outcomes = [visit(client, address) for address in ports]
        assert all(outcomes[1:])


def test_a_ticket_that_was_taken_for_another_port_is_put_back(modern: Any, pki: PKI) -> None:
    def another() -> Any:
        context = client_for(KIND13, pki)
        context.sessions.store = modern.sessions.store
        return context

    servers = [server_for(KIND13, pki, identity=pki.direct) for _ in range(3)]
    with service(servers[0]) as one, service(servers[1]) as two, service(servers[2]) as three:
        for address in (one, two) * 3:  # from here on, each of them has a place of its own
            visit(modern, address)
        modern.sessions.clear()
        visit(modern, one)
        assert not visit(another(), three)  # leaves one ticket, and one that is set aside
        assert visit(another(), one)
        careful = another()
        careful.sessions.single_use = True
        assert visit(careful, three)


def test_early_data_goes_to_its_own_port_only(modern: Any, pki: PKI) -> None:
    server = server_for(KIND13, pki, identity=pki.direct)
    server.max_early_data = 1000

    def said(address: tuple[str, int]) -> Any:
        plain = socket.create_connection(address, timeout=20)
        with modern.wrap_socket(plain, server_hostname="localhost", early_data=b"early") as end:
            assert end.recv(1) == b"x"
            return end.session_reused, end.early_data_status

    with service(server) as one, service(server) as two:
        visit(modern, one)
        assert said(two) == (True, tlskit.EarlyDataStatus.NOT_SENT)
        visit(modern, two)
        modern.sessions.clear()
        visit(modern, one)
        assert said(one) == (True, tlskit.EarlyDataStatus.ACCEPTED)


# -- contexts with other cipher suites on one store ------------------------------------------------


def test_two_cipher_lists_on_one_store(pki: PKI) -> None:
    server, store = server_for(KIND12, pki, identity=pki.direct), MemoryStore()
    contexts = [client_for(KIND12, pki) for _ in range(2)]
    for context, words in zip(contexts, ("ECDHE+AESGCM", "ECDHE+CHACHA20"), strict=True):
        context.set_ciphers(words)
        context.sessions.store = store
    reused = [memory_pair(context, server)[0].session_reused for context in contexts * 4]
    assert reused == [False] * 2 + [True] * 6


def test_two_lists_of_tls13_suites_on_one_store(pki: PKI) -> None:
    server, store = server_for(KIND13, pki, identity=pki.direct), MemoryStore()
    contexts = [client_for(KIND13, pki) for _ in range(2)]
    for context, words in zip(
        contexts, ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"), strict=True
    ):
        context.set_ciphersuites(words)
        context.sessions.store = store
    ends = [memory_pair(context, server)[0] for context in contexts * 4]
    assert [end.session_reused for end in ends] == [False] * 2 + [True] * 6
    assert isinstance(ends[1].resumption, NotOffered)  # it would have been refused


# -- tickets without end ---------------------------------------------------------------------------


class Counting(MemoryStore):
    """A store that counts its puts."""

    puts = 0

    def put(self, *arguments: Any, **how: Any) -> None:
        self.puts += 1
        super().put(*arguments, **how)


def test_a_flood_of_tickets_is_not_all_kept(pki: PKI, stingy: Any) -> None:
    client, told = client_for(KIND13, pki), []
    store = client.sessions.store = Counting()
    client.sessions.on_new = lambda end, session: told.append(session)
    stingy.num_tickets = 500
    near, far = memory_pair(client, stingy)
    for _ in range(20):
        far.write(b"x")
        near.read(1)
    assert len(told) > 50  # who asked to be told is told
    assert store.puts <= 2 * (client.sessions.per_peer + 1)
    assert len(store) <= client.sessions.per_peer
    assert memory_pair(client, stingy)[0].session_reused


# -- taking sessions out ---------------------------------------------------------------------------


def test_a_session_is_removed_from_a_clients_store(kind: Kind, client: Any, pki: PKI) -> None:
    server = server_for(kind, pki, identity=pki.direct)
    memory_pair(client, server)
    stored = list(client.sessions)
    assert len(stored) == kind.brought
    for session in stored:
        assert client.sessions.remove(session)
        assert not client.sessions.remove(session)
    assert not list(client.sessions)
    assert isinstance(memory_pair(client, server)[0].resumption, NotOffered)


def test_a_session_of_others_is_not_removed(kind: Kind, client: Any, pki: PKI) -> None:
    server = server_for(kind, pki, identity=pki.direct)
    stranger = Link("memory").earn(client_for(kind, pki), server)
    memory_pair(client, server)
    before = len(list(client.sessions))
    assert not client.sessions.remove(stranger)
    assert len(list(client.sessions)) == before


def test_one_host_is_forgotten(kind: Kind, client: Any, pki: PKI) -> None:
    server = server_for(kind, pki, identity=pki.direct)
    for name in ("localhost", "other.example"):
        memory_pair(client, server, hostname=name)
    assert client.sessions.forget("LOCALHOST") == kind.brought
    assert client.sessions.forget("localhost") == 0
    assert {session.hostname for session in client.sessions} == {"other.example"}
    assert not memory_pair(client, server)[0].session_reused
    assert memory_pair(client, server, hostname="other.example")[0].session_reused
    with pytest.raises(TypeError, match="must be a str"):
        client.sessions.forget(b"localhost")


def test_one_port_of_a_host_is_forgotten(kind: Kind, client: Any, pki: PKI) -> None:
    servers = [server_for(kind, pki, identity=pki.direct) for _ in range(2)]
    with service(servers[0]) as one, service(servers[1]) as two:
        for address in (one, two):
            visit(client, address)
        assert client.sessions.forget("localhost", two[1]) > 0
        assert client.sessions.forget("localhost", two[1]) == 0
        assert visit(client, one)
        assert not visit(client, two)


def test_a_store_that_cannot_list_says_so(client: Any, pki: PKI, kind: Kind) -> None:
    class Mute(MemoryStore):
        def entries(self) -> Any:
            raise NotImplementedError("no list")

    client.sessions.store = Mute()
    server = server_for(kind, pki, identity=pki.direct)
    near, _ = memory_pair(client, server)
    with pytest.raises(NotImplementedError):
        client.sessions.forget("localhost")
    assert client.sessions.remove(near.session)  # all of the peer, to be sure
    assert isinstance(memory_pair(client, server)[0].resumption, NotOffered)


def test_a_flush_that_looks_ahead(kind: Kind, client: Any, pki: PKI) -> None:
    server = server_for(kind, pki, identity=pki.direct)
    memory_pair(client, server)
    ends = max(session.expires_at for session in client.sessions)
    client.sessions.flush(ends - 60)
    assert len(list(client.sessions)) == kind.brought
    client.sessions.flush(1)
    assert len(list(client.sessions)) == kind.brought
    client.sessions.flush(ends + 60)
    assert not list(client.sessions)


def test_threads_at_once_on_two_services(modern: Any, pki: PKI) -> None:
    """No race loses a session for good, and nothing fails."""
    servers = [server_for(KIND13, pki, identity=pki.direct) for _ in range(2)]
    barrier = threading.Barrier(4)

    def work(address: tuple[str, int]) -> int:
        barrier.wait(20)
        return sum(bool(visit(modern, address)) for _ in range(8))

    with service(servers[0]) as one, service(servers[1]) as two:
        workers = [Background(lambda a=a: work(a)) for a in (one, two) * 2]
        assert sum(worker.result(60) for worker in workers) > 16
