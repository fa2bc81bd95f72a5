"""SSLObject: TLS without a network, over two memory queues."""

from __future__ import annotations

from .._lazy import LateName, late_names
from .._stdlib import classes as stdlib
from .._stdlib.identity import NoPublicConstructor, initialise
from .early_data import EarlyData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, overload

    from typing_extensions import Buffer

    from .._context import SSLContext
    from ..sessions.session import SSLSession
    from .channel import Channel
else:
    SSLContext, SSLSession = late_names("tlskit", "SSLContext SSLSession")
    Any, Buffer = late_names("tlskit._annotations", "Any Buffer")
    Channel = LateName("tlskit._connection.channel", "Channel")


class SSLObject(EarlyData, stdlib.SSLObject):
    """One side of a TLS connection without a network, made by `SSLContext.wrap_bio`.

    No call blocks: if it needs more bytes, it raises SSLWantReadError. After every call, even a
    failed one (an alert), the outgoing BIO holds what is to be sent.
    """

    _sslobj: Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "_sslobj" in vars(self):  # a subclass hands on what `_create` has called it with
            return
        raise NoPublicConstructor(type(self), "SSLContext.wrap_bio")

    @classmethod
    def _create(
        cls,
        incoming: Any,
        outgoing: Any,
        server_side: bool = False,
        server_hostname: str | None = None,
        session: SSLSession | None = None,
        context: SSLContext | None = None,
    ) -> SSLObject:
        self = cls.__new__(cls)
        assert context is not None
        self._sslobj = context._wrap_bio(
            incoming, outgoing, server_side, server_hostname, owner=self, session=session
        )
        if cls is not SSLObject and cls.__init__ is not SSLObject.__init__:
            initialise(
                self, SSLObject, incoming, outgoing, server_side=server_side,
                server_hostname=server_hostname, session=session, context=context,
            )  # fmt: skip
        channel = self._sslobj
        read, write, pending, do_handshake, shutdown = channel.usual()
        # Methods that no subclass has overridden are taken from the channel: that saves a call, and
        # a frame for an SSLWantReadError to pass.
        if cls is SSLObject or (cls.read is SSLObject.read and cls.write is SSLObject.write):
            self.read, self.write = read, write  # type: ignore[method-assign]
        if cls is SSLObject or cls.pending is SSLObject.pending:
            self.pending = pending  # type: ignore[method-assign]
        if cls is SSLObject or cls.do_handshake is SSLObject.do_handshake:
            self.do_handshake = do_handshake  # type: ignore[method-assign]
        if cls is SSLObject or cls.unwrap is SSLObject.unwrap:
            self.unwrap = shutdown  # type: ignore[method-assign]
        return self

    def __repr__(self) -> str:
        side = "server" if self.server_side else "client"
        return (
            f"<{type(self).__name__}: "
            f"{side}{f' of {self.server_hostname}' if self.server_hostname else ''}>"
        )

    @property  # type: ignore[override]
    def context(self) -> SSLContext:
        """The context in force. A server may set another in a callback, such as `sni_callback`."""
        context: SSLContext = self._sslobj.context
        return context

    @context.setter
    def context(self, value: SSLContext) -> None:
        self._sslobj.context = value

    @property  # type: ignore[override]
    def session(self) -> SSLSession | None:
        """The session of this connection, or None. Set one before the handshake to resume it.

        With TLS 1.3 it can be resumed after the first read, which receives the ticket. It is
        offered only for the server name and under the verification policy that it was made with;
        otherwise the handshake is a full one.

        Raises:
            TypeError: the value is not a tlskit SSLSession.
            ValueError: it belongs to another context, this is a server, or the handshake has been
                made already.
        """
        return self._sslobj.session

    @session.setter  # type: ignore[override]
    def session(self, value: SSLSession) -> None:
        self._sslobj.session = value

    @property
    def server_side(self) -> bool:
        """Whether this is the server's side."""
        return self._sslobj.server_side

    @property
    def server_hostname(self) -> str | None:
        """The server name that was passed, as it was sent."""
        return self._sslobj.server_hostname

    @property
    def session_reused(self) -> bool:
        """Whether the handshake resumed a session. After a renegotiation, it still refers to the
        first handshake, as `resumption` does.

        Corresponds to SSL_session_reused(3), which refers to the last one.
        """
        return self._sslobj.answers.session_reused()

    def do_handshake(self) -> None:
        """Make the handshake, or continue it. Corresponds to SSL_do_handshake(3).

        Raises:
            SSLWantReadError: more bytes from the peer are needed.
            SSLError: it failed; the connection cannot be used any more.
        """
        self._sslobj.do_handshake()

    if TYPE_CHECKING:

        @overload
        def read(self, len: int = 1024, buffer: None = None) -> bytes: ...

        @overload
        def read(self, len: int, buffer: Buffer) -> int: ...

        @overload
        def read(self, len: int = 1024, buffer: Buffer | None = None) -> Any: ...

    def read(self, len: int = 1024, buffer: Buffer | None = None) -> Any:
        """Read up to `len` bytes. Returns bytes, or a count if a buffer is given; b"" or 0 at the
        end of the peer's data.

        Corresponds to SSL_read_ex(3), but one call may read from several records.

        Raises:
            SSLWantReadError: no data is available yet.
            SSLEOFError: the transport ended without close_notify.
        """
        return self._sslobj.read(len, buffer)

    def write(self, data: Buffer) -> int:
        """Write all of `data` and return its size. Corresponds to SSL_write_ex(3)."""
        return self._sslobj.write(data)

    def pending(self) -> int:
        """Return how many decrypted bytes are ready to be read. With the stdlib's MemoryBIOs, it is
        at least 1 while a read would succeed without the network. Corresponds to SSL_pending(3).
        """
        return self._sslobj.pending()

    def unwrap(self) -> None:
        """Send close_notify and receive the peer's; data that comes before it is discarded.
        Corresponds to SSL_shutdown(3).

        Raises:
            SSLWantReadError: the peer's close_notify has not come yet.
        """
        self._sslobj.shutdown()
