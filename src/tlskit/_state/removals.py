"""Sessions that OpenSSL has removed from a context's cache, for its `on_remove`."""

from __future__ import annotations

from .settings import Settings


def tell_removed(settings: Settings) -> None:
    """Call `on_remove` for the queued removals, with no lock held."""
    callback = settings["sessions"].on_remove
    if callback is None:
        return
    with settings.built() as state:
        core = state.build()
    from ..sessions.session import SSLSession  # late: few programs ask

    for session in core.removed():
        callback(SSLSession._make(session))
