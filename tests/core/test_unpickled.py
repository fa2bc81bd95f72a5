"""What holds objects of C is neither pickled nor copied as a whole, on any Python: a pickle would
hold keys and passwords.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import tlskit

from ..support import pairs
from ..support.pki import PKI

HOLDERS: dict[str, Callable[[Any, Any], Any]] = {
    "a context": lambda near, server: server,
    "its sessions": lambda near, server: server.sessions,
    "its tickets": lambda near, server: server.tickets,
    "a connection": lambda near, server: near,
    "its inner object": lambda near, server: near._sslobj,
    "a queue": lambda near, server: tlskit.MemoryBIO(),
    "a keyring": lambda near, server: tlskit.TicketKeyring(),
    "a session": lambda near, server: near.session,
    "a store": lambda near, server: tlskit.MemoryStore(),
}


@pytest.mark.parametrize("work", [pickle.dumps, copy.deepcopy], ids=["pickle", "deepcopy"])
@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_it_is_refused(
    pki: PKI,
    contexts: tuple[tlskit.SSLContext, tlskit.SSLContext],
    holder: Callable[[Any, Any], Any],
    work: Callable[[Any], Any],
) -> None:
    client, server = contexts
    near, _ = pairs.memory_pair(client, server)
    pairs.take_tickets(near)
    held = holder(near, server)
    assert held is not None
    if work is copy.deepcopy and isinstance(held, tlskit.SSLSession):
        return  # never changes, and may be shared
    with pytest.raises(TypeError, match="pickle"):
        work(held)


@pytest.mark.parametrize("kind", [tlskit.MemoryBIO, tlskit.SSLContext])
def test_a_copy_would_share_what_is_in_c(kind: Any) -> None:
    held = tlskit.MemoryBIO() if kind is tlskit.MemoryBIO else kind(tlskit.PROTOCOL_TLS_CLIENT)
    with pytest.raises(TypeError, match=f"cannot pickle '{kind.__name__}' object"):
        copy.copy(held)
