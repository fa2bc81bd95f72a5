"""open_connection and start_server: asyncio's streams over the transport."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .._lazy import LateModule, LateName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from . import _connect as connecting
    from . import _server as serving
else:
    connecting = LateModule("._connect", __package__)
    serving = LateModule("._server", __package__)
    Any = LateName("typing", "Any")

_LIMIT = 2**16  # bytes, asyncio's default
_Callback = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]


async def open_connection(
    host: str | None = None, port: int | str | None = None, *, limit: int = _LIMIT, **kwds: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect and return a reader and a writer. The arguments are those of
    `asyncio.open_connection`; see `create_connection`.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await connecting.create_connection(lambda: protocol, host, port, **kwds)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def start_server(
    client_connected_cb: _Callback,
    host: Any = None,
    port: int | None = None,
    *,
    limit: int = _LIMIT,
    **kwds: Any,
) -> asyncio.Server:
    """Listen, and call `client_connected_cb(reader, writer)` for each connection after its
    handshake. The arguments are those of `asyncio.start_server`; see `create_server`.
    """
    loop = asyncio.get_running_loop()

    def factory() -> asyncio.StreamReaderProtocol:
        reader = asyncio.StreamReader(limit=limit, loop=loop)
        return asyncio.StreamReaderProtocol(reader, client_connected_cb, loop=loop)

    return await serving.create_server(factory, host, port, **kwds)
