"""What a session store is: `tlskit.stores.store`, under its first name."""

from ..stores.store import Entry, SessionStore

__all__ = ["Entry", "SessionStore"]
