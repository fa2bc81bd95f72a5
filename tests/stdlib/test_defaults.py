"""What a fresh context says before anybody has set anything: the stdlib's own answers, protocol by
protocol.
"""

from __future__ import annotations

import ssl as stdlib

import pytest

import tlskit

from .compare import compared, quiet, same_defaults, same_openssl, suites

PROTOCOLS = [
    "PROTOCOL_TLS",
    "PROTOCOL_TLS_CLIENT",
    "PROTOCOL_TLS_SERVER",
    "PROTOCOL_TLSv1",
    "PROTOCOL_TLSv1_1",
    "PROTOCOL_TLSv1_2",
]
ATTRIBUTES = [
    "_host_flags", "_msg_callback", "check_hostname", "hostname_checks_common_name",
    "keylog_filename", "maximum_version", "num_tickets",
    pytest.param("minimum_version", marks=same_defaults),
    "post_handshake_auth", "protocol", "security_level", "sni_callback", "verify_flags",
    "verify_mode",
]  # fmt: skip
CALLS = ["cert_store_stats", "get_ca_certs", "session_stats"]


def fresh(module, protocol):
    return quiet(lambda: module.SSLContext(getattr(module, protocol)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes(protocol, name):
    result = compared(
        lambda module: (
            getattr(fresh(module, protocol), name),
            type(getattr(fresh(module, protocol), name)).__name__,
        )
    )
    assert result.raised is None


@same_openssl
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["options"])
def test_options(protocol, name):
    result = compared(
        lambda module: (
            getattr(fresh(module, protocol), name),
            repr(getattr(fresh(module, protocol), name)),
        )
    )
    assert result.raised is None


@same_defaults
@same_openssl
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ciphers(protocol):
    result = compared(lambda module: suites(fresh(module, protocol)))
    assert len(result.value) > 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", CALLS)
def test_calls(protocol, name):
    assert compared(lambda module: getattr(fresh(module, protocol), name)()).raised is None


@same_openssl
@pytest.mark.parametrize(
    "factory",
    [
        "create_default_context",
        "_create_unverified_context",
        "_create_stdlib_context",
        "_create_default_https_context",
    ],
)
@pytest.mark.parametrize("name", [*ATTRIBUTES, "options"])
def test_factories(monkeypatch, factory, name):
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    assert compared(lambda module: getattr(getattr(module, factory)(), name)).raised is None


def test_they_are_contexts_of_ours():
    for factory in (
        "create_default_context",
        "_create_unverified_context",
        "_create_stdlib_context",
        "_create_default_https_context",
    ):
        assert type(getattr(tlskit, factory)()) is tlskit.SSLContext


def test_secure_whatever_openssl_this_is():
    """Where the two OpenSSLs differ, the comparison above is left out: the least that has to
    hold.
    """
    context = tlskit.create_default_context()
    assert context.verify_mode is tlskit.CERT_REQUIRED
    assert context.check_hostname is True
    assert context.minimum_version in (
        stdlib.create_default_context().minimum_version,
        tlskit.TLSVersion.TLSv1_2,
    )
    assert (
        context.security_level >= 2
    )  # at which libssl speaks nothing older than TLS 1.2, whatever the lowest version is
    assert context.options & tlskit.OP_NO_COMPRESSION
    assert not context.options & tlskit.OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION
    names = {suite["name"] for suite in context.get_ciphers()}
    assert not any(
        word in name for name in names for word in ("NULL", "RC4", "3DES", "EXP", "ADH", "MD5")
    )


@pytest.mark.parametrize(("work", "expected"), [
    (lambda module: module.SSLContext.sslsocket_class.__name__, "SSLSocket"),
    (lambda module: module.SSLContext.sslobject_class.__name__, "SSLObject"),
    (lambda module: module.SSLContext._windows_cert_stores, ("CA", "ROOT")),
    (lambda module: module.CHANNEL_BINDING_TYPES, ["tls-unique"]),
    (lambda module: module.get_protocol_name(module.PROTOCOL_TLS_CLIENT), "PROTOCOL_TLS_CLIENT"),
    (lambda module: module.get_protocol_name(99), "<unknown>"),
    (lambda module: module.cert_time_to_seconds("Jan  5 09:34:43 2018 GMT"), 1515144883),
    (lambda module: dict(module._PROTOCOL_NAMES), None),
    (lambda module: len(module.RAND_bytes(17)), 17),
    (lambda module: module.RAND_status(), True),
    (lambda module: module.RAND_add(b"entropy", 1.0), None),
    (lambda module: module.get_default_verify_paths()._fields, None),
])  # fmt: skip
def test_small_things(work, expected):
    result = compared(work)
    assert result.raised is None
    assert expected is None or result.value == expected


@pytest.mark.parametrize("bad", ["", "Jan", "Jan 99 09:34:43 2018 GMT", None, 5])
def test_times_that_are_none(bad):
    assert compared(lambda module: module.cert_time_to_seconds(bad)).raised is not None
