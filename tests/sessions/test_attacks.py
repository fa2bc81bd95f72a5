"""What a hostile peer, or an unlucky moment, could make of sessions: each of these got through
once, or might have.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import warnings
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import tlskit
from tlskit import EarlyDataStatus, MemoryStore, Reason, Refused
from tlskit._core.connection import Connection
from tlskit._core.trust import TrustStore
from tlskit._resumption import server as server_module

from ..support import inside
from ..support.pairs import Background, client_context, memory_pair, server_context, shake
from ..support.pki import PKI
from .authority import Authority
from .test_automatic import BytesStore
from .test_early_data import EARLY, Wire, replay, serving, warm

# -- certificates that are asked for after the handshake, or in it ---------------------------------


def verifying(pki: PKI, *, afterwards: bool) -> Any:
    """A server that demands certificates: in the handshake, or when it gets round to asking."""
    context = server_context(pki, identity=pki.direct)
    context.load_verify_locations(pki.root)
    context.verify_mode = tlskit.CERT_REQUIRED
    context.post_handshake_auth = afterwards
    return context


@pytest.mark.parametrize("how", ["keyring", "store", "the same context"])
def test_who_was_not_asked_yet_has_not_shown_a_certificate(pki: PKI, how: str) -> None:
    """A session from a server that asks later is none for a server that asks at once."""
    client, asks_later, asks_at_once = (
        client_context(pki),
        verifying(pki, afterwards=True),
        verifying(pki, afterwards=False),
    )
    client.post_handshake_auth = True
    if how == "keyring":
        asks_later.tickets.keyring = asks_at_once.tickets.keyring = tlskit.TicketKeyring()
    elif how == "store":
        asks_later.sessions.store = asks_at_once.sessions.store = MemoryStore()
    near, far = memory_pair(client, asks_later)
    assert far.getpeercert() is None
    assert memory_pair(client, asks_later, session=near.session)[0].session_reused
    if how == "the same context":
        asks_later.post_handshake_auth, asks_at_once = False, asks_later
    with pytest.raises(tlskit.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        memory_pair(client, asks_at_once, session=near.session)


def test_who_was_asked_afterwards_has_shown_one(pki: PKI) -> None:
    """The tickets after that say so, and stay in the process."""
    client, server = client_context(pki), verifying(pki, afterwards=True)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    client.post_handshake_auth = True
    server.sessions.store = BytesStore()
    near, far = memory_pair(client, server)
    far.verify_client_post_handshake()
    for end, other in ((far, near), (near, far), (far, near)):
        end.write(b"x")
        assert other.read(1) == b"x"
    assert far.getpeercert()
    assert server.sessions.counters["withheld"] == 2


# -- early data ------------------------------------------------------------------------------------


def test_early_data_of_a_session_that_a_hook_gave_is_not_taken(pki: PKI) -> None:
    """Nobody knows whether the hook has given it before."""
    server, kept = serving(pki), dict[bytes, tlskit.SSLSession]()
    server.sessions.on_new = lambda connection, session: kept.__setitem__(session.id, session)
    server.sessions.on_get = lambda connection, session_id: kept.get(session_id)
    client = client_context(pki)
    client.sessions.resume = True
    warm(client, server)
    wire = Wire(client, server)
    wire.near_step()
    recorded = wire.out.read()
    wire.to_server.write(recorded)
    wire.finish()
    assert wire.near.session_reused
    assert wire.near.early_data_status is EarlyDataStatus.REJECTED
    assert wire.far.read(100) == EARLY  # sent again
    assert [replay(recorded, server) for _ in range(2)] == [b"", b""]


def test_a_change_of_mind_about_early_data_is_no_chance_to_replay(pki: PKI) -> None:
    """A connection takes early data as its context did when it was made; so the session is for one
    use until the end.
    """
    server, client = serving(pki, store=MemoryStore()), client_context(pki)
    client.sessions.resume = True
    warm(client, server)
    wire = Wire(client, server)
    wire.near_step()
    recorded = wire.out.read()
    got = []
    for far, to_server in [_listening(server) for _ in range(3)]:
        server.max_early_data = 0
        to_server.write(recorded)
        with contextlib.suppress(tlskit.SSLWantReadError):
            got.append(far.read_early_data())
    assert sum(map(bool, got)) <= 1


def _listening(server: Any) -> tuple[Any, Any]:
    to_server = tlskit.MemoryBIO()
    return server.wrap_bio(to_server, tlskit.MemoryBIO(), server_side=True), to_server


def test_early_data_for_the_same_name_in_other_letters(pki: PKI) -> None:
    """OpenSSL would fail the handshake: the session remembers the name as it was written."""
    server, client = serving(pki), client_context(pki)
    server.sni_callback = lambda *a: None  # so that the name is acknowledged
    client.sessions.resume = True
    memory_pair(client, server, hostname="LOCALHOST")
    wire = Wire(client, server)
    wire.finish()
    assert wire.near.session_reused
    assert wire.near.early_data_status is EarlyDataStatus.NOT_SENT
    assert wire.far.read(100) == EARLY


@pytest.mark.parametrize("protocols", [[], ["http/1.1"], ["http/1.1", "h2"]])
def test_early_data_under_other_application_protocols(pki: PKI, protocols: list[str]) -> None:
    """A session from DER does not say which protocols were offered when it was made; early data is
    for the one it has.
    """
    server, first, second = serving(pki), client_context(pki), client_context(pki)
    server.set_alpn_protocols(["h2", "http/1.1"])
    first.set_alpn_protocols(["h2"])
    session = tlskit.SSLSession.from_der(memory_pair(first, server)[0].session.to_der())
    if protocols:
        second.set_alpn_protocols(protocols)
    wire = Wire(second, server, session=session)
    wire.finish()
    assert not isinstance(wire.near.resumption, Refused)
    sent = wire.near.early_data_status
    assert sent is (EarlyDataStatus.ACCEPTED if "h2" in protocols else EarlyDataStatus.NOT_SENT)
    assert (
        wire.far.read_early_data() if sent is EarlyDataStatus.ACCEPTED else wire.far.read(100)
    ) == EARLY


# -- unlucky moments -------------------------------------------------------------------------------


class Interrupting(Counter[str]):
    """A count that something comes in the middle of, as a finaliser or a signal handler may."""

    def __init__(self, what: Callable[[], object]) -> None:
        self.what: Callable[[], object] | None = what

    def __missing__(self, key: str) -> int:
        what, self.what = self.what, None
        if what is not None:
            what()
        return 0


def test_a_connection_that_ends_in_the_middle_of_anothers_count(pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki)
    client.sessions.resume = True
    inside.count_with(client, Interrupting(lambda: memory_pair(client, server)))
    Background(lambda: memory_pair(client, server)).result(10)
    assert client.sessions.counters["nothing_stored"] >= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_of_a_busy_parent_connects(pki: PKI) -> None:
    """Another thread has each lock when the process forks; it does not come along."""
    client, server = client_context(pki), server_context(pki)
    client.sessions.resume = True
    memory_pair(client, server)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with inside.all_locks_of(client):
            held.set()
            done.wait(60)

    holding = Background(hold)
    assert held.wait(10)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of a fork with threads, which is the point
        child = os.fork()
    if child == 0:  # pragma: no cover
        signal.alarm(10)
        try:
            memory_pair(client, server)
            os._exit(0 if memory_pair(client, server)[0].session_reused else 1)
        finally:
            os._exit(2)
    status = os.waitpid(child, 0)[1]
    done.set()
    holding.result()
    assert status == 0


def test_authorities_change_while_others_verify(pki: PKI) -> None:
    """What a connection may be looking at stays as long as the connection, and no longer."""
    client, server = client_context(pki), server_context(pki)
    near, _ = memory_pair(client, server)
    former = weakref.ref(inside.settings_of(client).now)
    for root in (pki.stranger_root, pki.root) * 3:
        client.load_verify_locations(root)
    assert former() is not None
    del near, _
    gc.collect()
    assert former() is None


def test_authorities_change_in_another_thread(pki: PKI) -> None:
    client, server, stop = client_context(pki), server_context(pki), threading.Event()

    def change() -> None:
        while not stop.is_set():
            inside.settings_of(client).trust = TrustStore()
            client.load_verify_locations(pki.root)
            client.load_verify_locations(pki.stranger_root)

    changing = Background(change)
    try:
        for _ in range(200):
            with contextlib.suppress(tlskit.SSLCertVerificationError):  # nobody was trusted
                memory_pair(client, server)
    finally:
        stop.set()
        changing.result()


def test_protocols_change_while_others_choose(pki: PKI) -> None:
    """The list is not freed under a handshake that reads it."""
    client, server, stop = client_context(pki), server_context(pki), threading.Event()
    client.set_alpn_protocols(["h2"])
    server.set_alpn_protocols(["h2"])

    def change() -> None:
        while not stop.is_set():
            server.set_alpn_protocols([f"unheard-of/{n}" for n in range(200)] + ["h2"])
            server.set_alpn_protocols(["h2"])

    changing = Background(change)
    try:
        for _ in range(30):
            assert memory_pair(client, server)[0].selected_alpn_protocol() == "h2"
    finally:
        stop.set()
        changing.result()


# -- certificates that end -------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["store", "hook"])
def test_a_clients_certificate_that_has_ended(
    pki: PKI, authority: Authority, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """A session must not let a client in for longer than its certificate would."""
    identity, certificate = authority.issue("a client")
    client, server = client_context(pki), verifying(pki, afterwards=False)
    client.load_cert_chain(identity.chain, identity.key)
    server.load_verify_locations(authority.root)
    kept: dict[bytes, tlskit.SSLSession] = {}
    if given == "store":
        server.sessions.store = MemoryStore()
    else:
        server.sessions.mode = tlskit.SessionCacheMode.SERVER | tlskit.SessionCacheMode.NO_INTERNAL
        server.sessions.on_new = lambda connection, session: kept.__setitem__(session.id, session)
        server.sessions.on_get = lambda connection, session_id: kept.get(session_id)
    end = certificate.not_valid_after_utc.timestamp()
    for late, resumes in ((-10, True), (10, False)):
        session = memory_pair(client, server)[0].session
        with monkeypatch.context() as patch:
            patch.setattr(server_module, "now", lambda late=late: end + late)
            near, far = memory_pair(client, server, session=session)
        assert near.session_reused is resumes
        assert resumes or far.resumption == Refused(Reason.CERTIFICATE_OUT_OF_DATE)


# -- threads ---------------------------------------------------------------------------------------


def test_two_threads_in_one_handshake(pki: PKI) -> None:
    """Both are stopped before it, and one of them answers: the other must not offer another session
    in its middle.
    """
    client, server, begun = client_context(pki), server_context(pki), threading.Event()
    client.sessions.store = store = MemoryStore()
    memory_pair(client, server)
    for _ in range(3):
        memory_pair(client, server)
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    asked: list[int] = []

    class Slow(MemoryStore):
        def take(self, key: bytes) -> Any:
            asked.append(threading.get_ident())
            if len(asked) == 1:
                begun.set()
                other_is_there.wait(0.5)
            return store.take(key)

    other_is_there = threading.Event()
    slow = Slow()
    inside.guard_of(near).store = slow

    def begin() -> None:
        with contextlib.suppress(tlskit.SSLWantReadError):
            near.do_handshake()

    first = Background(begin)
    assert begun.wait(10)
    second = Background(begin)
    first.result()
    second.result()
    assert len(asked) == 1
    shake(near, far)
    assert near.session_reused
    far.write(b"x")
    assert near.read(1) == b"x"


def test_another_thread_changes_the_context_and_changes_it_back(
    pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection has the state of its context that it began with, whole."""
    client, stranger = client_context(pki), server_context(pki, identity=pki.stranger)
    client.sessions.resume = True
    original = Connection.__init__

    def meddling(self: Connection, context: Any, **options: Any) -> None:
        client.check_hostname, client.verify_mode = False, tlskit.CERT_NONE
        try:
            original(self, context, **options)
        finally:
            client.check_hostname = True

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "__init__", meddling)
        with pytest.raises(tlskit.SSLCertVerificationError):
            memory_pair(client, stranger)
    assert client.sessions.counters["stored"] == 0
    client.verify_mode = tlskit.CERT_REQUIRED
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, stranger)
