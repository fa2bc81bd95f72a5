"""Certificates between DER and PEM."""

from __future__ import annotations

import base64

PEM_HEADER = "-----BEGIN CERTIFICATE-----"
PEM_FOOTER = "-----END CERTIFICATE-----"


def DER_cert_to_PEM_cert(der_cert_bytes: bytes) -> str:  # noqa: N802  (the stdlib's name)
    """Return a certificate in DER as PEM."""
    text = base64.standard_b64encode(der_cert_bytes).decode("ascii")
    return "\n".join([PEM_HEADER, *(text[i : i + 64] for i in range(0, len(text), 64)), PEM_FOOTER, ""])


def PEM_cert_to_DER_cert(pem_cert_string: str) -> bytes:  # noqa: N802
    """Return a certificate in PEM as DER.

    Raises:
        ValueError: the text does not begin and end as a certificate does.
    """
    if not pem_cert_string.startswith(PEM_HEADER):
        raise ValueError(f"Invalid PEM encoding; must start with {PEM_HEADER}")
    text = pem_cert_string.strip()
    if not text.endswith(PEM_FOOTER):
        raise ValueError(f"Invalid PEM encoding; must end with {PEM_FOOTER}")
    return base64.decodebytes(text[len(PEM_HEADER) : -len(PEM_FOOTER)].encode("ascii"))
