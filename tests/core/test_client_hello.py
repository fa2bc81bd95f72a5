"""ClientHello: what it tells of real and of hostile messages, its fingerprints, and the callback
that is given one.
"""

from __future__ import annotations

import json
import pickle
import random
import socket
from collections.abc import Callable
from typing import Any

import pytest

import tlskit
from tlskit import ClientHello, TLSVersion

from ..support import hellos
from ..support.hellos import hello, name, protocols, records, two, vector
from ..support.pairs import Background, client_context, memory_pair, only, server_context
from ..support.pki import PKI

BOTH = pytest.mark.parametrize("version", [TLSVersion.TLSv1_2, TLSVersion.TLSv1_3])
GREASE = (0x0A0A, 0x1A1A, 0xFAFA)
Contexts = tuple[Any, Any]


@pytest.fixture
def contexts(pki: PKI) -> Contexts:
    return client_context(pki), server_context(pki)


def sent_by(client: Any, hostname: str | None = "localhost") -> bytes:
    """What a client sends first."""
    outgoing = tlskit.MemoryBIO()
    near = client.wrap_bio(tlskit.MemoryBIO(), outgoing, server_hostname=hostname)
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    return outgoing.read()


# -- reading ---------------------------------------------------------------------------------------


def test_the_hello_of_a_client(contexts: Contexts) -> None:
    client, _ = contexts
    client.set_alpn_protocols(["h2", "http/1.1"])
    client.set_groups("X25519:P-256")
    found = ClientHello.parse(sent_by(client))
    assert found.legacy_version == 0x0303
    assert len(found.random) == 32
    assert len(found.session_id) == 32  # RFC 8446, D.4
    assert 0x1301 in found.cipher_suites
    assert found.compression_methods == (0,)
    assert found.server_name == "localhost"
    assert found.alpn_protocols == ("h2", "http/1.1")
    assert found.alpn_names == (b"h2", b"http/1.1")
    assert found.groups == (29, 23)
    assert 0x0804 in found.signature_algorithms
    assert found.supported_versions[:2] == (0x0304, 0x0303)  # some Pythons allow older ones
    assert found.key_shares[0].group == 29
    assert len(found.key_shares[0].key) == 32
    assert found.psk_modes == (1,)
    assert found.psk_identities == ()
    assert found.session_ticket == b""
    assert found.cookie is None
    assert not found.early_data
    assert not found.encrypted_client_hello
    assert found.grease == ()
    assert found.extension(0) == name(b"localhost")
    assert found.extension(0x1234) is None
    assert [one.type for one in found.extensions].count(43) == 1


def test_the_hello_of_an_old_client(contexts: Contexts) -> None:
    client, _ = contexts
    client.maximum_version = TLSVersion.TLSv1_2
    client.check_hostname = False
    found = ClientHello.parse(sent_by(client, None))
    assert found.server_name is None
    assert found.supported_versions == found.key_shares == found.psk_modes == ()
    assert found.point_formats
    assert found.ja4.startswith("t12i")


def test_a_session_is_offered(contexts: Contexts) -> None:
    near, _ = memory_pair(*contexts)
    outgoing = tlskit.MemoryBIO()
    again = contexts[0].wrap_bio(
        tlskit.MemoryBIO(), outgoing, server_hostname="localhost", session=near.session
    )
    with pytest.raises(tlskit.SSLWantReadError):
        again.do_handshake()
    found = ClientHello.parse(outgoing.read())
    assert [one.identity for one in found.psk_identities] == [near.session.ticket]


def test_a_message_is_the_same_in_records_of_any_size() -> None:
    raw = hello(extensions=[0, 10, 13, 16, 43, 51, (0xABCD, bytes(5000))])
    first = ClientHello.parse(raw)
    for size in (1, 7, 100, 16384):
        other = ClientHello.parse(records(raw, size))
        assert other == first
        assert hash(other) == hash(first)
        assert other.raw == raw
    assert ClientHello.parse(bytearray(raw)) == ClientHello.parse(memoryview(raw)) == first
    assert first != ClientHello.parse(hello())
    assert first != raw


def test_a_value() -> None:
    found = ClientHello.parse(hello(extensions=[0, 43, 51, (41, identities((b"ticket", 7)))]))
    assert pickle.loads(pickle.dumps(found)) == found
    with pytest.raises(AttributeError):
        found.server_name = "other.example"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del found.server_name
    with pytest.raises(TypeError):
        ClientHello()
    shown = json.loads(json.dumps(found.to_dict()))
    assert shown["server_name"] == "example.org"
    assert shown["key_shares"] == [{"group": 29, "key": hellos.KEY.hex()}]
    assert shown["psk_identities"] == [{"identity": b"ticket".hex(), "obfuscated_age": 7}]
    assert shown["ja4"] == found.ja4
    assert "example.org" in repr(found)
    assert found.ja4 in repr(found)


def identities(*offered: tuple[bytes, int]) -> bytes:
    """The extension pre_shared_key."""
    listed = b"".join(vector(2, one) + age.to_bytes(4, "big") for one, age in offered)
    return vector(2, listed) + vector(2, vector(1, bytes(32)) * len(offered))


def test_what_only_some_send() -> None:
    found = ClientHello.parse(
        hello(
            extensions=[
                (35, b"a ticket"), 42, (44, vector(2, b"cookie")), (50, vector(2, two([0x0403]))),
                (0xFE0D, b"anything"), (41, identities((b"one", 1), (b"two", 2))),
            ]
        )
    )  # fmt: skip
    assert found.session_ticket == b"a ticket"
    assert found.early_data
    assert found.cookie == b"cookie"
    assert found.signature_algorithms_cert == (0x0403,)
    assert found.encrypted_client_hello
    assert found.psk_identities == ((b"one", 1), (b"two", 2))


def test_no_extensions_at_all() -> None:
    """TLS 1.2 allows the list to be absent."""
    assert ClientHello.parse(hello(extensions=None)).extensions == ()
    assert ClientHello.parse(hello(extensions=())).extensions == ()


def test_names_that_are_no_text() -> None:
    found = ClientHello.parse(hello(extensions=[(0, name(b"\xff\0x")), (16, protocols(b"\xab"))]))
    assert found.server_name == "\udcff\0x"
    assert found.alpn_protocols == ("\\xab",)
    assert json.loads(json.dumps(found.to_dict()))["server_name"] == "\\xff\0x"


# -- what is refused -------------------------------------------------------------------------------

WHOLE = hello(
    session_id=bytes(32),
    extensions=[
        0, 10, 11, 13, 16, 43, 45, 51, (44, vector(2, b"x")), (41, identities((b"one", 1)))
    ],
)  # fmt: skip


@pytest.mark.parametrize("wrap", [bytes, records], ids=["message", "record"])
def test_whatever_is_cut_off(wrap: Callable[[bytes], bytes]) -> None:
    whole = wrap(WHOLE)
    assert ClientHello.parse(whole).server_name == "example.org"
    for size in range(len(whole)):
        with pytest.raises(ValueError, match=r"."):
            ClientHello.parse(whole[:size])
    for more in (b"\0", whole):
        with pytest.raises(ValueError, match=r"."):
            ClientHello.parse(whole + more)


def test_lengths_that_lie() -> None:
    """Every byte of a message is made another; what is still well-formed parses, and nothing else
    happens.
    """
    parsed = 0
    for at in range(len(WHOLE)):
        for value in (0, 1, 0x7F, 0xFF):
            changed = bytearray(WHOLE)
            changed[at] = value
            try:
                found = ClientHello.parse(changed)
            except ValueError:
                continue
            assert found.raw == changed
            repr(found), found.to_dict()
            parsed += 1
    assert parsed > 100  # random, session id, key share ...


@pytest.mark.parametrize(
    ("extensions", "why"),
    [
        ([0, 0], "appears twice"),
        ([(0xABCD, b""), (0xABCD, b"x")], "appears twice"),
        ([GREASE[0], GREASE[0]], "appears twice"),
        ([(0, b"")], "server_name"),
        ([(0, vector(2, b""))], "server_name"),
        ([(0, vector(2, 2 * (b"\0" + vector(2, b"a"))))], "two hosts"),
        ([(0, name(b"a") + b"x")], "too many"),
        ([(10, vector(2, b"\0"))], "supported_groups"),
        ([(10, vector(2, b""))], "supported_groups"),
        ([(13, vector(2, b"\4\3\0"))], "signature_algorithms"),
        ([(16, vector(2, b""))], "application_layer"),
        ([(16, protocols(b""))], "application_layer"),
        ([(43, vector(1, b"\3"))], "supported_versions"),
        ([(44, vector(2, b""))], "cookie"),
        ([(51, vector(2, b"\0\x1d\0\0"))], "key_share"),
        ([(41, identities((b"", 0)))], "pre_shared_key"),
        ([(41, identities((b"one", 1)) + b"x")], "too many"),
        ([(41, vector(2, vector(2, b"abc") + bytes(4)) + vector(2, 2 * vector(1, bytes(32))))],
         "1 identities and 2 binders"),
    ],
)  # fmt: skip
def test_malformed_extensions(extensions: list[Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ClientHello.parse(hello(extensions=extensions))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cannot be empty"),
        (b"\2" + hello()[1:], "must begin with 1"),
        (b"GET / HTTP/1.1\r\n\r\n", "must begin with 1"),
        (hello(session_id=bytes(33)), "33 bytes"),
        (hello(suites=()), "cipher_suites"),
        (hello(compression=b""), "0 bytes"),
        (b"\x16\2\1" + vector(2, hello()), "major version"),
        (b"\x16\3\1\0\0", "0 bytes"),
        (records(hello())[:10] + b"", "ends after"),
        (b"\x16\3\1" + vector(2, bytes(16385)), "16385 bytes"),
        (b"\x16\3\1" + vector(2, hello()[:9]) + b"\x17\3\3\0\1x", "another type"),
    ],
)
def test_what_is_no_hello(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ClientHello.parse(data)


@pytest.mark.parametrize("bad", [None, "text", 5])
def test_what_is_no_bytes(bad: Any) -> None:
    with pytest.raises(TypeError):
        ClientHello.parse(bad)


def test_the_largest() -> None:
    """64 KiB of extensions, of cipher suites, and of both."""
    many = [(number, b"") for number in range(0x2000, 0x2000 + 16000)]
    for raw in (
        hello(extensions=[(0xABCD, bytes(65531))]),
        hello(extensions=many),
        hello(suites=range(32767)),
        hello(suites=range(32767), extensions=[0, 43, (0xABCD, bytes(65400))]),
    ):
        found = ClientHello.parse(records(raw))
        assert found.raw == raw
        assert found.ja4
        assert found.ja3
    assert ClientHello.parse(hello(extensions=many)).ja4[4:8] == "1599"


# -- fingerprints ----------------------------------------------------------------------------------


def test_ja4_as_published() -> None:
    """The example of JA4's description."""
    extensions = [
        0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012,
        0x002B, 0xFF01, 0x000B, 0x000A, 0x0015,
    ]  # fmt: skip
    found = ClientHello.parse(hello(extensions=extensions))
    assert found.ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert found.ja4_text == (
        "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_"
        "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_"
        "0403,0804,0401,0503,0805,0501,0806,0601"
    )


def test_both_fingerprints_of_a_browser() -> None:
    """As a public service shows them for Chrome 143."""
    extensions = [
        0x2D, 0x33, 0x10, 0xFE0D, 0x17, 0x44CD, 0, 0xB, 0xA, 0x2B, 0xFF01, 0x23, 0x12, 5, 0xD, 0x1B
    ]  # fmt: skip
    found = ClientHello.parse(hello(extensions=extensions))
    assert found.ja3 == "98487aa16281980e7d1120d399efb6a4"
    assert found.ja4 == "t13d1516h2_8daaf6152771_d8a2da3f94cd"


def test_grease_is_told_and_left_out() -> None:
    """RFC 8701: it changes with each connection, and the fingerprints must not."""
    plain = [0, 10, 11, 13, 16, 43, 51]
    before = ClientHello.parse(hello(extensions=plain))
    bodies = {
        10: vector(2, two((GREASE[1], 4588, 29, 23, 24))),
        13: vector(2, two((GREASE[1], *hellos.SIGNATURES))),
        43: vector(1, two((GREASE[2], 0x0304, 0x0303))),
    }
    grown = [GREASE[0], *((one, bodies[one]) if one in bodies else one for one in plain), GREASE[1]]
    after = ClientHello.parse(hello(suites=(GREASE[2], *hellos.SUITES), extensions=grown))
    assert before.grease == ()
    assert after.grease == GREASE
    assert (after.ja3, after.ja4) == (before.ja3, before.ja4)
    assert after.supported_versions[0] == GREASE[2]


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        (b"h2", "h2"), (b"http/1.1", "h1"), (b"x", "xx"), (b"\xab", "ab"), (b"\xab\xcd", "ad"),
        (b"0\xab", "3b"), (b"01\xab\xcd", "3d"), (b"0\xab\xcd1", "01"),
    ],
)  # fmt: skip
def test_alpn_in_ja4(first: bytes, shown: str) -> None:
    found = ClientHello.parse(hello(extensions=[(16, protocols(first, b"h2"))]))
    assert found.ja4[8:10] == shown


@pytest.mark.parametrize(
    ("version", "shown"),
    [(0x0304, "13"), (0x0303, "12"), (0x0302, "11"), (0x0301, "10"), (0x0300, "s3"), (7, "00")],
)
def test_versions_in_ja4(version: int, shown: str) -> None:
    assert ClientHello.parse(hello(version=version)).ja4[1:3] == shown
    offered = hello(extensions=[(43, vector(1, two((0x0300, version))))])
    assert ClientHello.parse(offered).ja4[1:3] == ("s3" if version == 7 else shown)


def test_what_ja4_says_of_nothing() -> None:
    assert ClientHello.parse(hello(suites=GREASE, extensions=[0])).ja4 == (
        "t12d000100_000000000000_000000000000"
    )
    without = ClientHello.parse(hello(extensions=[0x0005, 0x000A]))
    assert without.ja4_text.endswith("_0005,000a")


def test_the_same_software_has_the_same_fingerprint(contexts: Contexts) -> None:
    client, _ = contexts
    first, second = (ClientHello.parse(sent_by(client)) for _ in range(2))
    assert first.random != second.random
    assert (first.ja3, first.ja4) == (second.ja3, second.ja4)
    client.set_alpn_protocols(["h2"])
    assert ClientHello.parse(sent_by(client)).ja4.split("_")[1:] == first.ja4.split("_")[1:]


# -- the callback ----------------------------------------------------------------------------------


@BOTH
def test_the_callback_sees_what_was_sent(contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    seen: list[Any] = []
    server.client_hello_callback = lambda connection, hello: seen.append((connection, hello))
    near, far = memory_pair(client, server)
    assert near.version() == far.version()
    [(connection, found)] = seen
    assert connection is far
    assert found.server_name == "localhost"
    assert found.random == near.client_random()
    assert found == ClientHello.parse(found.raw)
    assert set(found.cipher_suites) >= {near.info.cipher_suite}


@BOTH
def test_extensions_that_openssl_does_not_know(contexts: Contexts, version: TLSVersion) -> None:
    _, server = contexts
    only(version, server)
    seen: list[ClientHello] = []

    def look(connection: Any, hello: ClientHello) -> None:
        seen.append(hello)

    server.client_hello_callback = look
    raw = hello(
        suites=(GREASE[0], *hellos.SUITES),
        extensions=[GREASE[1], 0, 10, 11, 13, 43, 51, (0xABCD, b"ours")],
    )
    incoming, outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    far = server.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(records(raw, 100))
    with pytest.raises(tlskit.SSLWantReadError):
        far.do_handshake()
    assert outgoing.pending
    assert seen[0].raw == raw
    assert seen[0].extension(0xABCD) == b"ours"
    assert seen[0].grease == GREASE[:2]


@BOTH
def test_over_sockets(contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    seen: list[str] = []
    server.client_hello_callback = lambda connection, hello: seen.append(hello.ja4)
    near, far = socket.socketpair()
    serving = Background(lambda: server.wrap_socket(far, server_side=True))
    with (
        client.wrap_socket(near, server_hostname="localhost") as wrapped,
        serving.result() as other,
    ):
        wrapped.sendall(b"hello")
        assert other.recv(5) == b"hello"
    assert len(seen) == 1


def test_once_for_two_hellos(contexts: Contexts) -> None:
    """After a HelloRetryRequest the client says it again."""
    client, server = contexts
    client.set_groups("X25519:P-256")
    server.set_groups("P-256")
    seen: list[ClientHello] = []
    server.client_hello_callback = lambda connection, hello: seen.append(hello)
    near, _ = memory_pair(client, server)
    assert near.group() in ("secp256r1", "prime256v1", "P-256")
    assert len(seen) == 1
    assert [share.group for share in seen[0].key_shares] == [29]


@BOTH
def test_another_context(pki: PKI, contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    other = server_context(pki, identity=pki.direct)
    only(version, client, server, other)

    def choose(connection: Any, hello: ClientHello) -> None:
        connection.context = other

    server.client_hello_callback = choose
    near, far = memory_pair(client, server)
    assert far.context is other
    assert near.getpeercert(True) == memory_pair(client, other)[0].getpeercert(True)
    assert near.getpeercert(True) != memory_pair(client, server_context(pki))[0].getpeercert(True)


@BOTH
def test_before_the_callback_for_the_name(
    pki: PKI, contexts: Contexts, version: TLSVersion
) -> None:
    """The context that it sets is asked about the name, as if it had been there first."""
    client, server = contexts
    other = server_context(pki)
    only(version, client, server, other)
    calls: list[Any] = []

    def choose(connection: Any, hello: ClientHello) -> None:
        calls.append("hello")
        connection.context = other

    server.client_hello_callback = choose
    server.sni_callback = lambda *anything: calls.append("first")
    other.sni_callback = lambda connection, name, context: calls.append((name, context))
    memory_pair(client, server)
    assert calls == ["hello", ("localhost", other)]


@BOTH
@pytest.mark.parametrize("alert", [40, 112, tlskit.AlertDescription(49)])
def test_a_refusal(contexts: Contexts, version: TLSVersion, alert: int) -> None:
    client, server = contexts
    only(version, client, server)
    server.client_hello_callback = lambda connection, hello: alert
    with pytest.raises(tlskit.SSLError) as refused:
        memory_pair(client, server)
    # the server's own error comes first, for its end is asked first after the ClientHello
    assert refused.value.alert_sent == alert  # type: ignore[attr-defined]
    assert server.handshake_failures


@BOTH
def test_the_client_hears_the_alert(contexts: Contexts, version: TLSVersion) -> None:
    client, server = contexts
    only(version, client, server)
    server.client_hello_callback = lambda connection, hello: 112
    near, far = socket.socketpair()
    serving = Background(lambda: server.wrap_socket(far, server_side=True))
    with pytest.raises(tlskit.SSLError) as refused:
        client.wrap_socket(near, server_hostname="localhost")
    assert refused.value.alert_received.name == "UNRECOGNIZED_NAME"  # type: ignore[attr-defined]
    assert isinstance(serving.error, tlskit.SSLError)


@BOTH
def test_what_it_raises_comes_out_of_its_own_connection(
    contexts: Contexts, version: TLSVersion
) -> None:
    client, server = contexts
    only(version, client, server)

    def fail(connection: Any, hello: ClientHello) -> None:
        raise LookupError("no such tenant")

    server.client_hello_callback = fail
    near, far = socket.socketpair()
    serving = Background(lambda: server.wrap_socket(far, server_side=True))
    with pytest.raises(tlskit.SSLError) as refused:
        client.wrap_socket(near, server_hostname="localhost")
    assert refused.value.alert_received.name == "INTERNAL_ERROR"  # type: ignore[attr-defined]
    assert isinstance(serving.error, LookupError)
    server.client_hello_callback = None
    memory_pair(client, server)
    assert server.handshake_failures == {"lookuperror": 1}


@pytest.mark.parametrize(
    ("answer", "error"),
    [(True, TypeError), ("x", TypeError), (256, ValueError), (-1, ValueError)],
)
def test_answers_that_mean_nothing(contexts: Contexts, answer: Any, error: type[Exception]) -> None:
    client, server = contexts
    server.client_hello_callback = lambda connection, hello: answer
    with pytest.raises(error, match="client_hello_callback"):
        memory_pair(client, server)


def test_a_hello_that_openssl_would_take(contexts: Contexts) -> None:
    """An extension that OpenSSL does not know, twice."""
    _, server = contexts
    server.client_hello_callback = lambda connection, hello: None
    incoming, outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    far = server.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(records(hello(extensions=[0, 10, 11, 13, 43, 51, 0xABCD, 0xABCD])))
    with pytest.raises(tlskit.SSLError, match="malformed ClientHello: the extension 43981"):
        far.do_handshake()
    assert far.alert_sent.name == "DECODE_ERROR"


def test_random_bytes_do_no_harm(contexts: Contexts) -> None:
    _, server = contexts
    server.client_hello_callback = lambda connection, hello: None
    rng = random.Random(7)
    for _ in range(200):
        raw = bytearray(records(WHOLE))
        for _ in range(rng.choice([1, 2, 8])):
            raw[rng.randrange(5, len(raw))] = rng.randrange(256)
        incoming = tlskit.MemoryBIO()
        far = server.wrap_bio(incoming, tlskit.MemoryBIO(), server_side=True)
        incoming.write(raw)
        with pytest.raises((tlskit.SSLError, tlskit.SSLWantReadError)):
            far.do_handshake()


@BOTH
def test_a_server_that_verifies_resumes_nothing(
    pki: PKI, contexts: Contexts, version: TLSVersion
) -> None:
    """The other context may have other authorities."""
    client, server = contexts
    only(version, client, server)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    first, _ = memory_pair(client, server)
    again, _ = memory_pair(client, server, session=first.session)
    assert again.session_reused
    server.client_hello_callback = lambda connection, hello: None
    first, _ = memory_pair(client, server)
    again, _ = memory_pair(client, server, session=first.session)
    assert not again.session_reused


@BOTH
def test_sessions_from_a_store_are_still_found(contexts: Contexts, version: TLSVersion) -> None:
    """Both pauses, one after the other."""
    client, server = contexts
    only(version, client, server)
    server.sessions.store = tlskit.MemoryStore()
    seen: list[ClientHello] = []
    server.client_hello_callback = lambda connection, hello: seen.append(hello)
    first, _ = memory_pair(client, server)
    again, far = memory_pair(client, server, session=first.session)
    assert again.session_reused
    assert far.resumption
    assert len(seen) == 2


def test_where_it_can_be_set(contexts: Contexts) -> None:
    client, server = contexts
    with pytest.raises(ValueError, match="TLS_CLIENT"):
        client.client_hello_callback = print
    with pytest.raises(TypeError, match="callable or None, not int"):
        server.client_hello_callback = 5
    assert server.client_hello_callback is None
    server.client_hello_callback = print
    assert server.client_hello_callback is print
    assert server.copy().client_hello_callback is print
    assert "client_hello_callback" in server.describe()


def test_a_coroutine_function_needs_a_loop(contexts: Contexts) -> None:
    client, server = contexts

    async def later(connection: Any, hello: ClientHello) -> None: ...

    server.client_hello_callback = later
    with pytest.raises(TypeError, match=r"client_hello_callback is a coroutine .*aio\.install"):
        memory_pair(client, server)
    near, far = socket.socketpair()
    with near, pytest.raises(TypeError, match="blocking sockets"):
        server.wrap_socket(far, server_side=True)
    server.client_hello_callback = lambda *given: later(*given)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"returned an awaitable \(.*later\)"):
        memory_pair(client, server)


@pytest.mark.parametrize("bad", [0, -1, float("inf"), "1"])
def test_time_limits(contexts: Contexts, bad: Any) -> None:
    _, server = contexts
    with pytest.raises((ValueError, TypeError), match="callback_timeout"):
        server.callback_timeout = bad
    assert server.callback_timeout == 10.0
    server.callback_timeout = None
    assert server.callback_timeout is None
