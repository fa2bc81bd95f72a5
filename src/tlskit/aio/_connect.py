"""Connect as asyncio does, on any loop that can watch a descriptor."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl as modules_ssl
import sys
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest

from .._connection.object import SSLObject
from .._context import SSLContext
from .._lazy import LateName
from .._stdlib import classes as stdlib
from .._stdlib.identity import combined
from ._happy_eyeballs import staggered
from ._log import logger
from ._transport import SSLTransport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    _Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)
else:
    Any = LateName("typing", "Any")
    _Protocol = LateName("asyncio", "BaseProtocol")

_UNDER_WAY = {errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR}
_ONCE = errno.EWOULDBLOCK if sys.platform == "win32" else 0  # where connect() is called only once
_MOVING = ("read", "write", "unwrap")
_Info = tuple[int, int, int, str, Any]


async def create_connection(
    protocol_factory: Callable[[], _Protocol],
    host: str | None = None,
    port: int | str | None = None,
    *,
    ssl: Any = None,
    family: int = 0,
    proto: int = 0,
    flags: int = 0,
    sock: socket.socket | None = None,
    local_addr: tuple[str, int] | None = None,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    suppress_ragged_eofs: bool = True,
    happy_eyeballs_delay: float | None = None,
    interleave: int | None = None,
    all_errors: bool = False,
) -> tuple[asyncio.Transport, _Protocol]:
    """Connect, do the TLS handshake, and return the transport and its protocol.

    The arguments are those of `loop.create_connection`. If `ssl` is not a context of tlskit's, or
    the loop cannot watch descriptors, that method is called.

    Raises:
        OSError: no connection could be made; with `all_errors`, an ExceptionGroup of all reasons.
        SSLError: the handshake failed.
        ValueError: the arguments contradict each other.
    """
    loop = asyncio.get_running_loop()
    if not takes(loop, ssl):
        given = locals_of(
            ssl=ssl, family=family, proto=proto, flags=flags, sock=sock, local_addr=local_addr,
            server_hostname=server_hostname, ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout, happy_eyeballs_delay=happy_eyeballs_delay,
            interleave=interleave, all_errors=all_errors,
        )  # fmt: skip
        theirs: Any = loop.create_connection
        made: Any = await theirs(protocol_factory, host, port, **given)
        return made  # type: ignore[no-any-return]
    if server_hostname is None:
        if not host:
            raise ValueError("You must set server_hostname when using ssl without a host")
        server_hostname = host
    check_plain(sock)
    if host is not None or port is not None:
        if sock is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        wanted = {"family": family, "proto": proto, "flags": flags}
        infos = await resolve(loop, (host, port), wanted)
        local = None if local_addr is None else await resolve(loop, local_addr, wanted)
        if happy_eyeballs_delay is not None and interleave is None:
            interleave = 1
        if interleave:
            infos = _interleaved(infos, interleave)
        sock = await _connected(loop, infos, local, happy_eyeballs_delay, all_errors)
    elif sock is None:
        raise ValueError("host and port was not specified and no sock specified")
    elif sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")
    return await over_socket(
        loop, sock, protocol_factory, ssl, server_hostname,
        ssl_handshake_timeout=ssl_handshake_timeout, ssl_shutdown_timeout=ssl_shutdown_timeout,
        suppress_ragged_eofs=suppress_ragged_eofs,
    )  # fmt: skip


async def create_unix_connection(
    protocol_factory: Callable[[], _Protocol],
    path: Any = None,
    *,
    ssl: Any = None,
    sock: socket.socket | None = None,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    suppress_ragged_eofs: bool = True,
) -> tuple[asyncio.Transport, _Protocol]:
    """Connect to a Unix socket; otherwise like `create_connection`."""
    loop = asyncio.get_running_loop()
    if not takes(loop, ssl):
        given = locals_of(
            ssl=ssl, sock=sock, server_hostname=server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout, ssl_shutdown_timeout=ssl_shutdown_timeout,
        )  # fmt: skip
        made: Any = await loop.create_unix_connection(protocol_factory, path, **given)
        return made  # type: ignore[no-any-return]
    if server_hostname is None:
        raise ValueError("you have to pass server_hostname when using ssl")
    if path is not None:
        if sock is not None:
            raise ValueError("path and sock can not be specified at the same time")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
        try:
            sock.setblocking(False)
            await _reach(loop, sock, os.fspath(path))
        except BaseException:
            sock.close()
            raise
    elif sock is None:
        raise ValueError("no path and sock were specified")
    elif sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")
    return await over_socket(
        loop, sock, protocol_factory, ssl, server_hostname,
        ssl_handshake_timeout=ssl_handshake_timeout, ssl_shutdown_timeout=ssl_shutdown_timeout,
        suppress_ragged_eofs=suppress_ragged_eofs,
    )  # fmt: skip


async def over_socket(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    protocol_factory: Callable[[], _Protocol],
    context: SSLContext,
    server_hostname: str | None,
    *,
    server_side: bool = False,
    **settings: Any,
) -> tuple[SSLTransport, _Protocol]:
    """Return the TLS transport and protocol of a connected socket; on failure, close the socket."""
    try:
        sock.setblocking(False)
        protocol = protocol_factory()
        waiter = loop.create_future()
        transport = SSLTransport(
            loop, sock, protocol, context, waiter,
            server_side=server_side, server_hostname=server_hostname, **settings,
        )  # fmt: skip
    except BaseException:
        sock.close()
        raise
    try:
        await waiter
    except BaseException:
        transport.abort()  # a handshake that was just completed would leave an open connection
        raise
    finally:
        del waiter  # the waiter holds the exception, whose traceback holds this frame
    if loop.get_debug():
        logger.debug("%r is connected: (%r, %r)", sock, transport, protocol)
    return transport, protocol


# -- shared by the functions of this package -------------------------------------------------------


def takes(loop: asyncio.AbstractEventLoop, context: Any) -> bool:
    """Return whether this package handles connections of this context on this loop.

    After an injection, `isinstance` also accepts the stdlib's contexts as tlskit's.
    """
    return SSLContext in type(context).__mro__ and watches(loop) and suits(context)


def watches(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether the loop can watch descriptors: all can except asyncio's proactor on
    Windows.
    """
    proactor = getattr(asyncio, "ProactorEventLoop", None)
    return proactor is None or not isinstance(loop, proactor)


def suits(context: SSLContext) -> bool:
    """Return whether tlskit moves the bytes of the context's SSLObjects. A class that overrides
    read or write needs asyncio's transport, which calls it.
    """
    kind: Any = combined(context.sslobject_class, SSLObject, stdlib.SSLObject)
    return all(getattr(kind, name, None) is getattr(SSLObject, name) for name in _MOVING)


def locals_of(**given: Any) -> dict[str, Any]:
    """Return the arguments that differ from the default: older loops know fewer."""
    return {name: value for name, value in given.items() if value not in (None, False, 0)}


def check_plain(sock: Any) -> None:
    """Refuse a socket that already has TLS on it."""
    if isinstance(sock, modules_ssl.SSLSocket):
        raise TypeError("Socket cannot be of type SSLSocket")


async def resolve(
    loop: asyncio.AbstractEventLoop, address: Any, wanted: dict[str, int]
) -> list[_Info]:
    """Return the addresses of a host; a numeric address needs no thread."""
    host, port = address[:2]
    for family in (socket.AF_INET, socket.AF_INET6):
        if isinstance(host, str) and isinstance(port, int) and wanted["family"] in (0, family):
            try:
                socket.inet_pton(family, host)
            except (OSError, ValueError):
                continue
            rest = () if family == socket.AF_INET else (*address[2:], 0, 0)[:2]
            proto = wanted.get("proto") or socket.IPPROTO_TCP
            return [(family, socket.SOCK_STREAM, proto, "", (host, port, *rest))]
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, **wanted)
    if not infos:
        raise OSError("getaddrinfo() returned empty list")
    return list(infos)


# -- addresses -------------------------------------------------------------------------------------


def _interleaved(infos: Sequence[_Info], first: int) -> list[_Info]:
    """Alternate between families, after the first addresses of the first family (RFC 8305, 4)."""
    families: dict[int, list[_Info]] = {}
    for info in infos:
        families.setdefault(info[0], []).append(info)
    lists = list(families.values())
    head, lists[0] = lists[0][: first - 1], lists[0][first - 1 :]
    turns = chain.from_iterable(zip_longest(*lists))
    return [*head, *(info for info in turns if info is not None)]


async def _connected(
    loop: asyncio.AbstractEventLoop,
    infos: list[_Info],
    local: list[_Info] | None,
    delay: float | None,
    all_errors: bool,
) -> socket.socket:
    errors: list[Exception] = []

    async def attempt(info: _Info) -> socket.socket:
        try:
            return await _connect_one(loop, info, local)
        except OSError as error:
            errors.append(error)
            raise

    try:
        sock = await staggered([lambda info=info: attempt(info) for info in infos], delay)  # type: ignore[misc]
        if sock is not None:
            return sock
        if all_errors and sys.version_info >= (3, 11):
            raise ExceptionGroup("create_connection failed", errors)  # noqa: F821
        if len({str(error) for error in errors}) == 1:
            raise errors[0]
        raise OSError(f"Multiple exceptions: {', '.join(map(str, errors))}")
    finally:
        errors = []  # otherwise the raised error would be in its own traceback


async def _connect_one(
    loop: asyncio.AbstractEventLoop, info: _Info, local: list[_Info] | None
) -> socket.socket:
    family, kind, proto, _, address = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        if local is not None:
            _bind(sock, [entry[4] for entry in local if entry[0] == family])
        await _reach(loop, sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _reach(loop: asyncio.AbstractEventLoop, sock: socket.socket, address: Any) -> None:
    """Connect a socket to an address that is already resolved: uvloop would resolve it again."""
    try:
        sock.connect(address)
    except (BlockingIOError, InterruptedError):
        # A peer on this machine has answered meanwhile. Windows would try a refused one once more.
        number = _ONCE or sock.connect_ex(address)
    else:
        return
    if number in _UNDER_WAY:
        await _writable(loop, sock.fileno())
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number not in (0, errno.EISCONN):
        raise OSError(number, f"Connect call failed {address}")


async def _writable(loop: asyncio.AbstractEventLoop, fd: int) -> None:
    done = loop.create_future()

    def writable() -> None:
        if not done.done():
            done.set_result(None)

    loop.add_writer(fd, writable)
    try:
        await done
    finally:
        loop.remove_writer(fd)


def _bind(sock: socket.socket, addresses: list[Any]) -> None:
    failed = OSError(f"no matching local address with family={sock.family!r} found")
    for address in addresses:
        try:
            return sock.bind(address)
        except OSError as error:
            failed = OSError(
                error.errno,
                f"error while attempting to bind on address {address!r}: {str(error).lower()}",
            )
    raise failed
