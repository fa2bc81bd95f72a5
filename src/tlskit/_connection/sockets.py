"""The channels over a socket: under tlskit's SSLSocket, and under those of other libraries."""

from __future__ import annotations

from weakref import ref

from .._core.connection import Timeout
from .._core.fault import unnumbered_error
from .channel import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

    from .._core.direct import Undirected
    from .context import ConnectionContext

_AS_THE_SOCKET = -1.0


class SocketChannel(Channel):
    """A Channel under an SSLSocket that is not tlskit's; it asks its socket for the timeout at
    every operation.

    The stdlib's SSLSocket calls it this way, and so do those of gevent and eventlet.
    """

    __slots__ = ("_socket",)

    def __init__(self, context: ConnectionContext, owner: Any, sock: Any, **kwargs: Any) -> None:
        super().__init__(context, sock if owner is None else owner, fd=sock.fileno(), **kwargs)
        self._socket = ref(sock)

    def _timeout(self) -> Timeout:
        sock = self._socket()
        if sock is None or sock.fileno() < 0:
            raise unnumbered_error("Underlying socket connection gone")
        timeout: Timeout = sock.gettimeout()
        return timeout

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        super().do_handshake(self._timeout())

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = 0.0) -> Any:
        return super().read(len, buffer, self._timeout())

    def write(self, data: Buffer, timeout: Timeout = 0.0) -> int:
        return super().write(data, self._timeout())

    def shutdown(self, timeout: Timeout = 0.0) -> Any:
        """End TLS, and return the socket, which continues in plaintext."""
        sock = self._socket()
        super().shutdown(self._timeout())
        if self.leftover():
            raise unnumbered_error(
                "the peer sent unencrypted data right after its close_notify: it has been read "
                "already, and cannot be put back"
            )
        return sock


class OwnChannel(Channel):
    """A Channel under tlskit's SSLSocket, which passes the timeout. Called by any other code, it
    asks the socket.

    Attributes:
        carrier: its read and write for the socket, which knows the timeout: in C if possible.
    """

    __slots__ = ("carrier",)

    carrier: Undirected

    def _timeout(self, given: Timeout) -> Timeout:
        timeout: Timeout = self.owner.gettimeout() if given == _AS_THE_SOCKET else given
        return timeout

    def do_handshake(self, timeout: Timeout = _AS_THE_SOCKET) -> None:
        super().do_handshake(self._timeout(timeout))

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = _AS_THE_SOCKET) -> Any:
        return super().read(len, buffer, self._timeout(timeout))

    def write(self, data: Buffer, timeout: Timeout = _AS_THE_SOCKET) -> int:
        return super().write(data, self._timeout(timeout))

    def shutdown(self, timeout: Timeout = _AS_THE_SOCKET) -> Any:
        """End TLS, and return the socket, as the stdlib's inner object does."""
        super().shutdown(self._timeout(timeout))
        return self.owner
