"""The owner of the keys that seal data that leaves the process."""

from __future__ import annotations

from .fault import from_queue
from .native import ffi, lib, owned


class SealKey:
    """The keys with which one secret seals and opens data. Immutable; any thread may use it.
    csrc/tk_seal.c explains the method.

    Attributes:
        id: 8 bytes that identify the secret without revealing anything about it.
    """

    __slots__ = ("_seal", "id")

    def __init__(self, secret: bytes | bytearray) -> None:
        fault = ffi.new("tk_fault *")
        seal = lib.tk_seal_new(ffi.from_buffer(secret), len(secret), fault)
        if seal == ffi.NULL:
            raise from_queue(fault)
        self._seal = owned(seal, lib.tk_seal_free)
        into = ffi.new("char[]", lib.TK_SEAL_ID)
        lib.tk_seal_id(self._seal, into)
        self.id = bytes(ffi.buffer(into, lib.TK_SEAL_ID))

    def close(self, about: bytes, plain: bytes) -> bytes:
        """Encrypt `plain`, and bind it to `about`. The same arguments give the same bytes."""
        size = len(plain) + lib.TK_SEAL_OVERHEAD
        sealed, fault = ffi.new("char[]", size), ffi.new("tk_fault *")
        if lib.tk_seal_close(self._seal, about, len(about), plain, len(plain), sealed, fault) < 0:
            raise from_queue(fault)
        return bytes(ffi.buffer(sealed, size))

    def open(self, about: bytes, sealed: bytes) -> bytes | None:
        """Return what was sealed for `about` with this very secret; None for anything else."""
        size = len(sealed) - lib.TK_SEAL_OVERHEAD
        if size < 0:
            return None
        plain = ffi.new("char[]", size or 1)
        if not lib.tk_seal_open(self._seal, about, len(about), sealed, len(sealed), plain):
            return None
        try:
            return bytes(ffi.buffer(plain, size))
        finally:
            lib.tk_wipe(plain, size)
