"""Ticket keys and secrets as a user passes them: checked, and copied into wipeable memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .._core.tickets import MOST_SECRETS, TicketKey
from .._core.wiping import wipe
from .._digest import sha256
from .sources import key_from

MOST_PERIODS = 62
_SHORTEST_SECRET = 32


@contextmanager
def keys_of(given: Iterable[Any]) -> Iterator[list[TicketKey]]:
    """Copies of them, which are wiped behind the block."""
    if isinstance(given, (bytes, bytearray, memoryview, str)):
        raise TypeError("the keys must be a list, even if there is only one")
    keys: list[TicketKey] = []
    try:
        for one in given:
            raw = bytearray(memoryview(one))
            try:
                keys.append(key_from(raw))
            finally:
                wipe(raw)
        if not 0 < len(keys) <= MOST_PERIODS:
            raise ValueError(f"a keyring must have 1 to {MOST_PERIODS} keys, got {len(keys)}")
        if len({key.name for key in keys}) < len(keys):
            raise ValueError(
                "two keys have the same name (their first 16 bytes): a ticket could not tell which "
                "one it needs"
            )
        yield keys
    finally:
        for key in keys:
            key.wipe()


def digest_of(keys: list[TicketKey]) -> bytes:
    """Stands for keys in their order."""
    digest = sha256()
    for key in keys:
        digest.update(bytes([len(key.aes)]))
        for part in key:
            digest.update(part)
    return digest.digest()


@contextmanager
def secrets_of(given: tuple[Any, ...]) -> Iterator[list[bytearray]]:
    """Copies of them, which are wiped behind the block."""
    if not 0 < len(given) <= MOST_SECRETS:
        raise ValueError(f"a fleet must have 1 to {MOST_SECRETS} secrets, got {len(given)}")
    secrets: list[bytearray] = []
    try:
        for secret in given:
            secrets.append(bytearray(memoryview(secret)))
        _check_secrets(secrets)
        yield secrets
    finally:
        wipe(*secrets)


def _check_secrets(secrets: list[bytearray]) -> None:
    for secret in secrets:
        if len(secret) < _SHORTEST_SECRET:
            raise ValueError(
                f"a secret must be at least {_SHORTEST_SECRET} random bytes, got {len(secret)}"
            )
        if len(set(secret)) == 1:
            raise ValueError("a secret must be random: this one repeats a single byte")
    if any(a == b for at, a in enumerate(secrets) for b in secrets[:at]):
        raise ValueError("two of the secrets are the same")
