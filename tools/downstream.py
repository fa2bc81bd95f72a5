"""Run another project's own tests with tlskit in place of ssl.

    python tools/downstream.py trustme

Its source package comes from the package index. Its tests run twice in an environment of their own:
as they are, and with `inject_into_ssl` called before anything else. A test that passes the first
time has to pass the second. Exit status 1 where one does not.
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
PLUGIN = "import tlskit\n\ntlskit.inject_into_ssl()\n"


class Project(NamedTuple):
    """What a project's tests need, and how pytest is called for them."""

    needs: tuple[str, ...]
    arguments: tuple[str, ...]


PROJECTS = {
    "trustme": Project(("pytest", "idna", "pyopenssl", "service-identity"), ("tests",)),
    "anyio": Project(
        ("pytest", "trio", "trustme", "psutil", "hypothesis", "exceptiongroup", "pytest-mock"),
        ("tests/streams/test_tls.py", "tests/test_sockets.py"),
    ),
    "urllib3": Project(
        ("pytest", "trustme", "hypercorn", "quart", "quart-trio", "httpx", "trio", "pysocks",
         "pytest-timeout", "tornado"),
        ("test/test_ssl.py", "test/test_util.py", "test/with_dummyserver/test_https.py"),
    ),
    "aiohttp": Project(
        ("pytest", "pytest-mock", "pytest-aiohttp", "trustme", "proxy.py", "re-assert",
         "freezegun"),
        ("tests/test_client_functional.py", "tests/test_connector.py", "tests/test_proxy.py",
         "-p", "no:cov", "--override-ini=addopts="),
    ),
}  # fmt: skip


def outcomes(report: Path) -> dict[str, bool]:
    """For each test that was not skipped: whether it passed."""
    found = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("skipped") is None:
            found[name] = case.find("failure") is None and case.find("error") is None
    return found


def run(python: Path, project: Project, source: Path, *extra: str) -> dict[str, bool]:
    report = source / "report.xml"
    report.unlink(missing_ok=True)
    command = [python, "-m", "pytest", "-q", "--no-header", f"--junitxml={report}"]
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


def main() -> int:
    name = sys.argv[1]
    project = PROJECTS[name]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / "bin" / "python"
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", name, *project.needs], check=True)
        subprocess.run([*pip, "install", str(ROOT)], check=True)
        download = [*pip, "download", "--no-deps", "--no-binary", name, "-d", str(work), name]
        subprocess.run(download, check=True)
        with tarfile.open(next(work.glob("*.tar.gz"))) as archive:
            archive.extractall(work / "source", **SAFELY)
        source = next((work / "source").iterdir())
        (source / "tlskit_injected.py").write_text(PLUGIN)
        before = run(python, project, source)
        after = run(python, project, source, "-p", "tlskit_injected")
    lost = sorted(test for test, passed in before.items() if passed and not after.get(test))
    passed = sum(before.values())
    print(f"{name}: {passed} tests pass with ssl, {passed - len(lost)} of them with tlskit")
    print(*(f"  LOST {test}" for test in lost), sep="\n", end="\n" if lost else "")
    return 1 if lost or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
