"""What `import tlskit` brings with it, and the names that load when they are first named."""

from __future__ import annotations

import ast
import copy
import dataclasses
import os
import pickle
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tlskit
import tlskit._frozen
from tlskit import sessions, stores

from .support.pki import PKI
from .support.processes import bare

#: All that `import tlskit` may add to `import ssl`: a few milliseconds. What is not here loads when
#: it is first named.
ALLOWED = {
    "__future__",
    "_cffi_backend",
    "_struct",  # `ssl` brings it, up to Python 3.14
    "_tlsbind",
    "_tlsbind._native",
    "_tlsbind._native.lib",
    "importlib",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
    "struct",
    "tlskit",
    "tlskit._core",
    "tlskit._core.library",
    "tlskit._core.native",
    "tlskit._lazy",
    "tlskit._stdlib",
    "tlskit._stdlib.constants",
    "tlskit._stdlib.module",
    "warnings",
}
#: What a fork needs without the GIL: tlskit._core.realizing, and all that it imports.
if not getattr(sys, "_is_gil_enabled", lambda: True)():
    ALLOWED |= {
        "_weakrefset",
        "threading",
        "tlskit._core.realizing",
        "tlskit._forks",
        "weakref",
    }
#: All of tlskit that a context and its first connection load, by package. Each module costs a
#: command-line tool a quarter of a millisecond: one more needs a reason.
CONTEXT = {
    "_context": "",
    "_core": (
        "certificate cipher context credential der directory encrypted_hello fault files "
        "hook_switches keylog names negotiation notes paths psk session tickets trust unpickled "
        "verifying wiping"
    ),
    "_counters": "",
    "_digest": "",
    "_forks": "",
    "_frozen": "",
    "_functions": "",
    "_memo": "",
    "_resumption": "reasons strategy tally",
    "_settings": (
        "arguments certificate_callback chains commands credentials encrypted_hello "
        "event_callbacks handshake_callbacks policies protocol renewal requirements "
        "session_ids sessions sources staples tickets tuning verification "
        "verify_callbacks verify_parameters whole"
    ),
    "_shown": "",
    "_state": (
        "caches coroutines failure_reasons removals sessions settings show state table values"
    ),
    "_stdlib": "classes creation defaults dormant identity",
    "_trust": "",
    "_trust_store": "",
    "enums": "",
    "errors": "",
    "sessions": "registry",
}
CONNECTION = {
    "_connection": "channel early_data exporting negotiated observing rekeying stdlib_names",
    "_core": (
        "connection direct exporter facts lifecycle pauses peer queries rekeying resumable wait"
    ),
}
SOCKET = {"_connection": "bypassing socket sockets"}
MEMORY = {"_connection": "object queues", "_core": "bio direction_locks memory queued"}
AIO = {
    "_connection": "bridge log object stream",  # asyncio has loaded logging
    "_core": "bio direction_locks stream",
    "aio": (
        "_backlog _closing _connect _happy_eyeballs _log _loop_state _reading _streams _traffic "
        "_transport _writing"
    ),
}
#: What no context and no connection needs.
HEAVY = {
    "tlskit._core.diagnosis",
    "tlskit._core.hints",
    "tlskit._core.staple",
    "tlskit._tickets",
    "tlskit.sessions.envelope",
    "tlskit.stores",
    "argparse",
    "asyncio",
    "dataclasses",
    "datetime",
    "encodings.idna",
    "importlib.util",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "random",
    "redis",
    "secrets",
    "sqlite3",
    "tlskit.aio",
    "tlskit.cli",
    "tlskit.inject",
    "tlskit.metrics",
    "traceback",
    "typing",
    "unicodedata",
}
LAZY = [
    "MemcachedStore",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "SealedStore",
    "SessionStore",
]


def brought(program: str) -> set[str]:
    """The modules that a program loads beyond those of `import ssl`."""
    return set(
        bare(
            "import ssl, sys\n"
            "before = set(sys.modules)\n"
            f"{program}\n"
            "print(*set(sys.modules) - before)\n"
        ).split()
    )


def test_an_import_brings_little() -> None:
    said = brought("import tlskit")
    assert {"tlskit", "_tlsbind._native"} <= said
    assert said <= ALLOWED


@pytest.mark.parametrize(
    "program",
    [
        "import tlskit; tlskit.SSLError, tlskit.PROTOCOL_TLS_CLIENT, tlskit.OPENSSL_VERSION",
        "from tlskit import CERT_REQUIRED, HAS_TLSv1_3, OP_NO_TICKET, SSLWantReadError",
    ],
)
def test_constants_and_exceptions_bring_no_more(program: str) -> None:
    assert brought(program) <= ALLOWED


def test_a_context_brings_nothing_heavy() -> None:
    said = brought("import tlskit; tlskit.create_default_context().wrap_bio")
    assert "tlskit._context" in said
    assert not HEAVY & said


def test_a_context_brings_no_connection() -> None:
    said = brought("import tlskit; tlskit.create_default_context().set_alpn_protocols(['h2'])")
    assert {"tlskit._context", "tlskit._state.state"} <= said
    later = {"tlskit._connection", "tlskit._resumption.client", "tlskit.sessions.session"}
    assert not later & said
    assert len([name for name in said if name.startswith("tlskit.")]) < 100


def modules(*listed: dict[str, str]) -> set[str]:
    """The names in such lists, with those of their packages."""
    found = {f"tlskit.{package}" for one in listed for package in one}
    return found | {
        f"tlskit.{package}.{name}"
        for one in listed
        for package, names in one.items()
        for name in names.split()
    }


#: A whole connection of one role, to the stdlib at its other end.
CONNECTING = """
import socket, threading, sys
stdlib = ssl
import tlskit

purpose = {{"client": tlskit.Purpose.SERVER_AUTH, "server": tlskit.Purpose.CLIENT_AUTH}}[{role!r}]
context = tlskit.create_default_context(purpose, cafile={root!r})
other = stdlib.SSLContext({other})
other.load_verify_locations({root!r})
for one in (context, other):
    if one is (context if {role!r} == "server" else other):
        one.load_cert_chain({both!r})
near, far = socket.socketpair()


def options(role):
    return {{"server_side": True}} if role == "server" else {{"server_hostname": "localhost"}}


def peer():
    try:
        with other.wrap_socket(far, **options({peer!r})) as end:
            end.sendall(end.recv(5))
            end.recv(1)
    except OSError:  # nobody listens any more; to show that, Python would load much
        pass


before |= {{name for name in sys.modules if not name.startswith("tlskit")}}
thread = threading.Thread(target=peer)
thread.start()
{connect}
thread.join()
before |= {{"encodings.idna", "stringprep", "unicodedata"}}  # the peer's
"""
OVER_A_SOCKET = """
with context.wrap_socket(near, **options({role!r})) as end:
    end.sendall(b"hello")
    assert end.recv(5) == b"hello"
    end.cipher(), end.version(), end.getpeercert()
"""
IN_MEMORY = """
incoming, outgoing = {bio}(), {bio}()
end = context.wrap_bio(incoming, outgoing, **options({role!r}))


def done(what, *arguments):
    while True:
        try:
            return what(*arguments)
        except tlskit.SSLWantReadError:
            near.sendall(outgoing.read())
            incoming.write(near.recv(65536))
        finally:
            if outgoing.pending:
                near.sendall(outgoing.read())


done(end.do_handshake)
done(end.write, b"hello")
assert done(end.read, 5) == b"hello"
near.close()
"""
OVER_ASYNCIO = """
async def main():
    before.discard("typing")
    sys.modules.pop("typing", None)  # asyncio has brought it, up to Python 3.13
    before.update(name for name in sys.modules if not name.startswith("tlskit"))
    reader, writer = await tlskit.aio.open_connection(
        sock=near, ssl=context, server_hostname="localhost"
    )
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    writer.close()
    await writer.wait_closed()


import asyncio

asyncio.run(main())
"""
WAYS = [
    (OVER_A_SOCKET, SOCKET),
    (IN_MEMORY.replace("{bio}", "tlskit.MemoryBIO"), MEMORY),
    (IN_MEMORY.replace("{bio}", "stdlib.MemoryBIO"), MEMORY),
]


@pytest.mark.parametrize(("connect", "more"), WAYS, ids=["socket", "memory", "stdlib's memory"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_a_first_connection_brings_no_more_than_these(
    pki: PKI, role: str, connect: str, more: dict[str, str]
) -> None:
    own = first_connection(pki, role, connect)
    assert own - modules(CONTEXT, CONNECTION, more) - ALLOWED == set()
    first = own - modules(CONTEXT)
    assert {"tlskit._connection.channel", "tlskit._core.connection"} <= first
    assert len(first - ALLOWED) <= 26  # without the bound, the lists above would only grow


def test_a_first_connection_of_asyncio_brings_no_more_than_these(pki: PKI) -> None:
    own = first_connection(pki, "client", OVER_ASYNCIO)
    assert own - modules(CONTEXT, CONNECTION, AIO) - ALLOWED == set()
    assert "tlskit.aio._transport" in own


def first_connection(pki: PKI, role: str, connect: str) -> set[str]:
    """The modules of tlskit that a first context and connection of this role have loaded."""
    peer = {"client": "server", "server": "client"}[role]
    said = brought(
        CONNECTING.format(
            role=role,
            peer=peer,
            other=f"stdlib.PROTOCOL_TLS_{peer.upper()}",
            root=str(pki.root),
            both=str(pki.server.both),
            connect=connect.format(role=role),
        )
    )
    heavy = HEAVY - {"asyncio", "tlskit.aio"} if connect is OVER_ASYNCIO else HEAVY
    assert not heavy & said
    return {name for name in said if name.startswith("tlskit.")}


def laid_out() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The names that load later, by module: as type checkers see them, and as they are found."""
    tree = ast.parse(Path(tlskit.__file__).read_text(encoding="utf-8"))
    seen: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                assert isinstance(line, ast.ImportFrom)
                for alias in line.names:
                    home = f".{line.module or alias.name}"
                    seen.setdefault(home, set()).add(alias.asname or alias.name)
        if isinstance(node, ast.keyword) and node.arg == "places":
            assert isinstance(node.value, ast.Dict)
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                found[ast.literal_eval(key)] = {  # type: ignore[arg-type]
                    part.value for part in ast.walk(value) if isinstance(part, ast.Constant)
                }
    return seen, found


def test_names_load_from_where_type_checkers_see_them() -> None:
    seen, found = laid_out()
    assert sum(map(len, seen.values())) > 30
    assert found == seen


def test_every_name_is_there_in_a_fresh_process() -> None:
    said = bare(
        "import tlskit\n"
        "assert set(tlskit.__all__) <= set(dir(tlskit))\n"
        "print(*(name for name in tlskit.__all__ if not hasattr(tlskit, name)))\n"
    )
    assert said.split() == []


def test_threads_that_name_them_at_once_get_the_same() -> None:
    said = bare(
        "import sys, threading, tlskit\n"
        "sys.setswitchinterval(1e-6)\n"
        "names = [n for n in dir(tlskit) if n not in vars(tlskit)]\n"
        "found, start = [], threading.Barrier(8)\n"
        "def ask(k):\n"
        "    start.wait()\n"
        "    mine = names[k * 3:] + names[:k * 3]\n"
        "    found.append({name: id(getattr(tlskit, name)) for name in mine})\n"
        "threads = [threading.Thread(target=ask, args=(k,)) for k in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(len(found), len(names) > 30, all(one == found[0] for one in found))\n"
    )
    assert said.split() == ["8", "True", "True"]


def test_threads_that_make_the_first_connections_at_once() -> None:
    said = bare(
        "import sys, threading, tlskit\n"
        "sys.setswitchinterval(1e-6)\n"
        "context = tlskit.create_default_context()\n"
        "assert 'tlskit._connection' not in sys.modules\n"
        "made, start = [], threading.Barrier(8)\n"
        "def connect(k):\n"
        "    start.wait()\n"
        "    if k % 4 == 0:\n"
        "        kind = tlskit.SSLContext.sslobject_class\n"
        "    elif k % 4 == 1:\n"
        "        kind = context.sslobject_class\n"
        "    elif k % 4 == 2:\n"
        "        kind = tlskit.SSLObject\n"
        "    else:\n"
        "        queues = tlskit.MemoryBIO(), tlskit.MemoryBIO()\n"
        "        kind = type(context.wrap_bio(*queues, server_hostname='localhost'))\n"
        "    made.append(kind)\n"
        "threads = [threading.Thread(target=connect, args=(k,)) for k in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(len(made), *{kind.__name__ for kind in made}, len(set(made)))\n"
    )
    assert said.split() == ["8", "SSLObject", "1"]


#: One thread names something whose module needs json, which another thread is importing; at its top
#: level, json needs a name of tlskit's, too.
OPPOSITE_ORDERS = """
import importlib.abc, importlib.util, os, sys, threading
import tlskit

held, reached, forking = threading.Event(), threading.Event(), threading.Event()


class Loader(importlib.abc.Loader):
    def __init__(self, real):
        self.real = real

    def create_module(self, spec):
        return self.real.create_module(spec)

    def exec_module(self, module):
        held.set()
        reached.wait()
        {wait}
        tlskit.TicketKeyring
        self.real.exec_module(module)


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "tlskit.metrics":  # it has its turn, and will need json
            reached.set()
        if name != "json" or held.is_set():
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(0, self)
        spec.loader = Loader(spec.loader)
        return spec


assert "json" not in sys.modules and "tlskit.metrics" not in sys.modules
sys.meta_path.insert(0, Finder())
one = threading.Thread(target=lambda: __import__("json"), daemon=True)
one.start()
held.wait()
two = threading.Thread(target=lambda: tlskit.metrics.snapshot, daemon=True)
two.start()
reached.wait()
{meanwhile}
one.join()
two.join()
print(tlskit.TicketKeyring.__name__, tlskit.metrics.__name__)
"""


def test_threads_that_import_in_opposite_orders_end() -> None:
    program = OPPOSITE_ORDERS.replace("{wait}", "").replace("{meanwhile}", "")
    assert bare(program).split() == ["TicketKeyring", "tlskit.metrics"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_between_them_ends() -> None:
    meanwhile = (
        "forking.set()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT), tlskit.metrics, tlskit.TicketKeyring\n"
        "    os._exit(0)\n"
        "print(os.waitpid(child, 0)[1])"
    )
    program = OPPOSITE_ORDERS.replace("{wait}", "forking.wait()").replace("{meanwhile}", meanwhile)
    assert bare(program).split() == ["0", "TicketKeyring", "tlskit.metrics"]


def test_what_a_package_has_for_its_own_use_is_not_listed() -> None:
    for module in (tlskit, sessions, stores):
        assert not {"TYPE_CHECKING", "annotations", "names"} & set(dir(module))


@pytest.mark.parametrize("name", ["SSLContext", "SSLSocket", "SSLSession", "TicketKeyring"])
def test_classes_are_pickled_by_name(name: str) -> None:
    kind = getattr(tlskit, name)
    assert pickle.loads(pickle.dumps(kind)) is kind


def test_a_store_brings_its_own_module_only() -> None:
    said = bare("import sys, tlskit; tlskit.SealedStore; print(*sys.modules)").split()
    assert "tlskit.stores.seal" in said
    assert not {"tlskit.stores.redis", "tlskit.stores.sqlite", "tlskit.aio"} & set(said)


@pytest.mark.parametrize("name", LAZY)
@pytest.mark.parametrize("module", [tlskit, sessions, stores], ids=lambda m: m.__name__)
def test_lazy_names_are_like_others(module: object, name: str) -> None:
    assert name in dir(module)
    assert name in module.__all__  # type: ignore[attr-defined]
    assert getattr(module, name) is getattr(stores, name)
    assert getattr(module, name).__name__ == name


def test_a_star_brings_them() -> None:
    assert bare("from tlskit import *; print(SQLiteStore.__name__)").strip() == "SQLiteStore"


@pytest.mark.parametrize(
    "name", ["aio", "enums", "errors", "inject", "metrics", "sessions", "stores"]
)
def test_submodules_are_there_without_an_import(name: str) -> None:
    assert bare(f"import tlskit; print(tlskit.{name}.__name__)").strip() == f"tlskit.{name}"


@pytest.mark.parametrize("module", [tlskit, sessions, stores], ids=lambda m: m.__name__)
def test_other_names_are_refused(module: object) -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'Nonesuch'"):
        module.Nonesuch  # type: ignore[attr-defined]  # noqa: B018


# -- frozen classes: as dataclasses make them ------------------------------------------------------


@tlskit._frozen.dataclass(frozen=True)  # type: ignore[misc]
class Light:
    first: int
    third: object = tlskit._frozen.field(compare=False)
    fourth: object = tlskit._frozen.field(repr=False)
    second: str = "two"


@dataclasses.dataclass(frozen=True)
class Real:
    first: int
    third: object = dataclasses.field(compare=False)
    fourth: object = dataclasses.field(repr=False)
    second: str = "two"


def pair(**values: object) -> tuple[Light, Real]:
    given = {"first": 1, "third": 3, "fourth": 4, **values}
    return Light(**given), Real(**given)  # type: ignore[arg-type]


def test_equality_and_hashes() -> None:
    one, other = pair()[0], pair(third="other")[0]
    assert one == other
    assert hash(one) == hash(other)
    assert one != pair(second="2")[0]
    assert one != pair(fourth=5)[0]
    assert one != pair()[1]


def test_it_shows_what_it_holds() -> None:
    light, real = pair()
    assert repr(light) == repr(real).replace("Real", "Light")


def test_nothing_is_set_or_deleted() -> None:
    light, _ = pair()
    with pytest.raises(dataclasses.FrozenInstanceError):
        light.first = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del light.first
    assert light.first == 1


def test_the_module_dataclasses_takes_them() -> None:
    light, real = pair()
    assert dataclasses.is_dataclass(light)
    assert dataclasses.asdict(light) == dataclasses.asdict(real)
    assert [field.name for field in dataclasses.fields(Light)] == list(Light.__annotations__)
    for ours, theirs in zip(dataclasses.fields(Light), dataclasses.fields(Real), strict=True):
        assert (ours.compare, ours.repr, ours.default) == (
            theirs.compare,
            theirs.repr,
            theirs.default,
        )
    assert dataclasses.replace(light, first=7) == tlskit._frozen.replace(light, first=7)
    assert dataclasses.replace(light, first=7).first == 7


def test_copies_and_pickles() -> None:
    light, _ = pair()
    assert copy.copy(light) == copy.deepcopy(light) == pickle.loads(pickle.dumps(light)) == light


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1,), {}), ((1, 2, 3, 4, 5), {}), ((1,), {"first": 1}), ((), {"fifth": 5})],
)
def test_wrong_arguments(values: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="Light"):
        Light(*values, **named)  # type: ignore[arg-type]


# -- named tuples: as `typing` makes them ----------------------------------------------------------


class LightTuple(tlskit._frozen.NamedTuple):  # type: ignore[misc]
    """Three fields."""

    first: int
    second: str = "two"
    third: object = None

    def both(self) -> str:
        return f"{self.first} {self.second}"


class RealTuple(NamedTuple):
    """Three fields."""

    first: int
    second: str = "two"
    third: object = None


def two_tuples(*values: Any, **named: Any) -> tuple[Any, Any]:
    return LightTuple(*values, **named), RealTuple(*values, **named)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((1,), {}),
        ((1, "2"), {}),
        ((1, "2", 3), {}),
        ((), {"first": 1}),
        ((1,), {"third": 3}),
        ((), {"third": 3, "second": "2", "first": 1}),
    ],
)
def test_a_named_tuple_is_filled_as_the_real_one(values: Any, named: Any) -> None:
    light, real = two_tuples(*values, **named)
    assert light == real == tuple(light)
    assert hash(light) == hash(real)
    assert [light.first, light.second, light.third] == list(real)
    assert light._asdict() == real._asdict()
    assert repr(light) == repr(real).replace("Real", "Light")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        ((1, "2", 3, 4), {}),
        ((1,), {"first": 1}),
        ((1,), {"fourth": 4}),
        ((1, "2", 3), {"fourth": 4}),
        ((), {"second": "2"}),
    ],
)
def test_a_named_tuple_refuses_what_the_real_one_does(values: Any, named: Any) -> None:
    with pytest.raises(TypeError):
        RealTuple(*values, **named)
    with pytest.raises(TypeError, match="LightTuple"):
        LightTuple(*values, **named)


def test_a_named_tuple_has_the_methods_of_the_real_one() -> None:
    light, real = two_tuples(1, third=[3])
    assert type(light)._fields == real._fields == type(light).__match_args__
    assert type(light)._field_defaults == real._field_defaults
    assert light._replace(second="other") == real._replace(second="other")
    assert type(light._replace(second="other")) is LightTuple
    assert LightTuple._make(real) == real
    assert light.both() == "1 two"
    assert type(light).__doc__ == real.__doc__
    with pytest.raises(TypeError):
        light._replace(fourth=4)
    with pytest.raises(TypeError):
        LightTuple._make((1,) * 4)
    for change in (lambda: setattr(light, "first", 2), lambda: setattr(light, "other", 2)):
        with pytest.raises(AttributeError):
            change()
    assert not hasattr(light, "__dict__")


def test_a_named_tuple_is_copied_and_pickled() -> None:
    light, _ = two_tuples(1, third=[3])
    for copied in (copy.copy(light), copy.deepcopy(light), pickle.loads(pickle.dumps(light))):
        assert copied == light
        assert type(copied) is LightTuple


def test_a_class_of_a_named_tuple_keeps_its_fields() -> None:
    class Further(LightTuple):
        extra: int = 7

    assert Further._fields == LightTuple._fields
    assert (Further(1).second, Further(1).extra) == ("two", 7)


def test_results_are_remembered_without_the_gil_too():
    """What a free-threaded Python uses in place of functools.lru_cache."""
    from tlskit import _memo

    calls = []

    @_memo._in_dictionary(2)
    def double(number):
        """Twice."""
        calls.append(number)
        return 2 * number

    assert [double(n) for n in (1, 1, 2, 2)] == [2, 2, 4, 4]
    assert calls == [1, 2]
    assert (double(3), double(1)) == (6, 2)  # the third makes room
    assert calls == [1, 2, 3, 1]
    assert (double.__name__, double.__doc__) == ("double", "Twice.")
    with pytest.raises(TypeError):
        double(None)
    assert double(1) == 2
