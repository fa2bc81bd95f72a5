"""Values of settings that consist of several parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .._core.credential import Credential
from .._core.keylog import KeyLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from .._frozen import NamedTuple

#: Bytes of an identity that is text: OpenSSL's PSK_MAX_IDENTITY_LEN, as in the stdlib.
LONGEST_TEXT = 256


class KeyLogFile(NamedTuple):
    """A file for the secrets of connections.

    Attributes:
        given: its path, as the program gave it.
        file: the open file.
    """

    given: Any
    file: KeyLog


class PreSharedKeys(NamedTuple):
    """The callback for pre-shared keys.

    Attributes:
        callback: called in the handshake.
        mark: 16 random bytes that identify this setting, because authentication by one key must not
            count as authentication by another.
        hint: tells a TLS 1.2 client which identity to use, or None.
        raw: whether a server's callback gets identities as bytes.
    """

    callback: Callable[[Any], object]
    mark: bytes
    hint: bytes | None = None
    raw: bool = False

    def ask(self, identity: bytes) -> object:
        """Call a server's callback. In TLS 1.3 the identity may be a ticket."""
        if self.raw:
            return self.callback(identity)
        if len(identity) > LONGEST_TEXT:
            return b""
        try:
            text = identity.decode()
        except UnicodeDecodeError:
            return b""
        return self.callback(text or None)


class CertificateChoice(NamedTuple):
    """The callback that chooses certificates.

    Attributes:
        callback: called in a pause of the handshake.
        mark: 16 random bytes that identify this setting: the certificate sent to one client must
            not count as one that another callback would send.
        read: converts the callback's return value to credentials; None to None.
    """

    callback: Callable[..., Any]
    mark: bytes
    read: Callable[[Any], Sequence[Credential] | None]


class HiddenNames(NamedTuple):
    """How the names of servers are hidden (Encrypted ClientHello).

    Attributes:
        lists: an ECHConfigList, or such lists by name, or a function that returns one for a name.
        outer_name: the name to send in the clear, or None for the one in the list.
        grease: whether a ClientHello without it looks as if it had it.
    """

    lists: bytes | Mapping[str, bytes] | Callable[[str], bytes | None] | None
    outer_name: str | None
    grease: bool
