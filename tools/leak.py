"""Does memory stay flat? Make many connections in memory, and look at the resident set.

    python tools/leak.py 20000
    python tools/leak.py 50000 --resume memory

Each round is a full handshake, one that resumes it, one that is refused, and a little talk on each
that was made. With
`--resume`, each is a connection that resumes by itself: from a MemoryStore ("memory") or an SQLite
file ("sqlite"), at a server with a keyring ("keyring"), with a store of its own ("server"), or with
early data ("early"). What the first half grows by is warming up (caches, the allocator's arenas);
the second half may grow by LIMIT at most, or the exit status is 1. `--keep` keeps every connection,
to see that a leak would be found.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tlskit
from tests.support import pairs, pki

LIMIT = 1 << 20
LINES = 20


def resident() -> int:
    """Bytes of this process that are in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Rounds:
    """Handshakes of every kind, in TLS 1.2 and TLS 1.3 by turns."""

    def __init__(self, authority: pki.PKI) -> None:
        self._turns = []
        for version in (tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3):
            client, server = pairs.client_context(authority), pairs.server_context(authority)
            refused = pairs.server_context(authority, identity=authority.stranger)
            server.sni_callback = lambda connection, name, context: None
            client.sessions.on_new = lambda connection, session: None
            server.tickets.keyring = tlskit.TicketKeyring()
            pairs.only(version, client, server, refused)
            self._turns.append((client, server, refused))
        self._next = 0

    def make(self) -> tuple[Any, ...]:
        client, server, refused = self._turns[self._next % 2]
        self._next += 1
        if self._next % 10 < 2:
            server.tickets.keyring.rotate()
        full = self._talk(client, server, None)
        resumed = self._talk(
            client, server, tlskit.SSLSession.from_bytes(full[0].session.to_bytes())
        )
        if not resumed[0].session_reused:
            raise AssertionError("the handshake did not resume")
        if resumed[0].info.verified_chain != full[0].info.verified_chain:
            raise AssertionError("the info of the session was lost")
        with contextlib.suppress(tlskit.SSLCertVerificationError):
            pairs.memory_pair(client, refused)
            raise AssertionError("the handshake was not refused")
        return full, resumed

    @staticmethod
    def _talk(client: Any, server: Any, session: Any) -> tuple[Any, Any]:
        near, far = pairs.memory_pair(client, server, session=session)
        near.write(b"a question")
        if far.read(100) != b"a question":
            raise AssertionError("the bytes did not arrive")
        far.write(bytes(20000))
        near.read(65536)
        near.getpeercert()
        near.cipher()
        return near, far


class Resumptions:
    """One connection after the other that resumes by itself, in TLS 1.2 and TLS 1.3 by turns."""

    def __init__(self, authority: pki.PKI, folder: Path, how: str) -> None:
        self._how, self._turns, self._next = how, [], 0
        versions = (
            [tlskit.TLSVersion.TLSv1_3]
            if how == "early"
            else [tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3]
        )
        for version in versions:
            client, server = pairs.client_context(authority), pairs.server_context(authority)
            pairs.only(version, client, server)
            client.sessions.store = (
                tlskit.SQLiteStore(folder / f"{version.name}.db", secret=bytes(32))
                if how == "sqlite"
                else tlskit.MemoryStore()
            )
            if how == "keyring":
                server.tickets.keyring = tlskit.TicketKeyring()
            if how in ("server", "early"):
                server.sessions.store = tlskit.MemoryStore()
            if how == "early":
                server.max_early_data = 16384
            pairs.memory_pair(client, server)
            self._turns.append((client, server))

    def make(self) -> tuple[Any, ...]:
        client, server = self._turns[self._next % len(self._turns)]
        self._next += 1
        if self._how == "keyring" and self._next % 100 < 2:
            server.tickets.keyring.rotate()
        to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        early = b"early" if self._how == "early" else None
        near = client.wrap_bio(to_client, to_server, server_hostname="localhost", early_data=early)
        far = server.wrap_bio(to_server, to_client, server_side=True)
        pairs.shake(near, far)
        if early and far.read_early_data() != early:
            raise AssertionError("the early data was not taken")
        far.write(b"x")
        near.read(1)
        if not near.session_reused or not near.resumption.automatic:
            raise AssertionError("the handshake did not resume")
        return near, far


def measure(handshakes: int, *, keep: bool = False, how: str | None = None) -> int:
    """Make that many handshakes, print how memory goes, and return by how much the second half has
    grown.
    """
    with tempfile.TemporaryDirectory() as folder:
        authority = pki.make(Path(folder))
        rounds = Rounds(authority) if how is None else Resumptions(authority, Path(folder), how)
        each = 3 if how is None else 1
        kept: list[Any] = []
        count = max(handshakes // each, 2)
        step, middle = max(count // LINES, 1), 0
        for i in range(1, count + 1):
            made = rounds.make()
            if keep:
                kept.append(made)
            if i % step == 0 or i == count // 2 or i == count:
                gc.collect()
                now = resident()
                print(f"{i * each:8} handshakes  {now / 1024:10.0f} KiB", flush=True)
                if i == count // 2:
                    middle = now
        return resident() - middle


def main() -> int:
    parser = argparse.ArgumentParser(description="Does memory stay flat over many handshakes?")
    parser.add_argument("handshakes", type=int, nargs="?", default=20000)
    parser.add_argument("--keep", action="store_true", help="keep every connection: has to fail")
    parser.add_argument(
        "--resume",
        choices=["memory", "sqlite", "keyring", "server", "early"],
        help="connections that resume",
    )
    arguments = parser.parse_args()
    grown = measure(arguments.handshakes, keep=arguments.keep, how=arguments.resume)
    print(f"the second half has grown by {grown / 1024:.0f} KiB; allowed are {LIMIT / 1024:.0f}")
    return int(grown > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
