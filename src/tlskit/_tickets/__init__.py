"""Tickets: the keys that a server makes them with."""

from .keyring import TicketKeyring, TicketStats

__all__ = ["TicketKeyring", "TicketStats"]
