"""Where certificates and keys come from: files, bytes, objects of `cryptography`, URIs.

Everything a user may give becomes a Source: its form and its bytes. What is copied here of a
private key is a bytearray, and wiped once OpenSSL has read it. Objects, text and bytes of the
caller's own are the caller's to forget, and so is what `cryptography` writes of a key of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from ssl import PEM_cert_to_DER_cert
from typing import Any

from .._core.credential import DER, PEM, PKCS12, URI, Source
from .._core.wiped import encoded
from .arguments import secret_of

_BEGIN = "-----BEGIN"
_CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_SCHEMES = ("pkcs11:", "file:", "handle:", "org.openssl.")


def certificate(name: str, value: Any) -> Source:
    """The source of a certificate, and of its chain where that lies beside it.

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
    """The source of a private key; see `certificate`. A copy that is made here is a bytearray."""
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
    """The source of a PKCS#12 file: its path or its bytes."""
    if isinstance(value, (bytes, bytearray, memoryview)) and _is_der(value):
        return Source(PKCS12, bytearray(value))
    return Source(PKCS12, secret_of(name, value))


def in_der(name: str, source: Source) -> bytes:
    """The certificates of a source in DER, end to end.

    Raises:
        ValueError: it holds none that could be told without a password or a provider.
    """
    if source.form == DER:
        return bytes(source.data)
    if source.form != PEM:
        raise ValueError(f"{name} must be certificates in PEM or DER, not a URI")
    blocks = [bytes(found[0]).decode("latin-1") for found in _CERTIFICATE.finditer(source.data)]
    if not blocks:  # nothing else is copied out of it: there may be a key
        raise ValueError(f"{name} holds no certificate in PEM or DER")
    return b"".join(map(PEM_cert_to_DER_cert, blocks))


def chain(name: str, values: Any) -> bytes:
    """Several certificates, each given in any form, in DER, end to end."""
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
    """Whether this is a SEQUENCE, and no name of a file: one with a long length, or a whole one."""
    if len(raw) < 2 or raw[0] != 0x30:
        return False
    return 0x81 <= raw[1] <= 0x84 or len(raw) == 2 + raw[1]
