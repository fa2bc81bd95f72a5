"""The session id context of an nginx, which a server must share with it beside the ticket keys."""

from __future__ import annotations

from hashlib import sha1
from typing import Any

from .._core import files
from .._core.certificate import Certificate
from .._core.paths import named_path
from .._shown import shown

_MODULES = {"http": b"HTTP", "stream": b"STREAM", "mail": b"MAIL"}


def nginx_id_context(*certificates: Any, module: str = "http") -> bytes:
    """Return the session id context of an nginx with these certificates, for
    `ctx.sessions.id_context`.

    OpenSSL resumes a session only under the id context that it was made with. A server that shares
    ticket keys with an nginx (`TicketKeyring.from_files`) therefore needs nginx's: then each
    resumes the other's sessions. It holds for an nginx that asks its clients for no certificates.

    Args:
        certificates: paths of the files that `ssl_certificate` names, in nginx's order; or PEM as
            bytes. The first certificate of each counts.
        module: "http", "stream" or "mail": which nginx module serves.

    Raises:
        OSError: a file cannot be read.
        SSLError: a file does not contain a certificate.
        ValueError: no certificate was given, or `module` is not one of these.
    """
    if module not in _MODULES:
        raise ValueError(f"module must be one of {', '.join(_MODULES)}, got {shown(module)}")
    if not certificates:
        raise ValueError("nginx_id_context() needs the certificates of nginx")
    digest = sha1(_MODULES[module], usedforsecurity=False)
    for given in reversed(certificates):  # nginx begins with the one that it loaded last
        der = _certificate(given).der
        digest.update(sha1(der, usedforsecurity=False).digest())
    return digest.digest()


def _certificate(given: Any) -> Certificate:
    if isinstance(given, bytes) and b"-----BEGIN" in given:
        return Certificate.from_pem(given)
    with files.opened(named_path("certificate", given)) as pem:
        return Certificate.from_pem(pem)
