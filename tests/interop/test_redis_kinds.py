"""RedisStore in a cluster, behind a Sentinel, and in Valkey: real servers, with failovers, and with
keys that move while they are in use.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tlskit.stores import contract
from tlskit.stores.redis import RedisStore

from ..support import servers
from ..support.pairs import client_context, memory_pair, server_context
from ..support.raw import until

redis = pytest.importorskip("redis")
pytestmark = pytest.mark.slow

SECRET = b"1" * 32
KEY = b"k" * 32
FAILOVER = 60.0  # seconds: only a test that fails waits as long
CLIENTS = {"redis": "Redis", "valkey": "Valkey"}


@pytest.fixture(params=["redis", "valkey"], scope="module")
def kind(request):
    """Whose servers these are."""
    return request.param


@pytest.fixture(scope="module", params=["redis", "valkey"])
def library(request):
    """Whose client library."""
    return pytest.importorskip(request.param)


def client_of(library: Any, name: str) -> Any:
    """The class of this name: `Redis` stands for the library's own."""
    module, _, attribute = f"{library.__name__}.{name}".rpartition(".")
    return getattr(
        pytest.importorskip(module), attribute.replace("Redis", CLIENTS[library.__name__])
    )


def resumes(client: Any, server: Any) -> bool:
    """Whether a connection resumes; the handshake must not fail."""
    near, _ = memory_pair(client, server)
    return bool(near.session_reused)


def resuming(pki: Any, store: Any, library: Any) -> Any:
    """A client's and a server's context that keep their sessions in this store: of TLS 1.3 with
    one library, and of TLS 1.2 with the other.
    """
    client, server = client_context(pki), server_context(pki)
    client.maximum_version = "TLSv1.3" if library is redis else "TLSv1.2"
    client.sessions.store = server.sessions.store = store
    server.tickets.enabled = False  # what a server would keep, it keeps in the store
    return client, server


# -- one server ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(kind):
    with servers.redis_server(kind=kind) as running:
        yield running


class TestOneServer(contract.StoreContract):
    tick = 0.05

    @pytest.fixture(autouse=True)
    def _client(self, server, library):
        with client_of(library, "Redis")(server.host, server.port) as self.client:
            yield

    def make_store(self):
        return RedisStore(self.client, secret=SECRET, timeout=5)


# -- a cluster -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(kind):
    with servers.redis_cluster(kind) as nodes:
        yield nodes


@contextlib.contextmanager
def client_of_cluster(nodes: list[servers.Running], library: Any) -> Iterator[Any]:
    """A client of a cluster, with its usual retries."""
    with client_of(library, "cluster.RedisCluster")(
        host=nodes[-1].host, port=nodes[-1].port, socket_timeout=5
    ) as client:
        yield client


@pytest.fixture
def clustered(cluster, library):
    with client_of_cluster(cluster, library) as client:
        client.flushall(target_nodes=client.PRIMARIES)
        yield client


class TestCluster(contract.StoreContract):
    tick = 0.05

    @pytest.fixture(autouse=True)
    def _client(self, clustered):
        self.client = clustered

    def make_store(self):
        return RedisStore(self.client, secret=SECRET)


def node_client(cluster: Any, node: Any) -> Any:
    """A client of one node, from a cluster's client."""
    name = f"get_{type(cluster).__module__.partition('.')[0]}_connection"
    return getattr(cluster, name)(node)


def test_a_clusters_keys_are_on_all_masters_and_are_listed_and_cleared(clustered):
    store = RedisStore(clustered, secret=SECRET)
    for number in range(100):
        store.put(b"%d" % number, b"%d" % number, 600)
    primaries = clustered.get_primaries()
    assert len(primaries) == 3
    assert all(node_client(clustered, one).dbsize() > 10 for one in primaries)
    assert {entry.value for entry in store.entries()} == {b"%d" % number for number in range(100)}
    assert [entry.value for entry in store._entries_under(b"77".hex())] == [b"77"]
    store.clear()
    assert list(store.entries()) == []
    store.put(KEY, b"v", 600)
    store.close()
    assert clustered.exists("tlskit:" + KEY.hex())  # the client that was passed in stays open


def test_a_store_of_a_cluster_does_not_retry_and_its_client_still_does(clustered, library):
    """A put that was done twice could be taken twice."""
    store = RedisStore(clustered, secret=SECRET)
    calls = []

    def fails(node: Any, *args: Any, **kwargs: Any) -> None:
        calls.append(args[0])
        raise library.exceptions.ConnectionError("the answer is lost")

    for client, expected in ((store._client, 1), (clustered, 2)):
        calls.clear()
        client._execute_command = fails
        with pytest.raises(library.exceptions.ConnectionError):
            client.evalsha("0" * 40, 1, "key")
        assert len(calls) >= expected
        assert (len(calls) == 1) == (client is store._client)
        del client._execute_command


def test_a_clusters_client_without_a_timeout_is_refused(clustered, library):
    endless = client_of(library, "cluster.RedisCluster")(
        host="127.0.0.1", port=clustered.get_primaries()[0].port, socket_timeout=None
    )
    with pytest.raises(ValueError, match="no socket_timeout"):
        RedisStore(endless, secret=SECRET)
    endless.close()


def test_keys_that_move_between_masters(clustered, library):
    """ASK while a slot is on its way, MOVED once it has arrived."""
    store, name = RedisStore(clustered, secret=SECRET), "tlskit:" + KEY.hex()
    slot = clustered.keyslot(name)
    source = clustered.nodes_manager.get_node_from_slot(slot)
    target = next(one for one in clustered.get_primaries() if one.name != source.name)
    there, here = (node_client(clustered, one) for one in (target, source))
    ids = {
        one.name: node_client(clustered, one).execute_command("CLUSTER MYID")
        for one in (source, target)
    }
    store.put(KEY, b"1", 600, most=5)
    there.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source.name])
    here.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target.name])
    assert store.get(KEY) == b"1"
    here.execute_command("MIGRATE", target.host, target.port, name, 0, 5000)
    asked = here.info("stats")["total_error_replies"]
    store.put(KEY, b"2", 600, most=5)
    assert store.get(KEY) == b"2"
    assert store.take(KEY) == b"2"
    assert here.info("stats")["total_error_replies"] >= asked + 3  # all were sent on
    for one in (there, here):
        one.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target.name])
    assert [store.take(KEY), store.take(KEY)] == [b"1", None]
    assert clustered.nodes_manager.get_node_from_slot(slot).name == target.name  # MOVED taught it


def test_a_master_of_the_cluster_dies_under_connections(kind, library, pki):
    """They go on with full handshakes, and resume again once a replica has taken over."""
    with (
        servers.redis_cluster(kind) as nodes,
        client_of_cluster(nodes, library) as client,
        contextlib.closing(RedisStore(client, secret=SECRET)) as store,
    ):
        near, far = resuming(pki, store, library)
        assert not resumes(near, far)
        assert resumes(near, far)
        name = (
            "tlskit:" + next(entry.key for entry in store.entries() if len(entry.key) == 33).hex()
        )
        owner = client.nodes_manager.get_node_from_slot(client.keyslot(name)).port
        next(node for node in nodes if node.port == owner).process.kill()
        survivors = [node for node in nodes if node.port != owner]
        outcomes = []

        def replaced() -> bool:
            outcomes.append(resumes(near, far))
            return sum(is_master(library, node) for node in survivors) == 3

        until(replaced, FAILOVER)
        assert False in outcomes
        until(lambda: resumes(near, far) and resumes(near, far), FAILOVER)
        assert near.sessions.store_stats().failures > 0


def is_master(library: Any, node: servers.Running) -> bool:
    with client_of(library, "Redis")(node.host, node.port) as client:
        return bool(client.info("replication")["role"] == "master")


# -- a Sentinel ------------------------------------------------------------------------------------


@contextlib.contextmanager
def watched(kind: str, library: Any) -> Iterator[tuple[Any, servers.Running]]:
    """The client's Sentinel of a master with a replica, once all is connected, and the master."""
    with (
        servers.redis_server(None, "--repl-diskless-sync-delay", "0", kind=kind) as master,
        servers.redis_server(None, "--replicaof", f"127.0.0.1 {master.port}", kind=kind) as replica,
        servers.redis_sentinel(master, "sessions", kind) as running,
    ):
        with client_of(library, "Redis")(running.host, running.port) as seen:
            until(
                lambda: any(
                    one["port"] == replica.port and one["master-link-status"] == "ok"
                    for one in seen.sentinel_slaves("sessions")
                ),
                FAILOVER,
            )
        sentinel = client_of(library, "sentinel.Sentinel")(
            [(running.host, running.port)], socket_timeout=1
        )
        yield sentinel, master
        for one in sentinel.sentinels:
            one.close()


def test_the_contract_holds_through_a_sentinel(kind, library):
    with watched(kind, library) as (sentinel, _):
        client = sentinel.master_for("sessions")
        contract.check(lambda: RedisStore(client, secret=SECRET, timeout=5), tick=0.05)
        own = RedisStore(client, secret=SECRET, timeout=0.5)._client
        connection = own.connection_pool.make_connection()
        assert (connection.retry._retries, connection.socket_timeout) == (0, 0.5)
        with pytest.raises(ValueError, match="master_for"):
            RedisStore(sentinel.slave_for("sessions"), secret=SECRET)
        own.close()
        client.close()


def test_a_sentinels_master_dies_under_connections(kind, library, pki):
    """They go on with full handshakes, and resume again once the replica is the master."""
    with (
        watched(kind, library) as (sentinel, master),
        sentinel.master_for("sessions") as client,
        contextlib.closing(RedisStore(client, secret=SECRET)) as store,
    ):
        near, far = resuming(pki, store, library)
        assert not resumes(near, far)
        assert resumes(near, far)
        master.process.kill()
        assert not all(resumes(near, far) for _ in range(20))
        until(lambda: resumes(near, far) and resumes(near, far), FAILOVER)
        assert sentinel.discover_master("sessions")[1] != master.port
        assert near.sessions.store_stats().failures > 0
