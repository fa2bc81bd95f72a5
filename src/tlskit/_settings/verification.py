"""How a context verifies its peers, and which authorities it trusts."""

from __future__ import annotations

import sys

from _tlsbind import CONST

from .. import _trust
from .._core.certificate import Certificate
from .._core.paths import without_values
from .._lazy import LateName, late_names
from .._shown import shown
from .._state import Settings
from .._stdlib.defaults import defaults
from .._stdlib.module import ssl
from ..enums import VerifyFlags, VerifyMode, _SSLMethod
from .arguments import integer, path_of, unsigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, overload

    from _typeshed import StrOrBytesPath
    from typing_extensions import Buffer
else:
    Buffer, StrOrBytesPath = late_names("tlskit._annotations", "Buffer StrOrBytesPath")
    Any = LateName("typing", "Any")

_MODES = {
    VerifyMode.CERT_NONE: CONST.SSL_VERIFY_NONE,
    VerifyMode.CERT_OPTIONAL: CONST.SSL_VERIFY_PEER,
    VerifyMode.CERT_REQUIRED: CONST.SSL_VERIFY_PEER | CONST.SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
}
_DEMANDS = ("pins", "verify_callback", "verify_each", "verify_names")
_NAMES = {flags: mode for mode, flags in _MODES.items()}


class VerificationSettings:
    """Verification mode and flags, names and trusted certificates."""

    _settings: Settings
    _windows_cert_stores = ("CA", "ROOT")

    @staticmethod
    def _default_verification(protocol: _SSLMethod) -> dict[str, Any]:
        """Return the defaults: no trusted authority, and either full verification or none."""
        seen, strict = defaults(protocol), protocol is _SSLMethod.PROTOCOL_TLS_CLIENT
        return {
            "verify_mode": _MODES[VerifyMode.CERT_REQUIRED if strict else VerifyMode.CERT_NONE],
            "verify_flags": seen.verify_flags,
            "host_flags": seen.host_flags,
            "check_hostname": strict,
        }

    @property
    def verify_mode(self) -> VerifyMode:
        """Whether the peer must send a certificate that passes verification. Corresponds to
        SSL_CTX_set_verify(3).
        """
        return _NAMES[self._settings["verify_mode"]]

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        number = integer(value)
        if number not in tuple(VerifyMode):
            raise ValueError("invalid value for verify_mode")
        mode = VerifyMode(number)
        with self._settings.held():
            for name in _DEMANDS if mode is VerifyMode.CERT_NONE else ():
                if self._settings[name]:
                    raise ValueError(f"Cannot set verify_mode to CERT_NONE when {name} is set.")
            if mode is VerifyMode.CERT_NONE and self._settings["check_hostname"]:
                raise ValueError(
                    "Cannot set verify_mode to CERT_NONE when check_hostname is enabled."
                )
            self._settings.change(verify_mode=_MODES[mode])

    @property
    def check_hostname(self) -> bool:
        """Whether the certificate must match the server's name. Setting it to True also requires a
        certificate.
        """
        checked: bool = self._settings["check_hostname"]
        return checked

    @check_hostname.setter
    def check_hostname(self, value: object) -> None:
        with self._settings.held():
            changes: dict[str, Any] = {"check_hostname": bool(value)}
            if value and self.verify_mode is VerifyMode.CERT_NONE:
                changes["verify_mode"] = _MODES[VerifyMode.CERT_REQUIRED]
            self._settings.change(**changes)

    @property
    def hostname_checks_common_name(self) -> bool:
        """Whether the name may be in the subject of a certificate that has no subjectAltName."""
        return not self._host_flags & CONST.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT

    @hostname_checks_common_name.setter
    def hostname_checks_common_name(self, value: object) -> None:
        never: int = CONST.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
        with self._settings.held():
            self._host_flags = self._host_flags & ~never if value else self._host_flags | never

    @property
    def _host_flags(self) -> int:
        flags: int = self._settings["host_flags"]
        return flags

    @_host_flags.setter
    def _host_flags(self, value: int) -> None:
        self._settings.change(host_flags=integer(value))

    @property
    def verify_flags(self) -> VerifyFlags:
        """The options for verifying a chain. Corresponds to X509_VERIFY_PARAM_set_flags(3)."""
        return VerifyFlags(self._settings["verify_flags"])

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        self._settings.change(verify_flags=unsigned(value))

    @property
    def verify_depth(self) -> int:
        """The highest number of intermediate certificates in a chain; -1 for OpenSSL's own limit
        (100).
        """
        depth: int = self._settings["verify_depth"]
        return depth

    @verify_depth.setter
    def verify_depth(self, value: int) -> None:
        number = integer(value, bits=64)
        if not -1 <= number < 2**31:
            raise ValueError(f"verify_depth must be -1 or more, got {number}")
        self._settings.change(verify_depth=number)

    @without_values
    def load_verify_locations(
        self,
        cafile: StrOrBytesPath | None = None,
        capath: StrOrBytesPath | None = None,
        cadata: str | Buffer | None = None,
    ) -> None:
        """Trust the given certificates: all of them, or, on an error, none.

        Args:
            cafile: a file of certificates (and CRLs) in PEM.
            capath: a directory of such files, each named by the hash of its subject
                (openssl-rehash(1)).
            cadata: PEM as a string, or DER as bytes.

        Raises:
            OSError: the file cannot be read.
            SSLError: it contains no certificate, or one that cannot be parsed.
            TypeError: no argument was given, or one has the wrong type.
        """
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        file = path_of("cafile", cafile)
        directory = path_of("capath", capath, wanted="the path of a directory", bounded=False)
        with self._settings.held():
            _trust.load(self._settings, file, directory, cadata)

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        """Trust the authorities of the operating system, if it has any."""
        if not isinstance(purpose, ssl._ASN1Object):
            raise TypeError(shown(purpose))
        if sys.platform == "win32":
            with self._settings.held():
                _trust.load_windows(self._settings, self._windows_cert_stores, purpose.oid)
        self.set_default_verify_paths()

    def _load_windows_store_certs(self, storename: str, purpose: Any) -> None:
        if sys.platform != "win32":
            raise NotImplementedError("the certificate stores of Windows exist only on Windows")
        with self._settings.held():
            _trust.load_windows(self._settings, (storename,), purpose.oid)

    def set_default_verify_paths(self) -> None:
        """Trust SSL_CERT_FILE and SSL_CERT_DIR if they are set, otherwise the interpreter's default
        paths, otherwise the distribution's.
        """
        with self._settings.held():
            _trust.load_defaults(self._settings)

    def cert_store_stats(self) -> dict[str, int]:
        """Return the number of trusted certificates ("x509", "x509_ca") and CRLs ("crl")."""
        return self._settings.trust.count()

    if TYPE_CHECKING:

        @overload
        def get_ca_certs(self, binary_form: Literal[False] = False) -> list[dict[str, Any]]: ...

        @overload
        def get_ca_certs(self, binary_form: Literal[True]) -> list[bytes]: ...

        @overload
        def get_ca_certs(self, binary_form: bool = False) -> list[dict[str, Any]] | list[bytes]: ...

    def get_ca_certs(self, binary_form: bool = False) -> list[dict[str, Any]] | list[bytes]:
        """Return the trusted authorities, in the format of `getpeercert`. Those in a directory
        appear only once they have been used.
        """
        ders = self._settings.trust.authorities()
        if binary_form:
            return ders
        return [Certificate.from_der(der).fields() for der in ders]

    @property
    def post_handshake_auth(self) -> bool:
        """Whether a TLS 1.3 client offers, and a server may request, authentication after the
        handshake.
        """
        return bool(self._settings["post_handshake_auth"])

    @post_handshake_auth.setter
    def post_handshake_auth(self, value: object) -> None:
        self._settings.change(post_handshake_auth=bool(value))
