"""The owners of a hashed directory's content at the time it was read, and of a bundle's."""

from __future__ import annotations

import os

from .fault import from_queue
from .native import ffi, lib, owned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Directory:
    """A hashed directory of certificates and CRLs (openssl-rehash(1)). Safe from any thread.

    Its content does not change: a directory that has changed is another Directory.

    Attributes:
        path: where it was read; a relative path may mean another directory by now.
        digest: 32 bytes that stand for its content.
    """

    __slots__ = ("_content", "_seen", "digest", "path")

    def __init__(self, path: str) -> None:
        self.path: str = path
        self._content = self._seen = _read(path)
        self.digest: bytes = _digest(self._seen)

    def has_changed(self) -> bool:
        """Return whether the directory at that path has other content now.

        Usually it costs one stat; files that were written in place are noticed within a second.
        """
        if not lib.tk_directory_doubtful(self._seen):
            return False
        seen = _read(self.path)
        if _digest(seen) != self.digest:
            return True
        self._seen = seen  # the same content, at a later time
        return False


class Bundle:
    """The many certificates of a file, parsed when they are needed. Safe from any thread.

    Attributes:
        digest: the digest of an X509_STORE with these certificates.
    """

    __slots__ = ("_content", "digest")

    def __init__(self, content: Any) -> None:
        self._content = owned(content, lib.tk_directory_free)
        self.digest: bytes = _digest(content)

    @classmethod
    def of(cls, pem: bytes | bytearray) -> Bundle | None:
        """Return the bundle, or None if this has few certificates, or anything else in it."""
        content = lib.tk_bundle_read(ffi.from_buffer(pem), len(pem))
        return None if content == ffi.NULL else cls(content)


def _read(path: str) -> Any:
    fault = ffi.new("tk_fault *")
    read = lib.tk_directory_read(os.fsencode(path), fault)
    if read == ffi.NULL:
        raise from_queue(fault)
    return owned(read, lib.tk_directory_free)


def _digest(read: Any) -> bytes:
    into = ffi.new("uint8_t[32]")
    lib.tk_directory_digest(read, into)
    return bytes(ffi.buffer(into))
