"""Listen as asyncio does, with a Server that counts connections from accept on."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import sys
from asyncio import trsock
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain
from weakref import WeakSet

from .._context import SSLContext
from .._lazy import LateName
from ._connect import check_plain, locals_of, resolve, takes
from ._log import logger
from ._transport import SSLTransport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")

_ACCEPTS = 50  # connections accepted in one turn of the loop
_RETRY_DELAY = 1.0  # seconds, if the system has run out of descriptors
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Server(asyncio.Server):
    """Returned by `create_server`: asyncio's Server, for TLS.

    A connection counts from `accept` on, even during its handshake: `wait_closed` waits for it,
    `close_clients` and `abort_clients` end it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: list[socket.socket],
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        context: SSLContext,
        backlog: int,
        settings: dict[str, Any],
        cleanup: Callable[[], None] | None = None,
    ) -> None:
        self._loop = loop
        self._sockets: list[socket.socket] | None = sockets
        self._protocol_factory = protocol_factory
        self._ssl_context = context  # its name in asyncio, which programs use
        self._backlog = backlog
        self._settings = settings
        self._cleanup = cleanup
        self._clients: WeakSet[SSLTransport] = WeakSet()
        self._waiters: list[asyncio.Future[None]] = []
        self._serving = False
        self._forever: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<tlskit.aio.Server sockets={self.sockets!r}>"

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The sockets that it listens on; none after `close`."""
        return tuple(trsock.TransportSocket(s) for s in self._sockets or ())

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop that it belongs to."""
        return self._loop

    def is_serving(self) -> bool:
        """Return whether it accepts connections."""
        return self._serving

    async def start_serving(self) -> None:
        """Start accepting connections."""
        self._start()
        await asyncio.sleep(0)

    async def serve_forever(self) -> None:
        """Accept connections until this is cancelled; then close.

        Raises:
            RuntimeError: the server is closed, or another task is already in this call.
        """
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        if self._sockets is None:
            raise RuntimeError(f"server {self!r} is closed")
        self._start()
        self._forever = self._loop.create_future()
        try:
            await self._forever
        except asyncio.CancelledError:
            try:
                self.close()
                await self.wait_closed()
            finally:
                raise
        finally:
            self._forever = None

    def close(self) -> None:
        """Stop listening. Existing connections continue."""
        sockets, self._sockets = self._sockets, None
        if sockets is None:
            return
        for sock in sockets:
            if not self._loop.is_closed():
                self._loop.remove_reader(sock.fileno())
            sock.close()
        self._serving = False
        if self._cleanup is not None:
            self._cleanup()
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._wake()

    def close_clients(self) -> None:
        """Close all connections; those in a handshake close at once."""
        for transport in self._clients.copy():
            transport.close()

    def abort_clients(self) -> None:
        """Abort all connections."""
        for transport in self._clients.copy():
            transport.abort()

    async def wait_closed(self) -> None:
        """Wait until `close` has been called and the last connection has ended."""
        if self._sockets is None and not self._clients:
            return
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    # -- for its transports ------------------------------------------------------------------------

    def _attach(self, transport: SSLTransport) -> None:
        self._clients.add(transport)

    def _detach(self, transport: SSLTransport) -> None:
        self._clients.discard(transport)
        self._wake()

    def _wake(self) -> None:
        if self._sockets is None and not self._clients:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()

    # -- accepting ---------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._serving or self._sockets is None:
            return
        self._serving = True
        for sock in self._sockets:
            sock.listen(self._backlog)
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(min(self._backlog, _ACCEPTS) or 1):
            try:
                conn, address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise  # the loop reports it
                self._rest(sock, error)
                return
            self._connected(conn, address)
            if self._sockets is None:
                return

    def _rest(self, sock: socket.socket, error: OSError) -> None:
        """Stop accepting until a descriptor may be free again: the socket would stay readable."""
        self._loop.call_exception_handler(
            {
                "message": "socket.accept() out of system resource",
                "exception": error,
                "socket": trsock.TransportSocket(sock),
            }
        )
        self._loop.remove_reader(sock.fileno())
        self._loop.call_later(_RETRY_DELAY, self._resume, sock)

    def _resume(self, sock: socket.socket) -> None:
        if self._sockets is not None and sock in self._sockets:
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _connected(self, conn: socket.socket, address: Any) -> None:
        if self._loop.get_debug():
            logger.debug("%r got a new connection from %r: %r", self, address, conn)
        try:
            conn.setblocking(False)
            SSLTransport(
                self._loop, conn, self._protocol_factory(), self._ssl_context, None,
                server_side=True, extra={"peername": address}, server=self, **self._settings,
            )  # fmt: skip
        except (SystemExit, KeyboardInterrupt):
            conn.close()
            raise
        except BaseException as error:
            conn.close()
            self._loop.call_exception_handler(
                {
                    "message": "Error on transport creation for incoming connection",
                    "exception": error,
                }
            )


async def create_server(
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    host: str | Iterable[str] | None = None,
    port: int | None = None,
    *,
    family: int = socket.AF_UNSPEC,
    flags: int = socket.AI_PASSIVE,
    sock: socket.socket | None = None,
    backlog: int = 100,
    ssl: Any = None,
    reuse_address: bool | None = None,
    reuse_port: bool | None = None,
    keep_alive: bool | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    suppress_ragged_eofs: bool = True,
    start_serving: bool = True,
) -> asyncio.Server:
    """Listen for TLS connections. The arguments are those of `loop.create_server`.

    If `ssl` is not a context of tlskit's, or the loop cannot watch descriptors, that method is
    called.
    """
    loop = asyncio.get_running_loop()
    if not takes(loop, ssl):
        given = locals_of(
            sock=sock, ssl=ssl, reuse_address=reuse_address, reuse_port=reuse_port,
            keep_alive=keep_alive, ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )  # fmt: skip
        theirs: Any = loop.create_server
        made: asyncio.Server = await theirs(
            protocol_factory, host, port, family=family, flags=flags, backlog=backlog,
            start_serving=start_serving, **given,
        )  # fmt: skip
        return made
    settings = {
        "ssl_handshake_timeout": ssl_handshake_timeout,
        "ssl_shutdown_timeout": ssl_shutdown_timeout,
        "suppress_ragged_eofs": suppress_ragged_eofs,
    }
    check_plain(sock)
    if host is not None or port is not None:
        if sock is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        hosts: list[Any] = [host or None] if host is None or isinstance(host, str) else list(host)
        found = await asyncio.gather(
            *(resolve(loop, (h, port), {"family": family, "flags": flags}) for h in hosts)
        )
        if reuse_address is None:
            reuse_address = os.name == "posix" and sys.platform != "cygwin"
        options = {"REUSEADDR": reuse_address, "REUSEPORT": reuse_port, "KEEPALIVE": keep_alive}
        sockets = _bound(list(dict.fromkeys(chain.from_iterable(found))), options)
    elif sock is None:
        raise ValueError("Neither host/port nor sock were specified")
    elif sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")
    else:
        sockets = [sock]
    server = Server(loop, sockets, protocol_factory, ssl, backlog, settings)
    return await _started(server, sockets, start_serving)


async def create_unix_server(
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    path: Any = None,
    *,
    sock: socket.socket | None = None,
    backlog: int = 100,
    ssl: Any = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    suppress_ragged_eofs: bool = True,
    start_serving: bool = True,
    cleanup_socket: bool = True,
) -> asyncio.Server:
    """Listen on a Unix socket, which is removed at the end; otherwise like `create_server`."""
    loop = asyncio.get_running_loop()
    if not takes(loop, ssl):
        given = locals_of(
            sock=sock, ssl=ssl, ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )  # fmt: skip
        if sys.version_info >= (3, 13):
            given["cleanup_socket"] = cleanup_socket
        return await loop.create_unix_server(
            protocol_factory, path, backlog=backlog, start_serving=start_serving, **given
        )
    settings = {
        "ssl_handshake_timeout": ssl_handshake_timeout,
        "ssl_shutdown_timeout": ssl_shutdown_timeout,
        "suppress_ragged_eofs": suppress_ragged_eofs,
    }
    if path is not None:
        if sock is not None:
            raise ValueError("path and sock can not be specified at the same time")
        sock = _bound_unix(os.fspath(path))
    elif sock is None:
        raise ValueError("path was not specified, and no sock specified")
    elif sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")
    cleanup = _unlinking(sock) if cleanup_socket else None
    server = Server(loop, [sock], protocol_factory, ssl, backlog, settings, cleanup)
    return await _started(server, [sock], start_serving)


async def _started(
    server: Server, sockets: list[socket.socket], start_serving: bool
) -> asyncio.Server:
    try:
        for sock in sockets:
            sock.setblocking(False)
        if start_serving:
            await server.start_serving()
    except BaseException:  # nobody else has the server
        server.close()
        raise
    if server.get_loop().get_debug():
        logger.info("%r is serving", server)
    return server


# -- sockets ---------------------------------------------------------------------------------------


def _bound(infos: list[Any], options: dict[str, bool | None]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, kind, proto, _, address in infos:
            try:
                sock = socket.socket(family, kind, proto)
            except OSError:  # this system does not support the family
                continue
            sockets.append(sock)
            for name, on in options.items():
                if on:
                    _set_option(sock, name)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
            try:
                sock.bind(address)
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:  # the family is supported, but not in use
                    sockets.pop().close()
                    continue
                raise OSError(
                    error.errno,
                    f"error while attempting to bind on address {address!r}: {str(error).lower()}",
                ) from None
        if not sockets:
            raise OSError(f"could not bind on any address out of {[info[4] for info in infos]!r}")
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _set_option(sock: socket.socket, name: str) -> None:
    option = getattr(socket, f"SO_{name}", None)
    if option is None:
        raise ValueError(f"SO_{name} is not supported by this system's sockets")
    sock.setsockopt(socket.SOL_SOCKET, option, True)


def _bound_unix(path: Any) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path[0] not in (0, "\x00"):
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    os.remove(path)
        sock.bind(path)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(errno.EADDRINUSE, f"Address {path!r} is already in use") from None
        raise
    except BaseException:
        sock.close()
        raise
    return sock


def _unlinking(sock: socket.socket) -> Callable[[], None] | None:
    """Return a function that removes the path of a Unix socket if it still belongs to it."""
    path = sock.getsockname()
    if not path or path[0] in (0, "\x00"):
        return None
    inode = os.stat(path).st_ino

    def unlink() -> None:
        with suppress(FileNotFoundError):
            if os.stat(path).st_ino == inode:
                os.unlink(path)

    return unlink
