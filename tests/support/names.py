"""What OpenSSL calls things, by its version."""

from __future__ import annotations


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
