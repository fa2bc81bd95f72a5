"""What C calls in Python through hooks.py and event_hooks.py. For type checkers alone."""

from __future__ import annotations

from typing import Any, Protocol


class Callbacks(Protocol):
    """The callbacks of one connection."""

    def on_servername(self, name: str | None) -> object:
        """Called in a server's handshake; returns None to continue, or the alert to refuse with."""

    def on_psk_client(self, hint: str | None) -> object:
        """Called in a client's handshake; returns a tuple of its identity (or None) and its key."""

    def on_psk_server(self, identity: bytes) -> object:
        """Called in a server's handshake; returns the key of that identity, or b"" to refuse."""

    def on_session_id(self) -> object:
        """Called in a server's handshake up to TLS 1.2; returns the id of the new session."""

    def on_ticket(self) -> bytes | None:
        """Called on a server for each ticket; returns the application's own data for it."""

    def on_verify(self, chain: tuple[bytes, ...]) -> bool:
        """Called with a chain that has passed verification; raises to refuse it. Returns True if
        the answer follows later, in the pause VERIFY.
        """

    def on_verify_each(self, certificate: bytes, depth: int, code: int) -> int:
        """Called with each certificate of a chain, and each error (otherwise 0); returns REFUSED,
        AS_IT_IS or ACCEPTED.
        """

    def on_message(self, *message: Any) -> None:
        """Called with a protocol message: "read" or "write", version, content type, message type,
        bytes.
        """

    def on_alpn(self, offered: tuple[bytes, ...], name: str | None) -> object:
        """Called in a server's handshake; returns one of the client's protocols, None, or the alert
        no_application_protocol.
        """

    def on_keylog(self, line: str) -> None:
        """Called with a line of the key log."""

    def on_state(self, event: str, state: str) -> None:
        """Called at a step of the handshake."""

    def on_alert(self, direction: str, alert: object) -> None:
        """Called with an alert that was read or written."""
