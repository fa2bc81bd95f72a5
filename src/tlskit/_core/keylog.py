"""The owner of a tk_keylog, a file of secrets for debugging."""

from __future__ import annotations

from .fault import from_queue
from .native import ffi, lib, owned


class KeyLog:
    """A file to which the secrets of connections are appended in whole lines, from any thread."""

    __slots__ = ("_keylog",)

    def __init__(self, path: bytes) -> None:
        fault = ffi.new("tk_fault *")
        pointer = lib.tk_keylog_new(path, fault)
        if pointer == ffi.NULL:
            raise from_queue(fault)
        self._keylog = owned(pointer, lib.tk_keylog_free)
