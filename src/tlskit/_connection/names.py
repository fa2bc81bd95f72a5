"""Server names: what a client puts into its ClientHello, and what the certificate has to carry."""

from __future__ import annotations

import socket


def in_certificates(name: str) -> str:
    """The name as certificates and server_name have it: without the dot of the root at its end
    (RFC 6066, 3), which some use so that no search domain is tried.
    """
    return name[:-1] if name.endswith(".") and len(name) > 1 else name


def packed_address(name: str) -> bytes | None:
    """The bytes of a literal IP address, or None when it is a name. The zone of a link-local
    address (RFC 4007, "fe80::1%eth0") is of this machine alone, and in no certificate.
    """
    address = name.partition("%")[0]
    for family, text in ((socket.AF_INET, name), (socket.AF_INET6, address)):
        try:
            return socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
    return None
