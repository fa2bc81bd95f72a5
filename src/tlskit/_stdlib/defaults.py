"""The defaults of the running Python's contexts, found by inspecting one.

Python's version is not enough, because distributions patch it. For example, Debian's 3.11.2 ignores
an end without close_notify, and python.org's 3.11.7 does not. Each answer comes from a context that
the stdlib has created, once per process.
"""

from __future__ import annotations

import sys
import warnings

from _tlsbind import CONST

from .._core.context import Context
from .._memo import remembered
from ..errors import SSLError
from . import classes as stdlib
from .creation import begun
from .module import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from .._frozen import NamedTuple

_USUAL_CIPHERS = (
    "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
)
#: The cipher string that the interpreter was built with.
DEFAULT_CIPHERS: str = getattr(ssl, "_DEFAULT_CIPHERS", _USUAL_CIPHERS)
_DEFAULT_CIPHERS = _RESTRICTED_SERVER_CIPHERS = DEFAULT_CIPHERS  # the stdlib's names for it


class Defaults(NamedTuple):
    """The initial settings of a new context for one protocol, in the numbers of tlskit's OpenSSL.

    Attributes:
        options: SSL_OP_ bits.
        verify_flags: X509_V_FLAG_ bits.
        host_flags: X509_CHECK_FLAG_ bits.
        versions: the lowest and the highest protocol version; 0 for the library's own limit.
        security_level: 0 to 5.
        ciphers: the suites up to TLS 1.2, in OpenSSL's notation.
        ciphersuites: those of TLS 1.3; b"" for OpenSSL's defaults.
    """

    options: int
    verify_flags: int
    host_flags: int
    versions: tuple[int, int]
    security_level: int
    ciphers: bytes
    ciphersuites: bytes


@remembered(256)
def defaults(protocol: int) -> Defaults:
    """Inspect a context of the stdlib's own for this protocol."""
    seen = _made(protocol)
    beneath: Any = super(stdlib.SSLContext, seen)
    level = int(getattr(beneath, "security_level", 2))  # PyPy's class lacks it
    ciphers, ciphersuites = _ciphers([c["name"] for c in beneath.get_ciphers()], level)
    return Defaults(
        options=_translated(int(beneath.options)),
        verify_flags=int(beneath.verify_flags),
        host_flags=int(beneath._host_flags),
        versions=(max(beneath.minimum_version, 0), max(beneath.maximum_version, 0)),
        security_level=level,
        ciphers=ciphers,
        ciphersuites=ciphersuites,
    )


@remembered(256)
def flags_of_default_context() -> int:
    """Return the X509_V_FLAG_ bits that `ssl.create_default_context` adds to a new context's."""
    plain = _made(ssl.PROTOCOL_TLS_SERVER)
    try:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)  # this loads no authorities
        return int(made.verify_flags) & ~int(plain.verify_flags)
    except Exception:  # SSLKEYLOGFILE is not writable, or a program's own function fails
        newer = sys.version_info >= (3, 13)
        return ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT if newer else 0


@remembered(256)
def negative_options_raise() -> type[Exception]:
    """Return the exception that a context raises for options below 0."""
    beneath: Any = super(stdlib.SSLContext, stdlib.SSLContext)
    try:
        # of all negative numbers, the one that would be an unnamed option if it were accepted
        beneath.options.__set__(_made(ssl.PROTOCOL_TLS_SERVER), -(2**63))
    except (OverflowError, ValueError) as error:
        return type(error)
    return OverflowError


@remembered(256)
def refuses_for_server() -> bool:
    """Return whether `wrap_bio` refuses a name and a session for a server."""
    return isinstance(_tried(ssl.PROTOCOL_TLS_SERVER, True, "localhost"), ValueError)


@remembered(256)
def without_name() -> type[Exception] | None:
    """Return what `wrap_bio` raises or warns for a client that checks names and has none; None if
    it does neither.
    """
    found = _tried(ssl.PROTOCOL_TLS_CLIENT, False, None)
    return type(found) if isinstance(found, (ValueError, Warning)) else None


def _tried(protocol: int, server_side: bool, hostname: str | None) -> Exception | None:
    incoming, outgoing = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            stdlib.SSLContext.wrap_bio(_made(protocol), incoming, outgoing, server_side, hostname)
        except Exception as error:
            return error
    return None


def _made(protocol: int) -> ssl.SSLContext:
    """Return a context of the stdlib's own. Those for a single version are deprecated, and differ
    only in the versions.
    """
    known = protocol in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER)
    return begun(stdlib.SSLContext, protocol if known else ssl.PROTOCOL_TLS_SERVER)


def _translated(options: int) -> int:
    """Translate options of the stdlib's OpenSSL by name: its numbers may be another version's."""
    all_of_theirs = int(ssl.OP_ALL)
    ours = CONST.SSL_OP_ALL & ~CONST.SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS
    found = ours if options & all_of_theirs & ours == ours else 0
    options &= ~all_of_theirs
    for name in dir(ssl):
        theirs = int(getattr(ssl, name)) if name.startswith("OP_") and name != "OP_ALL" else 0
        if theirs and options & theirs == theirs:
            found |= getattr(CONST, f"SSL_{name}", 0)
    return int(found)


def _ciphers(theirs: list[str], level: int) -> tuple[bytes, bytes]:
    """Return strings that select the same suites. They are the interpreter's own, unless a
    configuration file or another OpenSSL changes their meaning.
    """
    trial = Context("any")
    words = DEFAULT_CIPHERS.encode()
    try:
        trial.set_ciphers(words)
    except SSLError:  # the suites are from a version that tlskit's OpenSSL does not know
        words = _USUAL_CIPHERS.encode()
        trial.set_ciphers(words)
    trial.security_level = level
    if [c.name for c in trial.ciphers()] == theirs:
        return words, b""
    known = {c.name: c.protocol for c in trial.ciphers()}
    trial.set_ciphers(b"ALL:COMPLEMENTOFALL")
    known |= {c.name: c.protocol for c in trial.ciphers()}
    older = ":".join(n for n in theirs if n in known and known[n] != "TLSv1.3").encode()
    newer = ":".join(n for n in theirs if known.get(n) == "TLSv1.3").encode()
    try:
        trial.set_ciphers(older)
        trial.set_ciphersuites(newer)
    except SSLError:
        return words, b""
    return older, newer
