"""Encryption of stored values: `Seal`, which all stores outside the process use, and `SealedStore`,
which encrypts a store of your own.

A sealed value is

    version 1 || id of the secret 8 || salt 32 || ciphertext || tag 16

(csrc/tk_seal.c). It opens only under the store key that it was put under, because the version, the
id and the key are authenticated with it. The first secret seals, all of them open. To rotate, add
the new secret as the second one on all machines, then move it to the front on all machines, and
remove the old one once everything that it sealed has expired.

Anyone who can read the place learns keys, sizes and times, and can guess at names: a key is a
digest of a server name and a policy. Anyone who can write it can remove values and put back earlier
ones, even those that were taken, but nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._core.seal import SealKey
from .._core.wiping import wipe
from .store import Entry, SessionStore, Unpicklable, check_key, check_value, leave_out, lifetime

_VERSION = b"\x01"
_HEAD = 9  # the version, and the secret's id
_SHORTEST = 16

#: One secret, or several: the first one seals, all of them open.
Secrets = bytes | Sequence[bytes]


class Seal(Unpicklable):
    """Seal and open values with one secret or several. Immutable; any thread may use it.

    Args:
        secrets: one or several, each at least 16 random bytes (`secrets.token_bytes(32)`, not a
            password).
    """

    __slots__ = ("_keys",)

    def __init__(self, secrets: Secrets) -> None:
        listed = [secrets] if isinstance(secrets, (bytes, bytearray, memoryview)) else secrets
        if isinstance(listed, str) or not isinstance(listed, Sequence):
            raise TypeError(
                f"the secret must be bytes, or a list of bytes, got {type(secrets).__name__}"
            )
        if not listed:
            raise ValueError("at least one secret is needed: secrets.token_bytes(32) makes one")
        self._keys: dict[bytes, SealKey] = {}
        for secret in listed:
            key = _key(secret)
            self._keys.setdefault(key.id, key)

    def close(self, key: bytes, value: bytes) -> bytes:
        """Encrypt `value` for storage under `key`."""
        return self._sealed(next(iter(self._keys.values())), key, value)

    def every(self, key: bytes, value: bytes) -> list[bytes]:
        """Return `value` as each of the secrets would seal it: what stores may hold for it."""
        return [self._sealed(seal, key, value) for seal in self._keys.values()]

    def open(self, key: bytes, sealed: object) -> bytes | None:
        """Decrypt a sealed value. Returns None unless `close` made it, for this key and with one
        of the secrets.
        """
        if type(sealed) is not bytes or sealed[:1] != _VERSION:
            return None
        head = sealed[:_HEAD]
        try:
            seal = self._keys[head[1:]]  # not `get`, which takes a lock without the GIL
        except KeyError:
            return None
        return seal.open(head + key, sealed[_HEAD:])

    def _sealed(self, seal: SealKey, key: bytes, value: bytes) -> bytes:
        head = _VERSION + seal.id
        return head + seal.close(head + key, value)

    def __repr__(self) -> str:
        return f"<Seal with {len(self._keys)} secret{'s' * (len(self._keys) != 1)}>"


class SealedStore(Unpicklable):
    """Encrypt what goes into another store, and reject what comes out of it altered.

    Any thread may use it, if the wrapped store allows that.

    Args:
        store: a store of bytes. It sees plain keys and sealed values.
        secret: one secret or a list of them, each at least 16 random bytes: the first one seals,
            all of them open.

    Attributes:
        unreadable: how many values were skipped because they did not open: damaged, altered, moved
            from another key, or sealed with a secret that is not in the list.
    """

    unreadable: int

    __slots__ = ("__weakref__", "_inner", "_seal", "unreadable")

    in_process = False
    sealed = True

    def __init__(self, store: SessionStore, secret: Secrets) -> None:
        if store.in_process:
            raise ValueError(
                f"a {type(store).__name__} keeps its sessions in this process: nothing to seal"
            )
        self._inner, self._seal, self.unreadable = store, Seal(secret), 0

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int = 1) -> None:
        """Seal `value` for `key`, and put it into the wrapped store."""
        check_value(value)
        seconds = lifetime(key, seconds, most)
        if seconds > 0:
            self._inner.put(key, self._seal.close(key, value), seconds, most=most)

    def take(self, key: bytes) -> bytes | None:
        """Remove and return the newest value under `key`; None if there is none that opens."""
        check_key(key)
        return self._opened(key, self._inner.take(key))

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value under `key` and keep it; None if there is none that opens."""
        check_key(key)
        return self._opened(key, self._inner.get(key))

    def _opened(self, key: bytes, sealed: bytes | None) -> bytes | None:
        value = None if sealed is None else self._seal.open(key, sealed)
        if sealed is not None and value is None:
            leave_out(self)
        return value

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        """Remove one value, or all values under `key`. Returns whether there was anything."""
        check_key(key)
        if value is None:
            return self._inner.remove(key)
        return any(self._inner.remove(key, sealed) for sealed in self._seal.every(key, value))

    def purge(self) -> int:
        """Let the wrapped store drop what has expired."""
        return self._inner.purge()

    def clear(self) -> None:
        """Drop everything, including what does not open."""
        self._inner.clear()

    def close(self) -> None:
        """Close the wrapped store."""
        self._inner.close()

    def entries(self) -> Iterator[Entry]:
        """Iterate over the entries that open."""
        for key, sealed, seconds_left in self._inner.entries():
            value = self._opened(key, sealed)
            if value is not None:
                yield Entry(key, value, seconds_left)

    def __repr__(self) -> str:
        return f"<SealedStore around a {type(self._inner).__name__}>"


def _key(secret: object) -> SealKey:
    if not isinstance(secret, (bytes, bytearray, memoryview)):
        raise TypeError(f"a secret must be bytes, got {type(secret).__name__}")
    raw = secret if isinstance(secret, bytes) else bytearray(secret)
    try:
        if len(raw) < _SHORTEST:
            raise ValueError(
                f"a secret must be at least {_SHORTEST} random bytes, got {len(raw)}: "
                f"secrets.token_bytes(32) makes one"
            )
        return SealKey(raw)
    finally:
        wipe(raw)
