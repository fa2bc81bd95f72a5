"""The stdlib's own classes, even if other libraries replaced them before tlskit was imported.

truststore and gevent replace `ssl.SSLContext` by a subclass; gevent and eventlet replace
`socket.socket` and `ssl.SSLSocket`. tlskit builds on the original classes, which the C module
`_ssl` and `isinstance` know.
"""

from __future__ import annotations

from .module import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket as Socket
    from ssl import MemoryBIO, SSLContext, SSLObject, SSLSession, SSLSocket
    from typing import Any
else:

    def _own(kind, name):
        """Return the class of this name that the module `ssl` itself has defined, among the bases
        of `kind`.
        """
        for base in kind.__mro__:
            if (base.__module__, base.__name__) == ("ssl", name):
                return base
        raise ImportError(
            f"ssl.{name} has been replaced by {kind!r}, and tlskit does not find the original"
        )

    SSLContext = _own(ssl.SSLContext, "SSLContext")
    SSLSocket = _own(SSLContext.sslsocket_class, "SSLSocket")
    SSLObject = _own(SSLContext.sslobject_class, "SSLObject")
    MemoryBIO, SSLSession = ssl._ssl.MemoryBIO, ssl._ssl.SSLSession
    Socket = SSLSocket.__bases__[0]

__all__ = ["MemoryBIO", "SSLContext", "SSLObject", "SSLSession", "SSLSocket", "Socket", "originals"]


def originals() -> dict[str, Any]:
    """Return the stdlib's own objects under their names in `ssl`."""
    return {
        "MemoryBIO": MemoryBIO,
        "SSLContext": SSLContext,
        "SSLObject": SSLObject,
        "SSLSession": SSLSession,
        "SSLSocket": SSLSocket,
    }
