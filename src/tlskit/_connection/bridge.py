"""Turn any pair of BIOs into a transport.

There are three kinds: tlskit's MemoryBIO, which the C side reads and writes itself; the stdlib's;
and any object with `read` and `eof` for incoming bytes, and `write` for outgoing bytes. For the
latter two, bytes are pumped through internal MemoryBIOs.

Programs may rely on `pending` of their own objects. uvloop, for example, reads as long as something
is pending in `incoming` or in the connection, and then waits for the network. Therefore incoming
bytes are moved one record at a time, and only as far as the operation needs: a whole record is in
`incoming` until it is read, and in `pending()` of the connection once reading it has begun. An
incomplete record may be taken in, as libssl does too. A handshake leaves the first request after it
in place, a read does not swallow the close_notify after its data, and plaintext that the peer sends
after the end of TLS can still be read.

Outgoing bytes are moved after every operation, even a failed one, so that an alert is sent when a
handshake fails. Bytes that an object refuses are kept and sent before the next operation does
anything; if the object raises, that operation raises the same. So an operation that has succeeded
reports success, and no encrypted byte is lost or sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from operator import index

from .._core.bio import MemoryBIO
from .._core.connection import Timeout
from .._core.direction_locks import DirectionLocks
from .._lazy import LateModule, LateName
from .._stdlib import classes as stdlib
from ..errors import SSLError, SSLWantReadError, SSLWantWriteError
from .channel import Channel
from .stream import StreamChannel, Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from typing_extensions import Buffer

    from . import queues
else:
    queues = LateModule(".queues", __package__)
    Protocol = object
    Any = LateName("typing", "Any")


_HEADER = 5  # bytes of a record header: type, version, and a length in two bytes (RFC 8446, 5.1)
_LARGEST = (
    _HEADER + (1 << 14) + 2048
)  # a record with its header (RFC 5246, 6.2.3; RFC 8446, 5.2 allows less)
# The longest record, in bytes, that is assumed to hold an alert (TLS 1.2 with CBC and a long MAC).
_ALERT = 64


class Incoming(Protocol):
    """What `wrap_bio` accepts for incoming bytes, besides MemoryBIO."""

    @property
    def eof(self) -> bool: ...
    def read(self, size: int = ..., /) -> bytes: ...


class Outgoing(Protocol):
    """What `wrap_bio` accepts for outgoing bytes. `write` may accept only a part; it returns the
    number of bytes, or None for all.
    """

    def write(self, data: bytes, /) -> int | None: ...


class Pump(DirectionLocks):
    """Moves bytes between the BIOs that were given and those that the connection works on. Does
    nothing if both are the same.

    Two threads may use it, a reader and a writer: the bytes of each direction stay in order.
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
        self._head = b""  # received part of the next record's header
        self._missing = 0  # bytes of the last record that have not arrived yet
        self._over = False  # TLS is over: no more incoming bytes belong to it
        self._unsent = b""

    def run(self, operation: Callable[..., Any], *args: Any) -> Any:
        """Run the operation, and repeat it while it wants to read and there are bytes to read."""
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
        with suppress(Exception):  # the next operation tries again, and raises the error
            self._send()
        return result

    def fill(self, room: int = 0) -> bool:
        """Move one record in, or as many as fit into `room`, and return whether anything has
        changed. Of several records the last always stays: it may be a close_notify, and `pending`
        must show that there is more.
        """
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
        """Move one record, or the available part of it, and return the number of bytes."""
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
        """Move up to `room` bytes, which is faster. Bytes that must wait are put back at the front:
        `incoming` is empty at that point.
        """
        data = self._head + self._take(room)
        begin, end = 0, self._missing  # bounds of the last record that begins in the data
        while end + _HEADER <= len(data):
            begin, end = end, end + _HEADER + int.from_bytes(data[end + 3 : end + _HEADER], "big")
        incoming: Any = self._incoming
        if end == 0 or incoming.eof or incoming.pending > 0:  # nothing can be added after EOF
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

    def return_leftover(self) -> None:
        """End TLS, and put the bytes that do not belong to it back where they came from."""
        if self._incoming is self._inner_in:
            return
        with self._receiving:
            self._over = True
            rest = self._inner_in.read() + self._head
            self._head, self._missing = b"", 0
            if rest and callable(write := getattr(self._incoming, "write", None)):
                with suppress(SSLError):  # nothing can be added after EOF
                    write(rest + self._incoming.read())

    def _take(self, size: int) -> bytes:
        data: Any = self._incoming.read(size)
        if type(data) is not bytes:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(
                    f"read() of the incoming BIO returned {type(data).__name__}, not bytes"
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
                        "the outgoing BIO is full: repeat the operation when it has room"
                    )
                self._unsent = b"" if n is None else self._unsent[n:]


class PumpedChannel(Channel):
    """A Channel between two BIOs, at least one of which is not tlskit's."""

    __slots__ = ("_full", "_pump")

    def __init__(
        self, *args: Any, bios: tuple[MemoryBIO, MemoryBIO], pump: Pump, **kwargs: Any
    ) -> None:
        super().__init__(*args, bios=bios, **kwargs)
        self._pump = pump
        self._full = False  # the last read filled its buffer: more may be decrypted already

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        self._pump.run(super().do_handshake)

    def read_early_data(self, size: int, timeout: Timeout = 0.0) -> bytes:
        found: bytes = self._pump.run(super().read_early_data, size)
        return found

    def shutdown(self, timeout: Timeout = 0.0) -> None:
        self._pump.run(super().shutdown)
        self._pump.return_leftover()

    def read(self, len: int = 1024, buffer: Any = None, timeout: Timeout = 0.0) -> Any:
        room = len = index(len)
        if buffer is not None:
            with memoryview(buffer) as view:
                room = min(len, view.nbytes) if len > 0 else view.nbytes
        if room > 0 and not self._full:
            self._pump.fill(room)
        got = self._pump.run(super().read, len, buffer)
        size = got if buffer is not None else got.__len__()
        self._full = size == room
        if size == 0 < room:
            self._pump.return_leftover()
        return got

    def write(self, data: Buffer, timeout: Timeout = 0.0) -> int:
        n: int = self._pump.run(super().write, data)
        return n

    def request_certificate(self) -> None:
        self._pump.run(super().request_certificate)


def transport(
    incoming: Any, outgoing: Any
) -> tuple[Callable[..., Channel], tuple[MemoryBIO, MemoryBIO] | None, dict[str, Any]]:
    """Return the class of channel for a pair of BIOs that are not both the stdlib's, the MemoryBIOs
    that it works on, and further arguments for its constructor.
    """
    if isinstance(incoming, MemoryBIO) and isinstance(outgoing, MemoryBIO):
        return queues.MemoryChannel, (incoming, outgoing), {}
    if isinstance(incoming, Wire):
        unused = (MemoryBIO(), MemoryBIO()) if incoming.fd < 0 else None
        return StreamChannel, unused, {"wire": incoming}
    if not callable(getattr(incoming, "read", None)) or callable(getattr(incoming, "eof", print)):
        raise TypeError(
            f"incoming must be a MemoryBIO, or an object with read() and the attribute eof, got "
            f"{type(incoming).__name__}"
        )
    if not callable(getattr(outgoing, "write", None)):
        raise TypeError(
            f"outgoing must be a MemoryBIO, or an object with write(), got "
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


# -- the reverse: the stdlib's contexts between BIOs of tlskit's -----------------------------------


class StdlibPump:
    """The stdlib's connection object between two BIOs, at least one of which is not the
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
    """Replace `_wrap_bio` of the stdlib's contexts where `ssl.MemoryBIO` has become tlskit's: the
    stdlib accepts only its own BIOs.
    """
    given = incoming, outgoing
    inner = tuple(stdlib.MemoryBIO() if isinstance(bio, MemoryBIO) else bio for bio in given)
    beneath = super(stdlib.SSLContext, self)._wrap_bio
    sslobj = beneath(*inner, server_side, server_hostname, **others)
    return sslobj if inner == given else StdlibPump(sslobj, Pump((inner[0], inner[1]), given))
