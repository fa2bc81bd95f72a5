"""Hints for a fatal alert from the peer: what it means, and which side must act (RFC 8446, 6)."""

from __future__ import annotations

from collections.abc import Callable
from ssl import _TLSAlertType  # type: ignore[attr-defined]

from .certificates import quoted
from .situation import Situation

_VERSIONS = {
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}


def versions(s: Situation) -> str:
    """Return the protocol versions that this context allows, in words."""
    lowest, highest = s.lowest or 0x0301, s.highest or 0x0304
    first, last = _VERSIONS.get(lowest, hex(lowest)), _VERSIONS.get(highest, hex(highest))
    return f"{first} only" if first == last else f"{first} to {last}"


def name(number: int) -> str:
    """Return an alert's name and number: "unrecognized_name (112)"."""
    try:
        return f"{_TLSAlertType(number).name.lower()} ({number})"
    except ValueError:
        return str(number)


def hint(s: Situation) -> str:
    """Return the hint for the alert that the peer sent."""
    explain = _ALERTS.get(s.alert_received)
    return explain(s) if explain is not None else ""


def _handshake_failure(s: Situation) -> str:
    if s.server:
        return (
            "The client found nothing that it can agree on with this server: cipher suite, group, "
            "or signature algorithm. Either the server's settings or its certificate's key type "
            "rule it out."
        )
    if s.asked and not s.own_certificate:
        return _NONE_LOADED
    return (
        f"The server and this client ({versions(s)}) have no cipher suite, group or signature "
        "algorithm in common, or the server wants a client certificate. An old server may need "
        "set_ciphers(), or a lower context.security_level; `tlskit doctor` shows what it accepts."
    )


def _version(s: Situation) -> str:
    setting = "minimum_version" if not s.highest or s.highest >= 0x0304 else "maximum_version"
    return (
        f"The {s.peer} supports none of the protocol versions that this {_self(s)} allows "
        f"({versions(s)}). See context.{setting}; versions below TLS 1.2 also need "
        "context.security_level = 0."
    )


def _self(s: Situation) -> str:
    return "server" if s.server else "client"


def _unknown_ca(s: Situation) -> str:
    if s.server:
        return (
            "The client does not trust the authority that issued this server's certificate, or "
            "misses an intermediate: give load_cert_chain() the whole chain, or the client that CA."
        )
    return (
        "The server does not trust the authority that issued this client's certificate, or misses "
        "an intermediate: give load_cert_chain() the whole chain, or the server that CA."
    )


def _refused(what: str) -> Callable[[Situation], str]:
    def explain(s: Situation) -> str:
        whose = "this server's" if s.server else "this client's"
        if not s.server and not s.own_certificate:
            return _NONE_LOADED
        return f"The {s.peer} refused {whose} certificate: {what}."

    return explain


_LOAD = "Load one with load_cert_chain() before you connect."
_NONE_LOADED = f"The server requires a client certificate, and none was loaded. {_LOAD}"


def _certificate_required(s: Situation) -> str:
    if s.own_certificate:
        return (
            "The server requires a client certificate, and did not accept the one that is loaded: "
            "it is none of the key types or authorities that the server asks for."
        )
    return _NONE_LOADED


def _name(s: Situation) -> str:
    if s.server_name:
        asked = quoted(s.server_name)
        return f"The server does not know the name {asked} (SNI). Check server_hostname."
    return "The server wants to be told a name (SNI), and got none. Pass server_hostname."


def _alpn(s: Situation) -> str:
    return (
        "None of the application protocols that this client offers (ALPN) is spoken by the server. "
        "See set_alpn_protocols()."
    )


def _psk_identity(s: Situation) -> str:
    return (
        "The server does not know the pre-shared key's identity that this client sent. Both sides "
        "have to be given the same identity and key."
    )


def _decrypt_error(s: Situation) -> str:
    return (
        f"The {s.peer} could not verify a signature or a Finished message of this side. With a "
        "pre-shared key, the keys of both sides differ; otherwise the certificate and its private "
        "key may not belong together, or something on the way changes the handshake."
    )


def _internal(s: Situation) -> str:
    return f"The {s.peer} failed for a reason of its own. Only its log can tell which."


def _mismatch(s: Situation) -> str:
    return (
        f"The {s.peer} received something that it does not accept from this side. One of the two "
        "implementations, or something between them, is at fault."
    )


def _corrupt(s: Situation) -> str:
    return (
        f"The {s.peer} could not decrypt what it received: bytes were changed or lost on the way, "
        "or somebody wrote to the socket beside TLS."
    )


def _security(s: Situation) -> str:
    return (
        f"The {s.peer} demands stronger cryptography than this {_self(s)} offers. See "
        "set_ciphers() and context.security_level."
    )


def fallback(s: Situation) -> str:
    """Return the hint for a refused version fallback."""
    return (
        "The client has come back with a lower protocol version than both sides support: it fell "
        "back after a failure, and the other side refuses that (RFC 7507)."
    )


def _access(s: Situation) -> str:
    return f"The {s.peer} accepted the certificate, but does not let its holder in."


def _gone(s: Situation) -> str:
    return f"The {s.peer} gave up: a user or a program there canceled the handshake."


def _by_name(name: str) -> int:
    return int(_TLSAlertType[name].value)


_ALERTS: dict[int, Callable[[Situation], str]] = {
    _by_name("HANDSHAKE_FAILURE"): _handshake_failure,
    _by_name("PROTOCOL_VERSION"): _version,
    _by_name("UNKNOWN_CA"): _unknown_ca,
    _by_name("BAD_CERTIFICATE"): _refused("it could not be read, or did not pass a check"),
    _by_name("UNSUPPORTED_CERTIFICATE"): _refused(
        "it is of the wrong kind, or for another purpose"
    ),
    _by_name("CERTIFICATE_REVOKED"): _refused("it has been revoked"),
    _by_name("CERTIFICATE_EXPIRED"): _refused("it has expired, or is not valid yet"),
    _by_name("CERTIFICATE_UNKNOWN"): _refused("for a reason that it does not tell"),
    _by_name("CERTIFICATE_REQUIRED"): _certificate_required,
    _by_name("UNRECOGNIZED_NAME"): _name,
    _by_name("NO_APPLICATION_PROTOCOL"): _alpn,
    _by_name("UNKNOWN_PSK_IDENTITY"): _psk_identity,
    _by_name("DECRYPT_ERROR"): _decrypt_error,
    _by_name("INTERNAL_ERROR"): _internal,
    _by_name("ILLEGAL_PARAMETER"): _mismatch,
    _by_name("DECODE_ERROR"): _mismatch,
    _by_name("UNEXPECTED_MESSAGE"): _mismatch,
    _by_name("MISSING_EXTENSION"): _mismatch,
    _by_name("UNSUPPORTED_EXTENSION"): _mismatch,
    _by_name("BAD_RECORD_MAC"): _corrupt,
    _by_name("RECORD_OVERFLOW"): _corrupt,
    _by_name("INSUFFICIENT_SECURITY"): _security,
    _by_name("INAPPROPRIATE_FALLBACK"): fallback,
    _by_name("ACCESS_DENIED"): _access,
    _by_name("USER_CANCELED"): _gone,
}
