"""Where a client's sessions are kept in a store: the keys.

All sessions that may be offered under one binding have one *place*, 32 bytes that stand for the
server's name and the policy. Two things may set connections apart that share a place: services on
different ports of one host that do not know each other's sessions, and contexts that offer
different cipher suites. They would evict each other's sessions for ever. So a connection that finds
something in the common place that is not for it keeps its own sessions in a place of its own, with
the port and the suites in the key; and when a server has refused what another port's gave, that
session moves to a place of its own, too. Connections still look into the common place: an FTP
client's data connections go to a new port each time, and resume the sessions of the control
connection.

In each place there are two keys. Under one are tickets that are *taken*, each for one connection;
under the other is one session that is *looked at*, by as many connections as like: a TLS 1.2
session, or the TLS 1.3 ticket that is kept for when no other is left.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import RLock
from typing import TypeVar

from .._digest import sha256
from .._forks import Forked, watch
from ..sessions.binding import Binding

PEERS_REMEMBERED = 4096
_Value = TypeVar("_Value")


def common_place(binding: Binding) -> bytes:
    """Where the sessions of a binding are kept."""
    return binding.key


def own_place(common: bytes, port: int | None, suites: bytes) -> bytes:
    """Where sessions are kept for a port and cipher suites that the common place does not suit."""
    return sha256(
        b"tlskit client 1 apart\0" + common + (port or 0).to_bytes(2, "big") + suites
    ).digest()


def single(place: bytes) -> bytes:
    """The key of tickets that are taken."""
    return place + b"\x03"


def shared(place: bytes) -> bytes:
    """The key of the session that is looked at."""
    return place + b"\x02"


class PeerMemory(Forked):
    """What one process remembers of the places that it has used last: hints that save questions.

    Safe from any thread.
    """

    def __init__(self) -> None:
        self._modern: OrderedDict[bytes, bool] = OrderedDict()
        self._apart: OrderedDict[bytes, None] = OrderedDict()
        self._reused: OrderedDict[bytes, bytes] = OrderedDict()
        self._after_fork()
        watch(self)

    def _after_fork(self) -> None:
        # A finaliser or a signal handler may end a connection in the middle of another's lines.
        self._lock = RLock()

    def spoke_tls13(self, common: bytes) -> bool | None:
        """Whether the peer spoke TLS 1.3 last; None: not known."""
        with self._lock:
            return self._modern.get(common)

    def note_version(self, common: bytes, *, tls13: bool) -> None:
        """The peer speaks TLS 1.3, or an earlier version."""
        self._note(self._modern, common, tls13)

    def has_apart(self, common: bytes) -> bool:
        """Whether a connection has a place of its own beside this one."""
        with self._lock:
            return common in self._apart

    def is_apart(self, own: bytes) -> bool:
        """Whether connections with this place of their own keep their sessions there."""
        with self._lock:
            return own in self._apart

    def note_apart(self, common: bytes, own: bytes) -> None:
        """Connections with this place of their own use it from now on."""
        self._note(self._apart, common, None)
        self._note(self._apart, own, None)

    def is_reuse(self, place: bytes, ticket: bytes) -> bool:
        """Whether this shared ticket was offered from this place before; it is now."""
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
