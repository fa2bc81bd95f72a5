"""The library itself: which OpenSSL this is, and what it has."""

from __future__ import annotations

from .native import FEATURES, ffi, lib, listed


def version_number() -> int:
    """OPENSSL_VERSION_NUMBER of the libssl that runs. Corresponds to OpenSSL_version_num(3)."""
    n: int = lib.tk_version_number()
    return n


def version_text() -> str:
    """Its name and version, as OpenSSL_version(3) gives them."""
    text: str = ffi.string(lib.tk_version_text()).decode()
    return text


def require(feature: str, what: str) -> None:
    """Raise NotImplementedError, in one sentence, when this OpenSSL lacks a feature (by its name in
    `_tlsbind.FEATURES`).

    Args:
        feature: a key of FEATURES.
        what: what was called, as the beginning of the sentence.
    """
    found = FEATURES[feature]
    if not found.there:
        raise NotImplementedError(
            f"{what} requires {found.since}, and tlskit was built with an older one: it runs on "
            f"{version_text()}."
        )


def signature_algorithms() -> list[str]:
    """The names of all that libssl knows. Corresponds to SSL_get1_builtin_sigalgs(3)."""
    require("SIGALG_LIST", "get_sigalgs()")
    return [name.decode() for _, name in listed(lib.tk_signature_algorithms)]
