"""Libraries that people use, over tlskit: through their own argument for a context, and with tlskit
injected into `ssl`.

Each way is a process of its own (`tests/interop/libraries`), in which the scenarios run one after
the other; each of its results is a test here. A scenario fails if it was not tlskit that made the
handshakes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support import servers
from ..support.pki import PKI
from .libraries import clients, duplex
from .libraries import servers as library_servers

WAYS = ("own", "before", "after")
NAMES = [*clients.SCENARIOS, *library_servers.SCENARIOS, *duplex.SCENARIOS]
PATIENCE = 240  # seconds, for all scenarios of one way
HERE = Path(__file__).parents[2]

Results = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def surroundings(request: pytest.FixtureRequest, pki: PKI) -> str:
    """What the scenarios need, as JSON; a server that is not on this machine is left out."""
    addresses: dict[str, int] = {}
    for name, fixture in (("redis", "redis_tls"), ("postgres", "postgres_tls")):
        try:
            running: servers.Running = request.getfixturevalue(fixture)
        except pytest.skip.Exception:
            continue
        addresses[name] = running.port
    files = {
        "root": pki.root,
        "stranger_root": pki.stranger_root,
        "chain": pki.narrow.chain,
        "key": pki.narrow.key,
    }
    return json.dumps([{name: str(path) for name, path in files.items()}, addresses])


class Ways:
    """The processes of the ways, side by side: what came of each scenario, and all that was
    said.
    """

    def __init__(self, around: str, ways: list[str], folder: Path) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = folder
        for way in ways:
            with (
                (folder / f"{way}.out").open("wb") as out,
                (folder / f"{way}.err").open("wb") as err,
            ):
                command = [sys.executable, "-m", "tests.interop.libraries", way, around]
                self._running[way] = subprocess.Popen(
                    command, cwd=HERE, stdin=subprocess.DEVNULL, stdout=out, stderr=err
                )

    def results(self, way: str) -> tuple[Results, str]:
        process = self._running[way]
        try:
            ended = f"ended with {process.wait(PATIENCE)}"
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ended = "did not end"
        lines = [
            json.loads(line)
            for line in (self._folder / f"{way}.out").read_text().splitlines()
            if line.startswith("{")
        ]
        return {line["name"]: line for line in lines}, (
            self._folder / f"{way}.err"
        ).read_text() + f"\nand the process {ended}"

    def close(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def ways(
    request: pytest.FixtureRequest, surroundings: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ways]:
    """Those processes that the selected tests are about."""
    wanted = {
        item.callspec.params.get("way")
        for item in request.session.items
        if hasattr(item, "callspec")
    }
    started = Ways(
        surroundings, [way for way in WAYS if way in wanted], tmp_path_factory.mktemp("libraries")
    )
    yield started
    started.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_library_works(ways: Ways, name: str, way: str) -> None:
    found, said = ways.results(way)
    assert name in found, f"the process did not come to it:\n{said}"
    result = found[name]
    if "skipped" in result:
        pytest.skip(result["skipped"])
    assert "failed" not in result, result["failed"]


def test_a_scenario_notices_that_it_was_not_tlskit(surroundings: str) -> None:
    """The proof can fail: with the stdlib's contexts, and no injection."""
    program = (
        "import ssl, sys, json; from tests.interop.libraries import duplex, stage;"
        "s = stage.Stage('before', ssl, *json.loads(sys.argv[1]));"
        "duplex.trio(s)"
    )
    pytest.importorskip("trio")
    command = [sys.executable, "-c", program, surroundings]
    done = subprocess.run(
        command,
        cwd=HERE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "tlskit made 0 handshakes of clients, not 1" in done.stderr


def test_the_table_in_the_readme_has_a_row_for_each_library() -> None:
    rows = [line for line in (HERE / "README.md").read_text().splitlines() if line.startswith("| ")]
    for name in NAMES:
        assert any(
            name.partition(",")[0].removesuffix(" client").removesuffix(" server").lower()
            in row.lower()
            for row in rows
        ), name
