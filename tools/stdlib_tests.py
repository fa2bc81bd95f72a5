"""Run Python's own test suite with tlskit in place of `ssl`.

    python tools/stdlib_tests.py                          every module of MODULES
    python tools/stdlib_tests.py --way inject test_ssl    one of them, one way
    python tools/stdlib_tests.py --match session test_ssl some of its tests

The tests are those of the interpreter that runs this. Each module runs in a separate process, first
with the stdlib's ssl, and then with tlskit, in both ways: put into `sys.modules` before anything
else imports ssl, and injected with `inject_into_ssl`. Each test that passes with the stdlib here
must pass with tlskit, except those of EXCLUDED.

A test that kills its process, or is silent for too long, has not passed; the rest continues in a
new process. Tests that did not pass while other modules were running are repeated alone at the end:
only what fails again is a failure, and both are named. The exit status is 0 if every test that
counts passes, 1 if one does not, 2 if the tests cannot be run.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any, NoReturn

#: Modules that use TLS in the standard library, the slowest first. Not every Python has all of
#: them.
MODULES = (
    "test_ssl",
    "test_imaplib",
    "test_xmlrpc",
    "test_logging",
    "test_asyncio.test_events",
    "test_asyncio.test_ssl",
    "test_ftplib",
    "test_poplib",
    "test_asyncio.test_sslproto",
    "test_asyncio.test_sendfile",
    "test_asyncio.test_streams",
    "test_asyncio.test_selector_events",
    "test_httplib",
    "test_httpservers",
    "test_urllib2_localnet",
    "test_urllib",
    "test_urllib2",
    "test_docxmlrpc",
    "test_smtplib",
    "test_nntplib",
    "test_asyncore",
)

#: Tests of the C module `_ssl`, which do not depend on what replaces `ssl`, and a few that expect
#: less than tlskit does.
EXCLUDED = {
    "test_ssl.BasicSocketTests.test_parse_cert": "calls _ssl._test_decode_cert",
    "test_ssl.BasicSocketTests.test_parse_cert_CVE_2019_5010": "calls _ssl._test_decode_cert",
    "test_ssl.BasicSocketTests.test_parse_cert_CVE_2013_4238": "calls _ssl._test_decode_cert",
    "test_ssl.BasicSocketTests.test_parse_all_sans": "calls _ssl._test_decode_cert",
    "test_ssl.TestEnumerations.test_sslmethod": "compares the stdlib's enum with _ssl",
    "test_ssl.TestEnumerations.test_options": "compares the stdlib's enum with _ssl",
    "test_ssl.TestEnumerations.test_alertdescription": "compares the stdlib's enum with _ssl",
    "test_ssl.TestEnumerations.test_sslerrornumber": "compares the stdlib's enum with _ssl",
    "test_ssl.TestEnumerations.test_verifyflags": "compares the stdlib's enum with _ssl",
    "test_ssl.TestEnumerations.test_verifymode": "compares the stdlib's enum with _ssl",
    "test_ssl.TestPostHandshakeAuth.test_internal_chain_server_resumed_session": (
        "expects a resumed session to have lost the client's chain, which tlskit's tickets keep"
    ),
    "test_asyncio.test_ssl.TestSSL.test_flush_before_shutdown": "reaches into asyncio's transport",
    "test_asyncio.test_ssl.TestSSL.test_remote_shutdown_receives_trailing_data": (
        "reaches into asyncio's transport"
    ),
}


def clients_share() -> bool:
    """Return whether this Python's client returns its own suites as shared before any handshake."""
    import ssl  # not where tlskit replaces it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    return client.shared_ciphers() is not None


STDLIB = "stdlib"
WAYS = ("replace", "inject")
SILENCE = 120  # seconds of silence after which a test hangs
START = 120  # seconds of silence while no test runs: the process starts, or goes to the next
LIMIT = 600  # seconds for one module, one way
MOST_RESTARTS = 20
LONGEST_MESSAGE = 3000

#: Variables that would change what a test sees: proxies, trust, logs of secrets.
UNWANTED = re.compile(
    r"SSL_CERT_FILE|SSL_CERT_DIR|SSLKEYLOGFILE|(.*_|NO_)PROXY|PYTHON(PATH|HOME|STARTUP|WARNINGS|SAFEPATH)",
    re.IGNORECASE,
)


@dataclass
class Result:
    """The results of one module with one ssl."""

    outcomes: dict[str, str] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    seconds: float = 0.0

    def note(self, test: str, outcome: str, message: str = "") -> None:
        self.outcomes[test] = outcome
        if message:
            self.messages[test] = message[-LONGEST_MESSAGE:]


# -- the process that runs tests -------------------------------------------------------------------


class News(unittest.TestResult):
    """Reports each test when it begins and when it ends."""

    #: A test keeps its worst result: its parts may fail one by one, and so may its cleanup.
    RANKS = ("passed", "skipped", "failed")

    def __init__(self, tell: Callable[..., None]) -> None:
        super().__init__()
        self._tell = tell
        self._current: dict[str, tuple[str, str]] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._current[test.id()] = ("passed", "")
        self._tell(begins=test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if test.id() in self._current:  # Python 3.12.1 does not begin tests that it skips
            outcome, message = self._current.pop(test.id())
            self._tell(ends=test.id(), outcome=outcome, message=message)

    def _note(self, test: Any, outcome: str, message: str) -> None:
        if test.id() not in self._current:  # setUpClass or setUpModule: its tests will be missing
            self._tell(ends=test.id(), outcome=outcome, message=message)
            return
        before, said = self._current[test.id()]
        if self.RANKS.index(outcome) >= self.RANKS.index(before):
            self._current[test.id()] = (outcome, f"{said}\n{message}".strip())

    def addError(self, test: Any, err: Any) -> None:
        self._note(test, "failed", self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    addFailure = addError

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self._note(test, "failed", f"{subtest}\n{self._exc_info_to_string(err, test)}")  # type: ignore[attr-defined]

    def addSkip(self, test: Any, reason: str) -> None:
        self._note(test, "skipped", reason)

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._note(test, "failed", "passed, where it was expected to fail")


def put_in_place(way: str) -> None:
    """Make `import ssl` return the module that `way` says, and check that all modules get it."""
    if way == STDLIB:
        return
    import tlskit

    if way == "inject":
        tlskit.inject_into_ssl()
    else:
        stdlib, sys.modules["ssl"] = sys.modules["ssl"], tlskit
        early = [
            name
            for name, m in list(sys.modules.items())
            if not name.startswith("tlskit") and getattr(m, "ssl", None) is stdlib
        ]
        if early:
            raise SystemExit(
                f"before tlskit could take its place, ssl was imported by {', '.join(early)}"
            )
    import ssl

    if ssl.SSLContext is not tlskit.SSLContext:
        raise SystemExit(f"ssl.SSLContext is not tlskit's, but {ssl.SSLContext!r}")


def run_here(module: str, way: str, match: str, done: set[str]) -> None:
    """Run the tests of a module in this process, and report them on the standard output, which the
    tests do not get.
    """
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lock = threading.Lock()

    def tell(**news: str) -> None:
        with lock:
            told.write(json.dumps(news) + "\n")
            told.flush()

    del sys.path[0]  # the folder of this file: no module of a test's
    put_in_place(way)
    from test import support

    support.verbose = 0
    support.use_resources = ["cpu", "walltime", "subprocess"]  # and no network
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(f"test.{module}")
    except unittest.SkipTest as skip:
        tell(ends=f"test.{module}", outcome="skipped", message=str(skip))
    else:
        wanted = [
            test for test in flat(suite) if test.id() not in done and re.search(match, test.id())
        ]
        unittest.TestSuite(wanted).run(News(tell))
    tell(over=module)


def flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


# -- the process that watches it -------------------------------------------------------------------


def run(module: str, way: str, match: str) -> Result:
    """Run a module's tests in as many processes as necessary."""
    result, began = Result(), time.monotonic()
    for _ in range(MOST_RESTARTS):
        if run_on(result, module, way, match, began + LIMIT):
            break
    else:
        result.problem = f"{MOST_RESTARTS} processes have come to an early end"
    result.seconds = time.monotonic() - began
    return result


def run_on(result: Result, module: str, way: str, match: str, deadline: float) -> bool:
    """Run the tests without a result, until the end, or until one kills the process. Return whether
    that was all.
    """
    with tempfile.TemporaryDirectory(prefix="tlskit-", ignore_cleanup_errors=True) as folder:
        where = os.path.join(folder, "cwd")
        os.mkdir(where)
        done = os.path.join(folder, "done")
        with open(done, "w", encoding="utf-8") as file:
            json.dump(sorted(result.outcomes), file)
        with open(os.path.join(folder, "log"), "w+b") as log:
            command = [
                sys.executable,
                os.path.abspath(__file__),
                "--here",
                way,
                "--done",
                done,
                "--match",
                match,
                module,
            ]
            process = subprocess.Popen(
                command,
                cwd=where,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
            current, silent = None, True
            try:
                current, silent = follow(process, result, deadline)
            finally:
                end(process, patience=10 if current == "" else 0)
            if current == "":
                return True
            log.seek(0)
            said = log.read().decode("utf-8", "replace")[-LONGEST_MESSAGE:]
    why = (
        f"silent for {START if current is None else SILENCE} s, or out of time"
        if silent
        else f"the process ended with {process.returncode}"
    )
    if current is None:
        result.problem = f"{why}, in no test:\n{said}"
        return True
    result.note(current, "hung" if silent else "crashed", f"{why}\n{said}")
    return time.monotonic() > deadline


def follow(
    process: subprocess.Popen[bytes], result: Result, deadline: float
) -> tuple[str | None, bool]:
    """Read the reports of the process. Return the test that it stopped in ("" at the end; None
    outside of any), and whether it hangs.
    """
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=hand_over, args=(process.stdout, lines), daemon=True).start()
    current: str | None = None
    while True:
        try:
            silence = START if current is None else SILENCE
            line = lines.get(timeout=max(min(silence, deadline - time.monotonic()), 0.1))
        except queue.Empty:
            return current, True
        if not line:
            process.wait()
            return current, False
        news = json.loads(line)
        if "over" in news:
            return "", False
        if "begins" in news:
            current = news["begins"]
        else:
            result.note(news["ends"], news["outcome"], news["message"])
            current = None


def hand_over(pipe: IO[bytes], lines: queue.Queue[bytes]) -> None:
    with pipe:
        for line in pipe:
            lines.put(line)
    lines.put(b"")


def end(process: subprocess.Popen[bytes], *, patience: float) -> None:
    """Wait so many seconds, and then kill the process and its children. (On an abort, it writes the
    stack of every thread.)
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    for number in ("SIGABRT", "SIGKILL"):
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, getattr(signal, number))
        elif process.poll() is None:
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)


def environment() -> dict[str, str]:
    """Return this process's environment without the variables that would change what a test sees,
    and with tlskit on every Python's path.
    """
    import tlskit

    kept = {name: value for name, value in os.environ.items() if not UNWANTED.fullmatch(name)}
    kept["PYTHONPATH"] = os.path.dirname(os.path.dirname(tlskit.__file__))
    kept["PYTHONFAULTHANDLER"] = kept["PYTHONDONTWRITEBYTECODE"] = "1"
    return kept


# -- reports ---------------------------------------------------------------------------------------


def counted(expected: Result) -> list[str]:
    """Return the tests that pass with the stdlib and are not excluded."""
    return [
        test
        for test, outcome in expected.outcomes.items()
        if outcome == "passed" and test.removeprefix("test.") not in EXCLUDED
    ]


def missed(expected: Result, found: Result) -> dict[str, str]:
    """Return the tests that count and did not pass, with their results."""
    return {
        test: found.outcomes.get(test, "not run")
        for test in counted(expected)
        if found.outcomes.get(test) != "passed"
    }


def report(module: str, results: dict[str, Result]) -> tuple[Counter[str], list[str]]:
    """Print a module's results. Return how many tests counted and passed, and what is wrong."""
    expected, numbers = results[STDLIB], Counter(counted=len(counted(results[STDLIB])))
    doubtful = []
    for way, found in results.items():
        bad = missed(expected, found) if way != STDLIB else {}
        if way != STDLIB and (bad or found.problem):
            doubtful.append(way)
        if way != STDLIB:
            numbers[way] = numbers["counted"] - len(bad)
            say(
                f"{module:32}  {way:7}  {numbers[way]:4} of {numbers['counted']:4}  "
                f"{found.seconds:6.1f} s"
            )
        if found.problem:
            say(f"{module}, {way}: {found.problem}", indent=2)
        for test, outcome in found.outcomes.items():
            if test in bad or (
                outcome != "passed" and test not in expected.outcomes
            ):  # the latter: why others were not run
                say(f"{test}: {outcome}", indent=2)
                say(found.messages.get(test, ""), indent=4)
        if silent := [test for test, outcome in bad.items() if outcome == "not run"]:
            say("not run: " + ", ".join(silent), indent=2)
    return numbers, doubtful


def once_more(
    module: str, way: str, match: str, expected: Result, found: Result
) -> tuple[int, bool]:
    """Repeat alone what did not pass beside other modules, and name it either way; return how many
    tests have passed now, and whether all is well.
    """
    bad = missed(expected, found)
    again = run(module, way, f"^({'|'.join(map(re.escape, bad))})$" if bad else match)
    passed = [test for test in bad if again.outcomes.get(test) == "passed"]
    for test in passed:
        say(f"failed at first, not when run again: {test}, {way} ({bad[test]})")
    for test in bad.keys() - set(passed):
        say(f"failed again, by itself: {test}, {way}: {again.outcomes.get(test, 'not run')}")
        say(again.messages.get(test, ""), indent=4)
    if again.problem:
        say(f"{module}, {way}, again: {again.problem}")
    return len(passed), len(passed) == len(bad) and not again.problem


def say(text: str, *, indent: int = 0) -> None:
    print(textwrap.indent(text.strip(), " " * indent), flush=True)


def modules_here(names: list[str]) -> list[str]:
    """Return those that this Python has; otherwise exit with a sentence."""
    if importlib.util.find_spec("tlskit") is None:
        cannot(f"tlskit is not installed in {sys.prefix}.")
    try:
        import test
        from test import support  # noqa: F401
    except ImportError:
        cannot(
            f"{sys.executable} comes without the package `test`, or with a part of it. On Debian "
            f"and Ubuntu it is "
            "libpython{}.{}-testsuite; a Python from pyenv or python.org has it.".format(
                *sys.version_info[:2]
            )
        )
    folder = os.path.dirname(test.__file__)
    here = [
        name
        for name in names or MODULES
        if os.path.exists(os.path.join(folder, *name.split(".")) + ".py")
    ]
    if absent := [name for name in names if name not in here]:
        cannot(f"this Python's tests have no {', '.join(absent)}.")
    if not here:
        cannot(f"there are no tests in {folder}.")
    return here


def cannot(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise SystemExit(2)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--way", action="append", choices=WAYS, help="how tlskit gets into the place of ssl (both)"
    )
    parser.add_argument(
        "--match", default="", help="a regular expression for the names of the tests"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, help="how many processes run side by side (1)"
    )
    parser.add_argument("--here", help=argparse.SUPPRESS)
    parser.add_argument("--done", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="MODULE")
    arguments = parser.parse_args()
    if arguments.here:
        with open(arguments.done, encoding="utf-8") as file:
            run_here(arguments.names[0], arguments.here, arguments.match, set(json.load(file)))
        return 0

    if clients_share():
        EXCLUDED["test_ssl.SimpleBackgroundTests.test_bio_handshake"] = (
            "wants a client to share suites with a server that it has not heard of yet"
        )
    names, ways = modules_here(arguments.names), (STDLIB, *(arguments.way or WAYS))
    total, well = Counter[str](), True
    doubtful: list[tuple[str, str, Result, Result]] = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        running = {
            name: {way: pool.submit(run, name, way, arguments.match) for way in ways}
            for name in names
        }
        for name, futures in running.items():
            results = {way: future.result() for way, future in futures.items()}
            numbers, ways_in_doubt = report(name, results)
            total += numbers
            well = well and not results[STDLIB].problem
            doubtful += [(name, way, results[STDLIB], results[way]) for way in ways_in_doubt]
    for name, way, expected, found in doubtful:  # nothing else runs here now
        passed, sound = once_more(name, way, arguments.match, expected, found)
        total[way] += passed
        well = well and sound
    if not total["counted"]:
        cannot("no test counts: nothing was measured.")
    for way in ways[1:]:
        say(f"{way}: {total[way]} of {total['counted']} pass")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
