"""Handshakes in memory, in C and in Python, when a signal's handler raises."""

from __future__ import annotations

import logging
import signal
import ssl as stdlib
from collections.abc import Iterator
from typing import Any

import pytest

import tlskit

from ..support import pairs
from ..support.pki import PKI


class Alarmed(Exception):
    """What the handler of a signal raises."""


@pytest.fixture(params=[tlskit, stdlib], ids=["own", "stdlibs"])
def queue(request: pytest.FixtureRequest) -> Any:
    """The kind of MemoryBIO."""
    return request.param.MemoryBIO


@pytest.fixture
def contexts(pki: PKI, version: Any, way: str) -> tuple[Any, Any]:
    client, server = pairs.client_context(pki), pairs.server_context(pki)
    pairs.only(version, client, server)
    return client, server


def greeted(client: Any, server: Any, queue: Any) -> tuple[Any, Any]:
    """A client's end that has said hello, and a server's that has not heard it yet."""
    up, down = queue(), queue()
    near = client.wrap_bio(down, up, server_hostname="localhost")
    far = server.wrap_bio(up, down, server_side=True)
    with pytest.raises(stdlib.SSLWantReadError):
        near.do_handshake()
    return near, far


@pytest.fixture
def alarmed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Once, a signal arrives while the log is asked whether it wants the end of a handshake. What
    has been asked for.
    """
    def handler(number: int, frame: Any) -> None:
        raise Alarmed

    asked: list[int] = []

    def enabled(level: int) -> bool:
        asked.append(level)
        if len(asked) == 1:
            signal.raise_signal(signal.SIGINT)
        return False

    monkeypatch.setattr(logging.getLogger("tlskit"), "isEnabledFor", enabled)
    before = signal.signal(signal.SIGINT, handler)
    yield asked
    signal.signal(signal.SIGINT, before)


def test_a_signal_while_the_log_is_asked(
    contexts: tuple[Any, Any], queue: Any, alarmed: list[int]
) -> None:
    """The handler's exception reaches the program, which may go on with the handshake."""
    near, far = greeted(*contexts, queue)
    with pytest.raises(stdlib.SSLWantReadError):
        far.do_handshake()
    raised = 0
    for end in (near, far, near, far):
        try:
            end.do_handshake()
        except Alarmed:
            raised += 1
            end.do_handshake()
        except stdlib.SSLWantReadError:
            continue
    assert raised == 1
    assert alarmed[0] == logging.DEBUG
    assert near.version() == far.version()
    pairs.take_tickets(near)
    far.write(b"after all")
    assert near.read(20) == b"after all"
