"""The guarded door: where C asks Python something in the middle of a handshake.

The C side (tk_hooks.c) keeps the error queue and errno as they were. On this side nothing escapes: an exception is
shown as unraisable, as the stdlib does, and kept on its own connection, where it becomes the cause of the SSLError.
"""

from __future__ import annotations

from ssl import AlertDescription
from typing import Any

from .native import ffi, lib


@ffi.def_extern(error=int(AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR))  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_servername(handle: Any, name: Any) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None:
        return lib.TK_NOT_ACKNOWLEDGED
    try:
        wanted = ffi.string(name).decode("ascii", "surrogateescape") if name else None
        answer = connection.on_servername(wanted)
        if answer is None:
            return lib.TK_ACKNOWLEDGED
        if isinstance(answer, int):
            return answer & 0xFF  # whatever it is, it refuses
        connection.hook_error = TypeError(f"a hook for the server name returns None or the number of an alert, not {type(answer).__name__}")
        show_unraisable(connection.hook_error)
        return int(AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
    except BaseException as error:
        connection.hook_error = error
        show_unraisable(error)
        return int(AlertDescription.ALERT_DESCRIPTION_HANDSHAKE_FAILURE)


def show_unraisable(error: BaseException) -> None:
    """Hand an exception to sys.unraisablehook, which only the interpreter itself can call with the right argument."""
    _Messenger(error)


class _Messenger:
    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __del__(self) -> None:
        raise self.error
