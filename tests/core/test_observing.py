"""The verdict on a peer, the names of authorities, alerts, counters, and half a farewell."""

from __future__ import annotations

import pytest

import tlskit

from ..support import peers, raw
from ..support.certificates import DAY, authority, issue
from ..support.pairs import (
    Background,
    client_context,
    memory_pair,
    only,
    server_context,
    socket_pair,
)
from ..support.peers import PATIENCE, s_server, speaking

HOST = "localhost"


def lenient(*versions):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = tlskit.CERT_NONE
    only(*versions, context)
    return context


# -- verify_result ---------------------------------------------------------------------------------


def test_the_verdict_on_a_good_certificate(contexts):
    client, server = contexts
    near, far = memory_pair(client, server)
    assert near.verify_result
    assert near.verify_result == tlskit.VerifyResult(0, "ok", True)
    assert not far.verify_result  # no certificate was asked for
    assert not far.verify_result.checked
    again, _ = memory_pair(client, server, session=near.session)
    assert again.session_reused
    assert again.verify_result


def test_the_verdict_where_verification_is_off(pki, version, tmp_path):
    old = issue(tmp_path, "old", issuer=authority(tmp_path, "CA"), begins=-9 * DAY, ends=-DAY)
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(old.chain, old.key)
    near, _ = memory_pair(lenient(version), server)
    assert not near.verify_result
    assert near.verify_result.checked
    assert near.verify_result.code == 20
    assert near.verify_result.message == "unable to get local issuer certificate"
    assert near.info.peer_certificate_data["subject"]


def test_no_verdict_before_the_handshake(contexts):
    bios = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = contexts[0].wrap_bio(*bios, server_hostname=HOST)
    assert near.verify_result is None
    assert near.client_ca_names == ()
    assert near.alert_sent is near.alert_received is near.handshake_round_trip is None
    assert (near.bytes_sent, near.bytes_received) == (0, 0)
    assert not near.close_notify_sent


# -- authorities -----------------------------------------------------------------------------------


@pytest.mark.skipif(peers.version() is None, reason="there is no openssl command")
def test_the_authorities_that_a_server_names(pki, version):
    import socket

    client = client_context(pki)
    only(version, client)
    options = ("-verify", "1", "-CAfile", pki.root)
    with s_server(pki.direct, *speaking(version), *options) as peer:
        plain = socket.create_connection(peer.address, timeout=PATIENCE)
        with client.wrap_socket(plain, server_hostname=HOST) as near:
            (name,) = near.client_ca_names
            assert name == near.getpeercert()["issuer"]


def test_a_server_that_asks_for_none(contexts):
    near, far = memory_pair(*contexts)
    assert near.client_ca_names == far.client_ca_names == ()


# -- alerts and counters ---------------------------------------------------------------------------


def test_alerts_by_name(contexts):
    client, server = contexts
    with socket_pair(client, server) as (near, far):
        assert near.alert_sent is near.alert_received is None
        far.sendall(b"x")
        assert near.recv(1) == b"x"
    bios = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    end = client.wrap_bio(*bios, server_hostname=HOST)
    with pytest.raises(tlskit.SSLWantReadError):
        end.do_handshake()
    bios[0].write(raw.alert(raw.FATAL, 80))
    with pytest.raises(tlskit.SSLError):
        end.do_handshake()
    assert end.alert_received.name == "INTERNAL_ERROR"
    bios = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    end = server.wrap_bio(*bios, server_side=True)
    bios[0].write(raw.record(raw.HANDSHAKE, b"\x0e\x00\x00\x00"))
    with pytest.raises(tlskit.SSLError):
        end.do_handshake()
    assert end.alert_sent.name == "UNEXPECTED_MESSAGE"


def test_bytes_on_the_wire(contexts):
    near, far = memory_pair(*contexts)
    assert near.bytes_sent > 200
    before = near.bytes_sent, far.bytes_received
    assert before[0] == before[1]
    near.write(bytes(1000))
    assert far.read(1000) == bytes(1000)
    assert 1000 < near.bytes_sent - before[0] == far.bytes_received - before[1] < 1100


def test_round_trip(contexts):
    from _tlsbind import FEATURES

    with socket_pair(*contexts) as (near, far):
        for end in (near, far):
            time = end.handshake_round_trip
            assert (time is None) or 0 <= time < PATIENCE
        assert (far.handshake_round_trip is not None) <= FEATURES["HANDSHAKE_RTT"].there


# -- closing ---------------------------------------------------------------------------------------


def test_half_a_farewell(contexts):
    client, server = contexts
    with socket_pair(client, server) as (near, far):
        near.sendall(b"the last")
        near.close_notify()
        near.close_notify()  # does nothing
        assert near.close_notify_sent
        assert not near.close_notify_received
        assert far.recv(100) == b"the last"
        assert far.recv(100) == b""
        assert far.close_notify_received
        far.sendall(b"an answer")  # the other direction is open still
        assert near.recv(100) == b"an answer"
        with pytest.raises(tlskit.SSLError, match=r"shutdown|closed"):
            near.sendall(b"more")
        farewell = Background(near.unwrap)
        far.unwrap()
        farewell.result()


def test_half_a_farewell_in_memory(contexts):
    near, far = memory_pair(*contexts)
    near.close_notify()
    assert far.read(1) == b""
    assert far.close_notify_received
    far.write(b"x")
    assert near.read(1) == b"x"


def test_a_ragged_end_is_not_a_farewell(contexts):
    client, server = contexts
    with socket_pair(client, server) as (near, far):
        import socket

        socket.socket(fileno=far.detach()).close()
        assert near.recv(1) == b""  # suppress_ragged_eofs
        assert not near.close_notify_received


def test_no_farewell_without_a_connection(contexts):
    import socket

    with (
        contexts[0].wrap_socket(socket.socket(), server_hostname=HOST) as near,
        pytest.raises(ValueError, match="no TLS connection"),
    ):
        near.close_notify()


# -- ASGI ------------------------------------------------------------------------------------------


def test_asgi(pki, version, tmp_path):
    client, server = client_context(pki), server_context(pki)
    only(version, client, server)
    names = memory_pair(client, server)[1].info.asgi()
    assert names == {
        "server_cert": "".join(
            pki.server.chain.read_text().partition("-----END CERTIFICATE-----\n")[:2]
        ),
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": int(version),
        "cipher_suite": memory_pair(client, server)[1].info.cipher_suite,
    }
    me = issue(tmp_path, "me, myself", issuer=authority(tmp_path, "CA"))
    client.load_cert_chain(me.chain, me.key)
    server.load_verify_locations(tmp_path / "CA.chain.pem")
    server.verify_mode = tlskit.CERT_REQUIRED
    near, far = memory_pair(client, server)
    told = far.info.asgi()
    assert told["client_cert_chain"] == [me.pem.decode()]
    assert told["client_cert_name"] == r"CN=me\, myself"
    assert told["client_cert_error"] is None
    _, again = memory_pair(client, server, session=near.session)
    assert again.session_reused
    told_again = again.info.asgi()
    for name in ("client_cert_chain", "client_cert_name", "client_cert_error", "tls_version"):
        assert told_again[name] == told[name]
