"""What a peer wants of this side's certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sessions.registry import SIGNATURE_ALGORITHMS, name_of

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .._frozen import dataclass

Name = tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True)
class CertificateRequest:
    """What a server asks its client for; on a server, what the client says that it can verify.

    Attributes:
        server_side: whether this side is the server.
        server_name: the name that the client asks for (SNI); None: none.
        authorities: the authorities from which the peer accepts certificates, each as
            `getpeercert()` shows an issuer; empty when it names none.
        signature_algorithms: what the peer can verify, as IANA's numbers, its preferred first.
        certificate_types: up to TLS 1.2, what kinds of keys the server accepts, as IANA's numbers
            of ClientCertificateTypes.
    """

    server_side: bool
    server_name: str | None
    authorities: tuple[Name, ...]
    signature_algorithms: tuple[int, ...]
    certificate_types: tuple[int, ...]

    @property
    def signature_algorithm_names(self) -> tuple[str, ...]:
        """`signature_algorithms` by name, "ecdsa_secp256r1_sha256" for one."""
        return tuple(name_of(code, SIGNATURE_ALGORITHMS) for code in self.signature_algorithms)
