"""Fixtures: every kind of session, and both ways to connect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.pki import PKI
from .helpers import KINDS, Kind, Link, client_for, server_for


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Session ids, TLS 1.2 tickets, stateful and stateless TLS 1.3 tickets in turn."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture(params=["memory", "sockets"])
def link(request: pytest.FixtureRequest) -> Iterator[Link]:
    """Connections over memory and over sockets in turn."""
    made = Link(request.param)
    yield made
    made.close()


@pytest.fixture
def memory() -> Link:
    """Connections over memory alone."""
    return Link("memory")


@pytest.fixture
def client(kind: Kind, pki: PKI) -> Any:
    """A client's context for this kind."""
    return client_for(kind, pki)


@pytest.fixture
def server(kind: Kind, pki: PKI) -> Any:
    """A server's context for this kind; its certificate comes from the root itself, so that it can
    be verified alone.
    """
    return server_for(kind, pki, identity=pki.direct)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One more root, that can revoke."""
    from .authority import Authority  # late: where cryptography is not, other tests run

    folder: Path = tmp_path_factory.mktemp("authority")
    return Authority(folder)
