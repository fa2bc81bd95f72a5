"""Real processes behind one address, that know nothing of each other but a secret."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from collections import defaultdict
from pathlib import Path
from time import monotonic

import pytest

from tlskit import TicketKeyring

from ..support.processes import PATIENCE, Process

ROOT = Path(__file__).resolve().parents[2]
MACHINES = ("one", "two", "three")
PERIOD, LIFETIME = 1, 40
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs a port that processes can share"
)


@pytest.fixture
def address():
    """A port that nobody else takes: it is bound here, but not listened on."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()


@contextlib.contextmanager
def fleet(address, secrets, pki, version):
    """The machines, each with its secret."""
    settings = (pki.server.chain, pki.server.key, str(PERIOD), str(LIFETIME), str(int(version)))
    with contextlib.ExitStack() as stack:
        machines = []
        for name, secret in zip(MACHINES, secrets, strict=True):
            command = [
                sys.executable,
                "-W",
                "error",
                "-m",
                "tests.tickets.fleet_server",
                str(address[1]),
                name,
                *settings,
            ]
            machine = Process(command, name=name, environment=ENVIRONMENT)
            stack.callback(machine.stop)
            machine.say(secret.hex().encode() + b"\n")
            machines.append(machine)
        for machine in machines:
            machine.expect("^ready$")
        yield machines


def visit(client, address, session=None):
    """Who answered, whether the session was resumed, and the session of now."""
    with (
        socket.create_connection(address, timeout=20) as plain,
        client.wrap_socket(plain, server_hostname="localhost", session=session) as wrapped,
    ):
        name, reused = wrapped.recv(100).decode().split()
        assert wrapped.session_reused is (reused == "True")
        return name, wrapped.session_reused, wrapped.session


def visit_all(client, address, ours):
    """Come back with the first session and the newest, until each machine has resumed in three
    periods.
    """
    _, reused, first = visit(client, address)
    assert not reused
    newest, seen = first, defaultdict(set)
    deadline = monotonic() + PATIENCE
    while len(seen) < 3 or min(map(len, seen.values())) < 3:
        assert monotonic() < deadline, seen
        for session in (first, newest):
            period = ours.names[0]
            name, reused, newest = visit(client, address, session)
            assert reused, (name, seen)
            if period == ours.names[0]:
                seen[name].add(period)


def test_a_client_resumes_on_any_machine_across_rotations(client, version, pki, address):
    secret = os.urandom(32)
    with fleet(address, [secret] * 3, pki, version) as machines:
        visit_all(client, address, TicketKeyring.fleet(secret, period=PERIOD, lifetime=LIFETIME))
        counted = [stats_of(machine) for machine in machines]
    assert all(
        stats["resumed"] > 0 and stats["renewed"] > 0 and stats["rotations"] >= 2
        for stats in counted
    )
    assert all(
        stats["unknown"] == stats["retired"] == stats["refused"] == stats["tampered"] == 0
        for stats in counted
    )


def test_a_client_resumes_at_any_worker_across_rotations(client, version, pki, address):
    """Forked from a parent with a keyring of its own: they have nothing else in common."""
    settings = (pki.server.chain, pki.server.key, str(PERIOD), str(LIFETIME), str(int(version)))
    command = [
        sys.executable,
        "-m",
        "tests.tickets.prefork_server",
        str(address[1]),
        *settings,
        *MACHINES,
    ]
    server = Process(command, name="server", environment=ENVIRONMENT)
    try:
        server.expect("^ready$")
        visit_all(client, address, TicketKeyring(period=PERIOD, lifetime=LIFETIME))
        server._process.stdin.close()
        assert server.end() == 0
    finally:
        server.stop()


def test_a_machine_with_another_secret_resumes_nothing_of_the_others(client, version, pki, address):
    """The test above could fail."""
    secret = os.urandom(32)
    with fleet(address, [secret, secret, os.urandom(32)], pki, version) as machines:
        seen = set()
        deadline = monotonic() + PATIENCE
        while seen < {("same", True), ("other", False)}:
            assert monotonic() < deadline, seen
            name, reused, session = visit(client, address)
            if name != "three":
                name, reused, _ = visit(client, address, session)
                seen.add(("other" if name == "three" else "same", reused))
        assert seen == {("same", True), ("other", False)}
        assert stats_of(machines[2])["unknown"] > 0


def stats_of(machine):
    machine._process.stdin.close()
    said = machine.expect(r"^counted TicketStats\((.*)\)$")[1]
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", said)}
