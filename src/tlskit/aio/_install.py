"""Make the event loops' own methods create tlskit's transports.

Only calls with a context of tlskit's change; all others do what they did. The replaced methods
belong to two classes, asyncio's selector loop and uvloop's Loop. The proactor loop on Windows
cannot watch descriptors, and stays as it is. aiofastnet's functions, which do the same as these
methods, and which `aiofastnet.patch_loop` puts over them, are replaced too.
"""

from __future__ import annotations

import ssl as module_ssl
import sys
from asyncio import selector_events
from collections.abc import Callable
from functools import partial, wraps

from .._context import SSLContext
from .._forks import ForkLock
from .._import_hooks import forget, when_imported
from .._lazy import LateName
from . import _connect, _sendfile, _server, _upgrade
from ._aiofastnet import replace_everywhere, unsized
from ._connect import takes
from ._transport import SSLTransport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")

_lock = ForkLock()
_undoing: list[Callable[[], object]] = []  # what restores each replaced function
_extended: set[Any] = set()  # uvloop's class, and the module aiofastnet
_calls = 0
_MISSING = object()

_LEVELS: dict[str, Callable[..., Any]] = {
    "create_connection": _connect.create_connection,
    "create_server": _server.create_server,
    "create_unix_connection": _connect.create_unix_connection,
    "create_unix_server": _server.create_unix_server,
}


def install() -> Installation:
    """Make event loops use tlskit's transport whenever they are given a context of tlskit's.

    It applies to loops of asyncio and uvloop, including existing ones, to aiofastnet's functions,
    and to loops that aiofastnet patches from now on; and to connections and servers made from now
    on. A second call is harmless. In a `with` statement, it ends with the block; otherwise call
    `uninstall`.

    Returns:
        A context manager. There is no need to keep it.

    Thread-safe.
    """
    global _calls
    with _lock:
        _calls += 1
        if _calls == 1:
            _put_in(selector_events.BaseSelectorEventLoop)
            when_imported("uvloop", put_in_uvloop)
            when_imported("aiofastnet", put_in_aiofastnet)
        return Installation()


def uninstall() -> None:
    """Restore the event loops' original methods, however often `install` was called. Existing
    connections and servers are not affected. Thread-safe.
    """
    global _calls
    with _lock:
        _calls = 0
        _take_out()


class Installation:
    """Returned by `install`: used in a `with` statement, the installation ends with the block."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open = True

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.undo()

    def undo(self) -> None:
        """Undo this one call of `install`; undoing the last one ends the installation."""
        global _calls
        with _lock:
            if self._open and _calls:
                _calls -= 1
                if not _calls:
                    _take_out()
            self._open = False


def put_in_uvloop() -> None:
    """Extend an existing installation to uvloop's loop when uvloop is imported."""
    with _lock:
        kind = getattr(sys.modules.get("uvloop"), "Loop", None)
        if _calls and kind is not None and kind not in _extended:
            _extended.add(kind)
            _put_in(kind)


def put_in_aiofastnet() -> None:
    """Extend an existing installation to aiofastnet's functions when aiofastnet is imported."""
    with _lock:
        module = sys.modules.get("aiofastnet")
        if not _calls or module is None or module in _extended:
            return
        _extended.add(module)
        for name, ours in _LEVELS.items():
            if theirs := vars(module).get(name):
                now = _by_context(theirs, unsized(ours))
                _undoing.append(replace_everywhere(name, theirs, now))
        if theirs := vars(module).get("sendfile"):
            _undoing.append(replace_everywhere("sendfile", theirs, _file_sending(theirs)))


def _put_in(kind: type) -> None:
    for name, ours in _LEVELS.items():
        _replace(kind, name, _by_context(getattr(kind, name, None), ours))
    _replace(kind, "connect_accepted_socket", _accepting(kind.connect_accepted_socket))  # type: ignore[attr-defined]
    _replace(kind, "start_tls", _upgrading(kind.start_tls))  # type: ignore[attr-defined]
    _replace(kind, "sendfile", _file_sending(kind.sendfile))  # type: ignore[attr-defined]


def _replace(kind: type, name: str, now: Any) -> None:
    if now is not None:
        _undoing.append(partial(_restore, kind, name, vars(kind).get(name, _MISSING), now))
        setattr(kind, name, now)


def _restore(kind: type, name: str, before: Any, now: Any) -> None:
    if vars(kind).get(name) is not now:
        return  # other code has replaced it since
    if before is _MISSING:
        delattr(kind, name)
    else:
        setattr(kind, name, before)


def _take_out() -> None:
    forget("uvloop", put_in_uvloop)
    forget("aiofastnet", put_in_aiofastnet)
    for restore in reversed(_undoing):
        restore()
    _undoing.clear()
    _extended.clear()


def _chosen(ssl: Any) -> Any:
    """Replace `ssl=True`, which stands for the default context, by tlskit's after an injection."""
    if ssl is True and SSLContext in module_ssl.SSLContext.__mro__:
        return module_ssl.create_default_context()
    return ssl


def _by_context(theirs: Any, ours: Callable[..., Any]) -> Any:
    if theirs is None:
        return None

    @wraps(theirs)
    async def method(self: Any, *args: Any, ssl: Any = None, **kwargs: Any) -> Any:
        if takes(self, context := _chosen(ssl)):
            return await ours(*args, ssl=context, **kwargs)
        if ssl is not None:
            kwargs["ssl"] = ssl
        return await theirs(self, *args, **kwargs)

    return method


def _accepting(theirs: Any) -> Any:
    @wraps(theirs)
    async def connect_accepted_socket(
        self: Any, protocol_factory: Any, sock: Any, *, ssl: Any = None, **timeouts: Any
    ) -> Any:
        if not takes(self, ssl):
            return await theirs(self, protocol_factory, sock, ssl=ssl, **timeouts)
        _connect.check_plain(sock)
        return await _connect.over_socket(
            self, sock, protocol_factory, ssl, None, server_side=True, **timeouts
        )

    return connect_accepted_socket


def _upgrading(theirs: Any) -> Any:
    @wraps(theirs)
    async def start_tls(
        self: Any, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any
    ) -> Any:
        if takes(self, sslcontext) or isinstance(transport, SSLTransport):
            return await _upgrade.start_tls(transport, protocol, sslcontext, **kwargs)
        return await theirs(self, transport, protocol, sslcontext, **kwargs)

    return start_tls


def _file_sending(theirs: Any) -> Any:
    @wraps(theirs)
    async def sendfile(
        self: Any, transport: Any, file: Any, offset: int = 0, count: Any = None, **kwargs: Any
    ) -> int:
        if isinstance(transport, SSLTransport):
            return await _sendfile.sendfile(transport, file, offset, count, **kwargs)
        sent: int = await theirs(self, transport, file, offset, count, **kwargs)
        return sent

    return sendfile
