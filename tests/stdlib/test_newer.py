"""What the stdlib got in 3.13 and 3.15: compared with it where the running Python has it."""

from __future__ import annotations

import ssl as stdlib
import sys

import pytest

import tlskit

from ..support.pairs import client_context, memory_pair, only, server_context, take_tickets
from .compare import compared, same_openssl

since_13 = pytest.mark.skipif(
    not hasattr(stdlib.SSLContext, "set_psk_client_callback"), reason="Python is older than 3.13"
)
since_15 = pytest.mark.skipif(
    not hasattr(stdlib.SSLContext, "set_groups"), reason="Python is older than 3.15"
)

WORDS = [
    None,
    1,
    b"x",
    "",
    "a\0b",
    "nonsense",
    ":",
    "\xe9",
    "\udcff",
    "X25519",
    "P-256:X25519",
    "TLS_AES_128_GCM_SHA256",
    "ecdsa_secp256r1_sha256",
]


@since_15
@same_openssl
@pytest.mark.parametrize(
    "name", ["set_groups", "set_ciphersuites", "set_client_sigalgs", "set_server_sigalgs"]
)
@pytest.mark.parametrize("value", WORDS)
def test_words(name, value):
    compared(lambda module: getattr(module.SSLContext(module.PROTOCOL_TLS_CLIENT), name)(value))


@since_15
@same_openssl
def test_lists():
    assert compared(lambda module: module.get_sigalgs()).value
    for aliases in (False, True):
        assert compared(
            lambda module, a=aliases: module.SSLContext(module.PROTOCOL_TLS_CLIENT).get_groups(
                include_aliases=a
            )
        ).value


@since_15
@same_openssl
@pytest.mark.parametrize("mutual", [False, True])
@pytest.mark.parametrize("groups", ["X25519", "P-256", "P-384:P-256", None])
@pytest.mark.parametrize("resumed", [False, True])
def test_what_was_agreed_on(pki, version, mutual, groups, resumed):
    def work(module):
        client, server = (
            client_context(pki, module=module),
            server_context(pki, module=module, identity=pki.rsa),
        )
        only(version, client, server)
        if groups is not None:
            client.set_groups(groups)
        if mutual:
            client.load_cert_chain(pki.client.chain, pki.client.key)
            server.load_verify_locations(pki.root)
            server.verify_mode = module.CERT_REQUIRED
        ends = memory_pair(client, server, module=module)
        if resumed:
            ends = memory_pair(client, server, session=ends[0].session, module=module)
        return [
            (end.group(), end.client_sigalg(), end.server_sigalg(), end.session_reused)
            for end in ends
        ]

    found = compared(work)
    if not (
        mutual and groups == "X25519"
    ):  # the client's certificate has a key of another curve, which TLS 1.2 does not forgive
        assert found.raised is None


KEY = b"k" * 32
#: Answers that both take, or both refuse alike. What is no answer, the stdlib loses (it is
#: shown on stderr), and tlskit raises from the handshake: tests/core/test_psk.py.
ANSWERS_OF_CLIENTS = [
    ("who", KEY), (None, KEY), ("", KEY), (b"who", KEY), ("who", b""), ("w" * 255, KEY),
    ("\xe9" * 127, KEY), ("who", b"k" * 512), ("a\0b", KEY),
]  # fmt: skip
ANSWERS_OF_SERVERS = [KEY, b"", b"k" * 512, b"other"]


def outcome_of(module, version, client_answer, server_answer, monkeypatch):
    """What both ends come to: names of errors, how many exceptions were shown, what was agreed
    on.
    """
    seen, found = [], []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: seen.append(one))
    client, server = (
        module.SSLContext(module.PROTOCOL_TLS_CLIENT),
        module.SSLContext(module.PROTOCOL_TLS_SERVER),
    )
    client.check_hostname = False
    only(version, client, server)
    for context in (client, server):
        context.set_ciphers("PSK")
    client.set_psk_client_callback(lambda hint: client_answer)
    server.set_psk_server_callback(lambda identity: server_answer)
    to_client, to_server = module.MemoryBIO(), module.MemoryBIO()
    near, far = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(5):
        for end in (near, far):
            try:
                take_tickets(end)
            except stdlib.SSLError as error:
                found.append((end is near, type(error).__name__))
    return found[:1], bool(seen), near.version(), near.session_reused, far.session_reused


@since_13
@same_openssl
@pytest.mark.parametrize("answer", ANSWERS_OF_CLIENTS, ids=lambda value: repr(value)[:30])
def test_answers_of_clients(version, answer, monkeypatch):
    assert (
        compared(lambda module: outcome_of(module, version, answer, KEY, monkeypatch)).raised
        is None
    )


@since_13
@same_openssl
@pytest.mark.parametrize("answer", ANSWERS_OF_SERVERS, ids=lambda value: repr(value)[:30])
def test_answers_of_servers(version, answer, monkeypatch):
    assert (
        compared(
            lambda module: outcome_of(module, version, ("who", KEY), answer, monkeypatch)
        ).raised
        is None
    )


@since_13
@pytest.mark.parametrize(
    "hint",
    [
        None,
        "",
        "hint",
        "h" * 256,
        "h" * 257,
        "\xe9" * 128,
        "\xe9" * 129,
        "a\0b",
        b"hint",
        5,
        "\udcff",
    ],
)
@pytest.mark.parametrize("callback", [None, 5, "x", len], ids=repr)
@pytest.mark.parametrize("protocol", ["PROTOCOL_TLS_CLIENT", "PROTOCOL_TLS_SERVER"])
def test_setting_callbacks(protocol, callback, hint):
    compared(
        lambda module: module.SSLContext(getattr(module, protocol)).set_psk_server_callback(
            callback, hint
        )
    )
    compared(
        lambda module: module.SSLContext(getattr(module, protocol)).set_psk_client_callback(
            callback
        )
    )
    assert tlskit.HAS_PSK == stdlib.HAS_PSK
