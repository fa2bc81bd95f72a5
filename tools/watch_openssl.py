"""Look for OpenSSL releases newer than those that tools/sources.txt pins.

    python3 tools/watch_openssl.py           report newer releases
    python3 tools/watch_openssl.py --write   and pin them in tools/sources.txt

The exit status is 0 if there are none, 1 if there are, and 2 if it cannot tell.

The releases come from GitHub's API, with the token GITHUB_TOKEN if there is one: without a token,
GitHub answers few requests from one address. A new version's SHA-256 is taken from the file that
OpenSSL publishes beside the tarball, and compared with the tarball itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "sources.txt"
API = "https://api.github.com/repos/openssl/openssl/releases?per_page=100"
TARBALL = "https://github.com/openssl/openssl/releases/download/openssl-{version}/openssl-{version}.tar.gz"


class Unknown(Exception):
    """It cannot be said which releases there are, or what is in one."""


def read(url: str) -> bytes:
    request = urllib.request.Request(url)
    token = os.environ.get("GITHUB_TOKEN")
    if token and url == API:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            content: bytes = answer.read()
    except OSError as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the answer, too
        raise Unknown(f"{url} cannot be read: {error}") from error
    return content


def released() -> list[str]:
    """Return the versions of all releases, without alphas, betas and the like."""
    tags = json.loads(read(API))
    found = (re.fullmatch(r"openssl-(\d+\.\d+\.\d+)", tag["tag_name"]) for tag in tags)
    versions = [match.group(1) for match in found if match]
    if not versions:
        raise Unknown(f"{API} names no release of OpenSSL")
    return versions


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
        raise Unknown(f"openssl-{version}.tar.gz is not what its published SHA-256 says")
    return said


def pinned(text: str, series: str, version: str, digest: str) -> str:
    """Return `text` with the series at a new version. Debian may not have it yet: its name
    stays.
    """
    line = re.compile(rf"^(openssl-{re.escape(series)}\s+)\S+(\s+)\S+(\s+\S+\s+)\S+$", re.MULTILINE)
    return line.sub(
        lambda m: f"{m[1]}{version}{m[2]}{digest}{m[3]}{TARBALL.format(version=version)}", text
    )


def watch(*, write: bool) -> bool:
    """Report what is newer than what is pinned; return whether anything is."""
    text, versions = SOURCES.read_text(encoding="utf-8"), released()
    found = newer(text, versions)
    for series, (version, newest) in found.items():
        print(f"OpenSSL {series}: {newest} is released, {version} is pinned")
        if write:
            text = pinned(text, series, newest, digest_of(newest))
    unknown = unknown_series(text, versions)
    for series in unknown:
        print(f"OpenSSL {series} is a new series: give it a line in tools/sources.txt")
    if write:
        SOURCES.write_text(text, encoding="utf-8")
    return bool(found or unknown)


def main() -> int:
    try:
        return int(watch(write="--write" in sys.argv[1:]))
    except Unknown as error:
        print(f"watch_openssl.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
