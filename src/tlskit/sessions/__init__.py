"""Sessions: what binds them, what keeps them, and the part of a context that has to do with them."""

from .facet import ContextSessions, SessionStats
from .session import SSLSession

__all__ = ["ContextSessions", "SSLSession", "SessionStats"]
