"""What a session says beyond the standard library: names, times, its text, its secret; and copies
with other times.
"""

from __future__ import annotations

import datetime
import re
import subprocess
import time

import pytest

import tlskit
from tlskit import SSLSession
from tlskit.sessions import session as session_module

from ..support import peers
from ..support.pairs import memory_pair
from .helpers import KINDS, Link, client_for, server_for

IDS, TICKETS, STATEFUL, STATELESS = KINDS
WHOLE_DAY = 86400


@pytest.fixture
def session(kind, memory, client, server):
    return memory.earn(client, server)


@pytest.fixture(scope="module")
def one(pki):
    return Link("memory").earn(client_for(TICKETS, pki), server_for(TICKETS, pki))


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hostname", ["localhost", "LOCALHOST", "127.0.0.1", None])
def test_hostname(kind, memory, client, server, hostname):
    client.check_hostname = hostname is not None
    near, far = memory.connect(client, server, hostname=hostname)
    expected = hostname and hostname.lower()
    assert near.session.hostname == expected
    assert SSLSession.from_bytes(near.session.to_bytes()).hostname == expected
    named = hostname if hostname and hostname.isalpha() else None
    assert far.session.hostname == (named and hostname)


def test_hostname_from_der(kind, memory, client, server):
    """There only when the server acknowledged it."""
    session = SSLSession.from_der(memory.earn(client, server).to_der())
    assert session.hostname is None
    server.sni_callback = lambda connection, name, context: None
    session = SSLSession.from_der(memory.earn(client, server).to_der())
    assert session.hostname == "localhost"


def test_alpn(kind, memory, client, server):
    assert memory.earn(client, server).alpn is None
    for context in (client, server):
        context.set_alpn_protocols(["h2"])
    near, far = memory.connect(client, server)
    for end in (near, far):
        assert end.session.alpn == end.info.alpn == end.selected_alpn_protocol() == "h2"
        assert SSLSession.from_bytes(end.session.to_bytes()).info.alpn == "h2"


def test_early_data(session):
    assert session.max_early_data == 0


def test_the_ticket(kind, memory, client, server):
    near, _ = memory.connect(client, server)
    session = near.session
    assert bool(session.ticket) is session.has_ticket is (kind is not IDS)
    assert isinstance(session.ticket, bytes)
    if session.ticket:
        assert session.ticket in session.to_der()
        assert session.ticket.hex() not in repr(session)


def test_the_peers_certificate(kind, memory, client, server):
    near, far = memory.connect(client, server)
    assert near.session.peer_certificate == near.getpeercert(True)
    assert SSLSession.from_der(near.session.to_der()).peer_certificate == near.getpeercert(True)
    assert far.session.peer_certificate is None


# -- times -----------------------------------------------------------------------------------------


def test_how_long_it_is_good_for(session, monkeypatch):
    monkeypatch.setattr(session_module, "now", lambda: session.time + 7000.5)
    assert session.expires_in == 199.5
    monkeypatch.setattr(session_module, "now", lambda: session.time + 7200)
    assert session.expires_in == 0.0
    monkeypatch.setattr(session_module, "now", lambda: session.time + 10**9)
    assert session.expires_in == 0.0


def test_a_copy_with_another_time(kind, memory, client, server):
    near, _ = memory.connect(client, server)
    session = near.session
    before = session.time
    older = session.with_times(time=before - 100)
    assert (older.time, older.timeout, session.time) == (before - 100, session.timeout, before)
    assert older != session
    assert older.with_times(time=before) == session
    assert older.hostname == session.hostname
    assert older.expires_at == session.expires_at - 100
    again, _ = memory.connect(client, server, session=older)
    assert again.session_reused


def test_a_copy_with_another_timeout(session):
    longer = session.with_times(timeout=9999)
    assert (longer.timeout, session.timeout) == (9999, 7200)
    assert longer.time == session.time
    assert longer.expires_at == (
        session.expires_at if session.ticket_lifetime_hint else session.time + 9999
    )
    assert session.with_times() == session


def test_a_copy_belongs_to_the_same_context(memory, pki):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    older = memory.earn(client, server).with_times(time=1)
    with pytest.raises(ValueError, match="different SSLContext"):
        memory.connect(client_for(IDS, pki), server, session=older)


def test_times_as_objects(one):
    when = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    changed = one.with_times(time=when, timeout=datetime.timedelta(hours=2))
    assert (changed.time, changed.timeout) == (int(when.timestamp()), 7200)


@pytest.mark.parametrize("when", [1, 2**31, 2**32, 18446744073])
def test_any_time(one, when):
    changed = one.with_times(time=when)
    assert changed.time == when
    assert SSLSession.from_bytes(changed.to_bytes()).time == when
    assert str(when) in changed.to_text()


@pytest.mark.parametrize(
    "times",
    [
        {"time": -1},
        {"time": 0},
        {"timeout": 0},
        {"time": 18446744074},
        {"time": 2**70},
        {"timeout": -1},
        {"timeout": 2**31},
    ],
)
def test_times_that_cannot_be(one, times):
    with pytest.raises(ValueError, match="must be between 1 and"):
        one.with_times(**times)


@pytest.mark.parametrize(
    "times", [{"time": 1.5}, {"time": "now"}, {"timeout": b"1"}, {"timeout": object()}]
)
def test_times_of_another_kind(one, times):
    with pytest.raises(TypeError, match="integer number of seconds"):
        one.with_times(**times)


# -- the same or another ---------------------------------------------------------------------------


def test_equal_and_not(kind, memory, client, server):
    near, _ = memory.connect(client, server)
    other, _ = memory.connect(client, server)
    assert near.session == near.session
    assert hash(near.session) == hash(near.session)
    assert near.session != other.session
    assert len({near.session, near.session, other.session}) == 2
    assert near.session != "session"


def test_sessions_without_id_and_ticket_are_not_all_the_same(pki):
    """As they are in TLS 1.3 before the first read, perhaps within one second."""
    client, server = client_for(STATELESS, pki), server_for(STATELESS, pki)
    found = []
    for _ in range(2):
        to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
        far = server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(2):
            for end in (near, far):
                try:
                    end.do_handshake()
                except tlskit.SSLWantReadError:
                    continue
        found.append((near, near.session))
    (near, first), (_, second) = found
    assert first.id == second.id == first.ticket == second.ticket == b""
    assert first != second
    assert first != first.with_times(time=1)
    assert first == near.session


# -- text and secret -------------------------------------------------------------------------------


def test_text(session):
    text = session.to_text()
    assert text.startswith("SSL-Session:\n    Protocol ")
    assert text.endswith("\n")
    for said in (
        session.protocol,
        session.cipher,
        session.id.hex().upper(),
        "localhost",
        "7200 (sec)",
        "0 (ok)",
        str(session.time),
    ):
        assert said in text
    assert session.dangerous_master_secret().hex().upper() not in text.upper()
    if session.ticket:
        assert session.ticket.hex()[:16] not in text
        assert f"{len(session.ticket)} bytes" in text


def test_text_says_what_openssl_says(session):
    """Row by row, where both have it under one name."""
    done = subprocess.run(
        [peers.command(), "sess_id", "-noout", "-text"],
        input=session.to_pem(),
        capture_output=True,
        text=True,
        check=True,
    )
    theirs, ours = (
        dict(re.findall(r"^ +([^:\n]+?) *: *(.*?) *$", text, re.M))
        for text in (done.stdout, session.to_text())
    )
    for name in (
        "Protocol",
        "Cipher",
        "Session-ID",
        "Session-ID-ctx",
        "Timeout",
        "TLS session ticket lifetime hint",
    ):
        if name in theirs:
            assert ours[name] == theirs[name]
    assert ours["Start Time"].split()[0] == theirs["Start Time"]


def test_text_of_one_from_der(session):
    text = SSLSession.from_der(session.to_der()).to_text()
    assert "not known" in text
    assert session.protocol in text


def test_the_master_secret(session):
    """The same on both sides, and as openssl reads it out of the DER."""
    done = subprocess.run(
        [peers.command(), "sess_id", "-noout", "-text"],
        input=session.to_pem(),
        capture_output=True,
        text=True,
        check=True,
    )
    (shown,) = re.findall(r"(?:Master-Key|Resumption PSK):\s*([0-9A-F]+)", done.stdout)
    assert session.dangerous_master_secret() == bytes.fromhex(shown)
    assert len(session.dangerous_master_secret()) >= 32


def test_the_master_secret_is_shared(memory, pki):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    near, far = memory.connect(client, server)
    assert near.session.dangerous_master_secret() == far.session.dangerous_master_secret()
    assert len(near.session.dangerous_master_secret()) == 48


def test_time_is_counted_from_the_handshake(pki):
    near, far = memory_pair(client_for(STATELESS, pki), server_for(STATELESS, pki))
    for end in (near, far):
        assert abs(end.session.time - time.time()) < 60
        assert 0 < end.session.expires_in <= 7 * WHOLE_DAY
