"""The settings of `ctx.sessions` as one value, and how they are applied to OpenSSL."""

from __future__ import annotations

from collections.abc import Callable

from .._core.context import Context
from ..enums import SessionCacheMode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass, replace
    from typing import Any

    from .._resumption.strategy import OnGet
    from ..stores.store import SessionStore
else:
    from .._frozen import dataclass, replace

MANY = 8  # tickets per peer: how many connections can be opened at once and still resume
LOOP_PATIENCE = 0.05  # seconds that an event loop waits for a store


@dataclass(frozen=True)
class SessionSettings:
    """The settings made in `ctx.sessions`, where each is documented.

    Attributes:
        mode: the cache's mode, without the bits that a store needs.
        store_mode: bits that a store needs in addition; they are cleared when it is removed.
    """

    mode: int = int(SessionCacheMode.SERVER)
    store_mode: int = 0
    size: int = 20480  # SSL_SESSION_CACHE_MAX_SIZE_DEFAULT
    timeout: int | None = None  # None for OpenSSL's default for the role
    id_context: bytes = b"Python"  # the stdlib's
    id_prefix: bytes = b""
    generate_id: Callable[[Any], bytes] | None = None
    store: SessionStore | None = None
    resume: bool = False
    per_peer: int = MANY
    single_use: bool = False
    loop_patience: float | None = LOOP_PATIENCE
    client_certificates: bool = False
    reverify: bool = False
    on_new: Callable[..., object] | None = None
    on_get: OnGet | None = None
    on_remove: Callable[..., object] | None = None

    @property
    def effective_mode(self) -> int:
        """The mode with the bits that a store needs."""
        return self.mode | self.store_mode

    def resumes_clients(self, role: str) -> bool:
        """Return whether clients offer sessions automatically."""
        return role != "server" and self.store is not None and self.resume

    def serves(self, role: str) -> bool:
        """Return whether a server looks sessions up outside OpenSSL's own cache."""
        return role != "client" and (self.store is not None or self.on_get is not None)

    def reports_new(self, role: str) -> bool:
        """Return whether new sessions must be reported."""
        return self.on_new is not None or self.resumes_clients(role) or self.serves(role)

    def changed(self, role: str, **values: Any) -> SessionSettings:
        """Return a copy with other values, and the mode that goes with them."""
        made = replace(self, **values)
        if not values.keys() & {"store", "resume", "on_new", "on_get"}:
            return made
        mode = made.mode
        if made.on_new is not None or made.resumes_clients(role):
            mode |= SessionCacheMode.CLIENT
            mode |= SessionCacheMode.NO_INTERNAL_STORE if role == "client" else 0
        wanted = 0
        if made.store is not None:
            wanted = SessionCacheMode.NO_INTERNAL
            wanted |= SessionCacheMode.SERVER if role != "client" else 0
        return replace(made, mode=int(mode), store_mode=int(wanted & ~mode))

    def apply(self, core: Context) -> None:
        """Apply all settings; no other code does."""
        core.set_id_context(self.id_context)
        core.set_id_prefix(self.id_prefix)
        core.want_session_ids(self.generate_id is not None)
        core.cache_mode = self.effective_mode
        if self.timeout is not None:
            core.session_timeout = self.timeout
        core.want_sessions(self.reports_new(core.role))
        self.apply_to_cache(core)

    def apply_to_cache(self, core: Context) -> None:
        """Apply the settings of the cache, which all states of a context share."""
        core.cache_size = self.size
        core.want_removed(self.on_remove is not None)
