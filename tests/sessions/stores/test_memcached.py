"""MemcachedStore, with a real memcached: the contract, each kind of client, a server that dies,
hangs, or holds garbage.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import textwrap

import pytest

from tlskit import MemcachedStore
from tlskit.stores import contract
from tlskit.stores.guard import Guard

from ...support import inside, servers
from ...support.pairs import Background
from .proxy import proxy
from .test_memory import Clock

pymemcache = pytest.importorskip("pymemcache")

ONE, TWO = b"1" * 32, b"2" * 32
KEY = b"k" * 32
PATIENT = {"timeout": 5, "connect_timeout": 5}


@pytest.fixture(scope="module")
def server():
    with servers.memcached_server() as running:
        yield running


@pytest.fixture
def client(server):
    one = pymemcache.Client(server.address, **PATIENT)
    one.flush_all()
    yield one
    one.close()


@pytest.fixture
def store(client):
    return MemcachedStore(client, secret=ONE)


CLIENTS = {
    "Client": lambda address: pymemcache.Client(address, **PATIENT),
    "PooledClient": lambda address: pymemcache.PooledClient(address, **PATIENT),
    "HashClient": lambda address: pymemcache.HashClient([address], **PATIENT),
    "HashClient with pools": lambda address: pymemcache.HashClient(
        [address], use_pooling=True, **PATIENT
    ),
}


@pytest.mark.parametrize("kind", CLIENTS)
class TestContract(contract.StoreContract):
    """Times are waited for on the store's clock; the server's counts whole seconds, and later."""

    tick = 1.0
    each = 15

    @pytest.fixture(autouse=True)
    def _client(self, server, kind):
        self.client, self.clock = CLIENTS[kind](server.address), Clock(1.7e9)
        yield
        self.client.close()

    def make_store(self):
        return MemcachedStore(self.client, secret=[ONE, TWO], clock=self.clock)

    def wait(self, seconds):
        self.clock.sleep(seconds)


def item(client):
    """What is under KEY in the server."""
    return client.get(MemcachedStore(client, secret=ONE)._name(KEY))


def replace(client, content):
    client.set(MemcachedStore(client, secret=ONE)._name(KEY), content, noreply=False)


def test_it_lasts_in_the_server(client):
    one, other = MemcachedStore(client, secret=ONE), MemcachedStore(client, secret=ONE)
    one.put(KEY, b"v", 60)
    assert other.take(KEY) == b"v"
    assert one.take(KEY) is None


def test_prefixes_do_not_meet(client):
    one, other = (
        MemcachedStore(client, secret=ONE, prefix="a:"),
        MemcachedStore(client, secret=ONE, prefix="b:"),
    )
    one.put(KEY, b"v", 60)
    assert other.take(KEY) is None
    assert one.take(KEY) == b"v"


@pytest.mark.parametrize("prefix", ["with space", "x" * 101, "new\nline", "naïve", "\0"])
def test_prefixes_that_memcached_cannot_have(client, prefix):
    with pytest.raises(ValueError, match="printable ASCII"):
        MemcachedStore(client, secret=ONE, prefix=prefix)


def test_the_server_is_told_when_to_drop_an_item():
    """Memcached takes more than thirty days for a date, so it is never told more."""
    told = []

    class Spy:
        def gets(self, key):
            return None, None

        def add(self, key, value, expire, noreply):
            told.append(expire)
            return True

    store = MemcachedStore(Spy(), secret=ONE)
    for seconds in (1, 3600, 366 * 86400):
        store.put(KEY, b"v", seconds)
    assert 1 <= told[0] <= 3
    assert 3600 <= told[1] <= 3602
    assert told[2] == 30 * 86400


def test_nothing_that_is_secret_is_in_the_server(client, store):
    store.put(KEY, b"the session itself", 60)
    assert b"the session" not in item(client)
    assert "1" * 16 not in repr(store)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(store)


def test_what_memcached_cannot_do_is_said(store):
    for call in (store.clear, store.entries):
        with pytest.raises(NotImplementedError, match="memcached cannot list its keys"):
            call()
    assert store.purge() == 0


def test_a_store_that_is_closed_leaves_the_client_open(client, store):
    store.close()
    assert client.set("k", b"v", noreply=False)


def test_values_of_any_size_that_memcached_takes(store):
    for size in (0, 1, 100_000, 900_000):
        store.put(KEY, b"x" * size, 60)
        assert store.take(KEY) == b"x" * size
    with pytest.raises(ValueError, match="at most 900000"):
        store.put(KEY, b"x" * 900_001, 60)


def test_several_large_values_push_the_oldest_out(store):
    for number in range(6):
        store.put(KEY, b"%d" % number * 300_000, 60, most=6)
    assert [value and value[:1] for value in (store.take(KEY) for _ in range(4))] == [
        b"5",
        b"4",
        b"3",
        None,
    ]


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x02",
        b"text",
        b"\x01x",
        b"\x01" + bytes(12) + b"x",
        b"\x01" + struct.pack(">QI", 1, 2**32 - 1),
    ],
)
def test_garbage_is_left_out_and_counted(client, store, garbage):
    replace(client, garbage)
    guard = Guard(store)
    assert guard.take(KEY).value is None
    assert guard.get(KEY).value is None
    assert guard.stats().failures == 0
    assert guard.put(KEY, b"v", 60)
    assert guard.take(KEY).value == b"v"
    assert guard.stats().bad_entries > 0


def test_every_truncation_is_left_out(client, store):
    store.put(KEY, b"1", 60, most=2)
    store.put(KEY, b"2", 60, most=2)
    whole = item(client)
    for end in range(1, len(whole)):
        replace(client, whole[:end])
        assert store.get(KEY) in (None, b"2")
    replace(client, whole)
    assert [store.take(KEY) for _ in range(3)] == [b"2", b"1", None]


def test_every_flipped_byte_is_left_out(client, store):
    store.put(KEY, b"v", 60)
    whole = bytearray(item(client))
    for at in range(9, len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1
        replace(client, bytes(changed))
        assert store.get(KEY) is None
    assert store.unreadable > 50


def test_an_entry_that_was_moved_is_left_out(client, store):
    store.put(b"evil.example", b"v", 60)
    replace(client, client.get(store._name(b"evil.example")))
    assert store.take(KEY) is None
    assert store.unreadable == 1


def test_text_from_a_client_that_decodes_is_left_out(server):
    client = pymemcache.Client(server.address, serde=pymemcache.serde.pickle_serde, **PATIENT)
    store = MemcachedStore(client, secret=ONE)
    client.set(store._name(KEY), {"a": 1}, noreply=False)
    assert store.take(KEY) is None
    store.put(KEY, b"v", 60)
    assert store.take(KEY) == b"v"
    client.close()


def test_secrets_rotate(client):
    old, both, new = (MemcachedStore(client, secret=secret) for secret in (ONE, [TWO, ONE], TWO))
    old.put(KEY, b"1", 60, most=3)
    both.put(KEY, b"2", 60, most=3)
    assert both.remove(KEY, b"1") is True
    assert new.take(KEY) == b"2"


def test_clients_that_would_hang_or_repeat_are_refused(server):
    for waiting in (
        pymemcache.Client(server.address),
        pymemcache.PooledClient(server.address),
        pymemcache.HashClient([server.address]),
        pymemcache.HashClient([server.address], use_pooling=True),
    ):
        with pytest.raises(ValueError, match="has no timeout"):
            MemcachedStore(waiting, secret=ONE)
    with pytest.raises(ValueError, match="put a session twice"):
        MemcachedStore(
            pymemcache.client.retrying.RetryingClient(pymemcache.Client(server.address, **PATIENT)),
            secret=ONE,
        )

    class Asynchronous:
        async def gets(self, key):
            return None

    with pytest.raises(TypeError, match="a synchronous client"):
        MemcachedStore(Asynchronous(), secret=ONE)


def test_a_clock_that_is_set_forward_expires_what_there_is(client):
    clock = Clock(1.7e9)
    store = MemcachedStore(client, secret=ONE, clock=clock)
    store.put(KEY, b"v", 60)
    clock.sleep(60)
    assert store.take(KEY) is None


# -- a server in trouble ---------------------------------------------------------------------------


def test_a_server_that_is_killed_and_comes_back():
    clock = Clock()
    with servers.memcached_server() as running:
        address = running.address
        client = pymemcache.Client(address, **PATIENT)
        guard = Guard(MemcachedStore(client, secret=ONE), clock=clock)
        assert guard.put(KEY, b"v", 60)
        running.process.kill()
        answers = [guard.take(KEY) for _ in range(50)]
        assert all(answer.value is None and answer.trouble for answer in answers)
        assert guard.stats().failures == 3
    with servers.memcached_server("-p", str(address[1])):
        clock.sleep(60)
        assert guard.put(KEY, b"w", 60)
        assert guard.take(KEY).value == b"w"
    client.close()


@pytest.mark.parametrize(
    "kind", [pymemcache.Client, pymemcache.PooledClient], ids=lambda kind: kind.__name__
)
def test_a_server_that_does_not_answer_costs_the_timeout_a_few_times(server, kind):
    with proxy(server.host, server.port) as between:
        client = kind(("127.0.0.1", between.port), timeout=0.05, connect_timeout=5)
        guard = Guard(MemcachedStore(client, secret=ONE))
        assert guard.put(KEY, b"v", 60)
        between.flowing.clear()
        answers = [guard.get(KEY) for _ in range(50)]
        assert all(answer.value is None and answer.trouble for answer in answers)
        assert guard.stats().failures == 3
        between.flowing.set()
        client.close()


def test_an_answer_that_stays_away_is_not_asked_for_again(store, server):
    with proxy(server.host, server.port) as between:
        client = pymemcache.Client(("127.0.0.1", between.port), **PATIENT)
        other = MemcachedStore(client, secret=ONE)
        other.put(b"warm", b"up", 60)
        between.swallow.set()
        with pytest.raises((OSError, pymemcache.MemcacheError)):
            other.put(KEY, b"v", 60, most=9)
        between.swallow.clear()
        assert store.take(KEY) is None
        other.put(KEY, b"v", 60, most=9)
        assert [store.take(KEY), store.take(KEY)] == [b"v", None]
        client.close()


def test_an_item_that_somebody_else_changes_all_the_time(client, store):
    """It gives up, and nothing was taken."""

    class Faster:
        """Somebody else is faster each time."""

        def gets(self, key):
            return client.gets(key)

        def cas(self, key, value, cas, expire=0, noreply=False):
            client.touch(key, 60, noreply=False)
            client.set(key, client.get(key), 60, noreply=False)
            return client.cas(key, value, cas, expire, noreply)

    store.put(KEY, b"v", 60)
    slow = MemcachedStore(Faster(), secret=ONE)
    with pytest.raises(TimeoutError, match="50 attempts"):
        slow.take(KEY)
    assert store.take(KEY) == b"v"


def test_threads_wait_for_each_other_for_the_timeout_only(server):
    client = pymemcache.Client(server.address, timeout=0.05, connect_timeout=5)
    store = MemcachedStore(client, secret=ONE)
    with inside.lock_of(store), pytest.raises(TimeoutError, match="other threads"):
        store.take(KEY)


def test_processes_and_threads_never_take_the_same_value_twice(server):
    keys = [b"%d" % number for number in range(20)]
    client = pymemcache.PooledClient(server.address, **PATIENT)
    store = MemcachedStore(client, secret=ONE)
    for number in range(600):
        store.put(keys[number % 20], b"%d" % number, 600, most=100)
    program = textwrap.dedent(
        """
        import sys, pymemcache
        from tlskit import MemcachedStore
        client = pymemcache.Client((sys.argv[1], int(sys.argv[2])), timeout=30, connect_timeout=30)
        store = MemcachedStore(client, secret=b"1" * 32)
        sys.stdin.read(1)
        for key in range(20):
            while (value := store.take(b"%d" % key)) is not None:
                print(value.decode())
        """
    )
    command = [sys.executable, "-c", program, server.host, str(server.port)]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)
    ]
    for child in children:
        child.stdin.write(b"x")
        child.stdin.flush()

    def work():
        return [
            int(value)
            for key in reversed(keys)
            for value in iter(lambda key=key: store.take(key), None)
        ]

    threads = [Background(work) for _ in range(3)]
    taken = [int(word) for child in children for word in child.communicate(timeout=100)[0].split()]
    taken += [value for thread in threads for value in thread.result(100)]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(taken) == 600
    assert set(taken) == set(range(600))
    client.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("kind", CLIENTS)
def test_a_child_does_not_read_the_answers_of_its_parent(server, kind):
    client = CLIENTS[kind](server.address)
    store = MemcachedStore(client, secret=ONE)
    for number in range(100):
        store.put(b"%d" % number, b"%d" % number, 60)
    pid = os.fork()
    if not pid:
        try:
            os._exit(
                0
                if all(store.get(b"%d" % number) == b"%d" % number for number in range(100))
                else 1
            )
        finally:
            os._exit(2)
    assert all(store.get(b"%d" % number) == b"%d" % number for number in range(100))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    client.close()
