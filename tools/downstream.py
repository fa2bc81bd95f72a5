"""Run another project's own tests with tlskit in place of ssl.

    python tools/downstream.py trustme

Its source package comes from the package index, or from Debian if that one contains no tests. Its
tests run twice in a separate environment: unchanged, and with `inject_into_ssl` called before
anything else, which also puts tlskit's own transport under asyncio. A test that passes the first
time must pass the second time, or when it is repeated alone. Otherwise the exit status is 1.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import venv
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SAFELY: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
PLAIN = ("-p", "no:cov", "--override-ini=addopts=")  # without coverage, in one process
DEBIAN, SUITE = "http://deb.debian.org/debian", "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PLUGIN = "import tlskit\n\ntlskit.inject_into_ssl()\n"


class Project(NamedTuple):
    """What a project's tests need, how pytest is called for them, Debian's source package, and the
    tests that do not count.
    """

    needs: tuple[str, ...]
    arguments: tuple[str, ...]
    debian: str = ""
    apart: tuple[str, ...] = ()


PROJECTS = {
    "trustme": Project(("pytest", "idna", "pyopenssl", "service-identity"), ("tests",)),
    "anyio": Project(
        ("pytest", "pytest-mock", "pytest-timeout", "trio", "trustme", "psutil", "hypothesis",
         "exceptiongroup", "blockbuster", "uvloop"),
        ("tests/streams/test_tls.py", "tests/test_sockets.py"),
    ),
    "urllib3": Project(
        ("pytest", "trustme", "hypercorn", "quart", "quart-trio", "httpx", "trio", "pysocks",
         "pytest-timeout", "tornado"),
        ("test/test_ssl.py", "test/test_util.py", "test/with_dummyserver/test_https.py"),
    ),
    "aiohttp": Project(
        ("pytest", "pytest-mock", "pytest-timeout", "pytest-xdist",
         "coverage", "blockbuster", "isal", "trustme", "proxy.py", "re-assert", "freezegun",
         "uvloop"),
        ("tests/test_client_functional.py", "tests/test_connector.py", "tests/test_proxy.py",
         "tests/test_proxy_functional.py", "tests/test_web_runner.py",
         "tests/test_web_sendfile_functional.py", "tests/test_client_ws_functional.py",
         *PLAIN),
    ),
    "websockets": Project(
        ("pytest", "werkzeug", "python-socks[asyncio]"),
        ("tests/asyncio", "tests/sync", "tests/legacy", *PLAIN),
        debian="python-websockets",
        # it expects asyncio's transport to call methods of the socket object
        apart=("SecureClientServerTests::test_explicit_socket",),
    ),
    "uvicorn": Project(
        ("pytest", "pytest-mock", "pytest-xdist", "pytest-codspeed", "coverage", "anyio", "trio",
         "trustme", "cryptography", "httpx", "httpx2", "h2", "zttp", "a2wsgi",
         "wsproto", "websockets", "httptools", "uvloop", "watchfiles", "python-dotenv",
         "pyyaml", "typing-extensions"),
        ("tests", "--ignore=tests/benchmarks", *PLAIN),
    ),
    "httpx": Project(
        ("pytest", "anyio", "trio", "trustme", "cryptography", "uvicorn", "chardet", "h2",
         "socksio", "brotli", "zstandard", "click", "rich", "pygments", "werkzeug"),
        ("tests", *PLAIN),
    ),
}  # fmt: skip


def outcomes(report: Path) -> dict[str, bool]:
    """Return, for each test that was not skipped, whether it passed."""
    found: dict[str, bool] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("skipped") is None:
            found[name] = case.find("failure") is None and case.find("error") is None
    return found


def run(python: Path, project: Project, source: Path, *extra: str) -> dict[str, bool]:
    report = source / "report.xml"
    report.unlink(missing_ok=True)
    command: list[Any] = [python, "-m", "pytest", "-q", "--no-header", f"--junitxml={report}"]
    done = subprocess.run(
        [*command, *extra, *project.arguments],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    if not report.exists():
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    return outcomes(report)


def source_of(name: str, project: Project, work: Path, pip: list[Any]) -> Path:
    """Return the unpacked source package."""
    if project.debian:
        lists = work / "lists"
        (lists / "partial").mkdir(parents=True)
        sources = work / "sources.list"
        sources.write_text(f"deb-src [signed-by={KEYRING}] {DEBIAN} {SUITE} main\n")
        apt: list[Any] = ["apt-get", "-qq"]
        for option in (f"SourceList={sources}", "SourceParts=/dev/null"):
            apt += ["-o", f"Dir::Etc::{option}"]
        apt += ["-o", f"Dir::State::Lists={lists}"]
        subprocess.run([*apt, "update"], check=True)
        download = [*apt, "source", "--download-only", "--tar-only", project.debian]
        subprocess.run(download, check=True, cwd=work)
    else:
        download = [*pip, "download", "--no-deps", "--no-binary", name, "-d", str(work), name]
        subprocess.run(download, check=True)
    with tarfile.open(next(work.glob("*.tar.gz"))) as archive:
        archive.extractall(work / "source", **SAFELY)
    return next((work / "source").iterdir())


def missing(before: dict[str, bool], after: dict[str, bool]) -> list[str]:
    """Return the tests that passed before and do not pass now."""
    return sorted(test for test, passed in before.items() if passed and not after.get(test))


def main() -> int:
    name = sys.argv[1]
    project = PROJECTS[name]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / "bin" / "python"
        pip: list[Any] = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        source = source_of(name, project, work, pip)
        version = source.name.rpartition("-")[2]  # the tests' own
        subprocess.run([*pip, "install", f"{name}=={version}", *project.needs], check=True)
        subprocess.run([*pip, "install", str(ROOT)], check=True)
        (source / "tlskit_injected.py").write_text(PLUGIN)
        before = run(python, project, source)
        after = run(python, project, source, "-p", "tlskit_injected")
        for test in [test for test in before if test.endswith(project.apart or (" ",))]:
            del before[test]
        lost = missing(before, after)
        if lost:
            again = run(python, project, source, "-p", "tlskit_injected", "--last-failed")
            lost = missing(dict.fromkeys(lost, True), again)
    passed = sum(before.values())
    print(f"{name}: {passed} tests pass with ssl, {passed - len(lost)} of them with tlskit")
    print(*(f"  LOST {test}" for test in lost), sep="\n", end="\n" if lost else "")
    return 1 if lost or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
