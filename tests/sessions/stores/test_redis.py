"""RedisStore, with a real redis-server: the contract, other clients, a server that dies, hangs, or
holds garbage.
"""

from __future__ import annotations

import base64
import os
import pickle
import subprocess
import sys
import textwrap

import pytest

from tlskit import RedisStore
from tlskit.stores import contract
from tlskit.stores.guard import Guard

from ...support import servers
from ...support.pairs import Background
from ...support.processes import bare
from .proxy import proxy

redis = pytest.importorskip("redis")

ONE, TWO = b"1" * 32, b"2" * 32
KEY = b"k" * 32


@pytest.fixture(scope="module")
def server():
    with servers.redis_server() as running:
        yield running


@pytest.fixture
def client(server):
    with redis.Redis(server.host, server.port) as one:
        one.flushall()
        yield one


@pytest.fixture
def store(client):
    one = RedisStore(client, secret=ONE)
    yield one
    one.close()


class TestContract(contract.StoreContract):
    tick = 0.05

    @pytest.fixture(autouse=True)
    def _client(self, client):
        self.client = client

    def make_store(self):
        return RedisStore(self.client, secret=[ONE, TWO], timeout=5)


class TestContractWithAClientThatDecodes(TestContract):
    @pytest.fixture(autouse=True)
    def _client(self, server):
        with redis.Redis(server.host, server.port, decode_responses=True) as self.client:
            yield


class TestContractWithTheClientOfValkey(TestContract):
    @pytest.fixture(autouse=True)
    def _client(self, server):
        valkey = pytest.importorskip("valkey")
        with valkey.Valkey(server.host, server.port) as self.client:
            yield


class TestContractWithAClientThatIsUsedAsItIs(TestContract):
    """As a cluster's would be, and with answers that are decoded."""

    @pytest.fixture(autouse=True)
    def _client(self, server):
        class Other:
            def __init__(self):
                self.inner = redis.Redis(
                    server.host, server.port, decode_responses=True, socket_timeout=5
                )
                self.register_script, self.scan_iter, self.delete = (
                    self.inner.register_script,
                    self.inner.scan_iter,
                    self.inner.delete,
                )

        self.client = Other()
        yield
        self.client.inner.close()


def test_one_line_makes_the_client_too(server):
    store = RedisStore.from_url(f"redis://{server.host}:{server.port}/0", secret=ONE)
    store.put(KEY, b"v", 60)
    assert store.take(KEY) == b"v"
    store.close()
    store = RedisStore.from_url(f"unix://{server.path}", secret=ONE)
    store.put(KEY, b"v", 60)
    assert store.take(KEY) == b"v"
    store.close()


def test_the_settings_of_the_client_are_kept_but_for_retries_and_timeouts(server):
    pool = redis.BlockingConnectionPool(
        host=server.host, port=server.port, db=3, socket_timeout=77, client_name="somebody"
    )
    client = redis.Redis(connection_pool=pool)
    store = RedisStore(client, secret=ONE, timeout=0.5)
    store.put(KEY, b"v", 60)
    assert client.dbsize() == 1
    settings = store._client.connection_pool.connection_kwargs
    assert (settings["db"], settings["client_name"], settings["socket_timeout"]) == (
        3,
        "somebody",
        0.5,
    )
    assert store._client.connection_pool.make_connection().retry._retries == 0
    assert pool.connection_kwargs["socket_timeout"] == 77
    store.close()
    client.flushdb()
    pool.disconnect()


def test_a_store_that_is_closed_leaves_the_client_open(client):
    store = RedisStore(client, secret=ONE)
    store.close()
    assert client.ping()
    for call in (store.clear, lambda: list(store.entries())):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_it_lasts_in_the_server(client):
    one, other = RedisStore(client, secret=ONE), RedisStore(client, secret=ONE)
    one.put(KEY, b"v", 60)
    assert other.take(KEY) == b"v"
    assert one.take(KEY) is None
    one.close()
    other.close()


def test_nothing_that_is_secret_is_in_the_server(client, store):
    store.put(KEY, b"the session itself", 60)
    (kept,) = client.lrange("tlskit:" + KEY.hex(), 0, -1)
    assert b"the session" not in kept + base64.b64decode(kept[15:])
    assert client.keys("*") == [b"tlskit:" + KEY.hex().encode()]
    assert "1" * 16 not in repr(store)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(store)


def test_keys_go_away_by_themselves(client, store):
    store.put(KEY, b"long", 500, most=2)
    store.put(KEY, b"short", 5, most=2)
    assert 400_000 < client.pttl("tlskit:" + KEY.hex()) <= 500_000
    store.take(KEY)
    store.take(KEY)
    assert client.keys("*") == []


def test_a_key_never_stays_for_ever(client, store):
    for seconds in (0.001, 1, 60):
        store.put(KEY, b"v", seconds, most=3)
        assert client.pttl("tlskit:" + KEY.hex()) != -1


def test_prefixes_do_not_meet(client):
    """Also those that mean something to SCAN."""
    prefixes = ("a:", "b:", "*", "[ab]:", "a:?", "\\")
    stores = [RedisStore(client, secret=ONE, prefix=prefix) for prefix in prefixes]
    for number, one in enumerate(stores):
        one.put(KEY, b"%d" % number, 60)
    for number, one in enumerate(stores):
        assert [entry.value for entry in one.entries()] == [b"%d" % number]
    stores[2].clear()
    assert [one.get(KEY) for one in stores] == [b"0", b"1", None, b"3", b"4", b"5"]
    for one in stores:
        one.close()


def test_clear_leaves_the_others_alone(client, store):
    client.set("something else", "x")
    for number in range(50):
        store.put(b"%d" % number, b"v", 60)
    store.clear()
    assert client.keys("*") == [b"something else"]
    assert store.purge() == 0


@pytest.mark.parametrize(
    "garbage", [b"", b"x", b"not base64 !!", b"\xff\xfe", base64.b64encode(b"garbage"), b"9" * 100]
)
def test_garbage_is_left_out_and_counted(client, store, garbage):
    client.lpush("tlskit:" + KEY.hex(), b"%015d" % (10**14) + garbage)
    guard = Guard(store)
    assert guard.get(KEY).value is None
    assert list(store.entries()) == []
    assert guard.take(KEY).trouble
    assert guard.stats().bad_entries == 2  # `entries` is not asked through it
    assert client.keys("*") == []


def test_what_has_no_time_or_is_no_list_is_no_handshakes_business(client, store):
    guard = Guard(store)
    client.lpush("tlskit:" + KEY.hex(), "no digits")
    assert guard.take(KEY).value is None
    client.set("tlskit:" + KEY.hex(), "text")
    assert guard.take(KEY).value is None
    assert guard.put(KEY, b"v", 60) is False
    client.delete("tlskit:" + KEY.hex())
    client.set("tlskit:not hexadecimal", "text")
    assert list(store.entries()) == []


def test_an_entry_that_was_moved_or_changed_is_left_out(client, store):
    store.put(b"evil.example", b"v", 60)
    client.rename("tlskit:" + b"evil.example".hex(), "tlskit:" + KEY.hex())
    assert store.take(KEY) is None
    store.put(KEY, b"v", 60)
    kept = client.lpop("tlskit:" + KEY.hex())
    for at in range(15, len(kept)):
        changed = kept[:at] + (b"A" if kept[at : at + 1] != b"A" else b"B") + kept[at + 1 :]
        client.lpush("tlskit:" + KEY.hex(), changed)
        assert store.take(KEY) is None
    assert store.unreadable >= len(kept) - 15


def test_secrets_rotate(client):
    old, both, new = (RedisStore(client, secret=secret) for secret in (ONE, [TWO, ONE], TWO))
    old.put(KEY, b"1", 60, most=3)
    both.put(KEY, b"2", 60, most=3)
    assert both.remove(KEY, b"1") is True
    assert new.take(KEY) == b"2"
    for one in (old, both, new):
        one.close()


def test_arguments_that_cannot_be_right(client):
    with pytest.raises(TypeError, match="secret"):
        RedisStore(client)
    with pytest.raises(ValueError, match="16 random bytes"):
        RedisStore(client, secret=b"short")
    with pytest.raises(TypeError, match="a synchronous client"):
        RedisStore(redis.asyncio.Redis(), secret=ONE)
    store = RedisStore(client, secret=ONE)
    with pytest.raises(ValueError, match="at most 1048576"):
        store.put(KEY, b"x" * 1048577, 60)
    store.close()


# -- a server in trouble ---------------------------------------------------------------------------


def test_a_server_that_is_killed_and_comes_back():
    """Every call answers; the guard leaves the server alone, and finds it again."""
    from .test_memory import Clock

    clock = Clock()
    with servers.redis_server() as running:
        port = running.port
        store = RedisStore(redis.Redis(running.host, port), secret=ONE)
        guard = Guard(store, clock=clock)
        assert guard.put(KEY, b"v", 60)
        running.process.kill()
        answers = [guard.take(KEY) for _ in range(50)]
        assert all(answer.value is None and answer.trouble for answer in answers)
        assert guard.stats().failures == 3
    with servers.redis_server(None, "--port", str(port)):
        clock.sleep(60)
        assert guard.put(KEY, b"w", 60)
        assert guard.take(KEY).value == b"w"
    store.close()


def test_a_server_that_does_not_answer_costs_the_timeout_a_few_times(server):
    with proxy(server.host, server.port) as between:
        store = RedisStore(redis.Redis("127.0.0.1", between.port), secret=ONE, timeout=0.05)
        guard = Guard(store)
        assert guard.put(KEY, b"v", 60)
        between.flowing.clear()
        answers = [guard.get(KEY) for _ in range(50)]
        assert all(answer.value is None and answer.trouble for answer in answers)
        assert guard.stats().failures == 3
        store.close()


def test_an_answer_that_stays_away_is_not_asked_for_again(client, server):
    """A put that was done twice could be taken twice."""
    with proxy(server.host, server.port) as between:
        store = RedisStore(redis.Redis("127.0.0.1", between.port), secret=ONE)
        store.put(b"warm", b"up", 60)
        between.swallow.set()
        with pytest.raises(redis.ConnectionError):
            store.put(KEY, b"v", 60, most=9)
        between.swallow.clear()
        assert client.llen("tlskit:" + KEY.hex()) == 1
        assert [store.take(KEY), store.take(KEY)] == [b"v", None]
        store.close()


def test_a_server_that_is_full(server, client, store):
    before = client.config_get("maxmemory")["maxmemory"]
    try:
        client.config_set("maxmemory", "1mb")
        guard = Guard(store)
        guard.put(KEY, b"x" * 1_000_000, 60)
        assert guard.put(KEY, b"x", 60) is False
        assert guard.stats().failures
    finally:
        client.config_set("maxmemory", before)


def test_a_server_that_forgot_the_scripts(client, store):
    store.put(KEY, b"v", 60)
    client.script_flush()
    assert store.take(KEY) == b"v"


def test_processes_and_threads_never_take_the_same_value_twice(client, server):
    store = RedisStore(client, secret=ONE, timeout=30)
    for number in range(3000):
        store.put(b"%d" % (number % 3), b"%d" % number, 600, most=1000)
    program = textwrap.dedent(
        """
        import sys, redis
        from tlskit import RedisStore
        store = RedisStore(redis.Redis(sys.argv[1], int(sys.argv[2])), secret=b"1" * 32, timeout=30)
        sys.stdin.read(1)
        for key in (b"0", b"1", b"2"):
            while (value := store.take(key)) is not None:
                print(value.decode())
        store.close()
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
        taken = []
        for key in (b"2", b"1", b"0"):
            while (value := store.take(key)) is not None:
                taken.append(int(value))
        return taken

    threads = [Background(work) for _ in range(4)]
    taken = [int(word) for child in children for word in child.communicate(timeout=100)[0].split()]
    taken += [value for thread in threads for value in thread.result(100)]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(taken) == 3000
    assert set(taken) == set(range(3000))
    store.close()


def test_it_is_imported_without_the_client_library():
    program = (
        "import sys, tlskit; tlskit.RedisStore; print(sorted({'redis', 'pymemcache', "
        "'sqlite3'} & set(sys.modules)))"
    )
    assert bare(program).strip() == "[]"


def test_the_library_is_named_when_it_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"pip install 'tlskit\[redis\]'"):
        RedisStore.from_url("redis://localhost", secret=ONE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_does_not_read_the_answers_of_its_parent(store):
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
