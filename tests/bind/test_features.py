"""The table of what not every OpenSSL has: its flags, its stand-ins, and what is said of a feature
that lacks.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import tlskit
from _tlsbind import FEATURES, Feature
from tlskit._core import library

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "_tlsbind"))
try:
    from decl import features
finally:
    sys.path.pop(0)

VERSION = tlskit.OPENSSL_VERSION_INFO[:2]


def test_every_row_has_a_flag():
    assert set(FEATURES) == {row.name for row in features.FEATURES}
    assert {name: feature.since for name, feature in FEATURES.items()} == {
        row.name: row.since for row in features.FEATURES
    }


@pytest.mark.parametrize("row", features.FEATURES, ids=lambda row: row.name)
def test_a_version_is_what_decides(row):
    wanted = re.fullmatch(r"OPENSSL_VERSION_NUMBER >= (0x\w+)L", row.condition)
    if wanted is None:
        pytest.skip("depends on how OpenSSL was built")
    assert FEATURES[row.name].there == (int(wanted.group(1), 16) <= tlskit.OPENSSL_VERSION_NUMBER)
    assert row.since == (
        f"OpenSSL {int(wanted.group(1), 16) >> 28}.{int(wanted.group(1), 16) >> 20 & 0xFF} or later"
    )


def test_a_stand_in_looks_at_its_arguments():
    text = features.header()
    assert "#define SSL_get0_signature_name(ssl, out) ((void)(ssl), (void)(out), 0)\n" in text
    assert "#define SSL_get1_builtin_sigalgs(library) ((void)(library), NULL)\n" in text


def test_what_lacks_is_named(monkeypatch):
    monkeypatch.setitem(library.FEATURES, "PSK", Feature(False, "an OpenSSL of another kind"))
    library.require("TLS1_3", "the handshake")
    with pytest.raises(
        NotImplementedError,
        match=r"set_psk_client_callback\(\) requires an OpenSSL of another kind",
    ):
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT).set_psk_client_callback(None)
    with pytest.raises(NotImplementedError, match=re.escape(tlskit.OPENSSL_VERSION)):
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER).set_psk_server_callback(None)
