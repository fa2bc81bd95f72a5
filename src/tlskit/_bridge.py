"""How any pair of BIOs becomes a transport.

Three kinds are taken: tlskit's MemoryBIO, which the C side reads and writes itself; the stdlib's; and any object with
`read`, `write` and `eof`. The latter two are pumped: what an operation needs is moved from the incoming one into a
MemoryBIO of our own, and after it, whether it failed or not, what we want sent is moved to the outgoing one. So an
alert gets out of a handshake that failed.

`pending` of the foreign objects keeps its meaning, which event loops rely on: what lies in `outgoing` is to be sent, and
what lies in `incoming` has not been looked at. OpenSSL takes from its transport a record's header, and then as many
bytes as that says; so record by record is how bytes are moved, and no record before an operation has to have it. A
handshake leaves the first request behind it where it is, and an unwrap() what the peer says in the clear afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol
from weakref import ref

from . import _stdlib
from ._channel import Channel
from ._core.bio import MemoryBIO
from ._core.connection import Timeout
from .errors import SSLError, SSLWantReadError

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ._context import SSLContext


_HEADER = 5  # bytes: a record's type, version and length (RFC 8446, 5.1)
_LARGEST = _HEADER + (1 << 14) + 2048  # bytes of a record (RFC 5246, 6.2.3; RFC 8446, 5.2 allows less)


class BIO(Protocol):
    """What `wrap_bio` takes beside MemoryBIO."""

    @property
    def eof(self) -> bool: ...
    def read(self, size: int = ..., /) -> bytes: ...
    def write(self, data: bytes, /) -> int: ...


class PumpedChannel(Channel):
    """A Channel between two BIOs that are not tlskit's."""

    __slots__ = ("_emptying", "_ended", "_filling", "_full", "_head", "_incoming", "_inner_in", "_inner_out", "_missing", "_outgoing")

    def __init__(self, *args: Any, bios: tuple[MemoryBIO, MemoryBIO], incoming: BIO, outgoing: BIO, **kwargs: Any) -> None:
        super().__init__(*args, bios=bios, **kwargs)
        self._inner_in, self._inner_out = bios
        self._incoming, self._outgoing = incoming, outgoing
        self._filling, self._emptying = Lock(), Lock()  # bytes that two threads move stay in order
        self._head = b""  # of the next record: what has been taken out of `incoming` before it is needed
        self._missing = 0  # bytes of the last record that had not come yet
        self._full = False  # the last read filled its room: perhaps more is decrypted already
        self._ended = False  # the end of `incoming` has been handed on

    def _fill(self, room: int = 0) -> bool:
        """Move a record, or as many as fit into `room`, but never the last of several: it may be the peer's close_notify,
        and whoever looks at `pending` is to see that there is more. Return whether there was anything to move."""
        with self._filling:
            if self._ended:
                return False
            pending = getattr(self._incoming, "pending", 0)
            moved = self._move_many(room) if pending > 0 and (pending <= room or room >= _LARGEST) else self._move_one()
            if moved or not self._incoming.eof:
                return moved
            self._inner_in.write(self._head)
            self._head, self._ended = b"", True
            self._inner_in.write_eof()
            return True

    def _move_one(self) -> bool:
        """Move what there is of one record."""
        take = self._incoming.read
        if not self._missing:
            self._head += take(_HEADER - len(self._head))
            if len(self._head) < _HEADER:
                return False
            self._missing = int.from_bytes(self._head[3:], "big")
        body = take(self._missing)
        self._missing -= len(body)
        data, self._head = self._head + body, b""
        return self._inner_in.write(data) > 0

    def _move_many(self, room: int) -> bool:
        """Move up to `room` bytes. What has to wait goes back, unless more is left there, or nothing may come after an end."""
        data = self._head + self._incoming.read(room)
        begin, end = 0, self._missing  # of the last record that begins in the data
        while end + _HEADER <= len(data):
            begin, end = end, end + _HEADER + int.from_bytes(data[end + 3 : end + _HEADER], "big")
        if end == 0 or self._incoming.eof or getattr(self._incoming, "pending", 0) > 0:
            cut = end
            self._head = data[cut:]
        else:
            cut = begin if begin > 0 and len(data) <= end else end
            self._head = b""
            if cut < len(data):
                self._incoming.write(data[cut:])
        self._missing = max(cut - len(data), 0)
        return self._inner_in.write(data[:cut]) > 0

    def _pump(self, operation: Callable[[], Any], room: int = 0) -> Any:
        """Run an operation, as often as it wants bytes and there are some."""
        try:
            while True:
                try:
                    return operation()
                except SSLWantReadError:
                    if not self._fill(room):
                        raise
        finally:
            self._empty()

    def _empty(self) -> None:
        if self._inner_out.pending:
            with self._emptying:
                self._outgoing.write(self._inner_out.read())

    def _give_back(self) -> None:
        """TLS is over: what was taken and does not belong to it goes back to where it was."""
        self._full = True  # there is nothing to be moved for the reads to come
        with self._filling:
            rest = self._inner_in.read() + self._head
            self._head, self._missing = b"", 0
            if rest:
                rest += self._incoming.read()
                with suppress(SSLError):  # nothing can be put back behind the end
                    self._incoming.write(rest)

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        self._pump(super().do_handshake)

    def shutdown(self, timeout: Timeout = 0.0) -> None:
        self._pump(super().shutdown)
        self._give_back()

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = 0.0) -> Any:
        room = len
        if buffer is not None:
            with memoryview(buffer) as view:
                room = min(len, view.nbytes) if len > 0 else view.nbytes
        if room > 0 and not self._full:
            self._fill(room)
        try:
            got = super().read(len, buffer)
        except SSLWantReadError:
            got = self._pump(partial(super().read, len, buffer), room)
        finally:
            self._empty()
        size = got if buffer is not None else got.__len__()
        self._full = size == room
        if size == 0 < room:
            self._give_back()
        return got

    def write(self, data: Buffer, timeout: Timeout = 0.0) -> int:
        try:
            return super().write(data)
        except SSLWantReadError:  # a renegotiation
            n: int = self._pump(partial(super().write, data))
            return n
        finally:
            self._empty()

    def request_certificate(self) -> None:
        self._pump(super().request_certificate)


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
