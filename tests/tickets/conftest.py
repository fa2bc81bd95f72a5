"""Fixtures: contexts whose tickets are looked at, and what a handshake between them comes to."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

import tlskit

from ..support import inside, pairs
from ..support.pki import PKI

#: So long that a period hardly ever ends while a test runs, but for those that the test lets pass:
#: seconds.
PERIOD, LIFETIME = 100_000, 250_000


@pytest.fixture
def client(pki: PKI, version: tlskit.TLSVersion) -> Any:
    context = pairs.client_context(pki)
    pairs.only(version, context)
    return context


@pytest.fixture
def make_server(pki: PKI, version: tlskit.TLSVersion) -> Callable[..., Any]:
    """Makes servers' contexts, each with a keyring if one is given."""

    def make(keyring: tlskit.TicketKeyring | None = None) -> Any:
        context = pairs.server_context(pki)
        pairs.only(version, context)
        context.tickets.keyring = keyring
        return context

    return make


@pytest.fixture
def server(make_server: Callable[..., Any]) -> Any:
    return make_server()


def earned(client: Any, server: Any) -> tlskit.SSLSession:
    """The session of a full handshake."""
    near, _ = pairs.memory_pair(client, server)
    assert not near.session_reused
    session: tlskit.SSLSession = near.session
    assert session.has_ticket
    return session


def resumes(client: Any, server: Any, session: tlskit.SSLSession) -> bool:
    """Whether a new connection resumes it; both ends agree, and bytes go both ways."""
    near, far = pairs.memory_pair(client, server, session=session)
    far.write(b"hello")
    assert near.read(5) == b"hello"
    assert near.session_reused is far.session_reused
    return bool(near.session_reused)


def random_key(size: int = 80) -> bytes:
    return os.urandom(size)


def shift(keyring: tlskit.TicketKeyring, seconds: int) -> None:
    """Let the keyring's clock run ahead."""
    inside.keys_of(keyring).shift(seconds)
