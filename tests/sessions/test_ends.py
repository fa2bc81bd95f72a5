"""The end of a connection does not take its session along: version, side and way of ending, in
every combination, and what is true afterwards.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tlskit

from ..support import raw
from ..support.pairs import Background, shake, take_tickets
from ..support.pki import PKI
from .helpers import KINDS, Kind, client_for, server_for

WAYS: dict[str, Callable[[Any, Any], None]] = {}


def way(function: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """One way in which `ender` ends a connection, and `other` hears of it."""
    WAYS[function.__name__] = function
    return function


def hear(end: Any) -> None:
    """Read to the end, whatever comes."""
    with contextlib.suppress(OSError):
        while end.recv(65536):
            pass


OPEN: list[Any] = []


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    """Close what a test has left open."""
    yield
    while OPEN:
        OPEN.pop().close()


def plain(end: Any) -> socket.socket:
    """The socket below, without a word of TLS."""
    return socket.socket(fileno=end.detach())


@way
def fin(ender: Any, other: Any) -> None:
    plain(ender).close()
    hear(other)


@way
def reset(ender: Any, other: Any) -> None:
    below = plain(ender)
    raw.reset(below)
    hear(other)


@way
def close_notify(ender: Any, other: Any) -> None:
    answering = Background(other.unwrap)
    ender.unwrap().close()
    answering.result().close()


@way
def half_closed(ender: Any, other: Any) -> None:
    """A close_notify that is not answered."""
    ender.settimeout(0)
    with contextlib.suppress(tlskit.SSLWantReadError):
        ender.unwrap()
    hear(other)
    ender.close()


@way
def garbage(ender: Any, other: Any) -> None:
    """What is no record: the other side answers with a fatal alert."""
    below = plain(ender)
    below.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    hear(other)
    below.close()


@way
def timeout(ender: Any, other: Any) -> None:
    other.settimeout(0.01)
    with contextlib.suppress(TimeoutError):
        other.recv(1)
    ender.close()


@way
def unread(ender: Any, other: Any) -> None:
    """Closed over data that nobody has read: TCP makes a reset of it."""
    other.sendall(bytes(4096))
    ender.close()
    hear(other)


def linked(client: Any, server: Any, session: Any = None) -> tuple[Any, Any]:
    """Two ends over TCP on loopback, the client's first, which has its tickets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=20)
        far, _ = listener.accept()
    far.settimeout(20)
    accepting = Background(lambda: server.wrap_socket(far, server_side=True))
    wrapped = client.wrap_socket(near, server_hostname="localhost", session=session)
    other = accepting.result()
    OPEN.extend((wrapped, other))
    other.sendall(b"x")
    assert wrapped.recv(1) == b"x"
    return wrapped, other


def facts(end: Any) -> dict[str, Any]:
    """All that was negotiated."""
    return {
        "version": end.version(),
        "cipher": end.cipher(),
        "certificate": end.getpeercert(True),
        "fields": end.getpeercert(),
        "reused": end.session_reused,
        "resumption": end.resumption,
        "info": end.info,
        "alpn": end.selected_alpn_protocol(),
        "chain": end.get_verified_chain(),
        "group": end.group(),
    }


@pytest.fixture(params=WAYS)
def ending(request: pytest.FixtureRequest) -> Callable[[Any, Any], None]:
    return WAYS[request.param]


@pytest.fixture(params=["client", "server"])
def ender(request: pytest.FixtureRequest) -> str:
    side: str = request.param
    return side


@pytest.fixture
def contexts(kind: Kind, pki: PKI) -> tuple[Any, Any]:
    client, server = client_for(kind, pki), server_for(kind, pki, identity=pki.direct)
    for context in (client, server):
        context.set_alpn_protocols(["spoken"])
    return client, server


def in_order(near: Any, far: Any, ender: str) -> tuple[Any, Any]:
    return (near, far) if ender == "client" else (far, near)


def forgets(kind: Kind, ending: Callable[[Any, Any], None], ender: str) -> bool:
    """A stateful server that sent or got a fatal alert has to forget the session (RFC 5246,
    7.2.2).
    """
    return not kind.tickets and ending is garbage and ender == "client"


# -- what is asked afterwards ----------------------------------------------------------------------


def test_what_was_negotiated_stays_true(
    contexts: tuple[Any, Any], ending: Callable[[Any, Any], None], ender: str
) -> None:
    for session in (None, linked(*contexts)[0].session):
        near, far = linked(*contexts, session)
        first, other = in_order(near, far, ender)
        before = facts(other)
        assert before["version"]
        assert before["alpn"] == "spoken"
        assert before["reused"] is (session is not None)
        if ending is close_notify:  # `unwrap` leaves a plain socket
            continue
        ending(first, other)
        assert facts(other) == before


def test_the_age_of_a_session_is_the_one_at_the_handshake(contexts: tuple[Any, Any]) -> None:
    ends = linked(*contexts, linked(*contexts)[0].session)
    before = [end.resumption for end in ends]
    assert all(before)
    began = int(time.time())
    while int(time.time()) - began < 1:
        time.sleep(0.02)
    assert [end.resumption for end in ends] == before


# -- what is resumed afterwards --------------------------------------------------------------------


def test_a_session_taken_before_stays_good(
    kind: Kind, contexts: tuple[Any, Any], ending: Callable[[Any, Any], None], ender: str
) -> None:
    near, far = linked(*contexts)
    session = near.session
    data = session.to_bytes()
    ending(*in_order(near, far, ender))
    assert session.is_resumable
    assert tlskit.SSLSession.from_bytes(session.to_bytes()).is_resumable
    assert session == tlskit.SSLSession.from_bytes(data)
    for _ in range(2):
        again, other = linked(*contexts, session)
        assert again.session_reused is not forgets(kind, ending, ender)
        again.close()
        other.close()


def test_a_session_taken_afterwards_is_as_good(
    kind: Kind, contexts: tuple[Any, Any], ending: Callable[[Any, Any], None]
) -> None:
    if ending is close_notify:
        pytest.skip("there is no connection left to ask")
    near, far = linked(*contexts)
    before = near.session
    ending(far, near)
    after = near.session
    assert after == before
    assert after.info == before.info
    again, _ = linked(*contexts, after)
    assert again.session_reused


def test_automatic_resumption_goes_on(
    kind: Kind, contexts: tuple[Any, Any], ending: Callable[[Any, Any], None], ender: str
) -> None:
    client, server = contexts
    client.sessions.resume = True
    reused = []
    for _ in range(5):
        near, far = linked(client, server)
        reused.append(near.session_reused)
        ending(*in_order(near, far, ender))
    if forgets(kind, ending, ender):
        assert not all(reused[1:])
        assert client.sessions.counters["not_accepted"] > 0
    else:
        assert reused == [False, True, True, True, True]


@pytest.mark.parametrize("kind", [k for k in KINDS if not k.tickets], ids=lambda kind: kind.name)
def test_a_server_with_a_store_resumes_after_every_end(
    kind: Kind, contexts: tuple[Any, Any], ending: Callable[[Any, Any], None], ender: str
) -> None:
    client, server = contexts
    server.sessions.store = tlskit.MemoryStore()
    near, far = linked(client, server)
    session = near.session
    ending(*in_order(near, far, ender))
    again, other = linked(client, server, session)
    assert again.session_reused
    assert other.resumption.automatic


def test_a_failed_handshake_still_counts_as_failed(pki: PKI, version: Any) -> None:
    """The control: what is remembered is a handshake that was complete, and no other."""
    kind = KINDS[1] if version is tlskit.TLSVersion.TLSv1_2 else KINDS[3]
    client, server = client_for(kind, pki), server_for(kind, pki, identity=pki.stranger)
    client.sessions.resume = True
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(tlskit.SSLCertVerificationError):
        shake(near, far)
    assert near.version() is None
    assert near.info is None
    assert near.resumption is None
    with pytest.raises(ValueError, match="handshake not done"):
        near.getpeercert()
    assert not list(client.sessions)


def test_a_handshake_that_a_read_makes_is_counted(contexts: tuple[Any, Any]) -> None:
    client, server = contexts
    client.sessions.resume = True
    for expected in ("nothing_stored", "resumed"):
        to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
        far = server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(4):
            with contextlib.suppress(tlskit.SSLWantReadError):
                near.read(1)
            with contextlib.suppress(tlskit.SSLWantReadError):
                far.do_handshake()
        assert client.sessions.counters[expected] == 1


# -- a cut is still an error where it was one ------------------------------------------------------


@pytest.mark.parametrize("ignored", [False, True])
def test_a_cut_is_told_as_before(contexts: tuple[Any, Any], ignored: bool) -> None:
    client, server = contexts
    for context in contexts:
        context.options &= ~tlskit.OP_IGNORE_UNEXPECTED_EOF
        if ignored:
            context.options |= tlskit.OP_IGNORE_UNEXPECTED_EOF
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    shake(near, far)
    take_tickets(near)
    far.write(b"the answer")
    to_client.write_eof()
    assert near.read(100) == b"the answer"
    for _ in range(2):
        if ignored:
            assert near.read(100) == b""
            continue
        with pytest.raises(tlskit.SSLEOFError):
            near.read(100)
    if not ignored:
        with pytest.raises(tlskit.SSLError):
            near.write(b"too late")
        with pytest.raises(tlskit.SSLError):
            near.unwrap()
    assert near.session.is_resumable


def test_a_record_that_is_cut_is_told(contexts: tuple[Any, Any]) -> None:
    near, far = linked(*contexts)
    below = plain(far)
    below.sendall(b"\x17\x03\x03\x00\x20half")
    below.close()
    near.suppress_ragged_eofs = False
    if not near.context.options & tlskit.OP_IGNORE_UNEXPECTED_EOF:
        with pytest.raises(tlskit.SSLEOFError):
            near.recv(100)
    assert near.version()
