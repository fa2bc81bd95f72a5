"""What a connection answers under the names of the stdlib's inner object.

Libraries call them on `_sslobj`: httpcore asks for the application protocol there, others for the
chain.
"""

from __future__ import annotations

from .._core.certificate import Certificate
from .._core.connection import Connection
from .._core.fault import plain_error
from .._core.library import require

_NO_SLOTS: tuple[str, ...] = ()  # the Channel has them


class StdlibNames(Connection):
    """A connection with the methods of the stdlib's `_ssl._SSLSocket`."""

    __slots__ = _NO_SLOTS

    server_side: bool

    def cipher(self) -> tuple[str, str, int] | None:
        return self.answers.cipher()

    def compression(self) -> str | None:
        return self.answers.compression()

    def version(self) -> str | None:
        return self.answers.version()

    def selected_alpn_protocol(self) -> str | None:
        return self.answers.selected_alpn_protocol()

    def group(self) -> str | None:
        return self.facts().group

    def client_sigalg(self) -> str | None:
        require("SIGALG_NAMES", "client_sigalg()")
        return self.signature_algorithm(peer=self.server_side)

    def server_sigalg(self) -> str | None:
        require("SIGALG_NAMES", "server_sigalg()")
        return self.signature_algorithm(peer=not self.server_side)

    def uses_ktls_for_send(self) -> bool:
        return False  # the transport is tlskit's own, and kernel TLS needs OpenSSL's

    def uses_ktls_for_recv(self) -> bool:
        return False

    def sendfile(self, fd: int, offset: int, size: int, flags: int = 0, /) -> int:
        self.write(b"")  # raises if the connection has ended
        raise plain_error("sendfile() needs kernel TLS, which this connection does not use")

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        if not isinstance(cb_type, str):
            raise TypeError(f"cb_type must be str, got {type(cb_type).__name__}")
        if cb_type != "tls-unique":
            raise ValueError(f"{cb_type} channel binding type not implemented")
        return self.answers.unique()

    def verify_client_post_handshake(self) -> None:
        self.request_certificate()

    def get_verified_chain(self) -> list[Certificate] | None:
        """Return the verified chain as objects, as code that uses `_sslobj` expects."""
        return [Certificate.from_der(der) for der in self.chain(verified=True)] or None

    def get_unverified_chain(self) -> list[Certificate] | None:
        """Return the peer's chain as objects."""
        return [Certificate.from_der(der) for der in self.chain(verified=False)] or None
