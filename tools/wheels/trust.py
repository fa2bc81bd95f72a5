"""Check that the installed tlskit finds the system's authorities in the places of various systems.

    python -I tools/wheels/trust.py

Each layout is a temporary `/etc`, mounted over the real one for one process: a default context must
trust the authority in the layout, and no other. Only Linux has such mounts; unshare(1) must be
allowed. The places of this machine are checked last.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import trustme

import tlskit

FILES = {
    "Debian, Ubuntu, Arch": "ssl/certs/ca-certificates.crt",
    "Fedora, RHEL": "pki/tls/certs/ca-bundle.crt",
    "Fedora, RHEL, extracted": "pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "openSUSE": "ssl/ca-bundle.pem",
    "Alpine, FreeBSD, macOS": "ssl/cert.pem",
}
ASK = "import tlskit; print(len(tlskit.create_default_context().get_ca_certs()))"
WAYS = (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"])


def mounts() -> list[str] | None:
    """Return a command prefix that gives a process separate mounts, as root or as any user."""
    for way in WAYS:
        try:
            done = subprocess.run([*way, "mount", "--bind", "/tmp", "/etc"], capture_output=True)
        except OSError:
            continue
        if done.returncode == 0:
            return way
    return None


def found_with(way: list[str], etc: Path, **environment: str) -> int:
    """Return how many authorities a default context trusts with `etc` mounted at /etc."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SSL_CERT_", "OPENSSL_"))}
    python = shlex.join([sys.executable, "-I", "-c", ASK])
    script = f"mount --bind {shlex.quote(str(etc))} /etc && exec {python}"
    command = [*way, "sh", "-c", script]
    done = subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return int(done.stdout)


def say(good: bool, what: str) -> bool:
    print(f"  {'ok ' if good else 'NOT'} {what}")
    return good


def try_layouts(way: list[str], top: Path) -> bool:
    good = True
    content = trustme.CA().cert_pem.bytes()
    for number, (name, file) in enumerate(FILES.items()):
        etc = top / str(number)
        (etc / file).parent.mkdir(parents=True)
        (etc / file).write_bytes(content)
        good &= say(found_with(way, etc) == 1, f"{name}: /etc/{file}")
    (top / "none").mkdir()
    good &= say(found_with(way, top / "none") == 0, "no authorities anywhere: trusts nobody")
    named = top / "named.pem"
    named.write_bytes(content)
    good &= say(found_with(way, top / "none", SSL_CERT_FILE=str(named)) == 1, "SSL_CERT_FILE")
    return good


def main() -> int:
    good, way = True, mounts()
    if way is None:
        print("  not tried: unshare(1) gives no mounts here")
    else:
        with tempfile.TemporaryDirectory() as folder:
            good = try_layouts(way, Path(folder))
    count = len(tlskit.create_default_context().get_ca_certs())
    print(f"  this machine: {count} authorities")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
