"""The binding: OpenSSL's libssl and the C helpers, compiled by cffi. No behaviour, and no promise to anyone but tlskit.

`ffi` and `lib` are cffi's; `CONST` has the OpenSSL constants that were there when this was compiled, as attributes.
"""

from __future__ import annotations

from sys import byteorder
from types import SimpleNamespace

from ._native import ffi, lib

__all__ = ["CONST", "ffi", "lib"]


def _constants() -> SimpleNamespace:
    listed = ffi.new("tk_records *")
    lib.tk_constants(listed)
    found, name, at = {}, "", 0
    data = bytes(ffi.buffer(listed.data, listed.size))
    lib.tk_records_free(listed)
    while at < len(data):
        tag, size = memoryview(data)[at : at + 8].cast("I")
        body = data[at + 8 : at + 8 + size]
        at += 8 + size
        if tag == 0:
            name = body.decode()
        else:
            found[name] = int.from_bytes(body, byteorder, signed=True)
    return SimpleNamespace(**found)


if lib.tk_init() != 1:
    raise ImportError("tlskit: libssl could not be initialised; is its configuration file broken? (see OPENSSL_CONF)")

CONST = _constants()
