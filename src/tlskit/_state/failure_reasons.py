"""The most common reasons for failed handshakes: OpenSSL's reasons in lower case, and names of
exceptions. Each has a counter from the start, so that its first increment is visible; any other
reason gets one when it occurs.
"""

from __future__ import annotations

_REASONS = (
    "bad_extension", "bad_psk", "binder_does_not_verify", "ca_md_too_weak", "callback_failed",
    "cert_cb_error", "certificate_verify_failed", "decryption_failed_or_bad_record_mac",
    "dh_key_too_small", "ech_required", "ee_key_too_small", "http_request", "https_proxy_request",
    "inappropriate_fallback", "length_mismatch", "no_application_protocol",
    "no_protocols_available", "no_shared_cipher", "no_shared_groups",
    "no_shared_signature_algorithms",
    "no_suitable_key_share", "no_suitable_signature_algorithm", "packet_length_too_long",
    "peer_did_not_return_a_certificate", "psk_identity_not_found", "record_layer_failure",
    "unexpected_eof_while_reading", "unexpected_message",
    "unsafe_legacy_renegotiation_disabled", "unsupported_protocol", "version_too_low",
    "wrong_version_number",
)  # fmt: skip
#: Alerts of the peer, by OpenSSL's names.
_ALERTS = (
    "sslv3_alert_bad_certificate", "sslv3_alert_bad_record_mac", "sslv3_alert_certificate_expired",
    "sslv3_alert_certificate_revoked", "sslv3_alert_certificate_unknown",
    "sslv3_alert_handshake_failure", "sslv3_alert_illegal_parameter",
    "sslv3_alert_unexpected_message", "sslv3_alert_unsupported_certificate",
    "tlsv13_alert_certificate_required", "tlsv13_alert_missing_extension",
    "tlsv1_alert_access_denied", "tlsv1_alert_decode_error", "tlsv1_alert_decrypt_error",
    "tlsv1_alert_insufficient_security", "tlsv1_alert_internal_error",
    "tlsv1_alert_no_application_protocol", "tlsv1_alert_protocol_version",
    "tlsv1_alert_unknown_ca", "tlsv1_alert_unknown_psk_identity", "tlsv1_alert_user_cancelled",
    "tlsv1_unrecognized_name", "tlsv1_unsupported_extension",
)  # fmt: skip
_EXCEPTIONS = (
    "brokenpipeerror", "connectionabortederror", "connectionreseterror", "timeouterror",
)  # fmt: skip

FAILURES = (*_REASONS, *_ALERTS, *_EXCEPTIONS)
