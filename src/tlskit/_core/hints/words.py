"""Select the hint for a failure: the verdict on a certificate, an alert, or OpenSSL's reason."""

from __future__ import annotations

from collections.abc import Callable

from ..native import CONST
from . import alerts, plaintext, staples, verification
from .certificates import quoted
from .situation import Situation


def hint_for(s: Situation) -> str:
    """Return what happened, on which side, and what to try; "" if OpenSSL's text says it all."""
    if s.kind == "reset" and s.alert_received >= 0:
        return alerts.hint(s)
    if s.kind in _ENDINGS:
        return _ENDINGS[s.kind](s)
    if s.library != CONST.ERR_LIB_SSL:
        return ""
    if s.reason == CONST.SSL_R_CERTIFICATE_VERIFY_FAILED:
        return verification.hint(s)
    if s.alert_received >= 0:
        return alerts.hint(s)
    explain = _REASONS.get(s.reason)
    return explain(s) if explain is not None else ""


# -- the end of a connection -----------------------------------------------------------------------


def _eof(s: Situation) -> str:
    if s.done:
        return (
            f"The {s.peer} ended the connection without a close_notify: what came before may be "
            "cut short. If the application protocol marks the end of its data, "
            "suppress_ragged_eofs or OP_IGNORE_UNEXPECTED_EOF makes this the end of the stream."
        )
    if s.server:
        return (
            "The client went away in the handshake: it may have refused this server's certificate "
            "without a word, or only probed the port."
        )
    if s.received == 0:
        return (
            "The server closed the connection without any answer to the ClientHello. It may not "
            "speak TLS on this port, or a proxy or firewall in between refuses the connection or "
            "the server name."
        )
    return (
        "The server closed the connection in the middle of the handshake. Only its log can tell "
        "why; a server that wants a client certificate may do this too."
    )


def _reset(s: Situation) -> str:
    if s.done:
        return f"The {s.peer}, or something on the way, reset the connection."
    if s.received == 0 and not s.server:
        return (
            "The server, or a firewall on the way, reset the connection without any answer to the "
            "ClientHello. It may not speak TLS on this port, or the server name is blocked."
        )
    return f"The {s.peer}, or something on the way, reset the connection in the handshake."


def _timeout(s: Situation) -> str:
    if s.doing != "handshake" or s.done:
        return ""
    if s.server:
        return "The client did not finish the handshake in time" + (
            "." if s.received else ": it has sent nothing."
        )
    if s.received == 0:
        return (
            "The server accepted the connection, but did not answer the ClientHello in time. The "
            "port may speak another protocol, or something on the way drops large ClientHellos "
            "(post-quantum key shares make them larger than a packet)."
        )
    return "The server began the handshake, and did not finish it in time."


_ENDINGS: dict[str, Callable[[Situation], str]] = {
    "eof": _eof,
    "reset": _reset,
    "timeout": _timeout,
}


# -- errors that OpenSSL reports -------------------------------------------------------------------


def _not_tls(s: Situation) -> str:
    if s.done:
        return (
            f"What the {s.peer} sent after the handshake is not TLS: it, or somebody on the way, "
            "went on in plain text, or another part of the program reads from the socket."
        )
    if len(s.first_bytes) >= 3 and 20 <= s.first_bytes[0] <= 24 and s.first_bytes[1] == 3:
        return _version(s)  # a TLS record of another version
    return plaintext.hint(s.first_bytes, server=s.server)


def _version(s: Situation) -> str:
    allowed = alerts.versions(s)
    if s.server:
        return (
            f"The client supports none of the protocol versions that this server allows ({allowed}"
            "). See context.minimum_version and maximum_version; versions below TLS 1.2 also need "
            "context.security_level = 0."
        )
    return (
        f"The server chose a protocol version that this client does not allow ({allowed}): it may "
        "be too old. See context.minimum_version; versions below TLS 1.2 also need "
        "context.security_level = 0."
    )


def _no_protocols(s: Situation) -> str:
    return (
        f"The settings leave no protocol version to use ({alerts.versions(s)}, together with "
        "options, ciphers and security_level). Versions below TLS 1.2 need security_level = 0."
    )


def _no_shared_cipher(s: Situation) -> str:
    if not s.own_certificate:
        return (
            "This server has no certificate, and without one most cipher suites cannot be used. "
            "Call load_cert_chain()."
        )
    return (
        "The client offers no cipher suite that this server allows and has the right kind of "
        "certificate for (ECDSA or RSA). See set_ciphers() and security_level."
    )


def _no_shared_group(s: Situation) -> str:
    return (
        "The client and this server have no key exchange group in common. See set_groups(); "
        "X25519 and P-256 are supported nearly everywhere."
    )


def _no_shared_signature(s: Situation) -> str:
    return (
        f"The {s.peer} accepts no signature algorithm that fits this side's certificate, or none "
        "that security_level allows. Load a certificate with another key type beside it (ECDSA "
        "P-256 and RSA cover nearly everything), or see set_client_sigalgs() and "
        "set_server_sigalgs()."
    )


def _wrong_signature(s: Situation) -> str:
    return (
        f"The {s.peer} signed with an algorithm that this side did not offer (SHA-1, for one). An "
        "old implementation may need a lower context.security_level."
    )


def _no_certificate(s: Situation) -> str:
    return (
        "This server requires a client certificate (CERT_REQUIRED), and the client sent none. It "
        "has to load one, issued by an authority that this server trusts."
    )


def _small_dh(s: Situation) -> str:
    return (
        f"The {s.peer}'s Diffie-Hellman parameters are too small for security level "
        f"{s.security_level}. Exclude that key exchange with set_ciphers('DEFAULT:!DHE'), or lower "
        "context.security_level."
    )


def _own_weak_key(s: Situation) -> str:
    return (
        f"The key of the certificate to load is too small for security level {s.security_level}. "
        "Have it reissued with at least RSA 2048 or P-256."
    )


def _own_weak_digest(s: Situation) -> str:
    return (
        f"The certificate to load was signed with a digest too weak for security level "
        f"{s.security_level} (SHA-1 or MD5). Have it reissued with SHA-256."
    )


def _legacy(s: Situation) -> str:
    return (
        "The server does not support secure renegotiation (RFC 5746), which OpenSSL 3 requires. If "
        "it cannot be updated, context.options |= OP_LEGACY_SERVER_CONNECT accepts it."
    )


def _corrupt(s: Situation) -> str:
    return (
        f"What came from the {s.peer} does not decrypt: bytes were changed or lost on the way, or "
        "another part of the program reads from or writes to the socket beside TLS."
    )


def _binder(s: Situation) -> str:
    return (
        "The client's proof that it knows the pre-shared key is wrong: both sides have different "
        "keys for that identity."
    )


def _psk_identity(s: Situation) -> str:
    return (
        "This server has no key for the identity that the client sent: the server's callback "
        "returned an empty key."
    )


def _psk_client(s: Situation) -> str:
    return (
        "The callback of this client gave no pre-shared key that fits: a key must not be empty, "
        "and an identity must not be longer than OpenSSL allows."
    )


def _alpn(s: Situation) -> str:
    return "The client offers no application protocol (ALPN) that this server speaks."


def _callback(s: Situation) -> str:
    if not s.server:
        return ""
    about = f"the name {quoted(s.server_name)}" if s.server_name else "the client"
    sent = f" with the alert {alerts.name(s.alert_sent)}" if s.alert_sent >= 0 else ""
    return f"A callback of this server's context refused {about}{sent}."


def _ech(s: Situation) -> str:
    return (
        "The server did not decrypt the encrypted ClientHello: its keys have changed, or it no "
        "longer has any. If the error's ech_retry_configs are not empty, connect again with them; "
        'if they are b"", connect without ECH.'
    )


def _fallback(s: Situation) -> str:
    return alerts.fallback(s)


def _too_many_certificates(s: Situation) -> str:
    return (
        f"The {s.peer} sent a message larger than OpenSSL accepts: most likely a very long list of "
        "certificates."
    )


def _renegotiation(s: Situation) -> str:
    return f"The {s.peer} tried to renegotiate, which this side does not allow."


def _closed(s: Situation) -> str:
    return "This side has closed the TLS connection already: nothing can be sent any more."


def _retry(s: Situation) -> str:
    return "A write that was interrupted has to be repeated with the same bytes."


_NAMES: dict[str, Callable[[Situation], str]] = {
    "WRONG_VERSION_NUMBER": _not_tls,
    "HTTP_REQUEST": _not_tls,
    "HTTPS_PROXY_REQUEST": _not_tls,
    "PACKET_LENGTH_TOO_LONG": _not_tls,
    "RECORD_TOO_SMALL": _not_tls,
    "BAD_RECORD_TYPE": _not_tls,
    "UNKNOWN_PROTOCOL": _not_tls,
    "UNSUPPORTED_PROTOCOL": _version,
    "VERSION_TOO_LOW": _version,
    "VERSION_TOO_HIGH": _version,
    "UNKNOWN_SSL_VERSION": _version,
    "NO_PROTOCOLS_AVAILABLE": _no_protocols,
    "NO_CIPHERS_AVAILABLE": _no_protocols,
    "NO_SHARED_CIPHER": _no_shared_cipher,
    "NO_CERTIFICATE_SET": _no_shared_cipher,
    "NO_SHARED_GROUPS": _no_shared_group,
    "NO_SUITABLE_GROUPS": _no_shared_group,
    "NO_SUITABLE_KEY_SHARE": _no_shared_group,
    "NO_SHARED_SIGNATURE_ALGORITHMS": _no_shared_signature,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": _no_shared_signature,
    "WRONG_SIGNATURE_TYPE": _wrong_signature,
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED": _wrong_signature,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": _no_certificate,
    "DH_KEY_TOO_SMALL": _small_dh,
    "EE_KEY_TOO_SMALL": _own_weak_key,
    "CA_KEY_TOO_SMALL": _own_weak_key,
    "CA_MD_TOO_WEAK": _own_weak_digest,
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": _legacy,
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": _corrupt,
    "DIGEST_CHECK_FAILED": _corrupt,
    "BINDER_DOES_NOT_VERIFY": _binder,
    "PSK_IDENTITY_NOT_FOUND": _psk_identity,
    "BAD_PSK": _psk_client,
    "NO_APPLICATION_PROTOCOL": _alpn,
    "CALLBACK_FAILED": _callback,
    "ECH_REQUIRED": _ech,
    "INAPPROPRIATE_FALLBACK": _fallback,
    "EXCESSIVE_MESSAGE_SIZE": _too_many_certificates,
    "NO_RENEGOTIATION": _renegotiation,
    "PROTOCOL_IS_SHUTDOWN": _closed,
    "BAD_WRITE_RETRY": _retry,
    "INVALID_STATUS_RESPONSE": staples.hint,
}

_REASONS: dict[int, Callable[[Situation], str]] = {
    getattr(CONST, f"SSL_R_{name}"): explain
    for name, explain in _NAMES.items()
    if hasattr(CONST, f"SSL_R_{name}")
}
