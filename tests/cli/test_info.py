"""`tlskit info`: what a bug report begins with."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

import tlskit
from _tlsbind import FEATURES
from tlskit.cli import info, main

from ..support.system import WINDOWS, WINE
from .servers import as_json

no_other_store = pytest.mark.skipif(WINDOWS, reason="Windows has a store of its own beside these")


@pytest.fixture
def told(monkeypatch, capsys):
    """What `tlskit info --json` writes, with these variables."""

    def tell(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return as_json(capsys, "info")

    return tell


def test_names_the_library_and_where_it_is():
    found = info.gather()
    assert found.openssl["version"] == tlskit.OPENSSL_VERSION
    assert found.openssl["linked"] in ("static, inside tlskit", "shared, the machine's")
    assert ("_native" in found.openssl["file"]) == found.openssl["linked"].startswith("static")


def test_names_the_providers():
    assert "default" in [name for name, _version, _build in info.gather().providers]


def test_names_each_feature_and_who_has_it():
    features = info.gather().features
    assert [f.name for f in features] == list(FEATURES)
    assert all(f.since.startswith(("OpenSSL ", "an OpenSSL ")) for f in features)
    assert [f.there for f in features] == [FEATURES[f.name].there for f in features]


@no_other_store
def test_counts_what_is_trusted(told, pki):
    found = told(SSL_CERT_FILE=str(pki.root), SSL_CERT_DIR="")
    first = found["trust"][0]
    assert (first["whose"], first["path"]) == ("SSL_CERT_FILE", str(pki.root))
    assert (first["found"], first["used"]) == ("1 certificate", True)
    assert found["authorities"] == 1
    assert [place for place in found["trust"][1:] if place["used"]] == []


@no_other_store
def test_says_that_nothing_is_trusted(told, tmp_path):
    nowhere = str(tmp_path / "nowhere")
    found = told(SSL_CERT_FILE=nowhere, SSL_CERT_DIR=nowhere)
    assert found["authorities"] == 0
    assert [place["found"] for place in found["trust"][:2]] == ["not there"] * 2
    assert not any(place["used"] for place in found["trust"])


@pytest.mark.skipif(WINE, reason="mingw's C library keeps an environment of its own")
def test_reads_the_configuration_that_is_named(told, tmp_path):
    named = tmp_path / "openssl.cnf"
    named.write_text("# empty\n")
    assert told(OPENSSL_CONF=str(named))["openssl"]["configuration"] == f"{named} (read)"
    named.unlink()
    assert told(OPENSSL_CONF=str(named))["openssl"]["configuration"] == f"{named} (not there)"


def test_names_what_an_extra_lacks(monkeypatch):
    def version(name):
        if name in ("redis", "rich"):
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    found = info.gather()
    assert found.stores["RedisStore"] == "needs redis, not installed"
    assert found.stores["MemcachedStore"] == "yes, with pymemcache 1.0"
    assert found.extras["cli"] == "lacks rich"
    assert found.extras["memcached"] == "installed"


def test_shows_no_secret(told, tmp_path):
    secret, keys = "5e" * 32, str(tmp_path / "keys")
    found = told(TLSKIT_SESSIONS_SECRET=secret, SSLKEYLOGFILE=keys)
    assert secret not in json.dumps(found)
    assert found["environment"]["TLSKIT_SESSIONS_SECRET"] == "(set)"
    assert found["environment"]["SSLKEYLOGFILE"] == keys


def test_reads_well_in_a_terminal_too(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    for words in ("OpenSSL version", "Providers", "Trust", "Stores", "A default context trusts"):
        assert words in out
