"""A store for every client of a process: inject_into_ssl(store=...)."""

from __future__ import annotations

import socket
import ssl as stdlib
from collections.abc import Iterator
from typing import Any

import pytest

import tlskit
from tlskit import MemoryStore

from ..support.pairs import echo_server, server_context
from ..support.pki import PKI
from .test_automatic import BytesStore


@pytest.fixture(autouse=True)
def extracted() -> Iterator[None]:
    yield
    tlskit.extract_from_ssl()
    assert stdlib.SSLContext is not tlskit.SSLContext


def visit(address: tuple[str, int], pki: PKI) -> Any:
    """What a library does that knows nothing of tlskit; whether the session was reused."""
    context = stdlib.create_default_context(cafile=str(pki.root))
    with (
        socket.create_connection(address) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        wrapped.sendall(b"x")
        assert wrapped.recv(1) == b"x"
        return wrapped.session_reused


@pytest.mark.parametrize("how", ["True", "memory", "bytes"])
def test_a_new_context_for_every_connection(pki: PKI, how: str) -> None:
    store: Any = {"True": True, "memory": MemoryStore(), "bytes": BytesStore()}[how]
    with echo_server(server_context(pki)) as address:
        tlskit.inject_into_ssl(store=store)
        assert [visit(address, pki) for _ in range(4)] == [False, True, True, True]


def test_without_a_store_nothing_resumes(pki: PKI) -> None:
    with echo_server(server_context(pki)) as address, tlskit.inject_into_ssl():
        assert [visit(address, pki) for _ in range(3)] == [False] * 3


def test_it_ends_with_the_injection(pki: PKI) -> None:
    with tlskit.inject_into_ssl(store=True):
        inside = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
        assert inside.sessions.resume  # type: ignore[attr-defined]
    assert not tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT).sessions.resume
    assert inside.sessions.resume  # type: ignore[attr-defined]


def test_a_later_call_without_a_store_leaves_it() -> None:
    store = MemoryStore()
    tlskit.inject_into_ssl(store=store)
    tlskit.inject_into_ssl()
    assert stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT).sessions.store is store  # type: ignore[attr-defined]
    other = MemoryStore()
    tlskit.inject_into_ssl(store=other)
    assert stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT).sessions.store is other  # type: ignore[attr-defined]


def test_servers_are_left_alone() -> None:
    tlskit.inject_into_ssl(store=True)
    assert stdlib.SSLContext(stdlib.PROTOCOL_TLS_SERVER).sessions.store is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("bad", [5, object(), "memory", []])
def test_what_is_no_store(bad: Any) -> None:
    with pytest.raises(TypeError, match="session store"):
        tlskit.inject_into_ssl(store=bad)
    assert stdlib.SSLContext is not tlskit.SSLContext


def test_plain_text_stays_in_the_process() -> None:
    store = BytesStore()
    store.sealed = False  # type: ignore[misc]
    with pytest.raises(ValueError, match="SealedStore"):
        tlskit.inject_into_ssl(store=store)
    assert stdlib.SSLContext is not tlskit.SSLContext
