"""The `openssl` command as the other side: `s_server` and `s_client` as processes that are talked to and listened to.

Nothing here sleeps. What a process has written is collected by a thread, and `expect` waits until the wanted words are
there, or the process has ended, or too much time has passed; then it fails, and shows everything that was written.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

import tlskit

from .pki import Identity

COMMAND = os.environ.get("TLSKIT_TEST_OPENSSL", "openssl")
PATIENCE = 20.0  # seconds: only a test that fails waits as long

_VERSIONS = {
    tlskit.TLSVersion.TLSv1: ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
    tlskit.TLSVersion.TLSv1_1: ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
    tlskit.TLSVersion.TLSv1_2: ("-tls1_2",),
    tlskit.TLSVersion.TLSv1_3: ("-tls1_3",),
}


@cache
def version() -> str | None:
    """What `openssl version` says; None where there is no such command, or it is another project's."""
    path = shutil.which(COMMAND)
    if path is None:
        return None
    said = subprocess.run([path, "version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout
    return said.strip() if re.match(r"OpenSSL ([3-9]|\d\d)\.", said) else None


def speaking(version: tlskit.TLSVersion) -> tuple[str, ...]:
    """The options that make `s_server` and `s_client` speak one protocol version only."""
    return _VERSIONS[version]


class Peer:
    """An `openssl` process. Its output is both of its streams, in one text."""

    def __init__(self, *arguments: str | Path) -> None:
        self._written, self._ended, self._at = "", False, 0
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [COMMAND, *map(os.fspath, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OPENSSL_CONF": os.devnull},  # the machine's own policy is none of the test's business
        )
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while True:
            heard = os.read(self._process.stdout.fileno(), 1 << 16)
            with self._news:
                self._written += heard.decode("latin-1")  # a character for each byte, whatever it is
                self._ended = not heard
                self._news.notify_all()
            if not heard:
                return

    @property
    def output(self) -> str:
        """All that it has written so far."""
        with self._news:
            return self._written

    def expect(self, pattern: str, patience: float = PATIENCE) -> re.Match[str]:
        """Wait until what it writes matches `pattern`, a regular expression in which ^ and $ are ends of lines.

        Each call goes on where the one before has found something, so the second of two connections is not mistaken
        for the first.
        """
        wanted = re.compile(pattern, re.MULTILINE)
        deadline = monotonic() + patience
        with self._news:
            while not (found := wanted.search(self._written, self._at)):
                left = deadline - monotonic()
                if self._ended or left <= 0:
                    why = "ended" if self._ended else f"has run for {patience:g} seconds more"
                    before, after = self._written[: self._at], self._written[self._at :]
                    raise AssertionError(f"openssl {why} without {pattern!r}; it wrote:\n{after}\nand before:\n{before}")
                self._news.wait(left)
            self._at = found.end()
            return found

    def say(self, data: bytes) -> None:
        """Type this: what it sends to its peer, or a command letter ("Q" to quit) where a line begins with one."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(f"openssl has ended, and cannot be told {data[:80]!r}; it wrote:\n{self.output}") from None

    def end(self, patience: float = PATIENCE) -> int:
        """Wait until it has ended of its own accord; its exit status. `output` is complete then."""
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"openssl has not ended; it wrote:\n{self.output}") from None
        self._listening.join(patience)
        assert not self._listening.is_alive(), "openssl has ended, but its output has not"
        return status

    def kill(self) -> None:
        """End it at once, so that it says no farewell to its peer."""
        self._process.kill()
        self.end()

    def stop(self) -> None:
        """End it, whatever it does; it is gone afterwards."""
        with contextlib.suppress(OSError):  # what was typed last may have nobody to read it
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listening.join(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Server(Peer):
    """A running `s_server`."""

    address: tuple[str, int]


@contextlib.contextmanager
def s_server(identity: Identity, *options: str | Path) -> Iterator[Server]:
    """`openssl s_server` that listens on a free loopback port.

    The process binds port 0 itself and says which port that has become, as it does since OpenSSL 1.1.1, so nobody can
    take the port in between. It serves one connection after the other. Of the identity's chain it sends the first
    certificate only, unless `-cert_chain` says more.
    """
    server = Server("s_server", "-accept", "127.0.0.1:0", "-cert", identity.chain, "-key", identity.key, *options)
    try:
        server.address = ("127.0.0.1", int(server.expect(r"^ACCEPT 127\.0\.0\.1:(\d+)$")[1]))
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def s_client(address: Any, root: Path, *options: str | Path, hostname: str | None = "localhost") -> Iterator[Peer]:
    """`openssl s_client` that connects there, trusts `root`, and demands that the certificate is for `hostname`."""
    names = ("-noservername",) if hostname is None else ("-servername", hostname, "-verify_hostname", hostname)
    trust = ("-CAfile", root, "-verify_return_error")
    client = Peer("s_client", "-connect", f"{address[0]}:{address[1]}", *trust, *names, *options)
    try:
        yield client
    finally:
        client.stop()
