"""Asked: what the doors from C (hooks.py, watched.py) call of a connection."""

from __future__ import annotations

from typing import Any


class Asked:
    """The answers of a connection that has nobody to ask."""

    __slots__ = ()

    def on_servername(self, name: str | None) -> object:
        """Asked in the handshake of a server: None to go on, or the alert to refuse with."""
        return None

    def on_psk_client(self, hint: str | None) -> object:
        """Asked in the handshake of a client: a tuple of its identity (or None) and its key."""
        return None, b""

    def on_psk_server(self, identity: str | None) -> object:
        """Asked in the handshake of a server: the key of that identity; b"" refuses."""
        return b""

    def on_message(self, *message: Any) -> None:
        """Shown a protocol message: "read" or "write", version, content type, message type,
        bytes.
        """

    def on_alpn(self, offered: tuple[bytes, ...], name: str | None) -> object:
        """Asked in the handshake of a server: one of what the client offers, None, or the alert
        no_application_protocol.
        """
        return None

    def on_keylog(self, line: str) -> None:
        """Shown a line of the key log."""

    def on_state(self, event: str, state: str) -> None:
        """Told of a step of the handshake."""

    def on_alert(self, direction: str, alert: object) -> None:
        """Told of an alert that was read or written."""
