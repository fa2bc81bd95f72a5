"""The benchmark's pages and chart, from results that are made up: `make bench-quick` measures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from bench import chart, eventloops, pages
from bench.catalog import CATALOG, COLUMNS, LIMIT, OURS, STDLIB, WHEEL
from bench.report import Outcome, Report
from bench.turns import TurnError, Turns, Worker, gain, middle, rotated

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The results of a run, in which tlskit is twice as fast, and the wheel half as fast."""
    report = Report([Outcome(work) for work in CATALOG])
    report.openssl = dict.fromkeys(COLUMNS, "OpenSSL 3.0.1 1 Jan 2026")
    for outcome in report.outcomes:
        for column, value in ((STDLIB, 100.0), (OURS, 200.0), (LIMIT, 900.0), (WHEEL, 50.0)):
            for factor in (0.9, 1.0, 1.1):
                less = outcome.work.better == "less"
                outcome.add(column, 1 / value if less else value * factor, 0.5)
    (tmp_path / "work.json").write_text(json.dumps(report.as_dict()))
    ways = {
        way: {"cpu": [2e-5 if "ssl" in way else 1e-5], "wall": [3e-5]} for way in eventloops.WAYS
    }
    rows = {version: dict.fromkeys(eventloops.TITLES, ways) for version in eventloops.VERSIONS}
    loops = {"rows": rows, "failures": [], "python": "3.13.0", "openssl": "OpenSSL 3.0.1"}
    (tmp_path / "loops.json").write_text(json.dumps(loops))
    table = "| 10,000 idle connections | s | c |\n| --- | ---: | ---: |\n"
    table += "| ssl, asyncio | 279.0 | 302.9 |\n| tlskit.aio | 18.4 | 23.9 |\n"
    (tmp_path / "idle.md").write_text(table)
    return tmp_path


def sections(text: str) -> list[str]:
    return re.findall(r"<!-- bench: (.*?) -->", text)


@pytest.mark.parametrize("name", ["README.md", "docs/performance.md"])
def test_pages_are_written_between_their_markers_only(name: str, folder: Path) -> None:
    before = (ROOT / name).read_text(encoding="utf-8")
    after = pages.written(before, folder)
    assert sections(after) == sections(before)
    assert set(sections(before)) - {"end"} <= set(pages.SECTIONS)

    def outside(text: str) -> str:
        return re.sub(r"(<!-- bench: (?!end).*? -->).*?(<!-- bench: end -->)", r"\1\2", text,
                      flags=re.DOTALL)  # fmt: skip

    assert outside(after) == outside(before)
    assert pages.written(after, folder) == after
    assert "| full handshake, TLS 1.3, RSA | 5 000 us | 2 500 us | 2.00x ±0% | 2.00x ±0% |" in after
    kept = re.search(
        r"<!-- bench: (stores|resumption) -->.*?<!-- bench: end -->", before, re.DOTALL
    )
    assert kept is not None
    assert kept[0] in after  # not measured: the figures of the run before stay


def test_the_readme_says_what_an_idle_connection_needs(folder: Path) -> None:
    after = pages.written((ROOT / "README.md").read_text(encoding="utf-8"), folder)
    assert "10,000 idle connections needs 18 KiB for each;" in after
    assert "it needs 279 KiB." in after


def test_every_row_says_what_it_measures(folder: Path) -> None:
    said = pages.meanings(folder)
    assert all(work.title in said for work in CATALOG)
    assert not re.search(r"\| *\|", said)


def test_the_chart_has_every_row_and_reads_in_the_dark(folder: Path) -> None:
    results: dict[str, Any] = json.loads((folder / "work.json").read_text())
    more = pages.loop_bars(json.loads((folder / "loops.json").read_text()))
    drawn = chart.draw(results, more)
    texts = [text.text for text in ElementTree.fromstring(drawn).findall(".//{*}text")]
    assert {work.title for work in CATALOG} | {"64-byte echo, tlskit.aio"} <= set(texts)
    assert "prefers-color-scheme: dark" in drawn


def test_a_column_that_was_not_measured_is_left_out(folder: Path) -> None:
    results = json.loads((folder / "work.json").read_text())
    del results["openssl"][WHEEL]
    (folder / "work.json").write_text(json.dumps(results))
    assert "the wheel |" not in pages.work(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="there is neither /proc nor getrusage")
@pytest.mark.skipif(
    sys.implementation.name == "pypy", reason="its collector gives memory back when it likes"
)
def test_the_wheel_s_memory_is_measured_as_in_the_benchmark() -> None:
    done = subprocess.run(
        [sys.executable, "tools/wheels/memory.py"], cwd=ROOT, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert [line[6:].split(":")[0] for line in lines] == [
        "over sockets, after a record",
        "in memory, after a byte",
        "in memory, after a record",
    ], done.stderr
    assert done.returncode == (0 if all(line.startswith("  ok ") for line in lines) else 1)


# -- turns -----------------------------------------------------------------------------------------


def worker(program: str) -> Worker:
    return Worker([sys.executable, "-c", program], dict(os.environ), str(ROOT))


def test_a_worker_measures_once_for_each_turn() -> None:
    program = "from bench.turns import answer; found = iter(range(9))\n"
    program += "answer(lambda: {'value': next(found)})"
    with worker(program) as one, worker(program) as other:
        assert [end.measure(60)["value"] for end in (one, other, one, one)] == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise ValueError('cannot')", "ValueError: cannot"),
        ("input(); raise SystemExit('no libraries')", "no libraries"),
        ("input(); print('nonsense'); input()", "printed 'nonsense"),
        ("import time; time.sleep(600)", "no result after 1 seconds"),
    ],
)
def test_a_worker_that_fails_says_why(program: str, said: str) -> None:
    with worker(program) as failing, pytest.raises(TurnError, match=said):
        failing.measure(1 if "sleep" in program else 60)


def test_rounds_have_all_ways_and_new_processes_take_over() -> None:
    programs = {
        "one": "import itertools as i; found = i.count(); value = lambda: next(found)",
        "late": "found = iter((1, 2)); value = lambda: next(found)",
        "never": "raise SystemExit('is missing')",
    }

    def start(way: str) -> Worker:
        rest = "\nfrom bench.turns import answer; answer(lambda: {'value': value()})"
        return worker(programs[way] + rest)

    rounds = list(Turns(2, 3, 60).results(list(programs), start))
    assert [found["one"]["value"] for found in rounds] == [1, 2, 3] * 2  # type: ignore[index]
    assert [str(found["never"]) for found in rounds] == ["is missing"] * 6
    late = ["{'value': 2}", "StopIteration", "StopIteration"]
    assert [str(found["late"]) for found in rounds] == late * 2


def test_each_way_comes_first_in_turn() -> None:
    assert list(rotated(["a", "b", "c"], 4)) == [
        ["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"],
    ]  # fmt: skip


def test_a_machine_that_slows_down_does_not_change_the_ratios() -> None:
    slow = [1.0, 1.4, 0.7, 2.0]
    outcome = Outcome(CATALOG[0])
    for factor in slow:
        outcome.add(STDLIB, 100 / factor)
        outcome.add(OURS, 150 / factor)
    assert outcome.ratio(OURS) == pytest.approx(1.5)
    assert outcome.spread(OURS) == pytest.approx(0)
    ways = {
        way: {"cpu": [cost * factor for factor in slow]}
        for way, cost in ((eventloops.BASE, 3.0), ("tlskit@tlskit.aio", 2.0))
    }
    assert eventloops.ratio(ways, "tlskit@tlskit.aio", "cpu") == pytest.approx((1.5, 0))
    assert gain([150 / one for one in slow], [100 / one for one in slow]) == pytest.approx(1.5)


def test_the_spread_is_half_the_distance_between_the_quartiles() -> None:
    assert middle([1.0, 2.0, 3.0, 4.0, 100.0]) == (3.0, 1.0)
    assert middle([2.0]) == (2.0, 0.0)
