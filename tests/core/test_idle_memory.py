"""What an idle connection holds: nothing of its key exchange, and no buffers."""

from __future__ import annotations

import functools
import subprocess
import sys

import pytest

import tlskit

from ..support.pki import PKI

ctypes = pytest.importorskip("ctypes")

PROGRAM = """
import ctypes, gc, sys

import tlskit

chain, key, root, version, clients, servers = sys.argv[1:]


class Allocated(ctypes.Structure):  # struct mallinfo2
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]


mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Allocated


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
gc.collect()
before = mallinfo().uordblks
kept += [pair() for _ in range(PAIRS)]
gc.collect()
print((mallinfo().uordblks - before) / PAIRS)
"""

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None) if sys.platform == "linux" else None, "mallinfo2"),
    reason="glibc tells how much memory is allocated from 2.33 on",
)


@functools.cache
def idle(pki: PKI, version: tlskit.TLSVersion, clients: str, servers: str) -> float:
    """Bytes of a connection, both ends."""
    paths = [str(path) for path in (pki.server.chain, pki.server.key, pki.root)]
    command = [sys.executable, "-c", PROGRAM, *paths, version.name, clients, servers]
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
