"""Encryption of what a store keeps: `Seal`, which all stores outside the process use, and
`SealedStore` for one of your own.

A sealed value is

    version 1 || id of the secret 8 || salt 32 || ciphertext || tag 16

(csrc/tk_seal.c) and opens under the store's key that it was put under, and under no other: the
version, the id and the key are authenticated with it. The first secret seals, all of them open; so
a new secret goes to the front of the list on all machines first as the second one, and an old one
is taken away when what it sealed has expired.

Who can read the place learns keys, sizes and times, and can guess: a key is a digest of a server
name and a policy. Who can write it can remove values, and put back what was there before, also what
had been taken; no more than that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._core.seal import SealKey
from .._core.wiped import wipe
from .store import Entry, SessionStore, Unpicklable, check_key, check_value, leave_out, lifetime

_VERSION = b"\x01"
_HEAD = 9  # the version, and the secret's id
_SHORTEST = 16

#: A secret, or several: the first seals, all open.
Secrets = bytes | Sequence[bytes]


class Seal(Unpicklable):
    """Seal and open values with one secret or several. Immutable; any thread may use it.

    Args:
        secrets: of 16 bytes or more each, and of that much chance: `secrets.token_bytes(32)`, not a
            password.
    """

    __slots__ = ("_keys",)

    def __init__(self, secrets: Secrets) -> None:
        listed = [secrets] if isinstance(secrets, (bytes, bytearray, memoryview)) else secrets
        if isinstance(listed, str) or not isinstance(listed, Sequence):
            raise TypeError(
                f"a secret is bytes, or there is a list of them; this is of type "
                f"{type(secrets).__name__}"
            )
        if not listed:
            raise ValueError("there has to be a secret: secrets.token_bytes(32) makes one")
        self._keys: dict[bytes, SealKey] = {}
        for secret in listed:
            key = _key(secret)
            self._keys.setdefault(key.id, key)

    def close(self, key: bytes, value: bytes) -> bytes:
        """What a store keeps under `key` in place of `value`."""
        return self._sealed(next(iter(self._keys.values())), key, value)

    def every(self, key: bytes, value: bytes) -> list[bytes]:
        """All that stores may be keeping in place of `value`: as each of the secrets seals it."""
        return [self._sealed(seal, key, value) for seal in self._keys.values()]

    def open(self, key: bytes, sealed: object) -> bytes | None:
        """The value; None when `sealed` was not made by `close` for this key, with one of the
        secrets.
        """
        if type(sealed) is not bytes or sealed[:1] != _VERSION:
            return None
        head = sealed[:_HEAD]
        seal = self._keys.get(head[1:])
        return None if seal is None else seal.open(head + key, sealed[_HEAD:])

    def _sealed(self, seal: SealKey, key: bytes, value: bytes) -> bytes:
        head = _VERSION + seal.id
        return head + seal.close(head + key, value)

    def __repr__(self) -> str:
        return f"<Seal with {len(self._keys)} secret{'s' * (len(self._keys) != 1)}>"


class SealedStore(Unpicklable):
    """Encrypt what goes into another store, and refuse what does not come out of it whole.

    Any thread may use it, if the store that it wraps allows that.

    Args:
        store: keeps bytes; it sees keys as they are, and sealed values.
        secret: one or a list of several, of 16 random bytes or more each: the first seals, all
            open.

    Attributes:
        unreadable: how many values were left out because they did not open: damaged, changed, moved
            from another key, or sealed with a secret that is not among these.
    """

    unreadable: int

    __slots__ = ("__weakref__", "_inner", "_seal", "unreadable")

    in_process = False
    sealed = True

    def __init__(self, store: SessionStore, secret: Secrets) -> None:
        if store.in_process:
            raise ValueError(
                f"a {type(store).__name__} keeps objects in this process: there is nothing to seal"
            )
        self._inner, self._seal, self.unreadable = store, Seal(secret), 0

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int = 1) -> None:
        """Seal `value` for `key`, and keep it."""
        check_value(value)
        seconds = lifetime(key, seconds, most)
        if seconds > 0:
            self._inner.put(key, self._seal.close(key, value), seconds, most=most)

    def take(self, key: bytes) -> bytes | None:
        """Remove the newest value under `key`, and return it; None also when it does not open."""
        check_key(key)
        return self._opened(key, self._inner.take(key))

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value under `key`, which stays; None also when it does not open."""
        check_key(key)
        return self._opened(key, self._inner.get(key))

    def _opened(self, key: bytes, sealed: bytes | None) -> bytes | None:
        value = None if sealed is None else self._seal.open(key, sealed)
        if sealed is not None and value is None:
            leave_out(self)
        return value

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        """Remove one value, or all that there is under `key`; False when it was not there."""
        check_key(key)
        if value is None:
            return self._inner.remove(key)
        return any(self._inner.remove(key, sealed) for sealed in self._seal.every(key, value))

    def purge(self) -> int:
        """Let the store drop what has expired."""
        return self._inner.purge()

    def clear(self) -> None:
        """Drop everything, also what does not open."""
        self._inner.clear()

    def close(self) -> None:
        """Close the store."""
        self._inner.close()

    def entries(self) -> Iterator[Entry]:
        """What there is, without what does not open."""
        for key, sealed, seconds_left in self._inner.entries():
            value = self._opened(key, sealed)
            if value is not None:
                yield Entry(key, value, seconds_left)

    def __repr__(self) -> str:
        return f"<SealedStore around a {type(self._inner).__name__}>"


def _key(secret: object) -> SealKey:
    if not isinstance(secret, (bytes, bytearray, memoryview)):
        raise TypeError(f"a secret is bytes, not {type(secret).__name__}")
    raw = secret if isinstance(secret, bytes) else bytearray(secret)
    try:
        if len(raw) < _SHORTEST:
            raise ValueError(
                f"a secret has {_SHORTEST} random bytes or more, and this one has {len(raw)}: "
                f"secrets.token_bytes(32) makes one"
            )
        return SealKey(raw)
    finally:
        wipe(raw)
