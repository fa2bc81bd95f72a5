"""Use the wheel's OpenSSL beside others in one process: the stdlib's, cryptography's with
pyOpenSSL, the system's.

    python -I tools/wheels/neighbours.py

All run in threads at the same time, and an error of one must never appear in another. Run it where
the wheel, cryptography, pyOpenSSL and trustme are installed.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import ssl
import threading
from types import ModuleType
from typing import Any

import OpenSSL.SSL as pyopenssl
import trustme
from cryptography import x509
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives import hashes

import tlskit

ROUNDS = 40
AUTHORITY = trustme.CA()
LEAF = AUTHORITY.issue_cert("localhost")


def contexts(tls: ModuleType) -> tuple[Any, Any]:
    client, server = tls.create_default_context(), tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    client.load_verify_locations(cadata=AUTHORITY.cert_pem.bytes().decode())
    with LEAF.private_key_and_cert_chain_pem.tempfile() as path:
        server.load_cert_chain(path)
    return client, server


def step(call: Any, want: type[Exception]) -> Any:
    try:
        return call()
    except want:
        return None


def handshake(tls: ModuleType, client: Any, server: Any) -> bytes:
    """Send a byte through a connection in memory."""
    up, down = tls.MemoryBIO(), tls.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname="localhost")
    theirs = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        step(ours.do_handshake, tls.SSLWantReadError)
        step(theirs.do_handshake, tls.SSLWantReadError)
    ours.write(b"x")
    received: bytes = theirs.read(1)
    return received


def refused(tls: ModuleType) -> None:
    """Leave errors in this library's queue."""
    try:
        tls.create_default_context().load_verify_locations(cadata="no certificate")
    except tls.SSLError:
        return
    raise AssertionError(f"{tls.__name__} took no certificate for one")


def talk(tls: ModuleType) -> None:
    client, server = contexts(tls)
    for _ in range(ROUNDS):
        assert handshake(tls, client, server) == b"x"
        refused(tls)


def read_certificates() -> None:
    for _ in range(ROUNDS):
        leaf = x509.load_pem_x509_certificate(LEAF.cert_chain_pems[0].bytes())
        assert leaf.fingerprint(hashes.SHA256())
        try:
            x509.load_pem_x509_certificate(b"no certificate")
        except ValueError:
            continue
        raise AssertionError("cryptography took no certificate for one")


def talk_with_pyopenssl() -> None:
    server = pyopenssl.Context(pyopenssl.TLS_SERVER_METHOD)
    LEAF.configure_cert(server)
    client = pyopenssl.Context(pyopenssl.TLS_CLIENT_METHOD)
    AUTHORITY.configure_trust(client)
    client.set_verify(pyopenssl.VERIFY_PEER)
    for _ in range(ROUNDS):
        ours, theirs = pyopenssl.Connection(client), pyopenssl.Connection(server)
        ours.set_connect_state()
        theirs.set_accept_state()
        for _ in range(4):
            for near, far in ((ours, theirs), (theirs, ours)):
                step(near.do_handshake, pyopenssl.WantReadError)
                sent = step(lambda near=near: near.bio_read(1 << 16), pyopenssl.WantReadError)
                if sent:
                    far.bio_write(sent)
        ours.send(b"x")
        theirs.bio_write(ours.bio_read(1 << 16))
        assert theirs.recv(1) == b"x"


def hash_with_the_system() -> str:
    """Load libcrypto by its name, with global symbols, as a careless program does."""
    name = ctypes.util.find_library("crypto")
    if name is None:
        return "none"
    library = ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    library.SHA256.restype = ctypes.c_void_p
    library.OpenSSL_version.restype = ctypes.c_char_p
    for _ in range(ROUNDS):
        out = ctypes.create_string_buffer(32)
        library.SHA256(b"abc", 3, out)
        assert out.raw == hashlib.sha256(b"abc").digest()
    return str(library.OpenSSL_version(0).decode())


def main() -> None:
    failures: list[BaseException] = []
    system: list[str] = []

    def guarded(work: Any) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    jobs = [
        lambda: talk(tlskit),
        lambda: talk(ssl),
        read_certificates,
        talk_with_pyopenssl,
        lambda: system.append(hash_with_the_system()),
    ]
    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    others = {
        "tlskit": tlskit.OPENSSL_VERSION,
        "ssl": ssl.OPENSSL_VERSION,
        "cryptography": backend.openssl_version_text(),
        "pyOpenSSL": pyopenssl.SSLeay_version(pyopenssl.SSLEAY_VERSION).decode(),
        "by ctypes": system[0],
    }
    for name, version in others.items():
        print(f"  {name}: {version}")


if __name__ == "__main__":
    main()
