"""Our own parsers, as targets: each takes any bytes, and raises nothing but what it documents."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import tlskit
from tlskit import SSLError, SSLSession, TicketKeyring
from tlskit._core.certificate import Certificate
from tlskit.stores import SealedStore, SQLiteStore

from ..support import hellos
from ..support import pki as _pki
from ..support.pairs import client_context, memory_pair, server_context

_SECRET = bytes(range(32))


def envelope(data: bytes) -> None:
    with contextlib.suppress(SSLError):
        session = SSLSession.from_bytes(data)
        assert SSLSession.from_bytes(session.to_bytes()) == session
        repr(session.info)


def der(data: bytes) -> None:
    with contextlib.suppress(SSLError, ValueError):
        session = SSLSession.from_der(data)
        session.to_der()
        repr(session)
        repr(session.info)


def pem(data: bytes) -> None:
    with contextlib.suppress(SSLError, ValueError):
        repr(SSLSession.from_pem(data))


class _Kept:
    """A store under a sealed one, whose every value is the input."""

    in_process = False

    def __init__(self, value: bytes) -> None:
        self.value = value

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int) -> None:
        self.value = value

    def get(self, key: bytes) -> bytes:
        return self.value

    take = get


def seal(data: bytes) -> None:
    store = SealedStore(_Kept(data), _SECRET)  # type: ignore[arg-type]
    for ask in (store.get, store.take):
        ask(b"key")


def ticket_keys(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "keys")
        path.write_bytes(data)
        with contextlib.suppress(ValueError, OSError):
            TicketKeyring.from_files(path)


def fields(data: bytes) -> None:
    with contextlib.suppress(SSLError, ValueError):
        found = Certificate.from_der(data)
        found.fields()
        found.get_info()
        repr((found, found.rfc4514, found.summary, found.public_key, found.end_point))


def rows(data: bytes) -> None:
    """A database that is damaged, or somebody else's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store")
        path.write_bytes(data)
        with (
            contextlib.suppress(OSError, ValueError, sqlite3.DatabaseError),
            contextlib.closing(SQLiteStore(path)) as store,
        ):
            store.put(b"key", b"value", 60)
            store.get(b"key")
            store.take(b"key")
            store.purge()


def client_hello(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        found = tlskit.ClientHello.parse(data)
        assert tlskit.ClientHello.parse(found.raw) == found
        repr((found, found.to_dict(), found.ja3_text, found.ja4_text))


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (envelope, der, pem, seal, ticket_keys, fields, rows, client_hello)
}


def seeds(folder: Path) -> dict[str, list[bytes]]:
    """A first corpus: of each kind, what the library itself writes."""
    made = _pki.make(folder)
    client, server = client_context(made), server_context(made)
    near, _ = memory_pair(client, server)
    session = near.session
    plain = session.to_bytes()
    kept = _Kept(b"")
    SealedStore(kept, _SECRET).put(b"key", plain, 60)  # type: ignore[arg-type]
    path = folder / "seed.db"
    with contextlib.closing(SQLiteStore(path)) as store:
        store.put(b"key", plain, 60)
    out = tlskit.MemoryBIO()
    with contextlib.suppress(SSLError):
        client.wrap_bio(
            tlskit.MemoryBIO(), out, server_hostname="a", session=session
        ).do_handshake()
    first = out.read()
    leaf = tlskit.PEM_cert_to_DER_cert(Path(made.root).read_text(encoding="ascii"))
    return {
        "envelope": [plain],
        "der": [session.to_der()],
        "pem": [session.to_pem().encode()],
        "seal": [kept.value],
        "ticket_keys": [os.urandom(48), os.urandom(80)],
        "fields": [leaf],
        "rows": [path.read_bytes()],
        "client_hello": [first, first[5:], hellos.hello(extensions=range(60))],
    }
