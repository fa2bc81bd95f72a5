"""TrustStore: the owner of an X509_STORE, shared by contexts and never changed once it is."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from .fault import from_queue, plain_error
from .native import ffi, lib, listed, owned


class TrustStore:
    """Certificate authorities and CRLs. Whoever made it loads into it before a context has it;
    after that, into a copy.

    Attributes:
        identity: a digest of all that was loaded, in order: two stores with one identity trust the
            same.
        directories: hashed directories that are searched when a certificate is looked for.
    """

    __slots__ = ("_store", "_there", "directories", "identity")

    def __init__(self, store: Any = None) -> None:
        self._store = owned(lib.tk_trust_new() if store is None else store, lib.tk_trust_free)
        self.identity = b""
        self._there: frozenset[bytes] = frozenset()  # what was loaded, each as a digest
        self.directories: tuple[str, ...] = ()

    def copy(self) -> TrustStore:
        """One's own: the certificates by reference, the directories again."""
        fault = ffi.new("tk_fault *")
        store = lib.tk_trust_copy(self._store, fault)
        if store == ffi.NULL:
            raise from_queue(fault)
        copy = TrustStore(store)
        copy.identity, copy._there = self.identity, self._there
        for path in self.directories:
            copy._directory(path)
        return copy

    def add_pem(self, pem: bytes, *, crls: bool = True) -> int:
        """Load PEM certificates (and CRLs): how many; SSLError when there are none, or one cannot
        be read.
        """
        fault = ffi.new("tk_fault *")
        what = lib.TK_LOAD_CERTIFICATES | (lib.TK_LOAD_CRLS if crls else 0)
        count: int = lib.tk_trust_add_pem(self._store, pem, len(pem), what, fault)
        if count <= 0:
            raise from_queue(fault)
        self._loaded(b"pem", pem)
        return count

    def add_data(self, data: str | bytes) -> None:
        """Load what `load_verify_locations(cadata=)` takes: PEM when it is text, certificates in
        DER when it is bytes.
        """
        form, raw = ("PEM", data.encode("ascii")) if isinstance(data, str) else ("DER", data)
        if not raw:
            raise ValueError("Empty certificate data")
        fault = ffi.new("tk_fault *")
        if form == "PEM":
            count = lib.tk_trust_add_pem(
                self._store, raw, len(raw), lib.TK_LOAD_CERTIFICATES, fault
            )
        else:
            count = lib.tk_trust_add_der(self._store, raw, len(raw), fault)
        if count == 0:
            words = {"PEM": "no start line", "DER": "not enough data"}[form]
            raise plain_error(f"{words}: cadata does not contain a certificate") from from_queue(
                fault
            )
        if count < 0:
            raise from_queue(fault)
        self._loaded(form.encode(), raw)

    def add_directory(self, path: str) -> None:
        """Search the hashed directory `path` from now on. Corresponds to
        X509_STORE_load_path(3).
        """
        self._directory(path)
        self._loaded(b"dir", path.encode("utf-8", "surrogateescape"))

    def count(self) -> dict[str, int]:
        """How many there are, as `cert_store_stats()` says it."""
        x509, crl, ca = ffi.new("int32_t *"), ffi.new("int32_t *"), ffi.new("int32_t *")
        lib.tk_trust_count(self._store, x509, crl, ca)
        return {"x509": x509[0], "crl": crl[0], "x509_ca": ca[0]}

    def authorities(self) -> list[bytes]:
        """The CA certificates in DER."""
        return [der for _, der in listed(lambda out: lib.tk_trust_authorities(self._store, out))]

    def _directory(self, path: str) -> None:
        fault = ffi.new("tk_fault *")
        if (
            lib.tk_trust_add_directory(self._store, path.encode("utf-8", "surrogateescape"), fault)
            < 0
        ):
            raise from_queue(fault)
        self.directories += (path,)

    def holds(self, kind: str, content: bytes) -> bool:
        """Whether just this has been loaded: "pem" or "dir" (its path), or the form of `add_data`,
        "PEM" or "DER".
        """
        return sha256(kind.encode() + sha256(content).digest()).digest() in self._there

    def _loaded(self, kind: bytes, content: bytes) -> None:
        """What is loaded again, as some libraries do for every connection, does not make it another
        store.
        """
        one = sha256(kind + sha256(content).digest()).digest()
        if one not in self._there:
            self._there |= {one}
            self.identity = sha256(self.identity + one).digest()
