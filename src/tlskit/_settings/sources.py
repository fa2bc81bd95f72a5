"""The sources of certificates and keys: files, bytes, objects of `cryptography`, URIs.

Every argument becomes a Source: its format and its bytes. Copies of a private key are made in a
bytearray, and wiped once OpenSSL has parsed it. The caller's own objects, text and bytes are the
caller's to delete, and so is the output of `cryptography` for its own keys.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from ssl import PEM_cert_to_DER_cert

from .._core.credential import DER, PEM, PKCS12, URI, Source
from .._core.wiping import encoded
from .arguments import secret_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BEGIN = "-----BEGIN"
_CERTIFICATE = b"(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"
_SCHEMES = ("pkcs11:", "file:", "handle:", "org.openssl.")


def certificate(name: str, value: Any) -> Source:
    """Return the source of a certificate, and of its chain if it is in the same place.

    Args:
        name: of the argument, for messages.
        value: a path; PEM (text or bytes) or DER; a certificate of `cryptography` or pyOpenSSL; a
            URI that OSSL_STORE opens.

    Raises:
        TypeError: it is none of these.
        OSError: the file cannot be read.
    """
    converted = getattr(value, "to_cryptography", None)  # pyOpenSSL's
    if converted is not None:
        value = converted()
    if hasattr(value, "public_bytes") and not isinstance(value, bytes):
        from cryptography.hazmat.primitives.serialization import Encoding

        return Source(DER, bytes(value.public_bytes(Encoding.DER)))
    return _given(name, value)


def key(name: str, value: Any) -> Source:
    """Return the source of a private key; see `certificate`. Copies are made in a bytearray."""
    converted = getattr(value, "to_cryptography_key", None)
    if converted is not None:
        value = converted()
    if hasattr(value, "private_bytes"):
        from cryptography.hazmat.primitives import serialization as s

        kind = s.PrivateFormat.PKCS8
        raw = value.private_bytes(s.Encoding.DER, kind, s.NoEncryption())
        return Source(DER, bytearray(raw))
    return _given(name, value)


def pkcs12(name: str, value: Any) -> Source:
    """Return the source of a PKCS#12 file: its path or its bytes."""
    if isinstance(value, (bytes, bytearray, memoryview)) and _is_der(value):
        return Source(PKCS12, bytearray(value))
    return Source(PKCS12, secret_of(name, value))


def in_der(name: str, source: Source) -> bytes:
    """Return the certificates of a source in concatenated DER.

    Raises:
        ValueError: it contains none that can be read without a password or a provider.
    """
    if source.form == DER:
        return bytes(source.data)
    if source.form != PEM:
        raise ValueError(f"{name} must be certificates in PEM or DER, not a URI")
    import re

    blocks = [bytes(found[0]).decode("latin-1") for found in re.finditer(_CERTIFICATE, source.data)]
    if not blocks:  # nothing else is copied out of it, because it may contain a key
        raise ValueError(f"{name} holds no certificate in PEM or DER")
    return b"".join(map(PEM_cert_to_DER_cert, blocks))


def chain(name: str, values: Any) -> bytes:
    """Return several certificates, each given in any form, in concatenated DER."""
    if isinstance(values, (str, bytes, bytearray, os.PathLike)) or not isinstance(values, Iterable):
        values = (values,)
    return b"".join(in_der(name, certificate(name, value)) for value in values)


def _given(name: str, value: Any) -> Source:
    if isinstance(value, (bytes, bytearray, memoryview)):
        raw = value if isinstance(value, bytes) else bytearray(value)
        if _BEGIN.encode() in raw:
            return Source(PEM, raw)
        if _is_der(raw):
            return Source(DER, raw)
    elif isinstance(value, str):
        if _BEGIN in value:
            return Source(PEM, encoded(value, "ascii", "replace"))
        if value.startswith(_SCHEMES) and not os.path.exists(value):
            return Source(URI, value.encode() + b"\0")
    content = secret_of(name, value)
    return Source(DER if _is_der(content) else PEM, content)


def _is_der(raw: bytes | bytearray | memoryview) -> bool:
    """Return whether this is a SEQUENCE rather than a file name: one with a long length, or a whole
    one.
    """
    if len(raw) < 2 or raw[0] != 0x30:
        return False
    return 0x81 <= raw[1] <= 0x84 or len(raw) == 2 + raw[1]
