"""Exported keys against OpenSSL's own exporter, and SCRAM-SHA-256-PLUS against PostgreSQL."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

import tlskit

from ..support import peers, servers
from ..support.certificates import PSS, authority, issue
from ..support.pairs import client_context, only, server_context
from ..support.peers import PATIENCE, s_client, s_server, speaking

TLS12 = tlskit.TLSVersion.TLSv1_2
LABEL = "EXPERIMENTAL-tlskit"
EXPORTED = ("-keymatexport", LABEL, "-keymatexportlen", "40")
pytestmark = pytest.mark.filterwarnings(r"ignore:ssl\.TLSVersion\.TLSv1:DeprecationWarning")
needs_openssl = pytest.mark.skipif(
    peers.version() is None, reason="there is no openssl command of OpenSSL 3 or later"
)


@needs_openssl
def test_a_client_exports_what_openssl_does(pki, version):
    client = client_context(pki)
    only(version, client)
    with s_server(pki.direct, *speaking(version), *EXPORTED) as peer:
        session = None
        for reused in (False, True):
            plain = socket.create_connection(peer.address, timeout=PATIENCE)
            with client.wrap_socket(plain, server_hostname="localhost", session=session) as near:
                assert near.session_reused is reused
                theirs = bytes.fromhex(peer.expect(r"Keying material: ([0-9A-F]+)")[1])
                assert near.export_keying_material(LABEL, 40) == theirs
                peer.say(b"x\n")
                assert near.recv(2) == b"x\n"  # and the ticket before it
                session = near.session
                near.unwrap()
                peer.expect("^DONE$")


@needs_openssl
def test_a_server_exports_what_openssl_does(pki, version):
    server = server_context(pki)
    only(version, server)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with s_client(listener.getsockname(), pki.root, *speaking(version), *EXPORTED) as peer:
            plain, _ = listener.accept()
            plain.settimeout(PATIENCE)
            with server.wrap_socket(plain, server_side=True) as far:
                theirs = bytes.fromhex(peer.expect(r"Keying material: ([0-9A-F]+)")[1])
                assert far.export_keying_material(LABEL, 40) == theirs


# -- SCRAM with channel binding -------------------------------------------------------------------

PASSWORD = b"correct horse"


class ScramClient:
    """PostgreSQL's protocol as far as the end of SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677)."""

    def __init__(self, address: tuple[str, int], context: Any) -> None:
        plain = socket.create_connection(address, timeout=PATIENCE)
        plain.sendall(struct.pack("!II", 8, 80877103))
        assert plain.recv(1) == b"S"
        self.tls = context.wrap_socket(plain, server_hostname="localhost")
        body = b"user\0scram\0database\0postgres\0\0"
        self.tls.sendall(struct.pack("!II", 8 + len(body), 196608) + body)

    def message(self) -> tuple[bytes, bytes]:
        head = self.exactly(5)
        return head[:1], self.exactly(int.from_bytes(head[1:], "big") - 4)

    def exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size and (data := self.tls.recv(size - len(got))):
            got += data
        assert len(got) == size
        return got

    def say(self, body: bytes) -> None:
        self.tls.sendall(b"p" + struct.pack("!I", 4 + len(body)) + body)

    def log_in(self, binding: bytes) -> bytes:
        """Authenticate; the server's last word: b"" when it lets us in, its message when not."""
        kind, body = self.message()
        assert kind == b"R"
        assert int.from_bytes(body[:4], "big") == 10
        assert b"SCRAM-SHA-256-PLUS\0" in body[4:]
        first = b"n=,r=" + base64.b64encode(os.urandom(18))
        head = b"p=tls-server-end-point,,"
        hello = head + first
        self.say(b"SCRAM-SHA-256-PLUS\0" + struct.pack("!I", len(hello)) + hello)
        kind, body = self.message()
        if kind == b"E":
            return body
        challenge = body[4:]
        fields = dict(part.split(b"=", 1) for part in challenge.split(b","))
        last = b"c=" + base64.b64encode(head + binding) + b",r=" + fields[b"r"]
        salted = hashlib.pbkdf2_hmac(
            "sha256", PASSWORD, base64.b64decode(fields[b"s"]), int(fields[b"i"])
        )
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signed = b",".join((first, challenge, last))
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.say(last + b",p=" + base64.b64encode(proof))
        kind, body = self.message()
        if kind == b"E":
            return body
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        expected = b"v=" + base64.b64encode(hmac.digest(server_key, signed, "sha256"))
        assert body[4:] == expected  # the server knows the password too
        return b""


SIGNATURES = {
    "ecdsa-sha256": {"key": "ec"},
    "rsa-sha512": {"key": "rsa", "digest": hashes.SHA512()},
    "rsa-pss-sha256": {"key": "rsa", "rsa_padding": PSS},
}


@pytest.fixture(params=SIGNATURES.values(), ids=SIGNATURES)
def postgres(request, tmp_path) -> Iterator[tuple[servers.Running, Any]]:
    """A server with the user `scram`, and a client's context for it."""
    root = authority(tmp_path, "root", key=request.param["key"])
    shown = issue(tmp_path, "leaf", issuer=root, **request.param)
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(root.chain)
    passwords = {"scram": PASSWORD.decode()}
    with servers.postgres_server(shown.identity, passwords=passwords) as running:
        yield running, context


@pytest.mark.slow
def test_postgres_lets_a_bound_client_in(postgres):
    running, context = postgres
    client = ScramClient(running.address, context)
    with client.tls as tls:
        assert client.log_in(tls.channel_binding("tls-server-end-point")) == b""


@pytest.mark.slow
def test_postgres_refuses_another_binding(postgres):
    running, context = postgres
    client = ScramClient(running.address, context)
    with client.tls as tls:
        wrong = bytes(len(tls.channel_binding("tls-server-end-point")))
        assert b"channel binding check failed" in client.log_in(wrong)
