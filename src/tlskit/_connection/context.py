"""Protocols for the parts of an SSLContext that its connections use."""

from __future__ import annotations

from collections.abc import Callable

from .._state import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class ConnectionSessions(Protocol):
    """`ctx.sessions`, as a connection sees it."""

    @property
    def on_new(self) -> Callable[..., object] | None: ...


class ConnectionContext(Protocol):
    """An SSLContext, as a connection sees it."""

    _settings: Settings
    _scope: object

    @property
    def sessions(self) -> ConnectionSessions: ...
