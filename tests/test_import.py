"""What `import tlskit` brings with it, and the names that load when they are first named."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest

import tlskit
import tlskit._frozen
from tlskit import sessions, stores

HEAVY = {
    "argparse",
    "asyncio",
    "dataclasses",
    "datetime",
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
    "tlskit.metrics",
    "tlskit.stores.contract",
    "tlskit.stores.memcached",
    "tlskit.stores.redis",
    "tlskit.stores.seal",
    "tlskit.stores.sqlite",
    "traceback",
}
LAZY = ["MemcachedStore", "RedisStore", "SQLiteStore", "SealedStore"]


def run(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_nothing_heavy_is_imported() -> None:
    said = run(
        "import ssl, sys\n"
        "before = set(sys.modules)\n"
        "import tlskit\n"
        "print(*set(sys.modules) - before)\n"
    )
    assert "tlskit" in said.split()
    assert not HEAVY & set(said.split())


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


def test_submodules_are_there_without_an_import() -> None:
    said = run("import tlskit; print(tlskit.metrics.__name__, tlskit.aio.__name__)")
    assert said.split() == ["tlskit.metrics", "tlskit.aio"]


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
