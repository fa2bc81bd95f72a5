"""`ctx.sessions.reverify`: what has happened to a certificate since its session was made."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import tlskit
from tlskit import Reason, SSLSession
from tlskit.sessions import records

from ..support import peers
from ..support.pairs import only, server_context
from .authority import Authority
from .helpers import KINDS, Link, client_for, server_for
from .test_envelope import joined, parts


@pytest.fixture
def revocable(tmp_path):
    """A server, a client that asks a directory for revoked certificates, and what revokes the
    server's.
    """
    authority = Authority(tmp_path, "One that changes its mind")
    identity, certificate = authority.issue("localhost")
    folder = tmp_path / "hashed"
    folder.mkdir()

    def put(path, what, suffix):
        command = [peers.command(), what, "-hash", "-noout", "-in", str(path)]
        name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        shutil.copy(path, folder / f"{name}{suffix}")

    put(authority.root, "x509", ".0")
    put(authority.revoke(), "crl", ".r0")
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(identity.chain, identity.key)

    def client(kind):
        context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(capath=folder)
        context.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
        only(kind.version, context)
        return context

    return client, server, lambda: put(authority.revoke(certificate), "crl", ".r1")


@pytest.mark.parametrize("through", ["memory", "bytes"])
@pytest.mark.parametrize("reverify", [False, True])
def test_revoked_in_between(kind, revocable, reverify, through):
    make, server, revoke = revocable
    client = make(kind)
    client.sessions.reverify = reverify
    link = Link("memory")
    near, _ = link.connect(client, server)
    session = (
        near.session if through == "memory" else SSLSession.from_bytes(near.session.to_bytes())
    )
    near, _ = link.connect(client, server, session=session)
    assert near.session_reused
    revoke()  # the directory is another policy now, whether or not anybody verifies again
    with pytest.raises(tlskit.SSLCertVerificationError, match="revoked"):
        link.connect(client, server, session=session)


def test_all_is_well(pki, kind, link):
    """With an authority in between that only the peer has shown."""
    client, server = client_for(kind, pki), server_for(kind, pki)
    client.sessions.reverify = True
    session = link.earn(client, server)
    for _ in range(2):
        near, _ = link.connect(client, server, session=session)
        assert near.session_reused
        assert len(near.get_verified_chain()) == 3
        session = SSLSession.from_bytes(near.session.to_bytes())


def test_by_itself(pki, kind, memory):
    client, server = client_for(kind, pki), server_for(kind, pki)
    client.sessions.resume = client.sessions.reverify = True
    assert not memory.connect(client, server)[0].session_reused
    assert memory.connect(client, server)[0].session_reused


def test_a_chain_that_was_lost(pki, kind, memory):
    """Bound to the right name and policy, but it cannot be verified: offered as long as nobody
    asks.
    """
    client, server = client_for(kind, pki), server_for(kind, pki)
    found = parts(memory.earn(client, server).to_bytes())
    session = SSLSession.from_bytes(
        joined({tag: body for tag, body in found.items() if not tag & records.OPTIONAL})
    )
    assert memory.connect(client, server, session=session)[0].session_reused
    client.sessions.reverify = True
    near, _ = memory.connect(client, server, session=session)
    assert near.resumption.reason is Reason.CERTIFICATE_REFUSED
    assert len(near.get_verified_chain()) == 3


def test_without_verification_there_is_nothing_to_verify(pki, kind, memory):
    client, server = client_for(kind, pki), server_context(pki, identity=pki.stranger)
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    client.sessions.reverify = True
    session = memory.earn(client, server)
    assert memory.connect(client, server, session=session)[0].session_reused


def test_it_is_off_until_asked_for(pki):
    client = client_for(KINDS[0], pki)
    assert client.sessions.reverify is False
    client.sessions.reverify = 1
    assert client.sessions.reverify is True
