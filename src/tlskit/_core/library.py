"""Queries about OpenSSL itself: its version and features."""

from __future__ import annotations

import importlib
import os
import sys

from .._stdlib.module import has_gil
from .native import FEATURES, ffi, lib, listed

_SUFFIXES = {"darwin": ".dylib", "win32": ".dll"}


def version_number() -> int:
    """Return the running libssl's OPENSSL_VERSION_NUMBER. Corresponds to OpenSSL_version_num(3)."""
    n: int = lib.tk_version_number()
    return n


def version_text() -> str:
    """Return its name and version, from OpenSSL_version(3)."""
    text: str = ffi.string(lib.tk_version_text()).decode()
    return text


def require(feature: str, what: str) -> None:
    """Raise NotImplementedError if this OpenSSL lacks a feature (by its name in
    `_tlsbind.FEATURES`).

    Args:
        feature: a key of FEATURES.
        what: what was called, as the beginning of the message.
    """
    found = FEATURES[feature]
    if not found.there:
        raise NotImplementedError(
            f"{what} requires {found.since}, and tlskit was built with an older one: it runs on "
            f"{version_text()}."
        )


def signature_algorithms() -> list[str]:
    """Return all signature algorithms of libssl. Corresponds to SSL_get1_builtin_sigalgs(3)."""
    require("SIGALG_LIST", "get_sigalgs()")
    return [name.decode() for _, name in listed(lib.tk_signature_algorithms)]


def about() -> dict[str, str]:
    """Return OpenSSL's data on itself: its version, its file, how it was built, and its
    configuration file. Corresponds to OpenSSL_version(3).
    """
    texts = [value.decode(errors="replace") for _, value in listed(lib.tk_openssl_library)]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def is_inside() -> bool:
    """Return whether this OpenSSL is part of tlskit's own extension, as in wheels."""
    own, file = importlib.import_module("_tlsbind._native").__file__, about().get("file")
    return bool(own and file) and os.path.realpath(str(own)) == os.path.realpath(str(file))


def providers() -> list[tuple[str, str, str]]:
    """Return the name, version and build of each loaded provider. Corresponds to
    OSSL_PROVIDER_do_all(3).
    """
    texts = [value.decode(errors="replace") for _, value in listed(lib.tk_openssl_providers)]
    return list(zip(texts[::3], texts[1::3], texts[2::3], strict=True))


def missing_providers() -> list[tuple[str, str]]:
    """Return each provider that OpenSSL's configuration file activates and that is not loaded: its
    name, and what is wrong.
    """
    texts = [value.decode(errors="replace") for _, value in listed(lib.tk_openssl_wanted)]
    rows = zip(texts[::3], texts[1::3], texts[2::3], strict=True)
    return [(name, _why_not_loaded(name, module)) for name, module, loaded in rows if not loaded]


def _why_not_loaded(name: str, module: str) -> str:
    """Look where OpenSSL looks for a provider that is a file."""
    folder = os.environ.get("OPENSSL_MODULES") or about().get("modules", "")
    path = os.path.join(folder, module or name + _SUFFIXES.get(sys.platform, ".so"))
    if not os.path.exists(path):
        return f"{path} is not there"
    if name != "fips":
        return f"{path} is there, but OpenSSL could not load it"
    return (
        f"{path} is there, but OpenSSL could not load it: the configuration may lack what `openssl "
        f"fipsinstall` writes, or another OpenSSL in this process has loaded this file, which can "
        f"serve only one"
    )


def explain_no_algorithms() -> str:
    """Return why an OpenSSL of this process has too few algorithms to make any context."""
    missing = [
        f"the provider {name}, which is not loaded: {why}" for name, why in missing_providers()
    ]
    read = about().get("configuration", "")
    if missing:
        said = f"OpenSSL's configuration, {read}, activates {', and '.join(missing)}."
    elif is_inside():
        said = (
            "Every context needs the stdlib's OpenSSL too, and one of the two has no usable "
            "algorithm. If that is because a configuration asks for a FIPS provider: the file of "
            "such a provider serves one OpenSSL in a process, so give each of them its own copy."
        )
    else:
        said = f"OpenSSL's configuration, {read}, allows only algorithms that no provider has."
    return f"{said} `tlskit info` shows which providers are loaded."


def features() -> list[tuple[str, bool, str]]:
    """Return each feature that not every OpenSSL has: its name, whether it was available when
    tlskit was compiled, and the versions that have it.
    """
    return [(name, found.there, found.since) for name, found in FEATURES.items()]


if not has_gil():  # this module is imported with tlskit, before there can be a connection
    importlib.import_module("tlskit._core.realizing")
