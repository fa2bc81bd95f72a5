"""A certificate with its key, parsed once, for any number of contexts and handshakes."""

from __future__ import annotations

from typing import Any

from .._core.credential import Credential
from .._core.paths import without_values
from .credentials import read_checked


class CertifiedKey:
    """A certificate, its chain and its private key: parsed and checked once, then used by any
    number of contexts and connections.

        shown = CertifiedKey("client.pem", "client.key")
        context.add_certificate(shown)

    Args:
        certificate, key, chain, password: as in `SSLContext.add_certificate`.

    Raises:
        OSError, SSLError, ValueError, TypeError: as `SSLContext.add_certificate`.

    Immutable, and safe from any thread. The key cannot be read from it.
    """

    __slots__ = ("_credential",)

    @without_values
    def __init__(
        self, certificate: Any, key: Any = None, chain: Any = (), *, password: Any = None
    ) -> None:
        self._credential = read_checked(certificate, key, chain, password)

    @property
    def certificate_chain(self) -> tuple[bytes, ...]:
        """The certificate and its chain in DER."""
        return tuple(one.der for one in self._credential.certificates())

    @property
    def key_type(self) -> str:
        """OpenSSL's name of the type of key, such as "EC"."""
        return self._credential.kind

    def __repr__(self) -> str:
        leaf = self._credential.certificates()[0]
        return f"<CertifiedKey: {self.key_type}, {leaf!r}>"


def as_credentials(answer: Any) -> tuple[Credential, ...] | None:
    """Convert a certificate_callback's return value; None means the context's own certificates."""
    if answer is None:
        return None
    several = isinstance(answer, list)
    found = []
    for one in answer if several else (answer,):
        if isinstance(one, tuple):
            one = CertifiedKey(*one)
        if not isinstance(one, CertifiedKey):
            raise TypeError(
                f"certificate_callback must return a CertifiedKey, a tuple of a certificate and a "
                f"key, a list of these, or None, got {type(one).__name__}"
            )
        found.append(one._credential)
    return tuple(found)
