"""Trust stores as values, pins, the authorities that a server names, and what the logger says."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import re
import socket
import sys
import types

import pytest
from cryptography.hazmat.primitives import serialization as ser

import tlskit

from ..support import peers
from ..support.certificates import authority, issue
from ..support.pairs import Background, client_context, memory_pair, only, server_context
from ..support.peers import PATIENCE


def client(root):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.trust_store = tlskit.TrustStore(root.pem)
    return context


# -- TrustStore ------------------------------------------------------------------------------------


def test_sources_of_trust(root, middle, tmp_path):
    path = tmp_path / "both.pem"
    path.write_bytes(root.pem + middle.pem)
    one = tlskit.TrustStore(path)
    assert len(one) == 2
    same = [
        tlskit.TrustStore(str(path)),
        tlskit.TrustStore(path.read_bytes()),
        tlskit.TrustStore(path.read_text()),
        tlskit.TrustStore(root.der + middle.der),
        tlskit.TrustStore(root.certificate, middle.pem),
        tlskit.TrustStore(root.der) | tlskit.TrustStore(middle.der),
    ]
    assert all(store == one for store in same)
    assert len({one, *same}) == 1
    assert tlskit.TrustStore(root.der) != one
    assert sorted(one.authorities()) == sorted([root.der, middle.der])
    assert repr(one) == "<TrustStore: 2 certificates, 0 CRLs>"


def test_a_union_changes_neither(root, middle):
    one, other = tlskit.TrustStore(root.der), tlskit.TrustStore(middle.der)
    assert len(one | other) == 2
    assert (len(one), len(other)) == (1, 1)


def test_contexts_share_one(root, server, tmp_path):
    store = tlskit.TrustStore(root.pem)
    first, second = client(root), client(root)
    first.trust_store = second.trust_store = store
    for context in (first, second):
        assert memory_pair(context, server)[0].verify_result
    second.load_verify_locations(cadata=authority(tmp_path, "Other").der)  # its own from now on
    assert first.trust_store == store


def test_a_context_takes_another_store(root, server, tmp_path):
    context = client(root)
    memory_pair(context, server)
    context.trust_store = tlskit.TrustStore(authority(tmp_path, "Stranger").pem)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(context, server)


def test_the_machines_own():
    assert tlskit.TrustStore.system() == tlskit.create_default_context().trust_store


def test_mozillas(root, middle, tmp_path, monkeypatch):
    """As the package certifi has them, of which one function is used."""
    path = tmp_path / "roots.pem"
    path.write_bytes(root.pem + middle.pem)
    certifi = types.SimpleNamespace(where=lambda: str(path))
    monkeypatch.setitem(sys.modules, "certifi", certifi)
    assert tlskit.TrustStore.certifi() == tlskit.TrustStore(root.pem, middle.pem)


def test_mozillas_are_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "certifi", None)
    with pytest.raises(ImportError, match="certifi"):
        tlskit.TrustStore.certifi()


def test_nobody(root):
    assert len(tlskit.TrustStore()) == 0
    assert tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT).trust_store == tlskit.TrustStore()


@pytest.mark.parametrize("source", ["/no/such/file", b"\x30\x82nothing", "-----BEGIN nothing"])
def test_no_source(source):
    with pytest.raises((OSError, ValueError)):
        tlskit.TrustStore(source)


@pytest.mark.parametrize("source", [7, None, object()])
def test_no_source_by_its_type(source):
    with pytest.raises(TypeError):
        tlskit.TrustStore(source)


def test_no_store(root):
    with pytest.raises(TypeError, match="trust_store must be a TrustStore, got str"):
        client(root).trust_store = "roots.pem"


# -- pins ------------------------------------------------------------------------------------------


def spki(made):
    der = made.certificate.public_key().public_bytes(
        ser.Encoding.DER, ser.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).digest()


def written(digest):
    return [
        digest,
        digest.hex(),
        digest.hex(":").upper(),
        "sha256/" + base64.b64encode(digest).decode(),
        "sha256//" + base64.b64encode(digest).decode(),
    ]


@pytest.mark.parametrize("which", ["leaf", "middle", "root"])
def test_a_pinned_key_anywhere_in_the_chain(request, root, server, which):
    digest = spki(request.getfixturevalue(which))
    for form in written(digest):
        context = client(root)
        context.pins = [bytes(32), form]
        assert context.pins == tuple(sorted((bytes(32), digest)))
        assert memory_pair(context, server)[0].verify_result


@pytest.mark.parametrize("first", [0x00, 0xFB, 0xFC, 0xFF])
def test_base64_may_begin_with_a_slash(root, first):
    context = client(root)
    digest = bytes([first]) + bytes(range(31))
    for form in written(digest):
        context.pins = form
        assert context.pins == (digest,)


def test_a_pinned_certificate(root, leaf, server):
    context = client(root)
    context.pins = hashlib.sha256(leaf.der).digest()
    assert memory_pair(context, server)[0].verify_result


def test_a_pin_is_what_info_shows(root, server):
    near, _ = memory_pair(client(root), server)
    context = client(root)
    context.pins = hashlib.sha256(near.info.peer_public_key).digest()
    assert memory_pair(context, server)[0].verify_result


def test_a_key_that_is_not_pinned(root, server):
    context = client(root)
    context.pins = bytes(32)
    with pytest.raises(tlskit.SSLCertVerificationError) as caught:
        memory_pair(context, server)
    assert caught.value.verify_code == 50
    assert caught.value.hint.startswith(
        "The server's chain passed verification, but holds none of the pinned keys (context.pins)."
    )


def test_a_pin_is_no_trust(leaf, server, tmp_path):
    context = client(authority(tmp_path, "Stranger"))
    context.pins = spki(leaf)
    with pytest.raises(tlskit.SSLCertVerificationError) as caught:
        memory_pair(context, server)
    assert caught.value.verify_code == 20


def test_a_server_pins_its_clients(root, leaf, server, tmp_path):
    server.trust_store = tlskit.TrustStore(root.der)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.pins = spki(leaf)
    context = client(root)
    context.add_certificate(leaf.chain, leaf.key)
    memory_pair(context, server)
    other = issue(tmp_path, "other", issuer=root)
    context.add_certificate(other.chain, other.key)
    with pytest.raises(tlskit.SSLError):
        memory_pair(context, server)


def test_sessions_do_not_get_around_pins(root, leaf, server):
    context = client(root)
    session = memory_pair(context, server)[0].session
    assert memory_pair(context, server, session=session)[0].session_reused
    raw = session.to_bytes()
    context.pins = spki(leaf)
    assert not memory_pair(context, server, session=session)[0].session_reused
    context.pins = bytes(32)
    for one in (session, tlskit.SSLSession.from_bytes(raw)):
        with pytest.raises(tlskit.SSLCertVerificationError):
            memory_pair(context, server, session=one)
    bare = tlskit.SSLSession.from_der(session.to_der())
    with pytest.raises((tlskit.SSLCertVerificationError, ValueError)):
        memory_pair(context, server, session=bare)


def test_pins_need_verification(root):
    context = client(root)
    context.check_hostname = False
    context.pins = bytes(32)
    with pytest.raises(ValueError, match="CERT_NONE when pins is set"):
        context.verify_mode = tlskit.CERT_NONE
    context.pins = ()
    context.verify_mode = tlskit.CERT_NONE
    with pytest.raises(ValueError, match="pins need a verify_mode other than CERT_NONE"):
        context.pins = bytes(32)
    assert context.pins == ()


@pytest.mark.parametrize("pin", [b"short", "ab" * 31, "sha256/####", "no pin", "", "sha1/AAAA"])
def test_no_pins(root, pin):
    with pytest.raises(ValueError, match="a pin must be"):
        client(root).pins = [pin]


def test_pins_are_copied_and_described(root):
    context = client(root)
    context.pins = bytes(32)
    assert context.copy().pins == (bytes(32),)
    assert "00" * 32 in context.describe()


# -- the authorities that a server names -----------------------------------------------------------


def test_client_ca_names(root, middle, server):
    server.trust_store = tlskit.TrustStore(root.der)
    server.verify_mode = tlskit.CERT_OPTIONAL
    context = client(root)
    assert memory_pair(context, server)[0].client_ca_names == ()
    names = tuple(((("commonName", n),),) for n in ("Example Root", "Middle CA"))
    for given in ([root.chain, middle.certificate], root.pem + middle.pem, root.der + middle.der):
        server.client_ca_names = given
        assert server.client_ca_names == names
        assert memory_pair(context, server)[0].client_ca_names == names
    server.client_ca_names = server.trust_store
    assert memory_pair(context, server)[0].client_ca_names == names[:1]
    server.client_ca_names = ()
    assert memory_pair(context, server)[0].client_ca_names == ()


@pytest.mark.skipif(peers.version() is None, reason="there is no openssl command")
def test_openssl_hears_them(pki, root, server):
    server.verify_mode = tlskit.CERT_OPTIONAL
    server.client_ca_names = root.certificate
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with peers.s_client(listener.getsockname(), root.chain) as peer:
            plain, _ = listener.accept()
            plain.settimeout(PATIENCE)
            with server.wrap_socket(plain, server_side=True):
                peer.expect("Acceptable client certificate CA names\nCN ?= ?Example Root")


# -- the logger ------------------------------------------------------------------------------------


def test_a_line_for_each_handshake(contexts, caplog):
    caplog.set_level(logging.DEBUG, "tlskit")
    near, _ = memory_pair(*contexts)
    memory_pair(*contexts, session=near.session)
    lines = [r.getMessage() for r in caplog.records if "complete" in r.getMessage()]
    assert len(lines) == 4
    assert lines[0].startswith(("handshake with server (localhost) complete: TLSv1.", "handshake"))
    assert sum(", resumed" in line for line in lines) == 2
    assert sum(line.startswith("handshake with client (") for line in lines) == 2


def test_a_line_for_a_handshake_that_fails(pki, version, caplog):
    caplog.set_level(logging.INFO, "tlskit")
    near, far = client_context(pki), server_context(pki)
    far.verify_mode = tlskit.CERT_REQUIRED
    only(version, near, far)
    one, other = socket.socketpair()
    accepting = Background(lambda: far.wrap_socket(other, server_side=True))
    with one, contextlib.suppress(OSError):
        near.wrap_socket(one, server_hostname="localhost").close()
    assert isinstance(accepting.error, tlskit.SSLError)
    lines = [r for r in caplog.records if "This server requires a client certificate" in r.message]
    assert len(lines) == 1
    assert lines[0].levelname == "INFO"
    # a pair of sockets has addresses on Windows
    begins = r"handshake with client ([\d.:]+ )?\(localhost\) failed: \[SSL: PEER_DID"
    assert re.match(begins, lines[0].message)


def test_a_handler_that_sends_over_tls_is_not_sent_its_own_handshakes(contexts, monkeypatch):
    sent = []

    class OverTLS(logging.Handler):
        def emit(self, record):
            sent.append(record.getMessage())
            memory_pair(*contexts)  # two handshakes for each record

    logger = logging.getLogger("tlskit")
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    handler = OverTLS()
    logger.addHandler(handler)
    try:
        memory_pair(*contexts)
    finally:
        logger.removeHandler(handler)
    assert len(sent) == 2


def test_a_handler_that_is_busy_does_not_hold_a_handshake(contexts, monkeypatch):
    """As one that sends to a server of the same process, and waits for its answer."""

    class Waiting(logging.Handler):
        served = False

        def emit(self, record):
            self.served = bool(Background(lambda: memory_pair(*contexts)).result())

    logger = logging.getLogger("a program")
    root = logging.getLogger()
    handler = Waiting()
    monkeypatch.setattr(root, "level", logging.DEBUG)
    root.addHandler(handler)
    try:
        logger.error("something happened")
    finally:
        root.removeHandler(handler)
    assert handler.served


def test_silence_by_default(contexts, caplog):
    caplog.set_level(logging.WARNING, "tlskit")
    memory_pair(*contexts)
    assert not caplog.records
