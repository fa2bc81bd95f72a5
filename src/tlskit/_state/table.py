"""The table of settings: one row for each, in the order in which they are applied to an SSL_CTX.

A row contains a setting's name, its default, how it is applied to an SSL_CTX, whether sessions made
under one value may be resumed under another, and how `describe` shows it. A new setting needs one
more row, and a property or a method for users.
"""

from __future__ import annotations

from collections.abc import Callable

from .._core.context import Context
from .._core.trust import NOBODY
from . import show
from .coroutines import is_coroutine_function
from .sessions import SessionSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    Apply = Callable[[Context, Any, bool], object]
else:
    from .._frozen import NamedTuple

#: The record sizes that a client may request (RFC 6066, 4), in bytes; 0 for none.
FRAGMENTS = {0: 0, 512: 1, 1024: 2, 2048: 3, 4096: 4}


class Row(NamedTuple):
    """A setting.

    Attributes:
        name: its name in `Settings`.
        default: its value in a new context; None leaves OpenSSL's default.
        apply: applies a value to an SSL_CTX, or raises and changes nothing; called as
            `apply(context, value, again)`, where `again` says that OpenSSL has accepted the value
            before, for another state. None if OpenSSL does not know the setting.
        can_fail: whether OpenSSL has to check a value. It accepts any value of other settings.
        read: returns what OpenSSL has made of a value; None if it is kept unchanged.
        policy: returns the value's part in the policy under which sessions are made, as plain
            values that mean the same in every process; None if it has none, or `Context.policy` has
            it.
        show: returns the value as text for `describe`; None if it is not shown.
    """

    name: str
    default: Any = None
    apply: Apply | None = None
    can_fail: bool = False
    read: Callable[[Context], Any] | None = None
    policy: Callable[[Any, str], object] | None = None
    show: Callable[[Any], str | None] | None = None


def _set(attribute: str) -> Apply:
    return lambda core, value, again: setattr(core, attribute, value)


def _tuned(name: str) -> Row:
    """A number of the record layer or of messages; unless it is set, OpenSSL's configuration may
    determine it.
    """
    return Row(name, None, lambda c, v, again: c.tune(name, v), show=str)


def _fragment_code(core: Context, value: Any, again: bool) -> None:
    core.tune("max_fragment_length", FRAGMENTS[value])


def _credentials(core: Context, value: Any, again: bool) -> None:
    """Apply all credentials to a new SSL_CTX, or only the newest one to an existing SSL_CTX."""
    for credential in value if again else value[-1:]:
        core.use(credential, accepted=again)


def _identities(value: Any, role: str) -> object:
    """Return what identifies this side: for a server the names in its certificate, which a renewal
    keeps; for a client also its issuer and its subject.
    """
    if role == "server":
        return tuple(sorted((one.kind, one.names) for one in value))
    return tuple(sorted((one.kind, one.subject) for one in value))


def _psk(server: bool) -> Apply:
    def apply(core: Context, value: Any, again: bool) -> None:
        if server:
            core.set_psk_hint(None if value is None else value.hint)
        core.want_psk(value is not None, server=server)

    return apply


def _wanted(switch: str) -> Apply:
    return lambda core, value, again: getattr(core, switch)(value is not None)


def _sni(core: Context, value: Any, again: bool) -> None:
    """Handle the server name: a coroutine can only be awaited in a pause, and libssl has none
    there.
    """
    core.want_servername(value is not None)
    core.want_name_ahead(is_coroutine_function(value))


def _staple(core: Context, value: Any, again: bool) -> None:
    core.want_staple(wanted=bool(value), required=value == "required")


def _keylog(core: Context, value: Any, again: bool) -> None:
    core.set_keylog(None if value is None else value.file)


def _keyring(core: Context, value: Any, again: bool) -> None:
    core.set_ring(None if value is None else value._keys)


def _same(value: Any, role: str) -> object:
    return value


def _mark(value: Any, role: str) -> object:
    return None if value is None else value.mark


ROWS: tuple[Row, ...] = (
    Row("options", None, _set("options"), show=show.options),
    Row("versions", None, _set("versions"), can_fail=True, read=lambda c: c.versions),
    Row("ciphers", None, lambda c, v, again: c.set_ciphers(v), can_fail=True, show=show.words),
    Row(
        "ciphersuites", None, lambda c, v, again: c.set_ciphersuites(v), can_fail=True,
        show=show.words,
    ),
    Row(
        "groups", None, lambda c, v, again: c.set_groups(v), can_fail=True, policy=_same,
        show=show.words,
    ),
    Row(
        "require_group", (), lambda c, v, again: c.require_groups(v), policy=_same,
        show=show.names,
    ),
    Row(
        "require_pq", False, lambda c, v, again: c.require_post_quantum(v), policy=_same,
        show=str,
    ),
    Row(
        "client_sigalgs", None,
        lambda c, v, again: c.set_signature_algorithms(v, of_clients=True), can_fail=True,
        policy=_same, show=show.words,
    ),
    Row(
        "server_sigalgs", None,
        lambda c, v, again: c.set_signature_algorithms(v, of_clients=False), can_fail=True,
        policy=_same, show=show.words,
    ),
    Row(
        "dh_params", None, lambda c, v, again: c.set_dh(v, accepted=again), can_fail=True,
        show=show.digest,
    ),
    Row(
        "alpn_protocols", None, lambda c, v, again: c.set_alpn(v), can_fail=True, policy=_same,
        show=show.alpn,
    ),
    Row("verify_mode", None, _set("verify_mode")),
    Row("verify_depth", -1, _set("verify_depth"), show=str),
    Row(
        "verify_flags", None, _set("verify_flags"), can_fail=True, read=lambda c: c.verify_flags,
        show=show.verify_flags,
    ),
    Row("host_flags", None, lambda c, v, again: c.set_host_flags(v), show=hex),
    Row("check_hostname", False, policy=_same, show=str),
    Row(
        "trust", NOBODY, lambda c, v, again: c.set_trust(v), policy=lambda v, role: v.identity,
        show=show.trust,
    ),
    Row("pins", (), lambda c, v, again: c.set_pins(v), policy=_same, show=show.pins),
    Row("staple", "", _staple, policy=_same, show=lambda v: v or "none"),
    Row("ocsp_responses", (), lambda c, v, again: c.set_staples(v), show=show.staples),
    Row(
        "client_ca_names", None, lambda c, v, again: c.set_ca_names(v), can_fail=True,
        show=show.authorities,
    ),
    Row("credentials", (), _credentials, can_fail=True, policy=_identities, show=show.credentials),
    Row("security_level", None, _set("security_level"), read=lambda c: c.security_level, show=str),
    Row("post_handshake_auth", False, _set("post_handshake_auth"), policy=_same, show=str),
    Row("ech_config_list", None, show=show.hidden_names),
    Row("ech_outer_name", None, show=str),
    Row("ech_grease", False, show=str),
    _tuned("fallback_scsv"),
    _tuned("release_buffers"),
    _tuned("auto_chain"),
    _tuned("dh_auto"),
    Row("max_fragment_length", None, _fragment_code, policy=_same, show=str),
    _tuned("max_send_fragment"),
    _tuned("block_padding"),
    _tuned("max_cert_list"),
    Row("suppress_ragged_eofs", True, show=str),
    Row("keylog", None, _keylog, show=show.keylog),
    Row("num_tickets", None, _set("num_tickets"), can_fail=True, show=str),
    Row("max_early_data", None, _set("max_early_data"), show=str),
    Row("keyring", None, _keyring, show=show.keyring),
    Row("app_data", None, _wanted("want_ticket_data"), show=show.secret),
    Row("ticket_keys", None, _set("ticket_keys"), can_fail=True, show=show.secret),
    Row("client_hello_callback", None, _wanted("want_hello"), show=show.call),
    Row("sni_callback", None, _sni, show=show.call),
    Row("callback_timeout", 10.0, show=str),
    Row(
        "verify_callback", None,
        lambda c, v, again: c.want_verify(v is not None, later=is_coroutine_function(v)),
        policy=lambda v, role: v is not None, show=show.call,
    ),
    Row(
        "verify_each", None, _wanted("want_verify_each"),
        policy=lambda v, role: v is not None, show=show.call,
    ),
    Row(
        "certificate_callback", None, _wanted("want_certificate"), policy=_mark, show=show.psk,
    ),
    Row("verify_accepts", (), policy=_same, show=show.verify_accepts),
    Row(
        "verify_errors", "abort", lambda c, v, again: c.set_verify_report(v == "report"),
        policy=_same, show=str,
    ),
    Row("verify_names", (), lambda c, v, again: c.set_verify_names(v), policy=_same,
        show=lambda v: " ".join(v) or "none"),
    Row("verify_purpose", None, lambda c, v, again: c.set_verify_purpose(v), policy=_same,
        show=str),
    Row("verify_time", None, lambda c, v, again: c.set_verify_time(v), policy=_same, show=str),
    Row(
        "alpn_callback", None, _wanted("want_alpn"), policy=lambda v, role: v is not None,
        show=show.call,
    ),
    Row("message_callback", None, _wanted("want_messages"), show=show.call),
    Row("keylog_callback", None, _wanted("want_keylog"), show=show.call),
    Row("state_callback", None, _wanted("want_states"), show=show.call),
    Row("alert_callback", None, _wanted("want_alerts"), show=show.call),
    Row("record_timeline", False, lambda c, v, again: c.want_times(v), show=str),
    Row("psk_client", None, _psk(server=False), policy=_mark, show=show.psk),
    Row("psk_server", None, _psk(server=True), can_fail=True, policy=_mark, show=show.psk),
    Row("sessions", SessionSettings(), lambda c, v, again: v.apply(c), show=show.sessions),
)  # fmt: skip

#: Settings that OpenSSL changes along with another: a cipher string may contain a security level.
MOVES = {"ciphers": ("security_level",)}

TABLE = {row.name: row for row in ROWS}
DEFAULTS: dict[str, Any] = {row.name: row.default for row in ROWS}
