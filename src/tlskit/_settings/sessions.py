"""`ctx.sessions`: the session cache of a context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from time import time as now
from typing import TYPE_CHECKING

from _tlsbind import CONST

from .._core.context import Context
from .._core.session import Session
from .._resumption.client_cache import ClientCache
from .._resumption.server import OnGet
from .._state import Settings
from .._state.sessions import SessionSettings
from ..enums import SessionCacheMode
from ..sessions.session import SSLSession
from ..sessions.statistics import SessionStats
from ..stores.memory import MemoryStore
from ..stores.store import SessionStore, check_store
from .arguments import callback_or_none, whole_number
from .tickets import session_timeout

if TYPE_CHECKING:
    from datetime import datetime

    from .._connection.object import SSLObject
    from .._connection.socket import SSLSocket

OnNew = Callable[["SSLSocket | SSLObject", SSLSession], object]
OnRemove = Callable[[SSLSession], object]


class ContextSessions:
    """The sessions of one context: its cache, the cache's settings and counters, and news of new
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
        """What knows of the session cache, which all states of the context share."""
        with self._settings.built() as state:
            return state.build()

    @property
    def mode(self) -> SessionCacheMode:
        """What the cache does; SERVER unless changed. Corresponds to
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
        # From now on, all of it is the caller's.
        self._settings.change_sessions(mode=int(value), lent=0)

    @property
    def size(self) -> int:
        """How many sessions the cache holds before it drops some; 0: no bound. Corresponds to
        SSL_CTX_sess_set_cache_size(3).
        """
        return self._value.size

    @size.setter
    def size(self, value: int) -> None:
        self._settings.change_sessions(size=whole_number(value, "a cache size", most=2**31 - 1))

    @property
    def timeout(self) -> int:
        """How long a new session is good for, in seconds: 7200 unless changed. Corresponds to
        SSL_CTX_set_timeout(3).
        """
        return session_timeout(self._settings)

    @timeout.setter
    def timeout(self, seconds: int) -> None:
        number = whole_number(seconds, "a session timeout", most=2**31 - 1)
        self._settings.change_sessions(timeout=number)

    @property
    def id_context(self) -> bytes:
        """Sessions made under one id context are not resumed under another: up to 32 bytes,
        b"Python" unless changed.

        Corresponds to SSL_CTX_set_session_id_context(3).
        """
        return self._value.id_context

    @id_context.setter
    def id_context(self, value: bytes) -> None:
        raw = bytes(memoryview(value))
        most = CONST.SSL_MAX_SID_CTX_LENGTH
        if len(raw) > most:
            raise ValueError(f"a session id context has at most {most} bytes, not {len(raw)}")
        self._settings.change_sessions(id_context=raw)

    # -- automatic resumption ----------------------------------------------------------------------

    @property
    def store(self) -> SessionStore | None:
        """Where sessions are kept beyond their connection; None, unless changed: nowhere.

        Setting one turns `resume` on: every later connection of `wrap_socket` and `wrap_bio` to a
        named server offers a session from it when there is one that this very connection could have
        earned, and puts in what comes. One store may serve many contexts; they share what they
        would verify alike, and nothing else.

        A server's connections keep their sessions in it, in place of OpenSSL's own cache, and
        resume what they or other processes put there: by session ids up to TLS 1.2, by stateful
        tickets in TLS 1.3 (SSL_OP_NO_TICKET is set on each). The two kinds do not meet, so a client
        and a server may have one store.

        The store is asked in the thread that makes the handshake, before it. One that is down or
        slow costs a full handshake, never a failed one.

        Raises:
            TypeError: it lacks a method of `SessionStore`.
            ValueError: it keeps sessions outside this process without encrypting them: wrap it in a
                SealedStore.
        """
        return self._value.store

    @store.setter
    def store(self, store: SessionStore | None) -> None:
        if store is not None:
            check_store(store)
        self._settings.change_sessions(store=store, resume=store is not None)

    @property
    def resume(self) -> bool:
        """Whether client connections resume by themselves. Setting it without a `store` makes a
        MemoryStore.
        """
        return self._value.resume

    @resume.setter
    def resume(self, on: bool) -> None:
        with self._settings.held():
            if on and self.store is None:
                self.store = MemoryStore()
            else:
                self._settings.change_sessions(resume=bool(on))

    @property
    def per_peer(self) -> int:
        """How many TLS 1.3 tickets of one peer are kept: as many connections can be opened at once
        and resume. 8 unless changed.
        """
        return self._value.per_peer

    @per_peer.setter
    def per_peer(self, value: int) -> None:
        number = whole_number(value, "a number of tickets", least=1, most=1000)
        self._settings.change_sessions(per_peer=number)

    @property
    def single_use(self) -> bool:
        """Whether a client offers a TLS 1.3 ticket once, and never again. False unless changed.
        Otherwise the first ticket of each full handshake is set aside, and offered when no other is
        left, as often as need be, without early data. Observers can tell that such connections
        come from one client (RFC 8446, C.4). `counters["ticket_reused"]` counts them.
        """
        return self._value.single_use

    @single_use.setter
    def single_use(self, value: bool) -> None:
        self._settings.change_sessions(single_use=bool(value))

    @property
    def loop_patience(self) -> float | None:
        """How many seconds an event loop's thread waits for a store that may block, before the
        handshake is a full one: 0.05 unless changed; None: as long as the store takes.
        """
        return self._value.loop_patience

    @loop_patience.setter
    def loop_patience(self, seconds: float | None) -> None:
        if seconds is not None and not 0 < seconds <= 60:
            raise ValueError(f"loop_patience must be between 0 and 60 seconds, got {seconds}")
        self._settings.change_sessions(loop_patience=seconds)

    @property
    def client_certificates(self) -> bool:
        """Whether sessions made with a client's certificate may leave the process. False unless
        changed.

        Who has such a session stands for the client without its key. They always go into stores
        within the process.
        """
        return self._value.client_certificates

    @client_certificates.setter
    def client_certificates(self, value: bool) -> None:
        self._settings.change_sessions(client_certificates=bool(value))

    @property
    def reverify(self) -> bool:
        """Whether a client verifies a session's chain again each time before it offers the session.
        False by default.

        A session is offered only under the policy that it was made under, and while the peer's
        certificate is in date. What may have happened since is left out of that: an authority in
        between has expired, or a list of revoked certificates has come to a directory of
        `load_verify_locations(capath=...)`. It costs a verification, some tenths of a millisecond,
        for each connection. What does not pass is not offered, and the handshake is a full one.
        """
        return self._value.reverify

    @reverify.setter
    def reverify(self, value: bool) -> None:
        self._settings.change_sessions(reverify=bool(value))

    # -- outcomes ----------------------------------------------------------------------------------

    def store_stats(self) -> dict[str, int]:
        """How often the store was asked, failed, was slow or was left alone, for clients and
        servers together; {} without one.

        The counts restart whenever `store` or `resume` is set.
        """
        return self._settings.now.caches.stats()

    @property
    def counters(self) -> Counter[str]:
        """How often each outcome of resumption occurred on this context's connections: a copy.

        `resumed`, and each `Reason` in lower case (`nothing_stored`, `not_accepted` ...); of a
        store, `stored`, `withheld` (see `client_certificates`), `bad_entry`, `ticket_reused` and
        `peer_dropped`. A name that never came up counts 0.
        """
        return self._settings.tally.snapshot()

    def stats(self) -> SessionStats:
        """All twelve counters of OpenSSL."""
        return SessionStats(**self._core.statistics())

    # -- the sessions that are kept ----------------------------------------------------------------

    def flush(self, at: float | datetime | None = None) -> None:
        """Remove every session that has expired by `at` (seconds since 1970, or a datetime; now by
        default), from OpenSSL's own cache and from `store`.

        Corresponds to SSL_CTX_flush_sessions(3).

        Raises:
            NotImplementedError: `at` lies ahead, and the store cannot list what it holds.
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
        self.tell_removed()

    def clear(self) -> None:
        """Remove every session, those in `store` too. Corresponds to SSL_CTX_flush_sessions(3) with
        a time of 0.
        """
        self._core.flush_sessions(0)
        store = self.store
        if store is not None:
            store.clear()
        self.tell_removed()

    def add(self, session: SSLSession) -> bool:
        """Put a session into the cache, or into `store`: whether it is new there. Corresponds to
        SSL_CTX_add_session(3).
        """
        core, state = _session(session), self._settings.use()
        if state.server_cache.external and state.sessions.store is not None:
            return state.server_cache.keep(core)
        if isinstance(state.client_cache, ClientCache):
            return state.client_cache.add(session, shows_certificate=state.shows_certificate)
        added = state.core.add_session(core)
        self.tell_removed()
        return added

    def remove(self, session: SSLSession) -> bool:
        """Take a session out of the cache and out of `store`, and withdraw it: nobody will resume
        from it.

        From a client's store that cannot list what it holds (memcached), all sessions of its peer
        go. False when it was not there. Corresponds to SSL_CTX_remove_session(3).
        """
        core, state = _session(session), self._settings.use()
        removed = state.core.remove_session(core)
        forgotten = state.server_cache.forget(core.id)
        taken_out = state.client_cache.remove(session)
        self.tell_removed()
        return removed or forgotten or taken_out

    def forget(self, host: str, port: int | None = None) -> int:
        """Take all that clients would resume with this host out of `store`, and return its number.

        Args:
            host: the server's name, as it was given as `server_hostname`.
            port: only what this TCP port's service gave, as far as is known; None: all.

        Raises:
            NotImplementedError: the store cannot list what it holds.
        """
        if not isinstance(host, str):
            raise TypeError(f"host must be a str, not {type(host).__name__}")
        cache, name = self._settings.use().client_cache, host.lower()
        if not isinstance(cache, ClientCache):
            return 0
        return cache.remove_where(
            lambda session: session.hostname == name and port in (None, session._port)
        )

    def lookup(self, session_id: bytes) -> SSLSession | None:
        """Find the session that a server's connections have put into `store` under this id; None
        when there is none.

        Raises:
            NotImplementedError: there is no `store`; OpenSSL's own cache cannot be searched from
                outside.
        """
        state = self._settings.use()
        if not state.server_cache.external or state.sessions.store is None:
            raise NotImplementedError(
                "OpenSSL's own cache cannot be searched: set ctx.sessions.store, to a "
                "MemoryStore for one process"
            )
        found = state.server_cache.find(bytes(session_id)).session
        return None if found is None else SSLSession._make(found)

    def __iter__(self) -> Iterator[SSLSession]:
        """Go through the sessions in `store` that can be read, in no order. They stay there.

        Raises:
            NotImplementedError: there is no `store`, or one that cannot list what it holds.
        """
        store = self.store
        if store is None:
            raise NotImplementedError(
                "OpenSSL's own cache cannot be listed: set ctx.sessions.store, to a MemoryStore "
                "for one process"
            )
        for one in store.entries():
            session = SSLSession._from_value(one.value)
            if session is not None:
                yield session

    def __len__(self) -> int:
        """How many sessions there are in OpenSSL's own cache."""
        return self._core.statistics()["number"]

    def __bool__(self) -> bool:
        return True  # also when it is empty

    # -- callbacks ---------------------------------------------------------------------------------

    @property
    def on_new(self) -> OnNew | None:
        """Called as `on_new(connection, session)` for each new session, after the operation in
        which it was made or came.

        A full TLS 1.3 handshake brings a client two tickets, with its first read, a resumed one
        brings one. The call is made in the thread that did the operation, with no lock held; what
        it raises comes out of that operation. Setting it adds CLIENT to `mode`, without which
        OpenSSL tells a client nothing, and on a client's context NO_INTERNAL_STORE. It holds for
        connections made later.
        """
        return self._value.on_new

    @on_new.setter
    def on_new(self, callback: OnNew | None) -> None:
        self._settings.change_sessions(on_new=callback_or_none(callback, "on_new"))

    @property
    def on_get(self) -> OnGet | None:
        """Called as `on_get(connection, id)` when a server's client offers a session that is not in
        `store`.

        It returns the SSLSession of that id, or None. It runs in a pause of the handshake, with no
        lock held, in the thread that makes it; what it raises comes out of the handshake. It may be
        `async def` (see `client_hello_callback`). Early data is not taken with such a session: it
        may have been given before. Corresponds to SSL_CTX_sess_set_get_cb(3).
        """
        return self._value.on_get

    @on_get.setter
    def on_get(self, callback: OnGet | None) -> None:
        self._settings.change_sessions(on_get=callback_or_none(callback, "on_get"))

    @property
    def on_remove(self) -> OnRemove | None:
        """Called as `on_remove(session)` for each session that OpenSSL has removed from its own
        cache.

        OpenSSL tells it with the cache locked; so the call is made later, with no lock held: after
        an operation of one of this context's connections, or one of this facet's methods, in that
        thread. Setting it has OpenSSL put every TLS 1.3 session into the cache too. Corresponds to
        SSL_CTX_sess_set_remove_cb(3).
        """
        return self._value.on_remove

    @on_remove.setter
    def on_remove(self, callback: OnRemove | None) -> None:
        self._settings.change_sessions(on_remove=callback_or_none(callback, "on_remove"))

    def tell_removed(self) -> None:
        """Call `on_remove` for what has queued up."""
        callback = self.on_remove
        if callback is not None:
            for session in self._core.removed():
                callback(SSLSession._make(session))


def _session(value: SSLSession) -> Session:
    if not isinstance(value, SSLSession):
        raise TypeError("Value is not a SSLSession.")
    return value._session
