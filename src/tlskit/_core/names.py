"""The forms of a server's name: for the ClientHello, the certificate, and session lookups."""

from __future__ import annotations

import socket

from .._memo import remembered
from .native import address_of, ffi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ServerName:
    """A server's name in the forms that a client's connections need. Immutable; any number of them
    can share it.

    Args:
        text: the name or address, in ASCII.

    Attributes:
        text: the argument.
        lower: in lower case, as in certificates.
    """

    __slots__ = ("_kept", "addresses", "checked", "lower", "text", "unchecked")

    def __init__(self, text: str) -> None:
        self.text = text
        self.lower = in_certificates(text).lower()
        self._kept: list[object] = []  # memory that the structs point to
        packed = packed_address(text)
        #: For C: with the name compared to the certificate, and without.
        self.checked = self._struct(packed, checked=True)
        self.unchecked = self._struct(packed, checked=False)
        #: Of `unchecked` and of `checked`, as numbers.
        self.addresses = address_of(self.unchecked), address_of(self.checked)

    def _struct(self, packed: bytes | None, *, checked: bool) -> Any:
        made = ffi.new("tk_server_name *")
        if packed is None:
            made.sni = self._keep(in_certificates(self.text).encode("ascii") + b"\0")
            made.host = made.sni if checked else ffi.NULL
        elif checked:  # RFC 6066, 3: no literal addresses in server_name
            made.ip, made.ip_size = self._keep(packed), len(packed)
        return made

    def _keep(self, data: bytes) -> Any:
        pointer = ffi.from_buffer("char[]", data)
        self._kept.append(pointer)
        return pointer


@remembered(256)  # programs connect to few servers, but often
def server_name(text: str) -> ServerName:
    """Return the ServerName of a text, usually from the cache."""
    return ServerName(text)


def in_certificates(name: str) -> str:
    """Return the name as in certificates and server_name: without the trailing dot of the root (RFC
    6066, 3), which some programs use so that no search domain is tried.
    """
    return name[:-1] if name.endswith(".") and len(name) > 1 else name


def packed_address(name: str) -> bytes | None:
    """Return the bytes of a literal IP address, or None for a name. The zone of a link-local
    address (RFC 4007, "fe80::1%eth0") belongs to this machine, and is in no certificate.
    """
    address = name.partition("%")[0]
    for family, text in ((socket.AF_INET, name), (socket.AF_INET6, address)):
        try:
            return socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
    return None
