"""The owner of an X509_STORE, shared by contexts and never changed once it is shared."""

from __future__ import annotations

from contextlib import suppress
from weakref import ref

from .._digest import sha256
from ..errors import SSLError
from .certificate import dated
from .directory import Bundle, Directory
from .fault import from_queue, plain_error
from .native import ffi, lib, listed, owned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_REMEMBERED = 64  # digests of the latest sources, to notice when one is loaded again
_REPLACED_MOST = 16  # replaced CRLs, before a store is rebuilt without them


class TrustStore:
    """Certificate authorities and CRLs, and the directories that are searched for more.

    Certificates may be added until `identity` is read: from then on other code relies on it.

    Attributes:
        directories: hashed directories, in the order in which they are searched.
    """

    __slots__ = (
        "__weakref__", "_base", "_bundle", "_identity", "_loaded", "_next", "_replaced",
        "_searching", "directories", "empty",
    )  # fmt: skip

    def __init__(self) -> None:
        self._base = owned(lib.tk_trust_new(), lib.tk_trust_free)  # certificates that were loaded
        self._bundle: Bundle | None = None  # those that are parsed when needed; then no others are
        self._searching: Any = None  # those, and the ones found in the bundle and the directories
        self._identity: bytes | None = None
        self._loaded: dict[bytes, None] = {}  # digests of the latest sources
        self._replaced = 0
        self._next: ref[TrustStore] | None = None
        self.directories: tuple[Directory, ...] = ()
        self.empty: bool = True

    @property
    def identity(self) -> bytes:
        """A digest of the content: stores with the same identity trust the same. Reading it settles
        the store.
        """
        if self._identity is None:
            own = _digest(self._base) if self._bundle is None else self._bundle.digest
            parts = [own, *(d.digest for d in self.directories)]
            self._identity = sha256(b"".join(parts)).digest()
        return self._identity

    @property
    def _store(self) -> Any:
        """Return the X509_STORE for connections."""
        bundle = self._bundle
        if not self.directories and bundle is None:
            return self._base
        if self._searching is None:
            made = owned(lib.tk_trust_new(), lib.tk_trust_free)
            _merge(made, self._base)
            fault = ffi.new("tk_fault *")
            for one in (*(() if bundle is None else (bundle,)), *self.directories):
                if lib.tk_trust_add_directory(made, one._content, fault) < 0:
                    raise from_queue(fault)
            self._searching = made
        return self._searching

    def _complete(self, store: Any) -> Any:
        """Parse what is left of a bundle into an X509_STORE, and return the latter."""
        bundle = self._bundle
        if bundle is not None:
            fault = ffi.new("tk_fault *")
            if lib.tk_trust_complete(store, bundle._content, fault) < 0:
                raise from_queue(fault)
        return store

    def _loaded_ones(self) -> Any:
        """Return an X509_STORE of all the certificates that were loaded."""
        if self._bundle is None:
            return self._base
        return self._complete(owned(lib.tk_trust_new(), lib.tk_trust_free))

    def _parse_all(self) -> None:
        """Parse a bundle, because certificates from elsewhere are about to be added: a handshake
        would not search in it for a name that is among those.
        """
        self._base, self._bundle, self._searching = self._loaded_ones(), None, None

    # -- made from another store -------------------------------------------------------------------

    def joined(self, more: TrustStore) -> TrustStore:
        """Return a store that trusts what both do: this one itself, unless other code relies on it.

        Raises:
            SSLError: a directory cannot be searched. Nothing has changed then.
        """
        _ = more._store  # raises for its directories before anything changes
        to = self
        if self._identity is not None or self._replaced > _REPLACED_MOST:
            to = self._copy()
        if to.empty and not to.directories and more._bundle is not None:
            to._bundle = more._bundle
        else:
            to._parse_all()
            to._replaced = _merge(to._base, more._loaded_ones())
        known = {d.path for d in to.directories}
        to.directories += tuple(d for d in more.directories if d.path not in known)
        to._searching = None
        to.empty = to.empty and more.empty
        for source in more._loaded:
            to._remember(source)
        return to

    def current(self) -> TrustStore:
        """Return this store, or one with the directories' current content. Sharers get the same."""
        if not any(d.has_changed() for d in self.directories):
            return self
        after = None if self._next is None else self._next()
        if after is not None and not any(d.has_changed() for d in after.directories):
            return after
        fresh = self._copy()
        fresh.directories = tuple(
            Directory(d.path) if d.has_changed() else d for d in self.directories
        )
        self._next = ref(fresh)
        return fresh

    def _copy(self) -> TrustStore:
        """Return a separate copy: the certificates by reference, the directories as they were."""
        copy = TrustStore()
        _merge(copy._base, self._base)
        copy._loaded, copy.empty = dict(self._loaded), self.empty
        copy._bundle, copy.directories = self._bundle, self.directories
        return copy

    # -- loading -----------------------------------------------------------------------------------

    def add_pem(self, pem: bytes | bytearray) -> None:
        """Load PEM certificates and CRLs; raise SSLError if there are none, or one cannot be
        parsed.
        """
        if self.empty and (bundle := Bundle.of(pem)) is not None:
            self._bundle = bundle
        else:
            fault = ffi.new("tk_fault *")
            self._parse_all()
            if lib.tk_trust_add_pem(self._base, ffi.from_buffer(pem), len(pem), fault) <= 0:
                raise _explained(fault)
        self._add(source("pem", pem))

    def add_data(self, data: bytes, *, pem: bool) -> None:
        """Load the data of `load_verify_locations(cadata=)`: PEM, or concatenated DER."""
        if not data:
            raise ValueError("Empty certificate data")
        fault = ffi.new("tk_fault *")
        self._parse_all()
        load = lib.tk_trust_add_pem if pem else lib.tk_trust_add_der
        count = load(self._base, data, len(data), fault)
        nothing = _explained(fault) if count <= 0 else None
        if count == 0:
            words = "no start line" if pem else "not enough data"
            raise plain_error(f"{words}: cadata does not contain a certificate") from nothing
        if nothing is not None:
            raise nothing
        self._add(source("PEM" if pem else "DER", data))

    def add_directory(self, directory: Directory) -> None:
        """Search a hashed directory from now on."""
        self.directories += (directory,)
        self._searching = None
        self._add(source("dir", directory.digest))

    def holds(self, one: bytes) -> bool:
        """Return whether a `source` was loaded recently."""
        return one in self._loaded

    def _add(self, one: bytes) -> None:
        self.empty = False
        self._remember(one)

    def _remember(self, one: bytes) -> None:
        self._loaded.pop(one, None)
        self._loaded[one] = None
        while len(self._loaded) > _REMEMBERED:
            del self._loaded[next(iter(self._loaded))]

    # -- queries -----------------------------------------------------------------------------------

    def count(self) -> dict[str, int]:
        """Return the counts of `cert_store_stats()`."""
        x509, crl, ca = ffi.new("int32_t *"), ffi.new("int32_t *"), ffi.new("int32_t *")
        lib.tk_trust_count(self._complete(self._store), x509, crl, ca)
        return {"x509": x509[0], "crl": crl[0], "x509_ca": ca[0]}

    def stale_list(self) -> dict[str, Any] | None:
        """Return the issuer and the dates, as in `Certificate.fields`, of the first CRL whose dates
        do not allow its use now; None if all are in force.
        """
        return dated(list(listed(lambda out: lib.tk_trust_stale_crl(self._store, out))))

    def authorities(self) -> list[bytes]:
        """Return the CA certificates in DER."""
        store = self._complete(self._store)
        return [der for _, der in listed(lambda out: lib.tk_trust_authorities(store, out))]


def _explained(fault: Any) -> SSLError:
    from .diagnosis import explain_loading

    return explain_loading(from_queue(fault), fault)


def source(kind: str, content: bytes | bytearray) -> bytes:
    """Return a digest of a source: "pem", "PEM" or "DER", or "dir" and its digest."""
    return sha256(kind.encode() + sha256(content).digest()).digest()


def _merge(to: Any, of: Any) -> int:
    """Add one store's objects to another, and return how many CRLs there have been replaced
    so far.
    """
    fault = ffi.new("tk_fault *")
    replaced: int = lib.tk_trust_merge(to, of, fault)
    if replaced < 0:
        raise from_queue(fault)
    return replaced


def _digest(store: Any) -> bytes:
    into = ffi.new("uint8_t[32]")
    if not lib.tk_trust_digest(store, into):
        raise plain_error("OpenSSL could not hash the certificates of a trust store.")
    return bytes(ffi.buffer(into))


def _distrusted() -> bytes:
    into = ffi.new("uint8_t[32]")
    lib.tk_distrust_digest(into)
    return bytes(ffi.buffer(into))


#: Stands for the list of keys that no chain may contain: a part of every verification policy.
DISTRUSTED = _distrusted()

#: Shared, like the store of every context, and settled.
NOBODY = TrustStore()
with suppress(SSLError):  # without SHA-256; then no context can be made either, which says why
    _ = NOBODY.identity
