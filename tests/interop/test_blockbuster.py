"""BlockBuster, which test suites use to find what blocks an event loop, sees no file being read
when contexts are made on the loop: as with the stdlib's ssl.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import tlskit

from ..support.pairs import memory_pair
from ..support.pki import PKI

blockbuster = pytest.importorskip("blockbuster", reason="BlockBuster is not installed")


def server(pki: PKI) -> Any:
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server.chain, pki.server.key)
    return context


def client(**options: Any) -> Any:
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(**options)
    return context


WORK = {
    "default": lambda pki: tlskit.create_default_context(),
    "default for clients": lambda pki: tlskit.create_default_context(
        tlskit.Purpose.CLIENT_AUTH
    ).load_default_certs(),
    "cafile": lambda pki: client(cafile=pki.root),
    "cafile, again": lambda pki: client(cafile=pki.root).load_verify_locations(pki.root),
    "capath": lambda pki: client(capath=pki.folder),
    "chain": server,
    "a handshake": lambda pki: memory_pair(client(cafile=pki.root), server(pki)),
    "a handshake by a directory": lambda pki: memory_pair(
        client(cafile=pki.root, capath=pki.folder), server(pki)
    ),
}


@pytest.mark.parametrize("log", [False, True], ids=["", "key log"])
@pytest.mark.parametrize("work", WORK)
def test_no_file_is_read_in_python(
    pki: PKI, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, work: str, log: bool
) -> None:
    if log:
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    else:
        monkeypatch.delenv("SSLKEYLOGFILE", raising=False)

    async def on_the_loop() -> None:
        with blockbuster.blockbuster_ctx():
            WORK[work](pki)
            with pytest.raises(blockbuster.BlockingError):  # it does see files
                (tmp_path / "a file").write_text("x")

    asyncio.run(on_the_loop())
