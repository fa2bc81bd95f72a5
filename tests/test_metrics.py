"""The numbers: a snapshot, and a collector for Prometheus."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import prometheus_client
import pytest

import tlskit
from tlskit import Counters, MemoryStore, TicketKeyring, metrics
from tlskit._state.failure_reasons import FAILURES
from tlskit.stores.guard import guarded

from .support.pairs import Background, client_context, memory_pair, server_context
from .support.pki import PKI

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def contexts(pki: PKI) -> tuple[Any, Any]:
    """A client that resumes, and a server with a keyring, after one full and two resumed
    handshakes.
    """
    client, server = client_context(pki), server_context(pki)
    client.sessions.store = MemoryStore()
    server.tickets.keyring = TicketKeyring()
    for _ in range(3):
        memory_pair(client, server)
    return client, server


def test_a_snapshot(contexts: tuple[Any, Any]) -> None:
    client, server = contexts
    seen = metrics.snapshot(client)
    assert seen["resumption_resumed"] == 2
    assert seen["resumption_nothing_stored"] == 1
    assert seen["openssl_connect_good"] == 3
    assert seen["openssl_hits"] == 2
    assert seen["store_calls"] > 3
    assert seen["store_failures"] == 0
    assert not any(name.startswith("tickets_") for name in seen)
    served = metrics.snapshot(server)
    assert served["openssl_accept_good"] == 3
    assert served["tickets_resumed"] == 2
    assert not any(name.startswith("store_") for name in served)
    assert all(type(number) is int for number in {**seen, **served}.values())


def test_the_collector(contexts: tuple[Any, Any]) -> None:
    client, server = contexts
    registry = prometheus_client.CollectorRegistry()
    registry.register(metrics.Collector(fetcher=client, api=server))
    assert (
        registry.get_sample_value(
            "tlskit_resumption_total", {"context": "fetcher", "event": "resumed"}
        )
        == 2
    )
    assert (
        registry.get_sample_value("tlskit_openssl_total", {"context": "api", "event": "hits"}) == 2
    )
    assert (
        registry.get_sample_value("tlskit_tickets_total", {"context": "api", "event": "resumed"})
        == 2
    )
    assert registry.get_sample_value("tlskit_cached_sessions", {"context": "fetcher"}) == 0
    text = prometheus_client.generate_latest(registry).decode()
    assert 'tlskit_store_total{context="fetcher",event="calls"}' in text


def test_handshakes_that_failed(pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki, identity=pki.stranger)
    assert client.handshake_failures == server.handshake_failures == {}
    assert client.handshake_failures["certificate_verify_failed"] == 0
    assert metrics.snapshot(client)["failed_certificate_verify_failed"] == 0
    for _ in range(2):
        with pytest.raises(tlskit.SSLCertVerificationError):
            memory_pair(client, server)
    memory_pair(client, server_context(pki))
    assert client.handshake_failures == {"certificate_verify_failed": 2}
    assert metrics.snapshot(client)["failed_certificate_verify_failed"] == 2
    assert client.copy().handshake_failures == {}
    registry = prometheus_client.CollectorRegistry()
    registry.register(metrics.Collector(fetcher=client, api=server))
    labels = {"context": "fetcher", "reason": "certificate_verify_failed"}
    assert registry.get_sample_value("tlskit_handshakes_failed_total", labels) == 2


def test_a_server_counts_the_alert_that_it_gets(pki: PKI) -> None:
    client, server = client_context(pki), server_context(pki, identity=pki.stranger)
    near, far = socket.socketpair()
    serving = Background(lambda: server.wrap_socket(far, server_side=True))
    with pytest.raises(tlskit.SSLCertVerificationError):
        client.wrap_socket(near, server_hostname="localhost")
    near.close()
    error = serving.error
    assert isinstance(error, tlskit.SSLError)
    assert server.handshake_failures == {str(error.reason).lower(): 1}


# -- one shape -------------------------------------------------------------------------------------


def test_statistics_have_one_shape(contexts: tuple[Any, Any]) -> None:
    client, server = contexts
    for stats, name in (
        (server.sessions.stats(), "accept_good"),
        (server.tickets.keyring.stats(), "resumed"),
        (client.sessions.counters, "resumed"),
        (client.sessions.store_stats(), "calls"),
        (client.handshake_failures, "timeouterror"),
        (guarded(client.sessions.store).stats(), "failures"),
    ):
        assert isinstance(stats, Mapping)
        assert getattr(stats, name) == stats[name] == dict(stats)[name]
        assert name in stats
        assert "no such name" not in stats
        assert list(stats) == list(stats.keys())
        assert len(stats) == len(dict(stats.items())) > 0
        assert all(type(number) is int for number in stats.values())
        with pytest.raises(AttributeError):
            stats.no_such_name  # noqa: B018
        with pytest.raises((AttributeError, TypeError)):
            setattr(stats, name, 5)
        assert name in repr(stats) or not stats[name]
        json.dumps(dict(stats))


def test_every_outcome_is_there_from_the_start(pki: PKI) -> None:
    context = client_context(pki)
    counters, seen = context.sessions.counters, metrics.snapshot(context)
    for reason in tlskit.Reason:
        assert counters[reason.name.lower()] == 0
        assert seen[f"resumption_{reason.name.lower()}"] == 0
    assert counters.resumed == counters.stored == counters.peer_dropped == 0
    assert not counters
    assert counters == {}
    assert set(FAILURES) == set(context.handshake_failures)
    assert {f"failed_{reason}" for reason in FAILURES} <= set(seen)


def test_counters_are_compared_by_what_has_happened() -> None:
    one = Counters({"a": 1, "b": 0})
    assert one == {"a": 1}
    assert one == Counters({"a": 1, "c": 0})
    assert one != {"a": 2}
    assert one != 5
    assert one["unknown"] == 0
    assert one
    assert one.get("unknown", 7) in (0, 7)
    assert "b" in dir(one)
    assert repr(one) == "Counters({'a': 1})"
    with pytest.raises(TypeError):
        hash(one)


# -- several workers -------------------------------------------------------------------------------

WORKER = """
import sys
from pathlib import Path
from tests.support.pairs import client_context, memory_pair, server_context
from tests.support.pki import make
from tlskit import metrics

folder, directory = Path(sys.argv[1]), sys.argv[2]
folder.mkdir()
pki = make(folder)
client, server = client_context(pki), server_context(pki)
for _ in range(int(sys.argv[3])):
    memory_pair(client, server)
metrics.publish(directory, api=server, fetcher=client)
"""


def test_workers_are_added_up(contexts: tuple[Any, Any], tmp_path: Path) -> None:
    client, server = contexts
    directory = tmp_path / "shared"
    directory.mkdir()
    assert metrics.gather(directory) == {}
    for number in (1, 2):
        command = [sys.executable, "-c", WORKER, tmp_path / str(number), directory, str(number)]
        subprocess.run(list(map(str, command)), check=True, cwd=ROOT)
    metrics.publish(directory, api=server, fetcher=client)
    metrics.publish(directory, api=server, fetcher=client)  # it replaces the first
    together = metrics.gather(directory)
    assert together["api"]["openssl_accept_good"] == 1 + 2 + 3
    assert together["fetcher"]["resumption_resumed"] == 2
    assert together["api"]["openssl_number"] == server.sessions.stats().number
    registry = prometheus_client.CollectorRegistry()
    registry.register(metrics.WorkersCollector(directory))
    labels = {"context": "api", "event": "accept_good"}
    assert registry.get_sample_value("tlskit_openssl_total", labels) == 6


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", '{"api": 5}', '{"api": {"openssl_hits": "x"}}']
)
def test_files_that_are_damaged(tmp_path: Path, pki: PKI, text: str) -> None:
    metrics.publish(tmp_path, api=server_context(pki))
    (tmp_path / "1.json").write_text(text, encoding="ascii")
    assert metrics.gather(tmp_path)["api"]["openssl_accept_good"] == 0


def test_a_directory_that_is_not_there(tmp_path: Path, pki: PKI) -> None:
    with pytest.raises(FileNotFoundError):
        metrics.publish(tmp_path / "nowhere", api=server_context(pki))
    assert metrics.gather(tmp_path / "nowhere") == {}


def test_the_collector_keeps_nothing_alive(pki: PKI) -> None:
    registry, context = prometheus_client.CollectorRegistry(), client_context(pki)
    registry.register(metrics.Collector(short=context))
    assert "short" in prometheus_client.generate_latest(registry).decode()
    del context
    gc.collect()
    assert "short" not in prometheus_client.generate_latest(registry).decode()


@pytest.mark.parametrize("bad", [None, 5, object()])
def test_what_is_no_context(bad: Any) -> None:
    with pytest.raises((AttributeError, TypeError)):
        metrics.snapshot(bad)
