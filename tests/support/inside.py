"""The one place where tests reach into tlskit's objects, for what its public face neither shows nor
arranges: that a lock is held, what a connection is about to offer, a setting that would be refused.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import tlskit
from tlskit import _forks
from tlskit._core import direct
from tlskit._core.bio import PythonQueue


def lock_of(thing: Any) -> Any:
    """The lock that an object, or a module, changes itself under."""
    if isinstance(thing, ModuleType):
        return vars(thing)["_lock"]
    if isinstance(thing, tlskit.SSLContext):
        return thing._settings._lock
    health = getattr(thing, "_health", None)  # of a guard
    return thing._lock if health is None else health._lock


@contextlib.contextmanager
def all_locks_of(context: tlskit.SSLContext) -> Iterator[None]:
    """Hold each lock that a connection of this client's context takes."""
    settings = context._settings
    cache = settings.use().client_cache
    with settings.tally._lock, cache._peers._lock, cache.store._health._lock:
        yield


def has_direct() -> bool:
    """Whether the usual operations are in C, without cffi."""
    return direct._direct is not None


def without_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do them in Python from here on, as on PyPy."""
    monkeypatch.setattr(direct, "_direct", None)
    monkeypatch.setattr(direct, "opened", lambda *arguments: None)
    monkeypatch.setattr(direct, "session_facts", None)


def facts_of(session: tlskit.SSLSession) -> dict[str, Any]:
    """All that was read of its SSL_SESSION when it was made."""
    core = session._session
    return {name: getattr(core, name) for name in type(core).__slots__ if name != "_session"}


def realize() -> None:
    """Build every function and type of cffi's, as the first fork does without the GIL."""
    from tlskit._core.realizing import Realizing

    Realizing()._before_fork()


def settings_of(context: tlskit.SSLContext) -> Any:
    """The settings of a context, past the checks of its properties."""
    return context._settings


def handle_of(connection: Any) -> Any:
    """What owns the SSL of a connection."""
    return connection._sslobj._conn


def offer_of(connection: Any) -> Any:
    """What a client's connection offers to resume, or why nothing: `session`, `reason`."""
    return connection._sslobj._resumption.offered


def guard_of(connection: Any) -> Any:
    """What a server's connection asks its store through."""
    return connection._sslobj._resumption._cache.store


def store_key(connection: Any) -> bytes:
    """What a client's store keeps the sessions of this connection under, before the version."""
    return bytes(connection._sslobj._policy.binding.key)


def bytes_in(store: tlskit.MemoryStore) -> int:
    """What the store counts itself as holding."""
    return int(store._bytes)


def core_session(session: tlskit.SSLSession) -> Any:
    """What a session holds of OpenSSL's."""
    return session._session


def binding_of(session: tlskit.SSLSession) -> Any:
    """The name and the policy that a session is for; None for nobody's."""
    return session._binding


def rebuilt(session: tlskit.SSLSession, **changed: Any) -> tlskit.SSLSession:
    """The session as its own context would have made it, but for what is changed: its `der`, the
    `hostname` that it is for, whether it is `sound`.
    """
    core, binding = session._session, session._binding
    if "der" in changed:
        core = tlskit.SSLSession.from_der(changed["der"])._session
    if "hostname" in changed:
        assert binding is not None
        binding = binding._replace(hostname=changed["hostname"])
    sound = changed.get("sound", True)
    return tlskit.SSLSession._make(core, binding, session._scope, sound=sound)


def keys_of(keyring: tlskit.TicketKeyring) -> Any:
    """The keys that C makes tickets with: `held`, `in_force()`, `shift(seconds)`."""
    return keyring._keys


@contextlib.contextmanager
def direction_locks_of(connection: Any) -> Iterator[None]:
    """Hold what keeps the bytes of a connection over two of the stdlib's MemoryBIOs in order."""
    with connection._sslobj._receiving, connection._sslobj._sending:
        yield


def count_with(context: tlskit.SSLContext, counts: Any) -> None:
    """Let the context count the outcomes of resumption with this object."""
    context._settings.tally._counts = counts


def fork_locks() -> list[Any]:
    """The locks of modules, which forks wait for."""
    return _forks._locks.copy()


@contextlib.contextmanager
def short_patience(seconds: float) -> Iterator[None]:
    """Let forks wait that long for such a lock."""
    before, _forks._PATIENCE = _forks._PATIENCE, seconds
    try:
        yield
    finally:
        _forks._PATIENCE = before


class _Interrupting(_forks.Forked):
    __slots__ = ("__weakref__",)

    def _after_fork_in_parent(self) -> None:
        raise KeyboardInterrupt

    def _after_fork(self) -> None:
        raise KeyboardInterrupt


@contextlib.contextmanager
def interrupted_forks() -> Iterator[None]:
    """A signal's handler raises in the middle of what is done after each fork."""
    interrupting = _Interrupting()
    _forks.watch(interrupting)
    try:
        yield
    finally:
        del _forks._watched[id(interrupting)]


@contextlib.contextmanager
def held_elsewhere(lock: Any) -> Iterator[Callable[[], None]]:
    """Another thread holds the lock, until the block ends or what this yields is called."""
    begun, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            begun.set()
            let_go.wait(60)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert begun.wait(20)
    try:
        yield let_go.set
    finally:
        let_go.set()
        thread.join(20)


def queue_in_python() -> type[Any]:
    """What a MemoryBIO derives from where its C is not compiled in, as on PyPy."""
    return PythonQueue
