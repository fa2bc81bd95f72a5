"""What a context asks of Python code, and what it tells: callbacks, and the key log."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core import files
from .._core.keylog import KeyLog
from .._core.paths import without_values
from .._state import Settings
from .._state.values import KeyLogFile
from ..enums import _SSLMethod
from .arguments import path_of

if TYPE_CHECKING:
    from .._connection.object import SSLObject
    from .._connection.socket import SSLSocket
    from .._context import SSLContext

MessageCallback = Callable[..., object]

_KEYLOG_BEGINS = b"# TLS secrets log file, written by tlskit\n"


class QuestionSettings:
    """The callbacks of a handshake, and the key log."""

    _settings: Settings
    _protocol: _SSLMethod
    _encode_hostname: Callable[[str | bytes | None], str | None]

    @property
    def sni_callback(
        self,
    ) -> Callable[[SSLSocket | SSLObject, str | None, SSLContext], int | None] | None:
        """Called in a server's handshake as `sni_callback(connection, server_name, context)`.

        It may set `connection.context` to another context, whose certificate is shown then (nothing
        else of it takes effect). It returns None to go on, or the number of an alert. It runs
        inside the handshake, in the thread that makes it; it must not use another connection that
        waits for this one.
        """
        callback: Callable[..., Any] | None = self._settings["sni_callback"]
        return callback

    @sni_callback.setter
    def sni_callback(self, callback: Callable[..., Any] | None) -> None:
        if self._protocol is _SSLMethod.PROTOCOL_TLS_CLIENT:
            raise ValueError("sni_callback cannot be set on TLS_CLIENT context")
        if callback is not None and not callable(callback):
            raise TypeError("not a callable object")
        self._settings.change(sni_callback=callback)

    def set_servername_callback(self, server_name_callback: Callable[..., Any] | None) -> None:
        """Set `sni_callback`, giving the callback an encoded name; kept for old programs."""
        if server_name_callback is None:
            self.sni_callback = None
            return
        if not callable(server_name_callback):
            raise TypeError("not a callable object")

        def with_encoded_name(connection: Any, name: str | None, context: SSLContext) -> Any:
            return server_name_callback(connection, self._encode_hostname(name), context)

        self.sni_callback = with_encoded_name

    @property
    def _msg_callback(self) -> MessageCallback | None:
        """Called with every protocol message: `_msg_callback(connection, direction, version,
        content_type, msg_type, data)`.

        For looking at handshakes, under the stdlib's name and with its arguments. The direction is
        "read" or "write"; the numbers are members of the stdlib's enumerations where these know
        them; what it raises comes out of the operation. It runs inside that operation, and holds
        for connections made later.
        """
        callback: MessageCallback | None = self._settings["message_callback"]
        return callback

    @_msg_callback.setter
    def _msg_callback(self, callback: MessageCallback | None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"{callback} is not callable.")
        self._settings.change(message_callback=callback)

    @property
    def keylog_filename(self) -> Any:
        """A file to which the secrets of every connection are appended, for Wireshark; None:
        nowhere. For debugging only.
        """
        file: KeyLogFile | None = self._settings["keylog"]
        return None if file is None else file.given

    @keylog_filename.setter
    @without_values
    def keylog_filename(self, value: Any) -> None:
        path = path_of("keylog_filename", value)
        if path is not None:
            files.begin(path, _KEYLOG_BEGINS)
        file = None if path is None else KeyLogFile(value, KeyLog(os.fsencode(path)))
        self._settings.change(keylog=file)
