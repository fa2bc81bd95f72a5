"""Here every protocol version is tried that the library allows, not the two that matter most."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tlskit

from ..support import servers
from ..support.pki import PKI

VERSIONS = [
    version
    for version in tlskit.TLSVersion
    if getattr(tlskit, f"HAS_{version.name}", False) and version.name != "SSLv3"
]


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> tlskit.TLSVersion:
    """TLS 1.0, 1.1, 1.2 and 1.3 in turn."""
    chosen: tlskit.TLSVersion = request.param
    return chosen


@pytest.fixture(scope="session")
def redis_tls(pki: PKI) -> Iterator[servers.Running]:
    """A redis that speaks TLS on its port."""
    with servers.redis_server(pki.narrow) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_tls(pki: PKI) -> Iterator[servers.Running]:
    """A PostgreSQL that speaks TLS to those who ask for it."""
    with servers.postgres_server(pki.narrow) as running:
        yield running


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The conformance tests run when they are asked for by name."""
    if "conformance" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("conformance")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
