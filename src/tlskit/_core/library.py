"""The library itself: which OpenSSL this is, and what it has."""

from __future__ import annotations

import importlib
import os

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


def about() -> dict[str, str]:
    """What OpenSSL says of itself: its version, the file that it runs from, how it was built, and
    which configuration it reads. Corresponds to OpenSSL_version(3).
    """
    texts = [value.decode(errors="replace") for _, value in listed(lib.tk_about_library)]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def is_inside() -> bool:
    """Whether this OpenSSL is part of tlskit's own extension, as in wheels."""
    own, file = importlib.import_module("_tlsbind._native").__file__, about().get("file")
    return bool(own and file) and os.path.realpath(str(own)) == os.path.realpath(str(file))


def providers() -> list[tuple[str, str, str]]:
    """Name, version and build of each provider that is loaded. Corresponds to
    OSSL_PROVIDER_do_all(3).
    """
    texts = [value.decode(errors="replace") for _, value in listed(lib.tk_about_providers)]
    return list(zip(texts[::3], texts[1::3], texts[2::3], strict=True))


def features() -> list[tuple[str, bool, str]]:
    """Each name that not every OpenSSL has: whether it was there when tlskit was compiled, and what
    has it.
    """
    return [(name, found.there, found.since) for name, found in FEATURES.items()]
