"""The store that a user names on the command line, a file or a server's URL, and the secret that it
is sealed with.

The secret is never an argument: arguments show in the list of processes, and stay in the shell's
history. For the same reason Redis's password need not be in the URL.
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
    """A seal that shows what it cannot open as a value of no bytes, so that a list of a store's
    entries is complete.
    """

    __slots__ = ()

    def open(self, key: bytes, sealed: object) -> bytes | None:
        return super().open(key, sealed) or b""


def is_memcached(name: str) -> bool:
    """Whether this names a memcached."""
    return name.startswith("memcached://")


def shown(name: str) -> str:
    """A store's name for messages: of a URL, without the password."""
    if "://" not in name:
        return name
    try:
        parts = urlsplit(name)
    except ValueError:
        return f"{name.partition('://')[0]}://..."  # no URL: who knows where its password ends
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def given_secret(file: str | None) -> list[bytes] | None:
    """The secrets in this file, or else in the environment; None: there are none.

    Raises:
        Failure: the file is not there, or not for this user alone, or holds something else.
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
    """The store of this name, for connections: a file is made when it is not there."""
    return _opened(name, secret, PREFIX, timeout)


def to_look_into(
    name: str, secret: list[bytes] | None, *, prefix: str, timeout: float, sealed: bool = False
) -> SQLiteStore | RedisStore:
    """The store of this name, as it is: nothing is made, and what does not open is there as a value
    of no bytes.

    Args:
        name: of a store that can list what it holds.
        secret: what it is sealed with; None: what lies beside the file.
        prefix: what the keys in Redis begin with.
        timeout: how many seconds to wait for other users of the store.
        sealed: what is in the entries does not matter: no secret is needed.
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
    """The URL with the password from the environment, where it has none."""
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
    """What a store's other side may raise."""
    found: list[type[Exception]] = [OSError, ValueError]
    for module, name in (("sqlite3", "Error"), ("redis", "RedisError")):
        with suppress(ImportError):  # then nobody raises it
            found.append(getattr(import_module(module), name))
    return tuple(found)


def unusable(error: Exception, what: str) -> Failure:
    """The failure to open a store, to read it or to write to it."""
    why = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(
        error
    ).__name__
    return Failure(why.rstrip(".") + "." if what in why else f"Cannot use {what}: {spoken(why)}.")
