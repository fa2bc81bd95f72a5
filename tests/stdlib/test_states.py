"""What a connection answers before, in and after its handshake and its end, compared with the
stdlib's.
"""

from __future__ import annotations

import contextlib
import ssl as stdlib
from types import ModuleType
from typing import Any

import pytest

import tlskit

from ..support.pairs import client_context, only, server_context, shake
from ..support.pki import PKI
from .compare import MODULES, agree, knows_shared_ciphers, outcome

#: How far both ends have come: who has done a step of the handshake, and what happened then.
STATES = ["fresh", "begun", "answered", "made", "ended by the peer", "ended", "over", "cut"]
QUESTIONS = [
    "version", "cipher", "compression", "shared_ciphers", "selected_alpn_protocol", "getpeercert",
    "get_verified_chain", "get_unverified_chain", "pending", "get_channel_binding", "session",
    "session_reused", "server_side", "server_hostname", "do_handshake", "unwrap", "read", "write",
    "verify_client_post_handshake",
]  # fmt: skip
ARGUMENTS: dict[str, tuple[Any, ...]] = {"read": (5,), "write": (b"x",)}


def _ends(pki: PKI, module: ModuleType, version: Any, state: str) -> tuple[Any, Any]:
    client, server = client_context(pki, module=module), server_context(pki, module=module)
    only(version, client, server)
    to_client, to_server = module.MemoryBIO(), module.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    if state in ("begun", "answered"):
        for end in (near, far) if state == "answered" else (near,):
            with contextlib.suppress(stdlib.SSLWantReadError):
                end.do_handshake()
    elif state != "fresh":
        shake(near, far)
        with contextlib.suppress(stdlib.SSLWantReadError):
            near.read(1)  # the tickets
    if state == "cut":
        to_client.write_eof()
        to_server.write_eof()
    return near, far


def _end(pki: PKI, module: ModuleType, version: Any, state: str, *, server: bool) -> Any:
    near, far = _ends(pki, module, version, state)
    one, other = (far, near) if server else (near, far)
    turns = {"ended by the peer": (other,), "ended": (one,), "over": (one, other, one)}
    for end in turns.get(state, ()):
        with contextlib.suppress(stdlib.SSLWantReadError):
            end.unwrap()
    return one


def _answer(end: Any, question: str) -> Any:
    found = getattr(end, question)
    if callable(found):
        found = found(*ARGUMENTS.get(question, ()))
    if question in ("session", "get_channel_binding", "get_verified_chain", "get_unverified_chain"):
        return type(found).__name__
    return found


@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
@pytest.mark.parametrize("version", [stdlib.TLSVersion.TLSv1_2, stdlib.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_object_answers_as_the_stdlibs(
    pki: PKI, question: str, state: str, version: Any, server: bool
) -> None:
    def work(module: ModuleType) -> Any:
        return _answer(_end(pki, module, version, state, server=server), question)

    theirs, ours = (outcome(lambda module=module: work(module)) for module in MODULES)
    if question == "shared_ciphers" and not knows_shared_ciphers:
        return
    if not hasattr(stdlib.SSLObject, question):  # the chains, before Python 3.13
        assert ours.raised is not AttributeError
        return
    if question == "session" and theirs.raised is ValueError:
        # The stdlib copies a session to DER and back, which fails in the middle of a handshake.
        assert ours.value in ("SSLSession", "NoneType")
        return
    assert agree(theirs, ours), f"\nthe stdlib: {theirs}\ntlskit:     {ours}"


@pytest.mark.parametrize("state", ["begun", "answered"])
def test_a_session_in_the_middle_of_a_handshake(pki: PKI, state: str, version: Any) -> None:
    """It has to say that it cannot be resumed, where the stdlib raises ValueError."""
    session = _end(pki, tlskit, version, state, server=False).session
    assert session is None or not session.is_resumable
