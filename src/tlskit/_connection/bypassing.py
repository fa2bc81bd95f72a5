"""Socket operations that would bypass TLS: an SSLSocket refuses them while it is connected. And
what its own operations need of a socket's.
"""

from __future__ import annotations

from socket import MSG_PEEK

from .._lazy import LateName, late_names
from .._stdlib.classes import Socket as socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, overload

    from typing_extensions import Buffer

    from .channel import Channel
else:
    Any, Buffer = late_names("tlskit._annotations", "Any Buffer")
    Channel = LateName("tlskit._connection.channel", "Channel")
    NoReturn = LateName("typing", "NoReturn")


class BypassingTLS(socket):
    """The methods of a socket that bypass TLS."""

    _sslobj: Channel | None
    _leftover: bytes

    if TYPE_CHECKING:

        def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int: ...

    if TYPE_CHECKING:

        @overload
        def sendto(self, data: Buffer, flags_or_addr: Any, addr: None = None) -> int: ...

        @overload
        def sendto(self, data: Buffer, flags_or_addr: int, addr: Any) -> int: ...

    def sendto(self, data: Buffer, flags_or_addr: Any, addr: Any = None) -> int:
        if self._sslobj is not None:
            raise ValueError(f"sendto not allowed on instances of {type(self)}")
        return (
            socket.sendto(self, data, flags_or_addr)
            if addr is None
            else socket.sendto(self, data, flags_or_addr, addr)
        )

    def recvfrom(self, buflen: int = 1024, flags: int = 0) -> tuple[bytes, Any]:
        if self._sslobj is not None:
            raise ValueError(f"recvfrom not allowed on instances of {type(self)}")
        if self._leftover:
            return self._take_leftover(buflen, flags), None
        return socket.recvfrom(self, buflen, flags)

    def recvfrom_into(
        self, buffer: Buffer, nbytes: int | None = None, flags: int = 0
    ) -> tuple[int, Any]:
        if self._sslobj is not None:
            raise ValueError(f"recvfrom_into not allowed on instances of {type(self)}")
        if self._leftover:
            return self.recv_into(buffer, nbytes or None, flags), None
        return socket.recvfrom_into(self, buffer, nbytes or 0, flags)

    def sendmsg(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"sendmsg not allowed on instances of {type(self)}")

    def recvmsg(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"recvmsg not allowed on instances of {type(self)}")

    def recvmsg_into(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"recvmsg_into not allowed on instances of {type(self)}")

    def dup(self) -> NoReturn:
        raise NotImplementedError(f"Can't dup() {type(self).__name__} instances")

    def _take_leftover(self, n: int, flags: int) -> bytes:
        data = self._leftover[:n]
        if not flags & MSG_PEEK:
            self._leftover = self._leftover[n:]
        return data

    def _send_by_pieces(self, data: Buffer, flags: int) -> None:
        """Do as the stdlib's `sendall`: all bytes go through `send`, which a derived class may
        have replaced. Where there are none, it does not even make a handshake.
        """
        if flags:
            raise self._no_flags("sendall")
        with memoryview(data) as whole, whole.cast("B") as view:
            done = 0
            while done < view.nbytes:
                done += self.send(view[done:])

    def _no_flags(self, call: str) -> ValueError:
        return ValueError(f"non-zero flags not allowed in calls to {call}() on {type(self)}")
