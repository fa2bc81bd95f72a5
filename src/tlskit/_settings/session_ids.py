"""Session ids, and the contexts in which they are valid."""

from __future__ import annotations

from collections.abc import Callable

from _tlsbind import CONST

from .._state import Settings
from .arguments import callback_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._connection.object import SSLObject
    from .._connection.socket import SSLSocket

_MOST = 16  # bytes of 32: the others are random, so that ids cannot be guessed


class SessionIds:
    """The part of `ctx.sessions` about session ids."""

    __slots__ = ()

    _settings: Settings

    @property
    def id_context(self) -> bytes:
        """The session id context: up to 32 bytes, b"Python" by default. Sessions made under one are
        not resumed under another.

        Corresponds to SSL_CTX_set_session_id_context(3).
        """
        return bytes(self._settings["sessions"].id_context)

    @id_context.setter
    def id_context(self, value: bytes) -> None:
        raw = bytes(memoryview(value))
        most = CONST.SSL_MAX_SID_CTX_LENGTH
        if len(raw) > most:
            raise ValueError(f"id_context must have at most {most} bytes, got {len(raw)}")
        self._settings.change_sessions(id_context=raw)

    @property
    def id_prefix(self) -> bytes:
        """The prefix of a server's session ids, up to 16 bytes, for a load balancer that sends a
        client back to the server that knows its session. Empty by default.

        A session id has 32 bytes, of which the others are random. Ids are used up to TLS 1.2, if a
        client has no ticket. Corresponds to SSL_CTX_set_generate_session_id(3).

        Raises (when it is set):
            ValueError: it is longer than 16 bytes.
            TypeError: it is not bytes.
        """
        return bytes(self._settings["sessions"].id_prefix)

    @id_prefix.setter
    def id_prefix(self, value: bytes) -> None:
        raw = bytes(memoryview(value))
        if len(raw) > _MOST:
            raise ValueError(f"id_prefix must have at most {_MOST} bytes, got {len(raw)}")
        self._settings.change_sessions(id_prefix=raw)

    @property
    def generate_id(self) -> Callable[[SSLSocket | SSLObject], bytes] | None:
        """Called on a server for the id of each new session, as `generate_id(connection)`, instead
        of OpenSSL's random ids and of `id_prefix`. None, the default, does not call anything.

        It returns 1 to 32 bytes. Ids must be unique, and nobody may be able to guess the next one:
        let most of the bytes be random. The handshake fails if the context's cache already
        holds the id. If the function raises, so does the handshake. It is called up to TLS 1.2, if
        a client has no ticket. Corresponds to SSL_CTX_set_generate_session_id(3).

        Raises (when it is set):
            TypeError: the value is not callable, or is a coroutine function.
        """
        callback: Callable[[Any], bytes] | None = self._settings["sessions"].generate_id
        return callback

    @generate_id.setter
    def generate_id(self, value: Callable[[SSLSocket | SSLObject], bytes] | None) -> None:
        self._settings.change_sessions(generate_id=callback_or_none(value, "generate_id"))
