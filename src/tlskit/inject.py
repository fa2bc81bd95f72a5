"""Put tlskit in the place of `ssl` for a whole process, and take it out again.

What is replaced are names, never objects: `ssl.SSLContext`, `ssl.MemoryBIO`, `ssl.SSLSession`, what
the module says of its OpenSSL, and the copies that other modules have made with `from ssl import
...`, each found by looking, and noted with what stood there. Everything else of `ssl` stays the
stdlib's own: its functions look `SSLContext` up when they are called, so they make contexts of
tlskit; `SSLSocket`, `SSLObject` and the exceptions are base classes of tlskit's, or the same.

Contexts that were made before go on as they are, also with a MemoryBIO of tlskit's
(`_bridge.wrap_stdlib_bio`), and are instances of `ssl.SSLContext` as before
(`_dormant.ContextType`). Contexts of tlskit's go on after it was taken out. These two provisions
stay when tlskit is taken out: see `_reconcile`.

Whoever comes last stands in front: what somebody else has put in the place of ours meanwhile is not
touched.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from ._connection.bridge import wrap_stdlib_bio
from ._context import SSLContext
from ._core.bio import MemoryBIO
from ._forks import ForkLock
from ._late import forget, when_imported
from ._stdlib import classes as stdlib
from ._stdlib.dormant import ContextType
from .sessions import MemoryStore, SessionStore, SSLSession
from .stores.store import check_store

_CLASSES = {"SSLContext": SSLContext, "MemoryBIO": MemoryBIO, "SSLSession": SSLSession}
_ORIGINALS = {
    "SSLContext": stdlib.SSLContext,
    "MemoryBIO": stdlib.MemoryBIO,
    "SSLSession": stdlib.SSLSession,
}
#: Of these, tlskit's are subclasses: `isinstance` has to find the stdlib's.
_BASES = {"SSLSocket": stdlib.SSLSocket, "SSLObject": stdlib.SSLObject}
#: What a program asks the module about before it uses a context: the answers are those of the
#: contexts it will get.
_ANSWERS = (
    "HAS_", "OPENSSL_VERSION", "_OPENSSL_API_VERSION", "CHANNEL_BINDING_TYPES", "OP_ENABLE_KTLS",
    "OP_LEGACY_SERVER_CONNECT", "get_sigalgs",
)  # fmt: skip
#: Packages that have a copy of the stdlib's class for certain, so that one of ours in them has come
#: by way of `ssl`.
_TAKERS = {"aiohttp", "botocore", "pip", "requests", "urllib3"}
_MISSING = object()


class _Place(NamedTuple):
    """A name that was replaced: where, what stood there, and what stands there now."""

    owner: Any
    name: str
    before: Any
    now: Any


_lock = ForkLock()
_places: dict[tuple[int, str], _Place] = {}
_LOOPS = ("asyncio", "uvloop")  # the second imports the first
_in_loops: list[Any] = []  # the installation of tlskit.aio, if there is one
_calls = 0  # of inject_into_ssl that nobody has taken back
_blocks = 0  # `with` statements that are open
_round = 0  # counts extract_from_ssl: what began before it ended with it


def inject_into_ssl(*, store: SessionStore | bool | None = None) -> Injection:
    """Let every library that uses `ssl` use tlskit, from now on and in the whole process.

    Call it early, before other threads make connections and, for the sake of speed, before uvloop
    is imported. A second call does no harm; it also finds copies of the stdlib's classes that were
    made since. As a context manager (`with inject_into_ssl():`) it ends with the last block that is
    open, unless it was also called outside of one.

    Args:
        store: let every client's context that is made from now on resume by itself, from this
            store; True for one in memory. They share what they would verify alike. The last store
            that was given counts; it ends with the injection, but not for contexts that have it.

    Returns:
        The context manager. There is no need to keep it.

    Raises:
        TypeError, ValueError: `store` is no session store, or keeps plain text outside the process.
            Nothing is replaced.

    Thread-safe. Corresponds to nothing in OpenSSL.
    """
    global _calls
    chosen = MemoryStore() if store is True else store
    if chosen is None or chosen is False:
        chosen = SSLContext._store_for_all
    else:
        check_store(chosen)
    with _lock:
        before, SSLContext._store_for_all = SSLContext._store_for_all, chosen
        try:
            _put_in()
        except BaseException:
            SSLContext._store_for_all = before
            raise
        _calls += 1
        return Injection(_round)


def extract_from_ssl() -> None:
    """Take tlskit out of `ssl` again, however often it was put in: every name gets back what stood
    there.

    What was made with tlskit goes on working. A module that was imported meanwhile and says `from
    ssl import SSLContext` keeps tlskit's class. Without tlskit in `ssl`, nothing happens.
    Thread-safe.
    """
    global _calls, _blocks, _round
    with _lock:
        _calls = _blocks = 0
        _round += 1
        _take_out()


class Injection:
    """What `inject_into_ssl` returns: `with` it, tlskit is in the place of `ssl` until the end of
    the block.
    """

    __slots__ = ("_counted", "_round")

    def __init__(self, round: int) -> None:
        self._round, self._counted = round, True

    def __enter__(self) -> Injection:
        global _calls, _blocks
        with _lock:
            if self._counted and self._round == _round:
                _calls -= 1  # this call was the beginning of a block
            else:
                _put_in()
            self._round, self._counted = _round, False
            _blocks += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        global _blocks
        with _lock:
            if self._round == _round:
                _blocks -= 1
                if not _calls and not _blocks:
                    _take_out()


# -- putting in ------------------------------------------------------------------------------------


def _put_in() -> None:
    try:
        _reconcile()
        found = {name: {id(kind), id(getattr(ssl, name))} for name, kind in _ORIGINALS.items()}
        theirs = {_home(getattr(ssl, name)) for name in _ORIGINALS} - {"ssl", "_ssl", "tlskit"}
        for name, kind in _CLASSES.items():
            _replace(ssl, name, kind)
        ours = sys.modules[__package__ or "tlskit"]
        for name in dir(ours):
            here = vars(ssl).get(name, _MISSING)
            if name.startswith(_ANSWERS) and here != (value := getattr(ours, name)):
                _replace(ssl, name, value)
            elif (
                _home(here) in theirs
            ):  # of somebody who has replaced more than the classes, to go with a class of his own
                _replace(ssl, name, _BASES.get(name) or getattr(ours, name))
        for module, names in _modules(theirs | {"ssl", "_ssl", "tlskit", "_tlsbind"}):
            for name, kind in _CLASSES.items():
                for alias in (name, "_" + name):
                    if id(names.get(alias)) in found[name]:
                        with suppress(
                            Exception
                        ):  # a module that does not let itself be changed keeps what it has
                            _replace(module, alias, kind)
        for module, name, make in _preloaded():
            with suppress(Exception):  # the old one goes on working
                _replace(module, name, _like(make(), vars(module)[name]))
        for name in _LOOPS:
            when_imported(name, _put_into_loops)
    except BaseException:
        _take_out()
        raise


def _put_into_loops() -> None:
    """asyncio is there, or uvloop: let the loops use this transport. To import it here would cost
    a program that does not use it several times what tlskit does.
    """
    from .aio._install import install, put_in_uvloop

    with _lock:
        if not _places:
            return  # tlskit was taken out meanwhile
        if not _in_loops:
            _in_loops.append(install())
        put_in_uvloop()  # it may have begun its import before


def _reconcile() -> None:
    """Let what is the stdlib's, and what has tlskit's classes, meet each other: from now on and for
    good.

    Whoever asks `ssl` for a class meanwhile keeps it, in compiled code for one (uvloop), and meets
    contexts of the stdlib's also after tlskit was taken out. Nothing is taken from them by this,
    and they take a MemoryBIO more.
    """
    if "_wrap_bio" not in vars(stdlib.SSLContext):
        stdlib.SSLContext._wrap_bio = wrap_stdlib_bio  # type: ignore[attr-defined]
    ContextType.standing_in = SSLContext


def _home(value: Any) -> str:
    """The package that a class or a function comes from."""
    return str(getattr(value, "__module__", "")).partition(".")[0]


def _replace(owner: Any, name: str, value: Any) -> None:
    before = vars(owner).get(name, _MISSING)
    if before is value:
        return
    setattr(owner, name, value)
    _places[id(owner), name] = _Place(owner, name, before, value)


def _modules(without: set[str]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The modules that are loaded, with their names, except those of these packages."""
    for name, module in sys.modules.copy().items():
        if name.partition(".")[0] in without:
            continue
        try:
            names = object.__getattribute__(
                module, "__dict__"
            )  # asked like this, a lazy module stays as lazy as it is
        except AttributeError:
            continue
        if isinstance(names, dict):
            yield module, names


# -- contexts that libraries make when they are imported -------------------------------------------


def _preloaded() -> Iterator[tuple[Any, str, Callable[[], Any]]]:
    """Where such a context of the stdlib's is, and how the library makes it."""
    for path, module in sys.modules.copy().items():
        for suffix, name, make in _RECIPES:
            if (path == suffix or path.endswith("." + suffix)) and type(
                vars(module).get(name)
            ) is stdlib.SSLContext:
                yield module, name, lambda make=make, module=module: make(module)  # type: ignore[misc]


def _requests_context(module: Any) -> Any:
    context = module.create_urllib3_context()
    context.load_verify_locations(module.extract_zipped_paths(module.DEFAULT_CA_BUNDLE_PATH))
    return context


_RECIPES: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("requests.adapters", "_preloaded_ssl_context", _requests_context),
    ("aiohttp.connector", "_SSL_CONTEXT_VERIFIED", lambda module: module._make_ssl_context(True)),
    (
        "aiohttp.connector",
        "_SSL_CONTEXT_UNVERIFIED",
        lambda module: module._make_ssl_context(False),
    ),
)


def _like(made: Any, before: ssl.SSLContext) -> Any:
    """The context that the library has made again, with what a program has changed in the first
    one.
    """
    made.check_hostname = False
    for name in (
        "verify_mode",
        "check_hostname",
        "verify_flags",
        "options",
        "minimum_version",
        "maximum_version",
    ):
        setattr(made, name, getattr(before, name))
    made.set_ciphers(
        ":".join(
            suite["name"] for suite in before.get_ciphers() if not suite["name"].startswith("TLS_")
        )
    )
    known = set(made.get_ca_certs(binary_form=True))
    if missing := [der for der in before.get_ca_certs(binary_form=True) if der not in known]:
        made.load_verify_locations(cadata=b"".join(missing))
    return made


# -- taking out ------------------------------------------------------------------------------------


def _take_out() -> None:
    for name in _LOOPS:
        forget(name, _put_into_loops)
    while _in_loops:
        _in_loops.pop().undo()
    for place in reversed(_places.values()):
        if vars(place.owner).get(place.name) is not place.now:
            continue  # somebody else has been here since
        with suppress(Exception):  # the others get theirs back, whatever this module thinks of it
            if place.before is _MISSING:
                delattr(place.owner, place.name)
            else:
                setattr(place.owner, place.name, place.before)
    _places.clear()
    SSLContext._store_for_all = None
    # Others may have kept our class while they stood in front, and have put it back; or were
    # imported meanwhile.
    for owner, names in [
        (ssl, vars(ssl)),
        *_modules({name.partition(".")[0] for name in sys.modules} - _TAKERS),
    ]:
        for name, kind in _CLASSES.items():
            if names.get(name) is kind:
                setattr(owner, name, _ORIGINALS[name])
