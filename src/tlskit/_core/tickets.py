"""The owner of a tk_ring, the keys that encrypt tickets. Handshakes use it in C, without Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .fault import from_queue
from .native import ffi, lib, owned
from .wiping import wipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple, NoReturn, TypeVar

    _T = TypeVar("_T")
else:
    from .._frozen import NamedTuple

KINDS = {"given": lib.TK_RING_GIVEN, "own": lib.TK_RING_OWN, "shared": lib.TK_RING_SHARED}
MOST_KEYS: int = lib.TK_RING_KEYS
MOST_SECRETS: int = lib.TK_RING_SECRETS
_PACKED: int = lib.TK_PACKED_KEY


class TicketKey(NamedTuple):
    """One key: every ticket contains its name, the rest is secret. AES-128 has 16 bytes each,
    AES-256 has 32.
    """

    name: bytes
    hmac: bytes | bytearray
    aes: bytes | bytearray

    def wipe(self) -> None:
        """Overwrite the secret parts, if they are tlskit's own copy."""
        wipe(self.hmac, self.aes)

    def __repr__(self) -> str:
        return f"TicketKey(name={self.name.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a TicketKey cannot be pickled: it is a secret. Write out its fields if you mean to"
        )


class Ring:
    """A ring of ticket keys, for any number of contexts, threads and forked children.

    Args:
        kind: "given" for `set_keys`; "own" for random keys; "shared" for keys derived from secrets,
            `set_secrets`.
        period: how many seconds a key encrypts.
        lifetime: how many seconds a ticket is valid.
    """

    __slots__ = ("__weakref__", "_ring")

    def __init__(self, kind: str, period: int, lifetime: int) -> None:
        fault = ffi.new("tk_fault *")
        pointer = lib.tk_ring_new(KINDS[kind], period, lifetime, fault)
        if pointer == ffi.NULL:
            raise from_queue(fault)
        self._ring = owned(pointer, lib.tk_ring_free)

    def set_keys(self, keys: Sequence[TicketKey]) -> None:
        """Replace all keys: the first one encrypts."""
        fault = ffi.new("tk_fault *")
        packed = bytearray(_PACKED * len(keys))
        for at, key in zip(range(0, len(packed), _PACKED), keys, strict=True):
            packed[at] = len(key.aes)
            packed[at + 1 : at + 17] = key.name
            packed[at + 17 : at + 17 + len(key.hmac)] = key.hmac
            packed[at + 49 : at + 49 + len(key.aes)] = key.aes
        try:
            status = lib.tk_ring_set_keys(self._ring, ffi.from_buffer(packed), len(keys), fault)
        finally:
            wipe(packed)
        self._check(status, fault)

    def set_secrets(self, secrets: Sequence[bytes | bytearray]) -> None:
        """Replace all keys by ones derived from these secrets: those of the first secret
        encrypt.
        """
        fault = ffi.new("tk_fault *")
        sizes = ffi.new("size_t[]", [len(secret) for secret in secrets])
        joined, at = bytearray(sum(len(secret) for secret in secrets)), 0
        for secret in secrets:
            joined[at : at + len(secret)] = secret
            at += len(secret)
        try:
            status = lib.tk_ring_set_secrets(
                self._ring, ffi.from_buffer(joined), sizes, len(secrets), fault
            )
        finally:
            wipe(joined)
        self._check(status, fault)

    def rotate(self, *, forget: bool) -> None:
        """Let a new random key encrypt; previous ones decrypt until their last ticket has expired,
        or, with `forget`, no longer.
        """
        fault = ffi.new("tk_fault *")
        self._check(lib.tk_ring_rotate(self._ring, forget, fault), fault)

    def in_force(self) -> list[TicketKey]:
        """Return the current keys; the first one encrypts."""
        return self._packed(_unpacked)

    def names(self) -> list[bytes]:
        """Return only their names, so that no secret is copied to memory that nobody wipes."""
        return self._packed(lambda view, at: view[at + 1 : at + 17])

    def _packed(self, read: Callable[[Any, int], _T]) -> list[_T]:
        room = ffi.new("uint8_t[]", MOST_KEYS * _PACKED)
        try:
            count = lib.tk_ring_keys(self._ring, room, MOST_KEYS)
            view = ffi.buffer(room)
            return [read(view, at) for at in range(0, count * _PACKED, _PACKED)]
        finally:
            lib.tk_wipe(room, MOST_KEYS * _PACKED)

    def wipe_ended(self) -> float:
        """Wipe the expired keys, and return in how many seconds the next ones expire; infinity if
        never.
        """
        seconds = lib.tk_ring_wipe_ended(self._ring)
        return math.inf if seconds < 0 else float(seconds)

    @property
    def held(self) -> int:
        """Return how many keys are in memory, including expired ones that have not been wiped."""
        count: int = lib.tk_ring_held(self._ring)
        return count

    def statistics(self) -> dict[str, int]:
        """Return the counters of this process."""
        out = ffi.new("tk_ring_stats *")
        lib.tk_ring_stats_of(self._ring, out)
        names = (
            "made",
            "resumed",
            "renewed",
            "refused",
            "unknown",
            "retired",
            "tampered",
            "rotations",
        )
        return {name: getattr(out, name) for name in names}

    def shift(self, seconds: int) -> None:
        """Set its clock forward: for tests."""
        lib.tk_ring_shift(self._ring, seconds)

    def _check(self, status: int, fault: Any) -> None:
        if status < 0:
            raise from_queue(fault)


def _unpacked(view: Any, at: int) -> TicketKey:
    size = view[at : at + 1][0]
    return TicketKey(
        name=view[at + 1 : at + 17],
        hmac=view[at + 17 : at + 17 + size],
        aes=view[at + 49 : at + 49 + size],
    )
