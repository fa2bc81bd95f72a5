"""Sessions by hand through asyncio, which knows nothing of them: a context's `wrap_bio` or a class
of SSLObject offers them.
"""

from __future__ import annotations

from typing import Any

import pytest

import tlskit

from ..support.pairs import only, server_context
from ..support.pki import PKI
from .conftest import Runner
from .helpers import Echo, assert_ours, connect, listening

WAYS = ["wrap_bio", "sslobject_class"]


class Resuming(tlskit.SSLContext):
    """Offers one session in every connection."""

    offered: Any = None

    def wrap_bio(self, incoming: Any, outgoing: Any, *args: Any, **kwargs: Any) -> Any:
        return super().wrap_bio(incoming, outgoing, *args, **{**kwargs, "session": self.offered})


class Offering(tlskit.SSLObject):
    """Sets a session before its first handshake."""

    offered: Any = None

    def do_handshake(self) -> None:
        if self.offered is not None and self.session is None:
            self.session, type(self).offered = self.offered, None
        super().do_handshake()


def client_of(way: str, pki: PKI, version: tlskit.TLSVersion) -> Any:
    context: Any = (Resuming if way == "wrap_bio" else tlskit.SSLContext)(
        tlskit.PROTOCOL_TLS_CLIENT
    )
    context.load_verify_locations(pki.root)
    only(version, context)
    if way == "sslobject_class":
        context.sslobject_class = type("Offering", (Offering,), {})
    return context


def offer(context: Any, session: Any) -> None:
    if isinstance(context, Resuming):
        context.offered = session
    else:
        context.sslobject_class.offered = session


async def visit(address: Any, context: Any, hostname: str = "localhost") -> tuple[bool, Any]:
    """Whether a connection was resumed, and the session that it leaves."""
    near = await connect(address, context, hostname=hostname)
    near.transport.write(b"hello")
    assert await near.take(5) == b"hello"  # with TLS 1.3 the tickets came before it
    made = assert_ours(near.transport)
    left = bool(made.session_reused), made.session
    near.transport.close()
    await near.lost
    return left


@pytest.mark.parametrize("way", WAYS)
def test_a_session_is_resumed(run: Runner, pki: PKI, version: tlskit.TLSVersion, way: str) -> None:
    server, client = server_context(pki), client_of(way, pki, version)
    only(version, server)

    async def main() -> None:
        async with listening(Echo, server) as address:
            reused, session = await visit(address, client)
            assert not reused
            assert session.is_resumable
            offer(client, session)
            reused, _ = await visit(address, client)
            assert reused

    run(main())


@pytest.mark.parametrize("way", WAYS)
def test_a_session_of_another_name_is_not_offered(
    run: Runner, pki: PKI, version: tlskit.TLSVersion, way: str
) -> None:
    server, client = server_context(pki), client_of(way, pki, version)
    only(version, server)

    async def main() -> None:
        async with listening(Echo, server) as address:
            _, session = await visit(address, client)
            offer(client, session)
            reused, _ = await visit(address, client, hostname="other.example")
            assert not reused
            offer(client, session)
            with pytest.raises(tlskit.SSLCertVerificationError):
                await visit(address, client, hostname="wrong.example")

    run(main())


@pytest.mark.parametrize("way", WAYS)
def test_a_session_that_was_not_verified_is_not_offered(
    run: Runner, pki: PKI, version: tlskit.TLSVersion, way: str
) -> None:
    server, client = server_context(pki, identity=pki.stranger), client_of(way, pki, version)
    only(version, server)
    client.check_hostname, client.verify_mode = False, tlskit.CERT_NONE

    async def main() -> None:
        async with listening(Echo, server) as address:
            _, session = await visit(address, client)
            client.verify_mode = tlskit.CERT_REQUIRED
            offer(client, session)
            with pytest.raises(tlskit.SSLCertVerificationError):
                await visit(address, client)

    run(main())
