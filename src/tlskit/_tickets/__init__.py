"""Tickets: the keys that a server makes them with, and the part of a context that has to do with
them.
"""

from .facet import ContextTickets
from .keyring import TicketKeyring, TicketStats

__all__ = ["ContextTickets", "TicketKeyring", "TicketStats"]
