"""Whatever says that any thread may use it is used by several at once: every public method and
property of every class that promises it, while connections run. A promise without a row here fails.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import tlskit
from tlskit import aio, metrics
from tlskit._connection.exporting import Exporting
from tlskit._connection.negotiated import Negotiated
from tlskit._connection.observing import Observing
from tlskit._connection.rekeying import Rekeying
from tlskit._core.certificate import Certificate
from tlskit._settings.sessions import ContextSessions
from tlskit._settings.tickets import ContextTickets

from ..support import raw
from ..support.pairs import Background, client_context, memory_pair, server_context, shake
from ..support.pki import PKI
from ..support.raw import Stage

PACKAGE = Path(tlskit.__file__).parent
THREADS = 3
ROUNDS = 120  # of each thread; a round is one call

Act = Callable[[Any], object]


# -- what may be called ----------------------------------------------------------------------------


@dataclass
class Face:
    """The public face of a class, as calls without arguments.

    Args:
        calls: how a method that needs arguments is called, and what is done with a property that
            can be set; by its name.
        without: names that are not for any thread, or not by themselves, each with its reason.
        expected: exceptions that are an answer, as in one thread.
    """

    kind: type
    calls: dict[str, list[Act]] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)
    expected: tuple[type[BaseException], ...] = ()

    def acts(self) -> list[tuple[str, Act]]:
        found: list[tuple[str, Act]] = []
        for name in self.names():
            found += [(name, act) for act in self.calls.get(name, [])]
            if isinstance(inspect.getattr_static(self.kind, name), property):
                found.append((name, lambda thing, name=name: getattr(thing, name)))
            elif name not in self.calls:
                found.append((name, lambda thing, name=name: getattr(thing, name)()))
        return found

    def names(self) -> list[str]:
        return [name for name in public(self.kind) if name not in self.without]

    def unknown(self) -> list[str]:
        """Methods that need arguments and have none here."""
        return [name for name in self.names() if name not in self.calls and self._needs(name)]

    def _needs(self, name: str) -> bool:
        value = inspect.getattr_static(self.kind, name)
        if isinstance(value, property):
            return False  # that it can be set, test_settings.py knows
        parameters = list(inspect.signature(getattr(self.kind, name)).parameters.values())
        bound = parameters if isinstance(value, (classmethod, staticmethod)) else parameters[1:]
        return any(one.default is one.empty and one.kind is not one.VAR_KEYWORD for one in bound)


def public(kind: type) -> list[str]:
    return [
        name
        for name in dir(kind)
        if not name.startswith("_")
        and (
            isinstance(value := inspect.getattr_static(kind, name), (property, classmethod))
            or callable(value)
            or isinstance(value, staticmethod)
        )
    ]


def setting(name: str, *values: Any) -> tuple[str, list[Act]]:
    return name, [lambda thing, value=value: setattr(thing, name, value) for value in values]


def hammer(acts: list[tuple[Act, Any, tuple[type[BaseException], ...]]], rounds: int) -> None:
    """Let threads do these in their own order: (act, thing, what it may raise)."""

    def work(seed: int) -> None:
        chosen = random.Random(seed)
        order = acts * (rounds // len(acts) + 1)
        chosen.shuffle(order)
        ready.wait(20)
        for act, thing, expected in order:
            with suppress(*expected):
                act(thing)

    ready = threading.Barrier(THREADS)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        working = [Background(lambda seed=seed: work(seed)) for seed in range(THREADS)]
        for one in working:
            one.result(60)
    finally:
        sys.setswitchinterval(before)


@contextmanager
def connecting(client: Any, server: Any) -> Iterator[None]:
    """Connections are made and used meanwhile."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            near, far = memory_pair(client, server)
            near.write(b"ping")
            assert far.read(4) == b"ping"

    working = Background(work)
    try:
        yield
    finally:
        over.set()
        working.result(60)


# -- a connection ----------------------------------------------------------------------------------

CONNECTION = Face(
    Negotiated,
    {
        "channel_binding": [
            lambda end: end.channel_binding("tls-exporter"),
            lambda end: end.channel_binding("tls-server-end-point"),
        ],
        "export_keying_material": [lambda end: end.export_keying_material("EXPORTER-test", 16)],
        "getpeercert": [lambda end: end.getpeercert(), lambda end: end.getpeercert(True)],
    },
    {
        "close_notify": "it is an end of one direction: test_unwrap.py",
        "renegotiate": "application data that comes meanwhile fails it, as it says",
        "selected_npn_protocol": "deprecated",
    },
    (ValueError, tlskit.SSLError, NotImplementedError),  # not of this version, side or OpenSSL
)


#: They write to the connection: in a handshake they take a step of it, and after the end they fail.
WRITING = {"key_update", "verify_client_post_handshake"}


def questions(*ends: Any) -> list[tuple[Act, Any, tuple[type[BaseException], ...]]]:
    return [
        (act, end, CONNECTION.expected)
        for end in ends
        for name, act in CONNECTION.acts()
        if name not in WRITING
    ]


def writes(*ends: Any) -> list[tuple[Act, Any, tuple[type[BaseException], ...]]]:
    return [
        (act, end, (*CONNECTION.expected, OSError))
        for end in ends
        for name, act in CONNECTION.acts()
        if name in WRITING
    ]


@pytest.fixture
def stage(pki: PKI, version: tlskit.TLSVersion) -> Stage:
    return Stage(pki, version)


def test_connection_with_traffic(stage: Stage) -> None:
    """Both ends answer while bytes go both ways, and new keys are agreed on."""
    over = threading.Event()

    def exchange(end: Any) -> int:
        count = 0
        while not over.is_set():
            end.sendall(b"x" * 1000)
            count += len(end.recv(100_000))
        with suppress(OSError):
            end.sendall(b"x" * 1000)  # so that the other end is let go
        return count

    with stage.pair(tlskit) as (near, far), raw.watchdog(near, far, seconds=60):
        version = near.version()
        working = [Background(lambda end=end: exchange(end)) for end in (near, far)]
        try:
            hammer(questions(near, far) + writes(near, far), ROUNDS)
        finally:
            over.set()
        assert all(one.result() > 0 for one in working)
        assert near.version() == far.version() == version


def test_connection_that_ends_meanwhile(stage: Stage) -> None:
    """What was negotiated is told to the end, and afterwards; a closed socket answers as any."""
    with stage.pair(tlskit) as (near, far), raw.watchdog(near, far, seconds=60):
        facts = near.version(), near.cipher(), near.getpeercert(True)
        closing = Background(lambda: (far.close(), near.recv(100)))
        closed = [(act, far, (*expected, OSError)) for act, _, expected in questions(far)]
        hammer(questions(near) + closed + writes(near, far), 2 * ROUNDS)
        closing.result()
        assert (near.version(), near.cipher(), near.getpeercert(True)) == facts


def test_connection_in_its_handshake(stage: Stage) -> None:
    """Nothing is known yet, or all is."""
    client, server = stage.client(tlskit), stage.server(tlskit)
    for _ in range(3):
        there, back = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = client.wrap_bio(there, back, server_hostname="localhost")
        far = server.wrap_bio(back, there, server_side=True)
        shaking = Background(lambda near=near, far=far: shake(near, far))
        asked = questions(near, far)
        hammer(asked, len(asked))
        shaking.result()
        assert near.version() == far.version()


# -- contexts --------------------------------------------------------------------------------------

SESSIONS = Face(
    ContextSessions,
    dict([
        ("add", [lambda it: it.add(a_session())]),
        ("forget", [lambda it: it.forget("localhost")]),
        ("lookup", [lambda it: it.lookup(b"\0" * 32)]),
        ("remove", [lambda it: it.remove(a_session())]),
        ("flush", [lambda it: it.flush(), lambda it: it.flush(datetime.now(timezone.utc))]),
        setting("client_certificates", True, False),
        setting("id_context", b"one"),
        setting("id_prefix", b"one", b""),
        setting("loop_patience", 0.05, 0.1),
        setting("mode", tlskit.SessionCacheMode.SERVER, tlskit.SessionCacheMode.BOTH),
        setting("on_get", None), setting("on_new", None), setting("on_remove", None),
        setting("per_peer", 2, 8),
        setting("resume", True),
        setting("reverify", True, False),
        setting("single_use", True, False),
        setting("size", 100, 200),
        setting("store", tlskit.MemoryStore()),
        setting("timeout", 100, 200),
    ]),
    expected=(ValueError, NotImplementedError),  # OpenSSL's own cache cannot be searched
)  # fmt: skip

TICKETS = Face(
    ContextTickets,
    dict([
        setting("app_data", b"some", None),
        setting("count", 1, 2),
        setting("dangerous_keys", bytes(range(80))),
        setting("enabled", True),
        setting("keyring", tlskit.TicketKeyring(), None),
        setting("lifetime", 100, 200),
    ]),
    expected=(ValueError,),  # there is a keyring, or none
)  # fmt: skip

KEYRING = Face(
    tlskit.TicketKeyring,
    {
        "rotate": [lambda it: it.rotate(), lambda it: it.rotate(forget=True)],
        "set_keys": [lambda it: it.set_keys([os.urandom(80), os.urandom(48)])],
        "set_secrets": [lambda it: it.set_secrets(os.urandom(32), os.urandom(32))],
    },
    dict.fromkeys(("fleet", "from_callback", "from_files", "from_keys"), "it makes another"),
    (ValueError,),  # not of this kind
)

BIO = Face(
    tlskit.MemoryBIO,
    {
        "read": [lambda it: it.read(), lambda it: it.read(10)],
        "write": [lambda it: it.write(b"some bytes")],
    },
    expected=(tlskit.SSLError,),  # written to after write_eof
)

SESSION = Face(
    tlskit.SSLSession,
    {
        "from_bytes": [lambda it: it.from_bytes(it.to_bytes())],
        "from_der": [lambda it: it.from_der(it.to_der())],
        "from_pem": [lambda it: it.from_pem(it.to_pem())],
    },
)

STORE: dict[str, list[Act]] = {
    "get": [lambda it: it.get(b"key")],
    "put": [lambda it: it.put(b"key", b"value", 60, most=3), lambda it: it.put(b"x", b"y", 60)],
    "remove": [lambda it: it.remove(b"x"), lambda it: it.remove(b"key", b"value")],
    "take": [lambda it: it.take(b"key")],
    "entries": [lambda it: list(it.entries())],
}
LAST = {"close": "it is the last call"}


class Outside(tlskit.MemoryStore):
    """A store that is said to be outside the process."""

    in_process = False


MEMORY_STORE = Face(tlskit.MemoryStore, STORE, LAST)
SQLITE_STORE = Face(tlskit.SQLiteStore, STORE, LAST)
SEALED_STORE = Face(tlskit.SealedStore, STORE, LAST)

TRUST = Face(
    tlskit.TrustStore,
    without={"system": "it makes another", "certifi": "it makes another"},
)

CERTIFICATE = Face(
    Certificate,
    {"public_bytes": [lambda it: it.public_bytes(1)]},
    {"from_der": "it makes another", "from_pem": "it makes another"},
)

CERTIFIED_KEY = Face(tlskit.CertifiedKey)

FACES = [
    CONNECTION, SESSIONS, TICKETS, KEYRING, BIO, SESSION, MEMORY_STORE, SQLITE_STORE, SEALED_STORE,
    TRUST, CERTIFICATE, CERTIFIED_KEY,
]  # fmt: skip


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.kind.__name__)
def test_nothing_of_a_face_is_left_out(face: Face) -> None:
    assert face.unknown() == []
    assert set(face.calls) | set(face.without) <= set(public(face.kind))


_kept: list[Any] = []


def a_session() -> Any:
    return _kept[0]


@pytest.fixture(autouse=True, scope="module")
def _some_session(pki: PKI) -> Iterator[None]:
    near, _ = memory_pair(client_context(pki), server_context(pki))
    _kept[:] = [near.session]
    yield
    _kept.clear()


def pounded(face: Face, thing: Any, rounds: int = ROUNDS) -> None:
    hammer([(act, thing, face.expected) for _, act in face.acts()], rounds)


@pytest.mark.parametrize("side", ["client", "server"])
def test_sessions_of_a_context(pki: PKI, side: str) -> None:
    client, server = client_context(pki), server_context(pki)
    with connecting(client, server):
        pounded(SESSIONS, (client if side == "client" else server).sessions)


def test_tickets_of_a_context(pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki)
    client.sessions.resume = True
    with connecting(client, server):
        pounded(TICKETS, server.tickets)


@pytest.mark.parametrize(
    "make",
    [
        tlskit.TicketKeyring,
        lambda: tlskit.TicketKeyring.fleet(os.urandom(32)),
        lambda: tlskit.TicketKeyring.from_keys([os.urandom(80)]),
        lambda: tlskit.TicketKeyring.from_callback(lambda: [os.urandom(80)]),
    ],
    ids=["own", "fleet", "given", "callback"],
)
def test_keyring(pki: PKI, make: Callable[[], Any]) -> None:
    client, server = client_context(pki), server_context(pki)
    client.sessions.resume = True
    server.tickets.keyring = ring = make()
    with connecting(client, server):
        pounded(KEYRING, ring)


def test_memory_bio() -> None:
    pounded(BIO, tlskit.MemoryBIO(), 1000)


def test_session(pki: PKI) -> None:
    session = a_session()
    pounded(SESSION, session)
    assert session == tlskit.SSLSession.from_bytes(session.to_bytes())


@pytest.mark.parametrize("kind", ["memory", "sqlite", "sealed"])
def test_store(pki: PKI, tmp_path: Path, kind: str) -> None:
    if kind == "sqlite":
        pytest.importorskip("sqlite3")
    face, store = {
        "memory": lambda: (MEMORY_STORE, tlskit.MemoryStore()),
        "sqlite": lambda: (SQLITE_STORE, tlskit.SQLiteStore(tmp_path / "store", timeout=20)),
        "sealed": lambda: (
            SEALED_STORE, tlskit.SealedStore(Outside(), secret=os.urandom(32))
        ),
    }[kind]()  # fmt: skip
    client, server = client_context(pki), server_context(pki)
    client.sessions.store = store
    with connecting(client, server):
        pounded(face, store)
    store.put(b"key", b"value", 60)
    assert store.get(b"key") == b"value"


def test_trust_store(pki: PKI) -> None:
    trust = tlskit.TrustStore(pki.root)
    client, server = client_context(pki), server_context(pki)
    with connecting(client, server):
        pounded(TRUST, trust)
    assert len(trust.authorities()) == 1


def test_certificate(pki: PKI) -> None:
    pounded(CERTIFICATE, Certificate.from_pem(pki.server.chain.read_bytes()))


def test_certified_key(pki: PKI) -> None:
    shown = tlskit.CertifiedKey(pki.client.chain, pki.client.key)
    client, server = client_context(pki), server_context(pki)
    client.add_certificate(shown)
    with connecting(client, server):
        pounded(CERTIFIED_KEY, shown)


# -- calls of their own ----------------------------------------------------------------------------


def test_questions_about_a_context(pki: PKI) -> None:
    """Every property is read, and every method without arguments that changes nothing is called,
    while two others change what they tell of.
    """
    client, server = client_context(pki), server_context(pki)
    kind = type(server)
    names = [
        name
        for name in dir(kind)
        if not name.startswith("_")
        and (
            isinstance(inspect.getattr_static(kind, name), property)
            or name in ("describe", "copy", "cert_store_stats", "get_ca_certs", "get_ciphers",
                        "get_groups", "session_stats")
        )
    ]  # fmt: skip
    acts: list[tuple[Act, Any, tuple[type[BaseException], ...]]] = []
    for name in names:
        acts.append((lambda it, name=name: read(it, name), server, (NotImplementedError,)))
    acts += [
        (lambda it: it.configure(security_level=1, verify_depth=4), server, ()),
        (lambda it: it.configure_openssl({"MaxProtocol": "TLSv1.3"}), server, ()),
        (lambda it: it.reload(pki.server.chain, pki.server.key), server, ()),
        (lambda it: it.copy().freeze(), server, ()),
        (lambda it: it.load_cert_chain(pki.direct.chain, pki.direct.key), server, ()),
        (lambda it: it.load_verify_locations(pki.root), server, ()),
    ]
    with connecting(client, server):
        hammer(acts, 2 * len(acts))
    memory_pair(client, server)


def read(context: Any, name: str) -> None:
    value = getattr(context, name)
    if inspect.ismethod(value):
        value()


def test_revocation_lists_from_several_threads(pki: PKI, tmp_path: Path) -> None:
    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    identity, _ = authority.issue("localhost")
    lists = [authority.revoke(), authority.revoke()]
    client, server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT), server_context(pki)
    client.load_verify_locations(authority.root)
    server.load_cert_chain(identity.chain, identity.key)
    acts: list[Any] = [(lambda it, path=path: it.add_crl(path), client, ()) for path in lists]
    with connecting(client, server):
        hammer(acts, 30)
    assert client.cert_store_stats()["crl"] == 1


def test_measures(pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki)
    with connecting(client, server):
        hammer([(metrics.snapshot, context, ()) for context in (client, server)], 100)


def test_injection_and_installation(pki: PKI) -> None:
    """Blocks of several threads overlap; the last one puts everything back."""

    def injected(_: Any) -> None:
        with tlskit.inject_into_ssl():
            pass

    def installed(_: Any) -> None:
        with aio.install():
            pass

    import ssl

    loop = asyncio.SelectorEventLoop
    before = ssl.SSLContext, loop.create_connection, loop.start_tls
    hammer([(injected, None, ()), (installed, None, ())], 40)
    tlskit.extract_from_ssl()
    aio.uninstall()
    assert (ssl.SSLContext, loop.create_connection, loop.start_tls) == before


# -- the promises ----------------------------------------------------------------------------------

#: Every docstring of the package that promises it, and what keeps it here or elsewhere.
KEPT: dict[str, object] = {
    "_connection.exporting.Exporting": CONNECTION,
    "_connection.negotiated.Negotiated": CONNECTION,
    "_connection.observing.Observing": CONNECTION,
    "_connection.rekeying.Rekeying": CONNECTION,
    "_connection.socket": "test_duplex.py, test_close.py, test_writers.py, test_huge_writes.py",
    "_connection.bridge.Pump": "tests/core/test_pump.py",
    "_context.SSLContext": "test_settings.py",
    "_context.SSLContext.handshake_failures": test_questions_about_a_context,
    "_context.SSLContext.negotiated": test_questions_about_a_context,
    "_core.bio.MemoryBIO": BIO,
    "_core.certificate.Certificate": CERTIFICATE,
    "_core.connection.Connection": CONNECTION,
    "_core.directory.Bundle": "tests/core/test_bundles.py",
    "_core.directory.Directory": "tests/sessions/test_directories.py",
    "_core.keylog.KeyLog": "test_settings.py",
    "_core.native.owned": CERTIFICATE,
    "_core.seal.SealKey": SEALED_STORE,
    "_core.session.Session": SESSION,
    "_core.tickets.Ring": KEYRING,
    "_lazy.names": "tests/test_import.py",
    "_resumption.client_cache.ClientCache": SESSIONS,
    "_resumption.store_keys.PeerMemory": SESSIONS,
    "_resumption.server.ServerCache": SESSIONS,
    "_resumption.tally.Tally": SESSIONS,
    "_settings.certified_key.CertifiedKey": CERTIFIED_KEY,
    "_settings.commands.CommandSettings.configure_openssl": test_questions_about_a_context,
    "_settings.verify_parameters.VerifyParameterSettings.add_crl": (
        test_revocation_lists_from_several_threads
    ),
    "_settings.renewal.RenewalSettings.reload": test_questions_about_a_context,
    "_settings.sessions.ContextSessions": SESSIONS,
    "_settings.staples.StapleSettings.set_ocsp_response": "test_settings.py",
    "_settings.tickets.ContextTickets": TICKETS,
    "_settings.tuning.TuningSettings": "test_settings.py",
    "_settings.whole.WholeSettings.configure": test_questions_about_a_context,
    "_settings.whole.WholeSettings.copy": test_questions_about_a_context,
    "_settings.whole.WholeSettings.freeze": test_questions_about_a_context,
    "_settings.whole.WholeSettings.describe": test_questions_about_a_context,
    "_state.settings.Settings": "test_settings.py",
    "_tickets.keyring.TicketKeyring": KEYRING,
    "_tickets.wiping.Wiper": KEYRING,
    "_trust_store.TrustStore": TRUST,
    "aio._install.install": test_injection_and_installation,
    "aio._install.uninstall": test_injection_and_installation,
    "inject.inject_into_ssl": test_injection_and_installation,
    "inject.extract_from_ssl": test_injection_and_installation,
    "metrics.snapshot": test_measures,
    "sessions.session.SSLSession": SESSION,
    "stores.contract.StoreContract": "tests/sessions/stores: the contract",
    "stores.guard.Guard": test_store,
    "stores.memcached.MemcachedStore": "tests/sessions/stores: the contract",
    "stores.memory.MemoryStore": MEMORY_STORE,
    "stores.redis.RedisStore": "tests/sessions/stores: the contract",
    "stores.seal.Seal": SEALED_STORE,
    "stores.seal.SealedStore": SEALED_STORE,
    "stores.sqlite.SQLiteStore": SQLITE_STORE,
    "stores.store.SessionStore": "tests/sessions/stores: the contract",
}

PROMISE = re.compile(
    r"any thread|thread-safe|threads may|may use it at will|any number of .*thread"
    r"|many processes and threads|other threads, see all",
    re.IGNORECASE,
)


def promises() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        todo: list[tuple[str, ast.AST]] = [(module, tree)]
        while todo:
            name, node = todo.pop()
            text = " ".join((ast.get_docstring(node) or "").split())  # type: ignore[arg-type]
            if PROMISE.search(text) and not re.search(r"not thread-safe", text, re.IGNORECASE):
                yield name
            for inner in ast.iter_child_nodes(node):
                if isinstance(inner, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    todo.append((f"{name}.{inner.name}", inner))


def test_every_promise_is_kept_somewhere() -> None:
    """A docstring that is new here: give it a row in KEPT, and hammer what it says."""
    assert set(promises()) == set(KEPT)


def test_promises_are_kept_where_it_says() -> None:
    here = Path(__file__).parent
    for where in filter(lambda value: isinstance(value, str), KEPT.values()):
        for name in str(where).partition(":")[0].split(", "):
            found = here / name if "/" not in name else here.parents[1] / name
            assert found.exists(), name


def test_the_faces_of_a_connection_are_one() -> None:
    assert issubclass(Negotiated, (Exporting, Observing, Rekeying))
