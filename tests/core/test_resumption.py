"""The main job: a session set before the next handshake resumes it."""

from __future__ import annotations

from ..support.pairs import memory_pair, socket_pair


def test_resumes_in_memory(contexts):
    client, server = contexts
    near, _ = memory_pair(client, server)
    assert not near.session_reused
    again, far = memory_pair(client, server, session=near.session)
    assert again.session_reused
    assert far.session_reused


def test_resumes_over_sockets(contexts):
    client, server = contexts
    with socket_pair(client, server) as (near, far):
        far.sendall(b"x")
        assert near.recv(1) == b"x"
        session = near.session
    with socket_pair(client, server, session=session) as (near, far):
        assert near.session_reused
        assert far.session_reused
