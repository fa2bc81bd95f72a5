"""Sealing: what opens, what does not, and the format, computed a second time by other means."""

from __future__ import annotations

import hashlib
import hmac
import pickle
import secrets

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tlskit import MemoryStore, SealedStore
from tlskit.stores import contract
from tlskit.stores.guard import Guard
from tlskit.stores.seal import Seal

from ...support.pairs import Background
from .test_contract import Wrapped

ONE, TWO, THREE = b"1" * 32, b"2" * 32, b"3" * 32
KEY = b"k" * 32


class TestContract(contract.StoreContract):
    """A sealed store is a store."""

    def make_store(self):
        return SealedStore(Wrapped(), [ONE, TWO])


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 2000, 100_000])
def test_what_was_sealed_opens(size):
    seal, value = Seal(ONE), secrets.token_bytes(size)
    sealed = seal.close(KEY, value)
    assert seal.open(KEY, sealed) == value
    assert len(sealed) == size + 9 + 48
    assert size < 15 or value not in sealed


def test_the_format_is_what_is_written_down():
    """Sealed here, opened by the recipe in csrc/tk_seal.c with other libraries."""
    value = b"a session"
    sealed = Seal(ONE).close(KEY, value)
    derived = HKDF(SHA256(), 72, b"tlskit seal 1", b"").derive(ONE)
    identity, mac, wrap = derived[:8], derived[8:40], derived[40:]
    about = b"\x01" + identity + KEY
    assert sealed[:9] == about[:9]
    salt, body = sealed[9:41], sealed[41:]
    assert salt == hmac.digest(mac, len(about).to_bytes(8, "big") + about + value, hashlib.sha256)
    assert AESGCM(hmac.digest(wrap, salt, hashlib.sha256)).decrypt(bytes(12), body, about) == value


def test_every_flipped_bit_is_found():
    seal = Seal(ONE)
    sealed = seal.close(KEY, b"a session")
    for at in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[at] ^= 1 << bit
            assert seal.open(KEY, bytes(changed)) is None


def test_every_truncation_and_every_addition_is_found():
    seal = Seal(ONE)
    sealed = seal.close(KEY, b"a session")
    for end in range(len(sealed)):
        assert seal.open(KEY, sealed[:end]) is None
        assert seal.open(KEY, sealed[end + 1 :]) is None
    for more in (b"\0", b"x", sealed):
        assert seal.open(KEY, sealed + more) is None
        assert seal.open(KEY, more + sealed) is None


@pytest.mark.parametrize(
    "garbage",
    [None, "text", 7, b"", b"\x01", bytearray(b"x" * 100), b"\x01" * 200, object()],
    ids=lambda v: type(v).__name__,
)
def test_garbage_does_not_open(garbage):
    assert Seal(ONE).open(KEY, garbage) is None


def test_an_entry_that_was_moved_does_not_open():
    seal = Seal(ONE)
    sealed = seal.close(KEY, b"a session")
    for other in (b"", KEY[:-1], KEY + b"\0", b"o" * 32):
        assert seal.open(other, sealed) is None


def test_what_is_about_one_key_is_not_about_a_longer_one():
    """The border between key and value is authenticated."""
    seal = Seal(ONE)
    assert seal.close(b"ab", b"c")[9:41] != seal.close(b"a", b"bc")[9:41]


def test_the_same_gives_the_same_and_nothing_else_does():
    """So one value can be removed without looking at the others."""
    seal = Seal(ONE)
    first = seal.close(KEY, b"a session")
    assert seal.close(KEY, b"a session") == first
    for other in (seal.close(b"x", b"a session"), seal.close(KEY, b"b session")):
        assert all(first[at : at + 4] not in other for at in range(9, len(first) - 3))


def test_two_values_never_share_a_key():
    """The salt makes the key: as many different salts as values."""
    seal = Seal(ONE)
    salts = {seal.close(KEY, number.to_bytes(4, "big"))[9:41] for number in range(2000)}
    assert len(salts) == 2000


def test_secrets_rotate():
    old, both, new = Seal(ONE), Seal([TWO, ONE]), Seal([TWO])
    of_old, of_both = old.close(KEY, b"old"), both.close(KEY, b"both")
    assert [both.open(KEY, of_old), both.open(KEY, of_both)] == [b"old", b"both"]
    assert [new.open(KEY, of_old), new.open(KEY, of_both)] == [None, b"both"]
    assert [old.open(KEY, of_old), old.open(KEY, of_both)] == [b"old", None]


def test_the_name_of_a_secret_cannot_be_changed():
    """Made with one secret, and said to be of another one that is known too."""
    seal = Seal([ONE, TWO])
    of_one, of_two = seal.every(KEY, b"a session")
    assert seal.open(KEY, of_one) == seal.open(KEY, of_two) == b"a session"
    assert seal.open(KEY, of_two[:9] + of_one[9:]) is None


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        (b"short", ValueError, "at least 16 random bytes, got 5"),
        ([], ValueError, "at least one secret is needed"),
        ((), ValueError, "at least one secret is needed"),
        ("x" * 32, TypeError, "got str"),
        (None, TypeError, "got NoneType"),
        (7, TypeError, "got int"),
        ([ONE, "x" * 32], TypeError, "bytes, got str"),
        ([ONE, None], TypeError, "bytes, got NoneType"),
        ([ONE, b""], ValueError, "got 0"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_secrets_that_are_none_are_refused(given, error, sentence):
    for made in (Seal, lambda given: SealedStore(Wrapped(), given)):
        with pytest.raises(error, match=sentence):
            made(given)


def test_a_secret_may_be_any_buffer():
    assert (
        Seal(bytearray(ONE)).close(KEY, b"x")
        == Seal(memoryview(ONE)).close(KEY, b"x")
        == Seal(ONE).close(KEY, b"x")
    )


def test_no_secret_shows():
    for thing in (Seal([ONE, TWO]), SealedStore(Wrapped(), [ONE, TWO])):
        assert "1" * 16 not in repr(thing)
        assert "2" * 16 not in repr(thing)
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(thing)
    with pytest.raises(ValueError, match="16 random bytes") as caught:
        Seal(b"secret")
    assert "secret'" not in str(caught.value)


def test_eight_threads_on_one_seal():
    seal = Seal(ONE)

    def work():
        for number in range(300):
            value = b"%d" % number
            assert seal.open(KEY, seal.close(KEY, value)) == value

    for one in [Background(work) for _ in range(8)]:
        one.result()


# -- a store of one's own --------------------------------------------------------------------------


def test_the_inner_store_sees_no_value():
    inner = Wrapped()
    SealedStore(inner, ONE).put(KEY, b"the session", 60)
    (entry,) = inner.entries()
    assert entry.key == KEY
    assert b"the session" not in entry.value


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v[:-1],
        lambda v: b"",
        lambda v: b"garbage",
        lambda v: v[:20] + b"\xff" + v[21:],
        lambda v: "text",
    ],
)
def test_what_was_changed_in_the_store_is_left_out_and_counted(change):
    inner = Wrapped()
    store = SealedStore(inner, ONE)
    store.put(KEY, b"v", 60)
    inner.inner.put(KEY, change(inner.take(KEY)), 60)
    assert store.get(KEY) is None
    assert list(store.entries()) == []
    assert store.take(KEY) is None
    assert store.unreadable == 3
    assert inner.get(KEY) is None


def test_somebody_elses_entry_is_left_out():
    """The entry of one key, put under another; and one of another secret."""
    inner = Wrapped()
    store = SealedStore(inner, ONE)
    store.put(b"other", b"v", 60)
    inner.put(KEY, inner.take(b"other"), 60)
    assert store.take(KEY) is None
    SealedStore(inner, TWO).put(KEY, b"v", 60)
    assert store.take(KEY) is None
    assert store.unreadable == 2


def test_secrets_rotate_in_a_store():
    inner = Wrapped()
    SealedStore(inner, ONE).put(KEY, b"1", 60, most=3)
    store = SealedStore(inner, [TWO, ONE])
    store.put(KEY, b"2", 60, most=3)
    assert store.remove(KEY, b"1") is True
    assert SealedStore(inner, TWO).take(KEY) == b"2"


def test_a_guard_tells_what_did_not_open():
    inner = Wrapped()
    guard = Guard(SealedStore(inner, ONE))
    inner.put(KEY, b"garbage", 60)
    assert guard.take(KEY).trouble == "the store held an entry that could not be opened"
    assert guard.take(KEY).trouble is None
    assert guard.stats().bad_entries == 1


def test_a_store_in_the_process_is_not_sealed():
    with pytest.raises(ValueError, match="nothing to seal"):
        SealedStore(MemoryStore(), ONE)


def test_only_bytes_are_sealed():
    with pytest.raises(TypeError, match="must be bytes, got str"):
        SealedStore(Wrapped(), ONE).put(KEY, "text", 60)
