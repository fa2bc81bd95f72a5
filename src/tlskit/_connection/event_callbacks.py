"""Callbacks that choose an application protocol, or only observe."""

from __future__ import annotations

from ssl import _TLSAlertType, _TLSContentType, _TLSMessageType  # type: ignore[attr-defined]

from .._core.fault import plain_error
from ..enums import TLSVersion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import Enum
    from typing import Any

    from .._state import State

_NO_SLOTS: tuple[str, ...] = ()  # allows combining it with another base that has slots


class EventCallbacks:
    """The methods of a Channel that C calls. If the connection's owner no longer exists, no
    callback is called.
    """

    __slots__ = _NO_SLOTS

    _context_now: Any
    _owner: Any
    _state: State

    def on_alpn(self, offered: tuple[bytes, ...], name: str | None) -> object:
        callback, owner = self._state.alpn_callback, self._owner()
        if owner is None:  # the answer may depend on the connection
            raise plain_error("the connection was closed while its protocol was being chosen")
        names = tuple(one.decode("utf-8", "backslashreplace") for one in offered)
        answer = callback(owner, names, name)
        if isinstance(answer, str) and answer in names:  # also if it is not a str
            return offered[names.index(answer)]
        return answer

    def on_keylog(self, line: str) -> None:
        callback, owner = self._state.keylog_callback, self._owner()
        if callback is not None and owner is not None:
            callback(owner, line)

    def on_state(self, event: str, state: str) -> None:
        callback, owner = self._state.state_callback, self._owner()
        if callback is not None and owner is not None:
            callback(owner, event, state)

    def on_alert(self, direction: str, alert: object) -> None:
        callback, owner = self._state.alert_callback, self._owner()
        if callback is not None and owner is not None:
            callback(owner, direction, alert)

    def on_message(
        self, direction: str, version: int, content_type: int, msg_type: int, data: bytes
    ) -> None:
        # The callback that the context has now, as in the stdlib.
        callback, owner = self._context_now._settings["message_callback"], self._owner()
        if callback is None or owner is None:
            return
        kinds = {_TLSContentType.HEADER: _TLSContentType, _TLSContentType.ALERT: _TLSAlertType}
        kind = kinds.get(content_type, _TLSMessageType)
        callback(
            owner,
            direction,
            *map(_member, (TLSVersion, _TLSContentType, kind), (version, content_type, msg_type)),
            data,
        )


def _member(kind: type[Enum], number: int) -> Any:
    """Return the member of an enumeration, or the number if it has none."""
    try:
        return kind(number)
    except ValueError:
        return number
