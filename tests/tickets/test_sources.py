"""Keys from files and from a function: read again when it is time, and those of before stay when
that fails.
"""

from __future__ import annotations

import logging
import math
import os
import threading

import pytest

import tlskit
from tlskit import TicketKeyring

from ..support import pairs
from .conftest import earned, random_key, resumes

AT_ONCE = 1e-9  # seconds between two looks: every connection looks


def connect(client, server):
    pairs.memory_pair(client, server)


def write(path, key):
    """Replace a file, as one should: whoever reads it sees the old one or the new one."""
    fresh = path.with_name("." + path.name)
    fresh.write_bytes(key)
    os.replace(fresh, path)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "keys"
    made.mkdir()
    return made


# -- files -----------------------------------------------------------------------------------------


def test_files_in_their_order(folder):
    keys = [random_key(), random_key(48), random_key()]
    paths = [folder / name for name in ("b", "c", "a")]
    for path, key in zip(paths, keys, strict=True):
        write(path, key)
    assert TicketKeyring.from_files(*paths).dangerous_keys() == keys
    assert TicketKeyring.from_files(str(paths[2])).dangerous_keys() == keys[2:]


def test_directory(folder):
    """The last name encrypts; hidden files and folders are nothing."""
    keys = [random_key() for _ in range(3)]
    for name, key in zip(("2026-01-02.key", "2026-01-01.key", "2025-12-31.key"), keys, strict=True):
        write(folder / name, key)
    (folder / ".swap").write_bytes(b"x")
    (folder / "zzz").mkdir()
    assert TicketKeyring.from_files(folder).dangerous_keys() == keys


def test_changes_are_seen_by_the_next_connection(client, make_server, folder):
    old, new = random_key(), random_key()
    write(folder / "1", old)
    ring = TicketKeyring.from_files(folder, every=AT_ONCE)
    server = make_server(ring)
    session = earned(client, server)
    write(folder / "2", new)
    assert resumes(client, server, session)
    assert ring.dangerous_keys() == [new, old]
    assert ring.stats().renewed == 1
    (folder / "1").unlink()
    assert not resumes(client, server, session)
    assert ring.stats().retired == 1


def test_nobody_looks_before_it_is_time(client, make_server, folder):
    write(folder / "1", random_key())
    ring = TicketKeyring.from_files(folder, every=3600)
    server = make_server(ring)
    write(folder / "2", random_key())
    connect(client, server)
    assert len(ring.names) == 1
    assert ring.refresh() is True
    assert ring.refresh() is False
    assert len(ring.names) == 2


def test_clients_look_at_nothing(client, make_server, folder):
    write(folder / "1", random_key())
    ring = TicketKeyring.from_files(folder, every=AT_ONCE)
    make_server(ring)
    write(folder / "1", random_key())
    before = ring.names
    client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    assert ring.names == before


@pytest.mark.parametrize(
    "content",
    [b"", b"x", random_key(79), random_key(81), bytes(80)],
    ids=["empty", "short", "79", "81", "zeros"],
)
def test_broken_file(client, make_server, folder, caplog, content):
    """Those of before go on; one warning says so, until it works again."""
    key = random_key()
    path = folder / "key"
    write(path, key)
    ring = TicketKeyring.from_files(path, every=AT_ONCE)
    server = make_server(ring)
    session = earned(client, server)
    write(path, content)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert resumes(client, server, session)
    assert ring.dangerous_keys() == [key]
    assert isinstance(ring.problem, ValueError)
    assert str(path) in str(ring.problem)
    assert [record.name for record in caplog.records] == ["tlskit.tickets"]
    with pytest.raises(ValueError, match="is not a ticket key"):
        ring.refresh()
    with pytest.raises(ValueError, match="is not a ticket key"):
        TicketKeyring.from_files(path)
    write(path, other := random_key())
    connect(client, server)
    assert ring.problem is None
    assert ring.dangerous_keys() == [other]


def test_file_that_is_gone(client, make_server, folder):
    write(folder / "key", key := random_key())
    ring = TicketKeyring.from_files(folder / "key", every=AT_ONCE)
    server = make_server(ring)
    (folder / "key").unlink()
    connect(client, server)
    assert isinstance(ring.problem, FileNotFoundError)
    assert ring.dangerous_keys() == [key]
    write(folder / "key", key)
    connect(client, server)
    assert ring.problem is None


def test_empty_directory(folder):
    with pytest.raises(ValueError, match="no file with a ticket key"):
        TicketKeyring.from_files(folder)


def test_no_files():
    with pytest.raises(TypeError):
        TicketKeyring.from_files()
    with pytest.raises(FileNotFoundError):
        TicketKeyring.from_files("/nowhere/at/all")


def test_what_comes_from_files_is_changed_there(folder):
    write(folder / "key", random_key())
    ring = TicketKeyring.from_files(folder)
    with pytest.raises(ValueError, match="call refresh"):
        ring.rotate()
    with pytest.raises(ValueError, match="from elsewhere"):
        ring.set_keys([random_key()])


@pytest.mark.parametrize("every", [0, -1, math.nan])
def test_time_between_two_looks(folder, every):
    write(folder / "key", random_key())
    with pytest.raises(ValueError, match="more than 0 seconds"):
        TicketKeyring.from_files(folder, every=every)


# -- a function ------------------------------------------------------------------------------------


def test_function_is_asked_again(client, make_server):
    keys = [random_key()]
    ring = TicketKeyring.from_callback(lambda: keys, every=AT_ONCE)
    server = make_server(ring)
    session = earned(client, server)
    keys.insert(0, random_key(48))
    assert resumes(client, server, session)
    assert ring.dangerous_keys() == keys
    assert ring.stats().renewed == 1


def test_function_that_raises(client, make_server, caplog):
    answers = [
        [random_key()],
        OSError("the vault is closed"),
        OSError("still"),
        [b"short"],
        [random_key()],
    ]

    def function():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ring = TicketKeyring.from_callback(function, every=AT_ONCE)
    server = make_server(ring)
    before = ring.names
    with caplog.at_level(logging.WARNING):
        for words in ("the vault is closed", "still", "48 or 80 bytes"):
            connect(client, server)
            assert words in str(ring.problem)
            assert ring.names == before
    assert len(caplog.records) == 1
    assert "the vault is closed" in caplog.text
    connect(client, server)
    assert ring.problem is None
    assert ring.names != before


def test_function_that_raises_at_once():
    def function():
        raise LookupError("no")

    with pytest.raises(LookupError):
        TicketKeyring.from_callback(function)
    with pytest.raises(TypeError, match="from_callback"):
        TicketKeyring.from_callback([random_key()])


def test_nobody_waits_for_whoever_asks(client, make_server):
    """While one connection's function takes its time, others go on with the keys that there are."""
    entered, leave = threading.Event(), threading.Event()
    keys = [random_key()]
    calls = []

    def function():
        calls.append(threading.get_ident())
        if len(calls) == 2:
            entered.set()
            assert leave.wait(20)
        return keys

    ring = TicketKeyring.from_callback(function, every=AT_ONCE)
    server = make_server(ring)
    slow = pairs.Background(lambda: connect(client, server))
    assert entered.wait(20)
    connect(client, server)
    assert len(calls) == 2
    leave.set()
    slow.result()
    connect(client, server)
    assert len(calls) == 3


def test_function_that_asks_for_itself(client, make_server):
    """It would wait for itself: an error instead. A connection that it makes uses the keys that
    there are.
    """
    keys = [random_key()]

    def function():
        if rings:
            connect(client, server)
            with pytest.raises(RuntimeError, match="by the function that returns the keys"):
                rings[0].refresh()
            done.append(True)
        return keys

    rings, done = [], []
    rings.append(ring := TicketKeyring.from_callback(function, every=AT_ONCE))
    server = make_server(ring)
    connect(client, server)
    assert done == [True]
    assert ring.problem is None
    assert ring.refresh() is False
    assert done == [True, True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_child_of_a_process_that_was_asking(client, make_server):
    """The thread that asks is not in the child: the child asks for itself."""
    entered, leave = threading.Event(), threading.Event()
    keys = [random_key()]

    def function():
        if threading.current_thread() is not threading.main_thread():
            entered.set()
            assert leave.wait(20)
        return keys

    ring = TicketKeyring.from_callback(function, every=AT_ONCE)
    server = make_server(ring)
    slow = pairs.Background(lambda: connect(client, server))
    assert entered.wait(20)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            keys.insert(0, random_key())
            connect(client, server)
            status = int(ring.dangerous_keys() != keys)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    leave.set()
    slow.result()
