"""aiofastnet's functions, and the installation into them."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from typing import Any

import pytest

import tlskit
from tlskit import aio

from ...support.pki import PKI
from ..conftest import Runner
from ..helpers import Accepted, Echo, Recorder, assert_ours
from .test_handshake import peers_contexts

aiofastnet: Any = pytest.importorskip("aiofastnet")
Contexts = tuple[Any, Any]
SIZES = {"ssl_incoming_bio_size": 65536, "ssl_outgoing_bio_size": 65536}


async def exchange(loop: Any, far: Any, near: Any, **more: Any) -> tuple[Any, Any]:
    """Send a word to a server and back, through aiofastnet's functions; both ends' transports."""
    accepted = Accepted(Echo)
    server = await aiofastnet.create_server(loop, accepted, "127.0.0.1", 0, ssl=far, **more)
    if near is not None:
        more["server_hostname"] = "localhost"
    try:
        transport, protocol = await aiofastnet.create_connection(
            loop, Recorder, *server.sockets[0].getsockname(), ssl=near, **more
        )
        transport.write(b"a word")
        assert await protocol.take(6) == b"a word"
        other = (await accepted.first()).transport
        transport.close()
        await protocol.lost
        await accepted[0].lost
    finally:
        server.close()
    await server.wait_closed()
    return transport, other


def test_its_functions_create_tlskit_s_transports(run: Runner, contexts: Contexts) -> None:
    with aio.install():
        for transport in run(exchange(run.loop, contexts[1], contexts[0], **SIZES)):
            assert isinstance(transport, aio.SSLTransport)
            assert_ours(transport)


@pytest.mark.parametrize("secure", [True, False])
def test_other_contexts_are_its_own(
    run: Runner, pki: PKI, contexts: Contexts, secure: bool
) -> None:
    near, far = peers_contexts(pki, contexts) if secure else (None, None)
    with aio.install():
        for transport in run(exchange(run.loop, far, near)):
            assert not isinstance(transport, aio.SSLTransport)


def test_without_an_installation(run: Runner, contexts: Contexts) -> None:
    functions = dict(vars(aiofastnet))
    with aio.install():
        assert vars(aiofastnet) != functions
    assert vars(aiofastnet) == functions
    for transport in run(exchange(run.loop, contexts[1], contexts[0], **SIZES)):
        assert not isinstance(transport, aio.SSLTransport)
        assert_ours(transport)


def test_what_others_have_replaced_since_stays(
    run: Runner, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = aiofastnet.create_server

    def another(*args: Any, **kwargs: Any) -> Any:
        return before(*args, **kwargs)

    with aio.install():
        monkeypatch.setattr(aiofastnet, "create_server", another)
    assert aiofastnet.create_server is another


def test_a_patched_loop(run: Runner, contexts: Contexts) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        aiofastnet.patch_loop(loop)
        server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=contexts[1])
        address = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(
            *address, ssl=contexts[0], server_hostname="localhost"
        )
        assert isinstance(writer.transport, aio.SSLTransport)
        writer.write(b"a word")
        assert await reader.readexactly(6) == b"a word"
        sent = await loop.sendfile(writer.transport, io.BytesIO(b"a file"))
        assert sent == 6
        assert await reader.readexactly(6) == b"a file"
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    with aio.install():
        run(main())


def test_a_server_that_is_not_trusted(run: Runner, contexts: Contexts) -> None:
    strict = tlskit.create_default_context()
    with aio.install(), pytest.raises(tlskit.SSLCertVerificationError):
        run(exchange(run.loop, contexts[1], strict))
    assert all("handshake" in str(one) for one in run.complaints)
    run.complaints.clear()


PROGRAM = """
import tlskit.aio

tlskit.aio.install()
import aiofastnet

print(aiofastnet.create_server.__wrapped__.__module__)
tlskit.aio.uninstall()
print(aiofastnet.create_server.__module__)
"""


def test_imported_after_the_installation() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["aiofastnet.api_create_server"] * 2
