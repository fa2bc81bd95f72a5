"""TrustStore: whom to trust, as a value that contexts share."""

from __future__ import annotations

from importlib import import_module

from . import _trust
from ._core import trust as core
from ._core.files import kind_of
from ._core.paths import named_path, without_values
from ._lazy import LateName
from ._stdlib.module import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")


class _Holder:
    """A minimal context, to load trust into."""

    __slots__ = ("trust",)

    def __init__(self, trust: core.TrustStore = core.NOBODY) -> None:
        self.trust = trust


class TrustStore:
    """Certificate authorities and revocation lists. Immutable; any number of contexts and threads
    share one, and it is parsed once.

        store = TrustStore.system() | TrustStore("our-root.pem")
        context.trust_store = store

    Args:
        sources: each a path of a file (PEM certificates and CRLs) or of a hashed directory, or PEM
            text, or PEM or DER bytes, or a certificate of `cryptography`.

    Raises:
        OSError: a file cannot be read.
        SSLError: a source has no certificate, or one that cannot be parsed.
        TypeError: a source has another type.

    Two stores are equal if they trust the same certificates, however these were loaded.
    """

    __slots__ = ("_content",)

    @without_values
    def __init__(self, *sources: Any) -> None:
        holder = _Holder()
        for source in sources:
            _load(holder, source)
        _ = holder.trust.identity  # it never changes from now on
        self._content = holder.trust

    @classmethod
    def system(cls) -> TrustStore:
        """Return the machine's authorities, as `load_default_certs()` finds them."""
        holder = _Holder()
        for name in ("CA", "ROOT"):
            _trust.load_windows(holder, (name,), ssl.Purpose.SERVER_AUTH.oid)
        _trust.load_defaults(holder)
        return cls._of(holder.trust)

    @classmethod
    def certifi(cls) -> TrustStore:
        """Return Mozilla's authorities, as the package certifi has them.

        Raises:
            ImportError: certifi is not installed.
        """
        return cls(import_module("certifi").where())

    @classmethod
    def _of(cls, store: core.TrustStore) -> TrustStore:
        self = cls.__new__(cls)
        _ = store.identity
        self._content = store
        return self

    def __or__(self, other: TrustStore) -> TrustStore:
        """Return a store that trusts what both do."""
        if not isinstance(other, TrustStore):
            return NotImplemented
        return self._of(self._content.joined(other._content))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TrustStore) and self._content.identity == other._content.identity

    def __hash__(self) -> int:
        return hash(self._content.identity)

    def __len__(self) -> int:
        """The number of certificates, not counting those in directories."""
        return self._content.count()["x509"]

    def __repr__(self) -> str:
        counts = self._content.count()
        places = "".join(f", {d.path}" for d in self._content.directories)
        return f"<TrustStore: {counts['x509']} certificates, {counts['crl']} CRLs{places}>"

    def authorities(self) -> list[bytes]:
        """Return the CA certificates in DER, without those in directories."""
        return self._content.authorities()


def _load(holder: _Holder, source: Any) -> None:
    converted = getattr(source, "to_cryptography", None)  # pyOpenSSL's
    if converted is not None:
        source = converted()
    if hasattr(source, "public_bytes") and not isinstance(source, bytes):
        from cryptography.hazmat.primitives.serialization import Encoding

        source = source.public_bytes(Encoding.DER)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _trust.load(holder, None, None, source)
    if isinstance(source, str) and "-----BEGIN" in source:
        return _trust.load(holder, None, None, source)
    path = named_path("source", source, wanted="PEM, or the path of a file or a directory")
    if kind_of(path) == "directory":
        return _trust.load(holder, None, path, None)
    return _trust.load(holder, path, None, None)
