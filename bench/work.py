"""The work that is measured, written once for any module with the interface of `ssl`.

Each piece of work runs in a separate process:

    python -m bench.work MODULE WORK SECONDS PAIRS FOLDER PORT
        does it once for each line on stdin, and prints {"value", "busy", "openssl"}
    python -m bench.work peer KIND FOLDER
        is its other end, with the stdlib's ssl

FOLDER holds ca.pem, and server.pem (a certificate with its key); PORT is the peer's, on 127.0.0.1.
limit.c takes the same arguments, does the same work, and prints the same. It is also the peer, if
there is a compiler: a peer has to be faster than anything that is measured against it.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any, NamedTuple

from .turns import answer

LOOPBACK = "127.0.0.1"
MESSAGE = 64  # bytes of a round trip
RECORD = 16384  # bytes, the most that a record holds
CHUNK = 1 << 16  # of a receiver
BLOCK = 1 << 20  # of a sender
BUFFER = 1 << 20  # of a socket, each way
WARM_UP = 8 << 20  # bytes that fill the buffers before the clock starts
FIRST_PAIRS = 20  # that settle the allocator before memory is measured


class Measured(NamedTuple):
    """A result, and the share of the measured time that this process was on a processor."""

    value: float
    busy: float = 1.0


Measure = Callable[[], Measured]  # what a piece of work does in its turns, when it is prepared


@dataclass
class Task:
    """The parameters of a piece of work.

    Attributes:
        tls: the module that is measured.
        seconds: how long to measure rates.
        pairs: how many idle connections to make.
        folder: the certificates' folder.
        port: the peer's.
        batch: how many operations go between two looks at the clock; 0 until that is known.
    """

    tls: Any
    seconds: float
    pairs: int
    folder: str
    port: int
    batch: int = 0

    def client_context(self) -> Any:
        context = self.tls.SSLContext(self.tls.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(os.path.join(self.folder, "ca.pem"))
        return self.held(context)

    def server_context(self) -> Any:
        context = self.tls.SSLContext(self.tls.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.folder, "server.pem"))
        return self.held(context)

    def held(self, context: Any) -> Any:
        """Return the context, limited to the TLS version of this measurement."""
        version = os.environ.get("TLSKIT_BENCH_VERSION")
        if version:
            number = getattr(self.tls.TLSVersion, f"TLSv{version.replace('.', '_')}")
            context.minimum_version = context.maximum_version = number
        return context

    def connect(self, context: Any, session: Any = None) -> Any:
        """Return a TLS connection to the peer."""
        plain = stream_socket()
        plain.connect((LOOPBACK, self.port))
        return context.wrap_socket(plain, server_hostname="localhost", session=session)

    def rate(self, step: Callable[[], object]) -> Measured:
        """Return how often per second a step can be done: in batches, so that the clock costs
        nothing. The first is not counted, since the caches are others' until then.
        """
        clock = perf_counter
        if not self.batch:
            self.batch, took = 1, 0.0
            while took < self.seconds / 10:
                self.batch *= 2
                start = clock()
                for _ in range(self.batch // 2):
                    step()
                took = clock() - start
            self.batch = max(1, self.batch // 2)
        batch, done = self.batch, 0
        for _ in range(batch):
            step()
        took, used, start = 0.0, process_time(), clock()
        while took < self.seconds:
            for _ in range(batch):
                step()
            done += batch
            took = clock() - start
        return Measured(done / took, (process_time() - used) / took)

    def megabytes(self, move: Callable[[], int]) -> Measured:
        """Return the megabytes per second of an operation that returns how many bytes it has
        moved.
        """
        total, took, clock = 0, 0.0, perf_counter
        while total < WARM_UP:
            total += move()
        total, used, start = 0, process_time(), clock()
        while took < self.seconds:
            for _ in range(16):
                total += move()
            took = clock() - start
        return Measured(total / took / 1e6, (process_time() - used) / took)


# -- the pieces of work ----------------------------------------------------------------------------


def handshake(task: Task) -> Measure:
    """Do a full handshake of two ends in memory, and read the tickets."""
    client_context, server_context = task.client_context(), task.server_context()

    def step() -> None:
        client, _ = memory_pair(task.tls, client_context, server_context)
        take_tickets(task.tls, client)

    return lambda: task.rate(step)


def resumed(task: Task) -> Measure:
    """Do a handshake that resumes the previous session, and read its ticket."""
    client_context, server_context = task.client_context(), task.server_context()
    session: Any = None
    client: Any = None

    def step() -> None:
        nonlocal session, client
        client, _ = memory_pair(task.tls, client_context, server_context, session)
        take_tickets(task.tls, client)
        session = client.session

    def measure() -> Measured:
        measured = task.rate(step)
        must_be_reused(client)
        return measured

    step()
    return measure


def write_read(task: Task) -> Measure:
    """Write 64 bytes at one end and read them at the other, in memory."""
    client, server = memory_pair(task.tls, task.client_context(), task.server_context())
    take_tickets(task.tls, client)
    message, write, read = bytes(MESSAGE), client.write, server.read

    def step() -> None:
        write(message)
        read(MESSAGE)

    return lambda: task.rate(step)


def socket_handshake(task: Task) -> Measure:
    """Connect to the peer with a full handshake, and read its greeting of one byte (and therefore
    the tickets).
    """
    context = task.client_context()

    def step() -> None:
        connection = task.connect(context)
        connection.recv(1)
        connection.close()

    return lambda: task.rate(step)


def socket_resumed(task: Task) -> Measure:
    """Connect to the peer, resume the previous connection's session, and read the greeting of one
    byte.
    """
    context = task.client_context()
    session: Any = None

    def step(check: bool = False) -> None:
        nonlocal session
        connection = task.connect(context, session)
        connection.recv(1)
        if check:
            must_be_reused(connection)
        session = connection.session
        connection.close()

    def measure() -> Measured:
        measured = task.rate(step)
        step(check=True)
        return measured

    step()
    return measure


def with_peer(task: Task, use: Callable[[Any], Measured]) -> Measure:
    """Return what uses a new connection in each turn: the peer serves one after the other."""
    context = task.client_context()

    def measure() -> Measured:
        with task.connect(context) as connection:
            return use(connection)

    return measure


def receive(task: Task) -> Measure:
    """Receive endless data from the peer with recv(65536)."""

    def use(connection: Any) -> Measured:
        recv = connection.recv
        return task.megabytes(lambda: len(recv(CHUNK)) or ended())

    return with_peer(task, use)


def receive_into(task: Task) -> Measure:
    """Receive endless data from the peer with recv_into and a buffer of 65536 bytes."""
    into = bytearray(CHUNK)

    def use(connection: Any) -> Measured:
        recv_into = connection.recv_into
        return task.megabytes(lambda: recv_into(into) or ended())

    return with_peer(task, use)


def send(task: Task) -> Measure:
    """Send blocks of 1 MiB to a peer that reads everything."""
    block = bytes(BLOCK)

    def use(connection: Any) -> Measured:
        sendall = connection.sendall
        return task.megabytes(lambda: sendall(block) or BLOCK)

    return with_peer(task, use)


def round_trips(task: Task) -> Measure:
    """Send 64 bytes to the peer and back."""
    message = bytes(MESSAGE)

    def use(connection: Any) -> Measured:
        sendall, recv = connection.sendall, connection.recv

        def step() -> None:
            sendall(message)
            recv(MESSAGE)

        return task.rate(step)

    return with_peer(task, use)


def context(task: Task) -> Measure:
    """Create SSLContext(PROTOCOL_TLS_CLIENT)."""
    make, protocol = task.tls.SSLContext, task.tls.PROTOCOL_TLS_CLIENT
    return lambda: task.rate(lambda: make(protocol))


def default_context_first(task: Task) -> Measure:
    """Measure the milliseconds of the process's first create_default_context()."""

    def measure() -> Measured:
        start, used = perf_counter(), process_time()
        task.tls.create_default_context()
        took, used = perf_counter() - start, process_time() - used
        return Measured(took * 1e3, used / took)

    return measure


def default_context(task: Task) -> Measure:
    """Measure later calls of create_default_context()."""
    task.tls.create_default_context()
    return lambda: task.rate(task.tls.create_default_context)


def idle_memory(task: Task) -> Measure:
    """Measure the KiB of an idle connection in memory, both ends, after a byte each way."""
    return lambda: idle(task, idle_in_memory(task, 1))


def idle_traffic(task: Task) -> Measure:
    """Measure the KiB of an idle connection in memory, both ends, after a whole record each way."""
    return lambda: idle(task, idle_in_memory(task, RECORD))


def idle_sockets(task: Task) -> Measure:
    """Measure the KiB of an idle connection over a socket pair, both ends, after a whole record
    each way, without the kernel's memory.
    """
    client_context, server_context = task.client_context(), task.server_context()
    message = bytes(RECORD)

    def make() -> Any:
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        client = client_context.wrap_socket(
            near, server_hostname="localhost", do_handshake_on_connect=False
        )
        server = server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False)
        pair_handshake(task.tls, client, server)
        client.sendall(message)
        server.sendall(server.recv(RECORD))
        if client.recv(RECORD) != message:
            raise RuntimeError("the connection is not idle")
        return client, server

    allow_files(2 * (task.pairs + FIRST_PAIRS) + 64)
    return lambda: idle(task, make)


MEASURES: dict[str, Callable[[Task], Measure]] = {
    work.__name__: work
    for work in (
        handshake, resumed, write_read, socket_handshake, socket_resumed, receive, receive_into,
        send, round_trips,
        context, default_context_first, default_context, idle_memory, idle_traffic, idle_sockets,
    )
}  # fmt: skip


# -- helpers ---------------------------------------------------------------------------------------


def memory_pair(
    tls: Any, client_context: Any, server_context: Any, session: Any = None
) -> tuple[Any, Any]:
    """Return a client and a server, connected by two memory BIOs, after their handshake."""
    to_client, to_server = tls.MemoryBIO(), tls.MemoryBIO()
    client = client_context.wrap_bio(
        to_client, to_server, server_hostname="localhost", session=session
    )
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    pair_handshake(tls, client, server)
    return client, server


def pair_handshake(tls: Any, client: Any, server: Any) -> None:
    """Do the handshake of two ends that do not block, in turns."""
    client_done = server_done = False
    for _ in range(10):
        client_done = client_done or advance(tls, client)
        server_done = server_done or advance(tls, server)
        if client_done and server_done:
            return
    raise RuntimeError("the handshake has not come to its end")


def advance(tls: Any, end: Any) -> bool:
    """Continue a handshake, and return whether it is complete."""
    try:
        end.do_handshake()
    except tls.SSLWantReadError:
        return False
    return True


def take_tickets(tls: Any, client: Any) -> None:
    """Read the tickets that follow a TLS 1.3 handshake."""
    try:
        client.read(1)
    except tls.SSLWantReadError:
        return
    raise RuntimeError("data where only tickets were expected")


def must_be_reused(connection: Any) -> None:
    if not connection.session_reused:
        raise RuntimeError("the session was not resumed")


def ended() -> int:
    raise RuntimeError("the peer has ended the connection")


def stream_socket() -> socket.socket:
    """An unconnected socket with large buffers."""
    plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def idle_in_memory(task: Task, size: int) -> Callable[[], Any]:
    """Return a function that creates an idle connection whose ends have two BIOs each, as in
    programs that carry the bytes themselves.
    """
    client_context, server_context, tls = task.client_context(), task.server_context(), task.tls
    message = bytes(size)

    def make() -> Any:
        client_in, client_out, server_in, server_out = (tls.MemoryBIO() for _ in range(4))
        client = client_context.wrap_bio(client_in, client_out, server_hostname="localhost")
        server = server_context.wrap_bio(server_in, server_out, server_side=True)
        client_done = server_done = False
        while not (client_done and server_done):
            client_done = client_done or advance(tls, client)
            server_in.write(client_out.read())
            server_done = server_done or advance(tls, server)
            client_in.write(server_out.read())
        client.write(message)
        server_in.write(client_out.read())
        server.write(server.read(size))
        client_in.write(server_out.read())
        if client.read(size) != message or client_in.pending or server_in.pending:
            raise RuntimeError("the connection is not idle")
        return client, server

    return make


def idle(task: Task, make: Callable[[], Any]) -> Measured:
    """Measure the KiB that each of many connections adds to the process."""
    kept = [make() for _ in range(FIRST_PAIRS)]
    gc.collect()
    before = resident_kib()
    kept += [make() for _ in range(task.pairs)]
    gc.collect()
    return Measured((resident_kib() - before) / task.pairs)


def resident_kib() -> float:
    """Return the anonymous memory of this process (the pages of the libraries vary); without /proc,
    its peak of all memory.
    """
    try:
        with open("/proc/self/statm", "rb") as f:
            _, resident, of_files, *_ = map(int, f.read().split())
        return (resident - of_files) * os.sysconf("SC_PAGE_SIZE") / 1024
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1024 if sys.platform == "darwin" else most


def allow_files(count: int) -> None:
    """Raise the limit of open files as far as possible; exit if that is too few."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < count:
        if 0 <= hard < count:
            raise RuntimeError(f"{count} open files are needed, and {hard} are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


# -- the peers -------------------------------------------------------------------------------------


def peer_greeting(connection: Any) -> None:
    """Send a byte, and wait for the end."""
    connection.send(b"x")
    peer_sink(connection)


def peer_source(connection: Any) -> None:
    """Send without end."""
    block = bytes(BLOCK)
    while True:
        connection.sendall(block)


def peer_sink(connection: Any) -> None:
    """Read everything."""
    into = bytearray(CHUNK)
    while connection.recv_into(into):
        pass


def peer_echo(connection: Any) -> None:
    """Send all data back."""
    while message := connection.recv(MESSAGE):
        connection.sendall(message)


PEERS: dict[str, Callable[[Any], None]] = {
    "greeting": peer_greeting,
    "source": peer_source,
    "sink": peer_sink,
    "echo": peer_echo,
}


def peer(kind: str, folder: str) -> None:
    """Serve one connection after the other until stdin ends."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "server.pem"))
    listener = stream_socket()
    listener.bind((LOOPBACK, 0))
    listener.listen(16)
    print(listener.getsockname()[1], flush=True)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        plain, _ = listener.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with context.wrap_socket(plain, server_side=True) as connection:
                PEERS[kind](connection)
        except OSError:  # the other end has left, as each does in the end
            plain.close()


def main(arguments: list[str]) -> int:
    """Do one piece of work in turns, or be the peer of one."""
    if arguments[:1] == ["peer"] and len(arguments) == 3:
        peer(*arguments[1:])
        return 0
    if len(arguments) != 6 or arguments[1] not in MEASURES:
        print(
            "python -m bench.work MODULE WORK SECONDS PAIRS FOLDER PORT, or peer KIND FOLDER",
            file=sys.stderr,
        )
        return 2
    module, name, seconds, pairs, folder, port = arguments
    tls = importlib.import_module(module)
    measure = MEASURES[name](Task(tls, float(seconds), int(pairs), folder, int(port)))
    answer(lambda: {**measure()._asdict(), "openssl": tls.OPENSSL_VERSION})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
