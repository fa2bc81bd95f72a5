"""More functions that C calls in Python (see hooks.py): the application protocol, the key log, and
the events of a handshake. The operation that calls one raises its exception.
"""

from __future__ import annotations

from ssl import _TLSAlertType  # type: ignore[attr-defined]

from .fault import alert_of
from .native import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EVENTS = {
    lib.TK_STATE_START: "start", lib.TK_STATE_STEP: "step", lib.TK_STATE_DONE: "done",
    lib.TK_STATE_READ_ALERT: "read", lib.TK_STATE_WRITE_ALERT: "write",
}  # fmt: skip
_ALERTS = ("read", "write")
_NO_PROTOCOL = int(_TLSAlertType.NO_APPLICATION_PROTOCOL)


@ffi.def_extern(error=-1)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_alpn(handle: Any, offered: Any, size: int, name: Any) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None:
        return -1  # the connection no longer exists
    try:
        raw, at = bytes(ffi.buffer(offered, size)), 0
        places: dict[bytes, int] = {}
        while at < len(raw):
            places.setdefault(raw[at + 1 : at + 1 + raw[at]], at + 1)
            at += 1 + raw[at]
        wanted = ffi.string(name).decode("ascii", "surrogateescape") if name else None
        return _chosen(connection.callbacks.on_alpn(tuple(places), wanted), places)
    except BaseException as error:
        _refused(connection, error)
        return -1


def _chosen(answer: Any, places: dict[bytes, int]) -> int:
    if answer is None:
        return 0
    if isinstance(answer, int) and not isinstance(answer, bool):
        if answer == _NO_PROTOCOL:
            return -1
        raise ValueError(
            f"alpn_callback can refuse with one alert only, NO_APPLICATION_PROTOCOL "
            f"({_NO_PROTOCOL}), got {answer}"
        )
    if not isinstance(answer, (str, bytes)):
        raise TypeError(
            f"alpn_callback must return one of the client's protocols, None, or "
            f"NO_APPLICATION_PROTOCOL, got {type(answer).__name__}"
        )
    found = places.get(answer if isinstance(answer, bytes) else answer.encode("utf-8"))
    if found is None:
        raise ValueError(
            f"alpn_callback must return one of the protocols that the client offers "
            f"({', '.join(map(repr, places))}), got {answer!r}"
        )
    return found


@ffi.def_extern(error=1)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_keylog(handle: Any, line: Any) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None or connection.late_error is not None:
        return 0
    try:
        connection.callbacks.on_keylog(ffi.string(line).decode("ascii", "replace"))
        return 0
    except BaseException as error:
        return _refused(connection, error)


@ffi.def_extern(error=1)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_state(handle: Any, event: int, value: int, words: Any) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None or connection.late_error is not None:
        return 0
    try:
        what = _EVENTS[event]
        if what in _ALERTS:
            connection.callbacks.on_alert(what, alert_of(value))
        else:
            connection.callbacks.on_state(what, ffi.string(words).decode("ascii", "replace"))
        return 0
    except BaseException as error:
        return _refused(connection, error)


def _refused(connection: Any, error: BaseException) -> int:
    if connection.late_error is None:
        connection.late_error = error
    return 1
