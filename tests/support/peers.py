"""The `openssl` command as the other side: `s_server` and `s_client` as processes that are talked
to and listened to.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import tlskit

from .pki import Identity
from .processes import PATIENCE, Process

COMMAND = os.environ.get("TLSKIT_TEST_OPENSSL", "openssl")

_VERSIONS = {
    tlskit.TLSVersion.TLSv1: ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
    tlskit.TLSVersion.TLSv1_1: ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
    tlskit.TLSVersion.TLSv1_2: ("-tls1_2",),
    tlskit.TLSVersion.TLSv1_3: ("-tls1_3",),
}


@cache
def version() -> str | None:
    """What `openssl version` says; None where there is no such command, or it is another
    project's.
    """
    path = shutil.which(COMMAND)
    if path is None:
        return None
    said = subprocess.run(
        [path, "version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    ).stdout
    return said.strip() if re.match(r"OpenSSL ([3-9]|\d\d)\.", said) else None


def command() -> str:
    """Return the command; the test is skipped where there is none."""
    if version() is None:
        pytest.skip("there is no openssl command")
    return COMMAND


def provider(name: str, variable: str) -> Path | None:
    """A provider's file, such as "fips": the variable's, or the one beside OpenSSL's others."""
    if named := os.environ.get(variable):
        return Path(named)
    program = shutil.which("openssl")
    if program is None:
        return None
    said = subprocess.run(
        [program, "version", "-m"], capture_output=True, text=True, check=False
    ).stdout
    found = Path(said.partition('"')[2].rpartition('"')[0]) / f"{name}.so"
    return found if found.exists() else None


def speaking(version: tlskit.TLSVersion) -> tuple[str, ...]:
    """The options that make `s_server` and `s_client` speak one protocol version only."""
    return _VERSIONS[version]


class Peer(Process):
    """An `openssl` process. `say` is what it sends to its peer, or a command letter ("Q" to quit)
    where a line begins with one.
    """

    def __init__(self, *arguments: str | Path) -> None:
        # the machine's own policy is none of the test's business
        super().__init__([COMMAND, *arguments], environment={"OPENSSL_CONF": os.devnull})


class Server(Peer):
    """A running `s_server`."""

    address: tuple[str, int]


@contextlib.contextmanager
def s_server(identity: Identity | None, *options: str | Path) -> Iterator[Server]:
    """`openssl s_server` that listens on a free loopback port.

    The process binds port 0 itself and says which port that has become, as it does since OpenSSL
    1.1.1, so nobody can take the port in between. It serves one connection after the other. Of the
    identity's chain it sends the first certificate only, unless `-cert_chain` says more.
    """
    shown: tuple[str | Path, ...] = ("-nocert",)
    if identity is not None:
        shown = ("-cert", identity.chain, "-key", identity.key)
    server = Server("s_server", "-accept", "127.0.0.1:0", *shown, *options)
    try:
        server.address = ("127.0.0.1", int(server.expect(r"^ACCEPT 127\.0\.0\.1:(\d+)$")[1]))
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def s_client(
    address: Any, root: Path, *options: str | Path, hostname: str | None = "localhost"
) -> Iterator[Peer]:
    """`openssl s_client` that connects there, trusts `root`, and demands that the certificate is
    for `hostname`.
    """
    names = (
        ("-noservername",)
        if hostname is None
        else ("-servername", hostname, "-verify_hostname", hostname)
    )
    trust = ("-CAfile", root, "-verify_return_error")
    client = Peer("s_client", "-connect", f"{address[0]}:{address[1]}", *trust, *names, *options)
    try:
        yield client
    finally:
        client.stop()
