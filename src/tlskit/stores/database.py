"""The file of a SQLiteStore: opened, recognised, and its transactions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_APPLICATION = 0x746C736B  # "tlsk", in the file's header
_VERSION = 1
_SCHEMA = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    put REAL NOT NULL,
    deadline REAL NOT NULL
);
CREATE INDEX entry_key ON entry (key, id);
CREATE INDEX entry_deadline ON entry (deadline);
"""


def connect(path: str, timeout: float) -> sqlite3.Connection:
    """Connect to a store's file; an empty file becomes a store."""
    import sqlite3  # not at the top: some Pythons are built without it

    connection = sqlite3.connect(
        path, timeout=timeout, isolation_level=None, check_same_thread=False
    )
    try:
        if _version(connection, path) == 0:
            with transaction(connection, "IMMEDIATE"):
                if _version(connection, path) == 0:
                    for statement in _SCHEMA.split(";")[:-1]:
                        connection.execute(statement)
                    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                    connection.execute(f"PRAGMA user_version = {_VERSION}")
        for setting in (
            "journal_mode = TRUNCATE",
            "synchronous = OFF",
            "secure_delete = FAST",
            "cache_size = -512",
        ):
            connection.execute(f"PRAGMA {setting}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection, path: str) -> int:
    """Return the version of a store's file, or 0 if it is empty."""
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
    if application == _APPLICATION and version == _VERSION:
        return _VERSION
    if application == _APPLICATION:
        raise ValueError(
            f"{path} is a session store of version {version}, and this tlskit reads version "
            f"{_VERSION}: use another file"
        )
    if application or version or tables:
        raise ValueError(f"{path} is another program's database; it was left unchanged")
    return 0


def bytes_used(connection: sqlite3.Connection) -> int:
    """Return how many bytes of the file are in use. Deleted rows leave room for new ones."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchall()[0][0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


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
