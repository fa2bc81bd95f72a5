"""The methods of a connection that C calls through hooks.py and event_hooks.py."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class CallbackDefaults:
    """The answers of a connection without callbacks."""

    __slots__ = ()

    def on_servername(self, name: str | None) -> object:
        """Called in a server's handshake; returns None to continue, or the alert to refuse with."""
        return None

    def on_psk_client(self, hint: str | None) -> object:
        """Called in a client's handshake; returns a tuple of its identity (or None) and its key."""
        return None, b""

    def on_psk_server(self, identity: bytes) -> object:
        """Called in a server's handshake; returns the key of that identity, or b"" to refuse."""
        return b""

    def on_session_id(self) -> object:
        """Called in a server's handshake up to TLS 1.2; returns the id of the new session."""
        return b""

    def on_message(self, *message: Any) -> None:
        """Called with a protocol message: "read" or "write", version, content type, message type,
        bytes.
        """

    def on_alpn(self, offered: tuple[bytes, ...], name: str | None) -> object:
        """Called in a server's handshake; returns one of the client's protocols, None, or the alert
        no_application_protocol.
        """
        return None

    def on_keylog(self, line: str) -> None:
        """Called with a line of the key log."""

    def on_state(self, event: str, state: str) -> None:
        """Called at a step of the handshake."""

    def on_alert(self, direction: str, alert: object) -> None:
        """Called with an alert that was read or written."""
