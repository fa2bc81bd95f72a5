"""Callbacks that a handshake calls in Python, and the key log."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from .._core import files
from .._core.keylog import KeyLog
from .._core.paths import without_values
from .._lazy import LateName, late_names
from .._shown import shown
from .._state import Settings
from .._state.values import KeyLogFile
from ..enums import _SSLMethod
from .arguments import callback_or_none, check_serves, path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._connection.object import SSLObject
    from .._connection.socket import SSLSocket
    from .._context import SSLContext
    from .._hello import ClientHello
else:
    ClientHello, SSLContext, SSLObject, SSLSocket = late_names(
        "tlskit", "ClientHello SSLContext SSLObject SSLSocket"
    )
    Any = LateName("typing", "Any")

HelloCallback = Callable[[Any, "ClientHello"], "int | Awaitable[int | None] | None"]

_KEYLOG_BEGINS = b"# TLS secrets log file, written by tlskit\n"


class HandshakeCallbackSettings:
    """The callbacks of a handshake, and the key log."""

    _settings: Settings
    _protocol: _SSLMethod
    _encode_hostname: Callable[[str | bytes | None], str | None]

    @property
    def client_hello_callback(self) -> HelloCallback | None:
        """Called for each ClientHello on a server, as `client_hello_callback(connection, hello)`.

        It sees everything that the client offers (`tlskit.ClientHello`) before anything is decided:
        before the version, the session and the certificate are chosen, and before `sni_callback`.
        It may set `connection.context` to another context, as `sni_callback` may. It returns None
        to continue, or the number of an alert to refuse the client. It is not called again after a
        HelloRetryRequest.

        It may be `async def` on connections of `tlskit.aio` (also through `aio.install()`). It then
        suspends only its own handshake, for `callback_timeout` seconds at most, and is cancelled
        when the connection ends. Any other connection refuses such a callback when it is created.
        If it raises, the handshake raises that exception, and the client gets an alert. A context
        that verifies its clients and has this callback resumes no sessions, because the other
        context may trust other authorities. Corresponds to SSL_CTX_set_client_hello_cb(3).

        Raises:
            TypeError: the value is not callable.
            ValueError: this is a client's context.
        """
        callback: HelloCallback | None = self._settings["client_hello_callback"]
        return callback

    @client_hello_callback.setter
    def client_hello_callback(self, callback: HelloCallback | None) -> None:
        check_serves(self._protocol, "client_hello_callback")
        self._settings.change(
            client_hello_callback=callback_or_none(callback, "client_hello_callback", awaited=True)
        )

    @property
    def callback_timeout(self) -> float | None:
        """How many seconds a handshake waits for an `async def` callback before it fails with a
        TimeoutError. The default is 10; None sets no limit beyond the handshake's own.
        """
        seconds: float | None = self._settings["callback_timeout"]
        return seconds

    @callback_timeout.setter
    def callback_timeout(self, seconds: float | None) -> None:
        if seconds is not None and not (
            isinstance(seconds, (int, float)) and 0 < seconds < float("inf")
        ):
            raise ValueError(
                f"callback_timeout must be a positive number of seconds, or None, "
                f"got {shown(seconds)}"
            )
        self._settings.change(callback_timeout=seconds)

    @property
    def sni_callback(
        self,
    ) -> Callable[[SSLSocket | SSLObject, str | None, SSLContext], int | None] | None:
        """Called in a server's handshake as `sni_callback(connection, server_name, context)`.

        It may set `connection.context` to another context. Its certificates and application
        protocols then apply; the protocol versions and `verify_mode` stay those of the first
        context. It returns None to continue, or the number of an alert. It runs inside the
        handshake, in the same thread, and must not use another connection that waits for this
        one. It may be `async def`, as `client_hello_callback` may; it is then called right after
        that one.
        """
        callback: Callable[..., Any] | None = self._settings["sni_callback"]
        return callback

    @sni_callback.setter
    def sni_callback(self, callback: Callable[..., Any] | None) -> None:
        check_serves(self._protocol, "sni_callback")
        if callback is not None and not callable(callback):
            raise TypeError("not a callable object")
        self._settings.change(sni_callback=callback)

    def set_servername_callback(
        self, server_name_callback: Callable[..., int | None] | None
    ) -> None:
        """Set `sni_callback`, but pass it the server name IDNA-encoded; kept for old programs."""
        if server_name_callback is None:
            self.sni_callback = None
            return
        if not callable(server_name_callback):
            raise TypeError("not a callable object")

        def with_encoded_name(connection: Any, name: str | None, context: SSLContext) -> Any:
            return server_name_callback(connection, self._encode_hostname(name), context)

        self.sni_callback = with_encoded_name

    @property
    def keylog_filename(self) -> Any:
        """A file to which the secrets of every connection are appended, for Wireshark, or None. For
        debugging only.
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
