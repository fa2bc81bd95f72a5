"""A client in a process of its own, that connects again and again and resumes from a store that
others share.

    python -m tests.support.visitor STORE ROOT HOST PORT COUNT

STORE is sqlite:PATH, redis:HOST:PORT or memcached:HOST:PORT. For each connection it writes a line:
`r` when it was resumed,
`f` when it was a full handshake.
"""

from __future__ import annotations

import logging
import socket
import sys
from typing import Any

import tlskit

SECRET = b"a secret that all the visitors have"


def store_at(place: str) -> Any:
    """The store that is meant."""
    kind, _, where = place.partition(":")
    if kind == "sqlite":
        return tlskit.SQLiteStore(where)
    host, _, port = where.partition(":")
    if kind == "redis":
        import redis

        return tlskit.RedisStore(
            redis.Redis(host=host, port=int(port), socket_timeout=1, socket_connect_timeout=1),
            secret=SECRET,
        )
    from pymemcache.client.base import Client

    return tlskit.MemcachedStore(
        Client((host, int(port)), timeout=1, connect_timeout=1), secret=SECRET
    )


def main(place: str, root: str, host: str, port: str, count: str) -> None:
    logging.getLogger("tlskit").setLevel(logging.CRITICAL)
    store = store_at(place)
    for _ in range(int(count)):
        context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(root)
        context.sessions.store = store
        context.sessions.single_use = True  # the crowd counts what is offered
        with (
            socket.create_connection((host, int(port)), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as wrapped,
        ):
            wrapped.sendall(b"x")
            assert wrapped.recv(1) == b"x"
            print("r" if wrapped.session_reused else "f", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
