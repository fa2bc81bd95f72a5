"""Clients that resume by themselves: what is offered, what is kept, and what never is."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tlskit
from tlskit import MemoryStore, NotOffered, Reason, Refused, Resumed
from tlskit._resumption import store_keys

from ..support import inside
from ..support.pairs import Background, client_context, echo_server, memory_pair, only, shake
from ..support.pki import PKI
from .helpers import Kind, Link, aged, client_for, greet, server_for


class BytesStore:
    """A store that says that it leaves the process, so that it gets bytes; and shows what it was
    asked.
    """

    in_process = False
    sealed = True  # it says so

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.asked: list[str] = []
        self.break_with: Exception | None = None
        self.answer: Callable[[bytes], Any] | None = None

    def _asked(self, what: str) -> None:
        self.asked.append(what)
        if self.break_with is not None:
            raise self.break_with

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int = 1) -> None:
        self._asked("put")
        assert type(value) is bytes
        self.inner.put(key, value, seconds, most=most)

    def take(self, key: bytes) -> Any:
        self._asked("take")
        return self.inner.take(key) if self.answer is None else self.answer(key)

    def get(self, key: bytes) -> Any:
        self._asked("get")
        return self.inner.get(key) if self.answer is None else self.answer(key)

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        self._asked("remove")
        return self.inner.remove(key, value)

    def purge(self) -> int:
        return self.inner.purge()

    def clear(self) -> None:
        self.inner.clear()

    def close(self) -> None:
        self.inner.close()

    def entries(self) -> Iterator[Any]:
        return self.inner.entries()


@pytest.fixture(params=["objects", "bytes"])
def store(request: pytest.FixtureRequest) -> Any:
    """A store within the process, and one beyond it."""
    return MemoryStore() if request.param == "objects" else BytesStore()


@pytest.fixture
def automatic(client: Any, store: Any) -> Any:
    """A client's context that resumes by itself."""
    client.sessions.store = store
    return client


def stored(store: Any) -> int:
    return len(list(store.entries()))


# -- it resumes ------------------------------------------------------------------------------------


def test_every_later_connection_resumes(automatic: Any, server: Any, link: Link) -> None:
    near, far = link.connect(automatic, server)
    assert near.resumption == NotOffered(Reason.NOTHING_STORED)
    assert not near.session_reused
    for _ in range(5):
        near, far = link.connect(automatic, server)
        assert near.session_reused
        assert isinstance(near.resumption, Resumed)
        assert near.resumption.automatic
        greet(near, far) if link.transport == "memory" else None
    assert automatic.sessions.counters["resumed"] == 5
    assert automatic.sessions.counters["nothing_stored"] == 1


def test_off_until_asked_for(client: Any, server: Any, link: Link) -> None:
    for _ in range(3):
        near, _ = link.connect(client, server)
        assert near.resumption == NotOffered(Reason.NOT_ENABLED)
    assert client.sessions.store is None
    assert not client.sessions.resume


def test_resume_alone_is_enough(client: Any, server: Any, memory: Link) -> None:
    client.sessions.resume = True
    assert isinstance(client.sessions.store, MemoryStore)
    memory.connect(client, server)
    assert memory.connect(client, server)[0].session_reused


def test_switched_off_again(automatic: Any, server: Any, memory: Link) -> None:
    memory.connect(automatic, server)
    automatic.sessions.resume = False
    assert not memory.connect(automatic, server)[0].session_reused
    automatic.sessions.resume = True
    assert memory.connect(automatic, server)[0].session_reused
    automatic.sessions.store = None
    assert not automatic.sessions.resume
    assert not memory.connect(automatic, server)[0].session_reused


def test_contexts_that_verify_alike_share(
    kind: Kind, pki: PKI, server: Any, store: Any, memory: Link
) -> None:
    """A new context for each connection, as short programs make it."""
    for number in range(4):
        context = client_for(kind, pki)
        context.sessions.store = store
        assert memory.connect(context, server)[0].session_reused == (number > 0)


def test_authorities_that_are_loaded_again(
    automatic: Any, server: Any, pki: PKI, memory: Link
) -> None:
    """urllib3 loads them into the context for every connection: that changes nothing, and nothing
    grows.
    """
    identity = inside.settings_of(automatic).trust.identity
    for number in range(4):
        automatic.load_verify_locations(pki.root)
        automatic.load_verify_locations(cadata=pki.root_pem)
        assert memory.connect(automatic, server)[0].session_reused == (number > 0)
    assert automatic.cert_store_stats()["x509"] == 1
    assert inside.settings_of(automatic).trust.identity == identity
    automatic.load_verify_locations(pki.stranger_root)
    assert not memory.connect(automatic, server)[0].session_reused


def test_the_callers_session_comes_first(
    automatic: Any, server: Any, memory: Link, store: Any
) -> None:
    session = memory.earn(automatic, server)
    kept = stored(store)
    near, _ = memory.connect(automatic, server, session=session)
    assert near.session_reused
    assert not near.resumption.automatic
    assert stored(store) >= kept  # nothing was taken for it


def test_without_a_name_nothing_is_looked_up(
    pki: PKI, memory: Link, kind: Kind, store: Any
) -> None:
    context, server = client_for(kind, pki), server_for(kind, pki)
    context.check_hostname = False
    context.sessions.store = store
    for _ in range(2):
        near, _ = memory.connect(context, server, hostname=None)
        assert near.resumption == NotOffered(Reason.NO_NAME)
    assert stored(store) == 0


def test_a_connection_that_is_never_made_takes_nothing(
    automatic: Any, server: Any, memory: Link, store: Any
) -> None:
    memory.connect(automatic, server)
    before = stored(store)
    automatic.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    assert stored(store) == before > 0


def test_implicit_handshake(automatic: Any, server: Any) -> None:
    """read() and write() make the handshake too."""
    for number in range(2):
        to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = automatic.wrap_bio(to_client, to_server, server_hostname="localhost")
        far = server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(6):
            for work in (near.read, far.read):
                with contextlib.suppress(tlskit.SSLWantReadError):
                    work(1)
        assert near.version() is not None
        assert near.session_reused == (number == 1)


def test_ticket_numbers_and_age(automatic: Any, server: Any, memory: Link, kind: Kind) -> None:
    memory.connect(automatic, server)
    near, _ = memory.connect(automatic, server)
    assert near.resumption.age in (0, 1)
    assert near.resumption.ticket in ((1, 2, None) if kind.modern else (1, None))


# -- single use ------------------------------------------------------------------------------------


def test_a_ticket_is_used_once(pki: PKI, memory: Link, store: Any) -> None:
    """Each TLS 1.3 connection in flight has a ticket of its own; when they are gone, it is a full
    handshake.
    """
    context, server = client_context(pki), server_for(KIND13, pki, identity=pki.direct)
    only(tlskit.TLSVersion.TLSv1_3, context)
    context.sessions.store = store
    context.sessions.single_use = True
    memory.connect(context, server)  # brings two
    in_flight = []
    for _ in range(3):
        to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = context.wrap_bio(to_client, to_server, server_hostname="localhost")
        with pytest.raises(tlskit.SSLWantReadError):
            near.do_handshake()
        in_flight.append((near, to_server.read()))
    offers = [
        b"".join(s.ticket for s in [inside.offer_of(near).session] if s) for near, _ in in_flight
    ]
    assert offers[0] != offers[1]
    assert all(offers[:2])
    assert offers[2] == b""
    assert inside.offer_of(in_flight[2][0]).reason is Reason.ALREADY_TAKEN


def test_a_tls12_session_is_shared(pki: PKI, store: Any) -> None:
    context, server = client_context(pki), server_for(KIND12, pki, identity=pki.direct)
    context.maximum_version = tlskit.TLSVersion.TLSv1_2
    context.sessions.store = store
    memory_pair(context, server)
    assert stored(store) == 1
    assert all(memory_pair(context, server)[0].session_reused for _ in range(5))
    assert stored(store) == 1


def test_a_resumption_does_not_move_the_deadline(pki: PKI, store: Any) -> None:
    context, server = client_context(pki), server_for(KIND12, pki, identity=pki.direct)
    context.maximum_version = tlskit.TLSVersion.TLSv1_2
    context.sessions.store = store
    memory_pair(context, server)
    before = {entry.key: (entry.value, entry.seconds_left) for entry in store.entries()}
    memory_pair(context, server)
    for entry in store.entries():
        value, left = before[entry.key]
        assert entry.value == value
        assert entry.seconds_left <= left


def test_bounded_per_peer(pki: PKI, store: Any, memory: Link) -> None:
    context, server = client_for(KIND13, pki), server_for(KIND13, pki, identity=pki.direct)
    server.num_tickets = 5
    context.sessions.store = store
    context.sessions.per_peer = 3
    memory.connect(context, server)
    assert stored(store) == 3


@pytest.mark.parametrize("bad", [0, -1, 1001, 1.5, "3", None])
def test_bounds_are_checked(client: Any, bad: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        client.sessions.per_peer = bad
    assert client.sessions.per_peer == 8


# -- never a hole ----------------------------------------------------------------------------------


def changed_name(context: Any, pki: PKI) -> str:
    return "other.example"


def changed_verification(context: Any, pki: PKI) -> str:
    context.check_hostname = False
    context.verify_mode = tlskit.CERT_NONE
    return "localhost"


def changed_authorities(context: Any, pki: PKI) -> str:
    context.load_verify_locations(pki.stranger_root)
    return "localhost"


def changed_certificate(context: Any, pki: PKI) -> str:
    context.load_cert_chain(pki.client.chain, pki.client.key)
    return "localhost"


def changed_alpn(context: Any, pki: PKI) -> str:
    context.set_alpn_protocols(["h2"])
    return "localhost"


def changed_flags(context: Any, pki: PKI) -> str:
    context.verify_flags |= tlskit.VERIFY_X509_STRICT
    return "localhost"


CHANGES = [
    changed_name,
    changed_verification,
    changed_authorities,
    changed_certificate,
    changed_alpn,
    changed_flags,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_what_was_earned_otherwise_is_not_offered(
    kind: Kind, pki: PKI, server: Any, store: Any, memory: Link, change: Callable[[Any, PKI], str]
) -> None:
    """In both directions: neither the changed context's session to the first one, nor the other way
    about.
    """
    first, second = client_for(kind, pki), client_for(kind, pki)
    name = change(second, pki)
    for context in (first, second):
        context.sessions.store = store
        context.sessions.client_certificates = True
    memory.connect(first, server)
    assert memory.connect(first, server)[0].session_reused
    near, _ = memory.connect(second, server, hostname=name)
    assert near.resumption == NotOffered(Reason.NOTHING_STORED)
    assert memory.connect(second, server, hostname=name)[0].session_reused
    assert memory.connect(first, server)[0].session_reused


def test_an_unverified_session_never_passes_for_a_verified_one(
    kind: Kind, pki: PKI, store: Any, memory: Link
) -> None:
    """A server with a stranger's certificate, visited without verification: verification must see
    it later.
    """
    server = server_for(kind, pki, identity=pki.stranger)
    careless, careful = client_for(kind, pki), client_for(kind, pki)
    careless.check_hostname = False
    careless.verify_mode = tlskit.CERT_NONE
    careless.sessions.store = careful.sessions.store = store
    memory.connect(careless, server)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory.connect(careful, server)


@pytest.mark.parametrize("change", CHANGES[1:], ids=lambda f: f.__name__)
def test_a_context_that_changes_between_making_and_shaking(
    automatic: Any, server: Any, pki: PKI, store: Any, change: Callable[[Any, PKI], str]
) -> None:
    """A connection has the state that it began with; the change is for those that come later."""
    memory_pair(automatic, server)
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = automatic.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    change(automatic, pki)
    shake(near, far)
    assert near.session_reused
    with contextlib.suppress(tlskit.SSLError):
        assert not memory_pair(automatic, server)[0].session_reused


def misplaced(store: Any, name: str, other: str, pki: PKI, kind: Kind) -> None:
    """Put what was earned from one name where what was earned from another is looked for."""
    context = client_for(kind, pki)
    context.sessions.store = store
    one, two = (
        inside.store_key(
            context.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=n)
        )
        for n in (name, other)
    )
    for entry in list(store.entries()):
        if entry.key.startswith(one):
            store.put(two + entry.key[len(one) :], entry.value, entry.seconds_left)


def test_somebody_elses_entry(
    kind: Kind, pki: PKI, automatic: Any, server: Any, store: Any, memory: Link
) -> None:
    """Who can write the store moves a session under another name's key: it says itself what it is
    good for.
    """
    memory.connect(automatic, server)
    misplaced(store, "localhost", "other.example", pki, kind)
    near, _ = memory.connect(automatic, server, hostname="other.example")
    assert not near.session_reused
    assert near.resumption == NotOffered(Reason.OTHER_HOST)


@pytest.mark.parametrize("seconds", [8 * 24 * 3600, 100 * 24 * 3600])
def test_an_expired_session(
    kind: Kind, pki: PKI, automatic: Any, server: Any, memory: Link, seconds: int
) -> None:
    session = aged(memory.earn(automatic, server), seconds)
    assert not automatic.sessions.add(session)
    automatic.sessions.store.clear()
    store = automatic.sessions.store
    if isinstance(store, MemoryStore):  # as if it had expired in there
        key = inside.store_key(
            automatic.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
        )
        store.put(key + (b"\x03" if kind.modern else b"\x02"), session, 100)
        near, _ = memory.connect(automatic, server)
        assert near.resumption == NotOffered(Reason.EXPIRED)


def test_a_failed_handshake_drops_what_was_offered(pki: PKI, store: Any, memory: Link) -> None:
    """A TLS 1.2 session that was offered in a handshake that failed is not offered again; others
    stay.
    """
    context, server = client_for(KIND12, pki), server_for(KIND12, pki, identity=pki.direct)
    context.sessions.store = store
    memory.connect(context, server)
    memory.connect(context, server, hostname="other.example")
    assert stored(store) == 2
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = context.wrap_bio(to_client, to_server, server_hostname="localhost")
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    to_client.write(b"\x15\x03\x03\x00\x02\x02\x28")  # a fatal alert: handshake_failure
    with pytest.raises(tlskit.SSLError):
        near.do_handshake()
    assert stored(store) == 1
    assert memory.connect(context, server, hostname="other.example")[0].session_reused
    assert not memory.connect(context, server)[0].session_reused


# -- a store in trouble ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [OSError("gone"), RuntimeError("odd"), ValueError("bad"), KeyError("x"), MemoryError()]
)
def test_a_store_that_raises(
    kind: Kind, client: Any, server: Any, memory: Link, error: Exception
) -> None:
    store = BytesStore()
    client.sessions.store = store
    memory.connect(client, server)
    store.break_with = error
    for _ in range(5):
        near, far = memory.connect(client, server)
        assert near.resumption == NotOffered(Reason.STORE_DOWN)
        greet(near, far)
    assert client.sessions.counters["store_down"] == 5


GARBAGE = [
    b"",
    b"\0",
    b"x" * 100,
    b"0" * 70000,
    "text",
    5,
    object(),
    [],
    True,
    bytearray(b"ab"),
    float("nan"),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda g: f"{type(g).__name__}")
def test_a_store_that_returns_garbage(client: Any, server: Any, memory: Link, garbage: Any) -> None:
    store = BytesStore()
    client.sessions.store = store
    memory.connect(client, server)
    store.answer = lambda key: garbage
    for _ in range(3):
        near, far = memory.connect(client, server)
        assert not near.session_reused
        assert isinstance(near.resumption, NotOffered)
        greet(near, far)


def test_every_flipped_bit_of_an_entry(pki: PKI) -> None:
    """None of them is offered, and none gets out of the handshake as an exception."""
    context, server = client_for(KIND13, pki), server_for(KIND13, pki, identity=pki.direct)
    store = BytesStore()
    context.sessions.store = store
    memory_pair(context, server)
    good = next(iter(store.entries())).value
    for position in range(len(good)):
        bad = bytes(b ^ (1 << position % 8) if i == position else b for i, b in enumerate(good))
        store.answer = lambda key, bad=bad: bad
        near = context.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
        with pytest.raises(tlskit.SSLWantReadError):
            near.do_handshake()
        assert inside.offer_of(near).session is None, position


def test_an_endless_supply_of_garbage_ends(client: Any, server: Any, memory: Link) -> None:
    """A store that gives a useless entry for each that is taken does not hold the handshake up."""
    store = BytesStore()
    client.sessions.store = store
    store.answer = lambda key: b"useless"
    memory.connect(client, server)
    assert store.asked.count("take") <= 8


class Unfinished:
    in_process = True
    sealed = False

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int = 1) -> None: ...


@pytest.mark.parametrize("bad", [object(), 5, "memory", {}, Unfinished()])
def test_what_is_no_store(client: Any, bad: Any) -> None:
    with pytest.raises(TypeError, match="session store"):
        client.sessions.store = bad
    assert client.sessions.store is None


def test_plain_text_stays_in_the_process(client: Any) -> None:
    store = BytesStore()
    store.sealed = False  # type: ignore[misc]
    with pytest.raises(ValueError, match="SealedStore"):
        client.sessions.store = store
    assert client.sessions.store is None


# -- certificates of clients -----------------------------------------------------------------------


@pytest.fixture
def authenticated(kind: Kind, pki: PKI) -> tuple[Any, Any]:
    """A client with a certificate, and a server that demands one."""
    context, server = client_for(kind, pki), server_for(kind, pki, identity=pki.direct)
    context.load_cert_chain(pki.client.chain, pki.client.key)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.load_verify_locations(pki.root)
    return context, server


def test_a_client_certificates_session_stays_in_the_process(
    authenticated: tuple[Any, Any], memory: Link
) -> None:
    context, server = authenticated
    context.sessions.store = store = BytesStore()
    for _ in range(2):
        assert not memory.connect(context, server)[0].session_reused
    assert "put" not in store.asked
    assert context.sessions.counters["withheld"] >= 2
    context.sessions.client_certificates = True
    memory.connect(context, server)
    assert memory.connect(context, server)[0].session_reused


def test_a_client_certificates_session_in_memory(
    authenticated: tuple[Any, Any], memory: Link
) -> None:
    context, server = authenticated
    context.sessions.store = MemoryStore()
    memory.connect(context, server)
    near, far = memory.connect(context, server)
    assert near.session_reused
    assert far.getpeercert()["subject"]


# -- refused ---------------------------------------------------------------------------------------


def test_a_server_that_has_forgotten(kind: Kind, automatic: Any, pki: PKI, memory: Link) -> None:
    memory.connect(automatic, server_for(kind, pki, identity=pki.direct))
    near, _ = memory.connect(
        automatic, server_for(kind, pki, identity=pki.direct)
    )  # another one, with other keys
    assert near.resumption == Refused(Reason.NOT_ACCEPTED)
    assert not near.resumption
    assert automatic.sessions.counters["not_accepted"] == 1


def test_another_version(pki: PKI, store: Any, memory: Link) -> None:
    server = server_for(KIND12, pki, identity=pki.direct)
    context = client_context(pki)
    context.sessions.store = store
    memory.connect(context, server)
    server.maximum_version = tlskit.TLSVersion.TLSv1_3
    near, _ = memory.connect(context, server)
    assert near.version() == "TLSv1.3"
    assert near.resumption == Refused(Reason.OTHER_VERSION)
    near, _ = memory.connect(context, server)
    assert near.session_reused
    assert near.version() == "TLSv1.3"


# -- many at once, and nothing left behind ---------------------------------------------------------


def test_eight_threads_on_one_store(kind: Kind, pki: PKI, store: Any, server: Any) -> None:
    """Every connection works, most resume, and no TLS 1.3 ticket is offered twice if it is for
    one use.
    """
    offered: list[bytes] = []
    lock = threading.Lock()

    def visit() -> int:
        context = client_for(kind, pki)
        context.sessions.store = store
        context.sessions.single_use = True
        reused = 0
        for _ in range(12):
            near, _ = memory_pair(context, server)
            session = inside.offer_of(near).session
            if session is not None:
                reused += 1
                with lock:
                    offered.append(session.ticket or session.id)
        return reused

    workers = [Background(visit) for _ in range(8)]
    assert sum(worker.result() for worker in workers) > 40
    if kind.modern:
        assert len(offered) == len(set(offered))


def test_nothing_is_kept_alive(client: Any, server: Any) -> None:
    """Neither connections by their context's store, nor contexts by it."""
    client.sessions.store = store = MemoryStore()
    near, far = memory_pair(client, server)
    watched = [weakref.ref(near), weakref.ref(client)]
    del near, far, client
    gc.collect()
    assert watched[0]() is None
    assert len(store) > 0


def test_over_sockets_without_a_read(pki: PKI, store: Any) -> None:
    """Tickets that came behind the handshake are taken in when the socket closes."""
    context, server = client_context(pki), server_for(KIND13, pki, identity=pki.direct)
    context.sessions.store = store
    with echo_server(server) as address:
        for number in range(3):
            with (
                socket.create_connection(address) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as near,
            ):
                assert near.session_reused == (number > 0)
                near.sendall(b"x")
                assert near.recv(1) == b"x"


KIND12 = Kind("tls12-ticket", tlskit.TLSVersion.TLSv1_2, True)
KIND13 = Kind("tls13-ticket", tlskit.TLSVersion.TLSv1_3, True)


# -- what a cache refuses to grow by, and to keep --------------------------------------------------


def test_a_session_of_another_binding_is_not_kept(kind: Kind, pki: PKI) -> None:
    client = client_for(kind, pki)
    session = Link("memory").earn(client, server_for(kind, pki))
    client.sessions.store = MemoryStore()
    unbound = tlskit.SSLSession.from_der(session.to_der())
    nameless = inside.rebuilt(session, hostname=None)
    for other in (unbound, nameless):
        assert not client.sessions.add(other)
    assert not list(client.sessions)
    assert client.sessions.add(session)
    assert list(client.sessions) == [session]


def test_what_peers_spoke_is_remembered_of_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that visits ever new servers does not grow by each; the ones that it saw last are
    remembered.
    """
    monkeypatch.setattr(store_keys, "PEERS_REMEMBERED", 3)
    memory = store_keys.PeerMemory()
    peers = [bytes([n]) * 32 for n in range(5)]
    for peer in peers:
        memory.note_version(peer, tls13=True)
    memory.note_version(peers[2], tls13=False)
    memory.note_version(peers[0], tls13=True)
    assert [memory.spoke_tls13(peer) for peer in peers] == [True, None, False, None, True]
