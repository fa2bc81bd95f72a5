"""What Python 3.12 has dropped, and those before have: there where the running Python's own `ssl`
has it.
"""

from __future__ import annotations

import socket
import ssl as stdlib
import sys

import pytest

import tlskit

from ..support.pairs import Background, server_context
from .compare import compared

GONE = ["match_hostname", "wrap_socket", "RAND_pseudo_bytes"]
pytestmark = pytest.mark.skipif(sys.version_info >= (3, 12), reason="dropped")


def test_they_are_where_the_stdlib_has_them():
    assert (
        [name for name in GONE if hasattr(tlskit, name)]
        == [name for name in GONE if hasattr(stdlib, name)]
        == GONE
    )
    assert set(GONE) <= set(tlskit.__all__)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ((("DNS", "example.org"),), "example.org"),
        ((("DNS", "*.example.org"),), "a.example.org"),
        ((("DNS", "*.example.org"),), "a.b.example.org"),
        ((("IP Address", "127.0.0.1"),), "127.0.0.1"),
        ((("IP Address", "::1"),), "::1"),
        ((), "example.org"),
        ((("DNS", "a*.example.org"),), "ab.example.org"),
    ],
)
def test_match_hostname(names, wanted):
    compared(lambda module: module.match_hostname({"subjectAltName": names}, wanted))


@pytest.mark.parametrize("certificate", [None, {}, 5])
def test_no_certificate_to_match(certificate):
    assert (
        compared(lambda module: module.match_hostname(certificate, "example.org")).raised
        is not None
    )


def test_random_bytes():
    found = compared(lambda module: len(module.RAND_pseudo_bytes(16)[0]))
    assert found.value == 16
    assert [kind for kind, _ in found.warned] == [DeprecationWarning]


@pytest.mark.parametrize(
    "arguments",
    [
        {"server_side": True},
        {"keyfile": "key.pem"},
        {"certfile": "missing.pem"},
        {"ca_certs": "missing.pem"},
        {"ciphers": "none"},
        {"ssl_version": 99},
    ],
)
def test_what_wrap_socket_refuses(arguments):
    def work(module):
        with socket.socket() as plain:
            module.wrap_socket(plain, **arguments)

    assert compared(work).raised is not None


def test_wrap_socket(pki):
    near, far = socket.socketpair()
    accepting = Background(lambda: server_context(pki).wrap_socket(far, server_side=True))
    with pytest.warns(DeprecationWarning, match=r"ssl\.(wrap_socket|PROTOCOL_TLS)"):
        wrapped = tlskit.wrap_socket(near)
    with wrapped, accepting.result():
        assert type(wrapped) is tlskit.SSLSocket
        assert wrapped.context.verify_mode is tlskit.CERT_NONE
        assert wrapped.version() == "TLSv1.3"
