"""The functions of the `ssl` module, which here use tlskit's context."""

from __future__ import annotations

import os
import socket as sockets
import sys
import warnings
from ssl import DER_cert_to_PEM_cert

from ._context import SSLContext
from ._core.library import signature_algorithms
from ._core.paths import without_values
from ._lazy import LateName, late_names
from ._shown import shown
from ._stdlib.defaults import flags_of_default_context
from ._stdlib.module import ssl
from .enums import VerifyMode, _SSLMethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from typing import Any

    from typing_extensions import Buffer

    from ._connection.socket import SSLSocket
else:
    socket = LateName("socket", "socket")
    SSLSocket = LateName("tlskit", "SSLSocket")
    Any, Buffer = late_names("tlskit._annotations", "Any Buffer")

Purpose = ssl.Purpose


@without_values
def create_default_context(
    purpose: Any = Purpose.SERVER_AUTH,
    *,
    cafile: Any = None,
    capath: Any = None,
    cadata: str | Buffer | None = None,
) -> SSLContext:
    """Return a context with the same secure settings as the running Python's own.

    Args:
        purpose: SERVER_AUTH for clients (certificate and host name are verified), CLIENT_AUTH for
            servers.
        cafile, capath, cadata: whom to trust, as in `load_verify_locations`; by default the
            machine's authorities.
    """
    context = SSLContext(_protocol_for(purpose))
    context.verify_flags |= flags_of_default_context()
    _trust_and_log(context, purpose, cafile, capath, cadata)
    return context


@without_values
def _create_unverified_context(
    protocol: int | None = None,
    *,
    cert_reqs: int | None = VerifyMode.CERT_NONE,
    check_hostname: bool = False,
    purpose: Any = Purpose.SERVER_AUTH,
    certfile: Any = None,
    keyfile: Any = None,
    cafile: Any = None,
    capath: Any = None,
    cadata: str | Buffer | None = None,
) -> SSLContext:
    """Return a context that by default verifies nothing, as the stdlib's modules use it."""
    default = _protocol_for(purpose)
    context = SSLContext(default if protocol is None else protocol)
    context.check_hostname = check_hostname
    if cert_reqs is not None:
        context.verify_mode = cert_reqs
    if check_hostname:
        context.check_hostname = True
    if keyfile and not certfile:
        raise ValueError("certfile must be specified")
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    _trust_and_log(context, purpose, cafile, capath, cadata)
    return context


def get_server_certificate(
    addr: tuple[str, int],
    ssl_version: int = _SSLMethod.PROTOCOL_TLS_CLIENT,
    ca_certs: Any = None,
    timeout: Any = ...,
) -> str:
    """Return the certificate of the server at `addr` in PEM, verified only if `ca_certs` is
    given.
    """
    mode = VerifyMode.CERT_NONE if ca_certs is None else VerifyMode.CERT_REQUIRED
    context = _create_stdlib_context(ssl_version, cert_reqs=mode, cafile=ca_certs)
    how_long = {} if timeout is ... else {"timeout": timeout}
    with (
        sockets.create_connection(addr, **how_long) as plain,
        context.wrap_socket(plain, server_hostname=addr[0]) as wrapped,
    ):
        der = wrapped.getpeercert(True)
    if der is None:
        raise ssl.SSLError(1, "the server sent no certificate")
    return DER_cert_to_PEM_cert(der)


def get_sigalgs() -> list[str]:
    """Return the names of the signature algorithms that OpenSSL knows. Corresponds to
    SSL_get1_builtin_sigalgs(3).

    Raises:
        NotImplementedError: OpenSSL is older than 3.4.
    """
    return signature_algorithms()


def wrap_socket(
    sock: socket,
    keyfile: Any = None,
    certfile: Any = None,
    server_side: bool = False,
    cert_reqs: int = VerifyMode.CERT_NONE,
    ssl_version: int = _SSLMethod.PROTOCOL_TLS,
    ca_certs: Any = None,
    do_handshake_on_connect: bool = True,
    suppress_ragged_eofs: bool = True,
    ciphers: str | None = None,
) -> SSLSocket:
    """Wrap a socket in TLS, by default without verifying anything. Python has this function up to
    3.11.

    Deprecated: use `SSLContext.wrap_socket`.
    """
    warnings.warn(
        "ssl.wrap_socket() is deprecated, use SSLContext.wrap_socket()",
        category=DeprecationWarning,
        stacklevel=2,
    )
    if server_side and not certfile:
        raise ValueError("certfile must be specified for server-side operations")
    if keyfile and not certfile:
        raise ValueError("certfile must be specified")
    context = SSLContext(ssl_version)
    context.verify_mode = cert_reqs
    if ca_certs:
        context.load_verify_locations(ca_certs)
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    if ciphers:
        context.set_ciphers(ciphers)
    return context.wrap_socket(sock, server_side, do_handshake_on_connect, suppress_ragged_eofs)


_create_default_https_context = create_default_context
_create_stdlib_context = _create_unverified_context


def _protocol_for(purpose: Any) -> _SSLMethod:
    if not isinstance(purpose, ssl._ASN1Object):
        raise TypeError(shown(purpose))
    if purpose == Purpose.SERVER_AUTH:
        return _SSLMethod.PROTOCOL_TLS_CLIENT
    if purpose == Purpose.CLIENT_AUTH:
        return _SSLMethod.PROTOCOL_TLS_SERVER
    raise ValueError(purpose)


def _trust_and_log(
    context: SSLContext, purpose: Any, cafile: Any, capath: Any, cadata: Any
) -> None:
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif context.verify_mode != VerifyMode.CERT_NONE:
        context.load_default_certs(purpose)
    keylog = os.environ.get("SSLKEYLOGFILE")
    if keylog and not sys.flags.ignore_environment:
        try:
            context.keylog_filename = keylog
        except (OSError, ValueError) as error:  # a debugging aid must not stop a program
            warnings.warn(
                f"SSLKEYLOGFILE cannot be written to, and no secrets are logged: {error}",
                RuntimeWarning,
                stacklevel=4,
            )
