"""Make a whole process use tlskit in place of `ssl`, and undo that.

Only names are replaced, never objects: `ssl.SSLContext`, `ssl.MemoryBIO`, `ssl.SSLSession`, the
module's OpenSSL version, and the copies in modules that did `from ssl import ...`. Each replaced
name is recorded together with its former value. Everything else in `ssl` stays. The stdlib's
functions look up `SSLContext` when they are called, so they make tlskit contexts; `SSLSocket`,
`SSLObject` and the exceptions are the base classes of tlskit's, or identical.

Contexts that were made before the injection keep working, even with a tlskit MemoryBIO
(`wrap_stdlib_bio`), and are still instances of `ssl.SSLContext` (`ContextType`). tlskit contexts
keep working after the extraction, so these two provisions stay in place: see `_reconcile`.

If another library has replaced one of these names after tlskit did, its replacement is not
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
from ._import_hooks import forget, when_imported
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
#: tlskit's classes derive from these, so that `isinstance` with the stdlib's class holds.
_BASES = {"SSLSocket": stdlib.SSLSocket, "SSLObject": stdlib.SSLObject}
#: What programs read from the module before they use a context: it must describe tlskit contexts.
_ANSWERS = (
    "HAS_", "OPENSSL_VERSION", "_OPENSSL_API_VERSION", "CHANNEL_BINDING_TYPES", "OP_ENABLE_KTLS",
    "OP_LEGACY_SERVER_CONNECT", "get_sigalgs",
)  # fmt: skip
#: Packages that certainly copy the stdlib's class, so a tlskit class in them came through `ssl`.
_TAKERS = {"aiohttp", "botocore", "pip", "requests", "urllib3"}
_MISSING = object()


class _Place(NamedTuple):
    """A replaced name: its place, its former value, and its present one."""

    owner: Any
    name: str
    before: Any
    now: Any


_lock = ForkLock()
_places: dict[tuple[int, str], _Place] = {}
_LOOPS = ("asyncio", "uvloop")  # the second imports the first
_in_loops: list[Any] = []  # the installation of tlskit.aio, if there is one
_calls = 0  # of inject_into_ssl that have not been undone
_blocks = 0  # open `with` statements
_round = 0  # counts calls of extract_from_ssl, each of which ends all blocks that began before it


def inject_into_ssl(*, store: SessionStore | bool | None = None) -> Injection:
    """Make every library in this process that uses `ssl` use tlskit from now on.

    Call it early, before other threads make connections and, for speed, before uvloop is imported.
    Calling it again is harmless, and also replaces copies of the stdlib's classes that were made
    since. As a context manager (`with inject_into_ssl():`), it is undone when the last open block
    ends, unless it was also called outside of a block.

    Args:
        store: resume sessions automatically, from this store, in every client context that is made
            from now on; True means a store in memory. Contexts share sessions only if their
            verification policies are equal. The most recently given store is used; new contexts
            stop getting it when the injection ends.

    Returns:
        The context manager, which may be ignored.

    Raises:
        TypeError, ValueError: `store` is not a session store, or keeps sessions unencrypted outside
            the process. Nothing is replaced.

    Thread-safe.
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
    """Undo `inject_into_ssl`, however often it was called: restore the former value of every name.

    Objects made with tlskit keep working. A module that was imported meanwhile and did `from ssl
    import SSLContext` keeps tlskit's class. Without an injection, nothing happens. Thread-safe.
    """
    global _calls, _blocks, _round
    with _lock:
        _calls = _blocks = 0
        _round += 1
        _take_out()


class Injection:
    """The result of `inject_into_ssl`: a context manager that ends the injection with its block."""

    __slots__ = ("_counters", "_round")

    def __init__(self, round: int) -> None:
        self._round, self._counters = round, True

    def __enter__(self) -> Injection:
        global _calls, _blocks
        with _lock:
            if self._counters and self._round == _round:
                _calls -= 1  # this call only began a block
            else:
                _put_in()
            self._round, self._counters = _round, False
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
            ):  # a library that has replaced more than the classes, to go with its own class
                _replace(ssl, name, _BASES.get(name) or getattr(ours, name))
        for module, names in _modules(theirs | {"ssl", "_ssl", "tlskit", "_tlsbind"}):
            for name, kind in _CLASSES.items():
                for alias in (name, "_" + name):
                    if id(names.get(alias)) in found[name]:
                        with suppress(Exception):  # a read-only module keeps its value
                            _replace(module, alias, kind)
        for module, name, make in _preloaded():
            with suppress(Exception):  # the old one keeps working
                _replace(module, name, _like(make(), vars(module)[name]))
        for name in _LOOPS:
            when_imported(name, _put_into_loops)
    except BaseException:
        _take_out()
        raise


def _put_into_loops() -> None:
    """Make the event loops use tlskit's transport, once asyncio or uvloop has been imported.
    Importing asyncio here would cost programs without it several times what tlskit costs.
    """
    from .aio._install import install, put_in_uvloop

    with _lock:
        if not _places:
            return  # the injection has ended meanwhile
        if not _in_loops:
            _in_loops.append(install())
        put_in_uvloop()  # whose import may have begun before


def _reconcile() -> None:
    """Make the stdlib's contexts accept tlskit's MemoryBIO, permanently.

    Code that got a class from `ssl` during the injection may keep it, as uvloop's compiled code
    does, and use it with stdlib contexts later. The stdlib's contexts lose nothing by this.
    """
    if "_wrap_bio" not in vars(stdlib.SSLContext):
        stdlib.SSLContext._wrap_bio = wrap_stdlib_bio  # type: ignore[attr-defined]
    ContextType.standing_in = SSLContext


def _home(value: Any) -> str:
    """Return the package that a class or a function comes from."""
    return str(getattr(value, "__module__", "")).partition(".")[0]


def _replace(owner: Any, name: str, value: Any) -> None:
    before = vars(owner).get(name, _MISSING)
    if before is value:
        return
    setattr(owner, name, value)
    _places[id(owner), name] = _Place(owner, name, before, value)


def _modules(without: set[str]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Iterate over the loaded modules and their names, except those of these packages."""
    for name, module in sys.modules.copy().items():
        if name.partition(".")[0] in without:
            continue
        try:
            names = object.__getattribute__(
                module, "__dict__"
            )  # read this way, a lazy module is not loaded
        except AttributeError:
            continue
        if isinstance(names, dict):
            yield module, names


# -- contexts that libraries make when they are imported -------------------------------------------


def _preloaded() -> Iterator[tuple[Any, str, Callable[[], Any]]]:
    """Iterate over such stdlib contexts: where they are, and how the library makes them."""
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
    """Return the library's context made again, with the program's changes to the first one."""
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
            continue  # another library has replaced it since
        with suppress(Exception):  # go on with the others, even if this module refuses
            if place.before is _MISSING:
                delattr(place.owner, place.name)
            else:
                setattr(place.owner, place.name, place.before)
    _places.clear()
    SSLContext._store_for_all = None
    # Other libraries may have saved tlskit's class and restored it, or were imported meanwhile.
    for owner, names in [
        (ssl, vars(ssl)),
        *_modules({name.partition(".")[0] for name in sys.modules} - _TAKERS),
    ]:
        for name, kind in _CLASSES.items():
            if names.get(name) is kind:
                setattr(owner, name, _ORIGINALS[name])
