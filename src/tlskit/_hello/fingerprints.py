"""JA3 and JA4: short fingerprints of a ClientHello, which identify client software wherever it
connects from.

JA3 is by John Althouse, Jeff Atkinson and Josh Atkins; JA4 is by John Althouse (FoxIO), and is the
one member of the JA4+ family that is free for every use (BSD 3-Clause). Written from the public
descriptions. Both leave GREASE (RFC 8701) out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import md5, sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

_SERVER_NAME, _ALPN, _SIGNATURES = 0, 16, 13
_NOTHING = "000000000000"  # used for the hash of an empty list
_VERSIONS = {
    0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2",
    0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3",
}  # fmt: skip


class Extension(Protocol):
    """What is asked of an extension."""

    @property
    def type(self) -> int: ...


class Hello(Protocol):
    """What is asked of a ClientHello."""

    @property
    def legacy_version(self) -> int: ...
    @property
    def cipher_suites(self) -> Sequence[int]: ...
    @property
    def extensions(self) -> Sequence[Extension]: ...
    @property
    def supported_versions(self) -> Sequence[int]: ...
    @property
    def groups(self) -> Sequence[int]: ...
    @property
    def point_formats(self) -> Sequence[int]: ...
    @property
    def signature_algorithms(self) -> Sequence[int]: ...
    @property
    def alpn_names(self) -> Sequence[bytes]: ...


def is_grease(number: int) -> bool:
    """Return whether a two-byte number is a GREASE value (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def sown(numbers: Iterable[int]) -> list[int]:
    """Return the numbers without GREASE values."""
    return [number for number in numbers if not is_grease(number)]


def ja3_text(hello: Hello) -> str:
    """Return the five fields of JA3, before they are hashed."""
    lists = (
        sown(hello.cipher_suites),
        sown(extension.type for extension in hello.extensions),
        sown(hello.groups),
        hello.point_formats,
    )
    return ",".join(
        [str(hello.legacy_version), *("-".join(map(str, numbers)) for numbers in lists)]
    )


def ja3(hello: Hello) -> str:
    """Return the MD5 of `ja3_text`."""
    return md5(ja3_text(hello).encode(), usedforsecurity=False).hexdigest()


def ja4_text(hello: Hello) -> str:
    """Return JA4 with its lists instead of their hashes ("JA4_r")."""
    begin, suites, extensions, signatures = _ja4_parts(hello)
    return "_".join([begin, suites, extensions, *([signatures] if signatures else [])])


def ja4(hello: Hello) -> str:
    """Return JA4 for a connection over TCP."""
    begin, suites, extensions, signatures = _ja4_parts(hello)
    shown = f"{extensions}_{signatures}" if signatures else extensions
    return f"{begin}_{_hash(suites)}_{_hash(shown) if extensions else _NOTHING}"


def _ja4_parts(hello: Hello) -> tuple[str, str, str, str]:
    suites = sown(hello.cipher_suites)
    extensions = sown(extension.type for extension in hello.extensions)
    versions = sown(hello.supported_versions) or [hello.legacy_version]
    begin = (
        f"t{_VERSIONS.get(max(versions), '00')}{'d' if _SERVER_NAME in extensions else 'i'}"
        f"{min(len(suites), 99):02}{min(len(extensions), 99):02}{_ends(hello)}"
    )
    others = sorted(kind for kind in extensions if kind not in (_SERVER_NAME, _ALPN))
    return (
        begin, _listed(sorted(suites)), _listed(others), _listed(sown(hello.signature_algorithms))
    )  # fmt: skip


def _ends(hello: Hello) -> str:
    """Return the first and the last character of the client's preferred protocol, or of its bytes
    in hexadecimal if these are not letters and digits.
    """
    name = hello.alpn_names[0] if hello.alpn_names else b""
    if not name:
        return "00"
    first, last = name[:1], name[-1:]
    if first.isalnum() and last.isalnum():  # on bytes: ASCII only
        return (first + last).decode("ascii")
    return name.hex()[0] + name.hex()[-1]


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12] if text else _NOTHING
