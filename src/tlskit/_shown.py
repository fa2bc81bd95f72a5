"""How a wrong argument is shown in a message. People sometimes pass a private key or a password in
another argument's place, so a value that could be one is described, and not repeated.
"""

from __future__ import annotations

import os
from base64 import b64decode

_LONGEST = 80  # characters; what is wrong in a longer one is not seen from it anyway
_CONTROL = bytes(range(0x20)) + b"\x7f"
_DIGITS = b"0123456789abcdefABCDEF"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_DIGITS_LEAST, _BASE64_LEAST = 64, 40  # of a key of 256 bits


def shown(value: object) -> str:
    """Return a short, harmless value's repr; of others, their type and size: "str of 241
    characters".
    """
    plain = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(plain, str):
        raw = plain.encode("utf-8", "surrogatepass")
        harmless, unit = raw.isascii() or plain.isprintable(), "characters"
    elif isinstance(plain, (bytes, bytearray)):
        raw = plain = bytes(plain)
        harmless, unit = True, "bytes"
    elif plain is None or isinstance(plain, (int, float)):
        text = repr(plain)
        return text if len(text) <= _LONGEST else type(plain).__name__
    else:
        size = f" of {len(plain)}" if isinstance(plain, (list, tuple, set, dict)) else ""
        return f"{type(plain).__name__}{size}"
    harmless = harmless and len(raw) <= _LONGEST and raw.translate(None, _CONTROL) == raw
    if harmless and not may_be_key(plain):
        return repr(value)
    return f"{type(value).__name__} of {len(plain)} {unit}"


def has_pem(raw: bytes) -> bool:
    """Return whether there is the first line of PEM in it."""
    return b"-----BEGIN " in raw


def has_der(raw: bytes) -> bool:
    """Return whether it begins as a key in DER does."""
    return raw[:1] == b"\x30" and raw[1:2] >= b"\x80"


def is_coded_key(raw: bytes) -> bool:
    """Return whether it could be a key in hexadecimal digits, or in base64."""
    if len(raw) >= _DIGITS_LEAST and not raw.strip(_DIGITS):
        return True
    if len(raw) < _BASE64_LEAST or raw[:_BASE64_LEAST].strip(_BASE64) or raw.strip(_BASE64 + b"="):
        return False
    return b64decode(raw[:4])[:1] == b"\x30"


def may_be_key(value: str | bytes) -> bool:
    """Return whether this could be a private key itself, where something else was wanted."""
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return has_pem(raw) or is_coded_key(raw) or (isinstance(value, bytes) and has_der(raw))
