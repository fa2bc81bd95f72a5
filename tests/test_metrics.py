"""The numbers: a snapshot, and a collector for Prometheus."""

from __future__ import annotations

import gc
import socket
from typing import Any

import prometheus_client
import pytest

import tlskit
from tlskit import MemoryStore, TicketKeyring, metrics

from .support.pairs import Background, client_context, memory_pair, server_context
from .support.pki import PKI


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
