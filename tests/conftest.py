"""Fixtures for every test: the PKI, and the protocol versions that a test runs with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tlskit

from .support import inside, pairs, pypy, servers
from .support import pki as _pki


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    pypy.skip(items)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> _pki.PKI:
    """The throwaway PKI: made once, and never changed by a test."""
    folder: Path = tmp_path_factory.mktemp("pki")
    return _pki.make(folder)


@pytest.fixture(
    params=[tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3], ids=lambda version: version.name
)
def version(request: pytest.FixtureRequest) -> tlskit.TLSVersion:
    """TLS 1.2 and TLS 1.3 in turn."""
    chosen: tlskit.TLSVersion = request.param
    return chosen


@pytest.fixture
def contexts(
    pki: _pki.PKI, version: tlskit.TLSVersion
) -> tuple[tlskit.SSLContext, tlskit.SSLContext]:
    """A client's and a server's context, both for `version` alone."""
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    return client, server


@pytest.fixture(params=["c", "python"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the usual case is done: in C without cffi, or in Python."""
    if request.param == "python":
        inside.without_direct(monkeypatch)
    elif not inside.has_direct():
        pytest.skip("there is no C for it here")
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Running]:
    """A redis without TLS. Tests share it, so they use keys of their own."""
    with servers.redis_server() as running:
        yield running


@pytest.fixture(scope="session")
def memcached_server() -> Iterator[servers.Running]:
    """A memcached without TLS. Tests share it, so they use keys of their own."""
    with servers.memcached_server() as running:
        yield running
