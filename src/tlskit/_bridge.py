"""How any pair of BIOs becomes a transport.

Three kinds are taken: tlskit's MemoryBIO, which the C side reads and writes itself; the stdlib's; and any object with
`read`, `write`, `pending`, `eof` and `write_eof`. The latter two are pumped: before every operation what is in the
incoming one is moved into a MemoryBIO of our own (with its end, if it has ended); after it, whether it failed or not,
what we want sent is moved to the outgoing one. So an alert gets out of a handshake that failed, and `pending` of the
foreign objects keeps its meaning: what lies in `incoming` has not been read, what lies in `outgoing` is to be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from weakref import ref

from . import _stdlib
from ._channel import Channel
from ._core.bio import MemoryBIO
from ._core.connection import Timeout
from .errors import SSLError

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ._context import SSLContext


class BIO(Protocol):
    """What `wrap_bio` takes beside MemoryBIO."""

    @property
    def eof(self) -> bool: ...
    def read(self, size: int = ..., /) -> bytes: ...
    def write(self, data: bytes, /) -> int: ...


class PumpedChannel(Channel):
    """A Channel between two BIOs that are not tlskit's."""

    __slots__ = ("_incoming", "_inner_in", "_inner_out", "_outgoing")

    def __init__(self, *args: Any, bios: tuple[MemoryBIO, MemoryBIO], incoming: BIO, outgoing: BIO, **kwargs: Any) -> None:
        super().__init__(*args, bios=bios, **kwargs)
        self._inner_in, self._inner_out = bios
        self._incoming, self._outgoing = incoming, outgoing

    @contextmanager
    def _pumped(self) -> Iterator[None]:
        self._fill()
        try:
            yield
        finally:
            self._empty()

    def _fill(self) -> None:
        if data := self._incoming.read():
            self._inner_in.write(data)
        elif self._incoming.eof:
            self._inner_in.write_eof()

    def _empty(self) -> None:
        if data := self._inner_out.read():
            self._outgoing.write(data)

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        with self._pumped():
            super().do_handshake()

    def shutdown(self, timeout: Timeout = 0.0) -> None:
        with self._pumped():
            super().shutdown()

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = 0.0) -> Any:
        self._fill()
        try:
            return super().read(len, buffer)
        finally:
            self._empty()

    def write(self, data: Buffer, timeout: Timeout = 0.0) -> int:
        self._fill()
        try:
            return super().write(data)
        finally:
            self._empty()

    def request_certificate(self) -> None:
        with self._pumped():
            super().request_certificate()


class SocketChannel(Channel):
    """A Channel under an SSLSocket that is not tlskit's, which asks its socket for the timeout at every operation.

    The stdlib's own SSLSocket calls it so, and those of gevent and eventlet do.
    """

    __slots__ = ("_socket",)

    def __init__(self, context: SSLContext, owner: Any, sock: Any, **kwargs: Any) -> None:
        super().__init__(context, sock if owner is None else owner, fd=sock.fileno(), **kwargs)
        self._socket = ref(sock)

    def _timeout(self) -> Timeout:
        sock = self._socket()
        if sock is None or sock.fileno() < 0:
            raise SSLError("Underlying socket connection gone")
        timeout: Timeout = sock.gettimeout()
        return timeout

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        super().do_handshake(self._timeout())

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = 0.0) -> Any:
        return super().read(len, buffer, self._timeout())

    def write(self, data: Buffer, timeout: Timeout = 0.0) -> int:
        return super().write(data, self._timeout())

    def shutdown(self, timeout: Timeout = 0.0) -> Any:
        """End TLS, and return the socket: it goes on in the clear."""
        sock = self._socket()
        super().shutdown(self._timeout())
        if self.leftover():
            raise SSLError("what the peer sent in the clear behind its close_notify had been read, and cannot be put back")
        return sock


def transport(incoming: Any, outgoing: Any) -> tuple[Callable[..., Channel], tuple[MemoryBIO, MemoryBIO], dict[str, Any]]:
    """The class of channel for this pair, the MemoryBIOs that it works on, and what else its constructor takes."""
    if isinstance(incoming, MemoryBIO) and isinstance(outgoing, MemoryBIO):
        return Channel, (incoming, outgoing), {}
    for name, given in (("incoming", incoming), ("outgoing", outgoing)):
        if not callable(getattr(given, "read", None)) or not callable(getattr(given, "write", None)) or not hasattr(given, "eof"):
            raise TypeError(f"{name} has to be a MemoryBIO, or an object with read, write and eof, not {type(given).__name__}")
    return PumpedChannel, (MemoryBIO(), MemoryBIO()), {"incoming": incoming, "outgoing": outgoing}


# -- the other way about: the stdlib's contexts between BIOs of tlskit's --------------------------------------------------


class StdlibPump:
    """The stdlib's connection object between two BIOs, of which at least one is not the stdlib's."""

    __slots__ = ("_bios", "_inner", "_sslobj")

    def __init__(self, sslobj: Any, inner: tuple[Any, Any], bios: tuple[BIO, BIO]) -> None:
        for name, value in (("_sslobj", sslobj), ("_inner", inner), ("_bios", bios)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._sslobj, name)
        return partial(self._pumped, found) if name in _MOVING else found

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._sslobj, name, value)

    def _pumped(self, operation: Callable[..., Any], *args: Any) -> Any:
        (inner_in, inner_out), (incoming, outgoing) = self._inner, self._bios
        if inner_in is not incoming:
            if data := incoming.read():
                inner_in.write(data)
            if incoming.eof:
                inner_in.write_eof()
        try:
            return operation(*args)
        finally:
            if inner_out is not outgoing and (data := inner_out.read()):
                outgoing.write(data)


_MOVING = {"do_handshake", "read", "write", "shutdown", "verify_client_post_handshake"}


def wrap_stdlib_bio(
    self: Any, incoming: Any, outgoing: Any, server_side: bool, server_hostname: str | None = None, **others: Any
) -> Any:
    """`_wrap_bio` of the stdlib's contexts while `ssl.MemoryBIO` is tlskit's: they take no BIO but their own."""
    given = incoming, outgoing
    bios = [_stdlib.MemoryBIO() if isinstance(bio, MemoryBIO) else bio for bio in given]
    beneath = super(_stdlib.SSLContext, self)._wrap_bio
    sslobj = beneath(*bios, server_side, server_hostname, **others)
    return sslobj if bios == list(given) else StdlibPump(sslobj, (bios[0], bios[1]), given)
