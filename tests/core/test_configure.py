"""`configure` with every setting there is: all hold, in whatever order they are given, or none,
whichever of them is refused and wherever it stands.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

import tlskit
from tlskit import TicketKeyring

from ..support.pairs import memory_pair, server_context
from ..support.pki import PKI
from .test_freezing import CLIENT, SERVER, VALUES, Socket, called, place

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of old options

#: A value that each setting refuses.
REFUSED: dict[str, Any] = {
    "alert_callback": 5,
    "alpn_callback": 5,
    "alpn_protocols": ["x" * 256],
    "block_padding": -1,
    "callback_timeout": -1,
    "cert_chain": "/nowhere/at/all",
    "certificate_callback": 5,
    "ciphers": "NONE-OF-THAT-NAME",
    "ciphersuites": "TLS_NONE_OF_THAT_NAME",
    "client_ca_names": "/nowhere/at/all",
    "client_hello_callback": 5,
    "client_sigalgs": "none-of-that-name",
    "dh_params": "/nowhere/at/all",
    "ecdh_curve": "none-of-that-name",
    "groups": "none-of-that-name",
    "keylog_callback": 5,
    "keylog_filename": "/nowhere/at/all",
    "max_cert_list": -1,
    "max_early_data": -1,
    "max_fragment_length": 7,
    "max_send_fragment": 1,
    "maximum_version": 5,
    "message_callback": 5,
    "minimum_version": 5,
    "num_tickets": -1,
    "ocsp_response": b"nothing of the kind",
    "options": "words",
    "pins": ["words"],
    "policy": "none-of-that-name",
    "psk_client_callback": 5,
    "psk_server_callback": 5,
    "require_group": "none-of-that-name",
    "security_level": 9,
    "server_sigalgs": "none-of-that-name",
    "sessions.generate_id": 5,
    "sessions.id_context": b"x" * 33,
    "sessions.id_prefix": b"x" * 33,
    "sessions.loop_patience": -1,
    "sessions.mode": 1 << 20,
    "sessions.on_get": 5,
    "sessions.on_new": 5,
    "sessions.on_remove": 5,
    "sessions.per_peer": 0,
    "sessions.size": -1,
    "sessions.store": 5,
    "sessions.timeout": -1,
    "sni_callback": 5,
    "state_callback": 5,
    "tickets.app_data": 5,
    "tickets.count": -1,
    "tickets.dangerous_keys": b"short",
    "tickets.keyring": 5,
    "tickets.lifetime": 0,
    "trust_store": 5,
    "verify_accepts": ["NONE_OF_THAT_NAME"],
    "verify_callback": 5,
    "verify_depth": -2,
    "verify_each": 5,
    "verify_errors": "words",
    "verify_flags": "words",
    "verify_locations": "/nowhere/at/all",
    "verify_mode": 9,
    "verify_names": [5],
    "verify_purpose": "none-of-that-name",
    "verify_time": "words",
}

#: What takes any value, as true or false; and features that not every OpenSSL has.
ANY = {
    "auto_chain", "check_hostname", "dh_auto", "ech_config_list", "ech_grease", "ech_outer_name",
    "fallback_scsv", "hostname_checks_common_name",
    "hostname_checks_partial_wildcards", "hostname_checks_wildcards", "post_handshake_auth",
    "record_timeline", "release_buffers", "request_staple", "require_pq", "require_staple",
    "sessions.client_certificates", "sessions.resume", "sessions.reverify", "sessions.single_use",
    "sslobject_class", "sslsocket_class",
    "suppress_ragged_eofs", "tickets.enabled",
}  # fmt: skip

#: Good values that cannot be together with others in the table.
ALONE = {"_host_flags", "_msg_callback", "tickets.dangerous_keys", "tickets.enabled"}
OF_METHODS: dict[str, Any] = {
    "alpn_protocols": ["h2"],
    "ciphers": "ECDHE+AESGCM",
    "ciphersuites": "TLS_AES_128_GCM_SHA256",
    "client_sigalgs": "ECDSA+SHA256",
    "groups": "X25519:P-256",
    "server_sigalgs": "ECDSA+SHA256:RSA-PSS+SHA256",
}


def settable() -> set[str]:
    """Each name that `configure` takes: attributes, what methods set, and the facets' own."""
    context = tlskit.SSLContext(SERVER)
    found = {"sslobject_class", "sslsocket_class", *_arguments_of_methods()}
    for prefix, kind in (
        ("", type(context)),
        ("sessions.", type(context.sessions)),
        ("tickets.", type(context.tickets)),
    ):
        found |= {
            f"{prefix}{name}"
            for name in dir(kind)
            if not name.startswith("_") and getattr(getattr(kind, name), "fset", None)
        }
    return found - {"sessions", "tickets"}


def _arguments_of_methods() -> set[str]:
    """Those that the docstring of `configure` names beside attributes."""
    words = (tlskit.SSLContext.configure.__doc__ or "").partition("what methods set:")[2]
    listed = words.partition("take one argument")[0].replace("and", " ").split("`")[1::2]
    assert len(listed) > 10
    return set(listed)


def test_each_setting_has_a_value_that_it_refuses() -> None:
    assert settable() == {*REFUSED, *ANY}


def good(role: int, pki: PKI) -> dict[str, Any]:
    """Values that hold together, and that a new context does not have."""
    values = {
        name: value(pki) if callable(value) and value is not called else value
        for name, (of, value) in VALUES.items()
        if of == role and name not in ALONE and not name.startswith("ssl")
    }
    if role == SERVER:
        values |= OF_METHODS | {
            "cert_chain": (pki.narrow.chain, pki.narrow.key),
            "verify_locations": {"cafile": pki.stranger_root},
            "maximum_version": tlskit.TLSVersion.TLSv1_3,
            "security_level": 1,
            "require_group": ("x25519", "secp256r1"),
            "options": tlskit.OP_ALL,
            "tickets.lifetime": 100,
            "sslsocket_class": Socket,
        }
    return values


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `configure`, with the settings of the facets in dictionaries."""
    made: dict[str, Any] = {}
    for name, value in flat.items():
        facet, _, inner = name.rpartition(".")
        if facet:
            made.setdefault(facet, {})[inner] = value
        else:
            made[name] = value
    return made


def seen(context: Any) -> dict[str, Any]:
    """Whatever can be read of a context."""
    found = {"text": context.describe(), "certificates": context.cert_store_stats()}
    for name in settable() - _arguments_of_methods():
        where, inner = place(context, name)
        try:
            found[name] = getattr(where, inner)
        except ValueError as error:  # OpenSSL's own ticket key, beside a keyring or on a client
            found[name] = str(error)
    return found


@pytest.mark.parametrize("at", ["first", "in the middle", "last"])
@pytest.mark.parametrize("name", REFUSED)
def test_none_holds_if_one_is_refused(
    name: str, at: str, new_or_used: tuple[Any, Any], pki: PKI
) -> None:
    for context, role in zip(new_or_used, (CLIENT, SERVER), strict=True):
        flat = good(role, pki)
        flat.pop(name, None)
        if role == SERVER and name == "tickets.dangerous_keys":
            del flat["tickets.keyring"]
        items = list(flat.items())
        index = {"first": 0, "in the middle": len(items) // 2, "last": len(items)}[at]
        items.insert(index, (name, REFUSED[name]))
        before = seen(context)
        with pytest.raises((OSError, TypeError, ValueError)):
            context.configure(**nested(dict(items)))
        assert seen(context) == before
    near, far = memory_pair(*new_or_used)
    near.write(b"goes on")
    assert far.read(7) == b"goes on"


@pytest.mark.parametrize("role", [CLIENT, SERVER])
def test_all_hold_in_any_order(role: int, pki: PKI) -> None:
    dice = random.Random(9)
    flat = good(role, pki)
    texts = set()
    for _ in range(30):
        items = list(flat.items())
        dice.shuffle(items)
        context = tlskit.SSLContext(role)
        context.configure(**nested(dict(items)))
        found = seen(context)
        texts.add(found["text"])
        for name, value in flat.items():
            if name in VALUES and name not in ("client_ca_names", "pins"):
                assert found[name] == (tuple(value) if isinstance(value, list) else value), name
    assert len(texts) == 1


def test_a_policy_is_the_ground_for_single_settings(pki: PKI) -> None:
    """Whatever is named beside it holds, before or after it."""
    texts = set()
    for settings in (
        {"policy": "intermediate", "groups": "X25519", "minimum_version": "TLSv1.3"},
        {"minimum_version": "TLSv1.3", "groups": "X25519", "policy": "intermediate"},
    ):
        context = tlskit.SSLContext(SERVER)
        context.configure(**settings)
        assert context.minimum_version is tlskit.TLSVersion.TLSv1_3
        texts.add(context.describe())
    assert len(texts) == 1
    assert "\ngroups: X25519\n" in texts.pop()


def test_a_keyring_and_its_lifetime(pki: PKI) -> None:
    for settings in (
        {"keyring": TicketKeyring(lifetime=3600), "lifetime": 60},
        {"lifetime": 60, "keyring": TicketKeyring(lifetime=3600)},
    ):
        context = server_context(pki)
        context.configure(tickets=settings)
        assert context.tickets.lifetime == 60
