"""SQLiteStore: the contract, many processes, damage of every kind, and the clock."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from functools import partial

import pytest

from tlskit import SQLiteStore
from tlskit.stores import contract
from tlskit.stores.guard import Guard

from ...support import inside
from ...support.pairs import Background
from .test_memory import Clock

sqlite3 = pytest.importorskip("sqlite3")

ONE, TWO = b"1" * 32, b"2" * 32
KEY = b"k" * 32


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "sessions.db")


class TestContract(contract.StoreContract):
    """With a file of its own for each test, and a clock of the test's own."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def make_store(self):
        self.clock = Clock()
        return SQLiteStore(self.folder / "sessions.db", timeout=10, clock=self.clock)

    def wait(self, seconds):
        self.clock.sleep(seconds)


def test_the_contract_holds_on_one_file_with_the_real_clock(path):
    contract.check(lambda: SQLiteStore(path, timeout=10))


def rows(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT key, value FROM entry ORDER BY id").fetchall()


def change(path, statement, *arguments):
    """As another program would. It leaves the journal where it is, which the store may have open:
    Windows does not remove an open file.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = PERSIST").fetchall()
        connection.execute(statement, arguments)


def make_it_of_the_first_version(path):
    for statement in (
        "DROP TRIGGER entry_added", "DROP TRIGGER entry_removed", "DROP TABLE tally",
        "DROP INDEX entry_deadline", "CREATE INDEX entry_deadline ON entry (deadline)",
        "PRAGMA user_version = 1",
    ):  # fmt: skip
        change(path, statement)


_removes_open_files = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows does not remove or replace a file that SQLite has open"
)


# -- the file --------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system's modes say nothing of others")
@pytest.mark.parametrize("umask", [0o000, 0o777], ids=oct)
def test_all_files_are_private(path, umask):
    before = os.umask(umask)
    try:
        store = SQLiteStore(path)
        store.put(KEY, b"v", 60)
        names = sorted(os.listdir(os.path.dirname(path)))
        assert names == ["sessions.db", "sessions.db-journal", "sessions.db.key"]
        assert {
            stat.S_IMODE(os.stat(os.path.join(os.path.dirname(path), name)).st_mode)
            for name in names
        } == {0o600}
        store.close()
    finally:
        os.umask(before)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system's modes say nothing of others")
@pytest.mark.parametrize("ending", ["", ".key"])
def test_files_that_others_may_use_are_refused(path, ending):
    SQLiteStore(path).close()
    os.chmod(path + ending, 0o644)
    with pytest.raises(PermissionError, match="other users may read or write the file"):
        SQLiteStore(path)


def test_no_value_and_no_secret_is_in_the_file(path):
    store = SQLiteStore(path)
    store.put(KEY, b"the session itself", 60)
    with open(path, "rb") as file, open(path + ".key", "rb") as key:
        content, secret = file.read(), key.read().strip()
    assert KEY in content
    assert b"the session itself" not in content
    assert secret not in content
    assert bytes.fromhex(secret.decode()) not in content
    store.close()


def test_with_a_secret_of_ones_own_there_is_no_key_file(path):
    store = SQLiteStore(path, secret=ONE)
    store.put(KEY, b"v", 60)
    store.close()
    assert not os.path.exists(path + ".key")
    store = SQLiteStore(path, secret=ONE)
    assert store.take(KEY) == b"v"
    store.close()


def test_it_lasts(path):
    store = SQLiteStore(path)
    store.put(KEY, b"v", 60)
    store.close()
    again = SQLiteStore(path)
    assert again.take(KEY) == b"v"
    again.close()


def test_the_way_there_may_change(path, tmp_path, monkeypatch):
    """A relative path means the folder in which the store was made."""
    monkeypatch.chdir(tmp_path)
    store = SQLiteStore("sessions.db")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    store.close()
    store = SQLiteStore(path)
    assert store.path == path
    store.close()


def test_nothing_secret_shows(path):
    store = SQLiteStore(path, secret=ONE)
    assert "1" * 16 not in repr(store)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(store)
    store.close()
    assert repr(store).endswith("closed>")


def test_what_is_dropped_is_closed_quietly(path):
    store = SQLiteStore(path)
    del store
    os.remove(path)


# -- what may be in its place ----------------------------------------------------------------------


def test_a_file_of_another_program_is_left_as_it_is(path):
    with open(path, "w", encoding="ascii") as file:
        file.write("my memoirs\n" * 1000)
    os.chmod(path, 0o600)
    with pytest.raises(ValueError, match="not an SQLite database"):
        SQLiteStore(path)
    with open(path, encoding="ascii") as file:
        assert file.read() == "my memoirs\n" * 1000


def test_a_database_of_another_program_is_left_as_it_is(path):
    change(path, "CREATE TABLE memoirs (page TEXT)")
    os.chmod(path, 0o600)
    with pytest.raises(ValueError, match="another program"):
        SQLiteStore(path)
    change(path, "INSERT INTO memoirs VALUES ('one')")


def test_a_later_version_is_refused(path):
    SQLiteStore(path).close()
    change(path, "PRAGMA user_version = 3")
    with pytest.raises(ValueError, match="is a session store of version 3"):
        SQLiteStore(path)


def test_a_file_of_the_first_version_is_kept(path):
    store = SQLiteStore(path, secret=ONE)
    store.put(KEY, b"v", 60)
    store.close()
    make_it_of_the_first_version(path)
    store = SQLiteStore(path, secret=ONE, size=1)
    assert store.get(KEY) == b"v"
    store.put(TWO, b"w", 60)
    assert [row[0] for row in rows(path)] == [TWO]
    store.close()


def test_an_empty_file_is_as_good_as_none(path):
    with open(path, "wb"):
        pass
    os.chmod(path, 0o600)
    store = SQLiteStore(path)
    store.put(KEY, b"v", 60)
    assert store.take(KEY) == b"v"
    store.close()


def filled(path, count=200):
    store = SQLiteStore(path)
    for number in range(count):
        store.put(b"%d" % number, b"v" * 500, 3600)
    return store


def damage(path, at, content=b"\xff" * 3000):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)


def not_renamed(monkeypatch):
    """Refuse to rename a database, or its journal, as Windows does while another store or process
    has it open.
    """
    if sys.platform == "win32":
        return
    rename = os.replace

    def refusing(source, target):
        if os.fspath(source).endswith(("sessions.db", "sessions.db-journal")):
            raise PermissionError(errno.EACCES, "Sharing violation", source, None, target)
        rename(source, target)

    monkeypatch.setattr(os, "replace", refusing)


@pytest.fixture(params=["renamed", "emptied"])
def way(request, monkeypatch):
    """How a damaged file is set aside. On Windows, where it is open."""
    if request.param == "emptied":
        not_renamed(monkeypatch)
    elif sys.platform == "win32":
        pytest.skip("Windows does not rename a file that is open")
    return request.param


@pytest.mark.parametrize("at", [0, 4096, 8192, 20000])
def test_a_file_that_is_damaged_while_it_is_open_is_set_aside(path, at, caplog, way):
    store = filled(path)
    other = SQLiteStore(path)
    damage(path, at, b"\xff" * 60000)
    for number in range(200, 210):
        store.put(b"%d" % number, b"new", 60)
    assert store.take(b"205") == b"new"
    other.put(b"other", b"other", 60)
    assert store.take(b"other") == b"other"
    with open(path + ".damaged", "rb") as file:
        assert b"\xff" * 20000 in file.read()
    assert caplog.text.count("is damaged") == 1
    assert f"was {'renamed' if way == 'renamed' else 'copied'} to" in caplog.text
    names = {"sessions.db", "sessions.db-journal", "sessions.db.key", "sessions.db.damaged"}
    assert set(os.listdir(os.path.dirname(path))) - names <= {"sessions.db.damaged-journal"}
    store.close()
    other.close()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system's modes say nothing of others")
def test_the_copy_of_a_damaged_file_is_private(path, monkeypatch):
    store = filled(path)
    damage(path, 0)
    not_renamed(monkeypatch)
    before = os.umask(0)
    try:
        store.put(KEY, b"v", 60)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path + ".damaged").st_mode) == 0o600
    store.close()


def test_a_file_that_others_keep_using_is_not_emptied(path, monkeypatch):
    """It stays as it is for the time-out. Later it is set aside, and the store works again."""
    store = SQLiteStore(path, timeout=0.05)
    store.put(KEY, b"v", 60)
    size = os.path.getsize(path)
    not_renamed(monkeypatch)
    reader = child(
        """
        import sqlite3
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM entry").fetchall()
        print("reading", flush=True)
        sys.stdin.read(1)
        """,
        path,
    )
    assert reader.stdout.readline().strip() == b"reading"
    damage(path, 0, b"\xff" * 100)
    with pytest.raises(TimeoutError, match="damaged, and other processes are using it"):
        store.put(KEY, b"w", 60)
    assert os.path.getsize(path) == size
    assert not os.path.exists(path + ".damaged")
    reader.stdin.write(b"x")
    outputs([reader])
    store.put(KEY, b"w", 60)
    assert store.take(KEY) == b"w"
    store.close()


def test_a_file_that_another_process_has_just_emptied_is_left_to_it(path, monkeypatch):
    """Two find the damage at once: the second one does not empty the file again, nor replace what
    the first one has kept.
    """
    store, other = filled(path), SQLiteStore(path)
    assert other.get(b"7") is not None
    damage(path, 0, b"\xff" * 60000)
    not_renamed(monkeypatch)
    refused = os.replace

    def overtaken(source, target):
        monkeypatch.setattr(os, "replace", refused)
        store.put(KEY, b"v", 60)
        refused(source, target)

    monkeypatch.setattr(os, "replace", overtaken)
    other.put(TWO, b"w", 60)
    assert store.take(KEY) == b"v"
    assert store.take(TWO) == b"w"
    assert os.path.getsize(path + ".damaged") > 60000
    store.close()
    other.close()


@pytest.mark.parametrize("size", [0, 4096])
def test_a_file_that_was_emptied_while_it_is_open_is_a_new_one(path, size):
    store, other = SQLiteStore(path), SQLiteStore(path)
    store.put(KEY, b"v", 60)
    assert other.get(KEY) == b"v"
    os.truncate(path, size)
    assert store.take(KEY) is None
    for number in range(20):
        store.put(b"%d" % number, b"w", 60)
    assert other.take(b"7") == b"w"
    other.put(KEY, b"x", 60)
    assert store.take(KEY) == b"x"
    store.close()
    other.close()


@pytest.mark.parametrize("call", ["put", "take", "get", "remove", "purge", "entries", "clear"])
def test_a_file_that_is_emptied_during_a_call_is_a_new_one(path, call, monkeypatch):
    """After the look at the file, and before SQLite's."""
    store = SQLiteStore(path, secret=ONE)
    store.put(KEY, b"v", 60)
    look = SQLiteStore._current

    def emptied_after(self):
        found = look(self)
        monkeypatch.setattr(SQLiteStore, "_current", look)
        os.truncate(path, 0)
        return found

    monkeypatch.setattr(SQLiteStore, "_current", emptied_after)
    arguments = {"put": (KEY, b"w", 60), "take": (KEY,), "get": (KEY,), "remove": (KEY,)}
    found = getattr(store, call)(*arguments.get(call, ()))
    assert not (list(found) if call == "entries" else found)
    assert store.take(KEY) == (b"w" if call == "put" else None)
    store.close()


def test_a_database_that_lost_its_tables_is_an_error(path):
    store = SQLiteStore(path)
    change(path, "DROP TABLE entry")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store.take(KEY)
    assert not os.path.exists(path + ".damaged")
    store.close()


def test_no_journal_is_removed(path):
    """On Windows a journal stays open between transactions, and an open file cannot be removed:
    SQLite would fail with "disk I/O error".
    """
    store = SQLiteStore(path, secret=ONE)
    journal = os.stat(path + "-journal").st_ino
    store.put(KEY, b"v", 60)
    make_it_of_the_first_version(path)
    other = SQLiteStore(path, secret=ONE)  # of a later version: it writes when it opens the file
    assert other.take(KEY) == b"v"
    assert os.stat(path + "-journal").st_ino == journal
    store.close()
    other.close()


def test_a_journal_that_a_process_left_is_rolled_back_and_stays(path):
    """As after a process died in the middle of a transaction: the next one opens the file, also on
    Windows, where another one may have the journal open.
    """
    store = SQLiteStore(path, secret=ONE)
    store.put(KEY, b"v", 60)
    with open(path, "rb") as file:
        whole = file.read()
    with inside.lock_of(store):
        connection = store._current()
        connection.execute("PRAGMA cache_size = 2")  # so that it writes before the end
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM entry")
        for number in range(50):
            connection.execute(
                "INSERT INTO entry (key, value, put, deadline) VALUES (?, zeroblob(3000), 0, 1e12)",
                (b"%d" % number,),
            )
        with open(path, "rb") as file, open(path + "-journal", "rb") as journal:
            halfway, left = file.read(), journal.read()
        connection.execute("ROLLBACK")
    assert halfway != whole
    damage(path, 0, halfway)
    damage(path + "-journal", 0, left)
    number = os.stat(path + "-journal").st_ino
    other = SQLiteStore(path, secret=ONE)
    assert other.get(KEY) == b"v"
    assert [entry.key for entry in other.entries()] == [KEY]
    assert os.stat(path + "-journal").st_ino == number
    store.put(TWO, b"w", 60)  # nobody holds a lock
    assert other.take(TWO) == b"w"
    store.close()
    other.close()


def test_a_file_that_is_damaged_between_two_runs_is_set_aside_or_refused(path):
    """The store can tell that it is its own while the first page is whole."""
    filled(path).close()
    damage(path, 4096, b"\xff" * 100_000)
    store = SQLiteStore(path)
    store.put(b"new", b"new", 60)
    assert store.take(b"new") == b"new"
    assert store.take(b"7") is None
    store.close()


@pytest.mark.parametrize("size", [0, 100, 1000, 4096, 10_000, 50_000])
def test_a_file_that_was_cut_off_is_set_aside(path, size):
    filled(path).close()
    os.truncate(path, size)
    store = SQLiteStore(path)
    assert os.path.exists(path + ".damaged") == (size > 0)
    store.put(b"new", b"new", 60)
    assert store.take(b"new") == b"new"
    store.close()


def test_every_byte_of_a_small_file_flipped(path):
    """Whatever is damaged: what comes out is what was put in, or nothing, or an error that a guard
    catches.
    """
    store = SQLiteStore(path)
    store.put(KEY, b"v", 3600)
    store.close()
    with open(path, "rb") as file:
        whole = file.read()
    interesting = [at for at in range(len(whole)) if whole[at]] + list(range(0, len(whole), 509))
    for at in interesting:
        changed = bytearray(whole)
        changed[at] ^= 0xFF
        with open(path, "wb") as file:
            file.write(changed)
        try:
            store = SQLiteStore(path)
        except (ValueError, sqlite3.Error, TimeoutError):
            continue
        assert Guard(store).take(KEY).value in (b"v", None)
        store.close()


def test_entries_that_were_changed_are_left_out_and_counted(path):
    store = SQLiteStore(path, secret=ONE)
    for statement in (
        "UPDATE entry SET value = x'00'",
        "UPDATE entry SET value = 'text'",
        "UPDATE entry SET value = 7",
        "UPDATE entry SET value = substr(value, 1, length(value) - 1)",
        "UPDATE entry SET value = zeroblob(100)",
    ):
        store.put(KEY, b"v", 3600)
        change(path, statement)
        assert store.get(KEY) is None
        assert list(store.entries()) == []
        assert store.take(KEY) is None
    assert store.unreadable == 15
    change(
        path,
        "INSERT INTO entry (key, value, put, deadline) VALUES ('text', 'text', 'text', 'text')",
    )
    assert list(store.entries()) == []
    store.close()


def test_an_entry_that_was_moved_to_another_key_is_left_out(path):
    store = SQLiteStore(path)
    store.put(b"evil.example", b"v", 3600)
    change(path, "UPDATE entry SET key = ?", KEY)
    assert store.take(KEY) is None
    assert store.unreadable == 1
    store.close()


def test_secrets_rotate(path):
    store = SQLiteStore(path, secret=ONE)
    store.put(KEY, b"1", 3600, most=3)
    store.close()
    both = SQLiteStore(path, secret=[TWO, ONE])
    both.put(KEY, b"2", 3600, most=3)
    both.put(KEY, b"3", 3600, most=3)
    assert both.remove(KEY, b"1") is True
    both.put(KEY, b"4", 3600, most=3)
    both.close()
    new = SQLiteStore(path, secret=TWO)
    assert [new.take(KEY) for _ in range(4)] == [b"4", b"3", b"2", None]
    new.close()


def test_a_secret_that_is_gone_is_no_error(path):
    store = SQLiteStore(path)
    store.put(KEY, b"v", 3600)
    store.close()
    os.remove(path + ".key")
    store = SQLiteStore(path)
    assert store.take(KEY) is None
    assert store.unreadable == 1
    store.close()


# -- what may happen to it -------------------------------------------------------------------------


@_removes_open_files
def test_a_file_that_was_removed_is_made_again(path):
    store = SQLiteStore(path)
    store.put(KEY, b"v", 60)
    os.remove(path)
    assert store.take(KEY) is None
    store.put(KEY, b"w", 60)
    other = SQLiteStore(path)
    assert other.take(KEY) == b"w"
    store.close()
    other.close()


@_removes_open_files
def test_a_file_that_was_replaced_is_noticed(path, tmp_path):
    store = SQLiteStore(path, secret=ONE)
    store.put(KEY, b"old", 60)
    another = SQLiteStore(tmp_path / "another.db", secret=ONE)
    another.put(KEY, b"new", 60)
    another.close()
    os.replace(tmp_path / "another.db", path)
    assert store.take(KEY) == b"new"
    store.close()


@_removes_open_files
def test_a_file_that_others_may_use_from_now_on_is_not_opened_again(path):
    store = SQLiteStore(path)
    os.remove(path)
    with open(path, "wb"):
        os.chmod(path, 0o666)
    assert "PermissionError" in Guard(store).take(KEY).trouble
    store.close()


def test_while_another_one_writes_it_waits_for_its_timeout(path):
    store = SQLiteStore(path, timeout=0.05)
    store.put(KEY, b"v", 60)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    for call in (
        lambda: store.take(KEY),
        lambda: store.get(KEY),
        lambda: store.put(KEY, b"w", 60),
        lambda: store.remove(KEY),
        store.purge,
    ):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            call()
    writer.execute("ROLLBACK")
    writer.close()
    assert store.take(KEY) == b"v"
    store.close()


def test_threads_wait_for_each_other_for_the_timeout_only(path):
    store = SQLiteStore(path, timeout=0.05)
    with inside.lock_of(store), pytest.raises(TimeoutError, match="other threads"):
        store.take(KEY)
    store.close()


def test_a_call_that_is_interrupted_leaves_no_transaction(path, monkeypatch):
    store = SQLiteStore(path)
    store.put(KEY, b"v", 60)

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SQLiteStore, "_trim", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.put(KEY, b"w", 60)
    other = SQLiteStore(path, timeout=0)
    assert other.take(KEY) == b"v"
    other.close()
    store.close()


def test_a_full_disk_is_an_error_and_no_damage(path):
    """A file may not grow: the put fails as a whole, what was there stays, and goes on working."""
    resource = pytest.importorskip("resource")
    store = filled(path, 50)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path), before[1]))
    try:
        with pytest.raises(sqlite3.Error):
            store.put(b"more", b"x" * 1_000_000, 60)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert store.take(b"7") == b"v" * 500
    store.put(b"new", b"x" * 50_000, 60)
    assert store.take(b"new") == b"x" * 50_000
    assert not os.path.exists(path + ".damaged")
    store.close()


def test_a_file_that_cannot_be_written_gives_nothing_away(path):
    """To take without deleting would be to take twice."""
    store = SQLiteStore(path)
    store.put(KEY, b"v", 60)
    store._current().execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.take(KEY)
    assert store.get(KEY) == b"v"
    assert Guard(store).take(KEY).value is None
    store.close()


# -- bounds and time -------------------------------------------------------------------------------


def test_the_number_of_values_is_bounded_and_the_newest_stay(path):
    store = SQLiteStore(path, size=50)
    for number in range(200):
        store.put(b"%d" % number, b"v", 60)
    assert [row[0] for row in rows(path)] == [b"%d" % number for number in range(150, 200)]
    store.close()


def test_a_large_store_is_bounded_too(path):
    store = SQLiteStore(path, size=300)
    for number in range(1000):
        store.put(b"%d" % number, b"v", 60)
        if number % 100 == 99:
            assert len(rows(path)) <= 303
    store.close()


def test_the_number_of_bytes_is_bounded_too(path):
    store = SQLiteStore(path, size=90, disk=5_000_000)
    for number in range(200):
        store.put(b"%d" % number, b"x" * 500_000, 60)
        assert store.get(b"%d" % number) is not None
    assert os.path.getsize(path) < 6_500_000
    assert len(rows(path)) >= 6
    store.put(b"large", b"x" * 1_000_000, 60)
    assert store.take(b"large") is not None
    store.close()


def test_large_values_do_not_exceed_the_bytes_while_small_ones_are_evicted(path):
    store = SQLiteStore(path, disk=4_000_000)
    many(store, 2000, b"x" * 1500)
    for number in range(40):
        store.put(b"%d" % number, b"x" * 1_000_000, 60)
        assert os.path.getsize(path) < 6_500_000
    assert store.get(b"39") is not None
    store.close()


def test_a_file_filled_under_larger_limits_shrinks_a_few_values_at_a_time(path):
    """As when a program with other limits comes upon it: a handshake does not wait for that."""
    store = SQLiteStore(path)
    many(store, 500, b"x" * 1500)
    store.close()
    for limits in ({"size": 10}, {"disk": 1 << 16}):
        store, before = SQLiteStore(path, **limits), len(rows(path))
        store.put(KEY, b"v", 60)
        assert before - 20 < len(rows(path)) < before
        store.close()
    store = SQLiteStore(path, size=10)
    for number in range(250):
        store.put(b"new %d" % number, b"v", 60)
    assert len(rows(path)) == 10
    store.close()


def many(store, count, value=b"v", seconds=3600.0):
    """Put many values at once, each under a key of its own."""
    with inside.lock_of(store):
        connection, now = store._current(), store._now()
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO entry (key, value, put, deadline) VALUES (?, ?, ?, ?)",
            (
                (key := b"many %d" % number, store._seal.close(key, value), now, now + seconds)
                for number in range(count)
            ),
        )
        connection.execute("COMMIT")


def steps_of(store, call):
    """How many instructions SQLite's machine runs for a call."""
    count = 0

    def step():
        nonlocal count
        count += 1

    store._current().set_progress_handler(step, 1)
    call()
    store._current().set_progress_handler(None, 1)
    return count


@pytest.mark.parametrize("full", ["room", "too many", "too large", "expired"])
def test_no_call_works_more_in_a_large_store_than_in_a_small_one(path, full):
    """Counted, not timed. At the limits too, where each put evicts."""

    def measured(count):
        clock = Clock()
        limits = {"too many": {"size": count}, "too large": {"disk": 1 << 16}}.get(full, {})
        store = SQLiteStore(f"{path}{count}", clock=clock, **limits)
        many(store, count, b"x" * 500)
        if full == "expired":
            clock.sleep(3601)
        calls = {
            "put": lambda: store.put(KEY, b"v" * 500, 60, most=2),
            "get": lambda: store.get(KEY),
            "remove": lambda: store.remove(KEY, b"other"),
            "take": lambda: store.take(KEY),
            "miss": lambda: store.take(TWO),
            "entries": lambda: next(store.entries(), None),
            "under": lambda: list(store._entries_under(TWO.hex()[:9])),
        }
        if full == "expired":
            del calls["entries"]  # they are passed over one by one
        steps = {name: steps_of(store, call) for name, call in calls.items()}
        store.close()
        return steps

    small, large = measured(300), measured(3000)
    assert all(large[name] <= small[name] * 1.2 + 20 for name in small), (small, large)


def test_purge_and_clear_of_a_large_store(path):
    """Purge works in batches, so that others have their turn; both count what they drop."""
    clock, looks = Clock(), []
    store = SQLiteStore(path, clock=lambda: looks.append(1) or clock(), size=10_000)
    many(store, 2500, seconds=10.0)
    store.put(KEY, b"v", 3600)
    clock.sleep(11)
    looks.clear()
    assert store.purge() == 2500
    assert len(looks) == 4 + 1  # one for each batch; the last one of each kind finds nothing
    assert [entry.key for entry in store.entries()] == [KEY]
    many(store, 1200)
    assert store._drop_all() == 1201
    assert list(store.entries()) == []
    store.put(KEY, b"v", 3600)
    assert store._current().execute("SELECT entries FROM tally").fetchall() == [(1,)]
    store.close()


def test_processes_that_put_one_value_each_are_bounded(path):
    for number in range(20):
        store = SQLiteStore(path, secret=ONE, size=5)
        store.put(b"%d" % number, b"v", 60)
        store.close()
    assert len(rows(path)) == 5


def test_the_file_does_not_grow_for_ever(path):
    store = SQLiteStore(path, size=50)
    for number in range(100):
        store.put(b"%d" % number, b"v" * 2000, 60)
    size = os.path.getsize(path)
    for number in range(1000):
        store.put(b"%d" % number, b"v" * 2000, 60)
    assert os.path.getsize(path) <= size * 1.2
    store.close()


@pytest.mark.parametrize("size", [0, -1])
def test_a_store_without_room_is_refused(path, size):
    with pytest.raises(ValueError, match="at least 1 value"):
        SQLiteStore(path, size=size)
    with pytest.raises(ValueError, match=f"disk must be at least 65536 bytes, got {size}"):
        SQLiteStore(path, disk=size)
    with pytest.raises(ValueError, match="at least 65536 bytes"):
        SQLiteStore(path, disk=65535)
    assert not os.path.exists(path)


def test_the_smallest_file_holds_what_was_put_last(path):
    store = SQLiteStore(path, disk=65536)
    for number in range(100):
        store.put(b"%d" % number, b"x" * 5000, 60)
        assert store.get(b"%d" % number) == b"x" * 5000
    assert os.path.getsize(path) <= 65536 + 8192
    store.close()


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_what_is_no_file_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="needs a file"):
        SQLiteStore(path)
    assert os.listdir(tmp_path) == []


def test_a_value_that_is_too_large_is_refused(path):
    store = SQLiteStore(path)
    with pytest.raises(ValueError, match="at most 1048576 bytes"):
        store.put(KEY, b"x" * (1048576 + 1), 60)
    store.put(KEY, b"x" * 1048576, 60)
    assert store.take(KEY) == b"x" * 1048576
    store.close()


def test_expired_values_go_with_the_next_put_or_with_purge(path):
    clock = Clock()
    store = SQLiteStore(path, size=1000, clock=clock)
    for number in range(30):
        store.put(b"%d" % number, b"v", 5 if number % 2 else 50)
    clock.sleep(6)
    assert store.purge() == 15
    assert store.purge() == 0
    assert len(list(store.entries())) == 15
    store.close()


def test_a_clock_that_is_set_back_makes_nobody_live_longer(path):
    clock = Clock(1_000_000)
    store = SQLiteStore(path, clock=clock)
    store.put(KEY, b"v", 300)
    for back in (1, 59):
        clock.now = 1_000_000 - back
        assert store.get(KEY) == b"v"
    for back in (61, 3600, 999_999):
        clock.now = 1_000_000 - back
        assert store.get(KEY) is None
        assert store.take(KEY) is None
        assert store.remove(KEY) is False
        assert list(store.entries()) == []
    clock.now = 1_000_000 + 299
    assert store.get(KEY) == b"v"
    clock.now = 1_000_000 - 3600
    assert store.purge() == 1
    store.close()


def test_a_clock_that_is_set_forward_expires_what_there_is(path):
    clock = Clock(0.0)  # a machine without a clock of its own begins in 1970
    store = SQLiteStore(path, clock=clock)
    store.put(KEY, b"v", 7 * 86400)
    clock.now = 1.7e9
    assert store.take(KEY) is None
    store.put(KEY, b"w", 60)
    assert store.take(KEY) == b"w"
    store.close()


# -- many at once ----------------------------------------------------------------------------------


def child(source, *arguments):
    """A Python of its own; what it prints is for the test."""
    program = "import sys\nfrom tlskit import SQLiteStore\n" + textwrap.dedent(source)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )


def outputs(children):
    found = []
    for one in children:
        with one:
            found.append(one.communicate(timeout=120)[0])
        assert one.returncode == 0
    return found


def test_processes_never_take_the_same_value_twice(path):
    """10,000 values, under a few keys, four processes of which one has two threads."""
    store = SQLiteStore(path, timeout=60, size=20_000)
    with inside.lock_of(store):  # all in one transaction: they are put as put() would
        connection = store._current()
        connection.execute("BEGIN")
        for number in range(10_000):
            key = b"%d" % (number % 5)
            sealed = store._seal.close(key, b"%d" % number)
            connection.execute(
                "INSERT INTO entry (key, value, put, deadline) VALUES (?, ?, ?, ?)",
                (key, sealed, 0, 1e12),
            )
        connection.execute("COMMIT")
    children = [
        child(
            """
            store = SQLiteStore(sys.argv[1], timeout=60)
            sys.stdin.read(1)
            for key in (b"0", b"1", b"2", b"3", b"4"):
                while (value := store.take(key)) is not None:
                    print(value.decode())
            """,
            path,
        )
        for _ in range(3)
    ]
    for one in children:
        one.stdin.write(b"x")
        one.stdin.flush()

    def work():
        keys = (b"4", b"3", b"2", b"1", b"0")
        return [value for key in keys for value in iter(partial(store.take, key), None)]

    threads = [Background(work) for _ in range(2)]
    taken = [int(word) for output in outputs(children) for word in output.split()]
    taken += [int(value) for thread in threads for value in thread.result(120)]
    assert len(taken) == 10_000
    assert set(taken) == set(range(10_000))
    store.close()


def test_processes_that_begin_at_once_share_one_file_and_one_secret(path):
    children = [
        child(
            """
            sys.stdin.read(1)
            store = SQLiteStore(sys.argv[1], timeout=60)
            store.put(b"key", sys.argv[2].encode(), 600, most=100)
            """,
            path,
            str(number),
        )
        for number in range(6)
    ]
    for one in children:
        one.stdin.write(b"x")
        one.stdin.flush()
    outputs(children)
    store = SQLiteStore(path)
    assert {store.take(b"key") for _ in range(7)} == {b"%d" % number for number in range(6)} | {
        None
    }
    assert store.unreadable == 0
    store.close()


def test_a_process_that_dies_in_the_middle_damages_nothing(path):
    """Killed while it writes as fast as it can: the next one finds a whole file."""
    for _ in range(5):
        victim = child(
            """
            store = SQLiteStore(sys.argv[1], timeout=60)
            print("ready", flush=True)
            while True:
                for number in range(100):
                    store.put(b"%d" % number, b"v" * 3000, 600, most=3)
                    store.take(b"%d" % (number // 2))
            """,
            path,
        )
        with victim:
            said = victim.stdout.readline()
            victim.kill()  # before anything fails: `with` waits for its end
        assert said.strip() == b"ready"
    store = SQLiteStore(path, timeout=60)
    store.put(KEY, b"v", 60)
    assert store.take(KEY) == b"v"
    assert store._current().execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not os.path.exists(path + ".damaged")
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_waits_for_the_end_of_a_call_and_the_child_has_its_own_connection(path):
    """Threads write while the process forks again and again; children use the store, and end in the
    ordinary way.
    """
    program = child(
        """
        import os, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        store, done = SQLiteStore(sys.argv[1], timeout=60), threading.Event()

        def work(number):
            while not done.is_set():
                store.put(b"%d" % number, b"v" * 3000, 600, most=3)
                store.take(b"%d" % number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for turn in range(15):
            pid = os.fork()
            if not pid:
                store.put(b"child", b"%d" % turn, 600, most=20)
                assert store.get(b"child") == b"%d" % turn
                sys.exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        done.set()
        for thread in threads:
            thread.join()
        print([store.take(b"child").decode() for _ in range(15)])
        """,
        path,
    )
    (said,) = outputs([program])
    assert said.decode().strip() == str([str(number) for number in reversed(range(15))])
    store = SQLiteStore(path)
    assert store._current().execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not os.path.exists(path + ".damaged")
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.skipif(
    sys.version_info >= (3, 12) and threading.active_count() > 1,
    reason="Python warns of a fork beside threads",
)
def test_a_fork_in_the_middle_of_a_call_of_the_same_thread_does_not_hang(path):
    """As a signal handler may do."""
    store = SQLiteStore(path)
    with inside.lock_of(store):
        pid = os.fork()
        if not pid:
            try:
                store.put(KEY, b"v", 60)
                os._exit(0 if store.take(KEY) == b"v" else 1)
            finally:
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    store.close()
