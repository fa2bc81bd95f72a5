"""Early data (0-RTT, RFC 8446, 2.3), as a server sees it; a client gives it to `wrap_socket` or
`wrap_bio`.
"""

from __future__ import annotations

from ..enums import EarlyDataStatus
from .negotiated import Negotiated


class EarlyData(Negotiated):
    """A connection that takes early data."""

    @property
    def early_data_status(self) -> EarlyDataStatus | None:
        """What became of early data (0-RTT); None before there is a connection. See `wrap_socket`
        and `read_early_data`.
        """
        return EarlyDataStatus(self._sslobj.facts().early) if self._sslobj is not None else None

    def read_early_data(self, size: int = 16384) -> bytes:
        """Return up to `size` bytes of what the client sent early (0-RTT, RFC 8446, 2.3); b"" when
        there is no more.

        It is a server's, whose context has `max_early_data`. Call it instead of `do_handshake`,
        until it returns b"", then `do_handshake`; what is written meanwhile goes out at once. Or
        call it after the handshake, for the same bytes.
        `recv` does not give them.

        **Whoever saw these bytes on their way may have sent them again**, to this server or,
        without a shared `store`, to another one: do with them only what may be done twice, or wait
        until `do_handshake` has returned, which it does not for who has only recorded them.
        Corresponds to SSL_read_early_data(3).

        Raises:
            SSLWantReadError, SSLWantWriteError: this is no blocking socket; call again when bytes
                have come, or gone.
            TimeoutError: the socket's timeout has passed.
            SSLError: the handshake failed.
        """
        return self._channel().read_early_data(size, self._patience())

    def _patience(self) -> float | None:
        """How many seconds an operation may wait: none."""
        return 0.0
