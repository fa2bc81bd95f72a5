"""Whom to trust: where the certificates of the public authorities are, and loading each file only
once.

Parsing a bundle of authorities takes milliseconds, and a context with its own copy nearly a
megabyte. So a store made from one file is kept for the process and shared by reference; a context
that adds to it gets a copy first.
"""

from __future__ import annotations

import os
import ssl
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from ._core.context import Context
from ._core.trust import TrustStore

if TYPE_CHECKING:
    from typing_extensions import Buffer

_KEPT = 8
_WELL_KNOWN_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",  # Alpine, FreeBSD, macOS
)
_WELL_KNOWN_DIRECTORIES = ("/etc/ssl/certs", "/etc/pki/tls/certs")

_lock = threading.Lock()
_stores: OrderedDict[tuple[object, ...], TrustStore] = OrderedDict()


def default_locations() -> tuple[str | None, str | None]:
    """The file and the directories of the default authorities, or None where there are none.

    SSL_CERT_FILE and SSL_CERT_DIR come first, then the paths of the interpreter's own OpenSSL, then
    those of the distributions: the paths compiled into tlskit's OpenSSL may mean nothing on this
    machine.
    """
    usual = ssl.get_default_verify_paths()
    named = {
        name: os.environ[name]
        for name in (usual.openssl_cafile_env, usual.openssl_capath_env)
        if name in os.environ
    }
    file = _if_there(named.get(usual.openssl_cafile_env, usual.openssl_cafile), os.path.isfile)
    directory = _if_there(named.get(usual.openssl_capath_env, usual.openssl_capath), _any_directory)
    if (
        file is None and directory is None and not named
    ):  # whoever names a place that is empty means nobody
        file = next(filter(os.path.isfile, _WELL_KNOWN_FILES), None)
        directory = (
            next(filter(os.path.isdir, _WELL_KNOWN_DIRECTORIES), None) if file is None else None
        )
    return file, directory


def places() -> list[tuple[str, str]]:
    """Where the default authorities are looked for, in order: whose place it is, and its path."""
    usual = ssl.get_default_verify_paths()
    named = [usual.openssl_cafile_env, usual.openssl_capath_env]
    own = [("interpreter's file", usual.openssl_cafile)]
    own += [("interpreter's directory", usual.openssl_capath)]
    found = [(name, os.environ[name]) for name in named if name in os.environ]
    found += [(whose, path) for whose, path in own if path]
    found += [("well known file", path) for path in _WELL_KNOWN_FILES]
    found += [("well known directory", path) for path in _WELL_KNOWN_DIRECTORIES]
    return found


def _if_there(path: str | None, exists: Callable[[str], bool]) -> str | None:
    try:
        return path if path and exists(path) else None
    except ValueError:  # a null character in it
        return None


def _any_directory(paths: str) -> bool:
    return any(map(os.path.isdir, paths.split(os.pathsep)))


def load_defaults(context: Context) -> None:
    """Trust the default authorities; silently none where the machine has none, as the stdlib
    does.
    """
    file, directory = default_locations()
    if file is None and directory is None:
        return
    try:
        _load(context, file, directory, None, share_directory=True)
    except ssl.SSLError:  # a default file without a single certificate is as good as none
        _load(context, None, directory, None, share_directory=True)


def load(
    context: Context, cafile: str | None, capath: str | None, cadata: str | Buffer | None
) -> None:
    """Trust what these hold, all or none of it."""
    if isinstance(cadata, str):
        try:
            cadata.encode("ascii")
        except UnicodeEncodeError as error:
            raise TypeError("cadata should be an ASCII string or a bytes-like object") from error
        data: str | bytes | None = cadata
    else:
        try:
            data = None if cadata is None else bytes(memoryview(cadata))
        except TypeError as error:
            raise TypeError("cadata should be an ASCII string or a bytes-like object") from error
    _load(context, cafile, capath, data)


def load_windows(context: Context, names: tuple[str, ...], purpose: str) -> None:
    """Trust the authorities of the Windows certificate stores that are trusted for `purpose`, an
    OID.
    """
    if sys.platform != "win32":
        return
    store = context.trust.copy()
    for name in names:
        for certificate, encoding, trust in ssl.enum_certificates(name):
            if encoding == "x509_asn" and (trust is True or purpose in trust):
                store.add_data(certificate)
    context.trust = store


def _load(
    context: Context,
    cafile: str | None,
    capath: str | None,
    cadata: str | bytes | None,
    *,
    share_directory: bool = False,
) -> None:
    # What a directory holds shows in a store once it was used: only the machine's own may show the
    # same to everybody.
    if not context.trust.identity and cadata is None and (share_directory or capath is None):
        context.trust = _shared(cafile, capath)
        return
    pem = None if cafile is None else _content(cafile)
    if not _all_there(context.trust, pem, capath, cadata):
        store = context.trust.copy()
        _fill(store, pem, capath)
        if cadata is not None:
            store.add_data(cadata)
        context.trust = store


def _all_there(
    store: TrustStore, pem: bytes | None, capath: str | None, cadata: str | bytes | None
) -> bool:
    """Some libraries load the same authorities into a context again for every connection."""
    if pem is not None and not store.holds("pem", pem):
        return False
    if capath is not None and not store.holds("dir", capath.encode("utf-8", "surrogateescape")):
        return False
    if cadata is None:
        return True
    return (
        store.holds("PEM", cadata.encode())
        if isinstance(cadata, str)
        else store.holds("DER", cadata)
    )


def _content(path: str) -> bytes:
    with open(path, "rb") as f:
        return f.read()


def _fill(store: TrustStore, pem: bytes | None, capath: str | None) -> None:
    if pem is not None:
        store.add_pem(pem)
    if capath is not None:
        store.add_directory(capath)


def _state(path: str) -> tuple[object, ...]:
    """What changes when the file does, or what a directory holds."""
    s = os.stat(path)
    return os.path.abspath(path), s.st_dev, s.st_ino, s.st_mtime_ns, s.st_ctime_ns, s.st_size


def _shared(cafile: str | None, capath: str | None) -> TrustStore:
    """The one store for this file, as it is now, and this directory."""
    key: tuple[object, ...] = (cafile is None, capath)
    for path in [cafile] if cafile is not None else []:
        key += _state(path)
    for path in capath.split(os.pathsep) if capath is not None else []:
        key += _state(path) if os.path.isdir(path) else (path,)
    with _lock:
        store = _stores.get(key)
        if store is None:
            store = TrustStore()
            _fill(store, None if cafile is None else _content(cafile), capath)
            _stores[key] = store
            while len(_stores) > _KEPT:
                _stores.popitem(last=False)
        else:
            _stores.move_to_end(key)
    return store


if hasattr(
    os, "register_at_fork"
):  # a child must not inherit the lock in the hands of a thread that it lacks
    os.register_at_fork(
        before=_lock.acquire, after_in_child=_lock.release, after_in_parent=_lock.release
    )
