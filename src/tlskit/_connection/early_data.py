"""Early data (0-RTT, RFC 8446, 2.3) on a server; a client passes it to `wrap_socket` or
`wrap_bio`.
"""

from __future__ import annotations

from ..enums import EarlyDataStatus
from .negotiated import Negotiated


class EarlyData(Negotiated):
    """A connection that can receive early data."""

    @property
    def early_data_status(self) -> EarlyDataStatus | None:
        """The fate of early data (0-RTT); None before there is a connection. See `wrap_socket`
        and `read_early_data`.
        """
        return EarlyDataStatus(self._sslobj.facts().early) if self._sslobj is not None else None

    def read_early_data(self, size: int = 16384) -> bytes:
        """Return up to `size` bytes of the client's early data (0-RTT, RFC 8446, 2.3), or b"" when
        there is no more.

        Servers only; the context must set `max_early_data`. Call it instead of `do_handshake` until
        it returns b"", and then `do_handshake`; writes in between go out at once. Or call it after
        the handshake, for the same bytes. `recv` does not return them.

        **An eavesdropper may have replayed these bytes**, to this server or, without a shared
        `store`, to another one. Only do with them what is safe to repeat, or wait until
        `do_handshake` has returned: for a replay it never does. Corresponds to
        SSL_read_early_data(3).

        Raises:
            SSLWantReadError, SSLWantWriteError: the socket is non-blocking; call again when it is
                readable, or writable.
            TimeoutError: the socket's timeout has passed.
            SSLError: the handshake failed.
        """
        return self._channel().read_early_data(size, self._patience())

    def _patience(self) -> float | None:
        """How many seconds an operation may wait: none."""
        return 0.0
