"""What a peer's certificate must be valid for: names, purpose and time."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from math import floor

from _tlsbind import CONST

from .._core.credential import DER, PEM
from .._core.names import in_certificates, packed_address
from .._core.paths import without_values
from .._core.trust import TrustStore
from .._core.verifying import purpose_number
from .._lazy import LateName
from .._shown import shown
from .._state import Settings
from .._stdlib.module import ssl
from . import sources
from .requirements import check_verifies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any
else:
    datetime = LateName("datetime", "datetime")
    Any = LateName("typing", "Any")

_PURPOSES = {ssl.Purpose.SERVER_AUTH: "sslserver", ssl.Purpose.CLIENT_AUTH: "sslclient"}
_LATEST = 253402300799  # the last second of the year 9999, in seconds since 1970
_LONGEST = 253  # characters of a host name
_HOST_NAME = r"[a-z0-9_-]+(\.[a-z0-9_-]+)*"


class VerifyParameterSettings:
    """Names, purpose, time and revocation lists."""

    _settings: Settings
    _host_flags: int

    @property
    def verify_names(self) -> tuple[str, ...]:
        """Names, one of which the peer's certificate must match instead of `server_hostname`, which
        is still sent in the ClientHello. If empty, only `server_hostname` counts.

        Set it to host names, IP addresses, or both. A client requires them even without
        `check_hostname`, and a server requires them of its clients' certificates.
        `info.matched_name` is the host name that matched. Sessions made under other names are not
        resumed.

        Raises:
            ValueError: a name is empty or too long, or verify_mode is CERT_NONE, where nothing is
                verified.
            TypeError: a name is not text.

        Corresponds to X509_VERIFY_PARAM_add1_host(3), which cannot combine names and addresses.
        """
        names: tuple[str, ...] = self._settings["verify_names"]
        return names

    @verify_names.setter
    def verify_names(self, value: str | Iterable[str]) -> None:
        given = (value,) if isinstance(value, str) else value
        names = tuple(dict.fromkeys(_name(one) for one in given))
        with self._settings.held():
            if names:
                check_verifies(self._settings, "verify_names")
            self._settings.change(verify_names=names)

    @property
    def verify_purpose(self) -> str | None:
        """The purpose that the peer's certificate must be valid for, by OpenSSL's short name; None
        for a TLS server or client, depending on the peer's role.

        Set it to a name ("sslserver", "sslclient", "any", "codesign" ...), to the stdlib's
        `Purpose.SERVER_AUTH` or `Purpose.CLIENT_AUTH`, or to None. "any" ignores key usages
        altogether. Sessions made under another purpose are not resumed.

        Raises:
            ValueError: OpenSSL has no purpose of that name.

        Corresponds to X509_VERIFY_PARAM_set_purpose(3).
        """
        purpose: str | None = self._settings["verify_purpose"]
        return purpose

    @verify_purpose.setter
    def verify_purpose(self, value: Any) -> None:
        name = _PURPOSES.get(value, value)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"verify_purpose must be a name or None, got {type(value).__name__}")
        if name is not None and purpose_number(name) is None:
            raise ValueError(
                f"verify_purpose must be one of OpenSSL's purposes (sslserver, sslclient, any ...),"
                f" got {shown(name)}"
            )
        self._settings.change(verify_purpose=name)

    @property
    def verify_time(self) -> int | None:
        """The time at which certificates and revocation lists must be valid, in seconds since 1970;
        None for the time of the handshake.

        Set it to seconds, to a `datetime` with a time zone, or to None. It is meant for machines
        whose clock is wrong, and for checking what was valid at another time: an expired
        certificate passes at any time before it expired. Sessions made under another time are not
        resumed.

        Raises:
            ValueError: the datetime has no time zone, or the time is not between 1970 and 9999.

        Corresponds to X509_VERIFY_PARAM_set_time(3).
        """
        seconds: int | None = self._settings["verify_time"]
        return seconds

    @verify_time.setter
    def verify_time(self, value: float | datetime | None) -> None:
        self._settings.change(verify_time=None if value is None else _seconds(value))

    @property
    def hostname_checks_wildcards(self) -> bool:
        """Whether a certificate for `*.example.org` matches www.example.org. On by default.
        Corresponds to X509_CHECK_FLAG_NO_WILDCARDS of X509_check_host(3).
        """
        return not self._host_flags & CONST.X509_CHECK_FLAG_NO_WILDCARDS

    @hostname_checks_wildcards.setter
    def hostname_checks_wildcards(self, value: object) -> None:
        self._forbid(CONST.X509_CHECK_FLAG_NO_WILDCARDS, not value)

    @property
    def hostname_checks_partial_wildcards(self) -> bool:
        """Whether a certificate for `w*.example.org` matches www.example.org. Off by default, as in
        the stdlib. Corresponds to X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS of X509_check_host(3).
        """
        return not self._host_flags & CONST.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS

    @hostname_checks_partial_wildcards.setter
    def hostname_checks_partial_wildcards(self, value: object) -> None:
        self._forbid(CONST.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, not value)

    def _forbid(self, flag: int, on: bool) -> None:
        with self._settings.held():
            self._host_flags = self._host_flags | flag if on else self._host_flags & ~flag

    @without_values
    def add_crl(self, crl: Any) -> None:
        """Refuse certificates that a certificate revocation list (CRL) revokes. Add one list at a
        time; a newer list replaces an older one of the same authority.

        Adding the first list turns on the check of leaf certificates (VERIFY_CRL_CHECK_LEAF),
        unless `verify_flags` already say what to check. A leaf whose authority has no list here is
        then refused.

        Args:
            crl: a path, PEM or DER bytes, PEM text, or a CRL of `cryptography`.

        Raises:
            OSError: the file cannot be read.
            SSLError: the data cannot be parsed as a CRL.
            ValueError: it contains a certificate, which would become trusted.
            TypeError: the argument has another type.

        On any error, nothing has changed. Safe from any thread. Corresponds to
        X509_STORE_add_crl(3).
        """
        given = sources.certificate("crl", crl)
        if given.form not in (PEM, DER):
            raise TypeError("crl must be a path, PEM or DER, got a URI")
        more = TrustStore()
        more.add_data(bytes(given.data), pem=given.form == PEM)
        if more.count()["x509"]:
            raise ValueError("crl must hold revocation lists alone, got a certificate too")
        checked = CONST.X509_V_FLAG_CRL_CHECK | CONST.X509_V_FLAG_CRL_CHECK_ALL
        with self._settings.together():
            self._settings.trust = self._settings.trust.joined(more)
            flags = self._settings["verify_flags"]
            if not flags & checked:
                self._settings.change(verify_flags=flags | CONST.X509_V_FLAG_CRL_CHECK)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a name in verify_names must be text, got {type(value).__name__}")
    if packed_address(value) is not None:
        return value
    import re

    name = ""
    with suppress(UnicodeError):  # its own error would hold the whole value
        name = in_certificates(value.encode("idna").decode("ascii").lower())
    if len(name) > _LONGEST or not re.fullmatch(_HOST_NAME, name):
        raise ValueError(
            f"{shown(value)} is not a host name of 1 to {_LONGEST} letters, digits, dots, hyphens "
            f"and underscores, nor an IP address"
        )
    return name


def _seconds(value: float | datetime) -> int:
    from datetime import datetime  # imported late: few programs set a time

    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("verify_time must have a time zone: use datetime.timezone.utc")
        seconds = floor(value.timestamp())
    elif isinstance(value, (int, float)):
        seconds = floor(value)
    else:
        raise TypeError(
            f"verify_time must be seconds, a datetime or None, got {type(value).__name__}"
        )
    if not 0 <= seconds <= _LATEST:
        raise ValueError(f"verify_time must be between 1970 and 9999, got {seconds} seconds")
    return seconds
