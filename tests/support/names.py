"""What OpenSSL calls things, by its version, and what a Python's own `ssl` has names for."""

from __future__ import annotations

import ssl as stdlib
from types import ModuleType

import tlskit

from .pypy import PYPY


class _Reason(str):
    """Equal to the reason's old name and to its new one: the two ends of a connection may have two
    OpenSSLs.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.replace("TLS_ALERT_", "SSLV3_ALERT_") == str(self)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def alert_reason(name: str) -> str:
    """The reason of an error about an alert that there was in SSL 3.0 already: OpenSSL 4.0 calls it
    otherwise.
    """
    return _Reason(f"SSLV3_ALERT_{name}")


def spoilt_record(module: ModuleType) -> str:
    """A pattern for what a module says of a record that was changed on its way. OpenSSL 3.2 began
    to call it otherwise, and the stdlib's `ssl` has a name for that from Python 3.14 on; tlskit has
    one always.
    """
    named = "BAD_RECORD_MAC|RECORD_LAYER_FAILURE"
    return named if module is tlskit else rf"{named}|\[SSL\] record layer failure"


def knows_reason(error: BaseException) -> bool:
    """Whether the stdlib's module has a name for the reason. A Python may be older than its
    OpenSSL; one that has OpenSSL 3.0 or 3.1 knows every reason.
    """
    nameless = getattr(error, "library", None) and getattr(error, "reason", None) is None
    return not nameless or PYPY or stdlib.OPENSSL_VERSION_INFO < (3, 2)
