"""Hints for certificates and keys that cannot be loaded."""

from __future__ import annotations

from collections.abc import Iterable

from ..native import CONST

_DAMAGED = "A PEM block is damaged, or ends too early."
_WRONG = "The password is wrong."
_WRONG_OR_CHANGED = "The password is wrong, or the file was changed."
_LEGACY = (
    "It is encrypted with an old algorithm (RC2, RC4 or DES), which OpenSSL 3 and later have only "
    "in their legacy provider. Convert it: `openssl pkcs12 -legacy -in old.p12 -out all.pem`."
)

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
    ("X509", "NO_CERTIFICATE_OR_CRL_FOUND"): (
        "There is no PEM block of a certificate or a revocation list: they begin with -----BEGIN "
        "CERTIFICATE----- and -----BEGIN X509 CRL-----."
    ),
    ("PEM", "BAD_BASE64_DECODE"): _DAMAGED,
    ("PEM", "BAD_END_LINE"): _DAMAGED,
    ("PEM", "BAD_DECRYPT"): _WRONG,
    ("PROV", "BAD_DECRYPT"): _WRONG,
    ("PKCS12", "MAC_VERIFY_FAILURE"): _WRONG_OR_CHANGED,
    ("OSSL_STORE", "ERROR_VERIFYING_PKCS12_MAC"): _WRONG_OR_CHANGED,
    ("SSL", "NO_CERTIFICATE_ASSIGNED"): "No certificate was found there.",
    ("SSL", "NO_PRIVATE_KEY_ASSIGNED"): (
        "No private key was found there. If it is in another file, pass that file too."
    ),
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
_PLAIN = {
    (CONST.ERR_LIB_OSSL_DECODER, CONST.ERR_R_UNSUPPORTED): (
        "No private key was found there that this OpenSSL can read. If it is in another file, pass "
        "that file too."
    ),
}
_ENCRYPTED = {
    (CONST.ERR_LIB_EVP, CONST.ERR_R_UNSUPPORTED): _LEGACY,
    (CONST.ERR_LIB_EVP, CONST.EVP_R_UNKNOWN_CIPHER): _LEGACY,
}


def hint(entries: Iterable[tuple[int, int]], *, encrypted: bool) -> str:
    """Return what to do about an error; "" if there is no hint.

    Args:
        entries: OpenSSL's numbers of the library and the reason, the telling ones first.
        encrypted: whether a key that a password was given for could not be read.
    """
    known = _HINTS | (_ENCRYPTED if encrypted else _PLAIN)
    found = (known.get(entry, "") for entry in entries)
    return next(filter(None, found), _WRONG if encrypted else "")
