"""tlskit against the stdlib's `ssl`: either as the client, over sockets and in memory, every
version, full and resumed.
"""

from __future__ import annotations

import contextlib
import socket
import ssl as stdlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import tlskit

from ..stdlib.compare import knows_shared_ciphers
from ..support.pairs import Background, client_context, only, server_context, shake, strict
from ..support.pki import PKI

pytestmark = pytest.mark.filterwarnings(r"ignore:ssl\.TLSVersion\.TLSv1:DeprecationWarning")

TLSv1_2, TLSv1_3 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3
NAMES = {"TLSv1": "TLSv1", "TLSv1_1": "TLSv1.1", "TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}
BOTH = pytest.mark.parametrize("version", [TLSv1_2, TLSv1_3], ids=lambda version: version.name)
TICKETS = pytest.mark.parametrize("options", [0, tlskit.OP_NO_TICKET], ids=["tickets", "ids"])
PATIENCE = 20.0  # seconds: only a test that fails waits as long

Modules = tuple[ModuleType, ModuleType]  # the client's and the server's
MIXED = {"tlskit-ssl": (tlskit, stdlib), "ssl-tlskit": (stdlib, tlskit)}


# -- ends ------------------------------------------------------------------------------------------


@pytest.fixture(params=MIXED.values(), ids=MIXED.keys())
def modules(request: pytest.FixtureRequest) -> Modules:
    """The client's module and the server's: tlskit is one of them."""
    chosen: Modules = request.param
    return chosen


def contexts_of(
    modules: Modules, pki: PKI, version: tlskit.TLSVersion, **settings: Any
) -> tuple[Any, Any]:
    """A client's and a server's context that speak `version` alone."""
    client, server = (
        client_context(pki, module=modules[0]),
        server_context(pki, module=modules[1], **settings),
    )
    only(version, client, server)
    return client, server


@pytest.fixture
def contexts(modules: Modules, pki: PKI, version: tlskit.TLSVersion) -> tuple[Any, Any]:
    """A client's and a server's context, one of tlskit's and one of the stdlib's."""
    return contexts_of(modules, pki, version)


class SocketLink:
    """Two connected sockets with TLS in them."""

    def __init__(
        self, client: Any, server: Any, *, hostname: str | None, session: Any, **settings: Any
    ) -> None:
        near, far = socket.socketpair()
        near.settimeout(PATIENCE)
        far.settimeout(PATIENCE)
        accepting = Background(lambda: server.wrap_socket(far, server_side=True, **settings))
        self.near = client.wrap_socket(near, server_hostname=hostname, session=session, **settings)
        self.far = accepting.result()

    def carry(self, source: Any, target: Any, data: bytes) -> bytes:
        """Send data from one end to the other; what arrives there."""
        sending = Background(lambda: source.sendall(data))
        got = bytearray()
        while len(got) < len(data) and (piece := target.recv(65536)):
            got += piece
        sending.result()
        return bytes(got)

    def part(self, first: Any, second: Any) -> None:
        """End both ends' TLS, one after the other."""
        ending = Background(first.unwrap)
        assert second.recv(1) == b""
        second.unwrap()
        ending.result()

    def close(self) -> None:
        self.near.close()
        self.far.close()


class MemoryLink:
    """Two SSLObjects, and the queues between them: either the stdlib's for both, or each module's
    own for its end.
    """

    def __init__(
        self, client: Any, server: Any, *, hostname: str | None, session: Any, own: bool
    ) -> None:
        if own:
            kinds = [
                tlskit if isinstance(context, tlskit.SSLContext) else stdlib
                for context in (client, server)
            ]
            self._near_in, self._near_out = kinds[0].MemoryBIO(), kinds[0].MemoryBIO()
            self._far_in, self._far_out = kinds[1].MemoryBIO(), kinds[1].MemoryBIO()
        else:
            self._near_in = self._far_out = stdlib.MemoryBIO()
            self._near_out = self._far_in = stdlib.MemoryBIO()
        self._own = own
        self.near = client.wrap_bio(
            self._near_in, self._near_out, server_hostname=hostname, session=session
        )
        self.far = server.wrap_bio(self._far_in, self._far_out, server_side=True)
        waiting = [self.near, self.far]
        for _ in range(20):
            for end in list(waiting):
                with contextlib.suppress(stdlib.SSLWantReadError):
                    end.do_handshake()
                    waiting.remove(end)
                self._move()
            if not waiting:
                return
        raise AssertionError("the handshake did not come to an end")

    def _move(self) -> None:
        if self._own:
            self._far_in.write(self._near_out.read())
            self._near_in.write(self._far_out.read())

    def carry(self, source: Any, target: Any, data: bytes) -> bytes:
        """Send data from one end to the other; what arrives there."""
        sent = source.write(data)
        while sent < len(data):
            sent += source.write(data[sent:])
        self._move()
        got = bytearray()
        with contextlib.suppress(stdlib.SSLWantReadError):
            while piece := target.read(65536):
                got += piece
        self._move()
        return bytes(got)

    def part(self, first: Any, second: Any) -> None:
        """End both ends' TLS, one after the other."""
        with pytest.raises(stdlib.SSLWantReadError):
            first.unwrap()
        self._move()
        assert second.read(1) == b""
        second.unwrap()
        self._move()
        first.unwrap()

    def close(self) -> None:
        pass


LINKS: dict[str, Callable[..., Any]] = {
    "sockets": SocketLink,
    "memory": lambda *args, **kwargs: MemoryLink(*args, own=False, **kwargs),
    "own-memory": lambda *args, **kwargs: MemoryLink(*args, own=True, **kwargs),
}


@pytest.fixture(params=LINKS.values(), ids=LINKS.keys())
def link(request: pytest.FixtureRequest) -> Callable[..., contextlib.AbstractContextManager[Any]]:
    """A function that connects two contexts, in one way after the other; use it in `with`."""

    @contextlib.contextmanager
    def connected(
        client: Any, server: Any, *, hostname: str | None = "localhost", session: Any = None
    ) -> Iterator[Any]:
        made = request.param(client, server, hostname=hostname, session=session)
        with contextlib.closing(made):
            yield made

    return connected


def in_memory(
    client: Any, server: Any, *, hostname: str | None = "localhost", session: Any = None
) -> Any:
    """The two ends of a connection whose client has taken its tickets."""
    made = MemoryLink(client, server, hostname=hostname, session=session, own=False)
    assert made.carry(made.far, made.near, b"tickets first") == b"tickets first"
    return made


# -- the main job ----------------------------------------------------------------------------------


@TICKETS
def test_full_and_resumed(link, contexts, version, options):
    client, server = contexts
    server.options |= options
    session, bindings = None, set()
    for resumed in (False, True, True):
        with link(client, server, session=session) as made:
            near, far = made.near, made.far
            assert near.session_reused is resumed
            assert far.session_reused is resumed
            assert near.version() == far.version() == NAMES[version.name]
            assert near.cipher() == far.cipher()
            assert near.cipher()[2] >= 128
            assert near.get_channel_binding("tls-unique") == far.get_channel_binding("tls-unique")
            bindings.add(near.get_channel_binding())
            assert near.compression() is None
            assert made.carry(near, far, b"ping") == b"ping"
            assert made.carry(far, near, b"pong") == b"pong"
            session = near.session
            made.part(near, far)
        assert session.has_ticket == (version == TLSv1_3 or not options)
    assert None not in bindings
    assert len(bindings) == 3
    assert client.session_stats()["hits"] == server.session_stats()["hits"] == 2


@TICKETS
def test_a_server_that_has_forgotten(modules, pki, version, link, options):
    client = client_context(pki, module=modules[0])
    only(version, client)
    session = None
    for _ in range(2):
        server = server_context(pki, module=modules[1])
        only(version, server)
        server.options |= options
        with link(client, server, session=session) as made:
            assert made.near.session_reused is False
            assert made.far.session_reused is False
            assert made.carry(made.far, made.near, b"pong") == b"pong"
            session = made.near.session


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 1 << 20])
def test_data_arrives(link, contexts, size):
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    with link(*contexts) as made:
        for source, target in ((made.near, made.far), (made.far, made.near)):
            assert made.carry(source, target, data) == data
            assert made.carry(source, target, b"and on") == b"and on"


def test_an_empty_write_sends_nothing(link, contexts):
    with link(*contexts) as made:
        for source, target in ((made.near, made.far), (made.far, made.near)):
            assert source.write(b"") == 0
            assert made.carry(source, target, b"!") == b"!"


def test_either_end_may_part_first(link, contexts):
    for client_first in (True, False):
        with link(*contexts) as made:
            assert made.carry(made.far, made.near, b"pong") == b"pong"
            made.part(*((made.near, made.far) if client_first else (made.far, made.near)))


def test_the_socket_is_plain_afterwards(contexts):
    made = SocketLink(*contexts, hostname="localhost", session=None)
    with contextlib.closing(made):
        assert made.carry(made.far, made.near, b"pong") == b"pong"
        ending = Background(made.far.unwrap)
        bare_near = made.near.unwrap()
        bare_far = ending.result()
        for source, target in ((bare_near, bare_far), (bare_far, bare_near)):
            source.sendall(b"in the clear")
            assert target.recv(100) == b"in the clear"


@pytest.mark.parametrize("cut", ["near", "far"])
def test_a_ragged_end_shows(contexts, cut):
    for context in contexts:
        strict(context)
    made = SocketLink(*contexts, hostname="localhost", session=None, suppress_ragged_eofs=False)
    with contextlib.closing(made):
        assert made.carry(made.far, made.near, b"pong") == b"pong"
        assert made.carry(made.near, made.far, b"ping") == b"ping"
        gone, left = (made.near, made.far) if cut == "near" else (made.far, made.near)
        gone.close()
        if isinstance(left, tlskit.SSLSocket):
            with pytest.raises(stdlib.SSLEOFError):
                left.recv(1)
            return
        # With OpenSSL 3.2 and later, the stdlib's end may tell of the alert instead, which it could
        # not send. Python 3.11.2 has no class of its own for this end.
        with pytest.raises((stdlib.SSLError, BrokenPipeError)) as caught:
            left.recv(1)
        assert (
            isinstance(caught.value, (stdlib.SSLEOFError, BrokenPipeError))
            or caught.value.reason == "UNEXPECTED_EOF_WHILE_READING"
        )


def test_non_blocking_sockets(contexts):
    client, server = contexts
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with (
        client.wrap_socket(
            near, server_hostname="localhost", do_handshake_on_connect=False
        ) as near,
        server.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as far,
    ):
        shake(near, far)
        for end in (near, far):
            with pytest.raises(stdlib.SSLWantReadError):
                end.recv(1)
        for source, target in ((near, far), (far, near)):
            assert source.send(b"ping") == 4
            assert target.recv(100) == b"ping"


# -- what either module makes of the same thing ----------------------------------------------------


def unchanged(client: Any, server: Any) -> None:
    """Prepare nothing."""


def as_seen(
    view: Callable[[Any, Any], Any],
    pki: PKI,
    version: tlskit.TLSVersion,
    side: str,
    prepare: Callable[[Any, Any], None] = unchanged,
    **settings: Any,
) -> list[Any]:
    """What `view(near, far)` says with the stdlib and then with tlskit on one side; the other one
    is the stdlib's.
    """
    seen = []
    for module in (stdlib, tlskit):
        client, server = contexts_of(
            (module, stdlib) if side == "client" else (stdlib, module), pki, version, **settings
        )
        prepare(client, server)
        made = in_memory(client, server)
        seen.append(view(made.near, made.far))
    return seen


@pytest.mark.parametrize("shown", ["server", "direct", "rsa"])
def test_the_server_s_certificate(pki, version, shown):
    identity = getattr(pki, shown)
    theirs, ours = as_seen(
        lambda near, far: (near.getpeercert(), near.getpeercert(True)),
        pki,
        version,
        "client",
        identity=identity,
    )
    assert theirs == ours
    assert ("DNS", "localhost") in ours[0]["subjectAltName"]
    assert ours[1] == stdlib.PEM_cert_to_DER_cert(
        identity.chain.read_text().partition("-----END")[0] + "-----END CERTIFICATE-----"
    )


@pytest.mark.parametrize(
    ("mode", "shows"),
    [
        (stdlib.CERT_NONE, True),
        (stdlib.CERT_NONE, False),
        (stdlib.CERT_OPTIONAL, True),
        (stdlib.CERT_OPTIONAL, False),
        (stdlib.CERT_REQUIRED, True),
    ],
)
def test_the_client_s_certificate(pki, version, mode, shows):
    def prepare(client: Any, server: Any) -> None:
        if shows:
            client.load_cert_chain(pki.client.chain, pki.client.key)
        server.load_verify_locations(pki.root)
        server.verify_mode = mode

    theirs, ours = as_seen(
        lambda near, far: (far.getpeercert(), far.getpeercert(True)),
        pki,
        version,
        "server",
        prepare,
    )
    assert theirs == ours
    assert (ours[1] is None) == (mode == stdlib.CERT_NONE or not shows)


def test_a_certificate_that_is_not_verified(pki, version):
    def prepare(client: Any, server: Any) -> None:
        client.check_hostname = False
        client.verify_mode = stdlib.CERT_NONE

    theirs, ours = as_seen(
        lambda near, far: (near.getpeercert(), near.getpeercert(True)),
        pki,
        version,
        "client",
        prepare,
    )
    assert theirs == ours
    assert ours[0] == {}
    assert ours[1] is not None


def test_the_certificate_of_a_resumed_connection(pki, version):
    seen = []
    for module in (stdlib, tlskit):
        client, server = contexts_of((module, module), pki, version)
        client.load_cert_chain(pki.client.chain, pki.client.key)
        server.load_verify_locations(pki.root)
        server.verify_mode = stdlib.CERT_REQUIRED
        again = in_memory(client, server, session=in_memory(client, server).near.session)
        assert again.near.session_reused
        seen.append([(end.getpeercert(), end.getpeercert(True)) for end in (again.near, again.far)])
    assert seen[0] == seen[1]
    assert all(certificate and der for certificate, der in seen[1])


def chain(end: Any, method: str) -> list[bytes]:
    """A chain in DER, also where the stdlib keeps it to itself, before Python 3.13."""
    if hasattr(end, method):
        return list(getattr(end, method)())
    return [certificate.public_bytes(2) for certificate in getattr(end._sslobj, method)()]


@pytest.mark.parametrize(
    ("method", "size"), [("get_verified_chain", 3), ("get_unverified_chain", 2)]
)
def test_the_server_s_chain(pki, version, method, size):
    theirs, ours = as_seen(lambda near, far: chain(near, method), pki, version, "client")
    assert theirs == ours
    assert len(ours) == size


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_suites(pki, version, side):
    theirs, ours = as_seen(
        lambda near, far: (near.cipher(), far.cipher(), far.shared_ciphers()), pki, version, side
    )
    shared = ours[2]
    if side == "client" or knows_shared_ciphers:
        assert theirs == ours
    else:
        assert theirs[:2] == ours[:2]
        assert set(shared) <= set(theirs[2])  # which are all that the server has
        assert ours[0] in shared
    assert len(shared) > 1


@TICKETS
def test_the_session(pki, version, options):
    def prepare(client: Any, server: Any) -> None:
        server.options |= options

    def view(near: Any, far: Any) -> tuple[Any, ...]:
        s = near.session
        return (
            s.has_ticket,
            s.timeout,
            s.ticket_lifetime_hint,
            len(s.id),
            type(s.time),
            type(s.timeout),
            type(s.id),
        )

    theirs, ours = as_seen(view, pki, version, "client", prepare)
    assert theirs == ours


@TICKETS
@pytest.mark.parametrize("side", ["client", "server"])
def test_the_counters(pki, version, side, options):
    counted = []
    for module in (stdlib, tlskit):
        client, server = contexts_of(
            (module, stdlib) if side == "client" else (stdlib, module), pki, version
        )
        server.options |= options
        session = None
        for _ in range(2):
            made = in_memory(client, server, session=session)
            session = made.near.session
            made.part(made.near, made.far)  # or the stdlib's server would forget the session
        counted.append((client if side == "client" else server).session_stats())
    assert counted[0] == counted[1]
    assert counted[1]["hits"] == 1


def test_sessions_stay_in_their_module(pki, version):
    clients = {module: contexts_of((module, module), pki, version) for module in (stdlib, tlskit)}
    sessions = {module: in_memory(*contexts).near.session for module, contexts in clients.items()}
    for module, other in ((stdlib, tlskit), (tlskit, stdlib)):
        with pytest.raises(TypeError, match="Value is not a SSLSession"):
            in_memory(*clients[module], session=sessions[other])


# -- what is negotiated on top ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [
        (["http/1.1", "h2"], ["h2", "http/1.1"], "h2"),
        (["h2"], ["http/1.1"], None),
        ([], ["h2"], None),
        (["h2"], [], None),
        (["x" * 255], ["y", "x" * 255], "x" * 255),
    ],
    ids=["servers-choice", "none-in-common", "not-offered", "not-known", "longest"],
)
def test_alpn(contexts, offered, known, chosen):
    client, server = contexts
    for context, protocols in ((client, offered), (server, known)):
        if protocols:
            context.set_alpn_protocols(protocols)
    session = None
    for resumed in (False, True):
        made = in_memory(client, server, session=session)
        assert made.near.session_reused is resumed
        assert made.near.selected_alpn_protocol() == made.far.selected_alpn_protocol() == chosen
        session = made.near.session


@pytest.mark.parametrize(
    ("hostname", "asked"),
    [
        ("localhost", "localhost"),
        ("other.example", "other.example"),
        ("könig.example", "xn--knig-5qa.example"),
        ("127.0.0.1", None),
        ("::1", None),
    ],
)
def test_the_server_is_asked_by_name(modules, contexts, pki, version, hostname, asked):
    client, server = contexts
    other = server_context(pki, module=modules[1], identity=pki.direct)
    only(version, other)
    calls = []

    def choose(connection: Any, name: str | None, context: Any) -> None:
        calls.append((name, context))
        if name == "other.example":
            connection.context = other

    server.sni_callback = choose
    made = in_memory(client, server, hostname=hostname)
    assert calls == [(asked, server)]
    assert made.far.context is (other if hostname == "other.example" else server)
    shown = pki.direct if hostname == "other.example" else pki.server
    pem = shown.chain.read_text().partition("-----END")[0] + "-----END CERTIFICATE-----"
    assert made.near.getpeercert(True) == stdlib.PEM_cert_to_DER_cert(pem)


def test_one_context_for_two_names_resumes_each(contexts):
    client, server = contexts
    server.sni_callback = lambda connection, name, context: (
        None
    )  # so that the server takes note of the name
    sessions = {
        name: in_memory(client, server, hostname=name).near.session
        for name in ("localhost", "other.example")
    }
    for name, session in sessions.items():
        assert in_memory(client, server, hostname=name, session=session).near.session_reused


def test_post_handshake_authentication(modules, pki, link):
    client, server = contexts_of(modules, pki, TLSv1_3)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    client.post_handshake_auth = server.post_handshake_auth = True
    server.load_verify_locations(pki.root)
    server.verify_mode = stdlib.CERT_REQUIRED
    with link(client, server) as made:
        assert made.far.getpeercert(True) is None
        made.far.verify_client_post_handshake()
        assert made.carry(made.far, made.near, b"now show it") == b"now show it"
        assert made.carry(made.near, made.far, b"here it is") == b"here it is"
        assert made.far.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)


# -- what does not come about ----------------------------------------------------------------------


def outcome(client: Any, server: Any, hostname: str) -> dict[str, Any]:
    """How a connection fails at each end: the exception's class and what it says in numbers; "fine"
    where it does not.
    """
    there, back = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    ends = {
        "client": client.wrap_bio(back, there, server_hostname=hostname),
        "server": server.wrap_bio(there, back, server_side=True),
    }
    found: dict[str, Any] = {}
    for _ in range(10):
        for side, end in ends.items():
            if side in found:
                continue
            try:
                end.do_handshake()
                end.read(1)
            except stdlib.SSLWantReadError:
                pass
            except stdlib.SSLError as error:
                numbers = (
                    error.errno,
                    error.library,
                    error.reason,
                    getattr(error, "verify_code", None),
                )
                found[side] = (
                    type(error).__name__,
                    *numbers,
                    getattr(error, "verify_message", None),
                )
    return {side: found.get(side, "fine") for side in ends}


def _untrusted(client: Any, server: Any, pki: PKI) -> None:
    server.load_cert_chain(pki.stranger.chain, pki.stranger.key)


def _expired(client: Any, server: Any, pki: PKI) -> None:
    server.load_cert_chain(pki.expired.chain, pki.expired.key)


def _no_common_version(client: Any, server: Any, pki: PKI) -> None:
    if client.maximum_version == TLSv1_2:
        client.maximum_version = client.minimum_version = TLSv1_3
    else:
        server.minimum_version = server.maximum_version = TLSv1_2


def _no_common_suite(client: Any, server: Any, pki: PKI) -> None:
    only(TLSv1_2, client, server)
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    server.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")


def _no_suite_for_the_key(client: Any, server: Any, pki: PKI) -> None:
    only(TLSv1_2, client, server)
    server.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")


def _client_certificate_missing(client: Any, server: Any, pki: PKI) -> None:
    server.load_verify_locations(pki.root)
    server.verify_mode = stdlib.CERT_REQUIRED


def _client_certificate_untrusted(client: Any, server: Any, pki: PKI) -> None:
    _client_certificate_missing(client, server, pki)
    client.load_cert_chain(pki.stranger.chain, pki.stranger.key)


def _client_certificate_expired(client: Any, server: Any, pki: PKI) -> None:
    _client_certificate_missing(client, server, pki)
    client.load_cert_chain(pki.expired.chain, pki.expired.key)


def _name_turned_away(client: Any, server: Any, pki: PKI) -> None:
    server.sni_callback = lambda connection, name, context: (
        stdlib.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    )


def _nothing(client: Any, server: Any, pki: PKI) -> None:
    pass


FAILURES = {
    "untrusted": (_untrusted, "localhost"),
    "expired": (_expired, "localhost"),
    "wrong-name": (_nothing, "nobody.example"),
    "wrong-address": (_nothing, "127.0.0.2"),
    "no-common-version": (_no_common_version, "localhost"),
    "no-common-suite": (_no_common_suite, "localhost"),
    "no-suite-for-the-key": (_no_suite_for_the_key, "localhost"),
    "client-certificate-missing": (_client_certificate_missing, "localhost"),
    "client-certificate-untrusted": (_client_certificate_untrusted, "localhost"),
    "client-certificate-expired": (_client_certificate_expired, "localhost"),
    "name-turned-away": (_name_turned_away, "localhost"),
}


@BOTH
@pytest.mark.parametrize(
    "modules", [*MIXED.values(), (tlskit, tlskit)], ids=[*MIXED.keys(), "tlskit-tlskit"]
)
@pytest.mark.parametrize(("prepare", "hostname"), FAILURES.values(), ids=FAILURES.keys())
def test_failures(modules, pki, version, prepare, hostname):
    """What fails between two of the stdlib's fails in the same way, at both ends, with tlskit at
    one of them.
    """
    found = []
    for pair in ((stdlib, stdlib), modules):
        client, server = contexts_of(pair, pki, version)
        prepare(client, server, pki)
        found.append(outcome(client, server, hostname))
    assert found[0]["client"] != "fine"
    assert found[0]["server"] != "fine"
    assert found[1] == found[0]


@BOTH
def test_a_server_without_a_certificate(modules, pki, version):
    found = []
    for pair in ((stdlib, stdlib), modules):
        client = client_context(pki, module=pair[0])
        server = pair[1].SSLContext(stdlib.PROTOCOL_TLS_SERVER)
        only(version, client, server)
        found.append(outcome(client, server, "localhost"))
    assert found[0]["server"] != "fine"
    assert found[1] == found[0]
