"""`tlskit demo`: resumption on this machine, between processes, with throwaway certificates."""

from .story import Outcome, run

__all__ = ["Outcome", "run"]
