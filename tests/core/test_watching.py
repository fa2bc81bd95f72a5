"""The callbacks that choose an application protocol or look on (secrets, steps, alerts, messages),
and when a handshake got how far.
"""

from __future__ import annotations

import socket
import ssl as stdlib
import time
from pathlib import Path
from typing import Any

import pytest

import tlskit
from _tlsbind import FEATURES
from tlskit import TLSVersion

from ..support import inside
from ..support.pairs import Background, client_context, memory_pair, only, server_context
from ..support.pki import PKI

BOTH = pytest.mark.parametrize("version", [TLSVersion.TLSv1_2, TLSVersion.TLSv1_3])
OBSERVERS = ["keylog_callback", "state_callback", "alert_callback", "message_callback"]
Contexts = tuple[Any, Any]


@pytest.fixture
def contexts(pki: PKI) -> Contexts:
    return client_context(pki), server_context(pki)


def over_sockets(client: Any, server: Any) -> tuple[BaseException | None, BaseException | None]:
    """What a handshake raises on either side."""
    near, far = socket.socketpair()

    def serve() -> None:
        with server.wrap_socket(far, server_side=True) as other:
            other.recv(1)

    serving = Background(serve)
    error: BaseException | None = None
    try:
        with client.wrap_socket(near, server_hostname="localhost") as wrapped:
            wrapped.sendall(b"x")
            wrapped.recv(1)  # a TLS 1.3 server refuses after the client thinks it is done
    except OSError as caught:
        error = caught
    finally:
        near.close()
    return error, serving.error


# -- ALPN ------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("chosen", ["http/1.1", b"http/1.1", "h2"])
def test_a_chosen_protocol(contexts: Contexts, version: TLSVersion, chosen: Any) -> None:
    client, server = contexts
    only(version, client, server)
    client.set_alpn_protocols(["h2", "http/1.1"])
    seen: list[Any] = []

    def choose(connection: Any, protocols: tuple[str, ...], name: str | None) -> Any:
        seen.append((connection, protocols, name))
        return chosen

    server.alpn_callback = choose
    near, far = memory_pair(client, server)
    wanted = chosen if isinstance(chosen, str) else chosen.decode()
    assert near.selected_alpn_protocol() == far.selected_alpn_protocol() == wanted
    assert seen == [(far, ("h2", "http/1.1"), "localhost")]


@BOTH
def test_none_goes_on_without(contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    client.set_alpn_protocols(["h2"])
    server.set_alpn_protocols(["h2"])  # the callback decides alone
    server.alpn_callback = lambda *given: None
    near, far = memory_pair(client, server)
    assert near.selected_alpn_protocol() is far.selected_alpn_protocol() is None
    server.alpn_callback = None
    near, far = memory_pair(client, server)
    assert near.selected_alpn_protocol() == "h2"


def test_nobody_asks_for_any(contexts: Contexts) -> None:
    client, server = contexts
    server.alpn_callback = lambda *given: pytest.fail("it was called")
    memory_pair(client, server)


@BOTH
@pytest.mark.parametrize("how", ["number", "raises", "other", "type"])
def test_protocols_that_are_refused(contexts: Contexts, version: TLSVersion, how: str) -> None:
    client, server = contexts
    only(version, client, server)
    client.set_alpn_protocols(["h2"])

    def choose(*given: Any) -> Any:
        if how == "raises":
            raise LookupError("no such tenant")
        return {"number": tlskit.NO_APPLICATION_PROTOCOL, "other": "h3", "type": 1.5}[how]

    server.alpn_callback = choose
    theirs, ours = over_sockets(client, server)
    assert isinstance(theirs, tlskit.SSLError)
    assert theirs.alert_received.name == "NO_APPLICATION_PROTOCOL"  # type: ignore[attr-defined]
    kinds = {"number": tlskit.SSLError, "raises": LookupError, "other": ValueError}
    assert isinstance(ours, kinds.get(how, TypeError))
    if how == "other":
        assert "'h3'" in str(ours)


@pytest.mark.parametrize("alert", [40, 0, True])
def test_the_only_alert_that_openssl_sends_there(contexts: Contexts, alert: int) -> None:
    client, server = contexts
    client.set_alpn_protocols(["h2"])
    server.alpn_callback = lambda *given: alert
    with pytest.raises((ValueError, TypeError), match="NO_APPLICATION_PROTOCOL"):
        memory_pair(client, server)


@BOTH
def test_the_context_that_is_in_force(pki: PKI, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    other = server_context(pki)
    only(version, client, server, other)
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.alpn_callback = lambda *given: "h2"
    other.alpn_callback = lambda *given: "http/1.1"
    server.sni_callback = lambda connection, *rest: setattr(connection, "context", other)
    near, _ = memory_pair(client, server)
    assert near.selected_alpn_protocol() == "http/1.1"


@BOTH
def test_a_resumed_connection_is_asked_too(contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    client.set_alpn_protocols(["h2"])
    calls: list[Any] = []

    def choose(connection: Any, protocols: tuple[str, ...], name: str | None) -> str:
        calls.append(protocols)
        return "h2"

    server.alpn_callback = choose
    first, _ = memory_pair(client, server)
    again, _ = memory_pair(client, server, session=first.session)
    assert again.session_reused
    assert again.selected_alpn_protocol() == "h2"
    assert calls == [("h2",), ("h2",)]


def test_protocols_that_are_no_text(contexts: Contexts) -> None:
    client, server = contexts
    inside.settings_of(client).change(alpn_protocols=b"\x02\xff\xfe\x02h2")
    server.alpn_callback = lambda connection, protocols, name: protocols[0]
    near, _ = memory_pair(client, server)
    assert near.selected_alpn_protocol()


# -- secrets ---------------------------------------------------------------------------------------


@BOTH
def test_the_lines_of_the_key_log(contexts: Contexts, version: TLSVersion, tmp_path: Path) -> None:
    client, server = contexts
    only(version, client, server)
    seen: list[tuple[Any, str]] = []
    client.keylog_callback = server.keylog_callback = lambda *given: seen.append(given)
    client.keylog_filename = tmp_path / "keys"
    near, far = memory_pair(client, server)
    lines = [line for connection, line in seen if connection is near]
    assert lines == (tmp_path / "keys").read_text(encoding="ascii").splitlines()[1:]
    assert sorted(lines) == sorted(line for connection, line in seen if connection is far)
    labels = {line.split()[0] for line in lines}
    assert ("CLIENT_RANDOM" in labels) == (version < TLSVersion.TLSv1_3)
    assert ("CLIENT_TRAFFIC_SECRET_0" in labels) == (version == TLSVersion.TLSv1_3)
    assert all(near.client_random().hex() == line.split()[1] for line in lines)
    assert "keylog_callback" in client.describe()


# -- steps -----------------------------------------------------------------------------------------


@BOTH
def test_the_steps_of_a_handshake(contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    seen: list[Any] = []
    client.state_callback = server.state_callback = lambda *given: seen.append(given)
    near, far = memory_pair(client, server)
    for end in (near, far):
        events = [(event, state) for connection, event, state in seen if connection is end]
        assert events[0][0] == "start"
        assert "done" in [event for event, _ in events]
        assert {event for event, _ in events} == {"start", "step", "done"}
        assert any("client hello" in state for _, state in events)
        assert any("finished" in state for _, state in events)
        assert end.handshake_state == "SSL negotiation finished successfully"


def test_the_state_of_a_connection(contexts: Contexts) -> None:
    client, _ = contexts
    near = client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    before = near.handshake_state
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    assert near.handshake_state != before
    assert "client hello" in near.handshake_state
    with client.wrap_socket(socket.socket(), server_hostname="localhost") as unconnected:
        assert unconnected.handshake_state is None


# -- alerts ----------------------------------------------------------------------------------------


@BOTH
def test_the_alerts_of_a_failure(pki: PKI, version: TLSVersion) -> None:
    client, server = client_context(pki), server_context(pki, identity=pki.stranger)
    only(version, client, server)
    seen: list[Any] = []
    client.alert_callback = server.alert_callback = lambda *given: seen.append(given[1:])
    theirs, _ = over_sockets(client, server)
    assert isinstance(theirs, tlskit.SSLCertVerificationError)
    # OpenSSL tells of an alert once it is written, when the peer may have read it
    assert {(direction, alert.name) for direction, alert in seen} == {
        ("write", "UNKNOWN_CA"),
        ("read", "UNKNOWN_CA"),
    }
    assert len(seen) == 2


@BOTH
def test_the_alert_of_an_orderly_end(contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    seen: list[Any] = []
    client.alert_callback = server.alert_callback = lambda *given: seen.append(given)
    near, far = memory_pair(client, server)
    assert seen == []
    near.close_notify()
    assert far.read() == b""
    assert [(end, direction, alert.name) for end, direction, alert in seen] == [
        (near, "write", "CLOSE_NOTIFY"),
        (far, "read", "CLOSE_NOTIFY"),
    ]
    assert near.alert_sent is None  # that one is for fatal alerts


# -- messages, and all of them ---------------------------------------------------------------------


def test_messages_under_a_public_name(contexts: Contexts) -> None:
    client, server = contexts
    seen: list[Any] = []
    client.message_callback = lambda *given: seen.append(given)
    assert client._msg_callback is client.message_callback
    near, _ = memory_pair(client, server)
    assert all(given[0] is near for given in seen)
    kinds = {given[4] for given in seen if given[3] == stdlib._TLSContentType.HANDSHAKE}  # type: ignore[attr-defined]
    assert stdlib._TLSMessageType.CLIENT_HELLO in kinds  # type: ignore[attr-defined]
    client._msg_callback = None
    assert client.message_callback is None


@BOTH
@pytest.mark.parametrize("setting", OBSERVERS)
def test_what_they_raise_comes_out_of_the_operation(
    contexts: Contexts, version: TLSVersion, setting: str
) -> None:
    client, server = contexts
    only(version, client, server)

    def fail(*given: Any) -> None:
        raise LookupError(setting)

    setattr(client, setting, fail)
    if setting == "alert_callback":
        near, _ = memory_pair(client, server)
        with pytest.raises(LookupError, match=setting):
            near.close_notify()
    else:
        with pytest.raises(LookupError, match=setting):
            memory_pair(client, server)
        # what is raised after the last step is not the handshake's failure any more
        late = setting == "keylog_callback" and version == TLSVersion.TLSv1_3
        assert client.handshake_failures == ({} if late else {"lookuperror": 1})
    setattr(client, setting, None)
    memory_pair(client, server)  # others are as they were
    assert server.handshake_failures == {}


@pytest.mark.parametrize("setting", [*OBSERVERS, "alpn_callback"])
def test_what_they_can_be_set_to(contexts: Contexts, setting: str) -> None:
    _, server = contexts

    async def later(*given: Any) -> None: ...

    with pytest.raises(TypeError, match=f"{setting} must be callable or None, not int"):
        setattr(server, setting, 5)
    with pytest.raises(TypeError, match=f"{setting} cannot be a coroutine function"):
        setattr(server, setting, later)
    assert getattr(server, setting) is None
    setattr(server, setting, print)
    assert getattr(server, setting) is print
    assert getattr(server.copy(), setting) is print


def test_alpn_is_a_servers(contexts: Contexts) -> None:
    with pytest.raises(ValueError, match="TLS_CLIENT"):
        contexts[0].alpn_callback = print


@pytest.mark.parametrize("setting", OBSERVERS)
def test_a_connection_keeps_what_it_began_with(contexts: Contexts, setting: str) -> None:
    """But messages, which are the stdlib's: those are shown to whoever is there."""
    client, server = contexts
    seen: list[Any] = []
    setattr(client, setting, lambda *given: seen.append(given))
    near, far = memory_pair(client, server)
    begun = len(seen)
    setattr(client, setting, None)
    near.close_notify()
    assert far.read() == b""
    assert len(seen) == begun + (setting == "alert_callback")


# -- when -----------------------------------------------------------------------------------------


@BOTH
def test_the_timeline(contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    assert not client.record_timeline
    client.record_timeline = server.record_timeline = True
    before = time.monotonic()
    near, far = memory_pair(client, server)
    after = time.monotonic()
    theirs, ours = near.handshake_timeline, far.handshake_timeline
    slack = 0.05  # two clocks
    for line in (theirs, ours):
        assert before - slack <= line.started <= line.first_flight <= line.finished <= after + slack
        assert line.duration == line.finished - line.started
    assert theirs.hello is None
    assert ours.started <= ours.hello <= ours.first_flight
    assert theirs.first_flight <= theirs.verified <= theirs.finished
    assert ours.verified is None
    assert theirs.round_trip == near.handshake_round_trip


@BOTH
def test_a_server_that_verifies(pki: PKI, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.record_timeline = True
    _, far = memory_pair(client, server)
    line = far.handshake_timeline
    assert line.first_flight <= line.verified <= line.finished


@BOTH
def test_a_resumption_verifies_nothing(contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    client.record_timeline = server.record_timeline = True
    first, _ = memory_pair(client, server)
    again, far = memory_pair(client, server, session=first.session)
    assert again.session_reused
    assert again.handshake_timeline.verified is None
    for end in (again, far):
        line = end.handshake_timeline
        assert line.first_flight <= line.finished


def test_a_handshake_that_has_not_ended(contexts: Contexts) -> None:
    client, _ = contexts
    client.record_timeline = True
    near = client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    assert near.handshake_timeline.started is None
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    line = near.handshake_timeline
    assert line.started <= line.first_flight
    assert line.finished is line.verified is line.duration is None


def test_nothing_unless_it_is_asked_for(contexts: Contexts) -> None:
    near, far = memory_pair(*contexts)
    assert near.handshake_timeline is far.handshake_timeline is None


@pytest.mark.skipif(not FEATURES["HANDSHAKE_RTT"].there, reason="since OpenSSL 3.2")
def test_the_round_trip(contexts: Contexts) -> None:
    client, server = contexts
    client.record_timeline = True
    near, _ = memory_pair(client, server)
    assert near.handshake_timeline.round_trip >= 0
