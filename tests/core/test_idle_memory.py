"""What an idle connection holds: nothing of its key exchange, and no buffers."""

from __future__ import annotations

import functools
import subprocess
import sys

import pytest

import tlskit

from ..support.pki import PKI

ctypes = pytest.importorskip("ctypes")

ALLOCATED = """
import ctypes
import gc


class Allocated(ctypes.Structure):  # struct mallinfo2
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]


mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Allocated


def allocated():
    gc.collect()
    return mallinfo().uordblks
"""

PROGRAM = f"""{ALLOCATED}
import sys

import tlskit

chain, key, root, version, clients, servers = sys.argv[1:]


def context(protocol, groups):
    made = tlskit.SSLContext(protocol)
    if groups:
        made.set_groups(groups + ":P-256")  # of the certificate
    return made


client = context(tlskit.PROTOCOL_TLS_CLIENT, clients)
client.load_verify_locations(root)
server = context(tlskit.PROTOCOL_TLS_SERVER, servers)
server.load_cert_chain(chain, key)
server.minimum_version = server.maximum_version = tlskit.TLSVersion[version]


def step(call, *arguments):
    try:
        return call(*arguments)
    except tlskit.SSLWantReadError:
        return None


def pair():
    up, down = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname="localhost")
    far = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        step(near.do_handshake)
        step(far.do_handshake)
    for here, there in ((near, far), (far, near)):
        here.write(bytes(16000))
        assert there.read(16000) == bytes(16000)
    return near, far


PAIRS = 50
kept = [pair() for _ in range(PAIRS)]
before = allocated()
kept += [pair() for _ in range(PAIRS)]
print((allocated() - before) / PAIRS)
"""

#: The interpreter switches between threads only where one of them waits in C: when a thread has
#: said that it begins to read, and another one runs, it reads.
READERS = f"""{ALLOCATED}
import socket
import sys
import threading

import tlskit

sys.setswitchinterval(1000)
chain, key, root = sys.argv[1:]
client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
client.load_verify_locations(root)
server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
server.load_cert_chain(chain, key)


def blocked(count):
    left, right = socket.socketpair()
    inside, far = threading.Semaphore(0), []

    def serve():
        far.append(server.wrap_socket(right, server_side=True))

    def read():
        inside.release()
        try:
            near.recv(65536)
        except OSError:
            pass

    serving = threading.Thread(target=serve)
    serving.start()
    near = client.wrap_socket(left, server_hostname="localhost")
    serving.join()
    threads = [threading.Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    for _ in threads:
        inside.acquire()
    near.close()
    for thread in threads:
        thread.join()
    far[0].close()


blocked(3)
before = allocated()
blocked(200)
print(allocated() - before)
"""

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None) if sys.platform == "linux" else None, "mallinfo2"),
    reason="glibc tells how much memory is allocated from 2.33 on",
)


@functools.cache
def idle(pki: PKI, version: tlskit.TLSVersion, clients: str, servers: str) -> float:
    """Bytes of a connection, both ends."""
    return measured(PROGRAM, pki, version.name, clients, servers)


def measured(program: str, pki: PKI, *words: str) -> float:
    paths = [str(path) for path in (pki.server.chain, pki.server.key, pki.root)]
    command = [sys.executable, "-c", program, *paths, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.parametrize(
    ("clients", "servers"),
    [
        pytest.param("P-521", "P-521", id="large keys"),
        pytest.param("P-521:X25519", "X25519", id="a first share that the server does not take"),
        pytest.param("", "X25519", id="default shares, of which the server takes the small one"),
        pytest.param("", "", id="the default"),
    ],
)
def test_a_key_exchange_leaves_no_keys_behind(
    pki: PKI, version: tlskit.TLSVersion, clients: str, servers: str
) -> None:
    """Those of P-521 would be 4 KiB of a connection, and those of X25519MLKEM768 14 KiB. A client
    that allows TLS 1.3 has offered shares to a server of TLS 1.2, too.
    """
    small = idle(pki, version, "X25519", "X25519")
    assert idle(pki, version, clients, servers) < small + 1300


@pytest.mark.skipif(
    sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="threads are not in step, or memory is freed later",
)
def test_threads_that_have_read_leave_few_buffers_behind(pki: PKI) -> None:
    """Each of 200 readers at once had a buffer of 64 KiB, 13 MB together."""
    assert measured(READERS, pki) < 4_000_000
