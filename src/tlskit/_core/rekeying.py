"""The part of a Connection that changes its keys."""

from __future__ import annotations

from collections.abc import Callable

from .native import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Rekeying:
    """Renegotiation and key updates, which work like other operations."""

    __slots__ = ()

    _conn: Any
    _operate: Callable[..., int]

    def renegotiate(self, timeout: float | None = 0.0) -> None:
        """Start another handshake, or request one. Corresponds to SSL_renegotiate(3)."""
        self._operate(lib.TK_HANDSHAKE, (), timeout, lib.tk_conn_renegotiate)

    def update_keys(self, *, both: bool, timeout: float | None = 0.0) -> None:
        """Send with new keys from now on. Corresponds to SSL_key_update(3)."""
        self._operate(lib.TK_HANDSHAKE, (both,), timeout, lib.tk_conn_update_keys)

    def renegotiations(self) -> int:
        """Return how many handshakes were completed after the first, started by either side."""
        count: int = lib.tk_conn_renegotiations(self._conn)
        return count
