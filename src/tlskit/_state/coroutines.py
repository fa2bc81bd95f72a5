"""Find which callbacks of a context are coroutine functions, which only an event loop can call."""

from __future__ import annotations

from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_COROUTINE = 0x80  # inspect.CO_COROUTINE, without the cost of importing inspect

#: The settings whose callbacks are called in a pause of the handshake, for clients and for servers.
PAUSED: tuple[tuple[str, ...], tuple[str, ...]] = (
    ("certificate_callback", "verify_callback"),
    ("certificate_callback", "client_hello_callback", "sni_callback", "verify_callback"),
)


def is_coroutine_function(callback: Any) -> bool:
    """Return whether calling it creates a coroutine: an `async def`, also as a method, behind
    `functools.partial`, or as `__call__` of an object.
    """
    for _ in range(8):
        inner = getattr(callback, "__func__", None) or getattr(callback, "func", None)
        if inner is None or not callable(inner):
            break
        callback = inner
    code = getattr(callback, "__code__", None)
    if code is None:
        call = getattr(type(callback), "__call__", None)  # noqa: B004
        code = getattr(call, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & _COROUTINE)


def _called(value: Any) -> Any:
    return getattr(value, "callback", value)


def awaited(settings: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of those that are coroutine functions, for clients and for servers."""
    client, server = (
        tuple(name for name in names if is_coroutine_function(_called(settings[name])))
        for names in PAUSED
    )
    if is_coroutine_function(settings["sessions"].on_get):
        server += ("sessions.on_get",)
    return client, server
