"""Tickets: the keys that a server makes them with."""

from .keyring import TicketKeyring, TicketStats
from .nginx import nginx_id_context

__all__ = ["TicketKeyring", "TicketStats", "nginx_id_context"]
