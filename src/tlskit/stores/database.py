"""The file of a SQLiteStore: opened, recognised, and its transactions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3

_APPLICATION = 0x746C736B  # "tlsk", in the file's header
_VERSION = 2
_BY_DEADLINE = (
    "CREATE INDEX entry_deadline ON entry (deadline, put)"  # with `put`: purge reads no values
)
_REMOVED = (
    "CREATE TRIGGER entry_removed AFTER DELETE ON entry "
    "BEGIN UPDATE tally SET entries = entries - 1; END"
)
_TALLY = (  # the number of entries, which SQLite would have to count
    "CREATE TABLE tally (entries INTEGER NOT NULL)",
    "INSERT INTO tally SELECT count(*) FROM entry",
    "CREATE TRIGGER entry_added AFTER INSERT ON entry "
    "BEGIN UPDATE tally SET entries = entries + 1; END",
    _REMOVED,
)
_SCHEMA = (
    """
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key BLOB NOT NULL,
        value BLOB NOT NULL,
        put REAL NOT NULL,
        deadline REAL NOT NULL
    )
    """,
    "CREATE INDEX entry_key ON entry (key, id)",
    _BY_DEADLINE,
    *_TALLY,
)
#: By version of a file: what makes it one of this version.
_STEPS = {0: _SCHEMA, 1: ("DROP INDEX entry_deadline", _BY_DEADLINE, *_TALLY)}


def connect(path: str, timeout: float) -> sqlite3.Connection:
    """Connect to a store's file; an empty file becomes a store."""
    import sqlite3  # not at the top: some Pythons are built without it

    connection = sqlite3.connect(
        path, timeout=timeout, isolation_level=None, check_same_thread=False
    )
    try:
        # Windows does not remove a journal that another connection has open. SQLite would, after
        # rolling back what a process left that died, and after each transaction.
        left = _has_content(path + "-journal")
        if left:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = _version(connection, path)
        for setting in (
            "journal_mode = TRUNCATE",
            "synchronous = OFF",
            "secure_delete = FAST",
            "cache_size = -512",
            "locking_mode = NORMAL",
        ):
            connection.execute(f"PRAGMA {setting}").fetchall()
        if left:
            version = _version(connection, path)  # the end of a transaction gives up the lock
        if version != _VERSION:
            with transaction(connection, "IMMEDIATE"):
                for statement in _STEPS.get(_version(connection, path), ()):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _has_content(path: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.getsize(path) > 0
    return False


def _version(connection: sqlite3.Connection, path: str) -> int:
    """Return the version of a store's file, at most this one's, or 0 if it is empty."""
    try:
        with transaction(connection, "DEFERRED"):  # as of one moment
            ((application,),) = connection.execute("PRAGMA application_id").fetchall()
            ((version,),) = connection.execute("PRAGMA user_version").fetchall()
            ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except Exception as error:
        if not damaged(error) or _is_ours(connection):
            raise
        raise ValueError(
            f"{path} is not an SQLite database, or is damaged; it was left unchanged"
        ) from None
    if application == _APPLICATION and 1 <= version <= _VERSION:
        return int(version)
    if application == _APPLICATION:
        raise ValueError(
            f"{path} is a session store of version {version}, and this tlskit reads versions up to "
            f"{_VERSION}: use another file"
        )
    if application or version or tables:
        raise ValueError(f"{path} is another program's database; it was left unchanged")
    return 0


class Usage(NamedTuple):
    """How many entries there are, and how many bytes of the file are in use. Deleted rows leave
    room for new ones.
    """

    entries: int
    bytes: int


def usage(connection: sqlite3.Connection) -> Usage:
    """Return how full the file is. This takes as long in a large file as in a small one."""
    query = (
        "SELECT entries, (page_count - freelist_count) * page_size "
        "FROM tally, pragma_page_count, pragma_freelist_count, pragma_page_size"
    )
    ((entries, used),) = connection.execute(query).fetchall()
    return Usage(entries, used)


def clear(connection: sqlite3.Connection) -> int:
    """Drop everything, and return how many entries that was. Without the trigger, SQLite does not
    visit each row.
    """
    with transaction(connection, "IMMEDIATE"):
        connection.execute("DROP TRIGGER entry_removed")
        count = connection.execute("DELETE FROM entry").rowcount
        connection.execute("UPDATE tally SET entries = 0")
        connection.execute(_REMOVED)
    return count


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether a damaged file was a store. With `writable_schema`, SQLite reads what it can."""
    with contextlib.suppress(Exception):
        connection.execute("PRAGMA writable_schema = ON")
        return bool(connection.execute("PRAGMA application_id").fetchall() == [(_APPLICATION,)])
    return False


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """Run the block as one transaction. IMMEDIATE locks out other writers from the start. Inside
    another transaction, the block becomes part of that one.
    """
    if connection.in_transaction:
        yield
        return
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def busy(error: Exception) -> bool:
    """Whether this error means that another process was using the file. Nothing was changed."""
    return type(error).__module__ == "sqlite3" and "is locked" in str(error)


def damaged(error: Exception) -> bool:
    """Whether SQLite blames the file's content. Python 3.10 has no error codes: there the message
    decides.
    """
    return (
        type(error).__module__ == "sqlite3"
        and type(error).__name__ == "DatabaseError"
        and any(words in str(error) for words in ("malformed", "not a database"))
    )


def without_tables(error: Exception) -> bool:
    """Whether this error means that a table is missing: somebody has emptied the file."""
    return type(error).__module__ == "sqlite3" and str(error).startswith(
        ("no such table", "no such trigger")
    )
