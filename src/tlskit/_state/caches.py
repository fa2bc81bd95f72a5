"""Where a context's sessions are kept beyond their connection. Caches outlive a context's
states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .._lazy import LateModule
from .._resumption.tally import Tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._core.credential import Credential
    from .._resumption import client_cache as client
    from .._resumption import server, strategy
    from .sessions import SessionSettings
else:
    client = LateModule(".._resumption.client_cache", __package__)
    server = LateModule(".._resumption.server", __package__)
    strategy = LateModule(".._resumption.strategy", __package__)

_NAMELESS = bytes(32)


class Caches:
    """A client's and a server's cache, over the store of `ctx.sessions`; either may keep nothing.

    Args:
        role: the context's.
        tally: counts the outcomes of its sessions.
        settings: the context's session settings.
    """

    __slots__ = ("_client", "_role", "_server", "_tally")

    def __init__(self, role: str, tally: Tally, settings: SessionSettings) -> None:
        self._role, self._tally = role, tally
        self._client: client.ClientCache | None = None
        self._server: server.ServerCache | None = None
        if settings.store is not None and settings.resumes_clients(role):
            self._client = client.ClientCache(settings.store, tally, settings.per_peer)
        if settings.serves(role):
            self._server = server.ServerCache(_NAMELESS, settings.store, tally)

    def after(self, before: SessionSettings, now: SessionSettings) -> Caches:
        """Return the caches for other settings. They are the same, with all that they have learned
        about their store, unless the store has changed.
        """
        if (before.store, before.resume, before.on_get) == (now.store, now.resume, now.on_get):
            return self
        return Caches(self._role, self._tally, now)

    def of(
        self, settings: SessionSettings, credentials: Sequence[Credential]
    ) -> tuple[
        client.ClientCache | strategy.NoClientCache, server.ServerCache | strategy.NoServerCache
    ]:
        """Return the caches of a state."""
        offering, serving = self._client, self._server
        if offering is not None:
            offering.per_peer = settings.per_peer
            offering.single_use = settings.single_use
            offering.store.loop_patience = settings.loop_patience
            offering.client_certificates = settings.client_certificates
        if serving is not None:
            serving = serving.before(credentials[-1].names if credentials else _NAMELESS)
            serving.on_get = settings.on_get
            if serving.store is not None:
                serving.store.loop_patience = settings.loop_patience
            serving.client_certificates = settings.client_certificates
        return (
            strategy.NO_CLIENT_CACHE if offering is None else offering,
            strategy.NO_SERVER_CACHE if serving is None else serving,
        )

    def stats(self) -> dict[str, int]:
        """Return how often the store was called, by outcome."""
        found: Counter[str] = Counter()
        for cache in (self._client, self._server):
            if cache is not None and cache.store is not None:
                found.update(vars(cache.store.stats()))
        return dict(found)
