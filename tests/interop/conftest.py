"""Here every protocol version is tried that the library allows, not the two that matter most."""

from __future__ import annotations

import pytest

import tlskit

VERSIONS = [version for version in tlskit.TLSVersion if getattr(tlskit, f"HAS_{version.name}", False) and version.name != "SSLv3"]


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> tlskit.TLSVersion:
    """TLS 1.0, 1.1, 1.2 and 1.3 in turn."""
    chosen: tlskit.TLSVersion = request.param
    return chosen
