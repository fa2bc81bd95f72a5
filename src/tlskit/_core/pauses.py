"""Why an operation may pause (tk_pause.c), how a decision is represented, and the thread that
makes it.

A decision is a generator: it yields what its callbacks return, and is sent the same value, or, if
that is an awaitable, its result. So the same code serves plain functions and `async def`. Its own
return value is None to continue, or the alert to refuse with.

Making one may call a store, which can take a while. So other threads in the same handshake wait
with the timeouts of their own calls, and a forked child, which lacks the deciding thread, starts
again.
"""

from __future__ import annotations

from collections.abc import Generator
from threading import RLock

from .. import _forks
from .native import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    Steps = Generator[Any, Any, "int | None"]
else:
    Protocol = object

_lock = _forks.ForkLock()

#: The handshake has not begun: decide what to resume.
BEFORE: int = lib.TK_PAUSE_BEFORE
#: A server has received its ClientHello.
HELLO: int = lib.TK_PAUSE_HELLO
#: ... and a session in it has to be looked up.
LOOKUP: int = lib.TK_PAUSE_LOOKUP
#: A certificate is needed: decide which to send.
CERTIFICATE: int = lib.TK_PAUSE_CERTIFICATE
#: On a client: decide whether this chain is good.
VERIFY: int = lib.TK_PAUSE_VERIFY


class PauseLock:
    """A reentrant lock of one process: a forked child gets a new one, even if the parent's was held
    at the fork.
    """

    __slots__ = ("_lock", "_process")

    def __init__(self, *, usable: bool = True) -> None:
        self._lock = RLock()
        self._process = _forks.process if usable else None

    def begin(self, seconds: float) -> bool:
        """Acquire the lock, and return whether that was possible in time; -1 waits for ever."""
        return self._lock.acquire(timeout=seconds)

    def end(self) -> None:
        """Release the lock."""
        self._lock.release()


NOBODY = PauseLock(usable=False)  #: until a handshake pauses: few do


class Pausing(Protocol):
    """An object that may pause: `_pause_lock` is NOBODY at first."""

    _pause_lock: PauseLock


def pause_lock_of(connection: Pausing) -> PauseLock:
    """Return the connection's PauseLock in this process, the same for all threads."""
    with _lock:
        if connection._pause_lock._process is not _forks.process:
            connection._pause_lock = PauseLock()
        return connection._pause_lock
