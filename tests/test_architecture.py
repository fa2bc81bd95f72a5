"""The plan of the house: imports go downwards, C handles stay in one ring, public names are listed,
modules are small.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"
PACKAGE, BINDING = SOURCE / "tlskit", SOURCE / "_tlsbind"

#: The rings, from the top (see CONTRIBUTING.md). A module of the package that is not named here is
#: a surface.
RINGS = ["surfaces", "connections", "states", "resumption", "nouns", "owners", "binding"]
ROOMS = {
    "_connection": "connections", "_state": "states", "_resumption": "resumption",
    "_core": "owners",
    "sessions": "nouns", "stores": "nouns", "_tickets": "nouns", "_trust": "nouns",
    "_stdlib": "nouns", "_hello": "nouns",
}  # fmt: skip
LEAVES = {
    "_annotations",
    "_counters",
    "errors",
    "enums",
    "_digest",
    "_forks",
    "_frozen",
    "_lazy",
    "_memo",
    "_shown",
    "_stdlib.classes",
    "_stdlib.module",
}  # everybody may import them

#: Upward edges that are allowed, each with its reason.
UPWARDS: dict[tuple[str, str], str] = {
    (f"_connection.{room}", "_context"): "the public type of `conn.context`, in annotations alone"
    for room in ("negotiated", "object", "socket")
} | {
    ("_settings.handshake_callbacks", "_context"): "the public type of what `sni_callback` gets",
}

#: Longer than the plan allows, each with its own bound and its reason.
LONG: dict[str, tuple[int, str]] = {
    "tlskit/_connection/socket.py": (482, "to be split by noun"),
    "tlskit/__init__.py": (500, "a list of names, and nothing else"),
}
LONGEST = {".py": 450, ".c": 300, ".h": 300}


def modules(folder=PACKAGE):
    return sorted(folder.rglob("*.py"))


def dotted(path):
    """The module's name from the package's root on: "_core.fault", "sessions", "" for the package
    itself.
    """
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def ring(name):
    return "leaf" if name in LEAVES else ROOMS.get(name.split(".")[0], "surfaces")


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


class Imports(ast.NodeVisitor):
    """The imports of a module: those that run, and those under TYPE_CHECKING, which do not."""

    def __init__(self, path):
        self.path, self.found, self.typing = path, [], []
        self.visit(parsed(path))

    def visit_If(self, node):
        if "TYPE_CHECKING" in ast.unparse(node.test):
            running, self.found = self.found, self.typing
            for statement in node.body:
                self.visit(statement)
            self.found = running
        else:
            self.generic_visit(node)
            return
        for statement in node.orelse:
            self.visit(statement)

    def visit_Import(self, node):
        self.found += [(alias.name, None, node.lineno) for alias in node.names]

    def visit_ImportFrom(self, node):
        base = self._base(node)
        self.found += [(base, alias.name, node.lineno) for alias in node.names]

    def _base(self, node):
        if not node.level:
            return node.module
        package = ["tlskit", *self.path.relative_to(PACKAGE).parts[:-1]]
        package = package[: len(package) - node.level + 1]
        return ".".join([*package, node.module] if node.module else package)


def inner_edges(path, *, typing=False):
    """What a module of the package imports of the package, by dotted name; `typing`: also what it
    imports for its annotations alone.
    """
    imports = Imports(path)
    for base, name, line in imports.found + (imports.typing if typing else []):
        if base.split(".")[0] != "tlskit":
            continue
        inside = base.split(".")[1:]
        candidate = [*inside, name] if name else inside
        target = (
            candidate
            if name and PACKAGE.joinpath(*candidate).with_suffix(".py").exists()
            else inside
        )
        if name and PACKAGE.joinpath(*candidate, "__init__.py").exists():
            target = candidate
        yield ".".join(target), name, line


ALL_MODULES = modules()
IDS = [dotted(path) or "tlskit" for path in ALL_MODULES]


def test_there_is_something_to_look_at():
    assert {
        "",
        "_context",
        "_core.connection",
        "_connection.channel",
        "sessions.session",
        "_trust",
    } <= {dotted(path) for path in ALL_MODULES}
    assert sum(len(list(inner_edges(path))) for path in ALL_MODULES) > 60


# -- directions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ALL_MODULES, ids=IDS)
def test_imports_go_downwards(path):
    here = dotted(path)
    if ring(here) == "leaf":
        return
    for target, _, line in inner_edges(path, typing=True):
        there = ring(target)
        if there == "leaf" or (here, target) in UPWARDS:
            continue
        assert RINGS.index(there) >= RINGS.index(ring(here)), (
            f"{path}:{line}: {here} ({ring(here)}) imports {target or 'tlskit'} ({there})"
        )


def circles(edges):
    """The modules that need each other, directly or not, and whatever is between two circles."""
    while True:
        needed = set().union(*edges.values(), set())
        kept = {
            name: targets & set(edges) - {name}
            for name, targets in edges.items()
            if name in needed and targets & set(edges) - {name}
        }
        if kept == edges:
            return set(kept)
        edges = kept


def test_no_modules_need_each_other():
    """Not for types alone either, nor late, inside a function."""
    edges = {
        dotted(path): {target for target, _, _ in inner_edges(path, typing=True)}
        for path in ALL_MODULES
    }
    for here, target in UPWARDS:
        edges[here].discard(target)
    assert circles(edges) == set()


def test_a_circle_would_be_found():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b", "e"}, "d": {"a"}, "e": set()}
    assert circles(edges) == {"b", "c"}
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == set()


def test_no_exception_has_outlived_its_use():
    edges = {
        (dotted(path), target)
        for path in ALL_MODULES
        for target, _, _ in inner_edges(path, typing=True)
    }
    assert set(UPWARDS) <= edges


@pytest.mark.parametrize("path", ALL_MODULES, ids=IDS)
def test_what_is_imported_for_types_alone_runs_nowhere(path):
    """An upward edge is for annotations: none of them is an import that runs."""
    here = dotted(path)
    assert not [target for target, _, _ in inner_edges(path) if (here, target) in UPWARDS]


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_leaves_import_nothing_of_ours_but_leaves(name):
    edges = inner_edges(PACKAGE / f"{name.replace('.', '/')}.py")
    assert [target for target, _, _ in edges if target not in LEAVES] == []


EAGER = {"__init__", "errors", "enums", "inject", "module", "constants"}  # they load with tlskit


def test_what_loads_later_finds_the_stdlib_s_ssl():
    """By then `sys.modules["ssl"]` may be tlskit: those who want more of `ssl` than names that
    tlskit has too take it from _stdlib/module.py.
    """
    for path in ALL_MODULES:
        inside = path.relative_to(PACKAGE).parts
        if path.stem in EAGER or inside[0] in ("aio", "cli"):
            continue
        for node in parsed(path).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert "ssl" not in names, f"{path}: from ._stdlib.module import ssl"


def test_nobody_imports_the_package_itself():
    """`from . import x` for a module is well; `import tlskit` from inside is a circle. Commands and
    additions stand outside.
    """
    for path in ALL_MODULES:
        if dotted(path).split(".")[0] in ("", "cli", "aio", "inject", "__main__"):
            continue
        for target, name, line in inner_edges(path):
            assert target, f"{path}:{line} imports {name} from the package itself"


def test_the_binding_imports_nothing_of_ours():
    for path in modules(BINDING):
        for node in ast.walk(parsed(path)):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [getattr(node, "module", None) or ""]
            )
            assert not any(name.split(".")[0] == "tlskit" for name in names), path


# -- C handles -------------------------------------------------------------------------------------


def outside():
    return [path for path in ALL_MODULES if not dotted(path).startswith("_core")]


def test_ffi_and_lib_stay_inside():
    """Outside `_core` only constants and features come from the binding."""
    for path in outside():
        for base, name, line in Imports(path).found:
            if base.split(".")[0] == "_tlsbind":
                assert name in ("CONST", "FEATURES"), (
                    f"{path}:{line} imports {name} from the binding"
                )
            assert not (base.split(".")[-1] == "native" and name in ("ffi", "lib", "owned")), (
                f"{path}:{line} imports {name}"
            )
        names = {node.id for node in ast.walk(parsed(path)) if isinstance(node, ast.Name)}
        assert not names & {"ffi", "lib", "_cffi_backend"}, path


HANDLES = {"_ctx", "_conn", "_mem", "_ring", "_x509", "_store"}


def test_handles_are_not_touched_outside():
    """The attributes that hold them are the owners' own."""
    for path in outside():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute):
                assert node.attr not in HANDLES, f"{path}:{node.lineno} touches .{node.attr}"
                nested = (
                    node.attr == "_session"
                    and isinstance(node.value, ast.Attribute)
                    and node.value.attr == "_session"
                )
                assert not nested, f"{path}:{node.lineno} touches the handle of a session"


def test_one_owner_for_every_handle():
    """Each C type's free function is named in one file."""
    frees = {}
    for path in modules(PACKAGE / "_core"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute) and re.fullmatch(r"tk_\w+_free", node.attr):
                frees.setdefault(node.attr, set()).add(path.name)
    assert len(frees) >= 6
    assert all(len(files) == 1 for files in frees.values()), frees


def test_gc_is_called_once():
    calls = []
    for path in [*ALL_MODULES, *modules(BINDING)]:
        for node in ast.walk(parsed(path)):
            if (
                isinstance(node, ast.Attribute)
                and node.attr == "gc"
                and isinstance(node.value, ast.Name)
                and node.value.id == "ffi"
            ):
                calls.append(path.relative_to(SOURCE).as_posix())
    assert calls == ["tlskit/_core/native.py"]


TAKE_TYPES = {f"ffi.{name}" for name in ("cast", "from_buffer", "new", "sizeof", "typeof")} | {
    "_uncleared"
}


def types_named_to_cffi():
    """The C types that `_core` gives to cffi as text."""
    for path in modules(PACKAGE / "_core"):
        for node in ast.walk(parsed(path)):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            if ast.unparse(node.func) in TAKE_TYPES and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


def test_types_are_realized_before_a_fork():
    """Else a child without the GIL may wait for cffi's lock."""
    node = next(
        node
        for node in parsed(PACKAGE / "_core" / "realizing.py").body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_TYPES"
    )
    assert list(ast.literal_eval(node.value)) == sorted(set(types_named_to_cffi()))


def test_no_openssl_number_is_written_out():
    """Constants come from the compiler: OpenSSL's names are read from CONST, and from nowhere
    else.
    """
    for path in outside():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    name = target.id if isinstance(target, ast.Name) else ""
                    literal = isinstance(node.value, ast.Constant) and type(node.value.value) is int
                    assert not (literal and re.match(r"SSL_|X509_|TLS1_|OP_", name)), (
                        f"{path}:{node.lineno}"
                    )


# -- locks at forks --------------------------------------------------------------------------------

LOCKS = {"Lock", "RLock", "Condition", "Event", "Semaphore", "BoundedSemaphore", "Barrier"}

#: Locks that no fork has to know of, each with its reason.
SHORT_LIVED: dict[tuple[str, str], str] = {
    ("_connection.decision", "PendingDecision"): "one call of the thread that waits for it",
    ("stores.helper", "_Answer"): "one call of the thread that waits for it",
}


def makes_a_lock(node):
    return isinstance(node, ast.Call) and (
        (isinstance(node.func, ast.Name) and node.func.id in LOCKS)
        or (
            (isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "threading")
            and node.func.attr in LOCKS
        )
    )


def renewed(kind):
    """The attributes that a class sets in `_after_fork`, and in what this calls of the class."""
    methods = {node.name: node for node in kind.body if isinstance(node, ast.FunctionDef)}
    wanted, seen, names = ["_after_fork"], set(), set()
    while wanted:
        method = methods.get(wanted.pop())
        if method is None or method.name in seen:
            continue
        seen.add(method.name)
        for node in ast.walk(method):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
                if isinstance(node.ctx, ast.Store):
                    names.add(node.attr)
                wanted.append(node.attr)
    return names


def locks_that_a_fork_forgets(tree, module=""):
    """The lines on which a lock is made that no fork renews or waits for."""
    inside = set()
    for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        compares = "_forks.process" in ast.unparse(kind)
        watched = re.search(r"\bwatch\(", ast.unparse(tree)) is not None
        again = renewed(kind) if watched else set()
        for node in ast.walk(kind):
            made = {id(part) for part in ast.walk(node) if makes_a_lock(part)}
            kept = isinstance(node, (ast.Assign, ast.AnnAssign)) and {
                part.attr
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                for part in ast.walk(target)
                if isinstance(part, ast.Attribute)
            }
            if compares or (kept and kept <= again) or (module, kind.name) in SHORT_LIVED:
                inside |= made
    for node in ast.walk(tree):
        if makes_a_lock(node) and id(node) not in inside:
            yield node.lineno


@pytest.mark.parametrize("path", ALL_MODULES, ids=IDS)
def test_every_lock_is_free_in_a_forked_child(path):
    """See _forks.py for the three ways; the contract of stores forks by itself."""
    if dotted(path) not in ("_forks", "stores.workers"):
        found = list(locks_that_a_fork_forgets(parsed(path), dotted(path)))
        assert not found, f"{path}: lines {found}: make it a ForkLock, or renew it in _after_fork"


def test_locks_that_a_fork_forgets_are_found():
    module = "import threading\n_lock = threading.RLock()\n"
    kind = "class A(Forked):\n def __init__(self):\n  self._a = Lock()\n  watch(self)\n"
    renewing = " def _after_fork(self):\n  self._{} = Lock()\n"
    for text, lines in (
        (module, [2]),
        (kind, [3]),
        (kind + renewing.format("b"), [3]),
        (kind + renewing.format("a"), []),
        (kind.replace("watch", "keep") + renewing.format("a"), [3, 6]),
        ("class _Answer:\n there = Event()\n", [2]),
    ):
        assert list(locks_that_a_fork_forgets(ast.parse(text))) == lines, text


def test_no_short_life_has_outlived_its_use():
    kinds = {
        (dotted(path), node.name)
        for path in ALL_MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef)
    }
    assert set(SHORT_LIVED) <= kinds


def test_nothing_else_has_hooks_at_forks():
    """One place decides about the order."""
    for path in ALL_MODULES:
        if dotted(path) != "_forks":
            assert "register_at_fork" not in path.read_text(encoding="utf-8"), path


# -- tests -----------------------------------------------------------------------------------------

#: What tests may reach for in tlskit's objects, outside support/inside.py: add nothing here that
#: could be there.
REACHES: dict[tuple[str, str], str] = {
    ("aio/transport/test_reading.py", "_in"): "a peer of tests/support",
    ("cli/test_connect.py", "_head_request"): "the bytes that a command sends",
    ("cli/test_sessions.py", "_span"): "the words for a time",
    ("sessions/stores/test_contract.py", "_kept"): "a broken store of the test's",
    ("test_import.py", "_in_dictionary"): "for Pythons without a GIL",
    ("tickets/test_fleet.py", "_process"): "a server of the test's",
    ("core/test_largest_peers.py", "_core"): "the parser, timed without a connection",
    ("core/test_trust.py", "_usual_places"): "where OpenSSL was built to look",
    ("interop/test_redis_kinds.py", "_entries_under"): "one entry among many",
    ("sessions/stores/test_memcached.py", "_name"): "a name that another client can ask for",
    ("sessions/stores/test_sqlite.py", "_current"): "the store's own connection, made to fail",
    ("sessions/stores/test_sqlite.py", "_drop_all"): "the removal of what other secrets sealed",
    ("sessions/stores/test_sqlite.py", "_entries_under"): "one entry among many",
    ("sessions/stores/test_sqlite.py", "_now"): "the time that rows are written with",
    ("sessions/stores/test_sqlite.py", "_seal"): "rows that the store did not write",
}

#: Names that begin with an underscore and that programs use: the stdlib's own, and those of
#: libraries.
IN_USE = {
    "_asdict", "_context", "_create", "_create_default_https_context", "_create_stdlib_context",
    "_create_unverified_context", "_field_defaults", "_fields", "_make", "_msg_callback",
    "_preloaded_ssl_context", "_replace",
    "_ssl", "_sslobj", "_transport", "_windows_cert_stores", "_wrap_bio", "_wrap_socket",
}  # fmt: skip

#: The private modules that tests import: parsers and tables, and what a test takes the place of.
PRIVATE_MODULES: dict[str, set[str]] = {
    "bind/test_features.py": {"_core.library"},
    "core/test_certificates.py": {"_core.certificate"},
    "core/test_credentials.py": {"_core.credential"},
    "core/test_blocking.py": {"_core.direct"},
    "core/test_direct.py": {"_core.direct"},
    "core/test_direct_passing.py": {"_core.direct"},
    "core/test_hints.py": {"_core.diagnosis"},
    "core/test_trust.py": {"_core.files", "_trust"},
    "fuzz/parsers.py": {"_core.certificate"},
    "aio/transport/test_traffic.py": {"_core.direct"},
    "sessions/test_attacks.py": {"_core.connection", "_core.trust", "_resumption.server"},
    "sessions/test_automatic.py": {"_resumption.store_keys"},
    "sessions/test_directories.py": {"_state.state"},
    "sessions/test_safety.py": {"_core.connection", "_resumption.objection"},
    "stdlib/test_identity.py": {"_stdlib.dormant"},
    "stdlib/test_inject.py": {"_stdlib.classes"},
    "stdlib/test_names.py": {"_stdlib.dormant"},
    "test_coming_from.py": {"_settings.sessions"},
    "test_compared.py": {"_settings.sessions", "_settings.tickets"},
    "test_import.py": {"_frozen", "_memo"},
    "test_metrics.py": {"_state.failure_reasons"},
    "threads/test_promises.py": {
        "_connection.exporting", "_connection.negotiated", "_connection.observing",
        "_connection.rekeying", "_core.certificate", "_settings.sessions", "_settings.tickets",
    },
    "threads/test_settings.py": {"_core.certificate", "_state.table"},
    "tickets/test_secrets.py": {"_tickets.wiping"},
}  # fmt: skip


def all_tests():
    """The tests, by their names, but for this file and the one that may reach inside."""
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        if path.name not in ("inside.py", Path(__file__).name):
            yield path.relative_to(folder).as_posix(), parsed(path)


def private_names():
    """The names that the package's own objects have for themselves."""
    names = set()
    for path in ALL_MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)  # in __slots__
    return {name for name in names if re.fullmatch(r"_[a-z]\w*", name)}


def reached(tree, private):
    """What a test asks of other objects than its own."""
    wanted = private - IN_USE
    made = set()  # in the test's own classes

    def mine(node):
        return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")

    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            made.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and mine(node):
            made.add(node.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in wanted - made and not mine(node):
            yield node.attr


def private_modules(tree):
    """The private modules of the package that a test imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tlskit":
            for alias in node.names:
                name = f"{node.module}.{alias.name}".partition(".")[2]
                parts = name.split(".")
                if not PACKAGE.joinpath(*parts).with_suffix(".py").exists():
                    parts.pop()
                if any(part.startswith("_") for part in parts):
                    yield ".".join(parts)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name.partition("tlskit.")[2]
                if alias.name.startswith("tlskit.") and name.startswith("_"):
                    yield name


def test_tests_reach_inside_in_one_place():
    """support/inside.py: else they assert what users see."""
    private = private_names()
    assert {"_settings", "_session", "_keys"} <= private
    found = {(name, attr) for name, tree in all_tests() for attr in reached(tree, private)}
    assert found - set(REACHES) == set(), "use or add a function of tests/support/inside.py"
    assert set(REACHES) - found == set(), "take it out of the list"


def test_a_reach_inside_would_be_found():
    tree = ast.parse("a._session\nself._keys\nb._own\nclass A:\n def f(self): self._own = 1\n")
    assert set(reached(tree, {"_session", "_keys", "_own"})) == {"_session"}


def test_tests_import_what_users_import():
    found: dict[str, set[str]] = {}
    for name, tree in all_tests():
        if modules_found := set(private_modules(tree)):
            found[name] = modules_found
    assert found == PRIVATE_MODULES


# -- public names ----------------------------------------------------------------------------------


def statements():
    """Of the package's `__init__`; what a type checker alone reads is a name that loads later."""
    for node in parsed(PACKAGE / "__init__.py").body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from (inner for inner in node.body if inner.module)
        else:
            yield node


def package_names():
    imported, listed = set(), []
    for node in statements():
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            imported |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if "__all__" in names:
                listed = ast.literal_eval(node.value)
            else:
                imported |= names - {"TYPE_CHECKING"}
    return imported, listed


def test_every_public_name_is_listed():
    imported, listed = package_names()
    public = {name for name in imported if not name.startswith("_")}
    assert public - set(listed) == set()
    assert set(listed) - public == set()
    assert len(listed) == len(set(listed))


def test_the_package_only_reexports():
    """`__init__` files hold no functions and no classes."""
    for path in ALL_MODULES:
        if path.name == "__init__.py" and path.parent.name != "cli":
            kinds = {type(node) for node in parsed(path).body}
            assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}, path


def top_level_names(tree):
    """What a module has after its import."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name for alias in node.names)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (
                part.id
                for target in targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            )


def test_lists_of_names_are_true():
    """Whatever a module's `__all__` says is there."""
    for path in ALL_MODULES:
        tree = parsed(path)
        for node in tree.body:
            if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets
            ):
                assert set(ast.literal_eval(node.value)) <= set(top_level_names(tree)), path


# -- where things are ------------------------------------------------------------------------------


def test_the_files_that_contributors_are_pointed_to_are_there():
    page = (SOURCE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    layout = page[page.index("## How the code is laid out") : page.index("## Style")]
    named = set(re.findall(r"`([\w/]+(?:\.py|\.c|/))`", layout))
    assert len(named) > 15
    for name in named:
        roots = [SOURCE.parent, PACKAGE, BINDING, BINDING / "csrc", SOURCE]
        assert any((root / name).exists() for root in roots), f"CONTRIBUTING.md names {name}"


# -- size and style --------------------------------------------------------------------------------


def sources():
    native = [
        path
        for folder in ("csrc", "direct")
        for pattern in ("*.c", "*.h")
        for path in sorted((BINDING / folder).glob(pattern))
    ]
    return [*ALL_MODULES, *modules(BINDING), *native]


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_files_are_small(path):
    name = path.relative_to(SOURCE).as_posix()
    bound, _ = LONG.get(name, (LONGEST[path.suffix], ""))
    assert lines(path) <= bound, f"{name} has {lines(path)} lines: split it by noun"


def test_no_bound_has_outlived_its_use():
    for name in LONG:
        assert lines(SOURCE / name) > LONGEST[Path(name).suffix], (
            f"{name} is small enough: take it out of the list"
        )


@pytest.mark.parametrize("path", ALL_MODULES, ids=IDS)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(parsed(path))


def test_the_public_classes_and_functions_say_what_they_do():
    for path in ALL_MODULES:
        if ring(dotted(path)) != "owners" and "cli" not in path.parts:
            for node in parsed(path).body:
                if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith(
                    "_"
                ):
                    assert ast.get_docstring(node), f"{path}:{node.lineno}: {node.name}"


def preprocessor_lines_inside_functions(text):
    """C lines that begin with # while a function's body is open; macros that go on over lines, and
    comments, left out.
    """
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.DOTALL)
    depth, body = 0, False
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'', "", line)
        if line.lstrip().startswith("#"):
            if body:
                yield number
            continue
        if depth == 0 and (bare.strip() == "{" or re.search(r"\)\s*\{", bare)):
            body = True
        depth += bare.count("{") - bare.count("}")
        if depth == 0:
            body = False


@pytest.mark.parametrize("path", sorted((BINDING / "csrc").glob("*.c")), ids=lambda path: path.name)
def test_no_condition_inside_a_function(path):
    text = path.read_text(encoding="utf-8")
    assert list(preprocessor_lines_inside_functions(text)) == []
    assert "Python.h" not in text


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def native_calls():
    """Which C file uses a function, or a variable, that another one defines."""
    texts = {
        path.stem: without_comments(path.read_text(encoding="utf-8"))
        for folder in ("csrc", "direct")
        for path in sorted((BINDING / folder).glob("*.c"))
    }
    home = {}
    for stem, text in texts.items():
        outer = r"^(?!static|typedef|struct|enum|#|extern|\s|/|[{}]).*"
        for line in re.findall(outer, text, re.MULTILINE):
            for name in re.findall(r"\b(tk_\w+)(?=\(| = |[,;])", line)[:1]:
                home[name] = stem
    return {
        stem: {home[name] for name in re.findall(r"\b(tk_\w+)", text) if name in home} - {stem}
        for stem, text in texts.items()
    }


def test_c_files_need_each_other_in_one_direction_only():
    calls, done = native_calls(), []
    assert calls["tk_handshake"] > {"tk_op"}, "the search finds nothing"
    assert calls["module"] > {"methods", "traffic"}
    while calls:
        leaves = [stem for stem, needed in calls.items() if needed <= set(done)]
        assert leaves, f"these need each other: {calls}"
        done += leaves
        calls = {stem: needed for stem, needed in calls.items() if stem not in leaves}


def test_c_lines_fit_on_a_page():
    for path in (path for path in sources() if path.suffix in (".c", ".h")):
        text = path.read_text(encoding="utf-8").splitlines()
        long = [n for n, line in enumerate(text, 1) if len(line) > 100]
        assert not long, f"{path.name} has lines of more than 100 columns: {long}"


def test_a_condition_inside_a_function_would_be_found():
    assert list(
        preprocessor_lines_inside_functions("int f(void)\n{\n#ifdef X\n    return 1;\n#endif\n}\n")
    ) == [3, 5]
    assert (
        list(
            preprocessor_lines_inside_functions(
                "#ifdef X\nint f(void) { return 1; }\n#else\nint f(void) { return 2; }\n#endif\n"
            )
        )
        == []
    )


def border():
    return "".join(
        path.read_text(encoding="utf-8") for path in sorted((BINDING / "csrc").glob("tk_api*.h"))
    )


def test_the_border_header_is_a_cdef():
    """cffi reads the same text: no preprocessor line in it."""
    assert not [line for line in border().splitlines() if line.lstrip().startswith("#")]


def test_the_helpers_have_their_prefix():
    """Whatever C shows to Python begins with tk_."""
    text = re.sub(r"/\*.*?\*/", "", border(), flags=re.DOTALL)
    functions = re.findall(r"^[\w \*]*?\b(\w+)\(", text, re.MULTILINE)
    assert len(functions) > 60
    assert all(name.startswith("tk_") for name in functions), functions
