"""Every setting of a context is changed while other threads connect with it: no handshake fails for
it, and whoever connects sees all of a change or nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

import tlskit
from _tlsbind import FEATURES
from tlskit import MemoryStore, TicketKeyring
from tlskit._core.certificate import Certificate
from tlskit._state.table import ROWS

from ..support import inside
from ..support.memory import resident
from ..support.pairs import Background, client_context, memory_pair, only, server_context
from ..support.pki import PKI

Contexts = tuple[Any, Any]
Change = Callable[[Contexts, PKI, int], object]
CONNECTIONS = 25  # of each thread that connects
#: Bytes: 2,000 contexts that were kept would be 57 MB. Without the GIL, memory that ended
#: threads have freed comes and goes.
GROWTH = (32 if sysconfig.get_config_var("Py_GIL_DISABLED") else 8) << 20


def other(number: int, *values: Any) -> Any:
    return values[number % len(values)]


def certificate(contexts: Contexts, pki: PKI, number: int) -> None:
    shown = other(number, pki.server, pki.direct, pki.rsa)
    contexts[1].load_cert_chain(shown.chain, shown.key)


def certificate_of_the_client(contexts: Contexts, pki: PKI, number: int) -> None:
    shown = other(number, pki.client, pki.rsa)
    contexts[0].load_cert_chain(shown.chain, shown.key)


def ciphers(contexts: Contexts, pki: PKI, number: int) -> None:
    words = other(number, "ECDHE+AESGCM", "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=1")
    contexts[number % 2].set_ciphers(words)


def both_contexts(name: str, *values: Any) -> Change:
    def change(contexts: Contexts, pki: PKI, number: int) -> None:
        setattr(contexts[number % 2], name, other(number, *values))

    return change


def calling(name: str, *values: Any) -> Change:
    def change(contexts: Contexts, pki: PKI, number: int) -> None:
        getattr(contexts[1], name)(other(number, *values))

    return change


def of_server(name: str, *values: Any) -> Change:
    def change(contexts: Contexts, pki: PKI, number: int) -> None:
        setattr(contexts[1], name, other(number, *values))

    return change


def of_client(name: str, *values: Any) -> Change:
    def change(contexts: Contexts, pki: PKI, number: int) -> None:
        setattr(contexts[0], name, other(number, *values))

    return change


def with_ech(name: str, *values: Any) -> list[Change]:
    """Changes that only some versions of OpenSSL allow."""
    return [of_client(name, *values)] if FEATURES["ECH"].there else []


def facet(which: int, kind: str, name: str, *values: Any) -> Change:
    def change(contexts: Contexts, pki: PKI, number: int) -> None:
        value = other(number, *values)
        setattr(getattr(contexts[which], kind), name, value() if callable(value) else value)

    return change


def key_log(contexts: Contexts, pki: PKI, number: int) -> None:
    contexts[0].keylog_filename = other(number, pki.folder / "keys.log", None)


def dh_params(contexts: Contexts, pki: PKI, number: int) -> None:
    path = pki.folder / "dh.pem"
    if not path.exists():
        if shutil.which("openssl") is None:
            pytest.skip("parameters are made with the command openssl")
        command = ["openssl", "dhparam", "-dsaparam", "-out", str(path), "2048"]
        subprocess.run(command, check=True, capture_output=True)
    contexts[1].load_dh_params(path)


def psk(contexts: Contexts, pki: PKI, number: int) -> None:
    answer = other(number, lambda identity: b"", None)
    contexts[1].set_psk_server_callback(answer, "a hint")


def psk_of_the_client(contexts: Contexts, pki: PKI, number: int) -> None:
    contexts[0].set_psk_client_callback(other(number, lambda hint: (None, b""), None))


def trust(contexts: Contexts, pki: PKI, number: int) -> None:
    contexts[0].load_verify_locations(other(number, pki.stranger_root, pki.root))


def ticket_key(contexts: Contexts, pki: PKI, number: int) -> None:
    contexts[1].tickets.dangerous_keys = os.urandom(80)


def pins(contexts: Contexts, pki: PKI, number: int) -> None:
    """None, or the key of the authority below which every certificate stands."""
    root = Certificate.from_pem(pki.root.read_bytes()).public_key
    contexts[0].pins = other(number, [], [hashlib.sha256(root).digest()])


def names_of_authorities(contexts: Contexts, pki: PKI, number: int) -> None:
    contexts[1].client_ca_names = other(number, pki.root, pki.stranger_root)


def renewal(contexts: Contexts, pki: PKI, number: int) -> None:
    shown = other(number, pki.server, pki.direct)
    contexts[1].reload(shown.chain, shown.key)
    contexts[0].reload(cafile=pki.root)


ignored = lambda *anything: None  # noqa: E731

#: Each setting by the name of its row, and how it is changed.
CHANGES: dict[str, list[Change]] = {
    "options": [of_server("options", tlskit.OP_ALL, tlskit.OP_ALL | tlskit.OP_NO_TICKET)],
    "versions": [
        of_server("minimum_version", tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3),
        of_client("maximum_version", tlskit.TLSVersion.TLSv1_3, None),
    ],
    "ciphers": [ciphers],
    "ciphersuites": [
        calling("set_ciphersuites", "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256")
    ],
    "groups": [
        calling("set_groups", "X25519:P-256", "X25519:P-384:P-256"),
        calling("set_ecdh_curve", "X25519", "prime256v1"),
    ],
    "require_group": [both_contexts("require_group", "X25519:P-256:X25519MLKEM768", None)]
    if tlskit.OPENSSL_VERSION_INFO >= (3, 5)
    else [both_contexts("require_group", "X25519:P-256", None)],
    "require_pq": [both_contexts("require_pq", False)],
    "client_sigalgs": [calling("set_client_sigalgs", "ECDSA+SHA256", "RSA-PSS+SHA256")],
    "server_sigalgs": [
        calling("set_server_sigalgs", "ECDSA+SHA256:RSA-PSS+SHA256", "RSA-PSS+SHA256:ECDSA+SHA256")
    ],
    "dh_params": [dh_params],
    "alpn_protocols": [calling("set_alpn_protocols", ["h2"], ["http/1.1", "h2"])],
    "verify_mode": [of_server("verify_mode", tlskit.CERT_NONE, tlskit.CERT_OPTIONAL)],
    "verify_depth": [both_contexts("verify_depth", 5, 6)],
    "verify_flags": [
        of_client("verify_flags", tlskit.VERIFY_DEFAULT, tlskit.VERIFY_X509_TRUSTED_FIRST)
    ],
    "host_flags": [of_client("hostname_checks_common_name", True, False)],
    "check_hostname": [of_client("check_hostname", True, False)],
    "trust": [trust],
    "credentials": [certificate, certificate_of_the_client, renewal],
    "pins": [pins],
    "staple": [of_client("request_staple", True, False)],
    "ocsp_responses": [calling("set_ocsp_response", None)],
    "client_ca_names": [names_of_authorities],
    "security_level": [both_contexts("security_level", 1, 2)],
    "post_handshake_auth": [both_contexts("post_handshake_auth", True, False)],
    "ech_config_list": with_ech("ech_config_list", lambda name: None, {}),
    "ech_outer_name": with_ech("ech_outer_name", "example.org", None),
    "ech_grease": with_ech("ech_grease", True, False),
    "fallback_scsv": [of_client("fallback_scsv", False, None)],
    "release_buffers": [both_contexts("release_buffers", True, False)],
    "auto_chain": [of_server("auto_chain", True, False)],
    "dh_auto": [of_server("dh_auto", True, False)],
    "max_fragment_length": [of_client("max_fragment_length", 0, 4096)],
    "max_send_fragment": [both_contexts("max_send_fragment", 512, 16384)],
    "block_padding": [both_contexts("block_padding", 0, 64)],
    "max_cert_list": [both_contexts("max_cert_list", 102400, 204800)],
    "suppress_ragged_eofs": [both_contexts("suppress_ragged_eofs", True, False)],
    "keylog": [key_log],
    "app_data": [facet(1, "tickets", "app_data", b"one", None)],
    "num_tickets": [of_server("num_tickets", 0, 1, 2)],
    "max_early_data": [of_server("max_early_data", 0, 1000)],
    "keyring": [facet(1, "tickets", "keyring", TicketKeyring, None)],
    "ticket_keys": [ticket_key],
    "client_hello_callback": [of_server("client_hello_callback", ignored, None)],
    "callback_timeout": [of_server("callback_timeout", 5, None)],
    "sni_callback": [of_server("sni_callback", ignored, None)],
    "verify_callback": [of_client("verify_callback", ignored, None)],
    "verify_each": [of_client("verify_each", ignored, None)],
    "certificate_callback": [both_contexts("certificate_callback", ignored, None)],
    "verify_accepts": [of_client("verify_accepts", ["CERT_HAS_EXPIRED"], [])],
    "verify_errors": [both_contexts("verify_errors", "report", "abort")],
    "verify_names": [of_client("verify_names", ["localhost", "127.0.0.1"], [])],
    "verify_purpose": [of_client("verify_purpose", "any", None)],
    "verify_time": [of_client("verify_time", time.time(), None)],
    "alpn_callback": [of_server("alpn_callback", ignored, None)],
    "message_callback": [of_server("message_callback", ignored, None)],
    "keylog_callback": [both_contexts("keylog_callback", ignored, None)],
    "state_callback": [both_contexts("state_callback", ignored, None)],
    "alert_callback": [both_contexts("alert_callback", ignored, None)],
    "record_timeline": [both_contexts("record_timeline", True, False)],
    "psk_client": [psk_of_the_client],
    "psk_server": [psk],
    "sessions": [
        facet(1, "sessions", "store", MemoryStore, None),
        facet(0, "sessions", "resume", True, False),
        facet(1, "sessions", "id_context", b"one", b"another"),
        facet(1, "sessions", "id_prefix", b"a", b""),
        lambda contexts, pki, n: setattr(
            contexts[1].sessions, "generate_id", other(n, lambda connection: os.urandom(32), None)
        ),
        facet(1, "sessions", "size", 3, 4),
        facet(1, "sessions", "timeout", 100, 200),
        facet(0, "sessions", "per_peer", 1, 8),
        facet(1, "sessions", "mode", tlskit.SessionCacheMode.SERVER, 0),
        facet(0, "sessions", "reverify", True, False),
        facet(0, "sessions", "client_certificates", True, False),
        lambda contexts, pki, n: setattr(contexts[0].sessions, "on_new", other(n, ignored, None)),
        lambda contexts, pki, n: setattr(contexts[1].sessions, "on_get", other(n, ignored, None)),
        lambda contexts, pki, n: setattr(
            contexts[1].sessions, "on_remove", other(n, ignored, None)
        ),
    ],
}  # fmt: skip


def test_no_setting_is_left_out():
    assert set(CHANGES) == {row.name for row in ROWS}


def busy(contexts: Contexts, change: Callable[[int], object], threads: int, count: int) -> int:
    """Connect from so many threads while another one changes things: how many changes there
    were.
    """
    stop, changes = threading.Event(), 0

    def keep_changing() -> None:
        nonlocal changes
        for number in cycle(range(1000)):
            change(number)
            changes += 1
            if stop.is_set() and changes > 2:
                return

    def connect() -> None:
        for _ in range(count):
            near, far = memory_pair(*contexts)
            near.write(b"ping")
            assert far.read(4) == b"ping"

    changing = Background(keep_changing)
    connecting = [Background(connect) for _ in range(threads)]
    try:
        for one in connecting:
            one.result(60)
    finally:
        stop.set()
        changing.result(60)
    return changes


@pytest.mark.parametrize(
    "change",
    [pytest.param(change, id=f"{name}-{n}") for name, all_of_it in CHANGES.items()
     for n, change in enumerate(all_of_it)],
)  # fmt: skip
def test_a_setting_changes_while_others_connect(pki: PKI, change: Change) -> None:
    contexts = client_context(pki), server_context(pki)
    change(contexts, pki, 0)
    assert busy(contexts, lambda number: change(contexts, pki, number), 2, CONNECTIONS) > 2


def test_two_threads_change_the_same_context(pki: PKI) -> None:
    """Neither loses what the other has set, and nobody waits for a peer."""
    contexts = client_context(pki), server_context(pki)
    server = contexts[1]

    def change(number: int) -> None:
        server.sessions.timeout = 1000 + number
        server.sessions.size = 100
        server.verify_depth = number % 5
        server.num_tickets = number % 3

    second = Background(lambda: [server.set_groups("X25519") for _ in range(50)])
    busy(contexts, change, 2, CONNECTIONS)
    second.result(60)
    assert server.sessions.size == 100
    assert "groups: X25519\n" in server.describe()


def test_a_pair_of_settings_is_seen_whole(pki: PKI) -> None:
    """No connection shows the certificate of one change with the protocols of another."""
    client, server = client_context(pki), server_context(pki)
    client.set_alpn_protocols(["narrow", "wide"])
    wide = None
    stop = threading.Event()

    def change() -> None:
        for identity, protocol in cycle([(pki.narrow, "narrow"), (pki.server, "wide")]):
            server.configure(cert_chain=(identity.chain, identity.key), alpn_protocols=[protocol])
            if stop.is_set():
                return

    changing = Background(change)
    seen = set()
    try:
        for _ in range(60):
            near, _ = memory_pair(client, server)
            names = len(near.getpeercert()["subjectAltName"])
            protocol = near.selected_alpn_protocol()
            wide = {None: None, "narrow": names == 1, "wide": names > 1}[protocol]
            assert wide is not False
            seen.add(protocol)
    finally:
        stop.set()
        changing.result(60)
    assert wide is not False


def test_a_callback_changes_its_own_context(pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki)

    def renew(connection: Any, name: str, context: Any) -> None:
        context.load_cert_chain(pki.narrow.chain, pki.narrow.key)

    server.sni_callback = renew
    near, _ = memory_pair(client, server)
    assert len(near.getpeercert()["subjectAltName"]) > 1  # it has the state that it began with
    near, _ = memory_pair(client, server)
    assert len(near.getpeercert()["subjectAltName"]) == 1


def called_by(name: str) -> tuple[int, Any]:
    """Which of the two contexts calls it, and what it returns."""
    answers: dict[str, tuple[int, Any]] = {
        "sni_callback": (1, None),
        "client_hello_callback": (1, None),
        "alpn_callback": (1, "h2"),
        "certificate_callback": (1, None),
        "message_callback": (1, None),
        "keylog_callback": (1, None),
        "state_callback": (1, None),
        "alert_callback": (1, None),
        "verify_callback": (0, None),
        "verify_each": (0, None),
    }
    return answers[name]


@pytest.mark.parametrize("version", [tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    "name",
    ["sni_callback", "client_hello_callback", "alpn_callback", "certificate_callback",
     "message_callback", "keylog_callback", "state_callback", "verify_callback", "verify_each"],
)  # fmt: skip
def test_any_callback_of_a_handshake_changes_its_own_context(
    pki: PKI, name: str, version: Any
) -> None:
    """Whatever it changes holds for later connections, and never disturbs this one."""
    contexts = client_context(pki), server_context(pki)
    only(version, *contexts)
    contexts[0].set_alpn_protocols(["h2"])
    which, answer = called_by(name)
    own, calls = contexts[which], []

    def change(*anything: Any) -> Any:
        calls.append(1)
        own.configure(
            verify_depth=10 + len(calls) % 5, sessions={"timeout": 1000 + len(calls)},
            options=own.options ^ tlskit.OP_CIPHER_SERVER_PREFERENCE,
        )  # fmt: skip
        own.load_verify_locations(pki.stranger_root)
        if which == 1:
            own.load_cert_chain(pki.narrow.chain, pki.narrow.key)
        return answer

    setattr(own, name, change)
    for number in range(3):
        near, far = memory_pair(*contexts)
        if number == 0 and which == 1 and name != "certificate_callback":
            assert len(near.getpeercert()["subjectAltName"]) > 1
        near.write(b"ping")
        assert far.read(4) == b"ping"
    assert calls
    assert own.sessions.timeout == 1000 + len(calls)
    if which == 1:
        assert len(near.getpeercert()["subjectAltName"]) == 1


def test_a_callback_hands_its_connection_to_the_context_as_it_is_now(pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki)

    def renew(connection: Any, name: str, context: Any) -> None:
        context.load_cert_chain(pki.narrow.chain, pki.narrow.key)
        connection.context = context

    server.sni_callback = renew
    near, _ = memory_pair(client, server)
    assert len(near.getpeercert()["subjectAltName"]) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_of_a_process_that_was_setting_something(pki: PKI) -> None:
    """A thread that does not come along may have held the lock of the settings."""
    client, server = client_context(pki), server_context(pki)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with inside.settings_of(client).together():
            client.set_alpn_protocols(["never"])
            held.set()
            done.wait(60)

    holding = Background(hold)
    assert held.wait(10)
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 2
        try:
            client.set_alpn_protocols(["h2"])
            server.set_alpn_protocols(["h2"])
            code = 0 if memory_pair(client, server)[0].selected_alpn_protocol() == "h2" else 1
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    done.set()
    holding.result()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from Linux")
def test_a_thousand_reloads_while_clients_connect_and_resume(pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki)
    client.sessions.resume = True
    resumed = reloads = 0
    stop = threading.Event()

    def connect() -> int:
        count = 0
        while not stop.is_set():
            near, _ = memory_pair(client, server)
            count += near.session_reused
        return count

    before = 0
    for round_of in range(2):  # the first one fills what is kept for good
        stop.clear()
        connecting = [Background(connect) for _ in range(3)]
        for _ in range(1000 if round_of else 200):
            server.reload(pki.server.chain, pki.server.key)
            client.reload(cafile=pki.root)
            reloads += 1
        stop.set()
        resumed = sum(one.result(120) for one in connecting)
        before = before or resident()
    assert resumed > 500
    assert server.sessions.stats().accept_good >= resumed
    assert resident() - before < GROWTH
