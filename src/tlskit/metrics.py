"""Counters of handshakes: a snapshot for a log or a test, and a collector for Prometheus.

    from tlskit import metrics

    metrics.snapshot(ctx)  # {"openssl_hits": 12, "resumption_resumed": 11, ...}
    prometheus_client.REGISTRY.register(metrics.Collector(api=ctx))

The collector needs the package `prometheus-client` (`pip install tlskit[prometheus]`); the snapshot
needs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from ._context import SSLContext

__all__ = ["Collector", "snapshot"]

_GAUGES = {"openssl_number"}
_WORDS = {
    "failed": "Handshakes that failed",
    "negotiated": "Handshakes by the group of the key exchange and the server's signature",
    "openssl": "OpenSSL's counters of sessions and handshakes (SSL_CTX_sess_number(3))",
    "resumption": "How connections were resumed, or why they were not",
    "store": "Results of calls to the session store",
    "tickets": "What the keyring did with the tickets of clients",
}


def snapshot(context: SSLContext) -> dict[str, int]:
    """Return the current value of every counter of one context.

    Each name begins with its source: `openssl_` (the twelve counters of
    `sessions.stats()`), `resumption_` (`sessions.counters`), `store_` (of the context's session
    store: calls, failures, slow ones, ...), `failed_` (handshakes, by the reason), `negotiated_`
    (`ctx.negotiated()`: groups and signature algorithms) and `tickets_` (of its keyring, which
    other contexts may share). All but `openssl_number` only grow. Any thread
    may ask.
    """
    sessions = context.sessions
    found = {f"openssl_{name}": number for name, number in asdict(sessions.stats()).items()}
    found.update(
        (f"resumption_{name}", number) for name, number in sorted(sessions.counters.items())
    )
    found.update((f"store_{name}", number) for name, number in sessions.store_stats().items())
    found.update(
        (f"failed_{reason}", number) for reason, number in context.handshake_failures.items()
    )
    found.update(
        (f"negotiated_{kind}_{name}", number)
        for kind, names in context.negotiated().items()
        for name, number in names.items()
    )
    keyring = context.tickets.keyring
    if keyring is not None:
        found.update(
            (f"tickets_{name}", number) for name, number in asdict(keyring.stats()).items()
        )
    return found


class Collector:
    """A collector for prometheus_client: `tlskit_openssl_total`, `tlskit_resumption_total` and so
    on, with labels.

    Each sample has the labels `context`, the keyword that the context was given under, and `event`,
    the counter's name; `tlskit_handshakes_failed_total` has `reason` in its place. A context that
    is gone is left out; the collector does not keep it alive.

    Each process counts for itself. To scrape several workers behind one port, give each a port or a
    path of its own for the metrics; the multiprocess mode of prometheus_client has no custom
    collectors.

    Args:
        contexts: by the names that they get in the samples.

    Raises:
        ImportError: prometheus_client is not installed.
    """

    def __init__(self, **contexts: SSLContext) -> None:
        import prometheus_client.core

        self._core = prometheus_client.core
        self._contexts = {name: ref(context) for name, context in contexts.items()}

    def collect(self) -> Iterator[Any]:
        """Yield the metric families; prometheus_client calls this for every scrape."""
        labels = ["context", "event"]
        counters = {
            part: self._core.CounterMetricFamily(f"tlskit_{part}", words, labels=labels)
            for part, words in _WORDS.items()
        }
        counters["failed"] = self._core.CounterMetricFamily(
            "tlskit_handshakes_failed", _WORDS["failed"], labels=["context", "reason"]
        )
        cached = self._core.GaugeMetricFamily(
            "tlskit_cached_sessions", "Sessions in OpenSSL's own cache", labels=["context"]
        )
        for name, reference in self._contexts.items():
            context = reference()
            if context is None:
                continue
            for key, number in snapshot(context).items():
                part, _, event = key.partition("_")
                if key in _GAUGES:
                    cached.add_metric([name], number)
                else:
                    counters[part].add_metric([name, event], number)
        yield from counters.values()
        yield cached

    def describe(self) -> list[Any]:
        """Describe nothing in advance: the contexts may not have been used yet."""
        return []
