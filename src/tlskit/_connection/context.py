"""What a connection needs of the context that it is made from: SSLContext has this shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .._core.context import Context
from .._resumption import client, server


class ConnectionSessions(Protocol):
    """`ctx.sessions`, as a connection sees it."""

    _client_cache: client.ClientCache | client.NoCache
    _server_cache: server.ServerCache | server.NoCache

    @property
    def watched(self) -> bool: ...
    @property
    def reverify(self) -> bool: ...
    @property
    def id_context(self) -> bytes: ...
    @property
    def on_new(self) -> Callable[..., object] | None: ...
    @property
    def on_remove(self) -> Callable[..., object] | None: ...
    def tell_removed(self) -> None: ...


class ConnectionTickets(Protocol):
    """`ctx.tickets`, as a connection sees it."""

    def _before_connection(self) -> None: ...


class ConnectionContext(Protocol):
    """An SSLContext, as a connection sees it."""

    _core: Context
    _scope: object
    _sni_callback: Callable[..., Any] | None

    @property
    def sessions(self) -> ConnectionSessions: ...
    @property
    def tickets(self) -> ConnectionTickets: ...
    @property
    def check_hostname(self) -> bool: ...
    @property
    def max_early_data(self) -> int: ...
    @property
    def _host_flags(self) -> int: ...
    @property
    def _msg_callback(self) -> Callable[..., object] | None: ...
    @property
    def _psk_client_callback(self) -> Callable[..., Any] | None: ...
    @property
    def _psk_server_callback(self) -> Callable[..., Any] | None: ...
    def _check_role(self, server_side: bool) -> None: ...
