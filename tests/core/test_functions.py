"""The functions of the module that make connections or bytes."""

from __future__ import annotations

import socket
import ssl as stdlib

import pytest

import tlskit

from ..support.pairs import echo_server, server_context


def leaf(pki):
    return pki.server.chain.read_text().split("-----END", 1)[0].split()


@pytest.mark.parametrize("trusting", [False, True])
def test_the_certificate_of_a_server(pki, trusting):
    with echo_server(server_context(pki), unwrap=False) as address:
        pem = tlskit.get_server_certificate(address, ca_certs=str(pki.root) if trusting else None)
    assert pem.split("-----END", 1)[0].split() == leaf(pki)


def test_one_that_nobody_trusts(pki):
    with echo_server(server_context(pki, identity=pki.stranger), unwrap=False) as address:
        assert tlskit.get_server_certificate(address)
        with pytest.raises(tlskit.SSLCertVerificationError):
            tlskit.get_server_certificate(address, ca_certs=str(pki.root))


def test_a_server_that_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        tlskit.get_server_certificate(silent.getsockname(), timeout=0.05)


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    with pytest.raises(ConnectionRefusedError):
        tlskit.get_server_certificate(address, timeout=5)


def test_both_forms_of_a_certificate(pki):
    der = tlskit.PEM_cert_to_DER_cert(pki.root_pem)
    assert tlskit.PEM_cert_to_DER_cert(tlskit.DER_cert_to_PEM_cert(der)) == der
    assert tlskit.DER_cert_to_PEM_cert(der) == stdlib.DER_cert_to_PEM_cert(der)


def test_random_bytes():
    assert {len(tlskit.RAND_bytes(size)) for size in (0, 1, 32)} == {0, 1, 32}
    assert tlskit.RAND_bytes(32) != tlskit.RAND_bytes(32)
    assert tlskit.RAND_status() is stdlib.RAND_status()
    assert tlskit.RAND_status()
    with pytest.raises(ValueError, match="positive"):
        tlskit.RAND_bytes(-1)
