"""SessionStats: the counters of a context."""

from __future__ import annotations

from .._counters import Counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .._frozen import dataclass


@dataclass(frozen=True)
class SessionStats(Counted):
    """The twelve counters of a context, at one moment. Corresponds to SSL_CTX_sess_number(3)."""

    number: int
    """Sessions in the internal cache now."""
    connect: int
    """Handshakes begun as a client."""
    connect_good: int
    """... and completed."""
    connect_renegotiate: int
    """Renegotiations as a client."""
    accept: int
    """Handshakes begun as a server."""
    accept_good: int
    """... and completed."""
    accept_renegotiate: int
    """Renegotiations as a server."""
    hits: int
    """Sessions reused. As a client: offered, and accepted by the server."""
    misses: int
    """Sessions that a client named and the cache did not have."""
    timeouts: int
    """Sessions that were found, but had expired. """
    cache_full: int
    """Sessions that were removed because the cache was full."""
    cb_hits: int
    """Sessions that an external cache gave."""
