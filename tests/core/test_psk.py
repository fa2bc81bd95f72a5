"""Pre-shared keys: who is asked what, what is taken for an answer, and what may be resumed
afterwards.
"""

from __future__ import annotations

import gc
import sys
import threading
import weakref

import pytest

import tlskit

from ..support.pairs import (
    client_context,
    memory_pair,
    only,
    server_context,
    socket_pair,
    take_tickets,
)

pytestmark = pytest.mark.skipif(
    not tlskit.HAS_PSK, reason="OpenSSL was built without pre-shared keys"
)

KEY = b"k" * 32


def asking(key=KEY, seen=None):
    """A server's callback: one key for everybody."""

    def answer(identity):
        if seen is not None:
            seen.append(identity)
        return key

    return answer


@pytest.fixture
def keyed(version):
    """Contexts without a certificate."""
    client, server = (
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER),
    )
    only(version, client, server)
    for context in (client, server):
        context.set_ciphers("PSK")
    return client, server


@pytest.fixture
def unraisable(monkeypatch):
    """What went to sys.unraisablehook."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: seen.append(found.exc_value))
    return seen


def ends(client, server, hostname="localhost"):
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=hostname)
    return near, server.wrap_bio(to_server, to_client, server_side=True)


def exchange(near, far):
    """Let both read, which makes the handshake first."""
    for _ in range(3):
        take_tickets(near)
        take_tickets(far)


def failed(client, server):
    """Make a handshake that has to fail: the errors of both ends."""
    found = []
    near, far = ends(client, server)
    for _ in range(4):
        for end in (near, far):
            try:
                end.do_handshake()
                end.read(1)
            except tlskit.SSLWantReadError:
                continue
            except Exception as error:
                found.append(error)
    assert found
    return found


# -- the handshake ---------------------------------------------------------------------------------


def test_handshake(keyed, version):
    client, server = keyed
    hints, identities = [], []
    client.set_psk_client_callback(lambda hint: (hints.append(hint), ("who", KEY))[1])
    server.set_psk_server_callback(asking(seen=identities), "whoever")
    near, far = memory_pair(client, server)
    assert (
        near.version()
        == far.version()
        == {tlskit.TLSVersion.TLSv1_2: "TLSv1.2", tlskit.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    )
    assert set(hints) == {"whoever" if version is tlskit.TLSVersion.TLSv1_2 else None}
    assert set(identities) == {"who"}
    assert near.getpeercert() is None
    near.write(b"hello")
    assert far.read() == b"hello"


def test_over_sockets_and_threads(keyed):
    client, server = keyed
    threads = set()
    client.set_psk_client_callback(
        lambda hint: (threads.add(threading.get_ident()), ("who", KEY))[1]
    )
    server.set_psk_server_callback(lambda identity: (threads.add(threading.get_ident()), KEY)[1])
    with socket_pair(client, server) as (near, far):
        near.sendall(b"hello")
        assert far.recv(5) == b"hello"
    assert len(threads) == 2


def test_words_are_utf8(keyed):
    client, server = keyed
    identities = []
    client.set_psk_client_callback(lambda hint: ("客户身份", KEY))
    server.set_psk_server_callback(asking(seen=identities), "身份暗示")
    memory_pair(client, server)
    assert set(identities) == {"客户身份"}


def test_without_an_identity():
    """TLS 1.2 knows an empty one; in TLS 1.3 there has to be one."""
    client, server = (
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER),
    )
    only(tlskit.TLSVersion.TLSv1_2, client, server)
    identities = []
    for context in (client, server):
        context.set_ciphers("PSK")
    client.set_psk_client_callback(lambda hint: (None, KEY))
    server.set_psk_server_callback(asking(seen=identities))
    memory_pair(client, server)
    assert identities == [None]


@pytest.mark.parametrize(
    "answer",
    [
        ("who", memoryview(KEY)),
        (b"who", KEY),
        ("who\0else", KEY),
        ("w" * 255, KEY),
        ("é" * 127, KEY),
    ],
    ids=["memoryview", "bytes", "nul", "longest", "longest in utf-8"],
)
def test_answers_of_a_client(keyed, answer):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: answer)
    server.set_psk_server_callback(asking())
    memory_pair(client, server)


@pytest.mark.parametrize("size", [1, 256, 512])
def test_sizes_of_keys(keyed, size):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("who", b"k" * size))
    server.set_psk_server_callback(asking(b"k" * size))
    memory_pair(client, server)


# -- what is refused -------------------------------------------------------------------------------


def test_another_key(keyed):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("who", b"other"))
    server.set_psk_server_callback(asking())
    failed(client, server)


@pytest.mark.parametrize(
    "answer",
    [
        (),
        ("who",),
        ["who", KEY],
        ("who", "key"),
        ("who", bytearray(KEY)),
        (5, KEY),
        ("\udcff", KEY),
        5,
    ],
)
def test_what_is_no_answer_of_a_client(keyed, unraisable, answer):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: answer)
    server.set_psk_server_callback(asking())
    first = failed(client, server)[0]
    assert isinstance(first, (TypeError, UnicodeEncodeError))
    assert KEY.decode() not in str(first)
    assert unraisable == []


@pytest.mark.parametrize("answer", ["key", bytearray(KEY), memoryview(KEY), 5])
def test_what_is_no_answer_of_a_server(keyed, unraisable, answer):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("who", KEY))
    server.set_psk_server_callback(lambda identity: answer)
    assert {TypeError} <= {type(error) for error in failed(client, server)}
    assert unraisable == []


@pytest.mark.parametrize("side", ["client", "server"])
def test_an_empty_key_refuses(keyed, unraisable, side):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("who", b"" if side == "client" else KEY))
    server.set_psk_server_callback(asking(b"" if side == "server" else KEY))
    failed(client, server)
    assert unraisable == []


@pytest.mark.parametrize("side", ["client", "server"])
def test_none_refuses(keyed, unraisable, side):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: None if side == "client" else ("who", KEY))
    server.set_psk_server_callback(asking(None if side == "server" else KEY))
    assert all(isinstance(error, tlskit.SSLError) for error in failed(client, server))
    assert unraisable == []


@pytest.mark.parametrize("side", ["client", "server"])
def test_too_long(keyed, unraisable, side):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("who", b"k" * (513 if side == "client" else 512)))
    server.set_psk_server_callback(asking(b"k" * (513 if side == "server" else 512)))
    (error,) = (e for e in failed(client, server) if isinstance(e, ValueError))
    assert "513 bytes is too long: 512" in str(error)
    older = client.maximum_version is tlskit.TLSVersion.TLSv1_2
    client.set_psk_client_callback(lambda hint: ("é" * (128 if older else 2049), KEY))
    (error,) = (e for e in failed(client, server) if isinstance(e, ValueError))
    assert f"{256 if older else 4098} bytes in UTF-8" in str(error)
    assert unraisable == []


@pytest.mark.parametrize("side", ["client", "server"])
def test_what_a_callback_raises(keyed, unraisable, side):
    """It comes out of its own connection, and once."""
    problem = RuntimeError("out of keys")

    def raising(*args):
        raise problem

    client, server = keyed
    client.set_psk_client_callback(raising if side == "client" else lambda hint: ("who", KEY))
    server.set_psk_server_callback(raising if side == "server" else asking())
    assert problem in failed(client, server)
    assert unraisable == []


def test_what_a_callback_raises_where_a_certificate_would_do(pki, version):
    """The handshake could go on without the key, and must not: nobody would hear of it."""

    def raising(hint):
        raise RuntimeError("out of keys")

    client, server = client_context(pki), server_context(pki)
    only(version, client, server)
    if version is tlskit.TLSVersion.TLSv1_2:
        client.set_ciphers("PSK")
        server.set_ciphers("PSK")
    client.set_psk_client_callback(raising)
    server.set_psk_server_callback(asking())
    assert [str(error) for error in failed(client, server) if type(error) is RuntimeError]


def test_identity(keyed):
    """Both sides know afterwards who came."""
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("wörker", KEY))
    server.set_psk_server_callback(asking())
    near, far = ends(client, server)
    assert near.psk_identity is None
    exchange(near, far)
    assert near.psk_identity == far.psk_identity == "wörker"


def test_identity_where_certificates_are_used(pki, version):
    client, server = client_context(pki), server_context(pki)
    only(version, client, server)
    near, far = memory_pair(client, server)
    assert near.psk_identity is None
    assert far.psk_identity is None


def test_roles():
    client, server = (
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER),
    )
    for callback in (None, asking(), 5):
        with pytest.raises(
            tlskit.SSLError, match="Cannot add PSK server callback to a PROTOCOL_TLS_CLIENT context"
        ):
            client.set_psk_server_callback(callback)
        with pytest.raises(
            tlskit.SSLError, match="Cannot add PSK client callback to a PROTOCOL_TLS_SERVER context"
        ):
            server.set_psk_client_callback(callback)


def test_arguments():
    client, server = (
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER),
    )
    for bad in (5, "callback", b""):
        with pytest.raises(TypeError, match="callback must be callable"):
            client.set_psk_client_callback(bad)
        with pytest.raises(TypeError, match="callback must be callable"):
            server.set_psk_server_callback(bad)
    with pytest.raises(TypeError):
        server.set_psk_server_callback(asking(), b"hint")
    with pytest.raises(ValueError, match="null"):
        server.set_psk_server_callback(asking(), "a\0b")
    server.set_psk_server_callback(asking(), "h" * 256)
    with pytest.raises(ValueError, match="failed to set identity hint"):
        server.set_psk_server_callback(asking(), "h" * 257)
    with pytest.raises(ValueError, match="failed to set identity hint"):
        server.set_psk_server_callback(asking(), "é" * 129)
    server.set_psk_server_callback(callback=asking(), identity_hint=None)
    client.set_psk_client_callback(callback=lambda hint: (None, KEY))


def test_unset(keyed):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("who", KEY))
    server.set_psk_server_callback(asking())
    memory_pair(client, server)
    server.set_psk_server_callback(None, "hint")
    failed(client, server)
    server.set_psk_server_callback(asking())
    client.set_psk_client_callback(None)
    failed(client, server)


def test_unset_for_a_connection_that_is_there(keyed):
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("who", KEY))
    server.set_psk_server_callback(asking())
    near, far = ends(client, server)
    server.set_psk_server_callback(None)
    with pytest.raises(tlskit.SSLError):
        exchange(near, far)


def test_contexts_go_with_their_callbacks():
    """A callback that refers to its context does not keep it."""
    client, server = (
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER),
    )
    client.set_psk_client_callback(lambda hint, _=client: None)
    server.set_psk_server_callback(lambda identity, _=server: None)
    gone = [weakref.ref(client), weakref.ref(server)]
    del client, server
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


# -- keys and sessions -----------------------------------------------------------------------------


def both(pki, version):
    """Contexts with certificates, which verify each other, and may have keys too."""
    client, server = client_context(pki), server_context(pki)
    only(version, client, server)
    for context in (client, server):
        context.set_ciphers("ALL:PSK")
    return client, server


def test_a_session_of_a_key_is_not_offered_for_a_certificate(pki, version):
    """Under the key the server has shown no certificate: nothing says that this name is its own."""
    client, server = both(pki, version)
    client.set_psk_client_callback(lambda hint: ("who", KEY))
    server.set_psk_server_callback(asking())
    for words in ("PSK", "ALL:PSK"):
        client.set_ciphers(words)
        near, _ = memory_pair(client, server)
        session = near.session
        client.set_psk_client_callback(None)
        client.set_ciphers("ALL")
        again, _ = memory_pair(client, server, session=session)
        assert isinstance(again.resumption, tlskit.NotOffered)
        assert again.getpeercert() is not None
        client.set_psk_client_callback(lambda hint: ("who", KEY))


def test_a_client_with_a_key_offers_no_session(pki, version):
    client, server = both(pki, version)
    near, _ = memory_pair(client, server)
    session = near.session
    client.set_psk_client_callback(lambda hint: ("who", KEY))
    again, _ = memory_pair(client, server, session=session)
    assert isinstance(again.resumption, tlskit.NotOffered)
    assert again.session_reused is False


def test_a_server_does_not_resume_across_callbacks(pki, version):
    """Whoever has not shown the key does not come in by a ticket from before it was asked for; nor
    by an older key's.
    """
    client, server = both(pki, version)
    client.sessions.on_new = lambda connection, session: kept.append(session)
    kept = []
    memory_pair(client, server)
    server.set_psk_server_callback(asking())
    again, _ = memory_pair(client, server, session=kept[-1])
    assert not isinstance(again.resumption, tlskit.NotOffered)
    assert again.session_reused is False
    server.set_psk_server_callback(asking(b"new"))
    later, _ = memory_pair(client, server, session=kept[-1])
    assert later.session_reused is False
    server.set_psk_server_callback(None)
    last, _ = memory_pair(client, server, session=kept[0])
    assert last.session_reused is True  # as before there was a callback


def test_a_server_resumes_under_the_same_callback(pki, version):
    client, server = both(pki, version)
    server.set_psk_server_callback(asking())
    near, _ = memory_pair(client, server)
    again, far = memory_pair(client, server, session=near.session)
    assert again.session_reused is far.session_reused is True


def test_a_key_is_not_a_session(keyed, version):
    """TLS 1.3 has one mechanism for both, and libssl calls both a reuse, as the stdlib does;
    `resumption` tells them apart.
    """
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("who", KEY))
    server.set_psk_server_callback(asking())
    for end in memory_pair(client, server):
        assert end.session_reused is (version is tlskit.TLSVersion.TLSv1_3)
        assert not end.resumption
        assert end.resumption.reason.name == "PRE_SHARED_KEY"
        assert end.getpeercert() is None
        assert end.get_verified_chain() == end.get_unverified_chain() == []


def test_a_server_with_a_key_resumes_other_clients(pki, version):
    client, server = both(pki, version)
    server.set_psk_server_callback(asking())
    near, _ = memory_pair(client, server)
    _, far = memory_pair(client, server, session=near.session)
    assert far.resumption


async def _later(given):
    return b""


@pytest.mark.parametrize("side", ["client", "server"])
def test_openssl_cannot_wait_for_a_key(side):
    context = tlskit.SSLContext(getattr(tlskit, f"PROTOCOL_TLS_{side.upper()}"))
    with pytest.raises(TypeError, match="cannot be a coroutine function"):
        getattr(context, f"set_psk_{side}_callback")(_later)


# -- identities that are not text, and other hashes ------------------------------------------------

SHA384 = "TLS_AES_256_GCM_SHA384"


@pytest.fixture
def modern():
    """Contexts for TLS 1.3, without a certificate."""
    client, server = (
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER),
    )
    only(tlskit.TLSVersion.TLSv1_3, client, server)
    return client, server


@pytest.mark.parametrize(
    "identity", [b"\x00\xff\x00", b"\xfe" * 300, b"\x01" * 4096], ids=["nul", "long", "longest"]
)
def test_an_identity_of_any_bytes(modern, identity):
    client, server = modern
    seen = []
    client.set_psk_client_callback(lambda hint: (identity, KEY))
    server.set_psk_server_callback(asking(seen=seen), raw_identity=True)
    near, far = memory_pair(client, server)
    assert set(seen) == {identity}
    assert near.psk_identity_bytes == far.psk_identity_bytes == identity
    assert isinstance(far.psk_identity, str)


@pytest.mark.parametrize("identity", [b"\xff", b"i" * 257], ids=["not text", "long"])
def test_a_server_that_expects_text_does_not_know_others(modern, identity):
    client, server = modern
    seen = []
    client.set_psk_client_callback(lambda hint: (identity, KEY))
    server.set_psk_server_callback(asking(seen=seen))
    assert all(isinstance(error, tlskit.SSLError) for error in failed(client, server))
    assert seen == []


def test_a_raw_identity_in_older_tls(keyed, version):
    client, server = keyed
    seen = []
    client.set_psk_client_callback(lambda hint: (b"\xff\xfe", KEY))
    server.set_psk_server_callback(asking(seen=seen), raw_identity=True)
    _, far = memory_pair(client, server)
    assert set(seen) == {b"\xff\xfe"}
    assert far.psk_identity_bytes == b"\xff\xfe"


def test_a_raw_callback_sees_tickets_and_they_are_still_resumed(pki):
    """In TLS 1.3, a ticket is where an identity would be."""
    client, server = client_context(pki), server_context(pki)
    only(tlskit.TLSVersion.TLSv1_3, client, server)
    seen = []
    server.set_psk_server_callback(
        lambda identity: (seen.append(identity), None)[1], raw_identity=True
    )
    near, _ = memory_pair(client, server)
    assert seen == []
    again, _ = memory_pair(client, server, session=near.session)
    assert again.session_reused
    assert all(len(ticket) > 32 for ticket in seen)
    assert seen


@pytest.mark.parametrize("which", ["client", "server", "both"])
def test_a_key_for_sha384(modern, which):
    """The suite that is agreed on has the hash of the key."""
    client, server = modern
    client.set_psk_client_callback(lambda hint: ("who", tlskit.PreSharedKey(KEY, hash="sha384")))
    server.set_psk_server_callback(asking(tlskit.PreSharedKey(KEY, hash="sha384")))
    if which in ("client", "both"):
        client.set_ciphersuites(SHA384)
    if which in ("server", "both"):
        server.set_ciphersuites(SHA384)
    near, far = memory_pair(client, server)
    assert near.cipher()[0] == far.cipher()[0] == SHA384
    assert near.psk_identity == far.psk_identity == "who"
    near.write(b"hello")
    assert far.read() == b"hello"


def test_a_key_for_sha384_and_a_retried_hello(modern):
    """After a HelloRetryRequest the hash is known: a key for another one is not offered again."""
    client, server = modern
    client.set_groups("X25519:P-256")
    server.set_groups("P-256")
    for context in modern:
        context.set_ciphersuites(SHA384)
    client.set_psk_client_callback(lambda hint: ("who", tlskit.PreSharedKey(KEY, hash="sha384")))
    server.set_psk_server_callback(asking(tlskit.PreSharedKey(KEY, hash="sha384")))
    near, _ = memory_pair(client, server)
    assert near.psk_identity == "who"
    client.set_psk_client_callback(lambda hint: ("who", KEY))
    assert all(isinstance(error, tlskit.SSLError) for error in failed(client, server))


def test_a_key_for_another_hash_than_the_peer_has(modern):
    client, server = modern
    for context in modern:
        context.set_ciphersuites(SHA384)
    client.set_psk_client_callback(lambda hint: ("who", KEY))
    server.set_psk_server_callback(asking(tlskit.PreSharedKey(KEY, hash="sha384")))
    assert failed(client, server)


def test_a_server_whose_suites_do_not_go_with_its_key_says_so(modern):
    client, server = modern
    client.set_psk_client_callback(lambda hint: ("who", tlskit.PreSharedKey(KEY, hash="sha384")))
    server.set_psk_server_callback(asking(tlskit.PreSharedKey(KEY, hash="sha384")))
    (error,) = (e for e in failed(client, server) if isinstance(e, ValueError))
    assert f'set_ciphersuites("{SHA384}")' in str(error)
    assert KEY.decode() not in str(error)


def test_the_hash_does_not_matter_in_older_tls(keyed, version):
    if version is tlskit.TLSVersion.TLSv1_3:
        pytest.skip("about TLS 1.2")
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("who", tlskit.PreSharedKey(KEY, hash="sha384")))
    server.set_psk_server_callback(asking())
    memory_pair(client, server)


def test_a_pre_shared_key_hides_itself():
    made = tlskit.PreSharedKey(KEY, hash="sha384")
    assert repr(made) == "<PreSharedKey: sha384>"
    assert made.hash == "sha384"
    assert not tlskit.PreSharedKey(b"")
    with pytest.raises(ValueError, match='must be "sha256" or "sha384", got \'md5\''):
        tlskit.PreSharedKey(KEY, hash="md5")
    with pytest.raises(TypeError, match="must be bytes, got str"):
        tlskit.PreSharedKey("key")


@pytest.mark.parametrize("side", ["client", "server"])
def test_each_hello_asks_once(side):
    """Not once for TLS 1.3 and once for what came before."""
    client, server = (
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER),
    )
    asked = []
    client.set_psk_client_callback(lambda hint: (asked.append("client"), ("who", KEY))[1])
    server.set_psk_server_callback(lambda name: (asked.append("server"), KEY)[1])
    memory_pair(client, server)
    assert asked.count(side) == 1
