"""`conn.info` and `session.info`: everything that was negotiated, after a full handshake, a
resumption, and serialisation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import re
import socket
import ssl as stdlib
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import tlskit
from tlskit import SSLSession
from tlskit.sessions.registry import GROUPS, name_of

from ..support.pairs import (
    client_context,
    memory_pair,
    only,
    server_context,
    shake,
    socket_pair,
    take_tickets,
)
from ..support.peers import s_client, s_server, speaking
from ..support.peers import version as openssl_version
from .helpers import KINDS, Link, client_for, hello, server_for

TLSv1_2, TLSv1_3 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3
IDS, TICKETS, STATEFUL, STATELESS = KINDS
CBC, GCM = "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"

#: Pike's SSL.Session, variable by variable, and where tlskit has it: on the info, or on the
#: session.
PIKE = {
    "cert_data": lambda info, session: info.peer_certificate_data,
    "certificate_chain": lambda info, session: info.certificate_chain,
    "cipher_spec": lambda info, session: info.cipher,
    "cipher_suite": lambda info, session: info.cipher_suite,
    "compression_algorithm": lambda info, session: info.compression_method,
    "curve": lambda info, session: info.group,
    "ecc_curves": lambda info, session: info.peer_groups,
    "ecc_point_format": lambda info, session: info.point_format,
    "encrypt_then_mac": lambda info, session: info.encrypt_then_mac,
    "extended_master_secret": lambda info, session: info.extended_master_secret,
    "ffdhe_groups": lambda info, session: info.peer_ffdhe_groups,
    "heartbeat_mode": lambda info, session: info.heartbeat,
    "identity": lambda info, session: info.identity,
    "last_activity": lambda info, session: info.last_activity,
    "master_secret": lambda info, session: session.dangerous_master_secret(),
    "max_packet_size": lambda info, session: info.max_fragment_length,
    "peer_certificate_chain": lambda info, session: info.peer_certificate_chain,
    "peer_public_key": lambda info, session: info.peer_public_key,
    "private_key": lambda info, session: info.private_key,
    "server_name": lambda info, session: info.server_name,
    "signature_algorithms": lambda info, session: info.peer_signature_algorithms,
    "ticket": lambda info, session: session.ticket,
    "ticket_expiry_time": lambda info, session: info.ticket_expiry_time,
    "truncated_hmac": lambda info, session: info.truncated_hmac,
    "version": lambda info, session: info.version,
}
#: What only one side is told, or does not matter to the version: None is the honest answer there.
NOT_TOLD = {
    "client": {"ecc_curves", "ffdhe_groups", "signature_algorithms", "private_key"},
    "server": {"cert_data", "peer_public_key"},
}


def ders(path):
    return tuple(
        map(
            stdlib.PEM_cert_to_DER_cert,
            re.findall(r"-----BEGIN.*?END CERTIFICATE-----\n", path.read_text(), re.DOTALL),
        )
    )


def lists_of(client_hello):
    """What a ClientHello says, read here by hand: cipher suites and extensions."""
    body = client_hello[5 + 4 + 2 + 32 :]
    body = body[1 + body[0] :]
    size = int.from_bytes(body[:2], "big")
    suites, body = pairs_of(body[2 : 2 + size]), body[2 + size :]
    body = body[1 + body[0] + 2 :]
    extensions = {}
    while body:
        kind, size = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
        extensions[kind], body = body[4 : 4 + size], body[4 + size :]
    return suites, extensions


def pairs_of(data):
    return tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))


@pytest.fixture(params=["tls12-cbc", "tls12-gcm", "tls13"])
def suite(request):
    return request.param


@pytest.fixture
def ends(pki, suite):
    """A client's and a server's context, which speak one suite."""
    near, far = client_context(pki), server_context(pki)
    only(TLSv1_3 if suite == "tls13" else TLSv1_2, near, far)
    if suite != "tls13":
        for context in (near, far):
            context.set_ciphers(CBC if suite == "tls12-cbc" else GCM)
    return near, far


# -- row by row ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", ["full", "resumed", "resumed thrice", "from bytes", "resumed from bytes"]
)
@pytest.mark.parametrize("side", ["client", "server"])
def test_every_row_has_an_answer(pki, ends, suite, side, how):
    """On both sides, however the session came about; a server that keeps its sessions has the whole
    of it too.
    """
    near, far = ends
    if side == "server":
        far.options |= tlskit.OP_NO_TICKET
    pair = memory_pair(near, far)
    if how.startswith("resumed from"):
        pair = memory_pair(near, far, session=SSLSession.from_bytes(pair[0].session.to_bytes()))
    elif how.startswith("resumed"):
        for _ in range(3 if how.endswith("thrice") else 1):
            pair = memory_pair(near, far, session=pair[0].session)
    assert pair[0].session_reused is how.startswith("resumed")
    end = pair[side == "server"]
    session = end.session
    info = end.info
    if how == "from bytes":
        session = SSLSession.from_bytes(session.to_bytes())
        info = session.info
    none = {name for name, read in PIKE.items() if read(info, session) is None}
    assert len(PIKE) - len(none) >= 20
    allowed = set(NOT_TOLD[side])
    if suite == "tls13":
        allowed |= {"ecc_point_format"}
    if not session.has_ticket:
        assert session.ticket == b""
        allowed |= {"ticket_expiry_time"}
    if how == "from bytes":
        allowed |= {"private_key"}
    assert none <= allowed, none - allowed
    assert info.version == ("TLSv1.3" if suite == "tls13" else "TLSv1.2")


@pytest.mark.parametrize("resumed", [False, True])
def test_what_both_sides_agree_on(pki, ends, suite, resumed):
    near, far = ends
    for context in ends:
        context.set_alpn_protocols(["h2", "http/1.1"])
    pair = memory_pair(near, far)
    if resumed:
        pair = memory_pair(near, far, session=pair[0].session)
    infos = [end.info for end in pair]
    assert [info.side for info in infos] == ["client", "server"]
    for end, info in zip(pair, infos, strict=True):
        assert end.session_reused is resumed
        assert (info.version, info.alpn, info.group) == (end.version(), "h2", end.group())
        assert (info.cipher.name, info.cipher.protocol, info.cipher.bits) == end.cipher()
        assert (
            info.cipher.id
            == info.cipher_suite
            == {"tls12-cbc": 0xC023, "tls12-gcm": 0xC02B, "tls13": 0x1302}[suite]
        )
        assert info.cipher.aead is (suite != "tls12-cbc")
        assert info.encrypt_then_mac is (suite == "tls12-cbc")
        assert info.extended_master_secret is True
        assert info.max_fragment_length == 16384
        assert info.compression_method == 0
        assert info.server_name == "localhost"
        assert info.point_format == (None if suite == "tls13" else 0)
        assert info.heartbeat is info.truncated_hmac is False
        assert info.created <= info.last_activity
    assert infos[0].cipher == infos[1].cipher


def test_the_parts_of_a_cipher_suite(ends, suite):
    cipher = memory_pair(*ends)[0].info.cipher
    expected = {
        "tls12-cbc": (
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
            "aes-128-cbc",
            "sha256",
            "kx-ecdhe",
            "auth-ecdsa",
            "SHA2-256",
        ),
        "tls12-gcm": (
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "aes-128-gcm",
            None,
            "kx-ecdhe",
            "auth-ecdsa",
            "SHA2-256",
        ),
        "tls13": ("TLS_AES_256_GCM_SHA384", "aes-256-gcm", None, "kx-any", "auth-any", "SHA2-384"),
    }[suite]
    parts = [
        cipher.standard_name,
        cipher.symmetric,
        cipher.digest,
        cipher.key_exchange,
        cipher.authentication,
        cipher.handshake_digest,
    ]
    assert parts[:5] == list(expected[:5])
    assert parts[5] in (
        expected[5],
        expected[5].replace("SHA2-", "SHA"),
    )  # its name has changed between versions of OpenSSL


def test_certificates(pki, ends):
    near, far = memory_pair(*ends)
    sent = ders(pki.server.chain)
    info = near.info
    assert info.peer_certificate_chain == sent
    assert info.verified_chain == (*sent, *ders(pki.root))
    assert info.peer_certificate == sent[0] == near.getpeercert(True)
    assert info.verified is True
    assert (info.verify_code, info.verify_message, info.matched_name) == (0, "ok", "localhost")
    assert info.certificate_chain == ()
    assert info.private_key is None
    other = far.info
    assert other.certificate_chain == sent
    assert other.private_key == tlskit.KeyInfo("EC", 256)
    assert (other.peer_certificate_chain, other.verified_chain, other.verified) == ((), (), None)
    assert other.peer_certificate is other.peer_public_key is other.peer_certificate_data is None


def test_the_public_key_is_the_certificates(pki, ends):
    key = x509.load_der_x509_certificate(ders(pki.server.chain)[0]).public_key()
    assert memory_pair(*ends)[0].info.peer_public_key == key.public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def test_certificate_data_is_getpeercert_and_more(ends):
    near, _ = memory_pair(*ends)
    data = near.info.peer_certificate_data
    assert data.items() >= near.getpeercert().items()
    assert (data["verified"], data["verify_code"], data["verify_message"]) == (True, 0, "ok")


def test_without_verification(pki, kind, memory, client, server):
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    near, _ = memory.connect(client, server_for(kind, pki, identity=pki.stranger))
    info = near.info
    assert info.verified is False
    assert info.verify_code == 20
    assert "issuer" in info.verify_message
    assert near.getpeercert() == {}
    assert info.peer_certificate_data[
        "subject"
    ]  # the fields are there, and say that nobody has verified them
    assert info.peer_certificate_data["verified"] is False
    again, _ = memory.connect(client, server_for(kind, pki, identity=pki.stranger))
    assert again.info.verified is False


@pytest.mark.parametrize("resumed", [False, True])
def test_what_the_client_offered(pki, ends, resumed):
    """A server has it from the ClientHello of each connection, a resumed one too."""
    near, far = ends
    session = memory_pair(near, far)[0].session if resumed else None
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    first = near.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    second = far.wrap_bio(to_server, to_client, server_side=True)
    said = hello(first, to_server)
    to_server.write(said)
    shake(first, second)
    assert second.session_reused is resumed
    suites, extensions = lists_of(said)
    info = second.info
    assert info.peer_cipher_suites == suites
    assert sorted(info.peer_extensions) == sorted(extensions)
    assert info.peer_groups == pairs_of(extensions[10][2:])
    assert info.peer_signature_algorithms == pairs_of(extensions[13][2:])
    if 11 in extensions:
        assert info.peer_point_formats == tuple(extensions[11][1:])
    assert "x25519" in info.peer_group_names
    assert "ecdsa_secp256r1_sha256" in info.peer_signature_algorithm_names
    assert info.peer_offered_heartbeat is info.peer_offered_truncated_hmac is False


def test_what_a_client_is_not_told(ends):
    info = memory_pair(*ends)[0].info
    assert info.peer_groups is info.peer_ffdhe_groups is info.peer_group_names is None
    assert info.peer_cipher_suites is info.shared_cipher_suites is None
    assert info.peer_signature_algorithms is info.peer_signature_algorithm_names is None
    assert info.peer_offered_heartbeat is info.peer_offered_truncated_hmac is None


def test_finite_fields(pki):
    near, far = client_context(pki), server_context(pki)
    only(TLSv1_3, near, far)
    info = memory_pair(near, far)[1].info
    assert info.peer_ffdhe_groups
    assert info.peer_ffdhe_groups == tuple(n for n in info.peer_groups if 256 <= n < 512)
    assert "ffdhe2048" in info.peer_group_names


def test_a_shared_suite_is_one_that_both_have(pki):
    near, far = client_context(pki), server_context(pki)
    only(TLSv1_2, near, far)
    near.set_ciphers(f"{CBC}:{GCM}:ECDHE-ECDSA-AES256-GCM-SHA384")
    far.set_ciphers(f"{GCM}:{CBC}")
    info = memory_pair(near, far)[1].info
    assert info.shared_cipher_suites == (0xC023, 0xC02B)
    assert info.peer_cipher_suites[:3] == (0xC023, 0xC02B, 0xC02C)


# -- client certificates ---------------------------------------------------------------------------


@pytest.fixture
def mutual(pki, kind, client, server):
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.load_verify_locations(pki.root)
    return client, server


@pytest.mark.parametrize("resumed", [False, True])
def test_a_client_that_shows_a_certificate(pki, kind, link, mutual, resumed):
    near, far = link.connect(*mutual)
    if resumed:
        near, far = link.connect(*mutual, session=near.session)
        assert near.session_reused
    own = ders(pki.client.chain)
    assert near.info.certificate_chain == own
    assert near.info.private_key == tlskit.KeyInfo("EC", 256)
    # Whether the server has kept the session or sealed it into a ticket, it knows the same.
    info = far.info
    assert info.peer_certificate_chain[:1] == own[:1]
    assert far.getpeercert(True) == own[0]
    # libssl sends what the client trusts above its own, too.
    assert info.peer_certificate_chain == (*own, *ders(pki.root))
    assert info.verified_chain == (*own, *ders(pki.root))
    assert far.get_verified_chain() == [*own, *ders(pki.root)]
    assert far.get_unverified_chain() == [*own, *ders(pki.root)]
    assert info.certificate_chain == ders(pki.direct.chain)
    assert info.verified is True
    assert info.verify_code == 0


def test_a_client_that_is_asked_knows_what_the_server_can_verify(kind, memory, mutual):
    near, _ = memory.connect(*mutual)
    assert "ecdsa_secp256r1_sha256" in near.info.peer_signature_algorithm_names


def test_a_certificate_that_nobody_asked_for(pki, kind, memory, client, server):
    client.load_cert_chain(pki.client.chain, pki.client.key)
    near, far = memory.connect(client, server)
    assert near.info.certificate_chain == ()
    assert near.info.private_key is None
    assert far.info.peer_certificate_chain == ()


def test_a_client_that_has_none(pki, kind, memory, client, server):
    server.verify_mode = tlskit.CERT_OPTIONAL
    server.load_verify_locations(pki.root)
    near, far = memory.connect(client, server)
    assert near.info.certificate_chain == ()
    assert far.info.peer_certificate_chain == ()
    assert far.info.verified is None


def test_a_certificate_after_the_handshake(pki):
    near, far = client_context(pki), server_context(pki)
    only(TLSv1_3, near, far)
    near.post_handshake_auth = True
    near.load_cert_chain(pki.client.chain, pki.client.key)
    far.load_verify_locations(pki.root)
    far.verify_mode = tlskit.CERT_REQUIRED
    far.post_handshake_auth = True
    one, two = memory_pair(near, far)
    assert two.info.peer_certificate_chain == ()
    two.verify_client_post_handshake()
    two.write(b"x")
    assert one.read(1) == b"x"
    one.write(b"y")
    assert two.read(1) == b"y"
    own = ders(pki.client.chain)
    assert two.getpeercert(True) == own[0]
    assert two.info.peer_certificate_chain[:1] == own[:1]
    assert two.get_verified_chain() == [*own, *ders(pki.root)]


# -- what is agreed on besides ---------------------------------------------------------------------


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("which", ["client", "server"])
def test_encrypt_then_mac_switched_off(pki, which, resumed):
    ends = client_context(pki), server_context(pki)
    only(TLSv1_2, *ends)
    ends[0].set_ciphers(CBC)
    ends[which == "server"].options |= tlskit.OP_NO_ENCRYPT_THEN_MAC
    pair = memory_pair(*ends)
    if resumed:
        pair = memory_pair(*ends, session=pair[0].session)
    for end in pair:
        assert end.info.encrypt_then_mac is False


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("which", ["client", "server"])
def test_extended_master_secret_switched_off(pki, which, resumed):
    ends = client_context(pki), server_context(pki)
    only(TLSv1_2, *ends)
    ends[which == "server"].options |= tlskit.OP_NO_EXTENDED_MASTER_SECRET
    pair = memory_pair(*ends)
    if resumed:
        pair = memory_pair(*ends, session=pair[0].session)
    for end in pair:
        assert end.info.extended_master_secret is False


@pytest.mark.parametrize("acknowledged", [False, True])
def test_whether_the_name_was_acknowledged(kind, memory, client, server, acknowledged):
    if acknowledged:
        server.sni_callback = lambda connection, name, context: None
    pair = memory.connect(client, server)
    for end in pair:
        assert end.info.server_name == "localhost"
        assert end.info.server_name_acknowledged is acknowledged
    again = memory.connect(
        client, server, session=SSLSession.from_bytes(pair[0].session.to_bytes())
    )
    assert again[0].session_reused
    assert again[0].info.server_name_acknowledged is acknowledged
    assert [end.info.server_name for end in again] == ["localhost", "localhost"]


@pytest.mark.parametrize("hostname", [None, "127.0.0.1"])
def test_no_name(kind, memory, client, server, hostname):
    client.check_hostname = hostname is not None
    for end in memory.connect(client, server, hostname=hostname):
        assert end.info.server_name is None
        assert end.info.server_name_acknowledged is False


def test_a_hello_retry_request(pki):
    """Two ClientHellos: nothing is noted twice."""
    near, far = client_context(pki), server_context(pki)
    only(TLSv1_3, near, far)
    far.set_ecdh_curve("secp384r1")
    pair = memory_pair(near, far)
    for end in pair:
        assert end.info.group == end.group() == "secp384r1"
    info = pair[1].info
    assert len(set(info.peer_groups)) == len(info.peer_groups) > 3
    assert len(set(info.peer_extensions)) == len(info.peer_extensions)
    assert len(set(info.peer_cipher_suites)) == len(info.peer_cipher_suites)


# -- resumption ------------------------------------------------------------------------------------


def test_the_chains_of_a_resumed_connection(pki, kind, link, client):
    """Where the standard library has empty lists."""
    server = server_for(kind, pki)
    near, _ = link.connect(client, server)
    sent = list(ders(pki.server.chain))
    for _ in range(3):
        near, _ = link.connect(client, server, session=near.session)
        assert near.session_reused
        assert near.get_unverified_chain() == sent
        assert near.get_verified_chain() == [*sent, *ders(pki.root)]
        assert near.getpeercert(True) == sent[0]
        assert near.getpeercert()["subjectAltName"]
        assert near._sslobj.get_verified_chain()[0].public_bytes(2) == sent[0]


def test_the_shared_ciphers_of_a_resumed_connection(kind, link, client, server):
    near, far = link.connect(client, server)
    shared = far.shared_ciphers()
    assert shared
    _, again = link.connect(client, server, session=near.session)
    assert again.session_reused
    assert again.shared_ciphers() == shared


def test_shared_ciphers_are_those_of_now(memory, pki):
    """Not those of the handshake that made the session."""
    client, server = client_for(TICKETS, pki), server_for(TICKETS, pki)
    near, _ = memory.connect(client, server)
    server.set_ciphers(near.cipher()[0])
    _, again = memory.connect(client, server, session=near.session)
    assert again.session_reused
    assert again.shared_ciphers() == [near.cipher()]


def test_a_full_handshake_after_an_offer(pki, kind, memory, client, server):
    """The server does not know the session: nothing of that is left in the info."""
    session = memory.earn(client, server_for(kind, pki))
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused
    sent = ders(pki.direct.chain)
    assert near.info.peer_certificate_chain == sent
    assert near.session.info.verified_chain == near.info.verified_chain == (*sent, *ders(pki.root))
    assert near.get_verified_chain() == [*sent, *ders(pki.root)]
    assert session.info.peer_certificate_chain == ders(pki.server.chain)


def test_a_session_from_der_knows_little(pki, kind, memory, client, server):
    session = memory.earn(client, server)
    info = SSLSession.from_der(session.to_der()).info
    leaf = ders(pki.direct.chain)[:1]
    assert (info.version, info.cipher, info.identity) == (
        session.protocol,
        session.info.cipher,
        session.id,
    )
    assert info.peer_certificate_chain == leaf
    assert (
        info.side
        is info.verified
        is info.group
        is info.last_activity
        is info.certificate_chain
        is None
    )
    assert info.verified_chain == ()


def test_a_connection_that_resumes_from_der(pki, kind, link, client, server):
    """The certificate in it was verified before the offer, so there is a chain; and the rest comes
    with the handshake.
    """
    session = SSLSession.from_der(link.earn(client, server).to_der())
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused
    leaf = ders(pki.direct.chain)[:1]
    assert near.get_verified_chain() == [*leaf, *ders(pki.root)]
    assert near.info.verified is True
    assert near.info.side == "client"
    assert near.info.server_name_acknowledged is None
    assert near.info.group == near.group()
    assert near.info.peer_certificate_chain == leaf


def test_a_servers_ticket_knows_little(pki, memory):
    for kind in (TICKETS, STATELESS):
        client, server = client_for(kind, pki), server_for(kind, pki)
        session = memory.earn(client, server)
        _, far = memory.connect(client, server, session=session)
        info = far.info
        assert far.session_reused
        assert info.certificate_chain is info.shared_cipher_suites is info.private_key is None
        assert info.group == far.group()
        assert info.peer_groups
        assert info.server_name == "localhost"


@pytest.mark.parametrize("now", ["http/1.1", None])
def test_another_application_protocol(pki, memory, now):
    """Up to TLS 1.2 a resumption agrees on one anew; the session says what its own handshake
    did.
    """
    client, server = client_for(TICKETS, pki), server_for(TICKETS, pki)
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["h2"])
    session = memory.earn(client, server)
    server.set_alpn_protocols([now] if now else ["spdy/1"])
    for end in memory.connect(client, server, session=session):
        assert end.session_reused
        assert end.info.alpn == end.selected_alpn_protocol() == now
    assert session.info.alpn == "h2"


def test_every_ticket_of_a_connection(pki, memory):
    """Also those that come later, and those of resumed connections."""
    client, server = client_for(STATELESS, pki), server_for(STATELESS, pki)
    came = []
    client.sessions.on_new = lambda connection, session: came.append(session)
    near, _ = memory.connect(client, server)
    memory.connect(client, server, session=near.session)
    assert len(came) == 3
    for session in came:
        assert session.info.verified_chain == near.info.verified_chain != ()
        assert session.info.created == near.info.created
        assert session.info.identity == session.id


def test_a_copy_with_other_times(memory, client, server):
    session = memory.earn(client, server)
    assert session.with_times(time=1).info.verified_chain == session.info.verified_chain


def test_a_session_in_the_cache(memory, pki):
    """`add` puts a copy there, and a server finds it with all that belongs to it."""
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    near, far = memory.connect(client, server)
    kept = far.session
    server.sessions.clear()
    assert len(server.sessions) == 0
    assert server.sessions.add(kept)
    _, again = memory.connect(client, server, session=near.session)
    assert again.session_reused
    assert again.info.certificate_chain == ders(pki.server.chain)


# -- as a value ------------------------------------------------------------------------------------


@pytest.fixture
def info(kind, memory, client, server):
    return memory.connect(client, server)[0].info


def test_session_and_connection_agree(kind, memory, client, server):
    for end in memory.connect(client, server):
        assert end.info == end.session.info
        assert end.info == end.info


def test_it_survives_bytes(kind, memory, client, server):
    for end in memory.connect(client, server):
        info = SSLSession.from_bytes(end.session.to_bytes()).info
        assert info == end.info
        assert info.last_activity == end.info.last_activity
        assert info.private_key is None  # never written


def test_it_is_frozen_and_pickles(info):
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.version = "TLSv1.4"
    again = pickle.loads(pickle.dumps(info))
    assert again == info
    assert dataclasses.asdict(again) == dataclasses.asdict(info)


def test_it_holds_no_secret(kind, memory, client, server):
    near, far = memory.connect(client, server)
    for end in (near, far):
        session = end.session
        raw = pickle.dumps(end.info)
        shown = repr(end.info)
        assert session.dangerous_master_secret() not in raw
        for secret in filter(None, (session.dangerous_master_secret(), session.ticket)):
            assert secret not in raw
            assert repr(secret)[2:34] not in shown
            assert secret.hex() not in shown


def test_its_repr_is_short(info):
    assert len(repr(info)) < 1500
    assert "localhost" in repr(info)


def test_none_before_there_is_anything(pki):
    near = client_context(pki).wrap_bio(
        tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost"
    )
    assert near.info is None
    with contextlib.suppress(tlskit.SSLWantReadError):
        near.do_handshake()
    assert near.info is None


def test_none_without_a_connection(pki):
    with (
        socket.socket() as plain,
        client_context(pki).wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        assert sock.info is None


def test_over_sockets_too(pki, ends):
    with socket_pair(*ends) as (near, far):
        assert near.info.verified_chain == (*ders(pki.server.chain), *ders(pki.root))
        assert far.info.certificate_chain == ders(pki.server.chain)


def test_asked_for_from_several_threads(pki):
    """One session, shared by a server's connections: notes are read and the time of the last use
    written at once.
    """
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    session = Link("memory").earn(client, server)
    expected = (*ders(pki.server.chain), *ders(pki.root))
    wrong = []

    def work():
        for _ in range(30):
            near, far = memory_pair(client, server, session=session)
            if (
                not far.session_reused
                or near.info.verified_chain != expected
                or far.info.certificate_chain != expected[:2]
            ):
                wrong.append(near.info)
            if session.info.verified_chain != expected:
                wrong.append(session.info)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


# -- against openssl -------------------------------------------------------------------------------

interop = pytest.mark.skipif(
    openssl_version() is None, reason="there is no openssl command of version 3 or later"
)


@interop
@pytest.mark.parametrize("version", [TLSv1_2, TLSv1_3], ids=["1.2", "1.3"])
def test_a_client_of_s_server(pki, version, tmp_path):
    above = tmp_path / "above.pem"
    above.write_text(
        "".join(
            re.findall(
                r"-----BEGIN.*?END CERTIFICATE-----\n", pki.server.chain.read_text(), re.DOTALL
            )[1:]
        )
    )
    client = client_context(pki)
    options = ("-cipher", CBC) if version is TLSv1_2 else ("-groups", "P-384")
    with s_server(pki.server, *speaking(version), "-cert_chain", above, *options) as peer:
        session = None
        for resumed in (False, True):
            with contextlib.closing(connect(client, peer.address, session)) as near:
                peer.expect("^CIPHER is")
                peer.say(b"hello\n")
                assert near.recv(6) == b"hello\n"
                info, session = near.info, near.session
                assert near.session_reused is resumed
                assert info.verified_chain == (*ders(pki.server.chain), *ders(pki.root))
                assert info.encrypt_then_mac is (version is TLSv1_2)
                assert info.extended_master_secret is True
                assert info.group == ("secp384r1" if version is TLSv1_3 else near.group())
                session = SSLSession.from_bytes(session.to_bytes())
                near.unwrap()
                peer.expect("^DONE$")


def connect(context, address, session):
    plain = socket.create_connection(address, timeout=20)
    return context.wrap_socket(plain, server_hostname="localhost", session=session)


@interop
@pytest.mark.parametrize("version", [TLSv1_2, TLSv1_3], ids=["1.2", "1.3"])
def test_a_server_of_s_client(pki, version):
    """What is told to s_client on its command line is what the server notes of it."""
    server = server_context(pki)
    offered = (
        "-groups",
        "P-256:X448",
        "-sigalgs",
        "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256",
        "-maxfraglen",
        "1024",
    )
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        s_client(listener.getsockname(), pki.root, *speaking(version), *offered),
    ):
        listener.settimeout(20)
        plain, _ = listener.accept()
        plain.settimeout(20)
        with server.wrap_socket(plain, server_side=True) as far:
            info = far.info
    assert info.peer_group_names == ("secp256r1", "x448")
    assert info.peer_signature_algorithm_names == ("ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256")
    assert info.max_fragment_length == 1024
    assert info.group in ("prime256v1", "secp256r1")
    assert info.server_name == "localhost"
    assert 1 in info.peer_extensions


def test_an_unknown_number_stays_a_number():
    assert name_of(0x2A2A, GROUPS) == "0x2a2a"
    assert name_of(29, GROUPS) == "x25519"


def test_tickets_that_come_later_do_not_change_it(pki):
    client, server = client_for(STATELESS, pki), server_for(STATELESS, pki)
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    shake(near, far)
    before = near.info
    assert before.ticket_expiry_time is None
    assert before.identity == b""
    take_tickets(near)
    after = near.info
    assert after.ticket_expiry_time == near.session.expires_at
    assert dataclasses.replace(after, identity=b"", ticket_expiry_time=None) == before


# -- through stores --------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = (
        tlskit.MemoryStore()
        if request.param == "memory"
        else tlskit.SQLiteStore(tmp_path / "sessions.db", timeout=10)
    )
    with contextlib.closing(made):
        yield made


@pytest.mark.parametrize("kind", [IDS, STATEFUL], ids=lambda kind: kind.name)
def test_of_another_servers_session(pki, kind, memory, store):
    """A client has shown its certificate to one server, and resumes at another, which knows all
    that the first one saw.
    """
    client = client_for(kind, pki)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    servers = []
    for _ in range(2):
        server = server_for(kind, pki)
        server.verify_mode = tlskit.CERT_REQUIRED
        server.load_verify_locations(pki.root)
        server.sessions.store = store
        server.sessions.client_certificates = True
        servers.append(server)
    near, far = memory.connect(client, servers[0])
    first = far.info
    _, far = memory.connect(client, servers[1], session=near.session)
    assert far.session_reused
    info = far.info
    own = ders(pki.client.chain)
    assert info.peer_certificate_chain == (*own, *ders(pki.root))
    assert info.verified_chain == (*own, *ders(pki.root)) == tuple(far.get_verified_chain())
    assert info.verified is True
    assert info.certificate_chain == ders(pki.server.chain)
    assert info.created == first.created
    assert info.shared_cipher_suites == first.shared_cipher_suites


@pytest.mark.parametrize("resumed", [False, True])
def test_of_a_client_that_resumes_by_itself(pki, kind, memory, store, resumed):
    server = server_for(kind, pki)
    for _ in range(1 + resumed):
        client = client_for(kind, pki)
        client.sessions.store = store
        near, _ = memory.connect(client, server)
    assert near.session_reused is resumed
    assert near.info.verified_chain == (*ders(pki.server.chain), *ders(pki.root))
    assert near.info.matched_name == "localhost"


# -- odd ClientHellos ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLSv1_2, TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (10, b""), (10, b"\0"), (10, b"\0\1\0"), (10, b"\0\3\0\x17\0"), (10, b"\xff\xff\0\x17"),
        (10, b"\x04\x00" + b"\0\x17" * 512),
        (10, b"\x10\x00" + b"\0\x17" * 2048), (11, b""), (11, b"\xff\0"), (11, b"\1\0"), (13,
        b"\0\0"), (13, b"\0\2\4\3\0"),
        (0, b""), (0, b"\0\1\0"), (0, b"\0\5\0\0\2a\0"), (0, b"\0\x0e\0\0\x0blocalhost\xff\xfe"),
        (0, b"\1\2\0\0\xff" + b"a" * 254),
    ],
)  # fmt: skip
def test_a_list_that_is_odd(pki, version, kind, body):
    """Whatever libssl makes of it: notes are taken before libssl has looked at it."""
    server = server_context(pki)
    only(version, server)
    client = client_context(pki)
    only(version, client)
    outgoing = tlskit.MemoryBIO()
    said = hello(
        client.wrap_bio(tlskit.MemoryBIO(), outgoing, server_hostname="localhost"), outgoing
    )
    answers(server, rewritten(said, {kind: body}))


@pytest.mark.parametrize("version", [TLSv1_2, TLSv1_3], ids=["1.2", "1.3"])
def test_more_extensions_than_are_noted(pki, version):
    client, server = client_context(pki), server_context(pki)
    only(version, client, server)
    outgoing = tlskit.MemoryBIO()
    said = hello(
        client.wrap_bio(tlskit.MemoryBIO(), outgoing, server_hostname="localhost"), outgoing
    )
    assert answers(server, rewritten(said, {0x4000 + n: b"x" for n in range(1000)}))


def rewritten(client_hello, changed):
    """A ClientHello with other extensions."""
    body = client_hello[5 + 4 :]
    at = 34 + 1 + body[34]
    at += 2 + int.from_bytes(body[at : at + 2], "big")
    at += 1 + body[at]
    _, extensions = lists_of(client_hello)
    joined = b"".join(
        number.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content
        for number, content in ({**extensions, **changed}).items()
    )
    body = body[:at] + len(joined).to_bytes(2, "big") + joined
    return (
        b"\x16\x03\x01"
        + (len(body) + 4).to_bytes(2, "big")
        + b"\x01"
        + len(body).to_bytes(3, "big")
        + body
    )


def answers(server, said):
    """Whether a server goes on after this."""
    incoming, outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    incoming.write(said)
    end = server.wrap_bio(incoming, outgoing, server_side=True)
    try:
        end.do_handshake()
    except tlskit.SSLWantReadError:
        return outgoing.read()[:1] == b"\x16"
    except tlskit.SSLError:
        assert outgoing.read()[:1] == b"\x15"
        assert end.info is None
    return False


# -- older ways ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "AES128-SHA"])
def test_without_curves(pki, cipher):
    """The key exchange by RSA, in which the server signs nothing."""
    near, far = client_context(pki), server_context(pki, identity=pki.rsa)
    only(TLSv1_2, near, far)
    for context in (near, far):
        context.set_ciphers(cipher)
    for end in memory_pair(near, far):
        info = end.info
        assert info.cipher.name == cipher
        assert info.group is end.group() is info.point_format is None
        assert info.encrypt_then_mac is ("GCM" not in cipher)
    assert info.side == "server"
    assert info.certificate_chain == ders(pki.rsa.chain)
    assert info.private_key == tlskit.KeyInfo("RSA", 2048)


@interop
def test_a_renegotiation(pki):
    """A second full handshake on one connection: the notes of the first give way to its own."""
    server = server_context(pki)
    server.options |= (
        tlskit.OP_ALLOW_CLIENT_RENEGOTIATION | tlskit.OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION
    )
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        s_client(listener.getsockname(), pki.root, *speaking(TLSv1_2)) as peer,
    ):
        listener.settimeout(20)
        plain, _ = listener.accept()
        plain.settimeout(20)
        with server.wrap_socket(plain, server_side=True) as far:
            first, session = far.info, far.session
            peer.expect("---\n")
            peer.say(b"R\n")
            peer.expect("RENEGOTIATING")
            peer.say(b"hello\n")
            assert far.recv(6) == b"hello\n"
            info = far.info
            assert far.session != session
            assert info.created >= first.created
            assert info.certificate_chain == first.certificate_chain == ders(pki.server.chain)
            assert info.peer_cipher_suites[:3] == first.peer_cipher_suites[:3]
            assert session.info.peer_groups == first.peer_groups == info.peer_groups
            assert SSLSession.from_bytes(far.session.to_bytes()).info == info


# -- as a dictionary -------------------------------------------------------------------------------


def test_as_a_dictionary(contexts):
    import json

    near, far = memory_pair(*contexts)
    for end in (near, far):
        found = json.loads(json.dumps(end.info.to_dict()))
        assert found["version"] == end.version()
        assert found["cipher"]["name"] == end.cipher()[0]
        assert bytes.fromhex(found["session_id"]) == end.info.session_id == end.info.identity
        assert [bytes.fromhex(der) for der in found["peer_certificate_chain"]] == list(
            end.info.peer_certificate_chain
        )
        assert "identity" not in found
        assert set(found) - {"session_id"} == set(end.info.__dataclass_fields__) - {"identity"}
