"""Callbacks that choose an application protocol or only observe, and handshake timelines."""

from __future__ import annotations

from collections.abc import Callable
from ssl import _TLSAlertType  # type: ignore[attr-defined]

from .._lazy import LateName
from .._shown import shown
from .._state import Settings
from ..enums import _SSLMethod
from .arguments import callback_or_none, check_serves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")

AlpnCallback = Callable[[Any, "tuple[str, ...]", "str | None"], "str | bytes | int | None"]
KeylogCallback = Callable[[Any, str], object]
StateCallback = Callable[[Any, str, str], object]
AlertCallback = Callable[[Any, str, Any], object]
MessageCallback = Callable[..., object]

#: What `alpn_callback` returns to refuse a client: the alert of this name (RFC 7301, 3.2).
NO_APPLICATION_PROTOCOL: int = _TLSAlertType.NO_APPLICATION_PROTOCOL


class EventCallbackSettings:
    """The callbacks run inside the operation that triggers them, in its thread, and apply to
    connections made after they are set. If one raises, that operation raises the exception. None of
    them may be `async def`.
    """

    _settings: Settings
    _protocol: _SSLMethod

    @property
    def alpn_callback(self) -> AlpnCallback | None:
        """Chooses a server's application protocol, as `alpn_callback(connection, protocols,
        server_name)`.

        It is called when a client offers any protocol, with all those that it offers, in its order
        of preference, and the server name that it requests. It returns one of them; or None, to
        continue without a protocol; or `tlskit.NO_APPLICATION_PROTOCOL`, to refuse the client with
        the alert of that name, which the client also gets if the callback raises. A server that has
        this callback ignores the list of `set_alpn_protocols`. Corresponds to
        SSL_CTX_set_alpn_select_cb(3).

        Raises:
            TypeError: the value is not callable, or is a coroutine function.
            ValueError: this is a client's context.
        """
        callback: AlpnCallback | None = self._settings["alpn_callback"]
        return callback

    @alpn_callback.setter
    def alpn_callback(self, callback: AlpnCallback | None) -> None:
        check_serves(self._protocol, "alpn_callback")
        self._settings.change(alpn_callback=callback_or_none(callback, "alpn_callback"))

    @property
    def keylog_callback(self) -> KeylogCallback | None:
        """Called with each secret of a connection, as `keylog_callback(connection, line)`.

        The lines are those of the file in `keylog_filename`, without line endings. They let
        Wireshark, or anyone else, decrypt the connection. For debugging only. Corresponds to
        SSL_CTX_set_keylog_callback(3).
        """
        callback: KeylogCallback | None = self._settings["keylog_callback"]
        return callback

    @keylog_callback.setter
    def keylog_callback(self, callback: KeylogCallback | None) -> None:
        self._settings.change(keylog_callback=callback_or_none(callback, "keylog_callback"))

    @property
    def state_callback(self) -> StateCallback | None:
        """Called at each step of a handshake, as `state_callback(connection, event, state)`.

        The event is "start", "step" or "done". The state is OpenSSL's description of what it has
        just done, such as "TLSv1.3 read encrypted extensions"; it may differ between versions of
        OpenSSL. Corresponds to SSL_CTX_set_info_callback(3).
        """
        callback: StateCallback | None = self._settings["state_callback"]
        return callback

    @state_callback.setter
    def state_callback(self, callback: StateCallback | None) -> None:
        self._settings.change(state_callback=callback_or_none(callback, "state_callback"))

    @property
    def alert_callback(self) -> AlertCallback | None:
        """Called for each alert, including warnings and close_notify, as
        `alert_callback(connection, direction, alert)`.

        The direction is "read" or "write". The alert is a number with its RFC name in `.name`, or a
        plain number if it has no name. Corresponds to SSL_CTX_set_info_callback(3).
        """
        callback: AlertCallback | None = self._settings["alert_callback"]
        return callback

    @alert_callback.setter
    def alert_callback(self, callback: AlertCallback | None) -> None:
        self._settings.change(alert_callback=callback_or_none(callback, "alert_callback"))

    @property
    def message_callback(self) -> MessageCallback | None:
        """Called with every protocol message, as `message_callback(connection, direction, version,
        content_type, msg_type, data)`.

        The direction is "read" or "write"; the numbers are members of the stdlib's enumerations if
        they are known there; the data is the message, including any secrets in it. The stdlib's
        name `_msg_callback` works here too. Corresponds to SSL_CTX_set_msg_callback(3).
        """
        callback: MessageCallback | None = self._settings["message_callback"]
        return callback

    @message_callback.setter
    def message_callback(self, callback: MessageCallback | None) -> None:
        self._settings.change(message_callback=callback_or_none(callback, "message_callback"))

    @property
    def _msg_callback(self) -> MessageCallback | None:
        """`message_callback` under the stdlib's name."""
        return self.message_callback

    @_msg_callback.setter
    def _msg_callback(self, callback: MessageCallback | None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"{shown(callback)} is not callable.")
        self.message_callback = callback

    @property
    def record_timeline(self) -> bool:
        """Whether connections record the time of each step of their handshake, for
        `handshake_timeline`. Off by default.
        """
        on: bool = self._settings["record_timeline"]
        return on

    @record_timeline.setter
    def record_timeline(self, on: bool) -> None:
        self._settings.change(record_timeline=bool(on))
