"""Keys of tickets do not stay for longer than they must, and do not go where nobody looks."""

from __future__ import annotations

import os
import pickle

import pytest

import tlskit
from tlskit import TicketKeyring
from tlskit._tickets.wiping import wiper
from tlskit.stores import Entry

from ..support import inside
from ..support.raw import until
from ..threads.test_fork import in_child


def held(keyring):
    return inside.keys_of(keyring).held


def later(keyring, seconds):
    """Let time pass for an idle process: nobody asks the keyring."""
    inside.keys_of(keyring).shift(seconds)
    wiper.look()


def test_keys_that_have_ended_are_wiped_while_nobody_connects():
    keyring = TicketKeyring(period=3600, lifetime=7200)
    for _ in range(5):
        keyring.rotate()
    before = held(keyring)
    assert before >= 6
    later(keyring, 4 * 7200)
    until(lambda: held(keyring) < 6)


def test_keys_that_were_given():
    keyring = TicketKeyring.from_keys([os.urandom(80), os.urandom(80)])
    keyring.rotate()
    assert held(keyring) == 3
    later(keyring, 2 * 7200)
    until(lambda: held(keyring) == 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_in_a_forked_child():
    keyring = TicketKeyring.from_keys([os.urandom(80)])
    keyring.rotate()

    def work():
        later(keyring, 2 * 7200)
        until(lambda: held(keyring) == 1)

    assert in_child(work) == 0
    assert held(keyring) == 2


def test_nothing_is_pickled():
    key = inside.keys_of(TicketKeyring()).in_force()[0]
    for secret in (key, Entry(b"key", b"value", 1.0)):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(secret, protocol)


def test_equality_of_sessions_needs_no_secret(monkeypatch, contexts):
    """Sessions are told apart by a digest that is made where the secret is."""
    from ..support.pairs import memory_pair

    near, _ = memory_pair(*contexts)
    session = near.session
    again = tlskit.SSLSession.from_bytes(session.to_bytes())
    monkeypatch.setattr(type(inside.core_session(session)), "secret", None)
    assert session == again
    assert hash(session) == hash(again)
    assert session != memory_pair(*contexts)[0].session
