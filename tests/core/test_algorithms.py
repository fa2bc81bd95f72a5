"""Groups, suites and signature algorithms: chosen, listed, and told of a connection."""

from __future__ import annotations

import pytest

import tlskit
from _tlsbind import FEATURES

from ..support.pairs import client_context, memory_pair, only, server_context

SETTERS = ["set_ciphersuites", "set_groups", "set_client_sigalgs", "set_server_sigalgs"]
GOOD = {
    "set_ciphersuites": "TLS_AES_128_GCM_SHA256",
    "set_groups": "P-256:X25519",
    "set_client_sigalgs": "ecdsa_secp256r1_sha256",
    "set_server_sigalgs": "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256",
}


def lacks(feature):
    return not FEATURES[feature].there


@pytest.fixture
def context():
    return tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)


@pytest.mark.parametrize("name", SETTERS)
def test_words(context, name):
    assert getattr(context, name)(GOOD[name]) is None


@pytest.mark.parametrize("name", SETTERS)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, TypeError),
        (b"X25519", TypeError),
        (1, TypeError),
        ("a\0b", ValueError),
        ("\udcff", UnicodeEncodeError),
    ],
)
def test_what_is_no_word(context, name, value, error):
    with pytest.raises(error):
        getattr(context, name)(value)


@pytest.mark.parametrize("name", SETTERS)
@pytest.mark.parametrize(
    "value", ["nonsense", ":", "\xe9", "x" * 100_000], ids=["unknown", "colon", "accent", "long"]
)
def test_unknown_names(context, name, value):
    messages = {
        "set_ciphersuites": "No cipher suite can be selected",
        "set_groups": "unrecognized group",
    }
    with pytest.raises(
        tlskit.SSLError, match=messages.get(name, "unrecognized signature algorithm")
    ) as caught:
        getattr(context, name)(value)
    assert caught.value.args[0] == 0
    assert caught.value.library is caught.value.reason is None


def test_a_refused_list_changes_nothing(pki):
    client, server = client_context(pki), server_context(pki)
    only(tlskit.TLSVersion.TLSv1_3, client, server)
    client.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    client.set_groups("secp384r1")
    for name in SETTERS:
        with pytest.raises(tlskit.SSLError):
            getattr(client, name)("nonsense")
    near, far = memory_pair(client, server)
    assert near.cipher()[0] == far.cipher()[0] == "TLS_AES_128_GCM_SHA256"
    assert near.group() == far.group() == "secp384r1"


def test_suites_that_do_not_meet(pki):
    client, server = client_context(pki), server_context(pki)
    only(tlskit.TLSVersion.TLSv1_3, client, server)
    client.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    server.set_ciphersuites("TLS_AES_256_GCM_SHA384")
    with pytest.raises(tlskit.SSLError) as caught:
        memory_pair(client, server)
    assert caught.value.reason == "NO_SHARED_CIPHER"


@pytest.mark.parametrize(
    ("given", "told"), [("X25519", "x25519"), ("P-256", "secp256r1"), ("P-384", "secp384r1")]
)
def test_group(pki, version, given, told):
    client, server = client_context(pki), server_context(pki, identity=pki.rsa)
    only(version, client, server)
    client.set_groups(given)
    near, far = memory_pair(client, server)
    assert near.group() == far.group() == near._sslobj.group() == told


def test_group_before_there_is_one(contexts):
    near = contexts[0].wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    assert near.group() is None


def test_groups_that_do_not_meet(contexts):
    client, server = contexts
    client.set_groups("X25519")
    server.set_groups("secp384r1")
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


def test_signatures_that_do_not_meet(pki, version):
    """A server with a key that may sign in no way that the client takes."""
    client, server = client_context(pki), server_context(pki, identity=pki.rsa)
    only(version, client, server)
    client.set_server_sigalgs("ecdsa_secp256r1_sha256")
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


@pytest.mark.parametrize("name", SETTERS[1:])
def test_they_belong_to_the_policy_of_sessions(contexts, name):
    """What was agreed on under one choice is not resumed under another."""
    client, server = contexts
    near, _ = memory_pair(client, server)
    session = near.session
    assert memory_pair(client, server, session=session)[0].session_reused
    getattr(client, name)(GOOD[name])
    again, _ = memory_pair(client, server, session=session)
    assert again.session_reused is False
    assert isinstance(again.resumption, tlskit.NotOffered)


# -- what needs a newer OpenSSL --------------------------------------------------------------------


def test_get_groups(context):
    if lacks("GROUP_LIST"):
        with pytest.raises(
            NotImplementedError, match=r"get_groups\(\) requires OpenSSL 3\.5 or later"
        ):
            context.get_groups()
        return
    names, aliases = context.get_groups(), context.get_groups(include_aliases=True)
    assert "x25519" in (name.lower() for name in names)
    assert set(names) < set(aliases)
    with pytest.raises(TypeError):
        context.get_groups(True)


def test_get_sigalgs():
    if lacks("SIGALG_LIST"):
        with pytest.raises(
            NotImplementedError, match=r"get_sigalgs\(\) requires OpenSSL 3\.4 or later"
        ):
            tlskit.get_sigalgs()
        return
    names = tlskit.get_sigalgs()
    assert {"ecdsa_secp256r1_sha256", "ed25519", "rsa_pss_rsae_sha256"} <= set(names)
    assert len(names) == len(set(names))
    for name in names[:5]:
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT).set_server_sigalgs(name)


def test_signature_algorithms_of_a_connection(pki, version):
    client, server = client_context(pki), server_context(pki)
    only(version, client, server)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    near, far = memory_pair(client, server)
    if lacks("SIGALG_NAMES"):
        for end in (near, far):
            for name in ("client_sigalg", "server_sigalg"):
                with pytest.raises(
                    NotImplementedError, match=rf"{name}\(\) requires OpenSSL 3\.5 or later"
                ):
                    getattr(end, name)()
        return
    assert near.server_sigalg() == far.server_sigalg() == "ecdsa_secp256r1_sha256"
    assert near.client_sigalg() == far.client_sigalg() == "ecdsa_secp256r1_sha256"


@pytest.mark.skipif(lacks("SIGALG_NAMES"), reason="OpenSSL is older than 3.5")
def test_nobody_has_signed(contexts):
    client, server = contexts
    fresh = client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    assert fresh.client_sigalg() is None
    assert fresh.server_sigalg() is None
    near, far = memory_pair(client, server)
    assert near.client_sigalg() is None
    assert far.client_sigalg() is None


def test_kernel_tls_is_not_used(contexts):
    for end in memory_pair(*contexts):
        assert end._sslobj.uses_ktls_for_send() is False
        assert end._sslobj.uses_ktls_for_recv() is False
        with pytest.raises(tlskit.SSLError, match="kernel TLS"):
            end._sslobj.sendfile(0, 0, 1)


def test_a_socket_without_a_connection():
    import socket

    with tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT).wrap_socket(
        socket.socket(), server_hostname="localhost"
    ) as plain:
        assert plain.group() is plain.client_sigalg() is plain.server_sigalg() is None
