"""A server whose sessions are in a store: other servers resume them, hooks are called, and nothing
else changes hands.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

import tlskit
from tlskit import MemoryStore, NotOffered, Reason, Refused, Resumed

from ..support.pairs import Background, memory_pair
from ..support.pki import PKI
from .helpers import KINDS, Kind, Link, client_for, greet, server_for
from .test_automatic import BytesStore

VERSIONS = [
    kind for kind in KINDS if not kind.tickets
]  # ids up to TLS 1.2, stateful tickets in TLS 1.3


@pytest.fixture(params=VERSIONS, ids=["tls12", "tls13"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """A session that the server keeps, of both versions."""
    chosen: Kind = request.param
    return Kind(chosen.name, chosen.version, True)  # tickets are allowed, and not used


@pytest.fixture(params=["objects", "bytes"])
def store(request: pytest.FixtureRequest) -> Any:
    return MemoryStore() if request.param == "objects" else BytesStore()


def serving(kind: Kind, pki: PKI, store: Any) -> Any:
    context = server_for(kind, pki, identity=pki.direct)
    context.sessions.store = store
    return context


# -- shared ----------------------------------------------------------------------------------------


def test_another_server_resumes(kind: Kind, pki: PKI, client: Any, store: Any, link: Link) -> None:
    session = link.earn(client, serving(kind, pki, store))
    near, far = link.connect(client, serving(kind, pki, store), session=session)
    assert near.session_reused
    assert isinstance(far.resumption, Resumed)
    assert far.resumption.automatic
    assert far.resumption.age in (0, 1)
    if link.transport == "memory":
        greet(near, far)


def test_openssls_own_cache_stays_empty(
    kind: Kind, pki: PKI, client: Any, store: Any, memory: Link
) -> None:
    server = serving(kind, pki, store)
    memory.earn(client, server)
    assert len(server.sessions) == 0
    assert server.sessions  # it is not false for that
    assert len(list(server.sessions)) == (2 if kind.modern else 1)


def test_without_the_store_nothing_is_resumed(
    kind: Kind, pki: PKI, client: Any, store: Any, memory: Link
) -> None:
    session = memory.earn(client, serving(kind, pki, store))
    near, far = memory.connect(client, serving(kind, pki, MemoryStore()), session=session)
    assert not near.session_reused
    assert far.resumption == Refused(Reason.UNKNOWN_SESSION)


def test_taken_off_again(kind: Kind, pki: PKI, client: Any, store: Any, memory: Link) -> None:
    """Without a store, the server has tickets again."""
    server = serving(kind, pki, store)
    server.sessions.store = None
    session = memory.earn(client, server)
    assert session.has_ticket
    assert memory.connect(client, server, session=session)[0].session_reused


def test_openssls_own_cache_is_back_without_the_store(
    kind: Kind, pki: PKI, client: Any, store: Any, memory: Link
) -> None:
    """What the store switched off is as it was before: session ids are resumed from OpenSSL's cache
    again.
    """
    server = server_for(kind, pki, identity=pki.direct)
    server.options |= tlskit.OP_NO_TICKET
    before = server.sessions.mode
    server.sessions.store = store
    server.sessions.store = None
    assert server.sessions.mode == before
    session = memory.earn(client, server)
    assert memory.connect(client, server, session=session)[0].session_reused


def test_a_client_that_offers_nothing(
    kind: Kind, pki: PKI, client: Any, store: Any, memory: Link
) -> None:
    server = serving(kind, pki, store)
    _, far = memory.connect(client, server)
    assert far.resumption == NotOffered(Reason.CLIENT_OFFERED_NOTHING)
    assert server.sessions.counters["client_offered_nothing"] == 1


def test_the_stdlib_as_client(kind: Kind, pki: PKI, store: Any) -> None:
    import ssl

    from .helpers import client_for as client_of

    context = client_of(kind, pki, module=ssl)
    link = Link("sockets")
    near, _ = link.connect(context, serving(kind, pki, store))
    again, _ = link.connect(context, serving(kind, pki, store), session=near.session)
    assert again.session_reused
    link.close()


def test_hello_retry_request(pki: PKI, store: Any, memory: Link) -> None:
    """The look-up is made once, for the first of two ClientHellos, and what it found is good for
    the second.
    """
    kind = Kind("tls13", tlskit.TLSVersion.TLSv1_3, True)
    client, server = client_for(kind, pki), serving(kind, pki, store)
    server.set_ecdh_curve("secp521r1")
    session = memory.earn(client, server)
    near, far = memory.connect(client, server, session=session)
    assert near.session_reused
    assert far.resumption.automatic


def test_why_a_ticket_was_not_taken(pki: PKI, memory: Link) -> None:
    """A keyring tells the kinds of refusal apart; without one, OpenSSL does not say."""
    for number, kind in enumerate(one for one in KINDS if one.tickets):
        client, server = client_for(kind, pki), server_for(kind, pki, identity=pki.direct)
        server.tickets.keyring = keyring = tlskit.TicketKeyring()
        session = memory.earn(client, server)
        _, far = memory.connect(client, server, session=session)
        assert isinstance(far.resumption, Resumed), number
        keyring.rotate(forget=True)
        _, far = memory.connect(client, server, session=session)
        assert far.resumption == Refused(Reason.TICKET_KEY_RETIRED)
        server.tickets.keyring = tlskit.TicketKeyring()
        _, far = memory.connect(client, server, session=session)
        assert far.resumption == Refused(Reason.TICKET_KEY_UNKNOWN)


# -- policies --------------------------------------------------------------------------------------


def test_another_id_context(kind: Kind, pki: PKI, client: Any, store: Any, memory: Link) -> None:
    session = memory.earn(client, serving(kind, pki, store))
    other = serving(kind, pki, store)
    other.sessions.id_context = b"another service"
    near, far = memory.connect(client, other, session=session)
    assert not near.session_reused
    assert far.resumption == Refused(Reason.OTHER_ID_CONTEXT)


def test_a_server_that_demands_certificates_takes_no_session_from_one_that_does_not(
    kind: Kind, pki: PKI, client: Any, store: Any, memory: Link
) -> None:
    session = memory.earn(client, serving(kind, pki, store))
    strict = serving(kind, pki, store)
    strict.verify_mode = tlskit.CERT_OPTIONAL
    strict.load_verify_locations(pki.root)
    near, far = memory.connect(client, strict, session=session)
    assert not near.session_reused
    assert far.resumption == Refused(Reason.OTHER_ID_CONTEXT)


def test_a_verified_clients_session_stays_in_the_process(
    kind: Kind, pki: PKI, memory: Link
) -> None:
    store = BytesStore()
    client = client_for(kind, pki)
    client.load_cert_chain(pki.client.chain, pki.client.key)

    def strict() -> Any:
        server = serving(kind, pki, store)
        server.verify_mode = tlskit.CERT_REQUIRED
        server.load_verify_locations(pki.root)
        return server

    session = memory.earn(client, server := strict())
    assert "put" not in store.asked
    assert server.sessions.counters["withheld"] >= 1
    assert not memory.connect(client, server, session=session)[0].session_reused
    server.sessions.client_certificates = True
    session = memory.earn(client, server)
    other = strict()
    near, far = memory.connect(client, other, session=session)
    assert near.session_reused
    assert far.getpeercert()["subject"]  # the certificate is in the session


def test_a_server_before_other_names(
    kind: Kind, pki: PKI, client: Any, store: Any, memory: Link, authority: Any
) -> None:
    """A connection that somebody diverts to a server with another certificate and the same store is
    not resumed there.
    """
    identity, _ = authority.issue("localhost")
    stranger, _ = authority.issue("stranger.example")
    renewed, _ = authority.issue("localhost")
    client.load_verify_locations(authority.root)

    def server(shown: Any) -> Any:
        context = server_for(kind, pki, identity=shown)
        context.sessions.store = store
        return context

    session = memory.earn(client, server(identity))
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory.connect(client, server(stranger), session=session)
    assert memory.connect(client, server(renewed), session=session)[0].session_reused


# -- trouble ---------------------------------------------------------------------------------------


def test_a_store_that_raises(kind: Kind, pki: PKI, client: Any, memory: Link) -> None:
    store = BytesStore()
    server = serving(kind, pki, store)
    session = memory.earn(client, server)
    store.break_with = OSError("gone")
    near, far = memory.connect(client, server, session=session)
    assert not near.session_reused
    assert far.resumption == Refused(Reason.STORE_DOWN)
    greet(near, far)


@pytest.mark.parametrize(
    "garbage", [b"", b"x", b"0" * 70000, "text", 5, object()], ids=lambda g: type(g).__name__
)
def test_garbage(kind: Kind, pki: PKI, client: Any, memory: Link, garbage: Any) -> None:
    store = BytesStore()
    server = serving(kind, pki, store)
    session = memory.earn(client, server)
    store.answer = lambda key: garbage
    near, far = memory.connect(client, server, session=session)
    assert not near.session_reused
    greet(near, far)


def test_the_session_of_another_id(kind: Kind, pki: PKI, client: Any, memory: Link) -> None:
    """The store answers with somebody else's session: libssl is not given it."""
    store = BytesStore()
    server = serving(kind, pki, store)
    session = memory.earn(client, server)
    memory.earn(client, server)
    named = session.ticket if kind.modern else session.id  # a stateful ticket is the id
    others = [one for one in server.sessions if one.id != named]
    store.answer = lambda key: others[0].to_bytes()
    near, far = memory.connect(client, server, session=session)
    assert not near.session_reused
    greet(near, far)


def test_an_expired_session(kind: Kind, pki: PKI, client: Any, memory: Link) -> None:
    store = BytesStore()
    server = serving(kind, pki, store)
    session = memory.earn(client, server)
    found = next(s for s in server.sessions)
    old = found.with_times(time=found.time - found.timeout - 10).to_der()
    store.answer = lambda key: old
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused


# -- hooks -----------------------------------------------------------------------------------------


def test_on_get(kind: Kind, pki: PKI, client: Any, link: Link) -> None:
    """One's own look-up, without any store."""
    kept: dict[bytes, tlskit.SSLSession] = {}
    asked: list[bytes] = []
    server = server_for(kind, pki, identity=pki.direct)
    server.sessions.on_new = lambda connection, session: kept.__setitem__(session.id, session)

    def on_get(connection: Any, session_id: bytes) -> tlskit.SSLSession | None:
        assert connection.server_side
        connection.version()  # it may ask its connection
        asked.append(session_id)
        return kept.get(session_id)

    server.sessions.on_get = on_get
    server.sessions.mode |= tlskit.SessionCacheMode.NO_INTERNAL
    session = link.earn(client, server)
    near, far = link.connect(client, server, session=session)
    assert near.session_reused
    assert len(asked) == 1
    assert server.sessions.stats().cb_hits == 1
    kept.clear()
    session = near.session
    near, far = link.connect(client, server, session=session)
    assert not near.session_reused
    assert far.resumption == Refused(Reason.UNKNOWN_SESSION)


def test_on_get_that_raises(kind: Kind, pki: PKI, client: Any, memory: Link) -> None:
    server = server_for(kind, pki, identity=pki.direct)
    server.sessions.on_get = lambda connection, session_id: 1 / 0  # type: ignore[assignment,return-value]
    session = memory.earn(client, server)
    with pytest.raises(ZeroDivisionError):
        memory.connect(client, server, session=session)


@pytest.mark.parametrize("answer", [b"bytes", 5, object()])
def test_on_get_that_returns_no_session(
    kind: Kind, pki: PKI, client: Any, memory: Link, answer: Any
) -> None:
    server = server_for(kind, pki, identity=pki.direct)
    server.sessions.on_get = lambda connection, session_id: answer
    session = memory.earn(client, server)
    with pytest.raises(TypeError, match="on_get must return an SSLSession or None"):
        memory.connect(client, server, session=session)


def test_on_remove(kind: Kind, pki: PKI, client: Any, memory: Link) -> None:
    """What falls out of OpenSSL's own cache is told, with no lock held: the hook may use the
    cache.
    """
    server = server_for(kind, pki, identity=pki.direct)
    server.options |= tlskit.OP_NO_TICKET
    server.sessions.size = 3
    removed: list[tlskit.SSLSession] = []

    def on_remove(session: tlskit.SSLSession) -> None:
        len(server.sessions)
        assert not server.sessions.remove(session)
        removed.append(session)

    server.sessions.on_remove = on_remove
    for _ in range(6):
        memory.earn(client, server)
    assert removed
    assert len({session.id for session in removed}) == len(removed)
    before = len(removed)
    left = len(server.sessions)
    assert left > 0
    server.sessions.clear()
    assert len(removed) >= before + left
    assert len(server.sessions) == 0


def test_on_remove_from_many_threads(kind: Kind, pki: PKI) -> None:
    """A cache that overflows in eight threads at once, and a hook that goes back into it: nobody
    waits for ever.
    """
    server = server_for(kind, pki, identity=pki.direct)
    server.options |= tlskit.OP_NO_TICKET
    server.sessions.size = 2
    removed, lock = [], threading.Lock()

    def on_remove(session: tlskit.SSLSession) -> None:
        with lock:
            removed.append(session.id)
        server.sessions.flush()

    server.sessions.on_remove = on_remove

    def visit() -> None:
        client = client_for(kind, pki)
        for _ in range(10):
            memory_pair(client, server)

    for worker in [Background(visit) for _ in range(8)]:
        worker.result()
    assert len(removed) >= 8 * 10 - 2


@pytest.mark.parametrize("name", ["on_get", "on_remove"])
def test_hooks_are_callable(client: Any, name: str) -> None:
    with pytest.raises(TypeError, match="callable"):
        setattr(client.sessions, name, 5)
    assert getattr(client.sessions, name) is None


# -- by hand ---------------------------------------------------------------------------------------


def test_lookup_add_and_remove(kind: Kind, pki: PKI, client: Any, store: Any, memory: Link) -> None:
    server = serving(kind, pki, store)
    memory.earn(client, server)
    one = next(iter(server.sessions))
    assert server.sessions.lookup(one.id) == one
    assert server.sessions.remove(one)
    assert server.sessions.lookup(one.id) is None
    assert not server.sessions.remove(one)
    assert server.sessions.add(one)
    assert server.sessions.lookup(one.id) == one
    server.sessions.clear()
    assert list(server.sessions) == []


def test_openssls_own_cache_cannot_be_searched(pki: PKI, kind: Kind) -> None:
    server = server_for(kind, pki)
    with pytest.raises(NotImplementedError, match="MemoryStore"):
        server.sessions.lookup(b"x")
    with pytest.raises(NotImplementedError, match="MemoryStore"):
        list(server.sessions)


def test_eight_threads_and_two_servers(kind: Kind, pki: PKI, store: Any) -> None:
    servers = [serving(kind, pki, store) for _ in range(2)]

    def visit() -> int:
        client = client_for(kind, pki)
        client.sessions.resume = True
        return sum(
            bool(memory_pair(client, servers[number % 2])[0].session_reused) for number in range(10)
        )

    assert sum(worker.result() for worker in [Background(visit) for _ in range(8)]) == 8 * 9
