"""tlskit against public test tools: sslyze scans a server of tlskit's, and tlslite-ng, a TLS of its
own in Python, talks to both sides, in many dialects and out of turn. Left out unless asked for:
`make conformance`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tlskit

from ..support.pairs import Background, client_context, only, server_context
from ..support.pki import PKI, Identity

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.filterwarnings("ignore"),  # the tools' own
    pytest.mark.skipif(
        importlib.util.find_spec("tlslite") is None,
        reason="tlslite-ng is not installed: make conformance",
    ),
]

TLSv1_2, TLSv1_3 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3
NUMBER = {TLSv1_2: (3, 3), TLSv1_3: (3, 4)}
PATIENCE = 20.0
ATTEMPTS = 16  # of sslyze's to resume, each by id and by ticket


@pytest.fixture(params=[TLSv1_2, TLSv1_3], ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> tlskit.TLSVersion:
    chosen: tlskit.TLSVersion = request.param
    return chosen


# -- sslyze ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(context: Any) -> Iterator[int]:
    """A server that says hello to whoever speaks HTTP, one thread for each; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(plain: socket.socket) -> None:
        plain.settimeout(PATIENCE)
        with (
            contextlib.suppress(OSError, ValueError),
            context.wrap_socket(plain, server_side=True) as secure,
        ):
            while secure.recv(65536):
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            secure.unwrap()

    def accept() -> None:
        running = []
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                running.append(Background(lambda plain=plain: one(plain)))  # type: ignore[misc]
        for each in running:
            each.result()

    accepting = Background(accept)
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.result(3 * PATIENCE)


@pytest.fixture(scope="module")
def scanned(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What sslyze finds out about a server with the defaults of create_default_context."""
    if importlib.util.find_spec("sslyze") is None:
        pytest.skip("sslyze is not installed: make conformance")
    context = tlskit.create_default_context(tlskit.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.rsa.chain, pki.rsa.key)
    # sslyze does not say goodbye, and libssl takes a session out of its cache whose connection
    # ended so.
    context.options |= tlskit.OP_IGNORE_UNEXPECTED_EOF
    report = tmp_path_factory.mktemp("sslyze") / "report.json"
    with serving(context) as port:
        scans = (
            "sslv2",
            "sslv3",
            "tlsv1",
            "tlsv1_1",
            "tlsv1_2",
            "tlsv1_3",
            "heartbleed",
            "openssl_ccs",
            "robot",
            "reneg",
            "resum",
        )
        more = ("compression", "fallback", "early_data", "elliptic_curves", "ems")
        command = [
            sys.executable,
            "-m",
            "sslyze",
            f"--json_out={report}",
            *(f"--{scan}" for scan in (*scans, *more)),
        ]
        done = subprocess.run(
            [
                *command,
                f"--resum_attempts={ATTEMPTS}",
                "--mozilla_config=disable",
                f"localhost:{port}",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(report.read_text())["server_scan_results"]
    assert found["scan_status"] == "COMPLETED", found
    return found["scan_result"]


def test_scan_versions_and_ciphers(scanned: Any) -> None:
    accepted = {
        name: {
            one["cipher_suite"]["name"]
            for one in scanned[f"{name}_cipher_suites"]["result"]["accepted_cipher_suites"]
        }
        for name in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3")
    }
    assert not accepted["ssl_2_0"] | accepted["ssl_3_0"] | accepted["tls_1_0"] | accepted["tls_1_1"]
    assert accepted["tls_1_3"] == {
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_GCM_SHA256",
    }
    assert accepted["tls_1_2"]
    assert all("_ECDHE_" in name or "_DHE_" in name for name in accepted["tls_1_2"])
    assert not any(
        word in name
        for name in accepted["tls_1_2"]
        for word in ("RC4", "3DES", "NULL", "anon", "EXPORT", "MD5")
    )


def test_scan_attacks(scanned: Any) -> None:
    assert scanned["heartbleed"]["result"]["is_vulnerable_to_heartbleed"] is False
    assert scanned["openssl_ccs_injection"]["result"]["is_vulnerable_to_ccs_injection"] is False
    assert scanned["robot"]["result"]["robot_result"].startswith("NOT_VULNERABLE")
    assert scanned["tls_compression"]["result"]["supports_compression"] is False
    assert scanned["tls_fallback_scsv"]["result"]["supports_fallback_scsv"] is True
    assert scanned["tls_1_3_early_data"]["result"]["supports_early_data"] is False


def test_scan_renegotiation_and_extended_master_secret(scanned: Any) -> None:
    found = scanned["session_renegotiation"]["result"]
    assert found["supports_secure_renegotiation"] is True
    assert found["is_vulnerable_to_client_renegotiation_dos"] is False
    assert scanned["tls_extended_master_secret"]["result"]["supports_ems_extension"] is True


def test_scan_resumption(scanned: Any) -> None:
    found = scanned["session_resumption"]["result"]
    assert found["tls_ticket_resumption_result"] == "FULLY_SUPPORTED"
    # libssl sends its Finished before it puts the session into the cache. sslyze closes on that
    # Finished and comes back at once, so on a busy machine it can be too early, also with ssl.
    assert found["session_id_attempted_resumptions_count"] == ATTEMPTS
    assert found["session_id_successful_resumptions_count"] >= ATTEMPTS // 2


def test_scan_curves(scanned: Any) -> None:
    found = scanned["elliptic_curves"]["result"]
    assert found["supports_ecdh_key_exchange"] is True
    assert {"X25519", "secp256r1", "secp384r1"} <= {
        curve["name"] for curve in found["supported_curves"]
    }


# -- tlslite-ng ------------------------------------------------------------------------------------


def settings(version: tlskit.TLSVersion, **changes: Any) -> Any:
    from tlslite.api import HandshakeSettings

    made = HandshakeSettings()
    made.minVersion = made.maxVersion = NUMBER[version]
    made.versions = [NUMBER[version]]
    if version == TLSv1_3:
        made.eccCurves = ["x25519", "x448", "secp256r1", "secp384r1", "secp521r1"]
    for name, value in changes.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    return made


def lite(sock: socket.socket) -> Any:
    from tlslite.api import TLSConnection

    sock.settimeout(PATIENCE)
    return TLSConnection(sock)


def identity_of(identity: Identity) -> tuple[Any, Any]:
    from tlslite.api import X509CertChain, parsePEMKey

    chain = X509CertChain()
    chain.parsePemList(identity.chain.read_text())
    return chain, parsePEMKey(identity.key.read_text(), private=True)


@contextlib.contextmanager
def against_our_server(
    context: Any, serve: Callable[[Any], Any]
) -> Iterator[tuple[socket.socket, Background]]:
    """A socket to a server of ours, which runs `serve` with its end of the connection; what came of
    that.
    """
    near, far = socket.socketpair()
    far.settimeout(PATIENCE)

    def run() -> Any:
        with context.wrap_socket(far, server_side=True, suppress_ragged_eofs=False) as secure:
            return serve(secure)

    running = Background(run)
    with near:
        yield near, running


def echo(secure: Any) -> bytes:
    data: bytes = secure.recv(65536)
    secure.sendall(data)
    return data


def talk(connection: Any) -> None:
    connection.write(b"hello")
    assert connection.read(min=5, max=5) == b"hello"


CIPHERS = {
    TLSv1_2: ["aes128gcm", "aes256gcm", "chacha20-poly1305", "aes128", "aes256"],
    TLSv1_3: ["aes128gcm", "aes256gcm", "chacha20-poly1305"],
}
DIALECTS: dict[str, dict[str, Any]] = {
    **{f"1.2 {name}": {"at": TLSv1_2, "cipherNames": [name]} for name in CIPHERS[TLSv1_2]},
    **{f"1.3 {name}": {"at": TLSv1_3, "cipherNames": [name]} for name in CIPHERS[TLSv1_3]},
    **{
        f"{at.name} {group}": {
            "at": at,
            "eccCurves": [group],
            "keyShares": [group] if at == TLSv1_3 else [],
        }
        for at in (TLSv1_2, TLSv1_3)
        for group in ("x25519", "x448", "secp256r1", "secp384r1", "secp521r1")
    },
    "no extended master secret": {"at": TLSv1_2, "useExtendedMasterSecret": False},
    "mac then encrypt": {"at": TLSv1_2, "cipherNames": ["aes128"], "useEncryptThenMAC": False},
    "no key share": {"at": TLSv1_3, "keyShares": []},  # a HelloRetryRequest
    "small records": {"at": TLSv1_3, "record_size_limit": 64},
    "heartbeats": {"at": TLSv1_2, "use_heartbeat_extension": True},
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
def test_our_server_understands(pki: PKI, dialect: dict[str, Any]) -> None:
    changes = dict(dialect)
    version = changes.pop("at")
    context = server_context(pki, identity=pki.rsa)
    context.set_ciphers("ALL:@SECLEVEL=1")
    only(version, context)
    with against_our_server(context, echo) as (near, running):
        client = lite(near)
        client.handshakeClientCert(settings=settings(version, **changes), serverName="localhost")
        talk(client)
        assert running.result() == b"hello"


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
def test_our_client_understands(pki: PKI, dialect: dict[str, Any]) -> None:
    changes = dict(dialect)
    version = changes.pop("at")
    context = client_context(pki)
    context.set_ciphers("ALL:@SECLEVEL=1")
    only(version, context)
    chain, key = identity_of(pki.rsa)
    near, far = socket.socketpair()

    def serve() -> None:
        server = lite(far)
        server.handshakeServer(
            certChain=chain, privateKey=key, settings=settings(version, **changes)
        )
        assert server.read(min=5, max=5) == b"hello"
        server.write(b"hello")

    near.settimeout(PATIENCE)
    with far:
        running = Background(serve)
        with context.wrap_socket(near, server_hostname="localhost") as secure:
            secure.sendall(b"hello")
            assert secure.recv(5) == b"hello"
            running.result()


def test_our_server_resumes(pki: PKI, version: tlskit.TLSVersion) -> None:
    context = server_context(pki, identity=pki.rsa)
    only(version, context)
    session = None
    for resumed in (False, True):
        with against_our_server(context, lambda secure: (echo(secure), secure.session_reused)) as (
            near,
            running,
        ):
            client = lite(near)
            client.handshakeClientCert(
                session=session, settings=settings(version), serverName="localhost"
            )
            talk(client)
            session = client.session
            assert running.result()[1] is resumed
            client.close()


def test_our_client_resumes(pki: PKI, version: tlskit.TLSVersion) -> None:
    from tlslite.api import SessionCache

    context = client_context(pki)
    only(version, context)
    chain, key = identity_of(pki.rsa)
    cache, session = SessionCache(), None
    chosen = settings(version, ticketKeys=[bytearray(32)])
    for resumed in (False, True):
        near, far = socket.socketpair()
        near.settimeout(PATIENCE)

        def serve(far: socket.socket = far) -> None:
            server = lite(far)
            server.handshakeServer(
                certChain=chain, privateKey=key, settings=chosen, sessionCache=cache
            )
            assert server.read(min=5, max=5) == b"hello"
            server.write(b"hello")

        with far:
            running = Background(serve)
            with context.wrap_socket(near, server_hostname="localhost", session=session) as secure:
                secure.sendall(b"hello")
                assert secure.recv(5) == b"hello"
                running.result()
                assert secure.session_reused is resumed
                session = secure.session


def test_our_server_takes_padded_records_of_many_sizes(pki: PKI) -> None:
    context = server_context(pki, identity=pki.rsa)
    only(TLSv1_3, context)
    sent = [bytes([n % 256]) * n for n in (1, 2, 255, 256, 1000, 8000)]

    def collect(secure: Any) -> bytes:
        got = b""
        while len(got) < sum(map(len, sent)):
            got += secure.recv(65536)
        return got

    with against_our_server(context, collect) as (near, running):
        client = lite(near)
        padded = settings(TLSv1_3, padding_cb=lambda length, content, most: min(333, most - length))
        client.handshakeClientCert(settings=padded, serverName="localhost")
        for piece in sent:
            client.write(piece)
        assert running.result() == b"".join(sent)


def test_our_client_answers_a_request_after_the_handshake(pki: PKI) -> None:
    context = client_context(pki)
    only(TLSv1_3, context)
    context.post_handshake_auth = True
    context.load_cert_chain(pki.rsa.chain, pki.rsa.key)
    chain, key = identity_of(pki.rsa)
    near, far = socket.socketpair()
    near.settimeout(PATIENCE)

    def serve() -> Any:
        server = lite(far)
        server.handshakeServer(certChain=chain, privateKey=key, settings=settings(TLSv1_3))
        for _ in server.request_post_handshake_auth(settings(TLSv1_3)):
            pass
        server.write(b"who are you?")
        assert server.read(min=5, max=5) == b"hello"
        return server.session.clientCertChain

    with far:
        running = Background(serve)
        with context.wrap_socket(near, server_hostname="localhost") as secure:
            assert secure.recv(100) == b"who are you?"
            secure.sendall(b"hello")
            assert running.result().getFingerprint() == chain.getFingerprint()


# -- what must be refused, and with which alert ----------------------------------------------------


def refused_by_server(
    context: Any, misbehave: Callable[[Any], None], version: tlskit.TLSVersion
) -> tuple[BaseException, Any]:
    """Our server's error, and the alert that a client heard which misbehaved after its
    handshake.
    """
    from tlslite.errors import TLSRemoteAlert

    with against_our_server(context, lambda secure: secure.recv(100)) as (near, running):
        client = lite(near)
        client.handshakeClientCert(settings=settings(version), serverName="localhost")
        misbehave(client)
        with pytest.raises(TLSRemoteAlert) as heard:
            client.read(min=100, max=100)
        error = running.error
        assert error is not None
        return error, heard.value.description


def raw_record(kind: int, body: bytes) -> Callable[[Any], None]:
    """A record that is not protected."""

    def send(client: Any) -> None:
        client.sock.sendall(bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body)

    return send


def message(kind: int, body: bytes) -> Callable[[Any], None]:
    """A handshake message or an alert, protected as it should be."""

    def send(client: Any) -> None:
        from tlslite.messages import Message

        for _ in client._sendMsg(Message(kind, bytearray(body))):
            pass

    return send


HANDSHAKE, CHANGE_CIPHER, ALERT, DATA = 22, 20, 21, 23
ALERTS = {
    "unexpected": 10,
    "mac": 20,
    "overflow": 22,
    "illegal": 47,
    "decode": 50,
    "decrypt": 51,
    "protocol": 70,
    "internal": 80,
}
MISDEEDS: dict[str, tuple[Any, Callable[[Any], None], set[str]]] = {
    "1.2, a record in the clear": (
        TLSv1_2,
        raw_record(DATA, b"plain"),
        {"mac", "decode", "internal"},
    ),  # libssl 3.0: internal
    "1.3, a record in the clear": (TLSv1_3, raw_record(DATA, b"plain" * 10), {"mac"}),
    "1.2, a record that is forged": (TLSv1_2, raw_record(DATA, bytes(64)), {"mac"}),
    "1.3, a record that is forged": (TLSv1_3, raw_record(DATA, bytes(64)), {"mac"}),
    "1.2, a record that is too long": (
        TLSv1_2,
        raw_record(DATA, bytes((1 << 14) + 2049)),
        {"overflow"},
    ),
    "1.3, a record that is too long": (
        TLSv1_3,
        raw_record(DATA, bytes((1 << 14) + 257)),
        {"overflow"},
    ),
    "1.3, a change of ciphers afterwards": (
        TLSv1_3,
        raw_record(CHANGE_CIPHER, b"\x01"),
        {"unexpected"},
    ),
    "1.3, a record of an unknown kind": (TLSv1_3, raw_record(99, b"what?"), {"unexpected", "mac"}),
    "1.3, an update of keys that makes no sense": (
        TLSv1_3,
        message(HANDSHAKE, b"\x18\0\0\x01\x02"),
        {"illegal"},
    ),
    "1.3, an update of keys that is empty": (
        TLSv1_3,
        message(HANDSHAKE, b"\x18\0\0\0"),
        {"decode"},
    ),
    "1.3, a ClientHello afterwards": (
        TLSv1_3,
        message(HANDSHAKE, b"\x01\0\0\x02\x03\x03"),
        {"unexpected"},
    ),
    "1.3, a Finished afterwards": (
        TLSv1_3,
        message(HANDSHAKE, b"\x14\0\0\x20" + bytes(32)),
        {"unexpected"},
    ),
    "1.3, a handshake message that is empty": (TLSv1_3, message(HANDSHAKE, b""), {"unexpected"}),
    "1.2, a Finished afterwards": (
        TLSv1_2,
        message(HANDSHAKE, b"\x14\0\0\x0c" + bytes(12)),
        {"unexpected"},
    ),
    "1.3, a ticket from a client": (TLSv1_3, message(HANDSHAKE, b"\x04\0\0\x01\0"), {"unexpected"}),
}


@pytest.mark.parametrize(("version", "misdeed", "alerts"), MISDEEDS.values(), ids=MISDEEDS.keys())
def test_our_server_refuses(
    pki: PKI, version: tlskit.TLSVersion, misdeed: Callable[[Any], None], alerts: set[str]
) -> None:
    context = server_context(pki, identity=pki.rsa)
    only(version, context)
    error, alert = refused_by_server(context, misdeed, version)
    assert isinstance(error, tlskit.SSLError)
    assert alert in {ALERTS[name] for name in alerts}


def test_our_server_refuses_an_old_version(pki: PKI) -> None:
    from tlslite.errors import TLSRemoteAlert

    with against_our_server(server_context(pki, identity=pki.rsa), echo) as (near, running):
        client = lite(near)
        old = settings(TLSv1_2, minVersion=(3, 2), maxVersion=(3, 2), versions=[(3, 2)])
        with pytest.raises(TLSRemoteAlert) as heard:
            client.handshakeClientCert(settings=old, serverName="localhost")
        assert heard.value.description == ALERTS["protocol"]
        assert isinstance(running.error, tlskit.SSLError)


@pytest.mark.parametrize("identity", ["stranger", "expired"])
def test_our_client_says_what_is_wrong_with_a_certificate(
    pki: PKI, version: tlskit.TLSVersion, identity: str
) -> None:
    from tlslite.errors import TLSRemoteAlert

    context = client_context(pki)
    only(version, context)
    chain, key = identity_of(getattr(pki, identity))
    near, far = socket.socketpair()
    near.settimeout(PATIENCE)

    def serve() -> int:
        server = lite(far)
        try:
            server.handshakeServer(certChain=chain, privateKey=key, settings=settings(version))
        except TLSRemoteAlert as heard:
            return int(heard.description)
        raise AssertionError("it has accepted the certificate")

    with far:
        running = Background(serve)
        with pytest.raises(tlskit.SSLCertVerificationError):
            context.wrap_socket(near, server_hostname="localhost")
        assert running.result() == {"stranger": 48, "expired": 45}[identity]
