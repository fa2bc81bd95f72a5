"""Session ids, and the contexts in which they are valid."""

from __future__ import annotations

from _tlsbind import CONST

from .._state import Settings

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
