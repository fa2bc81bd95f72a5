"""Trust: finding the certificates of the public authorities, and loading each file only once.

Parsing a bundle of authorities takes milliseconds, and a copy of it in a context nearly a megabyte.
So a trust store made from one file is kept for the process and shared by reference; a context that
adds to it gets a copy first. Trust stores are kept by content, never by name: a rewritten file is
another source, even if its name, size and times are the same.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import OrderedDict
from contextlib import nullcontext

from ._core import files
from ._core.directory import Directory
from ._core.trust import TrustStore, source
from ._core.wiping import wipe
from ._digest import sha256
from ._forks import ForkLock
from ._stdlib.module import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, TypeVar

    from typing_extensions import Buffer

    T = TypeVar("T")
else:
    Protocol = object


_KEPT = 8
_WELL_KNOWN_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",  # Alpine, FreeBSD, macOS
)
_WELL_KNOWN_DIRECTORIES = ("/etc/ssl/certs", "/etc/pki/tls/certs")

_lock = ForkLock()
_stores: OrderedDict[tuple[object, ...], TrustStore] = OrderedDict()
_files: OrderedDict[str, tuple[files.FileState, bytes]] = OrderedDict()  # and their digests
_directories: OrderedDict[str, Directory] = OrderedDict()


# -- the defaults ----------------------------------------------------------------------------------


class HasTrust(Protocol):
    """The part of a context that these functions change: whom it trusts."""

    trust: TrustStore


def default_locations() -> tuple[str | None, str | None]:
    """The file and the directories of the default authorities, or None where there are none.

    SSL_CERT_FILE and SSL_CERT_DIR come first, then the paths of the interpreter's own OpenSSL, then
    those of the distributions: the paths compiled into tlskit's OpenSSL may mean nothing on this
    machine.
    """
    file_variable, usual_file, directory_variable, usual_directory = _usual_places()
    named = {
        name: os.environ[name] for name in (file_variable, directory_variable) if name in os.environ
    }
    file: str | None = named.get(file_variable, usual_file)
    directory: str | None = named.get(directory_variable, usual_directory)
    file = file if file and files.kind_of(file) == "file" else None
    directory = directory if directory and _is_any_directory(directory) else None
    if (
        file is None and directory is None and not named
    ):  # an empty place that the user named means to trust nobody
        file = next((p for p in _WELL_KNOWN_FILES if files.kind_of(p) == "file"), None)
        directory = (
            next((p for p in _WELL_KNOWN_DIRECTORIES if files.kind_of(p) == "directory"), None)
            if file is None
            else None
        )
    return file, directory


def places() -> list[tuple[str, str]]:
    """List the places of the default authorities in search order, each with its origin."""
    file_variable, usual_file, directory_variable, usual_directory = _usual_places()
    own = [("interpreter's file", usual_file), ("interpreter's directory", usual_directory)]
    named = (file_variable, directory_variable)
    found = [(name, os.environ[name]) for name in named if name in os.environ]
    found += [(whose, path) for whose, path in own if path]
    found += [("well known file", path) for path in _WELL_KNOWN_FILES]
    found += [("well known directory", path) for path in _WELL_KNOWN_DIRECTORIES]
    return found


def _usual_places() -> tuple[str, str, str, str]:
    """The variables and the paths of the interpreter's own OpenSSL. The function in `ssl` would
    look at the files too.
    """
    inner = getattr(getattr(ssl, "_ssl", None), "get_default_verify_paths", None)
    if inner is not None:
        return inner()  # type: ignore[no-any-return]
    usual = ssl.get_default_verify_paths()
    return (
        usual.openssl_cafile_env,
        usual.openssl_cafile,
        usual.openssl_capath_env,
        usual.openssl_capath,
    )


def _is_any_directory(paths: str) -> bool:
    """OpenSSL takes a bundle in place of the directory too (it opens it as an OSSL_STORE)."""
    if any(files.kind_of(path) == "directory" for path in paths.split(os.pathsep)):
        return True
    return files.kind_of(paths) == "file"


def load_defaults(context: HasTrust) -> None:
    """Trust the default authorities. Like the stdlib, do nothing if the machine has none."""
    file, directory = default_locations()
    if directory is not None and files.kind_of(directory) == "file":
        _load_default(context, file, None)
        _load_default(context, directory, None)
    else:
        _load_default(context, file, directory)


def _load_default(context: HasTrust, file: str | None, directory: str | None) -> None:
    if file is None and directory is None:
        return
    try:
        _load(context, file, directory, None, share_directory=True)
    except (ssl.SSLError, OSError):  # an empty or vanished file counts as none
        if file is not None:
            _load_default(context, None, directory)


# -- what a program names --------------------------------------------------------------------------


def load(
    context: HasTrust, cafile: str | None, capath: str | None, cadata: str | Buffer | None
) -> None:
    """Trust the certificates in these, either all of them or, after an error, none.

    Args:
        cadata: PEM as text or bytes, or DER as bytes; comments may be in any language.
    """
    if cadata is None:
        data = None
    elif isinstance(cadata, str):
        data = cadata.encode("utf-8", "surrogatepass")
    else:
        try:
            data = bytes(memoryview(cadata))
        except TypeError as error:
            raise TypeError("cadata should be a string or a bytes-like object") from error
    as_pem = isinstance(cadata, str) or (data is not None and b"-----BEGIN " in data)
    _load(context, cafile, capath, None if data is None else (data, as_pem))


def load_windows(context: HasTrust, names: tuple[str, ...], purpose: str) -> None:
    """Trust the authorities of the Windows certificate stores that are trusted for `purpose`, an
    OID.
    """
    if sys.platform != "win32":
        return
    more = TrustStore()
    for name in names:
        for certificate, encoding, trust in ssl.enum_certificates(name):
            if encoding == "x509_asn" and (trust is True or purpose in trust):
                try:
                    more.add_data(certificate, pem=False)
                except ssl.SSLError as error:  # one bad certificate must not take all trust away
                    what = f"bad certificate in the Windows certificate store {name}: {error}"
                    warnings.warn(what, stacklevel=2)
    context.trust = context.trust.joined(more)


def _load(
    context: HasTrust,
    cafile: str | None,
    capath: str | None,
    cadata: tuple[bytes, bool] | None,
    *,
    share_directory: bool = False,
) -> None:
    # Certificates from a directory appear in a trust store only once they have been used. So only
    # the machine's own directories may be in a shared trust store.
    if context.trust.empty and cadata is None and (share_directory or capath is None):
        context.trust = _shared(cafile, capath)
        return
    with nullcontext() if cafile is None else files.opened(cafile) as pem:
        directories = _directories_of(capath)
        if _all_there(context.trust, pem, directories, cadata):
            return
        more = _filled(pem, directories)
    if cadata is not None:
        more.add_data(cadata[0], pem=cadata[1])
    context.trust = context.trust.joined(more)


def _all_there(
    store: TrustStore,
    pem: bytearray | None,
    directories: tuple[Directory, ...],
    cadata: tuple[bytes, bool] | None,
) -> bool:
    """Whether the context already has these authorities. Some libraries load the same ones again
    for every connection.
    """
    if pem is not None and not store.holds(source("pem", pem)):
        return False
    there = {(d.path, d.digest) for d in store.directories}
    if any((d.path, d.digest) not in there for d in directories):
        return False
    return cadata is None or store.holds(source("PEM" if cadata[1] else "DER", cadata[0]))


def _filled(pem: bytearray | None, directories: tuple[Directory, ...]) -> TrustStore:
    store = TrustStore()
    if pem is not None:
        store.add_pem(pem)
    for directory in directories:
        store.add_directory(directory)
    return store


# -- kept for the process --------------------------------------------------------------------------


def _shared(cafile: str | None, capath: str | None) -> TrustStore:
    """Return the shared trust store for this file's content and these directories."""
    digest, pem = (b"", None) if cafile is None else _content(cafile)
    try:
        directories = _directories_of(capath)
        key = (cafile is None, digest, *((d.path, d.digest) for d in directories))
        with _lock:
            store = _stores.get(key)
            if store is not None:
                _stores.move_to_end(key)
                return store
        if cafile is not None and pem is None:
            pem = files.read(cafile)
            if sha256(pem).digest() != digest:  # rewritten at this very moment
                return _filled(pem, directories)
        store = _filled(pem, directories)
    finally:
        wipe(pem)
    _ = store.identity  # which makes it immutable
    return _keep(_stores, key, store)


def _content(path: str) -> tuple[bytes, bytearray | None]:
    """Return a digest of a file's content, and the content itself unless the file is known not to
    have changed.
    """
    state, tells = files.look(path)
    with _lock:
        before = _files.get(path)
    if before is not None and before[0] == state:
        return before[1], None
    content = files.read(path)
    digest = sha256(content).digest()
    if tells:
        _keep(_files, path, (state, digest), replace=True)
    return digest, content


def _directories_of(paths: str | None) -> tuple[Directory, ...]:
    if paths is None:
        return ()
    one_by_one = dict.fromkeys(filter(None, paths.split(os.pathsep)))
    return tuple(map(_directory, one_by_one or [""]))


def _directory(path: str) -> Directory:
    with _lock:
        known = _directories.get(path)
    if known is not None and not known.has_changed():
        return known
    return _keep(_directories, path, Directory(path), replace=True)


def _keep(into: OrderedDict[Any, T], key: object, value: T, *, replace: bool = False) -> T:
    """Cache a value among the last few. If another thread has cached one meanwhile, return that."""
    with _lock:
        if replace:
            into[key] = value
        else:
            value = into.setdefault(key, value)
        into.move_to_end(key)
        while len(into) > _KEPT:
            into.popitem(last=False)
    return value
