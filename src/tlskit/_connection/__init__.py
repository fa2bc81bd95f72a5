"""Connections: sockets, objects, what carries their bytes, and what they have negotiated."""
