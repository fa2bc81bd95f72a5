"""A peer's request for this side's certificate."""

from __future__ import annotations

from ..sessions.registry import SIGNATURE_ALGORITHMS, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .._frozen import dataclass

Name = tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True)
class CertificateRequest:
    """A server's request to its client; on a server, what the client says it can verify.

    Attributes:
        server_side: whether this side is the server.
        server_name: the server name that the client requests (SNI), or None.
        authorities: the authorities whose certificates the peer accepts, each in the format of a
            `getpeercert()` issuer; empty if it names none.
        signature_algorithms: what the peer can verify, as IANA's numbers, in order of preference.
        certificate_types: up to TLS 1.2, the types of keys that the server accepts, as IANA's
            numbers of ClientCertificateTypes.
    """

    server_side: bool
    server_name: str | None
    authorities: tuple[Name, ...]
    signature_algorithms: tuple[int, ...]
    certificate_types: tuple[int, ...]

    @property
    def signature_algorithm_names(self) -> tuple[str, ...]:
        """`signature_algorithms` by name, such as "ecdsa_secp256r1_sha256"."""
        return tuple(name_of(code, SIGNATURE_ALGORITHMS) for code in self.signature_algorithms)
