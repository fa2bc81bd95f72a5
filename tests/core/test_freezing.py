"""Every setting of a context, by its public name: a frozen context refuses it, and a copy has it.

A new public attribute or method of SSLContext, `ctx.sessions` or `ctx.tickets` belongs into one of
the two tables below.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import tlskit
from tlskit import MemoryStore, TicketKeyring, TrustStore

from ..support.pki import PKI
from ..support.pypy import OF_PYPY

CLIENT, SERVER = tlskit.PROTOCOL_TLS_CLIENT, tlskit.PROTOCOL_TLS_SERVER
VERIFYING = tlskit.VerifyMode.CERT_REQUIRED


def called(*anything: Any) -> None:
    """A callback of any kind."""


class Socket(tlskit.SSLSocket):
    """A class of a user's."""


class Object(tlskit.SSLObject):
    """Another one."""


def calling(*arguments: Any, **others: Any) -> Callable[[Any, PKI, str], object]:
    """A method and what it is called with; a function is called with the PKI first."""

    def change(context: Any, pki: PKI, name: str) -> object:
        given = [one(pki) if callable(one) and one is not called else one for one in arguments]
        return getattr(context, name)(*given, **others)

    return change


def chain(pki: PKI) -> Any:
    return pki.server.chain


def key(pki: PKI) -> Any:
    return pki.server.key


def root(pki: PKI) -> Any:
    return pki.root


#: What attributes are set to: other than what a new context has.
VALUES: dict[str, tuple[int, Any]] = {
    "_host_flags": (CLIENT, 2),
    "_msg_callback": (SERVER, called),
    "alert_callback": (SERVER, called),
    "alpn_callback": (SERVER, called),
    "auto_chain": (SERVER, False),
    "block_padding": (SERVER, 64),
    "callback_timeout": (SERVER, 3.0),
    "certificate_callback": (SERVER, called),
    "check_hostname": (CLIENT, False),
    "client_ca_names": (SERVER, root),
    "client_hello_callback": (SERVER, called),
    "dh_auto": (SERVER, True),
    "fallback_scsv": (CLIENT, True),
    "hostname_checks_common_name": (CLIENT, False),
    "hostname_checks_partial_wildcards": (CLIENT, True),
    "hostname_checks_wildcards": (CLIENT, False),
    "keylog_callback": (SERVER, called),
    "keylog_filename": (CLIENT, lambda pki: str(pki.folder / "frozen-keys.log")),
    "max_cert_list": (SERVER, 204800),
    "max_early_data": (SERVER, 1000),
    "max_fragment_length": (CLIENT, 4096),
    "max_send_fragment": (SERVER, 512),
    "maximum_version": (SERVER, tlskit.TLSVersion.TLSv1_2),
    "message_callback": (SERVER, called),
    "minimum_version": (SERVER, tlskit.TLSVersion.TLSv1_3),
    "num_tickets": (SERVER, 1),
    "options": (SERVER, tlskit.OP_ALL | tlskit.OP_NO_TICKET),
    "pins": (CLIENT, ["ab" * 32]),
    "post_handshake_auth": (SERVER, True),
    "record_timeline": (SERVER, True),
    "release_buffers": (SERVER, False),
    "request_staple": (CLIENT, True),
    "require_group": (SERVER, "X25519"),
    "require_staple": (CLIENT, True),
    "security_level": (SERVER, 3),
    "sessions.client_certificates": (SERVER, True),
    "sessions.id_context": (SERVER, b"an id"),
    "sessions.generate_id": (SERVER, called),
    "sessions.id_prefix": (SERVER, b"a"),
    "sessions.loop_patience": (CLIENT, 1.0),
    "sessions.mode": (SERVER, tlskit.SessionCacheMode.OFF),
    "sessions.on_get": (SERVER, called),
    "sessions.on_new": (SERVER, called),
    "sessions.on_remove": (SERVER, called),
    "sessions.per_peer": (CLIENT, 3),
    "sessions.resume": (CLIENT, True),
    "sessions.reverify": (CLIENT, True),
    "sessions.single_use": (CLIENT, True),
    "sessions.size": (SERVER, 3),
    "sessions.store": (SERVER, lambda pki: MemoryStore()),
    "sessions.timeout": (SERVER, 100),
    "sni_callback": (SERVER, called),
    "sslobject_class": (CLIENT, Object),
    "sslsocket_class": (CLIENT, Socket),
    "state_callback": (SERVER, called),
    "suppress_ragged_eofs": (SERVER, False),
    "tickets.app_data": (SERVER, b"some data"),
    "tickets.count": (SERVER, 1),
    "tickets.dangerous_keys": (SERVER, lambda pki: os.urandom(80)),
    "tickets.enabled": (SERVER, False),
    "tickets.keyring": (SERVER, lambda pki: TicketKeyring()),
    "tickets.lifetime": (SERVER, 100),
    "trust_store": (CLIENT, lambda pki: TrustStore(pki.root)),
    "verify_accepts": (CLIENT, ["CERT_HAS_EXPIRED"]),
    "verify_callback": (CLIENT, called),
    "verify_depth": (SERVER, 3),
    "verify_each": (CLIENT, called),
    "verify_errors": (CLIENT, "report"),
    "verify_flags": (SERVER, tlskit.VERIFY_X509_STRICT),
    "verify_mode": (SERVER, VERIFYING),
    "verify_names": (CLIENT, ["example.org"]),
    "verify_purpose": (CLIENT, "any"),
    "verify_time": (CLIENT, 1_700_000_000.0),
}

#: What methods that set something are called with.
CALLS: dict[str, tuple[int, Callable[[Any, PKI, str], object]]] = {
    "_set_alpn_protocols": (SERVER, calling(b"\x02h2")),
    "add_certificate": (SERVER, calling(chain, key)),
    "configure": (SERVER, calling(verify_depth=3)),
    "configure_openssl": (SERVER, calling({"NumTickets": "1"})),
    "load_cert_chain": (SERVER, calling(chain, key)),
    "load_verify_locations": (CLIENT, calling(root)),
    "reload": (SERVER, calling(chain, key)),
    "set_alpn_protocols": (SERVER, calling(["h2"])),
    "set_ciphers": (SERVER, calling("ECDHE+AESGCM")),
    "set_ciphersuites": (SERVER, calling("TLS_AES_128_GCM_SHA256")),
    "set_client_sigalgs": (SERVER, calling("ECDSA+SHA256")),
    "set_ecdh_curve": (SERVER, calling("prime256v1")),
    "set_groups": (SERVER, calling("X25519")),
    "set_policy": (SERVER, calling("modern")),
    "set_psk_client_callback": (CLIENT, calling(called)),
    "set_psk_server_callback": (SERVER, calling(called, "a hint")),
    "set_server_sigalgs": (SERVER, calling("ECDSA+SHA256")),
    "set_servername_callback": (SERVER, calling(called)),
}

#: What sets nothing: questions, connections, and the caches of sessions, which go on.
OTHERS = {
    "_encode_hostname", "_windows_cert_stores", "_wrap_bio", "_wrap_socket", "cert_store_stats",
    "copy", "describe", "freeze", "frozen", "get_ca_certs", "get_ciphers", "get_groups",
    "handshake_failures", "negotiated", "ocsp_responses", "protocol", "session_stats", "sessions",
    "sessions.add", "sessions.clear", "sessions.counters", "sessions.flush", "sessions.forget",
    "sessions.lookup", "sessions.remove", "sessions.stats", "sessions.store_stats",
    "tickets", "watch", "wrap_bio", "wrap_socket",
}  # fmt: skip

#: What is a setting, and is tested with its own subject: it needs files or a newer OpenSSL, or is
#: another one's name.
ELSEWHERE = {
    "_load_windows_store_certs", "add_crl", "ech_config_list", "ech_grease", "ech_outer_name",
    "load_default_certs", "load_dh_params", "load_pkcs12",
    "require_pq", "set_default_verify_paths", "set_npn_protocols", "set_ocsp_response",
}  # fmt: skip


def names() -> set[str]:
    """Every public name of a context, and those that the stdlib has."""
    context = tlskit.SSLContext(SERVER)
    own = {name for name in dir(tlskit.SSLContext) if not name.startswith("_")} - OF_PYPY
    stdlib = {
        name
        for name in dir(tlskit.SSLContext.__mro__[-2])
        if name.startswith("_") and not name.startswith("__")
    }
    return (
        own
        | {name for name in VALUES | CALLS | dict.fromkeys(OTHERS) if name in stdlib}
        | {f"sessions.{name}" for name in dir(context.sessions) if not name.startswith("_")}
        | {f"tickets.{name}" for name in dir(context.tickets) if not name.startswith("_")}
    )


def test_no_name_is_left_out() -> None:
    known = {*VALUES, *CALLS, *OTHERS, *ELSEWHERE}
    assert names() <= known, f"into a table with {sorted(names() - known)}"
    public = {name for name in known if not name.startswith("_")}
    assert public <= names(), f"out of the tables with {sorted(public - names())}"
    assert not {*VALUES, *CALLS} & {*OTHERS, *ELSEWHERE}


def place(context: Any, name: str) -> tuple[Any, str]:
    """The object that has the attribute, and its name there."""
    facet, _, inner = name.rpartition(".")
    return (getattr(context, facet), inner) if facet else (context, inner)


def prepared(role: int, name: str, value: Any, pki: PKI) -> tuple[Any, Any]:
    """A new context, and the value for it."""
    context = tlskit.SSLContext(role)
    plain = value in (called, Socket, Object)
    return context, value(pki) if callable(value) and not plain else value


@pytest.mark.parametrize("name", VALUES)
def test_a_frozen_context_refuses_to_set_an_attribute(name: str, pki: PKI) -> None:
    role, value = VALUES[name]
    context, value = prepared(role, name, value, pki)
    where, inner = place(context, name)
    before, text = getattr(where, inner), context.describe()
    context.freeze()
    with pytest.raises(RuntimeError, match="frozen"):
        setattr(where, inner, value)
    assert getattr(where, inner) == before
    assert context.describe() == text.replace("frozen: False", "frozen: True")


def conflicting() -> dict[str, tuple[Any, str, Any]]:
    """Contexts on which a setting has another objection, too."""
    client, demanding = tlskit.SSLContext(CLIENT), tlskit.SSLContext(CLIENT)
    demanding.check_hostname, demanding.verify_names = False, ["localhost"]
    careless = tlskit.SSLContext(CLIENT)
    careless.check_hostname, careless.verify_mode = False, tlskit.CERT_NONE
    keyless, keyed = tlskit.SSLContext(SERVER), tlskit.SSLContext(SERVER)
    keyless.tickets.enabled = False
    keyed.tickets.keyring = tlskit.TicketKeyring()
    return {
        "no verification where names are checked": (client, "verify_mode", tlskit.CERT_NONE),
        "no verification where names are wanted": (demanding, "verify_mode", tlskit.CERT_NONE),
        "names where nothing is verified": (careless, "verify_names", ["localhost"]),
        "pins where nothing is verified": (careless, "pins", ["0" * 64]),
        "a callback where nothing is verified": (careless, "verify_callback", called),
        "an observer where nothing is verified": (careless, "verify_each", called),
        "lists that must be there": (careless, "verify_flags", tlskit.VERIFY_CRL_CHECK_LEAF),
        "a keyring without tickets": (keyless, "tickets.keyring", tlskit.TicketKeyring()),
        "a lifetime of a keyring's": (keyed, "tickets.lifetime", 60),
    }


@pytest.mark.parametrize("case", conflicting())
def test_a_frozen_context_says_so_whatever_else_there_is_to_say(case: str) -> None:
    context, name, value = conflicting()[case]
    where, inner = place(context, name)
    context.freeze()
    with pytest.raises(RuntimeError, match="frozen"):
        setattr(where, inner, value)


@pytest.mark.parametrize("name", VALUES)
def test_a_copy_has_an_attribute_that_was_set(name: str, pki: PKI) -> None:
    role, value = VALUES[name]
    context, value = prepared(role, name, value, pki)
    where, inner = place(context, name)
    default = getattr(where, inner)
    setattr(where, inner, value)
    found = getattr(where, inner)
    assert found != default
    context.freeze()
    copy = context.copy()
    other, _ = place(copy, name)
    assert getattr(other, inner) == found
    with warnings.catch_warnings():  # the default options are deprecated, one by one
        warnings.simplefilter("ignore", DeprecationWarning)
        setattr(other, inner, default)
    assert getattr(where, inner) == found
    assert getattr(other, inner) != found


@pytest.mark.parametrize("name", CALLS)
def test_a_frozen_context_refuses_what_a_method_sets(name: str, pki: PKI) -> None:
    role, change = CALLS[name]
    context = tlskit.SSLContext(role)
    context.freeze()
    text = context.describe()
    with pytest.raises(RuntimeError, match="frozen"):
        change(context, pki, name)
    assert context.describe() == text


@pytest.mark.parametrize("name", CALLS)
def test_a_copy_has_what_a_method_has_set(name: str, pki: PKI) -> None:
    role, change = CALLS[name]
    context = tlskit.SSLContext(role)
    default = context.describe()
    change(context, pki, name)
    text = context.describe()
    assert text != default
    context.freeze()
    assert context.copy().describe() == text


def test_a_frozen_context_refuses_to_delete_its_classes() -> None:
    context = tlskit.SSLContext(CLIENT)
    context.sslsocket_class = Socket
    context.freeze()
    with pytest.raises(RuntimeError, match="frozen"):
        del context.sslsocket_class
    assert context.sslsocket_class is Socket
    copy = context.copy()
    del copy.sslsocket_class
    assert copy.sslsocket_class is tlskit.SSLSocket


def test_a_frozen_context_takes_attributes_of_its_user() -> None:
    context = tlskit.SSLContext(CLIENT)
    context.freeze()
    context.tag = "red"
    assert context.tag == "red"
