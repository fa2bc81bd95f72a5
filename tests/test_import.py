"""What `import tlskit` brings with it, and the names that load when they are first named."""

from __future__ import annotations

import ast
import copy
import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tlskit
import tlskit._frozen
from tlskit import sessions, stores

#: All that `import tlskit` may add to `import ssl`: a few milliseconds. What is not here loads when
#: it is first named.
ALLOWED = {
    "__future__",
    "_cffi_backend",
    "_tlsbind",
    "_tlsbind._native",
    "_tlsbind._native.lib",
    "importlib",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
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
#: All of tlskit that a client loads for its first context and connection, by package. Each module
#: costs a command-line tool a quarter of a millisecond: one more needs a reason.
FIRST = {
    "_connection": (
        "bridge bypassing certificate_check channel context decision early_data "
        "encrypted_hello event_callbacks exporting kinds log negotiated object observing "
        "pausing policy queues rekeying requests socket stdlib_names stream"
    ),
    "_context": "",
    "_core": (
        "bio callbacks certificate cipher connection context credential der direct "
        "direction_locks directory encrypted_hello event_hooks exporter facts fault files "
        "hook_switches hooks keylog lifecycle memory names negotiation notes opening "
        "paths pause_lock pauses peer psk queries queued rekeying resumable session "
        "stream tickets trust unpickled verifying wait wiping"
    ),
    "_counters": "",
    "_digest": "",
    "_forks": "",
    "_frozen": "",
    "_functions": "",
    "_memo": "",
    "_resumption": "client client_cache objection reasons server store_keys strategy tally",
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
    "sessions": "binding info parts records registry session statistics",
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


def run(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def brought(program: str) -> set[str]:
    """The modules that a program loads beyond those of `import ssl`."""
    return set(
        run(
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


def test_a_first_connection_brings_no_more_than_these() -> None:
    said = brought(
        "import socket, tlskit\n"
        "context = tlskit.create_default_context()\n"
        "one, other = socket.socketpair()\n"
        "options = {'server_hostname': 'localhost'}\n"
        "context.wrap_socket(one, do_handshake_on_connect=False, **options)\n"
        "context.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), **options)\n"
    )
    known = {f"tlskit.{package}" for package in FIRST}
    known |= {f"tlskit.{package}.{name}" for package in FIRST for name in FIRST[package].split()}
    own = {name for name in said if name.startswith("tlskit.")}
    assert own - known - ALLOWED == set()
    assert not HEAVY & said
    assert "tlskit._connection.socket" in own


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
    said = run(
        "import tlskit\n"
        "assert set(tlskit.__all__) <= set(dir(tlskit))\n"
        "print(*(name for name in tlskit.__all__ if not hasattr(tlskit, name)))\n"
    )
    assert said.split() == []


def test_threads_that_name_them_at_once_get_the_same() -> None:
    said = run(
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
    said = run(
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
    assert run(program).split() == ["TicketKeyring", "tlskit.metrics"]


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
    assert run(program).split() == ["0", "TicketKeyring", "tlskit.metrics"]


def test_what_a_package_has_for_its_own_use_is_not_listed() -> None:
    for module in (tlskit, sessions, stores):
        assert not {"TYPE_CHECKING", "annotations", "names"} & set(dir(module))


@pytest.mark.parametrize("name", ["SSLContext", "SSLSocket", "SSLSession", "TicketKeyring"])
def test_classes_are_pickled_by_name(name: str) -> None:
    kind = getattr(tlskit, name)
    assert pickle.loads(pickle.dumps(kind)) is kind


def test_a_store_brings_its_own_module_only() -> None:
    said = run("import sys, tlskit; tlskit.SealedStore; print(*sys.modules)").split()
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
    assert run("from tlskit import *; print(SQLiteStore.__name__)").strip() == "SQLiteStore"


@pytest.mark.parametrize(
    "name", ["aio", "enums", "errors", "inject", "metrics", "sessions", "stores"]
)
def test_submodules_are_there_without_an_import(name: str) -> None:
    assert run(f"import tlskit; print(tlskit.{name}.__name__)").strip() == f"tlskit.{name}"


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
