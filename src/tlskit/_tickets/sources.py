"""Sources of a TicketKeyring's keys, and the formats of a key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from .._core.paths import named_path
from .._core.tickets import TicketKey
from .._core.wiping import wipe

_SIZES = (48, 80)


def key_from(raw: bytes | bytearray) -> TicketKey:
    """Parse one key: nginx's 48 bytes (name, AES-128, HMAC), or the 80 of nginx and OpenSSL (name,
    HMAC, AES-256). The secret parts are copied, for the caller to wipe.
    """
    if len(raw) not in _SIZES:
        raise ValueError(f"a ticket key must have 48 or 80 bytes, got {len(raw)}")
    if len(set(memoryview(raw)[16:])) == 1:
        raise ValueError(
            "a ticket key must be random after its name: this one repeats a single byte"
        )
    if len(raw) == 48:
        return TicketKey(name=bytes(raw[:16]), aes=raw[16:32], hmac=raw[32:])
    return TicketKey(name=bytes(raw[:16]), hmac=raw[16:48], aes=raw[48:])


def whole(value: int, what: str, least: int, most: int, unit: str = "") -> int:
    """Check that a value is an integer within bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} must be an integer, got {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(
            f"{what} must be between {least} and {most}{unit and ' '}{unit}, got {value}"
        )
    return int(value)


class Source(Protocol):
    """A source of keys."""

    def read(self, *, forced: bool) -> Iterable[Any] | None:
        """Return all keys, the encrypting one first, or None if they have not changed. `forced`
        reads them without checking for a change first.
        """

    def accept(self) -> None:
        """Record that the keys read last are in force."""

    def forget(self) -> None:
        """Wipe the keys read last, if the source owns them."""


class FileSource:
    """Files with one key each, or a directory of such files."""

    def __init__(self, paths: Sequence[str | os.PathLike[str]]) -> None:
        if not paths:
            raise TypeError("from_files() needs at least one file, or a directory")
        wanted = "the path of a ticket key file, or of a directory of them"
        self._paths = [os.path.abspath(named_path("path", path, wanted=wanted)) for path in paths]
        self._seen: object = None
        self._now: object = None
        self._read: list[bytearray] = []

    def _files(self) -> list[str]:
        if len(self._paths) > 1 or not os.path.isdir(self._paths[0]):
            return self._paths
        with os.scandir(self._paths[0]) as entries:
            names = sorted(
                (
                    entry.name
                    for entry in entries
                    if not entry.name.startswith(".") and entry.is_file()
                ),
                reverse=True,
            )
        if not names:
            raise ValueError(f"no file with a ticket key in {self._paths[0]}")
        return [os.path.join(self._paths[0], name) for name in names]

    def read(self, *, forced: bool) -> list[bytearray] | None:
        files = self._files()
        self._now = [
            (path, state.st_mtime_ns, state.st_size, state.st_ino)
            for path in files
            for state in [os.stat(path)]
        ]
        if self._now == self._seen and not forced:
            return None
        for path in files:
            raw = _beginning(path)
            self._read.append(raw)
            try:
                key_from(raw).wipe()
            except ValueError as error:
                raise ValueError(f"{path} is not a ticket key: {error}") from None
        return self._read

    def accept(self) -> None:
        self._seen = self._now

    def forget(self) -> None:
        wipe(*self._read)
        self._read = []


class CallbackSource:
    """A function that the user provides."""

    def __init__(self, function: Callable[[], Iterable[Any]]) -> None:
        if not callable(function):
            raise TypeError(
                f"from_callback() needs a function that returns keys, got {type(function).__name__}"
            )
        self._function = function

    def read(self, *, forced: bool) -> Iterable[Any]:
        return self._function()

    def accept(self) -> None:
        pass

    def forget(self) -> None:
        pass


def _beginning(path: str) -> bytearray:
    """Read just enough of a file to tell whether it is a key."""
    room, size = bytearray(_SIZES[-1] + 1), 0
    with open(path, "rb", buffering=0) as file, memoryview(room) as view:
        while size < len(room) and (n := file.readinto(view[size:])):
            size += n
        found = bytearray(view[:size])
    wipe(room)
    return found
