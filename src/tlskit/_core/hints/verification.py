"""Hints for a certificate that failed verification: which one, which rule, and what to do
about it.
"""

from __future__ import annotations

from collections.abc import Callable

from ..native import CONST
from .certificates import Described, quoted
from .situation import Situation

_TRUST = "load_verify_locations()"
_STRICT = (
    "VERIFY_X509_STRICT demands it; create_default_context() sets that flag since Python 3.13. "
    "Have the certificate reissued, or clear the flag: "
    "context.verify_flags &= ~ssl.VERIFY_X509_STRICT."
)


def hint(s: Situation) -> str:
    """Return what is wrong with the certificate that failed verification."""
    rule = _STRICT_RULES.get(s.verify_code)
    if rule is not None:
        return f"{_which(s)} {rule}. {_STRICT}"
    explain = _HINTS.get(s.verify_code)
    return explain(s) if explain is not None else ""


def _which(s: Situation) -> str:
    """Return the certificate that failed, as the subject of a sentence."""
    subject = Described(s.certificate).subject
    if s.verify_depth <= 0:
        return f"The {s.peer}'s certificate ({subject})"
    if s.certificate in s.sent:
        return f"The CA certificate {subject} in the {s.peer}'s chain"
    return f"The trusted CA certificate {subject}"


def _operator(s: Situation) -> str:
    return f"the {s.peer}'s operator"


def _expired(s: Situation) -> str:
    described = Described(s.certificate)
    if not described.has_ended:
        return (
            f"{_which(s)} expires on {described.ends}. It is verified as of context.verify_time, "
            "which is later."
        )
    return (
        f"{_which(s)} expired on {described.ends}. It has to be renewed by {_operator(s)}. If the "
        f"date is wrong, set this machine's clock: it says {_now()}."
    )


def _not_yet_valid(s: Situation) -> str:
    described = Described(s.certificate)
    said = f"{_which(s)} is not valid before {described.begins}."
    if described.has_begun:
        return f"{said} It is verified as of context.verify_time, which is earlier."
    return f"{said} Check this machine's clock: it says {_now()}."


def _now() -> str:
    from datetime import datetime, timezone

    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _self_signed(s: Situation) -> str:
    return (
        f"{_which(s)} is signed with its own key, and this context does not trust it. If it is the "
        f"one you expect, trust it: {_TRUST} with that certificate."
    )


def _self_signed_in_chain(s: Situation) -> str:
    subject = Described(s.certificate).subject
    return (
        f"The {s.peer}'s chain ends in the root {subject}, which this context does not trust. If "
        f"you know that authority (a company's own, a proxy's that inspects TLS), load its "
        f"certificate with {_TRUST}."
    )


def _no_issuer(s: Situation) -> str:
    if s.authorities == 0:
        return (
            "This context trusts no authority at all. Call load_default_certs() for the system's, "
            f"or {_TRUST} for your own."
        )
    described = Described(s.certificate)
    if s.verify_depth <= 0 and len(s.sent) <= 1:
        return (
            f"The {s.peer} sent its own certificate alone, and its issuer {described.issuer} is "
            f"not among the authorities that this context trusts. If {described.issuer} is an "
            f"intermediate, {_operator(s)} has to configure the whole chain; browsers hide this by "
            f"fetching it. If it is a root of your own, load it with {_TRUST}."
        )
    return (
        f"The {s.peer}'s chain leads to {described.issuer}, the issuer of {described.subject}, "
        f"which is neither in the chain nor trusted by this context. Load that authority with "
        f"{_TRUST} if it is yours; else {_operator(s)} has to send the missing intermediate "
        "certificate."
    )


def _host(s: Situation) -> str:
    names = Described(s.sent[0] if s.sent else s.certificate).names
    return (
        f"The {s.peer}'s certificate is for {names}. Connect by one of these names, or have the "
        f"certificate reissued for {quoted(s.hostname or '')}."
    )


def _purpose(s: Situation) -> str:
    if s.verify_depth > 0:
        return f"{_which(s)} may not sign certificates of this kind ({_use(s)})."
    return (
        f"{_which(s)} may not be used for {_use(s)}: its extended key usage or key usage excludes "
        f"that. It has to be reissued for {_use(s)}."
    )


def _use(s: Situation) -> str:
    return "client authentication" if s.server else "server authentication"


def _weak_key(s: Situation) -> str:
    return (
        f"{_which(s)} has a key too small for security level {s.security_level}. Have it reissued "
        "with at least RSA 2048 or P-256; until then, context.security_level = "
        f"{max(s.security_level - 1, 0)} accepts it."
    )


def _weak_digest(s: Situation) -> str:
    return (
        f"{_which(s)} was signed with a digest too weak for security level {s.security_level} "
        "(SHA-1 or MD5). Have it reissued with SHA-256; until then, context.security_level = "
        f"{0 if s.security_level <= 1 else 1} may accept it."
    )


def _revoked(s: Situation) -> str:
    return f"{_which(s)} has been revoked by its issuer. Do not trust it: it has to be replaced."


def _no_crl(s: Situation) -> str:
    issuer = Described(s.certificate).issuer
    return (
        f"verify_flags ask for revocation lists, and there is none of {issuer}. Load it with "
        f"{_TRUST} (a PEM file may hold CRLs), or clear VERIFY_CRL_CHECK_LEAF and "
        "VERIFY_CRL_CHECK_CHAIN."
    )


def _old_crl(s: Situation) -> str:
    issuer = Described(s.certificate).issuer
    return f"The revocation list of {issuer} has expired. Fetch the new one, and load it again."


def _too_long(s: Situation) -> str:
    return (
        f"The {s.peer}'s chain has more CA certificates than verify_depth allows. Raise "
        "context.verify_depth if the chain is sound."
    )


def _path_length(s: Situation) -> str:
    return (
        f"{_which(s)} has more CA certificates below it than its path length allows: its issuer "
        "made a mistake."
    )


def _not_a_ca(s: Situation) -> str:
    return (
        f"{_which(s)} has signed another certificate, but is not a CA (basicConstraints). "
        f"{_operator(s).capitalize()} has to fix the chain."
    )


def _rejected(s: Situation) -> str:
    return (
        f"{_which(s)} has a key that tlskit refuses, because somebody else is known to hold its "
        "private key."
    )


def _critical(s: Situation) -> str:
    return f"{_which(s)} has a critical extension that OpenSSL does not know."


def _constraint(s: Situation) -> str:
    return (
        f"{_which(s)} has a name that a CA above it may not issue certificates for (name "
        "constraints)."
    )


def _bad_signature(s: Situation) -> str:
    issuer = Described(s.certificate).issuer
    return (
        f"{_which(s)} was not signed with the key of {issuer} that is trusted or in the chain. The "
        "CA may have a new key under its old name: load its current certificate."
    )


def _code(name: str) -> int:
    """Return the number of an X509_V_ERR_ name, or an unused number if this OpenSSL lacks the
    name.
    """
    found: int = getattr(CONST, f"X509_V_ERR_{name}", -1)
    return found


def _demanded(s: Situation) -> str:
    if s.callback_refused:
        return f"{_which(s)} passed verification, but verify_each of this context refused it."
    return (
        f"The {s.peer}'s chain passed verification, but holds none of the pinned keys "
        f"(context.pins). Either the {s.peer} has a new key whose pin is missing here, or somebody "
        "else answers for it."
    )


_HINTS: dict[int, Callable[[Situation], str]] = {
    _code("CERT_HAS_EXPIRED"): _expired,
    _code("CERT_NOT_YET_VALID"): _not_yet_valid,
    _code("DEPTH_ZERO_SELF_SIGNED_CERT"): _self_signed,
    _code("SELF_SIGNED_CERT_IN_CHAIN"): _self_signed_in_chain,
    _code("UNABLE_TO_GET_ISSUER_CERT_LOCALLY"): _no_issuer,
    _code("UNABLE_TO_GET_ISSUER_CERT"): _no_issuer,
    _code("UNABLE_TO_VERIFY_LEAF_SIGNATURE"): _no_issuer,
    _code("HOSTNAME_MISMATCH"): _host,
    _code("IP_ADDRESS_MISMATCH"): _host,
    _code("INVALID_PURPOSE"): _purpose,
    _code("EE_KEY_TOO_SMALL"): _weak_key,
    _code("CA_KEY_TOO_SMALL"): _weak_key,
    _code("CA_MD_TOO_WEAK"): _weak_digest,
    _code("CERT_REVOKED"): _revoked,
    _code("UNABLE_TO_GET_CRL"): _no_crl,
    _code("CRL_HAS_EXPIRED"): _old_crl,
    _code("CERT_CHAIN_TOO_LONG"): _too_long,
    _code("PATH_LENGTH_EXCEEDED"): _path_length,
    _code("INVALID_CA"): _not_a_ca,
    _code("CERT_REJECTED"): _rejected,
    _code("UNHANDLED_CRITICAL_EXTENSION"): _critical,
    _code("PERMITTED_VIOLATION"): _constraint,
    _code("EXCLUDED_VIOLATION"): _constraint,
    _code("CERT_SIGNATURE_FAILURE"): _bad_signature,
    _code("APPLICATION_VERIFICATION"): _demanded,
}

_STRICT_RULES = {
    _code(
        "MISSING_AUTHORITY_KEY_IDENTIFIER"
    ): "has no authority key identifier (RFC 5280, 4.2.1.1)",
    _code("EMPTY_AUTHORITY_KEY_IDENTIFIER"): (
        "has an empty authority key identifier (RFC 5280, 4.2.1.1)"
    ),
    _code("AKID_ISSUER_SERIAL_NOT_PAIRED"): (
        "has an authority key identifier with an issuer or a serial number, but not with both "
        "(RFC 5280, 4.2.1.1)"
    ),
    _code("MISSING_SUBJECT_KEY_IDENTIFIER"): "has no subject key identifier (RFC 5280, 4.2.1.2)",
    _code("AUTHORITY_KEY_IDENTIFIER_CRITICAL"): (
        "marks its authority key identifier as critical (RFC 5280, 4.2.1.1)"
    ),
    _code("SUBJECT_KEY_IDENTIFIER_CRITICAL"): (
        "marks its subject key identifier as critical (RFC 5280, 4.2.1.2)"
    ),
    _code("CA_BCONS_NOT_CRITICAL"): (
        "does not mark its basic constraints as critical (RFC 5280, 4.2.1.9)"
    ),
    _code("CA_CERT_MISSING_KEY_USAGE"): "is a CA's and has no key usage (RFC 5280, 4.2.1.3)",
    _code("PATHLEN_INVALID_FOR_NON_CA"): (
        "has a path length, but is not a CA's (RFC 5280, 4.2.1.9)"
    ),
    _code("PATHLEN_WITHOUT_KU_KEY_CERT_SIGN"): (
        "has a path length, but may not sign certificates (RFC 5280, 4.2.1.9)"
    ),
    _code("KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA"): (
        "may sign certificates by its key usage, but is not a CA's (RFC 5280, 4.2.1.9)"
    ),
    _code("ISSUER_NAME_EMPTY"): "names no issuer (RFC 5280, 4.1.2.4)",
    _code("SUBJECT_NAME_EMPTY"): "has an empty subject (RFC 5280, 4.1.2.6)",
    _code("EMPTY_SUBJECT_ALT_NAME"): "has an empty subjectAltName (RFC 5280, 4.2.1.6)",
    _code("EMPTY_SUBJECT_SAN_NOT_CRITICAL"): (
        "has an empty subject, and does not mark its subjectAltName as critical (RFC 5280, 4.2.1.6)"
    ),
    _code("SIGNATURE_ALGORITHM_INCONSISTENCY"): (
        "names two different signature algorithms (RFC 5280, 4.1.1.2)"
    ),
    _code("EXTENSIONS_REQUIRE_VERSION_3"): (
        "has extensions, but is not of version 3 (RFC 5280, 4.1.2.1)"
    ),
}
