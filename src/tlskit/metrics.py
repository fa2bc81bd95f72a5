"""The counters of contexts: a snapshot for a log or a test, a collector for Prometheus, and both
for several processes together.

    from tlskit import metrics

    metrics.snapshot(ctx)  # {"openssl_hits": 12, "resumption_resumed": 11, ...}
    prometheus_client.REGISTRY.register(metrics.Collector(api=ctx))

The collectors need the package `prometheus-client` (`pip install tlskit[prometheus]`); the other
functions need nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

from ._core.paths import named_path
from ._lazy import LateName

if TYPE_CHECKING:
    from ._context import SSLContext
else:
    SSLContext = LateName("tlskit", "SSLContext")

__all__ = ["Collector", "WorkersCollector", "gather", "publish", "snapshot"]

_GAUGES = {"openssl_number"}
_WORDS = {
    "failed": "Handshakes that failed",
    "negotiated": "Handshakes by the group of the key exchange and the server's signature",
    "openssl": "OpenSSL's counters of sessions and handshakes (SSL_CTX_sess_number(3))",
    "resumption": "How connections were resumed, or why they were not",
    "store": "Results of calls to the session store",
    "tickets": "What the keyring did with the tickets of clients",
}
Snapshots = Mapping[str, Mapping[str, int]]


def snapshot(context: SSLContext) -> dict[str, int]:
    """Return every counter of one context, as it is now.

    The prefix of a name tells its source: `openssl_` (the twelve counters of `sessions.stats()`),
    `resumption_` (`sessions.counters`), `store_` (of the context's session store: calls, failures,
    slow ones, ...), `failed_` (handshakes, by the reason), `negotiated_` (`ctx.negotiated()`:
    groups and signature algorithms) and `tickets_` (of its keyring, which other contexts may
    share). All but `openssl_number` only grow. Every name exists from the start, except for rare
    reasons of failure, and for what has not been negotiated yet. Safe from any thread.
    """
    sessions, keyring = context.sessions, context.tickets.keyring
    parts: dict[str, Mapping[str, int]] = {
        "openssl": sessions.stats(),
        "resumption": sessions.counters,
        "store": sessions.store_stats(),
        "failed": context.handshake_failures,
        "negotiated": {
            f"{kind}_{name}": count
            for kind, names in context.negotiated().items()
            for name, count in names.items()
        },
        "tickets": {} if keyring is None else keyring.stats(),
    }
    return {
        f"{part}_{name}": counts[name] for part, counts in parts.items() for name in sorted(counts)
    }


def publish(directory: str | os.PathLike[str], **contexts: SSLContext) -> None:
    """Write this process's counters into a directory that the processes of a server share.

    Call it every few seconds, and when the process ends; `gather`, in any process, adds up all
    files. A file is replaced atomically. It remains after its process has ended, because counters
    must not decrease; a directory is for one run of a server, so empty it before the next.

    Args:
        directory: it must exist, and only the server may write to it.
        contexts: by their names in the samples.
    """
    counts = {name: snapshot(context) for name, context in contexts.items()}
    path = Path(_checked(directory), f"{os.getpid()}.json")
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(counts), encoding="ascii")
    draft.replace(path)


def _checked(directory: str | os.PathLike[str]) -> str:
    return named_path("directory", directory, wanted="the path of a directory")


def gather(directory: str | os.PathLike[str]) -> dict[str, dict[str, int]]:
    """Add up the counters that the processes have published, by name, as in `snapshot`.

    A file that cannot be read is left out. The session cache of a process that has ended is not
    counted, as far as the system can tell that it has ended.
    """
    found: dict[str, dict[str, int]] = {}
    for path in sorted(Path(_checked(directory)).glob("*.json")):
        rows: list[tuple[str, str, int]] = []
        with suppress(OSError, ValueError, TypeError, AttributeError):
            counts = json.loads(path.read_text(encoding="ascii"))
            rows = [
                (name, key, int(number))
                for name, numbers in counts.items()
                for key, number in numbers.items()
            ]
        alive = _is_alive(path.stem)
        for name, key, number in rows:
            if alive or key not in _GAUGES:
                total = found.setdefault(name, {})
                total[key] = total.get(key, 0) + number
    return found


def _is_alive(pid: str) -> bool:
    """Return whether there is such a process; True if that cannot be determined."""
    if os.name != "posix":
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True


class _Families:
    """Snapshots in prometheus_client's form."""

    def __init__(self) -> None:
        import prometheus_client.core

        self._core = prometheus_client.core

    def _made(self, snapshots: Snapshots) -> Iterator[Any]:
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
        for name, numbers in snapshots.items():
            for key, number in numbers.items():
                part, _, event = key.partition("_")
                if key in _GAUGES:
                    cached.add_metric([name], number)
                elif part in counters:
                    counters[part].add_metric([name, event], number)
        yield from counters.values()
        yield cached

    def describe(self) -> list[Any]:
        """Describe nothing in advance: contexts need not be in use when the collector is
        registered.
        """
        return []


class Collector(_Families):
    """A collector for prometheus_client: `tlskit_openssl_total`, `tlskit_resumption_total` and so
    on, with labels.

    Each sample has the labels `context`, the keyword of the context, and `event`, the counter's
    name; `tlskit_handshakes_failed_total` has `reason` instead. A context that no longer exists is
    left out; the collector does not keep it alive.

    Each process counts separately; for several workers behind one port, see `WorkersCollector`.

    Args:
        contexts: by their names in the samples.

    Raises:
        ImportError: prometheus_client is not installed.
    """

    def __init__(self, **contexts: SSLContext) -> None:
        super().__init__()
        self._contexts = {name: ref(context) for name, context in contexts.items()}

    def collect(self) -> Iterator[Any]:
        """Yield the metrics; prometheus_client calls this for every scrape."""
        alive = {name: reference() for name, reference in self._contexts.items()}
        yield from self._made(
            {name: snapshot(context) for name, context in alive.items() if context is not None}
        )


class WorkersCollector(_Families):
    """A collector for all workers of a server together, from what they have published in a
    directory.

    Args:
        directory: see `publish`.

    Raises:
        ImportError: prometheus_client is not installed.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__()
        self._directory = directory

    def collect(self) -> Iterator[Any]:
        """Yield the metrics; prometheus_client calls this for every scrape."""
        yield from self._made(gather(self._directory))
