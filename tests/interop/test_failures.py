"""What a client says about failures that openssl s_server and nginx cause: each message, frozen.

tests/core/test_hints.py has the failures that need no other program.
"""

from __future__ import annotations

import http.server
import socket
import threading
from typing import Any

import pytest

import tlskit

from ..support import peers
from ..support.certificates import issue
from ..support.pairs import client_context, only
from ..support.peers import PATIENCE, s_server, speaking
from ..support.servers import nginx_server

TLS12, TLS13 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3
BOTH = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
needs_openssl = pytest.mark.skipif(
    peers.version() is None, reason="there is no openssl command of OpenSSL 3 or later"
)


def fails(context: Any, address: Any, hostname: str | None = "localhost") -> tlskit.SSLError:
    """The error of the handshake, or of the first read after it."""
    plain = socket.create_connection(address, timeout=PATIENCE)
    with pytest.raises(tlskit.SSLError) as caught:  # noqa: SIM117
        with context.wrap_socket(plain, server_hostname=hostname) as near:
            near.recv(1)
    return caught.value


def says(error: Any, alert: int, hint: str) -> None:
    assert error.alert_received == alert
    assert error.hint == hint
    assert str(error.args[-1]).endswith(f". {hint}")


@needs_openssl
@BOTH
def test_alpn_refused(pki, version):
    client = client_context(pki)
    client.set_alpn_protocols(["h3"])
    with s_server(pki.direct, *speaking(version), "-alpn", "h2") as peer:
        says(
            fails(client, peer.address),
            120,
            "None of the application protocols that this client offers (ALPN) is spoken by the "
            "server. See set_alpn_protocols().",
        )


@needs_openssl
@BOTH
def test_an_unknown_server_name(pki, version):
    options = (
        "-servername", "other.example", "-servername_fatal",
        "-cert2", pki.direct.chain, "-key2", pki.direct.key,
    )  # fmt: skip
    with s_server(pki.direct, *speaking(version), *options) as peer:
        says(
            fails(client_context(pki), peer.address),
            112,
            "The server does not know the name 'localhost' (SNI). Check server_hostname.",
        )


@pytest.mark.parametrize("hostname", ["localhost", None])
def test_nginx_knows_no_such_name(pki, hostname):
    """`ssl_reject_handshake`: how a server says that it serves other names."""
    client = client_context(pki)
    client.check_hostname = False
    with nginx_server(pki.direct, "ssl_reject_handshake on") as running:
        says(
            fails(client, (running.host, running.port), hostname),
            112,
            "The server does not know the name 'localhost' (SNI). Check server_hostname."
            if hostname
            else "The server wants to be told a name (SNI), and got none. Pass server_hostname.",
        )


@needs_openssl
@BOTH
def test_no_client_certificate(pki, version):
    with s_server(
        pki.direct, *speaking(version), "-Verify", "3", "-verify_return_error", "-CAfile", pki.root
    ) as peer:
        error = fails(client_context(pki), peer.address)
    says(
        error,
        116 if version is TLS13 else 40,
        "The server requires a client certificate, and none was loaded. Load one with "
        "load_cert_chain() before you connect.",
    )


@needs_openssl
@BOTH
def test_a_client_certificate_of_a_stranger(pki, version, tmp_path):
    client = client_context(pki)
    stranger = issue(tmp_path, "stranger")
    client.load_cert_chain(stranger.chain, stranger.key)
    with s_server(
        pki.direct, *speaking(version), "-Verify", "3", "-verify_return_error", "-CAfile", pki.root
    ) as peer:
        error = fails(client, peer.address)
    assert error.alert_received in (48, 46)
    assert error.hint.startswith(
        "The server does not trust the authority that issued this client's certificate"
    )


@needs_openssl
@BOTH
def test_another_pre_shared_key(version):
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    only(version, client)
    client.set_ciphers("PSK")
    client.set_psk_client_callback(lambda hint: ("me", bytes.fromhex("ab" * 16)))
    options = ("-psk_identity", "me", "-psk", "cd" * 16, "-cipher", "PSK")
    with s_server(None, *speaking(version), *options) as peer:
        error = fails(client, peer.address)
    if version is TLS13:
        assert error.alert_received in (47, 51)  # 51 from OpenSSL 3.6 on
        assert error.hint
    else:
        assert error.alert_received == 20
        assert error.hint.startswith("The server could not decrypt what it received")


@needs_openssl
def test_no_version_in_common(pki):
    client = client_context(pki)
    only(TLS13, client)
    with s_server(pki.direct, *speaking(TLS12)) as peer:
        says(
            fails(client, peer.address),
            70,
            "The server supports none of the protocol versions that this client allows (TLS 1.3 "
            "only). See context.minimum_version; versions below TLS 1.2 also need "
            "context.security_level = 0.",
        )


@needs_openssl
def test_no_group_in_common(pki):
    client = client_context(pki)
    client.set_groups("P-521")
    only(TLS13, client)
    with s_server(pki.direct, *speaking(TLS13), "-groups", "P-256") as peer:
        error = fails(client, peer.address)
    assert error.alert_received == 40
    assert error.hint.startswith(
        "The server and this client (TLS 1.3 only) have no cipher suite, group or signature "
        "algorithm in common"
    )


def test_plain_http(pki):
    """Python's http.server answers with a page that has no status line."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as plain:
        serving = threading.Thread(target=plain.handle_request)
        serving.start()
        error = fails(client_context(pki), plain.server_address)
        serving.join()
    assert error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG")
    assert error.hint == (
        "The server answered in plain HTTP: this port does not speak TLS. Use http:// here, or "
        "connect to the server's TLS port (443 for https)."
    )
