"""SSLSocket: TLS over a socket.

Threads may share one: one may read while another writes and a third closes. `close` fails the
others' calls with EBADF, and returns when they have returned. Without a TLS connection (before it,
or after `unwrap`), it acts as a plain socket, as in the stdlib.
"""

from __future__ import annotations

import errno
from _socket import socket as _PlainSocket
from contextlib import suppress
from socket import SO_TYPE, SOCK_STREAM, SOL_SOCKET

from .._core import native, wait
from .._core.fault import system_text
from .._lazy import LateName, late_names
from .._stdlib import classes as stdlib
from .._stdlib.classes import Socket as socket
from .._stdlib.identity import NoPublicConstructor, initialise
from ..errors import SSLEOFError, SSLError
from .bypassing import BypassingTLS
from .channel import Channel
from .early_data import EarlyData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, overload

    from typing_extensions import Buffer

    from .._context import SSLContext
    from ..sessions.session import SSLSession
    from .sockets import OwnChannel
else:
    SSLContext, SSLSession = late_names("tlskit", "SSLContext SSLSession")
    Any, Buffer = late_names("tlskit._annotations", "Any Buffer")
    OwnChannel = LateName("tlskit._connection.sockets", "OwnChannel")

# As numbers: their enums, which a socket's own attributes make of them, take longer than a socket.
_family, _type = _PlainSocket.family.__get__, _PlainSocket.type.__get__

#: Past what OwnChannel does for others: the timeout is known here.
_write = Channel.write


class SSLSocket(EarlyData, BypassingTLS, stdlib.SSLSocket):
    """A socket with TLS, made by `SSLContext.wrap_socket`."""

    _sslobj: OwnChannel | None
    _context: SSLContext
    _session: SSLSession | None
    _connected: bool
    _closed: bool
    do_handshake_on_connect: bool
    suppress_ragged_eofs: bool
    server_side: bool
    server_hostname: str | None
    _leftover = b""
    _early_data: bytes | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "_sslobj" in vars(self):  # a subclass hands on what `_create` has called it with
            return
        raise NoPublicConstructor(type(self), "SSLContext.wrap_socket")

    @classmethod
    def _create(
        cls,
        sock: socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        context: SSLContext | None = None,
        session: SSLSession | None = None,
    ) -> SSLSocket:
        assert context is not None
        if sock.getsockopt(SOL_SOCKET, SO_TYPE) != SOCK_STREAM:
            raise NotImplementedError("only stream sockets are supported")
        if server_side and server_hostname:
            raise ValueError("server_hostname can only be specified in client mode")
        if server_side and session is not None:
            raise ValueError("session can only be specified in client mode")
        if not server_hostname and context.check_hostname:
            raise ValueError("check_hostname requires server_hostname")
        timeout = sock.gettimeout()
        plain = type(sock) is socket and isinstance(sock, _PlainSocket)  # not gevent's
        family, kind = (_family(sock), _type(sock)) if plain else (sock.family, sock.type)
        place = {"family": family, "type": kind, "proto": sock.proto, "fileno": sock.fileno()}
        self = cls.__new__(cls, **place)
        socket.__init__(self, **place)
        # of an SSLSocket that was unwrapped
        leftover = b"" if plain else getattr(sock, "_leftover", b"")
        sock.detach()  # from here on the descriptor is ours to close
        try:
            if leftover:
                self._leftover = leftover
            self._context = context
            self._session = session
            self._closed = False
            self._sslobj = None
            self.server_side = server_side
            self.server_hostname = context._encode_hostname(server_hostname)
            self.do_handshake_on_connect = do_handshake_on_connect
            self.suppress_ragged_eofs = suppress_ragged_eofs
            try:
                self.getpeername()
                self._connected = True
            except OSError as error:
                self._check_unconnected(error)
                self._connected = False
            self.settimeout(timeout)
            if self._connected:
                self._attach()
            if cls is not SSLSocket:
                initialise(
                    self, SSLSocket, sock=sock, server_side=server_side,
                    do_handshake_on_connect=do_handshake_on_connect,
                    suppress_ragged_eofs=suppress_ragged_eofs, server_hostname=server_hostname,
                    context=context, session=session,
                )  # fmt: skip
            if self._connected and do_handshake_on_connect:
                if timeout == 0.0:
                    raise ValueError(
                        "do_handshake_on_connect should not be specified for non-blocking sockets"
                    )
                self.do_handshake()
        except BaseException:
            self._close_quietly()
            raise
        return self

    def _check_unconnected(self, error: OSError) -> None:
        """Raise unless the socket has no peer, which this error said."""
        if error.errno != errno.ENOTCONN:
            raise error
        # Bytes received before the connection was lost must not be taken for bytes received over
        # TLS.
        self.setblocking(False)
        try:
            early = socket.recv(self, 1)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EINVAL):
                raise
            early = b""
        if early:
            problem = SSLError(
                errno.ENOTCONN, "Closed before TLS handshake with data in recv buffer."
            )
            problem.reason, problem.library = problem.args[1], None  # type: ignore[assignment]
            raise problem

    def _attach(self) -> None:
        self._sslobj = self._context._connection(
            self,
            server_side=self.server_side,
            server_hostname=self.server_hostname,
            fd=self.fileno(),
            session=self._session,
        )
        if self._early_data is not None:
            self._sslobj.set_early_data(self._early_data)
            self._early_data = None
        if self._leftover:
            self._sslobj.feed(self._leftover)
            self._leftover = b""

    def _begin_with(self, early_data: bytes, do_handshake_on_connect: bool) -> None:
        """What `wrap_socket(early_data=)` leaves for after `_create`."""
        self.do_handshake_on_connect, self._early_data = do_handshake_on_connect, early_data
        if self._sslobj is None:
            return
        try:
            self._sslobj.set_early_data(early_data)
            self._early_data = None
            if do_handshake_on_connect:
                if self.gettimeout() == 0.0:
                    raise ValueError(
                        "do_handshake_on_connect should not be specified for non-blocking sockets"
                    )
                self.do_handshake()
        except BaseException:
            self._close_quietly()
            raise

    def _close_quietly(self) -> None:
        with suppress(OSError):
            self.close()

    # -- context and session -----------------------------------------------------------------------

    @property  # type: ignore[override]
    def context(self) -> SSLContext:
        """The context in force. A server may set another in a callback, such as `sni_callback`."""
        return self._context

    @context.setter
    def context(self, value: SSLContext) -> None:
        self._channel().context = value
        self._context = value

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
        return self._sslobj.session if self._sslobj is not None else None

    @session.setter  # type: ignore[override]
    def session(self, value: SSLSession) -> None:
        if self._sslobj is not None:
            self._sslobj.session = value
        self._session = value

    # -- connecting --------------------------------------------------------------------------------

    def do_handshake(self, block: bool = False) -> None:
        """Make the handshake. Corresponds to SSL_do_handshake(3).

        Args:
            block: wait even though the socket is non-blocking.

        Raises:
            SSLWantReadError, SSLWantWriteError: the socket is non-blocking; call again when it is
                ready.
            TimeoutError: the socket's timeout has passed.
            SSLCertVerificationError: the peer's certificate failed verification.
            SSLError: the handshake failed for another reason.
        """
        self._check_connected()
        timeout = self.gettimeout()
        self._channel().do_handshake(None if block and timeout == 0.0 else timeout)

    def _patience(self) -> float | None:
        self._check_connected()
        return self.gettimeout()

    def _channel(self) -> Channel:
        if self._sslobj is None:
            self.getpeername()  # raises if the socket is not connected
        return super()._channel()

    def _check_connected(self) -> None:
        if not self._connected:
            self.getpeername()  # raises ENOTCONN, unless connect_ex has completed in the meantime

    def connect(self, addr: Any) -> None:
        """Connect, and make the handshake unless `do_handshake_on_connect` is off."""
        self._real_connect(addr, connect_ex=False)

    def connect_ex(self, addr: Any) -> int:
        """Like `connect`, but return the errno of a failure to connect, or 0."""
        return self._real_connect(addr, connect_ex=True)

    def _real_connect(self, addr: Any, connect_ex: bool) -> int:
        if self.server_side:
            raise ValueError("can't connect in server-side mode")
        if self._connected or self._sslobj is not None:
            raise ValueError("attempt to connect already-connected SSLSocket!")
        self._attach()
        try:
            failed = self._plain_connect(addr, connect_ex)
            if not failed:
                self._connected = True
                if self.do_handshake_on_connect:
                    self.do_handshake()
        except (OSError, ValueError):
            self._sslobj = None
            raise
        return failed

    def _plain_connect(self, addr: Any, connect_ex: bool) -> int:
        if wait.cooperative() and self.gettimeout() != 0.0:
            failed = wait.connect(socket, self, addr)
            if failed and not connect_ex:
                raise (
                    TimeoutError("timed out")
                    if failed == errno.EWOULDBLOCK
                    else OSError(failed, system_text(failed))
                )
            return failed
        return socket.connect_ex(self, addr) if connect_ex else socket.connect(self, addr) or 0  # type: ignore[func-returns-value]

    def accept(self) -> tuple[SSLSocket, Any]:
        """Accept a connection, and make its handshake unless `do_handshake_on_connect` is off."""
        wait.for_accept(self)
        plain, addr = socket.accept(self)
        wrapped = self.context.wrap_socket(
            plain,
            do_handshake_on_connect=self.do_handshake_on_connect,
            suppress_ragged_eofs=self.suppress_ragged_eofs,
            server_side=True,
        )
        return wrapped, addr

    # -- reading -----------------------------------------------------------------------------------

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
            SSLWantReadError: the socket is non-blocking, and no data is available.
            TimeoutError: the socket's timeout has passed.
            SSLEOFError: the connection ended without close_notify, and `suppress_ragged_eofs` is
                off.
            ValueError: there is no TLS connection.
        """
        channel = self._sslobj
        if channel is None:
            raise ValueError("Read on closed or unwrapped SSL socket.")
        try:
            if buffer is None:
                return channel.carrier.read(channel, len, self.gettimeout())
            return channel.carrier.read_into(channel, len, buffer, self.gettimeout())
        except SSLEOFError:
            if not self.suppress_ragged_eofs:
                raise
            return b"" if buffer is None else 0

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive up to `buflen` bytes; b"" at the end. See `read`."""
        if self._sslobj is not None:
            if flags:
                raise self._no_flags("recv")
            try:
                return self.read(buflen)
            except ValueError:
                if self._sslobj is not None:
                    raise  # otherwise another thread has closed it, or ended TLS, just before
        if self._leftover:
            return self._take_leftover(buflen, flags)
        return socket.recv(self, buflen, flags)

    def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive into a buffer, at most `nbytes` if that is not 0; return how many. See `read`."""
        if nbytes is None:
            with memoryview(buffer) as view:
                nbytes = view.nbytes or 1024
        if self._sslobj is not None:
            if flags:
                raise self._no_flags("recv_into")
            try:
                return self.read(nbytes, buffer)
            except ValueError:
                if self._sslobj is not None:
                    raise  # as in `recv`
        if not self._leftover:
            return socket.recv_into(self, buffer, nbytes, flags)
        with memoryview(buffer) as whole, whole.cast("B") as view:
            data = self._take_leftover(min(nbytes or view.nbytes, view.nbytes), flags)
            view[: len(data)] = data
        return len(data)

    def pending(self) -> int:
        """Return how many decrypted bytes are ready to be read. Corresponds to SSL_pending(3).

        After `unwrap`: how many plain bytes were read ahead, after the peer's close_notify.
        """
        channel = self._sslobj
        return channel.pending() if channel is not None else len(self._leftover)

    # -- writing -----------------------------------------------------------------------------------

    def write(self, data: Buffer) -> int:
        """Write `data`. Returns how many bytes were written: all on a blocking socket.

        If it raises (a timeout, or an exception from a signal handler), repeat the call with the
        same bytes; none is sent twice. Until then, other writes of this thread are refused, as by
        OpenSSL ("bad write retry"). Threads take turns: each write goes out whole, even if it has
        to be repeated, and other threads' writes wait for it at most as long as the timeout.
        Corresponds to SSL_write_ex(3).

        Raises:
            SSLWantWriteError: the socket is non-blocking and full: call again with the same bytes.
            TimeoutError: the socket's timeout has passed; how much was sent is not known.
            ValueError: there is no TLS connection.
        """
        channel = self._sslobj
        if channel is None:
            raise ValueError("Write on closed or unwrapped SSL socket.")
        return channel.carrier.write(channel, data, self.gettimeout())

    def send(self, data: Buffer, flags: int = 0) -> int:
        """Send `data`. See `write`."""
        channel = self._sslobj
        if channel is None:
            return socket.send(self, data, flags)
        if flags:
            raise self._no_flags("send")
        return channel.carrier.write(channel, data, self.gettimeout())

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        """Send all of `data`. See `write`. After an error, a part of it may have been sent."""
        channel = self._sslobj
        if channel is None:
            return socket.sendall(self, data, flags)
        empty = not data if type(data) is bytes else native.is_empty(data)
        if empty or flags or type(self).send is not SSLSocket.send:
            return self._send_by_pieces(data, flags)
        done = channel.carrier.write(channel, data, self.gettimeout())
        if type(data) is not bytes or done < len(data):
            with memoryview(data) as whole, whole.cast("B") as view:
                while done < view.nbytes:
                    with view[done:] as rest:
                        done += _write(channel, rest, self.gettimeout())
        return None

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file piece by piece. Returns the number of bytes sent."""
        if self._sslobj is None:
            return socket.sendfile(self, file, offset, count)
        return self._sendfile_use_send(file, offset, count)  # type: ignore[attr-defined,no-any-return]

    # -- the end -----------------------------------------------------------------------------------

    def unwrap(self) -> socket:
        """Send close_notify, wait for the peer's, and return the socket, from then on without TLS.
        Corresponds to SSL_shutdown(3).

        Plain bytes that the peer sent after its close_notify can be received from the returned
        object, even if they were read ahead together with it: `select` does not see those, but
        `pending` counts them.

        Threads in `recv` get the data that the peer still sends, and b"" at its close_notify.
        Without such a thread, that data is discarded.

        Raises:
            SSLWantReadError: the socket is non-blocking, and the peer's close_notify has not come.
            SSLError: the peer ended the connection without close_notify.
            ValueError: there is no TLS connection.
        """
        channel = self._sslobj
        if channel is None:
            raise ValueError(f"No SSL wrapper around {self}")
        channel.shutdown(self.gettimeout())
        self._leftover = channel.leftover()
        self._sslobj = None
        return wait.restored(self)

    def shutdown(self, how: int) -> None:
        """Shut the socket down without close_notify. Incoming data is still read over TLS."""
        socket.shutdown(self, how)

    def detach(self) -> int:
        """Release the descriptor without closing it, and return it."""
        fd = socket.detach(wait.restored(self))
        self._sslobj = None  # only now: see _real_close
        return fd

    def _real_close(self) -> None:
        channel = self._sslobj
        try:
            if channel is not None:
                channel.close()
        finally:  # even if a callback for sessions has raised
            # Only now: another thread must not send through a plain socket meanwhile.
            socket._real_close(self)  # type: ignore[attr-defined]
            self._sslobj = None
