"""The keys under which a client's sessions are kept in a store.

All sessions that may be offered under one binding share one *place*, 32 bytes that stand for the
server's name and the policy. Connections that share a place may differ in two ways: services on
different ports of one host may not know each other's sessions, and contexts may offer different
cipher suites. They would keep evicting each other's sessions. So a connection that finds a session
in the common place that is not for it keeps its own sessions in a separate place, with the port and
the suites in the key; and when a server has refused a session from another port, that session moves
to a separate place, too. Connections still look in the common place: an FTP client's data
connections go to a new port each time, and resume the sessions of the control connection.

Each place has two keys. Under one are tickets that are *taken*, each for one connection; under the
other is one session that is *read*, by any number of connections: a TLS 1.2 session, or the TLS 1.3
ticket that is kept for when no other is left.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import RLock

from .._digest import sha256
from .._forks import Forked, watch
from ..sessions.binding import Binding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    _Value = TypeVar("_Value")

PEERS_REMEMBERED = 4096


def common_place(binding: Binding) -> bytes:
    """Return the place of the sessions of a binding."""
    return binding.key


def own_place(common: bytes, port: int | None, suites: bytes) -> bytes:
    """Return the separate place for a port and cipher suites that the common place does not
    suit.
    """
    return sha256(
        b"tlskit client 1 apart\0" + common + (port or 0).to_bytes(2, "big") + suites
    ).digest()


def single(place: bytes) -> bytes:
    """Return the key of tickets that are taken."""
    return place + b"\x03"


def shared(place: bytes) -> bytes:
    """Return the key of the session that is read."""
    return place + b"\x02"


class PeerMemory(Forked):
    """One process's memory of the places used last: hints that save lookups.

    Safe from any thread.
    """

    def __init__(self) -> None:
        self._modern: OrderedDict[bytes, bool] = OrderedDict()
        self._apart: OrderedDict[bytes, None] = OrderedDict()
        self._reused: OrderedDict[bytes, bytes] = OrderedDict()
        self._after_fork()
        watch(self)

    def _after_fork(self) -> None:
        # A finaliser or a signal handler may end a connection in the middle of another's operation.
        self._lock = RLock()

    def spoke_tls13(self, common: bytes) -> bool | None:
        """Return whether the peer used TLS 1.3 last; None if unknown."""
        with self._lock:
            return self._modern.get(common)

    def note_version(self, common: bytes, *, tls13: bool) -> None:
        """Record whether the peer uses TLS 1.3 or an earlier version."""
        self._note(self._modern, common, tls13)

    def has_apart(self, common: bytes) -> bool:
        """Return whether any connection has a separate place beside this one."""
        with self._lock:
            return common in self._apart

    def is_apart(self, own: bytes) -> bool:
        """Return whether connections with this separate place keep their sessions there."""
        with self._lock:
            return own in self._apart

    def note_apart(self, common: bytes, own: bytes) -> None:
        """Record that connections with this separate place use it from now on."""
        self._note(self._apart, common, None)
        self._note(self._apart, own, None)

    def is_reuse(self, place: bytes, ticket: bytes) -> bool:
        """Return whether this shared ticket was offered from this place before, and record that it
        is now.
        """
        with self._lock:
            before = self._reused.get(place)
        self._note(self._reused, place, ticket)
        return before == ticket

    def _note(self, table: OrderedDict[bytes, _Value], key: bytes, value: _Value) -> None:
        with self._lock:
            table.pop(key, None)
            table[key] = value
            while len(table) > PEERS_REMEMBERED:
                table.popitem(last=False)
