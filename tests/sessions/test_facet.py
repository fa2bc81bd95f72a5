"""`ctx.sessions`: the settings of the cache, its counters, and what is put into it and taken
out.
"""

from __future__ import annotations

import dataclasses
import ssl as stdlib
import time
from datetime import datetime, timedelta, timezone

import pytest

import tlskit
from tlskit import SessionCacheMode

from .helpers import KINDS, Link, aged, client_for, outcome, server_for

HIGHEST = 2**31 - 1
IDS, TICKETS_1_2, STATEFUL, STATELESS = KINDS


@pytest.fixture
def sessions():
    return tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER).sessions


def in_cache(kind):
    """How many sessions a full handshake puts into a server's cache."""
    return 0 if kind is TICKETS_1_2 or kind is STATELESS else kind.brought


# -- settings --------------------------------------------------------------------------------------


def test_defaults(sessions):
    assert sessions.mode is SessionCacheMode.SERVER
    assert sessions.size == 20480
    assert sessions.timeout == 7200
    assert sessions.id_context == b"Python"
    assert sessions.on_new is None
    assert len(sessions) == 0
    assert set(dataclasses.asdict(sessions.stats()).values()) == {0}


@pytest.mark.parametrize(
    "mode",
    [
        SessionCacheMode(0),
        *SessionCacheMode,
        SessionCacheMode.BOTH | SessionCacheMode.NO_INTERNAL_LOOKUP,
    ],
)
def test_every_mode(sessions, mode):
    sessions.mode = mode
    assert sessions.mode == mode
    assert isinstance(sessions.mode, SessionCacheMode)
    sessions.mode = int(mode)
    assert sessions.mode == mode


def test_the_values_of_the_modes():
    """The numbers of <openssl/ssl.h>."""
    assert [
        int(SessionCacheMode[name]) for name in ("OFF", "CLIENT", "SERVER", "BOTH", "NO_AUTO_CLEAR")
    ] == [0, 1, 2, 3, 0x80]
    assert [int(SessionCacheMode[name]) for name in ("NO_INTERNAL_LOOKUP", "NO_INTERNAL_STORE",
    "NO_INTERNAL", "UPDATE_TIME")] == [
        0x100, 0x200, 0x300, 0x400
    ]  # fmt: skip


@pytest.mark.parametrize("bad", [4, 0x800, 0x1000, -1, 2**40, -(2**40)])
def test_a_mode_with_unknown_bits(sessions, bad):
    sessions.mode = SessionCacheMode.BOTH
    with pytest.raises(ValueError, match="SessionCacheMode"):
        sessions.mode = bad
    assert sessions.mode is SessionCacheMode.BOTH


@pytest.mark.parametrize("name", ["size", "timeout"])
@pytest.mark.parametrize("value", [0, 1, 300, HIGHEST])
def test_sizes_and_timeouts(sessions, name, value):
    setattr(sessions, name, value)
    assert getattr(sessions, name) == value


@pytest.mark.parametrize("name", ["size", "timeout"])
@pytest.mark.parametrize("bad", [-1, -(2**40), HIGHEST + 1, 2**64])
def test_sizes_and_timeouts_out_of_range(sessions, name, bad):
    setattr(sessions, name, 77)
    with pytest.raises(ValueError, match=str(HIGHEST)):
        setattr(sessions, name, bad)
    assert getattr(sessions, name) == 77


@pytest.mark.parametrize("name", ["mode", "size", "timeout"])
@pytest.mark.parametrize("bad", [None, "1", 1.0, b"1", [1]])
def test_settings_of_the_wrong_type(sessions, name, bad):
    before = getattr(sessions, name)
    with pytest.raises(TypeError):
        setattr(sessions, name, bad)
    assert getattr(sessions, name) == before


@pytest.mark.parametrize(
    "value", [b"", b"x", bytes(range(32)), bytearray(b"application"), memoryview(b"view")]
)
def test_id_contexts(sessions, value):
    sessions.id_context = value
    assert sessions.id_context == bytes(value)
    assert isinstance(sessions.id_context, bytes)


@pytest.mark.parametrize("bad", [b"x" * 33, b"x" * 1000])
def test_an_id_context_that_is_too_long(sessions, bad):
    sessions.id_context = b"mine"
    with pytest.raises(ValueError, match="32"):
        sessions.id_context = bad
    assert sessions.id_context == b"mine"


@pytest.mark.parametrize("bad", [None, "text", 5])
def test_an_id_context_of_the_wrong_type(sessions, bad):
    with pytest.raises(TypeError):
        sessions.id_context = bad
    assert sessions.id_context == b"Python"


def test_no_other_attributes(sessions):
    """A typing error must not pass in silence."""
    with pytest.raises(AttributeError):
        sessions.siez = 5


def test_the_facet_is_one(pki):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    assert context.sessions is context.sessions
    assert tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT).sessions is not context.sessions


# -- settings in effect ----------------------------------------------------------------------------


def test_timeout_is_what_sessions_get(kind, memory, client, server):
    server.sessions.timeout = 1234
    near, far = memory.connect(client, server)
    assert far.session.timeout == 1234
    if kind is not IDS:
        assert near.session.ticket_lifetime_hint == 1234
    client.sessions.timeout = 99
    near, _ = memory.connect(client, server)
    assert near.session.timeout == 99


def test_id_context_is_what_sessions_get(kind, memory, client, server):
    server.sessions.id_context = b"application 1"
    _, far = memory.connect(client, server)
    assert far.session.info.id_context == b"application 1"


def test_mode_off_keeps_nothing(memory, pki):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    server.sessions.mode = SessionCacheMode.OFF
    session = memory.earn(client, server)
    assert len(server.sessions) == 0
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused


@pytest.mark.parametrize("kind", [IDS, STATEFUL], ids=lambda kind: kind.name)
def test_no_internal_store_keeps_nothing(kind, memory, pki):
    client, server = client_for(kind, pki), server_for(kind, pki)
    server.sessions.mode |= SessionCacheMode.NO_INTERNAL_STORE
    memory.connect(client, server)
    assert len(server.sessions) == 0


@pytest.mark.parametrize("kind", [IDS, STATEFUL], ids=lambda kind: kind.name)
def test_no_internal_lookup_finds_nothing(kind, memory, pki):
    client, server = client_for(kind, pki), server_for(kind, pki)
    session = memory.earn(client, server)
    server.sessions.mode |= SessionCacheMode.NO_INTERNAL_LOOKUP
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused


def test_a_client_keeps_nothing_unless_told(kind, memory, client, server):
    memory.connect(client, server)
    assert len(client.sessions) == 0
    client.sessions.mode = SessionCacheMode.CLIENT
    memory.connect(client, server)
    assert len(client.sessions) == kind.brought


@pytest.mark.parametrize("kind", [IDS, STATEFUL], ids=lambda kind: kind.name)
def test_size_bounds_the_cache(kind, memory, pki):
    client, server = client_for(kind, pki), server_for(kind, pki)
    server.sessions.size = 4
    sessions = [memory.earn(client, server) for _ in range(7)]
    kept = len(server.sessions)
    assert kept in (3, 4)  # OpenSSL counts the one that is coming, since 3.0.9
    assert server.sessions.stats().cache_full == 7 * kind.brought - kept
    near, _ = memory.connect(client, server, session=sessions[-1])
    assert near.session_reused
    near, _ = memory.connect(client, server, session=sessions[0])
    assert not near.session_reused
    assert server.sessions.stats().misses == 1


def test_size_zero_is_no_bound(memory, pki):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    server.sessions.size = 0
    for _ in range(5):
        memory.connect(client, server)
    assert len(server.sessions) == 5
    assert server.sessions.stats().cache_full == 0


# -- the counters ----------------------------------------------------------------------------------


def test_twelve_counters():
    names = [field.name for field in dataclasses.fields(tlskit.SessionStats)]
    assert len(names) == 12
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    assert [*context.session_stats(), "cb_hits"] == names
    reference = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
    assert context.session_stats() == reference.session_stats()


def test_stats_are_a_moment(kind, memory, client, server):
    before = server.sessions.stats()
    memory.connect(client, server)
    assert before.accept == 0
    assert server.sessions.stats().accept == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.accept = 5


def test_counters_of_full_and_resumed(kind, link, client, server):
    session = link.earn(client, server)
    ours, theirs = client.sessions.stats(), server.sessions.stats()
    assert (ours.connect, ours.connect_good, ours.accept, ours.hits) == (1, 1, 0, 0)
    assert (theirs.accept, theirs.accept_good, theirs.connect, theirs.hits, theirs.misses) == (
        1,
        1,
        0,
        0,
        0,
    )
    assert theirs.number == in_cache(kind)
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused
    ours, theirs = client.sessions.stats(), server.sessions.stats()
    assert (ours.connect, ours.connect_good, ours.hits) == (2, 2, 1)
    assert (theirs.accept, theirs.accept_good, theirs.hits, theirs.misses) == (2, 2, 1, 0)
    assert (
        theirs.connect_renegotiate,
        theirs.accept_renegotiate,
        theirs.timeouts,
        theirs.cache_full,
        theirs.cb_hits,
    ) == (0,) * 5


def test_counters_of_a_failed_handshake(kind, memory, client, server):
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory.connect(client, server, hostname="evil.example")
    assert client.sessions.stats().connect == 1
    assert client.sessions.stats().connect_good == 0
    assert server.sessions.stats().accept == 1
    assert server.sessions.stats().accept_good == 0


@pytest.mark.parametrize("kind", [IDS, STATEFUL], ids=lambda kind: kind.name)
def test_counters_of_a_session_that_is_gone(kind, memory, pki):
    client, server = client_for(kind, pki), server_for(kind, pki)
    session = memory.earn(client, server)
    server.sessions.clear()
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused
    stats = server.sessions.stats()
    assert (stats.hits, stats.misses, stats.timeouts) == (0, 1, 0)


@pytest.mark.parametrize("kind", [IDS, STATEFUL], ids=lambda kind: kind.name)
def test_counters_of_a_session_that_has_expired(kind, memory, pki):
    client, server = client_for(kind, pki), server_for(kind, pki)
    near, far = memory.connect(client, server)
    session, theirs = near.session, far.session
    server.sessions.clear()
    assert server.sessions.add(aged(theirs, 10_000))
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused
    stats = server.sessions.stats()
    assert (stats.hits, stats.misses, stats.timeouts) == (0, 0, 1)


def scenario_full(connect, client, server):
    connect(client, server)


def scenario_resumed(connect, client, server):
    near, _ = connect(client, server)
    connect(client, server, session=near.session)
    connect(client, server, session=near.session)


def scenario_failed(connect, client, server):
    outcome(lambda: connect(client, server, hostname="evil.example"))


def scenario_another_server(connect, client, server):
    """The session is one that this server never had."""
    near, _ = connect(client, server)
    outcome(lambda: connect(client, server.stranger, session=near.session))


def scenario_many(connect, client, server):
    for _ in range(4):
        connect(client, server)


SCENARIOS = [
    scenario_full,
    scenario_resumed,
    scenario_failed,
    scenario_another_server,
    scenario_many,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_eleven_counters_as_the_stdlib_has_them(kind, pki, scenario):
    from ..support.pairs import memory_pair

    found = []
    for module in (stdlib, tlskit):
        client, server, another = (
            client_for(kind, pki, module=module),
            *(server_for(kind, pki, module=module) for _ in "ab"),
        )
        server.stranger = another

        # the stdlib takes the session of a connection that was dropped for one that failed
        held = []

        def connect(client, server, module=module, held=held, **options):
            held.append(memory_pair(client, server, module=module, **options))
            return held[-1]

        scenario(connect, client, server)
        found.append([context.session_stats() for context in (client, server, another)])
    assert found[0] == found[1]
    assert found[0][0]["connect"] > 0


# -- in and out of the cache -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [IDS, STATEFUL], ids=lambda kind: kind.name)
def test_clear(kind, memory, pki):
    client, server = client_for(kind, pki), server_for(kind, pki)
    session = memory.earn(client, server)
    assert len(server.sessions) == kind.brought
    server.sessions.clear()
    assert len(server.sessions) == 0
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused


def test_clear_of_nothing(sessions):
    sessions.clear()
    sessions.flush()
    assert len(sessions) == 0


def when(kind_of_time, seconds):
    moment = time.time() + seconds
    return {
        "float": moment,
        "int": int(moment),
        "local": datetime.fromtimestamp(moment),
        "utc": datetime.fromtimestamp(moment, timezone.utc),
        "elsewhere": datetime.fromtimestamp(moment, timezone(timedelta(hours=-11, minutes=-30))),
    }[kind_of_time]


@pytest.mark.parametrize("kind_of_time", ["float", "int", "local", "utc", "elsewhere"])
def test_flush_at_a_time(memory, pki, kind_of_time):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    server.sessions.timeout = 600
    memory.connect(client, server)
    server.sessions.flush(when(kind_of_time, 590))
    assert len(server.sessions) == 1
    server.sessions.flush(when(kind_of_time, 610))
    assert len(server.sessions) == 0


def test_flush_now_takes_what_has_expired_and_nothing_else(memory, pki):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    session = memory.earn(client, server)
    _, far = memory.connect(client, server)
    server.sessions.add(aged(far.session, 10_000))  # takes the place of the younger one with its id
    assert len(server.sessions) == 2
    server.sessions.flush()
    assert len(server.sessions) == 1
    near, _ = memory.connect(client, server, session=session)
    assert near.session_reused


@pytest.mark.parametrize(
    "at",
    [
        0,
        0.5,
        -1,
        -1e9,
        datetime(1970, 1, 1, tzinfo=timezone.utc),
        datetime(1901, 1, 1, tzinfo=timezone.utc),
    ],
)
def test_flush_at_the_beginning_of_time_takes_nothing(memory, pki, at):
    """OpenSSL takes 0 for "all of them": it must not mean that here."""
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    memory.connect(client, server)
    server.sessions.flush(at)
    assert len(server.sessions) == 1


@pytest.mark.parametrize("at", ["now", b"1", [1]])
def test_flush_at_no_time(sessions, at):
    with pytest.raises(TypeError):
        sessions.flush(at)


@pytest.mark.parametrize("at", [float("nan"), float("inf"), 1e300])
def test_flush_at_an_impossible_time(memory, pki, at):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    memory.connect(client, server)
    try:
        server.sessions.flush(at)
    except (ValueError, OverflowError):
        assert len(server.sessions) == 1
    else:
        assert len(server.sessions) == (0 if at > 1 else 1)


@pytest.mark.parametrize("kind", [IDS, STATEFUL], ids=lambda kind: kind.name)
def test_add_and_remove_on_a_server(kind, memory, pki):
    client, server = client_for(kind, pki), server_for(kind, pki)
    near, far = memory.connect(client, server)
    session, theirs = near.session, far.session
    server.sessions.clear()
    assert server.sessions.add(theirs) is True
    assert server.sessions.add(theirs) is False
    assert len(server.sessions) == 1
    if (
        kind is IDS
    ):  # the client names a TLS 1.3 session otherwise than the server, and has two of them
        again, _ = memory.connect(client, server, session=session)
        assert again.session_reused
    assert server.sessions.remove(theirs) is True
    assert server.sessions.remove(theirs) is False
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused


def test_add_on_a_client(kind, memory, client, server):
    session = memory.earn(client, server)
    assert client.sessions.add(session) is True
    assert client.sessions.add(session) is False
    assert len(client.sessions) == 1
    assert client.sessions.remove(session) is True
    assert len(client.sessions) == 0


def test_removing_withdraws(kind, memory, client, server):
    session = memory.earn(client, server)
    assert session.is_resumable
    client.sessions.add(session)
    client.sessions.remove(session)
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused


def test_removing_what_was_never_there(kind, memory, client, server):
    session = memory.earn(client, server)
    assert client.sessions.remove(session) is False
    assert len(client.sessions) == 0


def test_what_was_withdrawn_says_so(kind, memory, client, server):
    """`is_resumable`: "... and OpenSSL has not withdrawn it"."""
    session = memory.earn(client, server)
    client.sessions.remove(session)
    assert not session.is_resumable
    near, _ = memory.connect(client, server, session=session)
    assert isinstance(near.resumption, tlskit.NotOffered)


def test_add_from_another_process_by_der(memory, pki):
    """A server's session can be carried to another server: ids need no shared keys."""
    client, first, second = client_for(IDS, pki), server_for(IDS, pki), server_for(IDS, pki)
    near, far = memory.connect(client, first)
    session = near.session
    assert second.sessions.add(tlskit.SSLSession.from_der(far.session.to_der()))
    near, far = memory.connect(client, second, session=session)
    assert near.session_reused
    assert far.session_reused


@pytest.mark.parametrize("name", ["add", "remove"])
@pytest.mark.parametrize("bad", [None, b"session", 5])
def test_add_and_remove_of_the_wrong_type(sessions, name, bad):
    with pytest.raises(TypeError, match="SSLSession"):
        getattr(sessions, name)(bad)
    assert len(sessions) == 0


def test_a_session_of_the_stdlib_is_not_ours(pki, sessions):
    from ..support.pairs import memory_pair

    near, _ = memory_pair(
        client_for(IDS, pki, module=stdlib), server_for(IDS, pki, module=stdlib), module=stdlib
    )
    with pytest.raises(TypeError, match="SSLSession"):
        sessions.add(near.session)


# -- id contexts -----------------------------------------------------------------------------------


def test_id_context_keeps_applications_apart(kind, link, client, server):
    session = link.earn(client, server)
    server.sessions.id_context = b"other"
    near, far = link.connect(client, server, session=session)
    assert not near.session_reused
    server.sessions.id_context = b"Python"
    near, far = link.connect(client, server, session=session)
    assert far.session_reused


def test_a_clients_id_context_never_breaks_a_handshake(kind, memory, client, server):
    """OpenSSL's client aborts when the server accepts what was made under another id context: so it
    is not to be offered.
    """
    session = memory.earn(client, server)
    client.sessions.id_context = b"other"
    memory.connect(client, server, session=session)


def test_a_clients_id_context_never_breaks_a_handshake_with_bytes(
    kind, memory, client, server, pki
):
    session = tlskit.SSLSession.from_der(memory.earn(client, server).to_der())
    other = client_for(kind, pki)
    other.sessions.id_context = b"other"
    memory.connect(other, server, session=session)


def test_an_empty_id_context_on_a_server_that_verifies(kind, memory, client, server, pki):
    """OpenSSL refuses to resume verified clients without an id context; a full handshake goes
    on.
    """
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.sessions.id_context = b""
    _, far = memory.connect(client, server)
    assert far.getpeercert()


def test_two_links_share_nothing(kind, pki):
    """Two contexts, two caches."""
    first, second = server_for(kind, pki), server_for(kind, pki)
    client = client_for(kind, pki)
    memory = Link("memory")
    session = memory.earn(client, first)
    assert len(second.sessions) == 0
    near, _ = memory.connect(client, second, session=session)
    assert not near.session_reused
