"""Connections through real stores: they resume; and whatever becomes of the store, every connection
comes about.
"""

from __future__ import annotations

import contextlib
import math
import time

import pytest

from tlskit import MemcachedStore, MemoryStore, Reason, RedisStore, SealedStore, SQLiteStore

from ...support import servers
from ...support.pairs import client_context, echo_server, memory_pair, only, server_context
from ..helpers import alone
from .proxy import proxy
from .test_contract import Wrapped

SECRET = b"s" * 32
KINDS = ["memory", "sqlite", "redis", "memcached", "sealed"]


@contextlib.contextmanager
def opened(kind, tmp_path, request):
    """A store; and, where it is on a server, that server."""
    with contextlib.ExitStack() as stack:
        if kind == "redis":
            redis = pytest.importorskip("redis")
            running = stack.enter_context(servers.redis_server())
            store = RedisStore(redis.Redis(running.host, running.port), secret=SECRET)
        elif kind == "memcached":
            pymemcache = pytest.importorskip("pymemcache")
            running = stack.enter_context(servers.memcached_server())
            client = pymemcache.PooledClient(running.address, timeout=5, connect_timeout=5)
            stack.callback(client.close)
            store = MemcachedStore(client, secret=SECRET)
        else:
            if kind == "sqlite":
                pytest.importorskip("sqlite3")
            running = None
            made = {
                "memory": MemoryStore,
                "sqlite": lambda: SQLiteStore(tmp_path / "s.db"),
                "sealed": lambda: SealedStore(Wrapped(), SECRET),
            }
            store = made[kind]()
        yield store, running
        store.close()


def connect(client, server, hostname="localhost"):
    """One connection, whose tickets are read: whether it was resumed."""
    near, _ = memory_pair(client, server, hostname=hostname)
    return near.session_reused


@pytest.mark.parametrize("kind", KINDS)
def test_clients_resume(kind, contexts, tmp_path, request):
    client, server = contexts
    with opened(kind, tmp_path, request) as (store, _):
        client.sessions.store = store
        assert [connect(client, server) for _ in range(6)] == [False] + [True] * 5
        assert client.sessions.store_stats()["failures"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_servers_that_share_a_store_resume_each_others_sessions(
    kind, pki, version, tmp_path, request
):
    with opened(kind, tmp_path, request) as (store, _):
        client = client_context(pki)
        one, other = server_context(pki), server_context(pki)
        only(version, client, one, other)
        client.sessions.store = MemoryStore()
        one.sessions.store = other.sessions.store = store
        assert [connect(client, server) for server in (one, other, other, one)] == [
            False,
            True,
            True,
            True,
        ]


def probes_since(began: float) -> int:
    """How often a store that is skipped may have been tried: after 1 second, 2 more, 4 more."""
    return int(math.log2(time.monotonic() - began + 1))


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_the_servers_of_clients_and_of_servers_die(kind, contexts, tmp_path, request):
    """In the middle: every connection succeeds, and after a few nobody asks any more."""
    client, server = contexts
    with opened(kind, tmp_path, request) as (store, running):
        client.sessions.store = server.sessions.store = store
        assert [connect(client, server) for _ in range(3)] == [False, True, True]
        running.process.kill()
        began = time.monotonic()
        assert [connect(client, server) for _ in range(20)] == [False] * 20
        stats = client.sessions.store_stats()
        assert 1 <= stats["failures"] <= 3 + probes_since(began)
        assert stats["skipped"] > 10


def test_a_store_that_is_broken_in_the_middle(contexts, tmp_path):
    client, server = contexts
    pytest.importorskip("sqlite3")
    store = SQLiteStore(tmp_path / "s.db")
    client.sessions.store = store
    assert [connect(client, server) for _ in range(3)] == [False, True, True]
    with open(tmp_path / "s.db", "r+b") as file:
        file.write(b"\xff" * 100_000)
    assert [connect(client, server) for _ in range(3)] == [False, True, True]
    store.close()
    assert [connect(client, server) for _ in range(10)] == [False] * 10


def test_a_server_that_hangs_costs_its_timeout_and_nothing_more(contexts):
    redis = pytest.importorskip("redis")
    client, server = contexts
    with servers.redis_server() as running, proxy(running.host, running.port) as between:
        store = RedisStore(redis.Redis("127.0.0.1", between.port), secret=SECRET, timeout=0.25)
        client.sessions.store = store
        assert [connect(client, server) for _ in range(3)] == [False, True, True]
        between.flowing.clear()
        began = time.monotonic()
        assert [connect(client, server) for _ in range(20)] == [False] * 20
        assert client.sessions.store_stats()["failures"] <= 3 + probes_since(began)
        store.close()


def test_garbage_under_every_key_is_no_session(contexts):
    redis = pytest.importorskip("redis")
    client, server = contexts
    with servers.redis_server() as running, redis.Redis(running.host, running.port) as raw:
        store = RedisStore(raw, secret=SECRET)
        client.sessions.store = store
        for spoil in (
            lambda value: b"",
            lambda value: b"%015d" % 10**14 + b"garbage",
            lambda value: value[:-9],
            lambda value: value[:40] + b"AAAA" + value[44:],
        ):
            connect(client, server)
            for key in raw.keys("*"):
                for value in raw.lrange(key, 0, -1):
                    raw.lrem(key, 0, value)
                    raw.rpush(key, spoil(value))
            assert connect(client, server) is False
            raw.flushall()
        assert client.sessions.store_stats()["failures"] == 0
        store.close()


@pytest.mark.parametrize(
    "store", [MemoryStore, lambda: SealedStore(Wrapped(), SECRET)], ids=["opens", "does not open"]
)
def test_it_is_said_that_an_entry_could_not_be_read(contexts, store):
    """On both sides: whether the store cannot open it, or gives something that is no session."""
    client, server = contexts
    client.sessions.store, server.sessions.store = store(), store()
    memory_pair(client, server)
    for context in (client, server):
        kept = context.sessions.store
        inner = getattr(kept, "_inner", kept)
        for entry in list(inner.entries()):
            inner.put(entry.key, b"garbage", 60)
        near, far = memory_pair(client, server)
        judged = near.resumption if context is client else far.resumption
        assert judged.reason is Reason.UNREADABLE
        assert not near.session_reused
        memory_pair(client, server)


def test_an_entry_of_another_host_is_no_session(contexts):
    """Somebody who can write the store moves the entry of his own host to the key of another."""
    redis = pytest.importorskip("redis")
    client, server = contexts
    with servers.redis_server() as running, redis.Redis(running.host, running.port) as raw:
        store = RedisStore(raw, secret=SECRET)
        client.sessions.store = store
        connect(client, server, "127.0.0.1")
        evil = raw.keys("*")
        connect(client, server)
        for key in raw.keys("*"):
            if key not in evil:
                raw.delete(key)
                raw.copy(evil[0], key)
        assert connect(client, server) is False
        assert store.unreadable > 0
        store.close()


def test_a_second_process_resumes_what_the_first_has_left(pki, version, tmp_path):
    pytest.importorskip("sqlite3")
    server = server_context(pki)
    only(version, server)
    script = """
        import socket, sys, tlskit
        context = tlskit.create_default_context(cafile=sys.argv[1])
        context.sessions.store = tlskit.SQLiteStore(sys.argv[2])
        raw = socket.create_connection((sys.argv[3], int(sys.argv[4])))
        with context.wrap_socket(raw, server_hostname="localhost") as sock:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
            print(sock.session_reused)
    """
    with echo_server(server) as (host, port):
        said = [
            alone(script, str(pki.root), str(tmp_path / "s.db"), host, str(port)).stdout.strip()
            for _ in range(3)
        ]
    assert said == ["False", "True", "True"]


def test_a_store_behind_tls_in_a_process_where_every_connection_has_that_store(pki, contexts):
    """The store's own connections are made by the context that has the store; they do not wait for
    themselves.
    """
    pytest.importorskip("redis")
    script = """
        import socket, ssl, sys, tlskit
        import redis
        client = redis.Redis("localhost", int(sys.argv[2]), ssl=True, ssl_ca_certs=sys.argv[1])
        store = tlskit.RedisStore(client, secret=b"s" * 32, timeout=5)
        tlskit.inject_into_ssl(store=store)
        context = ssl.create_default_context(cafile=sys.argv[1])
        for _ in range(3):
            raw = socket.create_connection((sys.argv[3], int(sys.argv[4])))
            with context.wrap_socket(raw, server_hostname="localhost") as sock:
                sock.sendall(b"x")
                assert sock.recv(1) == b"x"
                print(sock.session_reused, end=" ")
        pool = store._client.connection_pool
        print(len(pool._available_connections), type(pool._available_connections[0]._sock).__module__)
    """
    _, server = contexts
    with servers.redis_server(pki.server) as running, echo_server(server) as (host, port):
        done = alone(script, str(pki.root), str(running.port), host, str(port))
    assert done.stdout.split()[:3] == ["False", "True", "True"], done.stderr
    assert done.stdout.split()[3:] == ["1", "tlskit._connection.socket"]
