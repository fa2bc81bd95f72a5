"""SQLiteStore: sessions in a file, shared by many processes and kept across reboots.

Design decisions:

- The journal is a rollback journal, not WAL. A WAL's shared memory does not survive a fork, and a
  rollback journal holds no lock between two calls. `synchronous` is off: a system crash may damage
  the file, a process crash cannot. Setting a damaged file aside is cheaper than flushing to disk in
  every handshake.
- Taking a value means finding its row and deleting the row by its number: the caller whose DELETE
  removed the row owns the value. Row numbers are never reused (AUTOINCREMENT); otherwise a caller
  could delete a row that it has not seen.
- Each process has one connection, and its threads take turns. A fork waits until the parent's
  connection is idle; the child leaves its copy alone and opens its own.
- Times come from the system's clock, which may be changed. An entry from the future is not used, so
  no change of the clock lets a value live more than a minute too long.
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
from .._forks import Forked, watch
from .database import busy, bytes_used, connect, damaged, transaction
from .files import private_file, secret_file
from .seal import Seal, Secrets
from .store import Entry, Unpicklable, check_key, check_value, closed, leave_out, lifetime

if TYPE_CHECKING:
    import sqlite3

_T = TypeVar("_T")

_log = logging.getLogger("tlskit")

_LARGEST = 1 << 20  # bytes in a value
_LARGEST_FILE = 256 << 20  # bytes in all, roughly: peers decide how large their certificates are
# seconds for SQLite's own busy wait: its pauses grow with the time waited, so other processes
# would always come first
_PAUSE = 0.01
_LIVE = "key = ? AND deadline > ? AND put <= ?"
_SKEW = 60.0  # seconds that the clocks of machines that share a file may differ

#: Connections of a parent process, which must neither be used nor closed here.
_abandoned: list[object] = []


class SQLiteStore(Unpicklable, Forked):
    """Keep sessions in an SQLite file that many processes and threads may use at once. The oldest
    values are evicted first.

    The file is created with mode 0600, and refused when other users may read or write it. Values
    are encrypted with `secret`, or else with a secret in a file beside it (`PATH.key`, mode 0600).
    That protects the sessions from anyone who gets only the database (a backup without the key,
    freed disk blocks), but not from anyone who can read both files. For that, pass a secret from
    elsewhere.

    Any thread may use the store. A call takes a few tenths of a millisecond. It waits at most
    `timeout` seconds for other threads, and again for other processes, and then raises TimeoutError
    or sqlite3.OperationalError. A damaged file is renamed to `PATH.damaged`, and a new one is
    begun. The file belongs on a local disk.

    Args:
        path: path of the file, which is created if it does not exist; its folder must exist.
        secret: one secret or a list of them, each at least 16 random bytes: the first one seals,
            all of them open.
        size: the largest number of values; the file also has at most a quarter of a GiB. Both may
            be exceeded a little for a while.
        timeout: how many seconds to wait for other threads, and for other processes.

    Attributes:
        path: the absolute path of the file.
        unreadable: how many values were skipped because they did not open.

    Raises:
        PermissionError: the file, or the secret's, belongs to another user, or others may use it.
        ValueError: the file is not a session store.
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
            raise ValueError(f"size must be at least 1 value, got {size}")
        name = named_path("path", path)
        if not name or name == ":memory:":
            raise ValueError("an SQLiteStore needs a file: MemoryStore keeps sessions in memory")
        self.path: str = os.path.abspath(name)
        self._size, self._timeout, self._now = size, timeout, clock
        self._lock = Lock()
        self._locked_for_fork = False
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
        """Keep `value` under `key` for `seconds`, and drop the oldest values above `most`."""
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
        """Remove and return the newest value under `key`; None if there is none that opens."""
        check_key(key)

        def work(connection: sqlite3.Connection) -> Any:
            while found := self._newest(connection, key):
                if connection.execute("DELETE FROM entry WHERE id = ?", found[:1]).rowcount == 1:
                    return found[1]
            return None

        return self._opened(key, self._use(work))

    def get(self, key: bytes) -> bytes | None:
        """Return the newest value under `key` and keep it; None if there is none that opens."""
        check_key(key)
        found = self._use(lambda connection: self._newest(connection, key))
        return self._opened(key, found[1] if found else None)

    def remove(self, key: bytes, value: bytes | None = None) -> bool:
        """Remove one value, or all values under `key`. Returns whether there was anything."""
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
        """Drop what has expired. Returns the number of values dropped."""
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
        """Iterate over the entries that open, the oldest first. They are read a hundred at a time,
        so this is not a snapshot.
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
        ).fetchall()  # all at once: an unfinished query holds a lock
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
        """Run `work` with the connection, to the file that now has the path; replace the file if
        it turns out to be damaged.
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
                        continue  # SQLite has waited too, but only briefly
                    if not damaged(error) or not whole:
                        raise
                    whole = False
                    self._set_aside(error)
        finally:
            self._lock.release()

    def _current(self) -> sqlite3.Connection:
        """Return the connection; open a new one if the file was removed or replaced, which SQLite
        would not notice.
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
        """Rename a damaged file, its journal first: a new file must not find the old one's
        journal.
        """
        self._disconnect()
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(self.path)
            if (found.st_dev, found.st_ino) == self._file:  # or another process has renamed it
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
