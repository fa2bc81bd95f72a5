"""The part of a Connection that lets other protocols bind to it."""

from __future__ import annotations

from .fault import from_queue
from .native import ffi, lib, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Exporter:
    """Queries about the handshake's secrets and messages. None of them waits."""

    __slots__ = ()

    _conn: Any

    def export_keying_material(self, label: bytes, size: int, context: bytes | None) -> bytes:
        """Return `size` bytes for this label. Corresponds to SSL_export_keying_material(3)."""
        into, fault = ffi.new("char[]", size), ffi.new("tk_fault *")
        given, length = (ffi.NULL, 0) if context is None else (context, len(context))
        status = lib.tk_conn_export(self._conn, label, len(label), given, length, into, size, fault)
        if status == lib.TK_WANT_READ:
            raise ValueError("a renegotiation is under way: its keys are not complete yet")
        if status < 0:
            raise from_queue(fault)
        material = bytes(ffi.buffer(into, size))
        ffi.buffer(into, size)[:] = bytes(size)
        return material

    def finished(self, *, peer: bool) -> bytes:
        """Return the Finished message of a side. Corresponds to SSL_get_finished(3)."""
        into = ffi.new("char[]", 64)
        return bytes(ffi.buffer(into, lib.tk_conn_finished(self._conn, peer, into, 64)))

    def random(self, *, server: bool) -> bytes:
        """Return the random bytes of a side's hello; b"" before it.

        Corresponds to SSL_get_client_random(3) and SSL_get_server_random(3).
        """
        into = ffi.new("char[]", 32)
        return bytes(ffi.buffer(into, lib.tk_conn_random(self._conn, server, into)))

    def own_certificate(self) -> bytes | None:
        """Return this side's own certificate in DER, on a server the one chosen in the handshake.

        Corresponds to SSL_get_certificate(3).
        """
        return next((der for _, der in listed(lambda out: lib.tk_conn_own(self._conn, out))), None)
