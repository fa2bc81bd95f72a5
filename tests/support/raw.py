"""Peers that misbehave: endings, records and waits that no TLS library would give of its own
accord.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import select
import signal
import socket
import ssl
import struct
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .pairs import Background, client_context, only, server_context
from .pki import PKI, Identity

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
WARNING, FATAL = 1, 2


# -- sockets ---------------------------------------------------------------------------------------


def tcp_pair(*, small: bool = False) -> tuple[socket.socket, socket.socket]:
    """Two ends of a loopback TCP connection; `small`: with buffers that fill quickly."""
    with socket.socket() as listener:
        if small:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        near = socket.socket()
        if small:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        near.connect(listener.getsockname())
        far, _ = listener.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def reset(sock: socket.socket) -> None:
    """Close with a RST."""
    linger = "hh" if sys.platform == "win32" else "ii"  # two of its u_short, or of C's int
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(linger, 1, 0))
    sock.close()


def reset_arrives() -> bool:
    """Whether a plain socket hears of a RST. Wine's read an end in its place."""
    near, far = tcp_pair()
    with near:
        reset(far)
        try:
            near.recv(1)
        except ConnectionResetError:
            return True
    return False


#: For tests that need a RST to arrive as one.
needs_resets = pytest.mark.skipif(
    sys.platform == "win32" and not reset_arrives(), reason="a reset arrives as an end here"
)


def readable(sock: socket.socket) -> bool:
    """Whether the kernel has something for it."""
    return bool(select.select([sock], [], [], 0)[0])


def writable(sock: socket.socket) -> bool:
    """Whether the kernel takes something from it."""
    return bool(select.select([], [sock], [], 0)[1])


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Return once `condition` holds, which nothing announces."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        pause.wait(0.001)


def waits_in_kernel(thread_id: int) -> bool:
    """Whether a thread of ours sits in a system call that waits for a descriptor."""
    if not Path("/proc/self/task").exists():  # not Linux: nobody tells
        threading.Event().wait(0.1)
        return True
    call = Path(f"/proc/self/task/{thread_id}/syscall").read_text().split()[0]
    return call in _WAITING_CALLS


_WAITING_CALLS = {
    "0",
    "1",
    "7",
    "44",
    "45",
    "271",
    "63",
    "64",
    "73",
    "206",
    "207",
}  # read, write, poll, sendto, recvfrom, ppoll; ARM's


class Blocked(Background):
    """A Background that is blocked once this has been made: in a system call that waits for a
    descriptor, or in C, where it waits for another thread to read, or to end its write.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(work)
        self._seen = ["", "", ""]
        until(self._is_blocked)

    def interrupt(self, number: int) -> None:
        """Send a signal to the thread, which blocks again if the handler does not raise."""
        signal.pthread_kill(self._thread.ident or 0, number)
        until(self._is_blocked)

    def _is_blocked(self) -> bool:
        assert self._thread.is_alive(), f"it did not block, but ended: {self._error!r}"
        try:
            return waits_in_kernel(self._thread.native_id or 0) or self._waits_for_a_thread()
        except OSError:
            return False

    def _waits_for_a_thread(self) -> bool:
        """Whether it sits in the same wait for a lock as the last times: until() has let go of
        Python's own lock between them.
        """
        frame = sys._current_frames().get(self._thread.ident or 0)
        if frame is None or not frame.f_code.co_filename.endswith("connection.py"):
            return False
        call = Path(f"/proc/self/task/{self._thread.native_id}/syscall").read_text()
        self._seen = [*self._seen[1:], call]
        return call.split()[0] in _FUTEX and self._seen == [call] * 3


_FUTEX = {"202", "98"}  # ARM's


@contextlib.contextmanager
def watchdog(*socks: socket.socket, seconds: float = 30) -> Iterator[None]:
    """End these sockets after a while, so that a call that should not have blocked does not block
    for ever.
    """

    def end() -> None:
        for sock in socks:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


# -- records ---------------------------------------------------------------------------------------


def record(kind: int, body: bytes, version: int = 0x0303) -> bytes:
    return struct.pack("!BHH", kind, version, len(body)) + body


def alert(level: int, description: int) -> bytes:
    """An alert in the clear."""
    return record(ALERT, bytes([level, description]))


def records(stream: bytes) -> list[bytes]:
    """The records in a stream of whole ones."""
    found = []
    while stream:
        size = 5 + int.from_bytes(stream[3:5], "big")
        assert len(stream) >= size, "the stream ends in the middle of a record"
        found.append(stream[:size])
        stream = stream[size:]
    return found


def flipped(sealed: bytes) -> bytes:
    """The same bytes with one bit of the last byte turned over."""
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


class Puppet:
    """A TLS end whose records pass through our hands. The stdlib's, whatever the other end is."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        hostname: str | None = None,
    ) -> None:
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_side=server_side, server_hostname=hostname
        )

    def run(self, operation: Callable[..., Any], *args: Any) -> Any:
        """Bring an operation to its end, carrying bytes as needed; what it wants sent is sent even
        if it fails.
        """
        while True:
            try:
                return operation(*args)
            except ssl.SSLWantReadError:
                self.send(self.outgoing.read())
                self.receive()
            finally:
                with contextlib.suppress(OSError):
                    self.send(self.outgoing.read())

    def shake(self) -> None:
        self.run(self.tls.do_handshake)

    def read(self, size: int = 65536) -> bytes:
        data: bytes = self.run(self.tls.read, size)
        return data

    def receive(self) -> None:
        """Take in what has come."""
        data = self.sock.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def send(self, data: bytes) -> None:
        if data:
            self.sock.sendall(data)

    def seal(self, data: bytes) -> bytes:
        """The records for `data`, not sent."""
        self.tls.write(data)
        return self.outgoing.read()

    def farewell(self) -> bytes:
        """close_notify, not sent."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()


class Sealer:
    """The sending half of TLS 1.3 with AES-GCM (RFC 8446, 5.2), for records that no library would
    make.

    Args:
        secret: the side's application traffic secret.
        sequence: how many records have been sent under it.
    """

    def __init__(self, secret: bytes, sequence: int = 0) -> None:
        self._hash = "sha384" if len(secret) == 48 else "sha256"
        self._secret, self._sequence = secret, sequence
        self._take_keys()

    @classmethod
    def from_keylog(cls, keylog: str, label: str, sequence: int = 0) -> Sealer:
        secret = next(
            line.split()[2] for line in keylog.splitlines() if line.startswith(label + " ")
        )
        return cls(bytes.fromhex(secret), sequence)

    def seal(self, kind: int, body: bytes, padding: int = 0) -> bytes:
        inner = body + bytes([kind]) + bytes(padding)
        header = struct.pack("!BHH", APPLICATION_DATA, 0x0303, len(inner) + 16)
        nonce = bytes(
            a ^ b for a, b in zip(self._iv, self._sequence.to_bytes(12, "big"), strict=True)
        )
        self._sequence += 1
        return header + self._cipher.encrypt(nonce, inner, header)

    def key_update(self, *, requested: bool) -> bytes:
        """A KeyUpdate; what is sealed after it is under the next key."""
        message = self.seal(HANDSHAKE, bytes([24, 0, 0, 1, int(requested)]))
        self._secret = self._expand(b"traffic upd", len(self._secret))
        self._sequence = 0
        self._take_keys()
        return message

    def _take_keys(self) -> None:
        # not above: conftest imports this module, and not every platform has cryptography
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(self._expand(b"key", 32 if self._hash == "sha384" else 16))
        self._iv = self._expand(b"iv", 12)

    def _expand(self, label: bytes, size: int) -> bytes:
        label = b"tls13 " + label
        info = struct.pack("!HB", size, len(label)) + label + b"\0" + b"\1"
        return hmac.new(self._secret, info, getattr(hashlib, self._hash)).digest()[:size]


class Stage:
    """Puts an end of either module in front of a peer, over a loopback connection, in one protocol
    version.

    Every end and every socket has a timeout of 20 seconds, so that nothing hangs.

    Args:
        ignores_eof: whether an end without close_notify is an ordinary end; None: as the running
            Python has it.
    """

    def __init__(
        self, pki: PKI, version: ssl.TLSVersion, *, ignores_eof: bool | None = None
    ) -> None:
        self.pki, self.version, self.ignores_eof = pki, version, ignores_eof

    def client(self, module: Any = ssl) -> Any:
        return self._set(client_context(self.pki, module=module))

    def server(self, module: Any = ssl, identity: Identity | None = None) -> Any:
        return self._set(server_context(self.pki, identity=identity, module=module))

    def _set(self, context: Any) -> Any:
        only(self.version, context)
        ignores = bool(context.options & ssl.OP_IGNORE_UNEXPECTED_EOF)
        if self.ignores_eof not in (None, ignores):
            with warnings.catch_warnings():  # of Python 3.11: setting any option sets them all
                warnings.simplefilter("ignore", DeprecationWarning)
                context.options ^= ssl.OP_IGNORE_UNEXPECTED_EOF
        return context

    @contextlib.contextmanager
    def alone(
        self, context: Any, *, hostname: str = "localhost", small: bool = False, **options: Any
    ) -> Iterator[tuple[Any, socket.socket]]:
        """An end before its handshake, and the bare socket at the other side."""
        server_side = context.protocol == ssl.PROTOCOL_TLS_SERVER
        near, far = tcp_pair(small=small)
        name = None if server_side else hostname
        end = context.wrap_socket(
            near,
            server_side=server_side,
            server_hostname=name,
            do_handshake_on_connect=False,
            **options,
        )
        end.settimeout(20)
        far.settimeout(20)
        with end, far:
            yield end, far

    @contextlib.contextmanager
    def meeting(
        self, mine: Any, theirs: Any, *, hostname: str = "localhost", **options: Any
    ) -> Iterator[tuple[Any, Puppet]]:
        """An end before its handshake, and a puppet for the other."""
        with self.alone(mine, hostname=hostname, **options) as (end, far):
            yield (
                end,
                Puppet(
                    far,
                    theirs,
                    server_side=not end.server_side,
                    hostname=hostname if end.server_side else None,
                ),
            )

    @contextlib.contextmanager
    def connected(
        self, module: Any, *, server: bool = False, tickets: int = 0, **options: Any
    ) -> Iterator[tuple[Any, Puppet]]:
        """A client's (or server's) end and a puppet, after the handshake."""
        mine, theirs = (
            (self.server(module), self.client()) if server else (self.client(module), self.server())
        )
        (mine if server else theirs).num_tickets = tickets
        with self.meeting(mine, theirs, **options) as (end, puppet):
            shaking = Background(puppet.shake)
            end.do_handshake()
            shaking.result()
            yield end, puppet

    @contextlib.contextmanager
    def pair(self, module: Any, *, small: bool = False) -> Iterator[tuple[Any, Any]]:
        """A client and a server, both of this module, after the handshake; the client has no
        tickets to read.
        """
        server = self.server(module)
        server.num_tickets = 0
        near, far = tcp_pair(small=small)
        near.settimeout(20)
        far.settimeout(20)
        accepting = Background(lambda: server.wrap_socket(far, server_side=True))
        client = self.client(module).wrap_socket(near, server_hostname="localhost")
        with client, accepting.result() as accepted:
            yield client, accepted


# -- in the middle ---------------------------------------------------------------------------------


class Relay:
    """Carries bytes between two sockets, a thread for each direction, which can be held.

    Args:
        near, far: sockets; they are closed when the relay is.
        alter: is given what goes from far to near, and returns what goes on.
    """

    def __init__(
        self,
        near: socket.socket,
        far: socket.socket,
        alter: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        self._socks = (near, far)
        self._over = threading.Event()
        self._open = {"to_far": threading.Event(), "to_near": threading.Event()}
        for gate in self._open.values():
            gate.set()
        self._threads = (
            Background(lambda: self._carry(near, far, self._open["to_far"], lambda data: data)),
            Background(lambda: self._carry(far, near, self._open["to_near"], alter)),
        )

    def _carry(
        self,
        source: socket.socket,
        sink: socket.socket,
        gate: threading.Event,
        alter: Callable[[bytes], bytes],
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                gate.wait()
                while sys.platform == "win32" and not select.select([source], [], [], 0.1)[0]:
                    if self._over.is_set():  # shutdown wakes nobody under wine
                        return
                data = source.recv(65536)
                gate.wait()
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(alter(data))

    def hold(self, direction: str) -> None:
        self._open[direction].clear()

    def release(self, direction: str) -> None:
        self._open[direction].set()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *args: object) -> None:
        self._over.set()
        for gate in self._open.values():
            gate.set()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.result()
        for sock in self._socks:
            sock.close()
