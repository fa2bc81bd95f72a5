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
- The connection is opened again when the path has another file, or the same file has shrunk: a
  store's file never does, unless it is emptied, or a transaction that had written is rolled back.
- No put, take or lookup takes noticeably longer in a large store. The number of entries is kept in
  a row of its own, by triggers, and each put evicts a few rows by an index. `entries` reads and
  `purge` deletes in batches, between which others get their turn.
- Times come from the system's clock, which may be changed. An entry from the future is not used, so
  no change of the clock lets a value live more than a minute too long.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from .._core.paths import named_path, without_values
from .._forks import Forked, watch
from .damage import Trace, emptied, last_set_aside, renamed
from .database import busy, clear, connect, damaged, transaction, usage, without_tables
from .files import private_file, secret_file
from .seal import Seal, Secrets
from .store import Entry, Unpicklable, check_key, check_value, closed, leave_out, lifetime

if TYPE_CHECKING:
    import sqlite3

_T = TypeVar("_T")

_log = logging.getLogger("tlskit")

_LARGEST = 1 << 20  # bytes in a value
_SMALLEST_FILE = 1 << 16  # bytes: an empty one takes half of that
_STEP = 4  # entries that a put drops at most, of those that have expired, and of those in excess
_BATCH = 1000  # entries that purge drops at a time
# seconds for SQLite's own busy wait: its pauses grow with the time waited, so other processes
# would always come first
_PAUSE = 0.01
_LIVE = "key = ? AND deadline > ? AND put <= ?"
_ROW = "SELECT id, key, value, CASE WHEN put <= ? THEN deadline - ? ELSE 0 END FROM entry"
_DROP = "DELETE FROM entry WHERE id IN (SELECT id FROM entry"
_ABOVE = b"\xff" * 256  # above whatever follows the digits that a key begins with
_SKEW = 60.0  # seconds that the clocks of machines that share a file may differ

_Row = tuple[int, bytes, Any, float]  # number, key, value, seconds left

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
    begun. Windows does not rename a file that another process has open: there the damaged file is
    copied to `PATH.damaged`, and emptied. The file belongs on a local disk.

    Args:
        path: path of the file, which is created if it does not exist; its folder must exist.
        secret: one secret or a list of them, each at least 16 random bytes: the first one seals,
            all of them open.
        size: the largest number of values.
        disk: the largest number of bytes that they may take in the file, at least 65536. Peers
            decide how large their certificates are. Each put evicts a few values at most, so a file
            that was filled under larger limits shrinks gradually.
        timeout: how many seconds to wait for other threads, and for other processes.

    Attributes:
        path: the absolute path of the file.
        unreadable: how many values were skipped because they did not open.

    Raises:
        PermissionError: the file, or the secret's, belongs to another user, or others may use it.
        ValueError: the file is not a session store; or `size` or `disk` is too small.
    """

    unreadable: int

    __slots__ = (
        "__weakref__", "_bytes", "_closed", "_connection", "_damage", "_disk", "_file",
        "_last_set_aside", "_lock", "_locked_for_fork", "_now", "_seal", "_size", "_timeout",
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
        disk: int = 256 << 20,
        timeout: float = 0.2,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection: sqlite3.Connection | None = None
        self._closed, self.unreadable = False, 0
        if size < 1:
            raise ValueError(f"size must be at least 1 value, got {size}")
        if disk < _SMALLEST_FILE:
            raise ValueError(f"disk must be at least {_SMALLEST_FILE} bytes, got {disk}")
        name = named_path("path", path)
        if not name or name == ":memory:":
            raise ValueError("an SQLiteStore needs a file: MemoryStore keeps sessions in memory")
        self.path: str = os.path.abspath(name)
        self._size, self._disk, self._timeout, self._now = size, disk, timeout, clock
        self._lock = Lock()
        self._locked_for_fork = False
        self._file: tuple[int, int] | None = None
        self._bytes = 0  # of the file, when it was last looked at
        self._last_set_aside: Trace | None = None
        self._damage: Exception | None = None  # of a file that could not be set aside yet
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
                self._trim(connection, now, len(sealed))

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
        return sum(
            dropped
            for unusable, skew in (("deadline <= ?", 0.0), ("put > ?", _SKEW))
            for dropped in iter(partial(self._use, partial(self._drop_unusable, unusable, skew)), 0)
        )

    def clear(self) -> None:
        """Drop everything."""
        self._drop_all()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def entries(self) -> Iterator[Entry]:
        """Iterate over the entries that open, the oldest first. They are read a hundred at a time,
        so this is not a snapshot.
        """
        return self._entries(self._after)

    def _entries_under(self, digits: str) -> Iterator[Entry]:
        """Iterate over the entries that open and whose keys begin with these hexadecimal digits, by
        key.
        """
        return self._entries(partial(self._after_under, digits))

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

    def _entries(self, after: Callable[..., list[_Row]]) -> Iterator[Entry]:
        rows: list[_Row] = [(0, b"", None, 0.0)]
        while rows := self._use(partial(after, rows[-1])):
            for _, key, sealed, seconds_left in rows:
                value = self._opened(key, sealed) if seconds_left > 0 else None
                if value is not None:
                    yield Entry(key, value, seconds_left)

    def _after(self, last: _Row, connection: sqlite3.Connection) -> list[_Row]:
        """Return the next rows, by number."""
        query = f"{_ROW} WHERE id > ? ORDER BY id LIMIT 100"
        now = self._now()
        return connection.execute(query, (now + _SKEW, now, last[0])).fetchall()

    def _after_under(self, digits: str, last: _Row, connection: sqlite3.Connection) -> list[_Row]:
        """Return the next rows whose keys begin with these digits, by key."""
        whole = len(digits) + len(digits) % 2
        first, end = (bytes.fromhex(digits.ljust(whole, fill)) for fill in "0f")
        query = f"{_ROW} WHERE (key, id) > (?, ?) AND key < ? ORDER BY key, id LIMIT 100"
        now = self._now()
        place = max((first, 0), (last[1], last[0]))
        return connection.execute(query, (now + _SKEW, now, *place, end + _ABOVE)).fetchall()

    def _trim(self, connection: sqlite3.Connection, now: float, added: int) -> None:
        """Drop some of what has expired, and the oldest values while there are too many: about as
        many bytes as were added, or a few more, so that no put takes long.
        """
        connection.execute(f"{_DROP} WHERE deadline <= ? ORDER BY deadline LIMIT ?)", (now, _STEP))
        used = usage(connection)
        if used.entries > self._size:
            self._drop_oldest(connection, min(used.entries - self._size, _STEP))
            used = usage(connection)
        for _ in range(_STEP + added // 128):  # a row takes more than 128 bytes
            if used.entries <= 1 or used.bytes <= self._disk:
                break
            self._drop_oldest(connection, 1)
            used = usage(connection)

    def _drop_oldest(self, connection: sqlite3.Connection, number: int) -> None:
        connection.execute(f"{_DROP} ORDER BY id LIMIT ?)", (number,))

    def _drop_unusable(self, which: str, skew: float, connection: sqlite3.Connection) -> int:
        """Drop a batch of what has expired, or of what comes from the future."""
        return connection.execute(
            f"{_DROP} WHERE {which} ORDER BY deadline LIMIT {_BATCH})", (self._now() + skew,)
        ).rowcount

    def _drop_all(self) -> int:
        return self._use(clear)

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
                    if self._damage is not None:
                        self._set_aside(deadline)
                    return work(self._current())
                except Exception as error:
                    if busy(error) and time.monotonic() < deadline:
                        continue  # SQLite has waited too, but only briefly
                    if not whole:
                        raise
                    whole = False
                    if damaged(error):
                        self._damage = error.with_traceback(None)
                    elif without_tables(error):  # it was emptied after `_current` looked at it
                        self._disconnect()
                    else:
                        raise
        finally:
            self._lock.release()

    def _current(self) -> sqlite3.Connection:
        """Return the connection; open a new one if the file was removed, replaced or emptied, which
        SQLite would not notice, or not in time.
        """
        if self._connection is not None:
            try:
                found = os.stat(self.path)
            except FileNotFoundError:
                found = None
            if (
                found is None
                or (found.st_dev, found.st_ino) != self._file
                or found.st_size < self._bytes
            ):
                self._disconnect()
            else:
                self._bytes = found.st_size
        if self._connection is None:
            found = private_file(self.path)
            self._file, self._bytes = (found.st_dev, found.st_ino), found.st_size
            self._last_set_aside = last_set_aside(self.path)
            self._connection = connect(self.path, min(self._timeout, _PAUSE))
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _set_aside(self, deadline: float) -> None:
        """Set a damaged file aside, unless another process has just done so."""
        self._disconnect()
        try:
            found: os.stat_result | None = os.stat(self.path)
        except FileNotFoundError:
            found = None
        what = ""
        if found is not None and (found.st_dev, found.st_ino) == self._file:
            if renamed(self.path):
                what = "it was renamed to %s.damaged, and a new one was created"
            elif emptied(self.path, self._last_set_aside, deadline):
                what = "it was copied to %s.damaged, and emptied"
        damage, self._damage = self._damage, None
        if what:
            _log.warning(
                "The session store %s is damaged (%s): " + what, self.path, damage, self.path
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
