"""Hints for certificates and keys that cannot be loaded."""

from __future__ import annotations

from ..native import CONST

_NAMES = {
    ("X509", "KEY_VALUES_MISMATCH"): (
        "The private key belongs to another certificate. If the file holds several certificates, "
        "the first has to be the key's own."
    ),
    ("X509", "KEY_TYPE_MISMATCH"): (
        "The private key is of another type than the certificate's key: it belongs to another "
        "certificate."
    ),
    ("PEM", "NO_START_LINE"): (
        "There is no PEM block of the kind that is needed: a certificate begins with -----BEGIN "
        "CERTIFICATE-----, a key with -----BEGIN PRIVATE KEY----- or the like."
    ),
    ("PEM", "BAD_DECRYPT"): "The password is wrong.",
    ("PKCS12", "MAC_VERIFY_FAILURE"): "The password is wrong, or the file was changed.",
    ("SSL", "NO_CERTIFICATE_ASSIGNED"): "No certificate was found there.",
    ("SSL", "NO_PRIVATE_KEY_ASSIGNED"): "No private key was found there: give it beside.",
    ("SSL", "EE_KEY_TOO_SMALL"): (
        "The certificate's key is too small for this context's security_level. Have it reissued "
        "with at least RSA 2048 or P-256."
    ),
    ("SSL", "CA_KEY_TOO_SMALL"): (
        "A CA's key in the chain is too small for this context's security_level."
    ),
    ("SSL", "CA_MD_TOO_WEAK"): (
        "The certificate was signed with a digest too weak for this context's security_level "
        "(SHA-1 or MD5). Have it reissued with SHA-256."
    ),
}

_NO_LOADER = (
    "OpenSSL has no provider that opens URIs of this kind. Load one in its configuration, "
    "openssl.cnf: for pkcs11:, the provider pkcs11. `tlskit info` shows which are loaded and which "
    "configuration is read."
)

_HINTS = {
    (getattr(CONST, f"ERR_LIB_{library}"), getattr(CONST, f"{library}_R_{reason}")): hint
    for (library, reason), hint in _NAMES.items()
    if hasattr(CONST, f"{library}_R_{reason}")
} | {
    (CONST.ERR_LIB_OSSL_STORE, reason): _NO_LOADER
    for reason in (CONST.ERR_R_UNSUPPORTED, CONST.OSSL_STORE_R_UNREGISTERED_SCHEME)
}


def hint(library: int, reason: int) -> str:
    """Return what to do about an error with these numbers of OpenSSL's; "" if there is no hint."""
    return _HINTS.get((library, reason), "")
