"""TLS for asyncio: tlskit's own transport, faster and smaller than the one through memory.

`await tlskit.aio.open_connection(...)` and the related functions take asyncio's arguments.
`install()` makes the event loops' own methods use it, for every library. See docs/asyncio.md.
"""

from .._lazy import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._connect import create_connection, create_unix_connection
    from ._install import Installation, install, uninstall
    from ._sendfile import sendfile
    from ._server import Server, create_server, create_unix_server
    from ._streams import open_connection, start_server
    from ._transport import SSLTransport
    from ._upgrade import start_tls

__all__ = [
    "Installation",
    "SSLTransport",
    "Server",
    "create_connection",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "install",
    "open_connection",
    "sendfile",
    "start_server",
    "start_tls",
    "uninstall",
]

if not TYPE_CHECKING:  # a client needs no server, and most programs install nothing
    __getattr__, __dir__ = names(
        __name__,
        __all__,
        {
            "._connect": ["create_connection", "create_unix_connection"],
            "._install": ["Installation", "install", "uninstall"],
            "._sendfile": ["sendfile"],
            "._server": ["Server", "create_server", "create_unix_server"],
            "._streams": ["open_connection", "start_server"],
            "._transport": ["SSLTransport"],
            "._upgrade": ["start_tls"],
        },
    )
