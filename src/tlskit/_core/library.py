"""The library itself: which OpenSSL this is."""

from __future__ import annotations

from .native import ffi, lib


def version_number() -> int:
    """OPENSSL_VERSION_NUMBER of the libssl that runs. Corresponds to OpenSSL_version_num(3)."""
    n: int = lib.tk_version_number()
    return n


def version_text() -> str:
    """Its name and version, as OpenSSL_version(3) gives them."""
    text: str = ffi.string(lib.tk_version_text()).decode()
    return text
