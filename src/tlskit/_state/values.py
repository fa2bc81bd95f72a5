"""Values of settings that are more than one thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._core.credential import Credential
from .._core.keylog import KeyLog


class KeyLogFile(NamedTuple):
    """A file for the secrets of connections.

    Attributes:
        given: its path, as it was given.
        file: it, open.
    """

    given: Any
    file: KeyLog


class PreSharedKeys(NamedTuple):
    """Who is asked for pre-shared keys.

    Attributes:
        callback: called in the handshake.
        mark: 16 random bytes that stand for just this setting, for what one key has authenticated
            must not pass for what another has.
        hint: tells a TLS 1.2 client which identity is wanted; None: no hint.
    """

    callback: Callable[[str | None], object]
    mark: bytes
    hint: bytes | None = None


class CertificateChoice(NamedTuple):
    """Who is asked which certificate to show.

    Attributes:
        callback: called in a pause of the handshake.
        mark: 16 random bytes that stand for just this setting: what was shown to one client must
            not pass for what another callback would show.
        read: makes credentials of what the callback returns; None of None.
    """

    callback: Callable[..., Any]
    mark: bytes
    read: Callable[[Any], Sequence[Credential] | None]
