"""What the stdlib's sockets refuse, tlskit's refuse with the same exception and the same words."""

from __future__ import annotations

import contextlib
import socket
import ssl as stdlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import tlskit

from ..support.pairs import client_context, server_context
from ..support.pki import PKI

Attempt = Callable[[ModuleType, PKI, contextlib.ExitStack], Any]


def _where_nobody_listens(open_: contextlib.ExitStack) -> tuple[str, int]:
    """The address of a socket that is bound, and does not listen."""
    bound = open_.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    address: tuple[str, int] = bound.getsockname()
    return address


def _datagrams(ssl: ModuleType, pki: PKI, open_: contextlib.ExitStack) -> Any:
    plain = open_.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    return client_context(pki, module=ssl).wrap_socket(plain, server_hostname="localhost")


def _name_on_a_server(ssl: ModuleType, pki: PKI, open_: contextlib.ExitStack) -> Any:
    plain = open_.enter_context(socket.socket())
    return server_context(pki, module=ssl).wrap_socket(
        plain, server_side=True, server_hostname="localhost"
    )


def _handshake_without_waiting(ssl: ModuleType, pki: PKI, open_: contextlib.ExitStack) -> Any:
    near, far = socket.socketpair()
    open_.enter_context(far)
    open_.enter_context(near).setblocking(False)
    return client_context(pki, module=ssl).wrap_socket(near, server_hostname="localhost")


def _unconnected(ssl: ModuleType, pki: PKI, open_: contextlib.ExitStack) -> Any:
    plain = open_.enter_context(socket.socket())
    context = client_context(pki, module=ssl)
    return open_.enter_context(context.wrap_socket(plain, server_hostname="localhost"))


def _unwrap_of_nothing(ssl: ModuleType, pki: PKI, open_: contextlib.ExitStack) -> Any:
    return _unconnected(ssl, pki, open_).unwrap()


def _handshake_of_nothing(ssl: ModuleType, pki: PKI, open_: contextlib.ExitStack) -> Any:
    return _unconnected(ssl, pki, open_).do_handshake()


def _connect_of_a_server(ssl: ModuleType, pki: PKI, open_: contextlib.ExitStack) -> Any:
    plain = open_.enter_context(socket.socket())
    end = open_.enter_context(server_context(pki, module=ssl).wrap_socket(plain, server_side=True))
    return end.connect(("127.0.0.1", 1))


def _connect_where_nobody_listens(ssl: ModuleType, pki: PKI, open_: contextlib.ExitStack) -> Any:
    return _unconnected(ssl, pki, open_).connect(_where_nobody_listens(open_))


def _tickets_below_zero(ssl: ModuleType, pki: PKI, open_: contextlib.ExitStack) -> Any:
    server_context(pki, module=ssl).num_tickets = -1


REFUSED = [
    _datagrams, _name_on_a_server, _handshake_without_waiting, _unwrap_of_nothing,
    _handshake_of_nothing, _connect_of_a_server, _connect_where_nobody_listens,
    _tickets_below_zero,
]  # fmt: skip


def _refusal(attempt: Attempt, ssl: ModuleType, pki: PKI) -> BaseException:
    with contextlib.ExitStack() as open_, pytest.raises(Exception) as caught:  # noqa: PT011
        attempt(ssl, pki, open_)
    return caught.value


@pytest.mark.parametrize("attempt", REFUSED, ids=lambda attempt: attempt.__name__.strip("_"))
def test_what_the_stdlib_refuses(attempt: Attempt, pki: PKI) -> None:
    theirs, ours = (_refusal(attempt, module, pki) for module in (stdlib, tlskit))
    assert type(ours) is type(theirs)
    assert getattr(ours, "errno", None) == getattr(theirs, "errno", None)
    words = str(theirs).partition(" around ")[0]  # then comes the socket's repr
    assert str(ours).startswith(words)


def test_connect_ex_returns_what_the_stdlibs_does(pki: PKI) -> None:
    found = []
    for module in (stdlib, tlskit):
        with contextlib.ExitStack() as open_:
            end = _unconnected(module, pki, open_)
            found.append(end.connect_ex(_where_nobody_listens(open_)))
            assert end.version() is None
    assert found[0] == found[1] != 0
