"""`ctx.sessions`: the session cache of a context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import time as now

from .._core.context import Context
from .._core.session import Session
from .._counters import Counters
from .._lazy import LateModule
from .._state import Settings
from .._state.removals import tell_removed
from .._state.sessions import SessionSettings
from ..enums import SessionCacheMode
from .arguments import callback_or_none, whole_number
from .session_ids import SessionIds
from .tickets import session_timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from .._connection.object import SSLObject
    from .._connection.socket import SSLSocket
    from .._resumption import client_cache as caches
    from .._resumption.strategy import OnGet
    from ..sessions import session as sessions
    from ..sessions.session import SSLSession
    from ..sessions.statistics import SessionStats
    from ..stores.store import SessionStore

    OnNew = Callable[[SSLSocket | SSLObject, SSLSession], object]
    OnRemove = Callable[[SSLSession], object]
else:
    caches = LateModule(".._resumption.client_cache", __package__)
    sessions = LateModule("..sessions.session", __package__)


class ContextSessions(SessionIds):
    """The sessions of one context: the cache, its settings and counters, and callbacks for new
    sessions.

    Safe from any thread; settings apply to handshakes that begin later.
    """

    __slots__ = ("_settings",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __repr__(self) -> str:
        kept = (
            f"OpenSSL's own cache with {len(self)} sessions"
            if self.store is None
            else f"in a {type(self.store).__name__}"
        )
        return f"<{type(self).__name__}: {kept}>"

    @property
    def _value(self) -> SessionSettings:
        value: SessionSettings = self._settings["sessions"]
        return value

    @property
    def _core(self) -> Context:
        """The owner of the session cache, which all states of the context share."""
        with self._settings.built() as state:
            return state.build()

    @property
    def mode(self) -> SessionCacheMode:
        """What the cache does; SERVER by default. Corresponds to
        SSL_CTX_set_session_cache_mode(3).
        """
        return SessionCacheMode(self._value.effective_mode)

    @mode.setter
    def mode(self, value: SessionCacheMode | int) -> None:
        known = int(
            SessionCacheMode.BOTH
            | SessionCacheMode.NO_AUTO_CLEAR
            | SessionCacheMode.NO_INTERNAL
            | SessionCacheMode.UPDATE_TIME
        )
        if whole_number(value, "a cache mode") & ~known or value < 0:
            raise ValueError(f"{int(value):#x} has bits that SessionCacheMode does not have")
        # From now on, the whole mode is the caller's decision.
        self._settings.change_sessions(mode=int(value), store_mode=0)

    @property
    def size(self) -> int:
        """How many sessions the cache holds before it evicts some; 0 means no limit. Corresponds to
        SSL_CTX_sess_set_cache_size(3).
        """
        return self._value.size

    @size.setter
    def size(self, value: int) -> None:
        self._settings.change_sessions(size=whole_number(value, "a cache size", most=2**31 - 1))

    @property
    def timeout(self) -> int:
        """For how many seconds a new session is valid; 7200 by default. Corresponds to
        SSL_CTX_set_timeout(3).
        """
        return session_timeout(self._settings)

    @timeout.setter
    def timeout(self, seconds: int) -> None:
        number = whole_number(seconds, "a session timeout", most=2**31 - 1)
        self._settings.change_sessions(timeout=number)

    # -- automatic resumption ----------------------------------------------------------------------

    @property
    def store(self) -> SessionStore | None:
        """The store that keeps sessions beyond their connections; None, the default, for none.

        Setting a store turns `resume` on: every later connection to a named server, by
        `wrap_socket` or `wrap_bio`, offers a session from it if there is one that this connection
        could have earned itself, and adds the sessions that it receives. Several contexts may share
        a store; they share sessions only if their verification policies are equal.

        On a server, connections keep their sessions in the store, in place of OpenSSL's own cache,
        and resume what they or other processes put there: by session id up to TLS 1.2, by stateful
        ticket in TLS 1.3 (SSL_OP_NO_TICKET is set on each). The sessions of clients and servers
        never mix, so both may use one store.

        The store is called in the thread that makes the handshake, before it begins. If it is down
        or slow, the handshake is a full one; it never fails.

        Raises:
            TypeError: it lacks a method of `SessionStore`.
            ValueError: it keeps sessions unencrypted outside this process: wrap it in a
                SealedStore.
        """
        return self._value.store

    @store.setter
    def store(self, store: SessionStore | None) -> None:
        if store is not None:
            from ..stores.store import check_store

            check_store(store)
        self._settings.change_sessions(store=store, resume=store is not None)

    @property
    def resume(self) -> bool:
        """Whether client connections resume automatically. Setting it without a `store` makes a
        MemoryStore.
        """
        return self._value.resume

    @resume.setter
    def resume(self, on: bool) -> None:
        with self._settings.held():
            if on and self.store is None:
                from ..stores.memory import MemoryStore

                self.store = MemoryStore()
            else:
                self._settings.change_sessions(resume=bool(on))

    @property
    def per_peer(self) -> int:
        """How many TLS 1.3 tickets are kept per peer, and so how many connections can resume at the
        same time. 8 by default.
        """
        return self._value.per_peer

    @per_peer.setter
    def per_peer(self, value: int) -> None:
        number = whole_number(value, "a number of tickets", least=1, most=1000)
        self._settings.change_sessions(per_peer=number)

    @property
    def single_use(self) -> bool:
        """Whether a client offers each TLS 1.3 ticket only once. False by default: the first ticket
        of each full handshake is then set aside, and offered repeatedly, without early data, when
        no other is left. An observer can tell that such connections come from one client (RFC 8446,
        C.4). `counters["ticket_reused"]` counts them.
        """
        return self._value.single_use

    @single_use.setter
    def single_use(self, value: bool) -> None:
        self._settings.change_sessions(single_use=bool(value))

    @property
    def loop_patience(self) -> float | None:
        """How many seconds an event loop's thread waits for a store that may block, before it makes
        a full handshake; 0.05 by default. None means without limit.
        """
        return self._value.loop_patience

    @loop_patience.setter
    def loop_patience(self, seconds: float | None) -> None:
        if seconds is not None and not 0 < seconds <= 60:
            raise ValueError(f"loop_patience must be between 0 and 60 seconds, got {seconds}")
        self._settings.change_sessions(loop_patience=seconds)

    @property
    def client_certificates(self) -> bool:
        """Whether sessions made with a client certificate may leave the process. False by default.

        Anyone who holds such a session can impersonate the client without its key. Stores within
        the process always get them.
        """
        return self._value.client_certificates

    @client_certificates.setter
    def client_certificates(self, value: bool) -> None:
        self._settings.change_sessions(client_certificates=bool(value))

    @property
    def reverify(self) -> bool:
        """Whether a client verifies a session's chain again each time before it offers the session.
        False by default.

        Without it, a session is offered only under the policy that it was made under, and while the
        peer's certificate is in date. That misses what has happened since: an intermediate
        authority has expired, or a revocation list has been added to a directory of
        `load_verify_locations(capath=...)`. With it, each connection costs one verification, a few
        tenths of a millisecond. A session that fails it is not offered, and the handshake is a full
        one.
        """
        return self._value.reverify

    @reverify.setter
    def reverify(self, value: bool) -> None:
        self._settings.change_sessions(reverify=bool(value))

    # -- outcomes ----------------------------------------------------------------------------------

    def store_stats(self) -> Counters:
        """How often the store was called, failed, was slow or was skipped, for clients and servers
        together; empty without a store.

        The counts restart whenever `store` or `resume` is set.
        """
        return Counters(self._settings.now.caches.stats())

    @property
    def counters(self) -> Counters:
        """How often each outcome of resumption occurred on this context's connections: a copy.

        The names are `resumed` and each `Reason` in lower case (`nothing_stored`, `not_accepted`
        ...); for a store, also `stored`, `withheld` (see `client_certificates`), `bad_entry`,
        `ticket_reused` and `peer_dropped`. All are there from the start.
        """
        return self._settings.tally.snapshot()

    def stats(self) -> SessionStats:
        """All twelve counters of OpenSSL."""
        from ..sessions.statistics import SessionStats

        return SessionStats(**self._core.statistics())

    # -- the sessions that are kept ----------------------------------------------------------------

    def flush(self, at: float | datetime | None = None) -> None:
        """Remove every session that has expired by `at` (seconds since 1970, or a datetime; now by
        default) from OpenSSL's own cache and from `store`.

        Corresponds to SSL_CTX_flush_sessions(3).

        Raises:
            NotImplementedError: `at` is in the future, and the store cannot list its entries.
        """
        when = now() if at is None else at.timestamp() if hasattr(at, "timestamp") else at
        # OpenSSL takes 0 for "all"; a time before the epoch would mean "none"
        if when >= 1:
            self._core.flush_sessions(int(when))
        store = self.store
        if store is not None:
            ahead = when - now()
            for entry in list(store.entries()) if ahead > 0 else ():
                if entry.seconds_left <= ahead:
                    store.remove(entry.key, entry.value)
            store.purge()
        tell_removed(self._settings)

    def clear(self) -> None:
        """Remove every session, including those in `store`. Corresponds to
        SSL_CTX_flush_sessions(3) with a time of 0.
        """
        self._core.flush_sessions(0)
        store = self.store
        if store is not None:
            store.clear()
        tell_removed(self._settings)

    def add(self, session: SSLSession) -> bool:
        """Put a session into the cache, or into `store`. Returns whether it is new there.
        Corresponds to SSL_CTX_add_session(3).
        """
        core, state = _session(session), self._settings.use()
        if state.server_cache.external and state.sessions.store is not None:
            return state.server_cache.keep(core)
        if isinstance(state.client_cache, caches.ClientCache):
            return state.client_cache.add(session, shows_certificate=state.shows_certificate)
        added = state.core.add_session(core)
        tell_removed(self._settings)
        return added

    def remove(self, session: SSLSession) -> bool:
        """Remove a session from the cache and from `store`, and withdraw it, so that it cannot be
        resumed. Returns whether it was there.

        From a client's store that cannot list its entries (memcached), all sessions of the same
        peer are removed. Corresponds to SSL_CTX_remove_session(3).
        """
        core, state = _session(session), self._settings.use()
        removed = state.core.remove_session(core)
        forgotten = state.server_cache.forget(core.id)
        taken_out = state.client_cache.remove(session)
        tell_removed(self._settings)
        return removed or forgotten or taken_out

    def forget(self, host: str, port: int | None = None) -> int:
        """Remove everything from `store` that clients could resume with this host. Returns the
        number of sessions removed.

        Args:
            host: the server's name, as it was passed as `server_hostname`.
            port: remove only sessions known to be from this TCP port; None means all.

        Raises:
            NotImplementedError: the store cannot list its entries.
        """
        if not isinstance(host, str):
            raise TypeError(f"host must be a str, not {type(host).__name__}")
        cache, name = self._settings.use().client_cache, host.lower()
        if not isinstance(cache, caches.ClientCache):
            return 0
        return cache.remove_where(
            lambda session: session.hostname == name and port in (None, session._port)
        )

    def lookup(self, session_id: bytes) -> SSLSession | None:
        """Return the session that a server's connections have put into `store` under this id, or
        None.

        Raises:
            NotImplementedError: there is no `store`; OpenSSL's own cache cannot be searched.
        """
        state = self._settings.use()
        if not state.server_cache.external or state.sessions.store is None:
            raise NotImplementedError(
                "OpenSSL's own cache cannot be searched: set ctx.sessions.store, to a "
                "MemoryStore for one process"
            )
        found = state.server_cache.find(bytes(session_id)).session
        return None if found is None else sessions.SSLSession._make(found)

    def __iter__(self) -> Iterator[SSLSession]:
        """Iterate over the readable sessions in `store`, in any order, without removing them.

        Raises:
            NotImplementedError: there is no `store`, or it cannot list its entries.
        """
        store = self.store
        if store is None:
            raise NotImplementedError(
                "OpenSSL's own cache cannot be listed: set ctx.sessions.store, to a MemoryStore "
                "for one process"
            )
        for one in store.entries():
            session = sessions.SSLSession._from_value(one.value)
            if session is not None:
                yield session

    def __len__(self) -> int:
        """The number of sessions in OpenSSL's own cache."""
        return self._core.statistics()["number"]

    def __bool__(self) -> bool:
        return True  # also when it is empty

    # -- callbacks ---------------------------------------------------------------------------------

    @property
    def on_new(self) -> OnNew | None:
        """Called as `on_new(connection, session)` for each new session, after the operation in
        which it was made or received.

        A TLS 1.3 client usually receives two tickets after a full handshake, with its first read,
        and one after a resumed handshake. The callback runs in the thread of the operation, with no
        lock held; the operation raises what the callback raises. Setting it adds CLIENT to `mode`,
        without which OpenSSL does not report a client's sessions, and on a client's context
        NO_INTERNAL_STORE. It applies to connections made later.
        """
        return self._value.on_new

    @on_new.setter
    def on_new(self, callback: OnNew | None) -> None:
        self._settings.change_sessions(on_new=callback_or_none(callback, "on_new"))

    @property
    def on_get(self) -> OnGet | None:
        """Called as `on_get(connection, id)` on a server when the client offers a session that is
        not in `store`.

        It returns the SSLSession with that id, or None. It runs in a pause of the handshake, in the
        thread that makes it, with no lock held; the handshake raises what the callback raises. It
        may be `async def` (see `client_hello_callback`). Early data is rejected with such a
        session, because it may have been used before. Corresponds to SSL_CTX_sess_set_get_cb(3).
        """
        return self._value.on_get

    @on_get.setter
    def on_get(self, callback: OnGet | None) -> None:
        self._settings.change_sessions(on_get=callback_or_none(callback, "on_get", awaited=True))

    @property
    def on_remove(self) -> OnRemove | None:
        """Called as `on_remove(session)` for each session that OpenSSL has removed from its own
        cache.

        OpenSSL reports removals while the cache is locked, so the callback runs later, with no lock
        held: in the thread of the next operation on a connection of this context, or of the next
        method call on `ctx.sessions`. Setting it also makes OpenSSL put every TLS 1.3 session into
        the cache. Corresponds to SSL_CTX_sess_set_remove_cb(3).
        """
        return self._value.on_remove

    @on_remove.setter
    def on_remove(self, callback: OnRemove | None) -> None:
        self._settings.change_sessions(on_remove=callback_or_none(callback, "on_remove"))


def _session(value: SSLSession) -> Session:
    if not isinstance(value, sessions.SSLSession):
        raise TypeError("Value is not a SSLSession.")
    return value._session
