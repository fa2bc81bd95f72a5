"""Look for OpenSSL releases newer than those that tools/sources.txt pins.

    python3 tools/watch_openssl.py           report newer releases; exit status 1 if there are any
    python3 tools/watch_openssl.py --write   and pin them in tools/sources.txt

The releases come from GitHub's API. A new version's SHA-256 is taken from the file that OpenSSL
publishes beside the tarball, and compared with the tarball itself. RELEASES names a file to read
instead of the API: a JSON list of objects with `tag_name`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import urllib.request
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "sources.txt"
API = "https://api.github.com/repos/openssl/openssl/releases?per_page=100"
TARBALL = "https://github.com/openssl/openssl/releases/download/openssl-{version}/openssl-{version}.tar.gz"


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:
        content: bytes = answer.read()
    return content


def released() -> list[str]:
    """Return the versions of all releases, without alphas, betas and the like."""
    named = os.environ.get("RELEASES")
    tags = json.loads(Path(named).read_text(encoding="utf-8") if named else read(API))
    found = (re.fullmatch(r"openssl-(\d+\.\d+\.\d+)", tag["tag_name"]) for tag in tags)
    return [match.group(1) for match in found if match]


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def newer(text: str, versions: list[str]) -> dict[str, tuple[str, str]]:
    """Return, for each pinned series with a newer release, the pinned version and the newest."""
    found = {}
    for series, version in re.findall(r"^openssl-(\S+)\s+(\S+)", text, re.MULTILINE):
        of_series = [v for v in versions if v.startswith(f"{series}.")]
        newest = max(of_series, key=number, default=version)
        if number(newest) > number(version):
            found[series] = (version, newest)
    return found


def unknown_series(text: str, versions: list[str]) -> list[str]:
    """Return series that are newer than every pinned one."""
    pinned = [number(s) for s in re.findall(r"^openssl-(\S+)", text, re.MULTILINE)]
    series = {number(v)[:2] for v in versions}
    return [".".join(map(str, s)) for s in sorted(series) if s > max(pinned)]


def digest_of(version: str) -> str:
    url = TARBALL.format(version=version)
    said = read(url + ".sha256").decode().split()[0]
    if hashlib.sha256(read(url)).hexdigest() != said:
        raise SystemExit(f"openssl-{version}.tar.gz is not what its published SHA-256 says")
    return said


def pinned(text: str, series: str, version: str, digest: str) -> str:
    """Return `text` with the series at a new version. Debian may not have it yet: its name
    stays.
    """
    line = re.compile(rf"^(openssl-{re.escape(series)}\s+)\S+(\s+)\S+(\s+\S+\s+)\S+$", re.MULTILINE)
    return line.sub(
        lambda m: f"{m[1]}{version}{m[2]}{digest}{m[3]}{TARBALL.format(version=version)}", text
    )


def main() -> int:
    text, versions = SOURCES.read_text(encoding="utf-8"), released()
    found = newer(text, versions)
    for series, (version, newest) in found.items():
        print(f"OpenSSL {series}: {newest} is released, {version} is pinned")
        if "--write" in sys.argv[1:]:
            text = pinned(text, series, newest, digest_of(newest))
    for series in unknown_series(text, versions):
        print(f"OpenSSL {series} is a new series: give it a line in tools/sources.txt")
    if "--write" in sys.argv[1:]:
        SOURCES.write_text(text, encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
