"""How any pair of BIOs becomes a transport.

Three kinds are taken: tlskit's MemoryBIO, which the C side reads and writes itself; the stdlib's;
and any object with
`read` and `eof` for what comes in, and `write` for what goes out. The latter two are pumped through
MemoryBIOs of our own.

What a program concludes from `pending` of its objects stays true. uvloop, for one, reads for as
long as something is pending in `incoming` or in the connection, and then waits for the network. So
what comes in is moved by the record, and no further than the operation needs it: a whole record is
in `incoming` until it is read, and in `pending()` of the connection once it was begun. A record
that is not whole yet may be taken in, as libssl does too. A handshake leaves the first request
behind it where it is, a read does not swallow the close_notify behind its data, and what the peer
says in the clear after the end of TLS can still be read.

What goes out is moved after every operation, whether it failed or not: so an alert gets out of a
handshake that failed. What an object refuses to take is kept, and goes out before the next
operation does anything, or that one raises what the object raises. So an operation that has
succeeded says so, and nothing that was encrypted is lost or sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from weakref import ref

from .._core.bio import MemoryBIO
from .._core.connection import Timeout
from .._core.directions import Directions
from .._stdlib import classes as stdlib
from ..errors import SSLError, SSLWantReadError, SSLWantWriteError
from .channel import Channel
from .context import ConnectionContext
from .queues import MemoryChannel, QueueChannel
from .stream import StreamChannel, Wire

if TYPE_CHECKING:
    from typing_extensions import Buffer


_AS_THE_SOCKET = -1.0
_HEADER = 5  # of a record: type, version, and its length in two bytes (RFC 8446, 5.1)
_LARGEST = (
    _HEADER + (1 << 14) + 2048
)  # a record with its header (RFC 5246, 6.2.3; RFC 8446, 5.2 allows less)
# bytes: the longest that a record with an alert in it is taken to be (TLS 1.2 with CBC and a long
# MAC)
_ALERT = 64


class Incoming(Protocol):
    """What `wrap_bio` takes for the bytes that come in, beside MemoryBIO."""

    @property
    def eof(self) -> bool: ...
    def read(self, size: int = ..., /) -> bytes: ...


class Outgoing(Protocol):
    """What it takes for those that go out. `write` may take a part; it returns how many bytes, or
    None for all.
    """

    def write(self, data: bytes, /) -> int | None: ...


class Pump(Directions):
    """Moves bytes between the BIOs that were given and those that the connection works on. Where
    both are the same, none.

    Two threads may be in it, a reader and a writer: the bytes of each direction stay in order.
    """

    __slots__ = (
        "_head",
        "_incoming",
        "_inner_in",
        "_inner_out",
        "_missing",
        "_outgoing",
        "_over",
        "_process",
        "_receives",
        "_sends",
        "_unsent",
    )

    def __init__(self, inner: tuple[Any, Any], given: tuple[Any, Any]) -> None:
        self._inner_in, self._inner_out = inner
        self._incoming, self._outgoing = given
        self._renew_locks()
        self._head = b""  # of the next record: what of it has come before the record is wanted
        self._missing = 0  # bytes of the last record that had not come yet
        self._over = False  # nothing that comes now is ours
        self._unsent = b""

    def run(self, operation: Callable[..., Any], *args: Any) -> Any:
        """Do it, and again for as long as it wants to read and there is more."""
        if self._unsent:
            self._send()
        try:
            while True:
                try:
                    result = operation(*args)
                    break
                except SSLWantReadError:
                    if not self.fill():
                        raise
        except BaseException:
            self._send()
            raise
        with suppress(Exception):  # the next operation tries again, and says so
            self._send()
        return result

    def fill(self, room: int = 0) -> bool:
        """Move a record in, or as many as fit into `room`, but never the last of several: it may be
        a close_notify, and `pending` must show that there is more. Return whether
        anything has changed."""
        if self._incoming is self._inner_in:
            return False
        with self._receiving:
            if self._over:
                return False
            pending = (
                getattr(self._incoming, "pending", 0)
                if room and hasattr(self._incoming, "write")
                else 0
            )
            held = (
                self._several(room)
                if pending > 0 and (pending <= room or room >= _LARGEST)
                else self._record()
            )
            if held or not self._incoming.eof or self._inner_in.eof:
                return held > 0
            if self._head:
                self._inner_in.write(self._head)
                self._head = b""
            self._inner_in.write_eof()
            return True

    def _record(self) -> int:
        """Move one record, or what there is of it; how many bytes that are."""
        data = b""
        if not self._missing:
            self._head += self._take(_HEADER - len(self._head))
            if len(self._head) < _HEADER:
                return 0
            data, self._head, self._missing = self._head, b"", int.from_bytes(self._head[3:], "big")
        if self._missing:
            body = self._take(self._missing)
            self._missing -= len(body)
            data += body
        if data:
            self._inner_in.write(data)
        return len(data)

    def _several(self, room: int) -> int:
        """Move up to `room` bytes, which is faster. What has to wait goes back, and keeps its
        place: nothing is left there then.
        """
        data = self._head + self._take(room)
        begin, end = 0, self._missing  # of the last record that begins in the data
        while end + _HEADER <= len(data):
            begin, end = end, end + _HEADER + int.from_bytes(data[end + 3 : end + _HEADER], "big")
        incoming: Any = self._incoming
        if end == 0 or incoming.eof or incoming.pending > 0:  # no more can be put behind an end
            cut = end
            self._head = data[cut:]
        else:
            cut = begin if begin > 0 and len(data) <= end else end
            self._head = b""
            if cut < len(data):
                incoming.write(data[cut:])
        self._missing = max(cut - len(data), 0)
        if cut:
            self._inner_in.write(data[:cut])
        return min(cut, len(data))

    def give_back(self) -> None:
        """TLS is over: what was taken and does not belong to it goes back to where it was."""
        if self._incoming is self._inner_in:
            return
        with self._receiving:
            self._over = True
            rest = self._inner_in.read() + self._head
            self._head, self._missing = b"", 0
            if rest and callable(write := getattr(self._incoming, "write", None)):
                with suppress(SSLError):  # nothing can be put back behind the end
                    write(rest + self._incoming.read())

    def _take(self, size: int) -> bytes:
        data: Any = self._incoming.read(size)
        if type(data) is not bytes:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(
                    f"read() of the incoming BIO returned {type(data).__name__}, and not bytes"
                )
            data = bytes(data)
        if len(data) > size:
            raise ValueError(f"read({size}) of the incoming BIO returned {len(data)} bytes")
        return data  # type: ignore[no-any-return]

    def _send(self) -> None:
        if not self._unsent and (self._inner_out is self._outgoing or not self._inner_out.pending):
            return
        with self._sending:
            if self._inner_out is not self._outgoing and (data := self._inner_out.read()):
                self._unsent += data
            while self._unsent:
                n = self._outgoing.write(self._unsent)
                if n is not None and not (isinstance(n, int) and 0 <= n <= len(self._unsent)):
                    raise ValueError(
                        f"write() of the outgoing BIO returned {n!r} for {len(self._unsent)} bytes"
                    )
                if n == 0:
                    raise SSLWantWriteError(
                        "the outgoing BIO takes no more: repeat the operation when it has room"
                    )
                self._unsent = b"" if n is None else self._unsent[n:]


class PumpedChannel(Channel):
    """A Channel between two BIOs of which at least one is not tlskit's."""

    __slots__ = ("_full", "_pump")

    def __init__(
        self, *args: Any, bios: tuple[MemoryBIO, MemoryBIO], pump: Pump, **kwargs: Any
    ) -> None:
        super().__init__(*args, bios=bios, **kwargs)
        self._pump = pump
        self._full = False  # the last read filled its room: perhaps more is decrypted already

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        self._pump.run(super().do_handshake)

    def read_early_data(self, size: int, timeout: Timeout = 0.0) -> bytes:
        found: bytes = self._pump.run(super().read_early_data, size)
        return found

    def shutdown(self, timeout: Timeout = 0.0) -> None:
        self._pump.run(super().shutdown)
        self._pump.give_back()

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = 0.0) -> Any:
        room = len
        if buffer is not None:
            with memoryview(buffer) as view:
                room = min(len, view.nbytes) if len > 0 else view.nbytes
        if room > 0 and not self._full:
            self._pump.fill(room)
        got = self._pump.run(super().read, len, buffer)
        size = got if buffer is not None else got.__len__()
        self._full = size == room
        if size == 0 < room:
            self._pump.give_back()
        return got

    def write(self, data: Buffer, timeout: Timeout = 0.0) -> int:
        n: int = self._pump.run(super().write, data)
        return n

    def request_certificate(self) -> None:
        self._pump.run(super().request_certificate)


class SocketChannel(Channel):
    """A Channel under an SSLSocket that is not tlskit's, which asks its socket for the timeout at
    every operation.

    The stdlib's own SSLSocket calls it so, and those of gevent and eventlet do.
    """

    __slots__ = ("_socket",)

    def __init__(self, context: ConnectionContext, owner: Any, sock: Any, **kwargs: Any) -> None:
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
            raise SSLError(
                "what the peer sent in the clear behind its close_notify had been read, and "
                "cannot be put back"
            )
        return sock


class OwnChannel(Channel):
    """A Channel under an SSLSocket of tlskit's, which says how long to wait; for others who reach
    for it, it asks the socket.
    """

    __slots__ = ()

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


def transport(
    incoming: Any, outgoing: Any
) -> tuple[Callable[..., Channel], tuple[MemoryBIO, MemoryBIO] | None, dict[str, Any]]:
    """The class of channel for this pair, the MemoryBIOs that it works on, and what else its
    constructor takes.
    """
    if isinstance(incoming, MemoryBIO) and isinstance(outgoing, MemoryBIO):
        return MemoryChannel, (incoming, outgoing), {}
    if isinstance(incoming, Wire):
        unused = (MemoryBIO(), MemoryBIO()) if incoming.fd < 0 else None
        return StreamChannel, unused, {"wire": incoming}
    if type(incoming) is stdlib.MemoryBIO and type(outgoing) is stdlib.MemoryBIO:
        bios = MemoryBIO(), MemoryBIO()
        return QueueChannel, bios, {"given": (incoming, outgoing)}
    if not callable(getattr(incoming, "read", None)) or callable(getattr(incoming, "eof", print)):
        raise TypeError(
            f"incoming has to be a MemoryBIO, or an object with read() and the attribute eof, "
            f"not {type(incoming).__name__}"
        )
    if not callable(getattr(outgoing, "write", None)):
        raise TypeError(
            f"outgoing has to be a MemoryBIO, or an object with write(), not "
            f"{type(outgoing).__name__}"
        )
    inner = tuple(
        bio if isinstance(bio, MemoryBIO) else MemoryBIO() for bio in (incoming, outgoing)
    )
    return (
        PumpedChannel,
        (inner[0], inner[1]),
        {"pump": Pump((inner[0], inner[1]), (incoming, outgoing))},
    )


# -- the other way about: the stdlib's contexts between BIOs of tlskit's ---------------------------


class StdlibPump:
    """The stdlib's connection object between two BIOs, of which at least one is not the
    stdlib's.
    """

    __slots__ = ("_pump", "_sslobj")

    def __init__(self, sslobj: Any, pump: Pump) -> None:
        object.__setattr__(self, "_sslobj", sslobj)
        object.__setattr__(self, "_pump", pump)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._sslobj, name)
        return partial(self._pump.run, found) if name in _MOVING else found

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._sslobj, name, value)


_MOVING = {"do_handshake", "read", "write", "shutdown", "verify_client_post_handshake"}


def wrap_stdlib_bio(
    self: Any,
    incoming: Any,
    outgoing: Any,
    server_side: bool,
    server_hostname: str | None = None,
    **others: Any,
) -> Any:
    """`_wrap_bio` of the stdlib's contexts once `ssl.MemoryBIO` has been tlskit's: by themselves
    they take no BIO but their own.
    """
    given = incoming, outgoing
    inner = tuple(stdlib.MemoryBIO() if isinstance(bio, MemoryBIO) else bio for bio in given)
    beneath = super(stdlib.SSLContext, self)._wrap_bio
    sslobj = beneath(*inner, server_side, server_hostname, **others)
    return sslobj if inner == given else StdlibPump(sslobj, Pump((inner[0], inner[1]), given))
