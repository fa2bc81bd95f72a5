"""Sizes and switches of a context, its settings in OpenSSL's words, and new keys on the way."""

from __future__ import annotations

import contextlib
import socket

import pytest

import tlskit

from ..support.certificates import authority, issue
from ..support.pairs import (
    Background,
    client_context,
    memory_pair,
    only,
    server_context,
    shake,
    socket_pair,
)

V12, V13 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3


def lengths(wire):
    """The bodies of the records in these bytes."""
    found = []
    while wire:
        found.append(int.from_bytes(wire[3:5], "big"))
        wire = wire[5 + found[-1] :]
    return found


def sent(context, peer, size):
    """The lengths of the records in which a client sends so many bytes."""
    incoming, outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    far = peer.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(3):
        for end in (near, far):
            with contextlib.suppress(tlskit.SSLWantReadError):
                end.do_handshake()
    assert outgoing.pending == 0
    assert near.write(bytes(size)) == size
    wire = outgoing.read()
    outgoing.write(wire)
    got = b""
    while len(got) < size:
        got += far.read(size)
    assert got == bytes(size)
    return lengths(wire)


# -- lists and names -------------------------------------------------------------------------------


def test_lists_for_words(pki, contexts):
    for context in contexts:
        context.set_groups(["P-384", "P-256"])
        context.set_ciphers(["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"])
        context.set_ciphersuites(("TLS_AES_256_GCM_SHA384",))
        context.set_server_sigalgs(iter(["ECDSA+SHA256", "RSA-PSS+SHA256"]))
        context.set_client_sigalgs(["ECDSA+SHA256"])
    near, _ = memory_pair(*contexts)
    assert near.group() in ("secp384r1", "P-384")
    assert near.cipher()[0].endswith("AES_256_GCM_SHA384") or "AES256" in near.cipher()[0]
    assert "groups: P-384:P-256\n" in contexts[0].describe()


@pytest.mark.parametrize("value", [7, None, b"P-256", [b"P-256"], [7]])
def test_no_lists(contexts, value):
    before = contexts[0].describe()
    for method in ("set_groups", "set_ciphers", "set_ciphersuites", "set_client_sigalgs"):
        with pytest.raises(TypeError):
            getattr(contexts[0], method)(value)
    assert contexts[0].describe() == before


@pytest.mark.parametrize("name", ["TLSv1.3", "TLSv1_3", "tls1.3", "TLS1.3"])
def test_versions_by_name(name):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.minimum_version = name
    assert context.minimum_version is V13
    context.configure(minimum_version="TLSv1.2", maximum_version="TLSv1.2")
    assert (context.minimum_version, context.maximum_version) == (V12, V12)


@pytest.mark.parametrize("name", ["", "1.3", "TLSv1.4", "DTLSv1.2", "SSLv2"])
def test_no_versions(name):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ValueError, match="a protocol version must be"):
        context.maximum_version = name
    assert context.maximum_version is tlskit.TLSVersion.MAXIMUM_SUPPORTED


# -- switches --------------------------------------------------------------------------------------


def test_a_fallback_that_was_not_called_for(pki):
    client, server = client_context(pki), server_context(pki)
    client.maximum_version = "TLSv1.2"
    assert not client.fallback_scsv
    memory_pair(client, server)
    client.fallback_scsv = True
    with pytest.raises(tlskit.SSLError, match=r"INAPPROPRIATE_FALLBACK|inappropriate fallback"):
        memory_pair(client, server)
    server.maximum_version = "TLSv1.2"  # now it is all that there is
    memory_pair(client, server)


def test_parameters_by_themselves(pki):
    client, server = client_context(pki), server_context(pki, identity=pki.rsa)
    only(V12, client, server)
    client.set_ciphers("DHE-RSA-AES256-GCM-SHA384")
    if tlskit.OPENSSL_VERSION_INFO < (4, 0):  # which negotiates groups for it (RFC 7919)
        with pytest.raises(tlskit.SSLError):
            memory_pair(client, server)
    assert not server.dh_auto
    server.dh_auto = True
    near, _ = memory_pair(client, server)
    assert near.cipher()[0] == "DHE-RSA-AES256-GCM-SHA384"


def test_chains_by_themselves(tmp_path, version):
    root = authority(tmp_path, "Root")
    middle = authority(tmp_path, "Middle", issuer=root)
    leaf = issue(tmp_path, "leaf", issuer=middle)
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.add_certificate(leaf.certificate, leaf.key)
    server.load_verify_locations(cadata=middle.der)
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=root.der)
    only(version, client, server)
    assert server.auto_chain
    memory_pair(client, server)
    server.auto_chain = False
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server)


@pytest.mark.parametrize("when", ["before", "in sni_callback"])
def test_chains_of_another_context(tmp_path, version, when):
    """The context that a server's connection changes to trusts something, and the first does not,
    or the other way round.
    """
    root = authority(tmp_path, "Root")
    middle = authority(tmp_path, "Middle", issuer=root)
    leaf = issue(tmp_path, "leaf", issuer=middle)
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=root.der)
    whole, alone = (tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER) for _ in range(2))
    for server in (whole, alone):
        server.add_certificate(leaf.certificate, leaf.key)
    whole.load_verify_locations(cadata=middle.der)
    only(version, client, whole, alone)
    for first, then in ((alone, whole), (whole, alone), (alone, alone), (whole, whole)):
        up, down = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = client.wrap_bio(down, up, server_hostname="localhost")
        if when == "before":
            far = first.wrap_bio(up, down, server_side=True)
            far.context = then
        else:
            first.sni_callback = lambda end, name, now, then=then: setattr(end, "context", then)
            far = first.wrap_bio(up, down, server_side=True)
        if then is whole:
            shake(near, far)
        else:
            with pytest.raises(tlskit.SSLCertVerificationError):
                shake(near, far)


def test_a_context_without_callbacks_becomes_one_with(contexts):
    """A connection that calls nothing is opened without what C needs to call Python."""
    client, server = contexts
    called = []
    other = server.copy()
    other.alpn_callback = lambda end, offered, name: called.append("alpn")
    client.set_alpn_protocols(["a"])
    up, down = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname="localhost")
    far = server.wrap_bio(up, down, server_side=True)
    far.context = other
    shake(near, far)
    assert "alpn" in called


def test_buffers(contexts):
    assert contexts[0].release_buffers
    contexts[0].release_buffers = False
    near, far = memory_pair(*contexts)
    near.write(b"x")
    assert far.read() == b"x"


# -- sizes -----------------------------------------------------------------------------------------


def test_the_fragments_that_a_client_asks_for(contexts):
    client, server = contexts
    assert client.max_fragment_length == 0
    client.max_fragment_length = 512
    near, far = memory_pair(client, server)
    assert near.info.max_fragment_length == far.info.max_fragment_length == 512
    client.max_fragment_length = 4096  # sessions of before are for 512
    near, _ = memory_pair(client, server, session=near.session)
    assert not near.session_reused
    assert near.info.max_fragment_length == 4096
    assert max(sent(client, server, 20000)) < 4096 + 64


@pytest.mark.parametrize("value", [1, 511, 16384, -512, "512", None])
def test_no_fragments(contexts, value):
    with pytest.raises(ValueError, match="max_fragment_length must be 0, 512"):
        contexts[0].max_fragment_length = value


def test_the_fragments_that_are_sent(contexts):
    client, server = contexts
    client.max_send_fragment = 1000
    found = sent(client, server, 5000)
    assert len(found) == 5
    assert all(1000 < size < 1064 for size in found)
    client.max_send_fragment = 16384
    assert len(sent(client, server, 5000)) == 1


def test_padding(pki):
    client, server = client_context(pki), server_context(pki)
    only(V13, client, server)
    assert sent(client, server, 10) == [10 + 1 + 16]
    client.block_padding = 512
    for size in (10, 300, 511):
        assert sent(client, server, size) == [512 + 16]
    client.block_padding = 0
    assert sent(client, server, 10) == [10 + 1 + 16]


def test_certificates_that_are_too_long(contexts):
    client, server = contexts
    assert client.max_cert_list == 102400
    client.max_cert_list = 100
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)
    client.max_cert_list = 200_000
    memory_pair(client, server)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_send_fragment", 511), ("max_send_fragment", 16385), ("block_padding", -1),
        ("block_padding", 16385), ("max_cert_list", 0), ("max_cert_list", 2**24),
    ],
)  # fmt: skip
def test_no_sizes(contexts, name, value):
    before = contexts[0].describe()
    with pytest.raises(ValueError, match=f"{name} must be between"):
        setattr(contexts[0], name, value)
    with pytest.raises(TypeError):
        setattr(contexts[0], name, "4096")
    assert contexts[0].describe() == before


def test_all_of_them_at_once(contexts):
    client, server = contexts
    settings = {
        "fallback_scsv": False, "release_buffers": False, "auto_chain": False, "dh_auto": True,
        "max_fragment_length": 1024, "max_send_fragment": 600, "block_padding": 64,
        "max_cert_list": 50_000,
    }  # fmt: skip
    memory_pair(client, server)
    client.configure(**settings)
    other = client.copy()
    for name, value in settings.items():
        assert getattr(client, name) == getattr(other, name) == value
        assert f"{name}: {value}\n" in client.describe()
    memory_pair(client, server)
    with pytest.raises(ValueError, match="max_send_fragment"):
        client.configure(block_padding=128, max_send_fragment=1)
    assert client.block_padding == 64


# -- OpenSSL's commands ----------------------------------------------------------------------------


def test_commands(pki, tmp_path):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.configure_openssl(
        {
            "Certificate": str(pki.server.chain), "PrivateKey": str(pki.server.key),
            "MinProtocol": "TLSv1.2", "MaxProtocol": "TLSv1.3", "Groups": "P-256",
            "CipherString": "ECDHE+AESGCM", "Ciphersuites": "TLS_AES_128_GCM_SHA256",
            "Options": "-SessionTicket, PrioritizeChaCha,+NoRenegotiation",
            "VerifyCAFile": str(pki.root), "VerifyMode": "Request,Require",
            "ClientCAFile": str(pki.root), "RecordPadding": "256", "NumTickets": "1",
            "SignatureAlgorithms": "ECDSA+SHA256", "ClientSignatureAlgorithms": "ECDSA+SHA384",
        }
    )  # fmt: skip
    assert context.minimum_version is V12
    assert context.maximum_version is V13
    assert context.options & tlskit.OP_NO_TICKET
    assert context.options & tlskit.OP_NO_RENEGOTIATION
    assert context.verify_mode is tlskit.CERT_REQUIRED
    assert len(context.client_ca_names) == 1
    assert (context.block_padding, context.num_tickets) == (256, 1)
    assert len(context.trust_store) == 1
    context.configure_openssl([("options", "SessionTicket"), ("verifymode", "Peer")])
    assert not context.options & tlskit.OP_NO_TICKET
    context.verify_mode = tlskit.CERT_NONE
    near, _ = memory_pair(client_context(pki), context)
    assert near.group() in ("P-256", "prime256v1", "secp256r1")


@pytest.mark.parametrize(
    "commands",
    [
        {"NumTickets": "1", "NoSuchCommand": "x"},
        {"NumTickets": "1", "Options": "NoSuchWord"},
        {"NumTickets": "1", "VerifyMode": "Once"},
        {"NumTickets": "1", "MinProtocol": "TLSv9"},
        {"NumTickets": "one"},
        {"NumTickets": "1", "PrivateKey": "key.pem"},
        {"NumTickets": "1", "CipherString": "NO-SUCH-CIPHER"},
    ],
)
def test_no_commands(commands):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    before = context.describe()
    with pytest.raises((ValueError, tlskit.SSLError)):
        context.configure_openssl(commands)
    assert context.describe() == before


# -- new keys --------------------------------------------------------------------------------------


def served(far, times=1):
    """Answer so many messages, and handshakes between them."""
    for _ in range(times):
        data = far.recv(100)
        assert data
        far.sendall(data)


def test_a_client_renegotiates(pki):
    client, server = client_context(pki), server_context(pki)
    only(V12, client, server)
    server.options |= tlskit.OP_ALLOW_CLIENT_RENEGOTIATION
    with socket_pair(client, server) as (near, far):
        serving = Background(lambda: served(far))
        near.renegotiate()
        assert near.renegotiations == 1
        near.sendall(b"as before")
        assert near.recv(100) == b"as before"
        serving.result()
        assert far.renegotiations == 1
    assert client.sessions.stats().connect_renegotiate == 1


def test_a_server_renegotiates(pki):
    client, server = client_context(pki), server_context(pki)
    only(V12, client, server)
    with socket_pair(client, server) as (near, far):
        far.renegotiate()
        far.sendall(b"hello")
        assert near.recv(100) == b"hello"
        serving = Background(lambda: served(far))
        near.sendall(b"as before")
        assert near.recv(100) == b"as before"
        serving.result()
        assert near.renegotiations == far.renegotiations == 1


def test_renegotiation_is_refused(pki):
    client, server = client_context(pki), server_context(pki)
    only(V12, client, server)
    server.options |= tlskit.OP_NO_RENEGOTIATION
    with socket_pair(client, server) as (near, far):
        serving = Background(lambda: far.recv(1))
        with pytest.raises(tlskit.SSLError, match=r"NO_RENEGOTIATION|no renegotiation"):
            near.renegotiate()
        near.close()
        assert isinstance(serving.error, (tlskit.SSLError, type(None)))
        assert far.renegotiations == 0


@pytest.mark.parametrize("request_peer", [False, True])
def test_key_updates(pki, request_peer, tmp_path):
    client, server = client_context(pki), server_context(pki)
    only(V13, client, server)
    client.keylog_filename = str(tmp_path / "keys")
    seen = []
    client._msg_callback = lambda *message: seen.append((message[1], message[4]))
    with socket_pair(client, server) as (near, far):
        near.key_update(request_peer=request_peer)
        near.sendall(b"x")
        assert far.recv(1) == b"x"
        far.sendall(b"y")
        assert near.recv(1) == b"y"
        far.key_update()
        far.sendall(b"z")
        assert near.recv(1) == b"z"
    updates = [way for way, kind in seen if getattr(kind, "name", "") == "KEY_UPDATE"]
    assert updates.count("write") == 1
    assert updates.count("read") == 1 + request_peer


def test_each_version_has_its_own(contexts, version):
    near, far = memory_pair(*contexts)
    for end in (near, far):
        if version >= V13:
            with pytest.raises(ValueError, match="key_update"):
                end.renegotiate()
        else:
            with pytest.raises(ValueError, match="renegotiate"):
                end.key_update()


def test_new_keys_in_memory(contexts, version):
    near, far = memory_pair(*contexts)
    if version >= V13:
        near.key_update(request_peer=True)
    else:
        far.renegotiate()
        with pytest.raises(tlskit.SSLWantReadError):
            near.read(1)
        with pytest.raises(tlskit.SSLWantReadError):
            far.read(1)
        with pytest.raises(tlskit.SSLWantReadError):
            near.read(1)
        with pytest.raises(tlskit.SSLWantReadError):
            far.read(1)
        assert far.renegotiations == 1
    near.write(b"x")
    assert far.read(1) == b"x"


def test_no_new_keys_without_a_handshake(contexts):
    end = contexts[0].wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    assert end.renegotiations == 0
    for method in (end.renegotiate, end.key_update):
        with pytest.raises(ValueError, match="no complete handshake"):
            method()
    with contexts[0].wrap_socket(socket.socket(), server_hostname="localhost") as sock:
        for method in (sock.renegotiate, sock.key_update):
            with pytest.raises(ValueError, match="no TLS connection"):
                method()


# -- ends ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suppressed", [True, False])
def test_ragged_ends_of_a_context(contexts, suppressed):
    client, server = contexts
    assert client.suppress_ragged_eofs
    client.suppress_ragged_eofs = suppressed
    with socket_pair(client, server) as (near, far):
        socket.socket(fileno=far.detach()).close()
        if suppressed:
            assert near.recv(1) == b""
        else:
            with pytest.raises(tlskit.SSLEOFError):
                near.recv(1)
        assert not near.close_notify_received
    assert f"suppress_ragged_eofs: {suppressed}\n" in client.describe()


def test_a_clean_end_is_none(contexts):
    contexts[0].suppress_ragged_eofs = False
    with socket_pair(*contexts) as (near, far):
        far.close_notify()
        assert near.recv(1) == b""
        assert near.close_notify_received
