"""Measure tlskit, the stdlib's ssl, pyOpenSSL and a C program at the same work, in turns.

    python -m bench                      everything, in about five minutes
    python -m bench --quick              in half a minute, to see that it works
    python -m bench receive send         some of it (--list shows the names)
    python -m bench --wheel PYTHON       also tlskit as it is installed in that Python
    python -m bench --json results.json --chart chart.svg

For each piece of work, the columns are processes that measure in turns of a few hundredths of a
second. A round gives each of them one turn, so that anything that slows the machine down for a
while slows every column down. Costs are the medians of the rounds, and ratios those of the rounds'
own ratios.

The other end of a socket is always the same process, whatever is measured: the C program, or the
stdlib if there is no compiler. The two ends have a core each when they work at the same time
(bulk), and share one when they take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import shlex
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from .catalog import CATALOG, LIMIT, OURS, PYOPENSSL, STDLIB, WHEEL, Work
from .chart import draw
from .report import Outcome, Report
from .turns import TurnError, Turns, Worker, rotated

ROOT = Path(__file__).resolve().parent.parent
BUNDLES = (  # of authorities, for machines whose OpenSSL has no default file
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
HAS_PYOPENSSL = importlib.util.find_spec("OpenSSL") is not None
IMPORT = """
import json, sys, time
sys.stdin.readline()
start, used = time.perf_counter(), time.process_time()
module = __import__(sys.argv[1])
took, used = time.perf_counter() - start, time.process_time() - used
print(json.dumps({"value": took * 1e3, "busy": used / took, "openssl": module.OPENSSL_VERSION}))
"""


class Plan(NamedTuple):
    """How long to measure: processes of a column, rounds of each, seconds of a turn, idle
    connections of one.
    """

    processes: int
    rounds: int
    seconds: float
    pairs: int


FULL, QUICK = Plan(5, 6, 0.06, 2000), Plan(1, 3, 0.03, 200)
ONCE = 9  # processes of what each can do only once
STEADY = 2  # processes of measurements that hardly vary


@dataclass
class Bench:
    """The environment of a run: certificates, the C program, peers, processors."""

    folder: Path
    plan: Plan
    environment: dict[str, str]
    limit: Path | None
    report: Report
    cores: list[int]
    wheel: Path | None = None  # the Python that has it
    ports: dict[str | None, int] = field(default_factory=dict)

    def columns(self, work: Work) -> list[str]:
        """Return the columns of a piece of work, and its variants."""
        in_c = [LIMIT, *work.variants] if work.in_c and self.limit is not None else []
        in_pyopenssl = [PYOPENSSL] if work.in_pyopenssl and HAS_PYOPENSSL else []
        return [STDLIB, OURS, *in_c, *in_pyopenssl, *([WHEEL] if self.wheel else [])]

    def command(self, work: Work, column: str) -> list[str]:
        python = str(self.wheel) if column == WHEEL else sys.executable
        module = OURS if column == WHEEL else column
        if work.name == "import_time":
            return [python, "-c", IMPORT, module]
        rest = [
            str(self.plan.seconds),
            str(self.plan.pairs),
            str(self.folder / work.key),
            str(self.ports.get(work.peer, 0)),
        ]
        if column == PYOPENSSL:
            return [python, "-m", "bench.pyopenssl", work.function, *rest]
        if column in (STDLIB, OURS, WHEEL):
            return [python, "-m", "bench.work", module, work.function, *rest]
        return [str(self.limit), work.function if column == LIMIT else column, *rest]

    def worker(self, work: Work, column: str) -> Worker:
        """Start the process of a column."""
        with pinned(self.cores[0] if work.peer and self.cores else None):
            return Worker(
                self.command(work, column),
                {**self.environment, "TLSKIT_BENCH_VERSION": work.version or ""},
                str(ROOT),
            )

    def record(self, outcome: Outcome, column: str, got: dict[str, Any] | TurnError) -> None:
        """Record the result of a turn."""
        work = outcome.work
        if isinstance(got, TurnError):
            outcome.add(column, None)
            self.report.failures.append(f"{work.name}, {column}: {got}")
            return
        outcome.add(column, got["value"], got["busy"])
        self.report.openssl.setdefault(LIMIT if column in work.variants else column, got["openssl"])

    def measure(self, outcome: Outcome) -> None:
        """Do one piece of work in all its columns."""
        columns, timeout = self.columns(outcome.work), 60 + 20 * self.plan.seconds
        if outcome.work.times == "many":
            turns = Turns(self.plan.processes, self.plan.rounds, timeout)
            rounds = turns.results(columns, lambda column: self.worker(outcome.work, column))
        else:
            most = STEADY if outcome.work.times == "steady" else ONCE
            rounds = self.once(outcome.work, columns, min(most, self.plan.rounds * 2), timeout)
        for found in rounds:
            for column, got in found.items():
                self.record(outcome, column, got)

    def once(
        self, work: Work, columns: list[str], count: int, timeout: float
    ) -> Iterator[dict[str, dict[str, Any] | TurnError]]:
        """Yield the results of rounds whose processes can do this work only once."""
        for order in rotated(columns, count):
            found: dict[str, dict[str, Any] | TurnError] = {}
            for column in order:
                with self.worker(work, column) as worker:
                    found[column] = worker.turn(timeout)
            yield found

    @contextlib.contextmanager
    def peer(self, kind: str, cores: str | None) -> Iterator[None]:
        """Run a peer until the end of the block."""
        program = (
            [str(self.limit), "peer"]
            if self.limit is not None
            else [sys.executable, "-m", "bench.work", "peer"]
        )
        command = [*program, kind, str(self.folder / "ecdsa")]
        core = self.cores[1 if cores == "two" else 0] if self.cores else None
        with pinned(core):
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env=self.environment,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline()
            if not port:
                raise SystemExit(f"bench: the peer did not start: {shlex.join(command)}")
            self.ports[kind] = int(port)
            yield
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    def run(self) -> None:
        """Do all the work."""
        outcomes = self.report.outcomes
        with contextlib.ExitStack() as peers:
            for kind, cores in {o.work.peer: o.work.cores for o in outcomes}.items():
                if kind is not None:
                    peers.enter_context(self.peer(kind, cores))
            for outcome in outcomes:
                progress(outcome.work.title)
                self.measure(outcome)
        progress("")


def progress(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Start the block's processes on one core, which they inherit."""
    if core is None or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def two_cores(notes: list[str]) -> list[int]:
    """Return two processors to pin the ends to, or none."""
    cores = sorted(os.sched_getaffinity(0))[:2] if sys.platform == "linux" else []
    if len(cores) == 2:
        return cores
    notes.append(
        "The two ends of a socket are not pinned to processors: "
        + ("there is one only." if cores else "this system cannot.")
    )
    return []


def make_certificates(folder: Path, key: str = "ecdsa") -> None:
    """Write ca.pem and server.pem, with keys of this kind."""
    try:
        import trustme
    except ImportError:
        raise SystemExit(
            "bench: the certificates are made by trustme: pip install trustme"
        ) from None
    kind = trustme.KeyType[key.upper()]
    authority = trustme.CA(key_type=kind)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("localhost", key_type=kind).private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )


def compile_limit(folder: Path, notes: list[str]) -> Path | None:
    """Build limit.c with the OpenSSL in OPENSSL_DIR, of pkg-config, or of the compiler's own paths;
    return None if that fails.
    """
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        compiler = ["cc"]
    program = folder / "limit"
    command = [
        *compiler,
        "-O2",
        "-o",
        str(program),
        str(Path(__file__).with_name("limit.c")),
        *openssl_flags(),
    ]
    try:
        built = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
        )
    except OSError as error:
        notes.append(f"No C limit: {error}.")
        return None
    if built.returncode == 0:
        return program
    complaint = next(
        (line for line in built.stderr.splitlines() if "error" in line or "undefined" in line),
        "the compiler failed",
    )
    notes.append(f"No C limit: {complaint}")
    return None


def openssl_flags() -> list[str]:
    prefix, system = (
        os.environ.get("OPENSSL_DIR"),
        ["-lpthread", "-ldl"] if sys.platform == "linux" else [],
    )
    if prefix:
        folders = [str(d) for d in (Path(prefix, "lib64"), Path(prefix, "lib")) if d.is_dir()]
        found = [flag for d in folders for flag in (f"-L{d}", f"-Wl,-rpath,{d}")]
        return [f"-I{prefix}/include", *found, "-lssl", "-lcrypto", *system]
    tool = os.environ.get("PKG_CONFIG") or shutil.which("pkg-config") or shutil.which("pkgconf")
    if tool:
        said = subprocess.run(
            [tool, "--cflags", "--libs", "openssl"], capture_output=True, text=True, check=False
        )
        if said.returncode == 0:
            return [*shlex.split(said.stdout), *system]
    return ["-lssl", "-lcrypto", *system]


def environment_of_children() -> dict[str, str]:
    """Return the same environment for all: no key log, and one file of default authorities for
    everyone.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("SSLKEYLOGFILE", "PYTHONSAFEPATH")
    }
    usual = ssl.get_default_verify_paths()
    bundle = next(
        (path for path in (usual.cafile, *BUNDLES) if path and os.path.isfile(path)), None
    )
    if bundle is not None:
        environment["SSL_CERT_FILE"] = bundle
    if importlib.util.find_spec(OURS) is None:
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(ROOT / "src"), environment.get("PYTHONPATH")])
        )
    return environment


def chosen(names: list[str], environment: dict[str, str], notes: list[str]) -> list[Work]:
    """Return the requested work that is possible here."""
    known = {work.name: work for work in CATALOG}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"bench: no work is called {', '.join(unknown)}; --list tells the names")
    works = [work for work in CATALOG if not names or work.name in names]
    if sys.platform == "win32":
        works = [work for work in works if not work.name.startswith("idle_")]
        notes.append("No idle memory: there is neither /proc nor getrusage on Windows.")
    if "SSL_CERT_FILE" not in environment:
        works = [work for work in works if not work.name.startswith("default_context")]
        notes.append("No create_default_context: this machine has no file of authorities.")
    if platform.python_implementation() == "PyPy":
        works = [work for work in works if not work.name.startswith("idle_")]
        notes.append("No idle memory: PyPy's garbage collector gives memory back when it likes.")
    return works


def parse(arguments: list[str] | None) -> argparse.Namespace:
    what = "Measure tlskit, the stdlib's ssl and a C program at the same work."
    parser = argparse.ArgumentParser(prog="python -m bench", description=what)
    parser.add_argument("names", nargs="*", help="the pieces of work; all when left out")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="in half a minute, to see that it works; no figures to quote",
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help=f"turns of each process (default {FULL.rounds})"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help=f"how long a turn is (default {FULL.seconds})",
    )
    parser.add_argument(
        "--wheel",
        type=Path,
        metavar="PYTHON",
        help="a Python of the same version, in an environment with a wheel of tlskit",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument(
        "--chart",
        type=Path,
        metavar="FILE",
        help="draw the ratios, as SVG",
    )
    parser.add_argument(
        "--list", action="store_true", help="list the names of the benchmarks, and run none"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark. Return 1 if a measurement failed."""
    options = parse(arguments)
    if options.list:
        print("\n".join(f"{work.name:24}{work.title}" for work in CATALOG))
        return 0
    plan = QUICK if options.quick else FULL
    plan = plan._replace(
        rounds=options.rounds or plan.rounds, seconds=options.seconds or plan.seconds
    )
    report = Report([])
    if not HAS_PYOPENSSL:
        report.notes.append("No pyOpenSSL: it is not installed.")
    environment = environment_of_children()
    report.outcomes = [Outcome(work) for work in chosen(options.names, environment, report.notes)]
    if options.quick:
        report.notes.append("A quick run: it shows that everything works; its figures are rough.")
    with tempfile.TemporaryDirectory(prefix="tlskit-bench-") as name:
        folder = Path(name)
        for key in {work.key for work in CATALOG}:
            (folder / key).mkdir()
            make_certificates(folder / key, key)
        limit = compile_limit(folder, report.notes)
        cores = two_cores(report.notes)
        bench = Bench(folder, plan, environment, limit, report, cores, options.wheel)
        for module in (STDLIB, OURS):  # so that the bytecode exists
            subprocess.run(
                [sys.executable, "-c", f"import {module}"],
                cwd=ROOT,
                env=environment,
                check=False,
                capture_output=True,
            )
        bench.run()
    print(report.text())
    if options.json:
        options.json.write_text(json.dumps(report.as_dict(), indent=1) + "\n", encoding="utf-8")
    if options.chart:
        options.chart.write_text(draw(report.as_dict()), encoding="utf-8")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
