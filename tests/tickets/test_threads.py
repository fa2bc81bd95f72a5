"""Handshakes of many threads while the keys change, and children that are forked in the middle of
it.
"""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tlskit import TicketKeyring

from ..support import pairs
from .conftest import earned, random_key, resumes, shift

THREADS, ROUNDS = 8, 6


def crowd(client, server):
    """Threads that make full and resumed handshakes; how many resumed."""

    def work():
        return sum(resumes(client, server, earned(client, server)) for _ in range(ROUNDS))

    return [pairs.Background(work) for _ in range(THREADS)]


def test_rotation_under_load(client, make_server):
    ring = TicketKeyring(period=100, lifetime=250)
    threads = crowd(client, make_server(ring))
    for step in range(200):
        shift(ring, 50)
        if step % 10 == 0:
            ring.rotate()
        ring.stats()
        ring.dangerous_keys()
    resumed = sum(thread.result() for thread in threads)
    stats = ring.stats()
    assert stats.resumed == resumed
    assert (
        stats.resumed + stats.retired + stats.unknown == THREADS * ROUNDS
    )  # the names of old keys are not kept for ever
    assert stats.tampered == stats.refused == 0
    assert stats.rotations >= 100


def test_rings_and_keys_that_come_and_go(client, make_server):
    """No error and no crash; what resumes is a matter of luck."""
    server = make_server(TicketKeyring())
    threads = crowd(client, server)
    given = TicketKeyring.from_keys([random_key()])
    fleet = TicketKeyring.fleet(os.urandom(32))
    for _ in range(50):
        for ring in (given, fleet, TicketKeyring(), None):
            server.tickets.keyring = ring
        given.set_keys([random_key(), random_key(48)])
        fleet.set_secrets(os.urandom(32), os.urandom(32))
    for thread in threads:
        thread.result()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forking_under_load(client, make_server):
    """The lock of the rings is never held in a child."""
    ring = TicketKeyring(period=100, lifetime=250)
    server = make_server(ring)
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            shift(ring, 1)
            ring.rotate()
            ring.dangerous_keys()

    churning = [pairs.Background(churn) for _ in range(2)]
    try:
        for _ in range(25):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    signal.alarm(10)
                    ring.rotate()
                    status = int(not resumes(client, server, earned(client, server)))
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        stop.set()
    for thread in churning:
        thread.result()
