"""SQLiteStore: sessions in a file, shared by many processes and kept over reboots.

Why it works the way it does:

- The journal is a rollback journal, not WAL. A WAL's shared memory does not survive a fork, and
  between two calls a rollback journal holds no lock at all. `synchronous` is off: a crash of the
  system may damage the file, a crash of the process may not. A damaged cache is set aside, which is
  cheaper than flushing to the disk in every handshake.
- Taking a value means finding its row and deleting the row by its number: the caller whose DELETE
  removed the row owns the value. Row numbers are never reused (AUTOINCREMENT); otherwise a caller
  could delete a row that it has not seen.
- Each process has one connection, and its threads take turns. A fork waits until the parent's
  connection is idle; the child leaves its copy alone and opens its own.
- Times come from the system's clock, which may be set. An entry put in the future is not used, so
  no change of the clock makes a value live more than a minute too long.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from .._core.paths import named_path, without_values
from .database import busy, bytes_used, connect, damaged, transaction
from .files import private_file, secret_file
from .forks import Forked, watch
from .seal import Seal, Secrets
from .store import Entry, Unpicklable, check_key, check_value, closed, leave_out, lifetime

if TYPE_CHECKING:
    import sqlite3

_T = TypeVar("_T")

_log = logging.getLogger("tlskit")

_LARGEST = 1 << 20  # bytes in a value
_LARGEST_FILE = (
    256 << 20
)  # about as many bytes in all: peers have a say in how large their certificates are
# seconds for SQLite to wait: the longer it does, the longer its pauses, and others always come
# first
_PAUSE = 0.01
_LIVE = "key = ? AND deadline > ? AND put <= ?"
_SKEW = 60.0  # seconds that clocks may differ, where several machines share a file

#: Connections of a parent process, which must neither be used nor closed here.
_abandoned: list[object] = []


class SQLiteStore(Unpicklable, Forked):
    """Keep sessions in an SQLite file that many processes and threads may use at once. What was put
    first goes first.

    The file is created for its owner alone (mode 0600), and refused when others may read or write
    it. Values are encrypted, with a secret that is given, or else with one that is kept in a file
    beside it (`PATH.key`, mode 0600). That keeps the sessions from those who get hold of the
    database alone (a backup without the key, freed blocks of the disk), not from those who can read
    both files; for that, give a secret from elsewhere.

    Any thread may use it. A call takes some tenths of a millisecond. It waits while other threads
    use the connection, and while other processes read or write, for `timeout` seconds at most each
    time, and raises TimeoutError or sqlite3.OperationalError then. A file that turns out to be
    damaged is renamed to `PATH.damaged`, and a new one begun. The file belongs on a local disk.

    Args:
        path: where the file is, or is to be; its folder has to exist.
        secret: one secret or several, of 16 random bytes or more each: the first seals, all open.
        size: how many values there may be in all, and a quarter of a GiB at most; now and then it
            may be a little more.
        timeout: how many seconds to wait for other threads, and for other processes.

    Attributes:
        path: the file, from the root on.
        unreadable: how many values were left out because they did not open.

    Raises:
        PermissionError: the file, or that of the secret, belongs to somebody else, or others may
            use it.
        ValueError: the file is something else than a store of sessions.
    """

    unreadable: int

    __slots__ = (
        "__weakref__", "_closed", "_connection", "_file", "_lock", "_locked_for_fork", "_now",
        "_puts", "_seal", "_size", "_timeout",
        "path", "unreadable",
    )  # fmt: skip

    in_process = False
    sealed = True

    @without_values
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        secret: Secrets | None = None,
        size: int = 10_000,
        timeout: float = 0.2,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection: sqlite3.Connection | None = None
        self._closed, self.unreadable = False, 0
        if size < 1:
            raise ValueError(f"a store has room for 1 value at least, not for {size}")
        name = named_path("path", path)
        if not name or name == ":memory:":
            raise ValueError("an SQLiteStore is a file: MemoryStore keeps sessions in memory")
        self.path: str = os.path.abspath(name)
        self._size, self._timeout, self._now = size, timeout, clock
        self._lock, self._locked_for_fork = Lock(), False
        self._puts = (
            size  # since the number of values was seen to: the first one of each process sees to it
        )
        self._file: tuple[int, int] | None = None
        private_file(self.path)
        self._seal = Seal(secret_file(self.path + ".key") if secret is None else secret)
        watch(self)
        self._use(lambda connection: None)

    # -- the protocol ------------------------------------------------------------------------------

    def put(self, key: bytes, value: bytes, seconds: float, *, most: int = 1) -> None:
        """Keep `value` under `key` for `seconds`; at most `most` values are under it then, and the
        oldest go.
        """
        check_value(value, _LARGEST)
        seconds = lifetime(key, seconds, most)
        if seconds <= 0:
            if self._closed:
                closed()
            return
        sealed = self._seal.close(key, value)

        def work(connection: sqlite3.Connection) -> None:
            now = self._now()
            with transaction(connection, "IMMEDIATE"):
                connection.execute(
                    "INSERT INTO entry (key, value, put, deadline) VALUES (?, ?, ?, ?)",
                    (key, sealed, now, now + seconds),
                )
                connection.execute(
                    "DELETE FROM entry WHERE key = ? AND id <= (SELECT id FROM entry WHERE key = "
                    "? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                    (key, key, most),
                )
                self._puts += 1
                if self._puts > self._size // 100:
                    self._trim(connection, now)
                    self._puts = 0

        self._use(work)

    def take(self, key: bytes) -> bytes | None:
        """Remove the newest value under `key`, and return it; None also when it does not open."""
        check_key(key)

        def work(connection: sqlite3.Connection) -> Any:
            while found := self._newest(connection, key):
                if connection.execute("DELETE FROM entry WHERE id = ?", found[:1]).rowcount == 1:
                    return found[1]
            return None

        return self._opened(key, self._use(work))

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value under `key`, which stays; None also when it does not open."""
        check_key(key)
        found = self._use(lambda connection: self._newest(connection, key))
        return self._opened(key, found[1] if found else None)

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        """Remove one value, or all that there is under `key`; False when it was not there."""
        check_key(key)
        if value is None:
            where, what = _LIVE, [key]
        else:
            sealed = self._seal.every(key, value)
            newest = (
                f"SELECT id FROM entry WHERE {_LIVE} AND value IN "
                f"({', '.join('?' * len(sealed))}) ORDER BY id DESC LIMIT 1"
            )
            where, what = f"id = ({newest})", [key, *sealed]

        def work(connection: sqlite3.Connection) -> bool:
            now = self._now()
            return (
                connection.execute(
                    f"DELETE FROM entry WHERE {where}", [what[0], now, now + _SKEW, *what[1:]]
                ).rowcount
                > 0
            )

        return self._use(work)

    def purge(self) -> int:
        """Drop what has expired, and return how many values that were."""
        return self._use(lambda connection: self._drop_expired(connection, self._now()))

    def clear(self) -> None:
        """Drop everything."""
        self._use(lambda connection: connection.execute("DELETE FROM entry"))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def entries(self) -> Iterator[Entry]:
        """What there is, the oldest first, without what does not open; each hundred as of another
        moment.
        """
        rows: list[tuple[int, bytes, Any, float]] = [(0, b"", None, 0.0)]
        while rows := self._use(partial(self._some, after=rows[-1][0])):
            for _, key, sealed, seconds_left in rows:
                value = self._opened(key, sealed) if seconds_left > 0 else None
                if value is not None:
                    yield Entry(key, value, seconds_left)

    def __repr__(self) -> str:
        return f"<SQLiteStore {self.path!r}{', closed' if self._closed else ''}>"

    # -- what it is made of ------------------------------------------------------------------------

    def _newest(self, connection: sqlite3.Connection, key: bytes) -> tuple[int, Any] | None:
        now = self._now()
        query = f"SELECT id, value FROM entry WHERE {_LIVE} ORDER BY id DESC LIMIT 1"
        rows = connection.execute(
            query, (key, now, now + _SKEW)
        ).fetchall()  # all of them: a query with more to come holds a lock
        return rows[0] if rows else None

    def _some(
        self, connection: sqlite3.Connection, after: int
    ) -> list[tuple[int, bytes, Any, float]]:
        now = self._now()
        query = (
            "SELECT id, key, value, CASE WHEN put <= ? THEN deadline - ? ELSE 0 END FROM "
            "entry WHERE id > ? ORDER BY id LIMIT 100"
        )
        return connection.execute(query, (now + _SKEW, now, after)).fetchall()

    def _trim(self, connection: sqlite3.Connection, now: float) -> None:
        self._drop_expired(connection, now)
        ((count,),) = connection.execute("SELECT count(*) FROM entry").fetchall()
        if count > self._size:
            count -= self._drop_oldest(connection, count - self._size)
        while count > 1 and bytes_used(connection) > _LARGEST_FILE:
            count -= self._drop_oldest(connection, 1 + count // 8)

    def _drop_oldest(self, connection: sqlite3.Connection, number: int) -> int:
        return connection.execute(
            "DELETE FROM entry WHERE id IN (SELECT id FROM entry ORDER BY id LIMIT ?)", (number,)
        ).rowcount

    def _drop_expired(self, connection: sqlite3.Connection, now: float) -> int:
        return connection.execute(
            "DELETE FROM entry WHERE deadline <= ? OR put > ?", (now, now + _SKEW)
        ).rowcount

    def _opened(self, key: bytes, sealed: object) -> bytes | None:
        value = (
            None if sealed is None or not isinstance(key, bytes) else self._seal.open(key, sealed)
        )
        if sealed is not None and value is None:
            leave_out(self)
        return value

    # -- the connection ----------------------------------------------------------------------------

    def _use(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Let `work` have the connection, with a file that is whole, and the one that has the name
        now.
        """
        if not self._lock.acquire(timeout=self._timeout):
            raise TimeoutError(
                f"other threads have been using {self.path} for {self._timeout} seconds"
            )
        try:
            if self._closed:
                closed()
            deadline, whole = time.monotonic() + self._timeout, True
            while True:
                try:
                    return work(self._current())
                except Exception as error:
                    if busy(error) and time.monotonic() < deadline:
                        continue  # SQLite has waited already, but for a moment only
                    if not damaged(error) or not whole:
                        raise
                    whole = False
                    self._set_aside(error)
        finally:
            self._lock.release()

    def _current(self) -> sqlite3.Connection:
        """The connection. A file that was removed or replaced is not used any more: SQLite would
        not notice.
        """
        if self._connection is not None:
            try:
                found = os.stat(self.path)
            except FileNotFoundError:
                found = None
            if found is None or (found.st_dev, found.st_ino) != self._file:
                self._disconnect()
        if self._connection is None:
            found = private_file(self.path)
            self._file = found.st_dev, found.st_ino
            self._connection = connect(self.path, min(self._timeout, _PAUSE))
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _set_aside(self, error: Exception) -> None:
        """Give a damaged file another name, its journal first: a new file must not find the old
        one's.
        """
        self._disconnect()
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(self.path)
            if (found.st_dev, found.st_ino) == self._file:  # or else another process has done it
                for ending in ("-journal", "-wal", "-shm", ""):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(self.path + ending, f"{self.path}.damaged{ending}")
                _log.warning(
                    "The session store %s is damaged (%s): it was renamed to %s.damaged, and a "
                    "new one begun.",
                    self.path,
                    error,
                    self.path,
                )

    def _before_fork(self) -> None:
        self._locked_for_fork = self._lock.acquire(timeout=max(1.0, self._timeout))

    def _after_fork_in_parent(self) -> None:
        if self._locked_for_fork:
            self._lock.release()

    def _after_fork(self) -> None:
        _abandoned.append(self._connection)
        self._connection, self._lock = None, Lock()

    def __del__(self) -> None:
        if getattr(self, "_connection", None) is not None:
            self._disconnect()
