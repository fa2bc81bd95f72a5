"""The store that a user names on the command line, a file or a server's URL, and the secret that
seals it.

The secret is never an argument, because arguments appear in the list of processes, and stay in the
shell's history. For the same reason Redis's password need not be in the URL.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from importlib import import_module
from urllib.parse import quote, urlsplit

from ..stores.files import secret_file
from ..stores.memcached import MemcachedStore
from ..stores.redis import RedisStore
from ..stores.seal import Seal
from ..stores.sqlite import SQLiteStore
from .failure import MISUSED, Failure, spoken

ENVIRONMENT = "TLSKIT_SESSIONS_SECRET"
PASSWORD = "TLSKIT_STORE_PASSWORD"
PREFIX = "tlskit:"

Store = SQLiteStore | RedisStore | MemcachedStore

_REDIS = ("redis", "rediss", "unix")


class Witness(Seal):
    """A seal that returns an empty value for what it cannot open, so that a list of a store's
    entries is complete.
    """

    __slots__ = ()

    def open(self, key: bytes, sealed: object) -> bytes | None:
        return super().open(key, sealed) or b""


def is_memcached(name: str) -> bool:
    """Return whether this names a memcached server."""
    return name.startswith("memcached://")


def shown(name: str) -> str:
    """Return a store's name for messages: of a URL, without the password."""
    if "://" not in name:
        return name
    try:
        parts = urlsplit(name)
    except ValueError:
        return f"{name.partition('://')[0]}://..."  # not a URL: it is unclear where a password ends
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def given_secret(file: str | None) -> list[bytes] | None:
    """Return the secrets in this file, or otherwise in the environment; None if there are none.

    Raises:
        Failure: the file does not exist, other users can read it, or it contains something else.
    """
    if file is not None:
        if not os.path.exists(file):
            raise Failure(f"There is no file {file} to read the secret from.", status=MISUSED)
        try:
            found = secret_file(file)
        except (OSError, ValueError) as error:
            raise unusable(error, f"the secret file {file}") from error
        return _checked(found, f"The secret file {file}")
    text = os.environ.get(ENVIRONMENT, "").replace(",", " ").split()
    try:
        return (
            _checked([bytes.fromhex(word) for word in text], f"The variable {ENVIRONMENT}")
            if text
            else None
        )
    except ValueError as error:
        raise Failure(
            f"The variable {ENVIRONMENT} must hold secrets in hexadecimal digits.",
            status=MISUSED,
        ) from error


def _checked(found: list[bytes], where: str) -> list[bytes]:
    try:
        Seal(found)
    except ValueError as error:
        raise Failure(
            f"{where} has no secret of use: {spoken(str(error))}.", status=MISUSED
        ) from error
    return found


def to_use(name: str, secret: list[bytes] | None, *, timeout: float) -> Store:
    """Return the store of this name, for connections: a file is created if it does not exist."""
    return _opened(name, secret, PREFIX, timeout)


def to_look_into(
    name: str, secret: list[bytes] | None, *, prefix: str, timeout: float, sealed: bool = False
) -> SQLiteStore | RedisStore:
    """Return the store of this name, unchanged: nothing is created, and entries that cannot be
    opened have an empty value.

    Args:
        name: of a store that can list its entries.
        secret: what it is sealed with; None for the secret beside the file.
        prefix: what the keys in Redis begin with.
        timeout: how many seconds to wait for other users of the store.
        sealed: the contents of the entries do not matter, so no secret is needed.
    """
    if "://" not in name:
        if not os.path.exists(name):
            raise Failure(f"There is no store {name}: no such file.")
        if os.path.isfile(name) and os.path.getsize(name) == 0:
            raise Failure(f"{name} is an empty file, and no store.")
        if secret is None and os.path.exists(name + ".key"):
            secret = given_secret(name + ".key")
    if secret is None and not sealed:
        beside = "" if "://" in name else f", and there is no {name}.key"
        raise Failure(
            f"The sessions in {shown(name)} are encrypted{beside}: give the secret by "
            f"--secret-file, or in {ENVIRONMENT}.",
            status=MISUSED,
        )
    secret = secret or [secrets.token_bytes(32)]
    store = _opened(name, secret, prefix, timeout)
    assert not isinstance(store, MemcachedStore)
    store._seal = Witness(secret)
    return store


def _opened(name: str, secret: list[bytes] | None, prefix: str, timeout: float) -> Store:
    try:
        if "://" not in name:
            return SQLiteStore(name, secret=secret, timeout=timeout)
        if secret is None:
            raise Failure(
                f"What is in {shown(name)} is encrypted: give the secret by --secret-file, or in "
                f"{ENVIRONMENT}.",
                status=MISUSED,
            )
        if name.partition("://")[0] in _REDIS:
            return RedisStore.from_url(
                _with_password(name), secret=secret, prefix=prefix, timeout=timeout
            )
        if is_memcached(name):
            return _memcached(name, secret, prefix, timeout)
    except ImportError as error:
        raise Failure(f"{error}.", status=MISUSED) from error
    except troubles() as error:
        raise unusable(error, shown(name)) from error
    raise Failure(
        f"{shown(name)} names no store: that is a file, redis://, rediss://, unix:// or "
        f"memcached://.",
        status=MISUSED,
    )


def _with_password(url: str) -> str:
    """Return the URL with the password from the environment, if it has none."""
    password, parts = os.environ.get(PASSWORD), urlsplit(url)
    if not password or parts.password:
        return url
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def _memcached(name: str, secret: list[bytes], prefix: str, timeout: float) -> MemcachedStore:
    try:
        import pymemcache
    except ImportError:
        raise ImportError(
            "a store in memcached needs pymemcache: pip install 'tlskit[memcached]'"
        ) from None
    parts = urlsplit(name)
    client = pymemcache.PooledClient(
        (parts.hostname or "localhost", parts.port or 11211),
        timeout=timeout,
        connect_timeout=timeout,
    )
    return MemcachedStore(client, secret=secret, prefix=prefix)


def troubles() -> tuple[type[Exception], ...]:
    """Return the exceptions that a store's client library may raise."""
    found: list[type[Exception]] = [OSError, ValueError]
    for module, name in (("sqlite3", "Error"), ("redis", "RedisError")):
        with suppress(ImportError):  # then nothing raises it
            found.append(getattr(import_module(module), name))
    return tuple(found)


def unusable(error: Exception, what: str) -> Failure:
    """Return the failure to open a store, to read it or to write to it."""
    why = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(
        error
    ).__name__
    return Failure(why.rstrip(".") + "." if what in why else f"Cannot use {what}: {spoken(why)}.")
