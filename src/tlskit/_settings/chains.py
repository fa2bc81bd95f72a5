"""Check that a chain is one that peers accept: in order, and in date."""

from __future__ import annotations

from collections.abc import Sequence
from ssl import cert_time_to_seconds
from time import time

from .._core.certificate import SHORT_NAMES, Certificate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


#: The short names of RFC 4514, which OpenSSL uses for the other certificates of the message.
def check(certificates: Sequence[Certificate]) -> None:
    """Raise ValueError if a certificate is not followed by its issuer, or has expired.

    Args:
        certificates: the leaf and its chain.
    """
    fields = [one.fields() for one in certificates]
    for below, above, one in zip(fields, fields[1:], certificates[1:], strict=False):
        if below["issuer"] != above["subject"]:
            raise ValueError(
                f"the chain is not in order: {_name(certificates[fields.index(below)])} was issued "
                f"by {_words(below['issuer'])}, and what follows it is {_name(one)}"
            )
    for one, found in zip(certificates, fields, strict=True):
        if cert_time_to_seconds(found["notAfter"]) < time():
            raise ValueError(f"the certificate {_name(one)} expired on {found['notAfter']}")


def _name(certificate: Certificate) -> str:
    return repr(certificate.rfc4514)


def _words(name: Any) -> str:
    parts = (
        f"{SHORT_NAMES.get(kind, kind)}={value}" for rdn in reversed(name) for kind, value in rdn
    )
    return repr(",".join(parts))
