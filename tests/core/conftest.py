"""A chain of three certificates, made once for each file of tests, and contexts, new and used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tlskit

from ..support.pairs import client_context, memory_pair, server_context, serving

if TYPE_CHECKING:
    from ..support.certificates import Made
    from ..support.pki import PKI


@pytest.fixture(params=["new", "used"])
def new_or_used(pki: PKI, request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A client's and a server's context; a connection has used them, or not."""
    pair = client_context(pki), server_context(pki)
    if request.param == "used":
        memory_pair(*pair)
    return pair


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Made:
    from ..support.certificates import authority  # late: where cryptography is not, other tests run

    return authority(tmp_path_factory.mktemp("root"), "Example Root")


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory, root: Made) -> Made:
    from ..support.certificates import authority

    return authority(tmp_path_factory.mktemp("middle"), "Middle CA", issuer=root)


@pytest.fixture(scope="module")
def leaf(tmp_path_factory: pytest.TempPathFactory, middle: Made) -> Made:
    from ..support.certificates import issue

    return issue(tmp_path_factory.mktemp("leaf"), "leaf", issuer=middle)


@pytest.fixture
def server(leaf: Made, version: tlskit.TLSVersion) -> Any:
    return serving(leaf, version)


@pytest.fixture
def client(root: Made) -> Any:
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.trust_store = tlskit.TrustStore(root.pem)
    return context
