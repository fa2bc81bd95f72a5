"""`tlskit info`: show what this tlskit consists of and what it finds on the machine, for bug
reports.

Nothing here is secret: of the environment, only the variables that OpenSSL and tlskit read are
shown, and for those that name a secret, only whether they are set.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from .. import SSLError, _trust, create_default_context
from .._core import library
from . import places, report
from .blocks import Block, Facts, Paragraph, Table

_VARIABLES = (
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "OPENSSL_ia32cap",
    "OPENSSL_armcap",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
)
_PREFIXES = {"built": "built on: ", "platform": "platform: ", "compiler": "compiler: "}
_SECRET = (places.ENVIRONMENT, places.PASSWORD)
_STORES = {  # what each needs besides tlskit: a distribution, and its module
    "MemoryStore": None,
    "SQLiteStore": None,
    "RedisStore": "redis",
    "MemcachedStore": "pymemcache",
}
_EXTRAS = {
    "cli": ("rich", "trustme"),
    "prometheus": ("prometheus-client",),
    "redis": ("redis",),
    "memcached": ("pymemcache",),
}


@dataclass(frozen=True)
class Feature:
    """A feature that not every OpenSSL has.

    Attributes:
        name: as in the build's table.
        there: whether it was available when tlskit was compiled.
        since: the versions that have it.
    """

    name: str
    there: bool
    since: str


@dataclass(frozen=True)
class Place:
    """A place that is searched for authorities.

    Attributes:
        whose: the variable, or the kind of place.
        path: one path, or several of a variable.
        found: what is there, in a few words.
        used: whether a default context trusts it.
    """

    whose: str
    path: str
    found: str
    used: bool


@dataclass(frozen=True)
class Info:
    """The output of `tlskit info`.

    Attributes:
        authorities: how many a default context trusts.
        context_error: why no context can be made; "" if one can.
    """

    python: dict[str, str]
    openssl: dict[str, str]
    providers: list[tuple[str, str, str]]
    missing_providers: list[tuple[str, str]]
    features: list[Feature]
    trust: list[Place]
    authorities: int
    context_error: str
    environment: dict[str, str]
    stores: dict[str, str]
    extras: dict[str, str]


def gather() -> Info:
    """Collect everything. It reads the authorities, and writes nothing."""
    authorities, context_error = _authorities()
    return Info(
        python=_python(),
        openssl=_openssl(),
        providers=library.providers(),
        missing_providers=library.missing_providers(),
        features=[Feature(*row) for row in library.features()],
        trust=_places(),
        authorities=authorities,
        context_error=context_error,
        environment=_environment(),
        stores={name: _usable(needs) for name, needs in _STORES.items()},
        extras={name: _missing(needs) for name, needs in _EXTRAS.items()},
    )


def _python() -> dict[str, str]:
    gil = getattr(sys, "_is_gil_enabled", None)
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "gil": "on" if gil is None or gil() else "off",
        "executable": sys.executable or "",
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cffi": _version("cffi") or "?",
        "tlskit": os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    }


def _openssl() -> dict[str, str]:
    """Return what OpenSSL reports, and whether it is part of tlskit or a library of the machine."""
    said = library.about()
    linked = "static, inside tlskit" if library.is_inside() else "shared, the machine's"
    read = said.pop("configuration", "")
    there = "read" if read and os.path.isfile(read) else "not there"
    return {
        "version": said.pop("version"),
        "linked": linked,
        **{name: value.removeprefix(_PREFIXES.get(name, "")) for name, value in said.items()},
        "configuration": f"{read} ({there})",
    }


def _authorities() -> tuple[int, str]:
    """Return how many authorities a default context trusts, or why there can be no context."""
    try:
        return create_default_context().cert_store_stats()["x509_ca"], ""
    except SSLError as error:
        return 0, str(error.args[-1])


def _places() -> list[Place]:
    file, directory = _trust.default_locations()
    used = {file, directory} - {None}
    found = [
        Place(whose, path, _found(path), path in used and bool(path))
        for whose, path in _trust.places()
    ]
    if sys.platform == "win32":
        found += [Place("Windows", f"store {n}", "asked", True) for n in ("CA", "ROOT")]
    return found


def _found(paths: str) -> str:
    """Describe what is at a path, or at several of a variable."""
    parts = []
    for path in paths.split(os.pathsep):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                count = file.read().count(b"-----BEGIN ")
            parts.append(_counted(count, "certificate", "certificates"))
        elif os.path.isdir(path):
            parts.append(_counted(len(os.listdir(path)), "file", "files"))
        else:
            parts.append("not there")
    return ", ".join(parts)


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _environment() -> dict[str, str]:
    shown = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return shown | {name: "(set)" for name in _SECRET if name in os.environ}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _usable(needs: str | None) -> str:
    if needs is None:
        return "yes"
    version = _version(needs)
    return f"yes, with {needs} {version}" if version else f"needs {needs}, not installed"


def _missing(needs: tuple[str, ...]) -> str:
    lacking = [name for name in needs if _version(name) is None]
    return f"lacks {', '.join(lacking)}" if lacking else "installed"


# -- output ----------------------------------------------------------------------------------------


def layout(info: Info) -> Iterator[Block]:
    """Return the layout of `tlskit info`."""
    yield Paragraph(report.versions())
    yield Facts(list(info.python.items()))
    yield Facts([(f"OpenSSL {name}", value) for name, value in info.openssl.items()])
    yield _table("Providers", ("name", "version", "build"), info.providers)
    if info.missing_providers:
        title = "Providers that the configuration activates, and that are not loaded"
        yield _table(title, ("name", "why"), info.missing_providers)
    had = [(f.name, "yes" if f.there else "no", f.since) for f in info.features]
    yield _table("What not every OpenSSL has", ("feature", "there", "what has it"), had)
    rows = [(p.whose, p.path, p.found, "yes" if p.used else "") for p in info.trust]
    note = (
        f"No context can be made: {info.context_error}"
        if info.context_error
        else f"A default context trusts {_counted(info.authorities, 'authority', 'authorities')}."
    )
    yield _table("Trust", ("place", "path", "found", "used"), rows, note)
    yield _table("Stores", ("store", "usable"), list(info.stores.items()))
    yield _table("Extras", ("extra", "installed"), list(info.extras.items()))
    if info.environment:
        yield Facts(list(info.environment.items()))


def _table(title: str, columns: tuple[str, ...], rows: list[Any], note: str = "") -> Table:
    return Table(title, columns, rows, right=frozenset(), loose=columns[-1], note=note)


def as_json(info: Info) -> dict[str, Any]:
    """Return the output of `tlskit info --json`."""
    return {
        **report.json_versions(),
        **asdict(info),
        "python": info.python,
        "openssl": info.openssl,
        "providers": [
            dict(zip(("name", "version", "build"), p, strict=True)) for p in info.providers
        ],
        "missing_providers": [
            dict(zip(("name", "why"), p, strict=True)) for p in info.missing_providers
        ],
        "error": None,
    }
