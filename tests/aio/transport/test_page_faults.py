"""Large messages do not give their memory back to the system, only to fault it in again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from ...support.pki import PKI
from ...support.pypy import PYPY

MESSAGES, SIZE = 50, 262144
PROGRAM = f"""
import asyncio, resource, sys
import tlskit
from tlskit import aio

async def echo(reader, writer):
    while data := await reader.read({SIZE // 4}):
        writer.write(data)
    writer.close()

async def main(chain, ca):
    server_context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(chain)
    context = tlskit.create_default_context(cafile=ca)
    server = await aio.start_server(echo, "127.0.0.1", 0, ssl=server_context)
    reader, writer = await aio.open_connection(
        *server.sockets[0].getsockname(), ssl=context, server_hostname="localhost"
    )

    async def some(count):
        for _ in range(count):
            writer.write(bytes({SIZE}))
            await reader.readexactly({SIZE})

    await some(20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    await some({MESSAGES})
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    writer.close()
    server.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(
    PYPY or platform.libc_ver()[0] != "glibc", reason="it is about CPython's use of glibc's malloc"
)
def test_an_echo_of_large_messages_faults_no_memory_in(pki: PKI) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(pki.server.both), str(pki.root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    pages = SIZE // 4096
    assert int(done.stdout) < MESSAGES * pages // 4  # it was one to three times as many
