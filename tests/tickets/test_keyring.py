"""What a TicketKeyring is made from, what it shows of itself, and what it refuses."""

from __future__ import annotations

import copy
import hashlib
import hmac
import os
import pickle
import time

import pytest

import tlskit
from tlskit import TicketKeyring

from ..support import inside
from .conftest import LIFETIME, PERIOD, random_key, shift

HOUR = 3600


def expand(secret: bytes, info: bytes, size: int) -> bytes:
    """HKDF-SHA256 (RFC 5869) with the salt of a fleet, written down once more."""
    extracted = hmac.digest(b"tlskit tickets 1", secret, hashlib.sha256)
    done, block = b"", b""
    while len(done) < size:
        block = hmac.digest(extracted, block + info + bytes([len(done) // 32 + 1]), hashlib.sha256)
        done += block
    return done[:size]


# -- its own keys ----------------------------------------------------------------------------------


def test_own_keys_are_random():
    assert TicketKeyring().names != TicketKeyring().names
    assert len(TicketKeyring().dangerous_keys()[0]) == 80


def test_period_and_lifetime():
    ring = TicketKeyring()
    assert (ring.period, ring.lifetime) == (3600, 7200)
    ring = TicketKeyring(period=60, lifetime=600)
    assert (ring.period, ring.lifetime) == (60, 600)


def test_another_key_every_period():
    ring = TicketKeyring(period=PERIOD, lifetime=LIFETIME)
    seen = []
    for _ in range(8):
        seen.append(ring.names[0])
        assert (
            list(ring.names) == seen[::-1][:4]
        )  # those of three periods before: for LIFETIME and more
        shift(ring, PERIOD)
    assert len(set(seen)) == 8
    assert ring.stats().rotations == 7


def test_clock_that_goes_back():
    """By a little: nothing changes. By much: the keys go on changing, as if it had always been
    so.
    """
    ring = TicketKeyring(period=PERIOD, lifetime=PERIOD)
    shift(ring, 10 * PERIOD)
    names = ring.names
    shift(ring, -PERIOD)
    assert ring.names == names
    shift(ring, -100 * PERIOD)
    seen = {*names, ring.names[0]}
    assert len(seen) == len(names) + 1
    for n in range(5):
        shift(ring, PERIOD)
        seen.add(ring.names[0])
        assert len(seen) == len(names) + 2 + n
        assert len(ring.names) <= 4


def test_years_pass():
    ring = TicketKeyring(period=HOUR, lifetime=HOUR)
    first = ring.names[0]
    shift(ring, 10 * 365 * 86400)
    assert first not in ring.names


def test_clock_that_is_set_for_the_first_time():
    """Nobody waits until two milliards of keys have been made."""
    ring = TicketKeyring(period=1, lifetime=1)
    shift(ring, 2**31)
    assert len(ring.names) == 2
    shift(ring, 1)
    assert len(ring.names) == 2


def test_rotating_by_hand():
    ring = TicketKeyring()
    before = ring.names
    ring.rotate()
    assert ring.names[1:] == before
    ring.rotate(forget=True)
    assert len(ring.names) == 1
    assert ring.names[0] not in before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_children_make_the_same_keys_at_the_same_time():
    ring = TicketKeyring(period=PERIOD, lifetime=LIFETIME)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            shift(ring, 3 * PERIOD)
            os.write(writing, repr(ring.dangerous_keys()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(pid, 0)
    for _ in range(3):  # in other steps
        shift(ring, PERIOD)
        names = ring.names
    assert repr(ring.dangerous_keys()).encode() == theirs
    assert len(names) == 4


# -- a fleet's -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 33, 100])
def test_keys_of_a_fleet_are_hkdf(size):
    """Written down in the documentation, so that others can compute them too."""
    secret = os.urandom(size)
    number = int(time.time()) // HOUR
    ring = TicketKeyring.fleet(secret, period=HOUR, lifetime=2 * HOUR)
    keys = ring.dangerous_keys()
    number += int(
        int(time.time()) // HOUR != number
        and keys[0] != expand(secret, HOUR.to_bytes(8, "big") + number.to_bytes(8, "big"), 80)
    )
    wanted = [
        expand(secret, HOUR.to_bytes(8, "big") + (number + n).to_bytes(8, "big"), 80)
        for n in (0, 1, -1, -2)
    ]
    assert keys == wanted


def test_fleet_is_in_step():
    secret = os.urandom(32)
    one, other = (TicketKeyring.fleet(secret, period=PERIOD, lifetime=LIFETIME) for _ in range(2))
    for _ in range(5):
        assert one.names == other.names
        shift(one, PERIOD)
        assert (
            one.names[0] in other.names
        )  # a clock that is ahead by a period, and one that is behind
        assert other.names[0] in one.names
        shift(other, PERIOD)


def test_other_periods_and_secrets_give_other_keys():
    secret = os.urandom(32)
    names = [
        set(TicketKeyring.fleet(secret, period=HOUR).names),
        set(TicketKeyring.fleet(secret, period=1800).names),
        set(TicketKeyring.fleet(secret + b"\0", period=HOUR).names),
    ]
    assert sum(map(len, names)) == len(set.union(*names))


def test_changing_the_secret_of_a_fleet():
    old, new = os.urandom(32), os.urandom(40)
    ring, only_old, only_new = (
        TicketKeyring.fleet(old, new),
        TicketKeyring.fleet(old),
        TicketKeyring.fleet(new),
    )
    assert ring.names[0] == only_old.names[0]
    assert set(only_new.names) < set(ring.names)
    ring.set_secrets(new, old)
    assert ring.names[0] == only_new.names[0]
    assert set(only_old.names) < set(ring.names)
    ring.set_secrets(new)
    assert ring.names == only_new.names


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ([], "1 to 8 secrets"),
        ([os.urandom(32) for _ in range(9)], "1 to 8 secrets"),
        ([os.urandom(31)], "at least 32 random bytes, got 31"),
        ([bytes(32)], "repeats a single byte"),
        ([b"s" * 64], "repeats a single byte"),
        ([random_key()] * 1 + [b""], "got 0"),
    ],
)
def test_bad_secrets(secrets, words):
    with pytest.raises(ValueError, match=words):
        TicketKeyring.fleet(*secrets)
    ring = TicketKeyring.fleet(os.urandom(32))
    names = ring.names
    with pytest.raises(ValueError, match=words):
        ring.set_secrets(*secrets)
    assert ring.names == names


def test_the_same_secret_twice():
    secret = os.urandom(32)
    with pytest.raises(ValueError, match="the same"):
        TicketKeyring.fleet(secret, bytearray(secret))


def test_secret_is_no_text():
    with pytest.raises(TypeError):
        TicketKeyring.fleet("0123456789abcdef0123456789abcdef")


# -- given -----------------------------------------------------------------------------------------


def test_keys_come_out_as_they_went_in():
    keys = [random_key(), random_key(48), random_key()]
    ring = TicketKeyring.from_keys(keys)
    assert ring.dangerous_keys() == keys
    assert ring.names == tuple(key[:16].hex() for key in keys)
    assert ring.period is None
    ring.set_keys(iter([memoryview(keys[2])]))
    assert ring.dangerous_keys() == [keys[2]]


def test_given_keys_rotate_too():
    key = random_key(48)
    ring = TicketKeyring.from_keys([key], lifetime=1000)
    ring.rotate()
    assert ring.names[1] == key[:16].hex()
    shift(ring, 900)
    assert len(ring.names) == 2
    shift(ring, 101)
    assert len(ring.names) == 1


@pytest.mark.parametrize("size", [0, 1, 47, 49, 64, 79, 81, 160])
def test_other_sizes_are_no_keys(size):
    with pytest.raises(ValueError, match=f"48 or 80 bytes, got {size}"):
        TicketKeyring.from_keys([random_key(size)])


def test_bad_keys_change_nothing():
    ring = TicketKeyring.from_keys([random_key()])
    before = ring.dangerous_keys()
    key = random_key()
    for keys, words in [
        ([], "1 to 62 keys"),
        ([random_key() for _ in range(63)], "1 to 62 keys"),
        ([key, random_key(79)], "got 79"),
        ([key, key[:16] + random_key(64)], "same name"),
        ([key, random_key(16) + bytes(64)], "repeats a single byte"),
        ([key, random_key(16) + bytes(32)], "repeats a single byte"),
    ]:
        with pytest.raises(ValueError, match=words):
            ring.set_keys(keys)
        assert ring.dangerous_keys() == before
    for wrong in (key, key.hex(), [1], [None], None):
        with pytest.raises(TypeError):
            ring.set_keys(wrong)
        assert ring.dangerous_keys() == before


# -- what goes with what ---------------------------------------------------------------------------


def test_what_a_kind_cannot_do():
    own, fleet, given = (
        TicketKeyring(),
        TicketKeyring.fleet(os.urandom(32)),
        TicketKeyring.from_keys([random_key()]),
    )
    with pytest.raises(ValueError, match="follow the clock"):
        fleet.rotate()
    with pytest.raises(ValueError, match="from_keys"):
        own.set_keys([random_key()])
    with pytest.raises(ValueError, match="from_keys"):
        fleet.set_keys([random_key()])
    for ring in (own, given):
        with pytest.raises(ValueError, match="fleet"):
            ring.set_secrets(os.urandom(32))
    for ring in (own, fleet, given):
        with pytest.raises(ValueError, match="nothing to refresh"):
            ring.refresh()
        assert ring.problem is None


@pytest.mark.parametrize("name", ["period", "lifetime"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (7 * 86400 + 1, ValueError),
        (1.5, TypeError),
        ("60", TypeError),
        (True, TypeError),
    ],
)
def test_bounds(name, value, error):
    with pytest.raises(error):
        TicketKeyring(**{name: value})
    with pytest.raises(error):
        TicketKeyring.fleet(os.urandom(32), **{name: value})


def test_number_of_keys_is_bounded():
    with pytest.raises(ValueError, match="more than 62 keys"):
        TicketKeyring(period=10, lifetime=621)
    assert (
        len(TicketKeyring.fleet(*(os.urandom(32) for _ in range(8)), period=10, lifetime=620).names)
        == 8 * 64
    )


# -- secrets stay in -------------------------------------------------------------------------------


def rings():
    return [
        TicketKeyring(),
        TicketKeyring.fleet(os.urandom(32)),
        TicketKeyring.from_keys([random_key()]),
    ]


@pytest.mark.parametrize("ring", rings(), ids=["own", "fleet", "given"])
def test_no_secret_is_shown(ring):
    keys = inside.keys_of(ring)
    shown = repr(ring) + str(ring) + repr(ring.stats()) + repr(keys) + repr(keys.in_force())
    for key in ring.dangerous_keys():
        for start in range(16, 80, 16):
            part = key[start : start + 16]
            assert part.hex() not in shown
            assert repr(part)[2:-1] not in shown
    assert repr(ring).startswith("<TicketKeyring")


@pytest.mark.parametrize("ring", rings(), ids=["own", "fleet", "given"])
@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_not_pickled_nor_copied(ring, way):
    with pytest.raises(TypeError):
        way(ring)


def test_messages_show_no_secret():
    key = random_key(79)
    with pytest.raises(ValueError, match="bytes") as caught:
        TicketKeyring.from_keys([key])
    assert key[16:].hex() not in str(caught.value)
    assert repr(key) not in str(caught.value)


def test_counters_begin_at_nothing():
    assert TicketKeyring().stats() == tlskit.TicketStats(0, 0, 0, 0, 0, 0, 0, 0)
