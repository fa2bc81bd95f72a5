"""The TLS extension of an ASGI scope, as asgiref specifies it."""

from __future__ import annotations

from collections.abc import Sequence
from ssl import DER_cert_to_PEM_cert

from .._core.certificate import Certificate
from .registry import VERSIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol
else:
    Protocol = object

_NUMBERS = {name: number for number, name in VERSIONS.items()}


class Negotiated(Protocol):
    """What is asked of a SessionInfo."""

    @property
    def certificate_chain(self) -> Sequence[bytes] | None: ...
    @property
    def peer_certificate_chain(self) -> Sequence[bytes]: ...
    @property
    def verify_code(self) -> int | None: ...
    @property
    def verify_message(self) -> str | None: ...
    @property
    def version(self) -> str: ...
    @property
    def cipher_suite(self) -> int | None: ...


def scope(info: Negotiated) -> dict[str, Any]:
    """What a server puts into `scope["extensions"]["tls"]`."""
    own, peers = info.certificate_chain or (), info.peer_certificate_chain
    error = info.verify_message if peers and info.verify_code else None
    return {
        "server_cert": DER_cert_to_PEM_cert(own[0]) if own else None,
        "client_cert_chain": [DER_cert_to_PEM_cert(der) for der in peers],
        "client_cert_name": Certificate.from_der(peers[0]).rfc4514 if peers else None,
        "client_cert_error": error,
        "tls_version": _NUMBERS.get(info.version),
        "cipher_suite": info.cipher_suite,
    }
