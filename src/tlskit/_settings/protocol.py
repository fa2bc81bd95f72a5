"""The protocol: versions, options, cipher suites, groups and application protocols."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from operator import index

from _tlsbind import CONST

from .._core import files
from .._core.fault import unnumbered_error
from .._core.paths import named_path, without_values
from .._lazy import LateName, late_names
from .._shown import shown
from .._state import Settings
from .._stdlib.defaults import defaults, negative_options_raise
from ..enums import Options, TLSVersion, _SSLMethod
from ..errors import SSLError
from .arguments import integer, listing, unsigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import _Cipher  # a TypedDict of typeshed's
    from typing import Any, NoReturn

    from typing_extensions import Buffer
else:
    Any, _Cipher = late_names("tlskit._annotations", "Any CipherDescription")
    NoReturn = LateName("typing", "NoReturn")

FIXED = {  # protocols that are one version, deprecated as they are
    _SSLMethod.PROTOCOL_TLSv1: CONST.TLS1_VERSION,
    _SSLMethod.PROTOCOL_TLSv1_1: CONST.TLS1_1_VERSION,
    _SSLMethod.PROTOCOL_TLSv1_2: CONST.TLS1_2_VERSION,
}
_VERSIONS = (
    CONST.SSL3_VERSION,
    CONST.TLS1_VERSION,
    CONST.TLS1_1_VERSION,
    CONST.TLS1_2_VERSION,
    CONST.TLS1_3_VERSION,
)
_DEPRECATED_OPTIONS = (
    CONST.SSL_OP_NO_SSLv3
    | CONST.SSL_OP_NO_TLSv1
    | CONST.SSL_OP_NO_TLSv1_1
    | CONST.SSL_OP_NO_TLSv1_2
    | CONST.SSL_OP_NO_TLSv1_3
)


class ProtocolSettings:
    """Versions, options and algorithms."""

    _settings: Settings
    _protocol: _SSLMethod

    def _default_protocol(self, protocol: _SSLMethod) -> dict[str, Any]:
        """Set the defaults of a new context."""
        self._protocol = protocol
        seen = defaults(protocol)
        return {
            "options": seen.options,
            "versions": (FIXED[protocol],) * 2 if protocol in FIXED else seen.versions,
            "ciphers": seen.ciphers,
            "ciphersuites": seen.ciphersuites or None,
            "security_level": seen.security_level,
        }

    @property
    def protocol(self) -> _SSLMethod:
        """The protocol that was passed to the constructor."""
        return self._protocol

    @property
    def options(self) -> Options:
        """The `SSL_OP_` bits. Corresponds to SSL_CTX_set_options(3)."""
        return Options(self._settings["options"])

    @options.setter
    def options(self, value: int) -> None:
        number = unsigned(value, negative=negative_options_raise())
        if number & ~self._settings["options"] & _DEPRECATED_OPTIONS:
            warnings.warn(
                "ssl.OP_NO_SSL*/ssl.OP_NO_TLS* options are deprecated",
                category=DeprecationWarning,
                stacklevel=2,
            )
        self._settings.change(options=number)

    @property
    def minimum_version(self) -> TLSVersion:
        """The lowest protocol version: a TLSVersion, its number, its name ("TLSv1.2"), or None for
        any. TLS 1.2 by default.

        It may exceed `maximum_version` while both are being changed; a connection made in that
        state fails, because no version is left.

        Raises:
            ValueError: OpenSSL has no such version; nothing has changed then.
        """
        fixed = self._protocol in FIXED
        return (
            TLSVersion.MINIMUM_SUPPORTED
            if fixed
            else TLSVersion(self._settings["versions"][0] or TLSVersion.MINIMUM_SUPPORTED)
        )

    @minimum_version.setter
    def minimum_version(self, value: int | str | None) -> None:
        self._set_version(0, value)

    @property
    def maximum_version(self) -> TLSVersion:
        """The highest protocol version: a TLSVersion, its number, its name ("TLSv1.3"), or None
        for any. Corresponds to SSL_CTX_set_max_proto_version(3).
        """
        fixed = self._protocol in FIXED
        return (
            TLSVersion.MAXIMUM_SUPPORTED
            if fixed
            else TLSVersion(self._settings["versions"][1] or TLSVersion.MAXIMUM_SUPPORTED)
        )

    @maximum_version.setter
    def maximum_version(self, value: int | str | None) -> None:
        self._set_version(1, value)

    def _set_version(self, which: int, value: int | str | None) -> None:
        if self._protocol in FIXED:
            raise ValueError(
                "The context's protocol doesn't support modification of highest and lowest version."
            )
        number, exact = _version(which, value)
        with self._settings.held():
            bounds = list(self._settings["versions"])
            bounds[which] = number
            if exact and number in (TLSVersion.SSLv3, TLSVersion.TLSv1, TLSVersion.TLSv1_1):
                warnings.warn(
                    f"ssl.TLSVersion.{TLSVersion(number).name} is deprecated",
                    category=DeprecationWarning,
                    stacklevel=3,
                )
            self._settings.change(versions=tuple(bounds))

    @property
    def security_level(self) -> int:
        """The required strength of keys, curves and hashes: 0 (anything) to 5 (the strongest); 2 by
        default. Corresponds to SSL_CTX_set_security_level(3).

        Raises:
            TypeError: the value is not an integer.
            ValueError: it is below 0 or above 5.
        """
        level = self._settings["security_level"]
        if level is None:  # as the words for ciphers say, or OpenSSL's configuration
            with self._settings.built() as state:
                level = state.build().security_level
        return int(level)

    @security_level.setter
    def security_level(self, value: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"security_level must be an integer, got {type(value).__name__}")
        if not 0 <= value <= 5:
            raise ValueError(f"security_level must be between 0 and 5, got {value}")
        self._settings.change(security_level=value)

    def set_ciphers(self, cipherlist: str | Iterable[str], /) -> None:
        """Choose the cipher suites up to TLS 1.2 by an OpenSSL cipher list (openssl-ciphers(1)): a
        colon-separated string, or an iterable of strings.

        Raises:
            SSLError: the list selects nothing; the suites have not changed then.
        """
        self._settings.change(ciphers=listing(cipherlist))

    def get_ciphers(self) -> list[_Cipher]:
        """Return the suites in force in order of preference, each as a dictionary of what OpenSSL
        knows about it.
        """
        with self._settings.built() as state:
            ciphers = list(state.build().ciphers())
        found: list[Any] = [
            {
                "id": c.id,
                "name": c.name,
                "protocol": c.protocol,
                "description": c.description,
                "strength_bits": c.bits,
                "alg_bits": c.algorithm_bits,
                "aead": c.aead,
                "symmetric": c.symmetric,
                "digest": c.digest,
                "kea": c.key_exchange,
                "auth": c.authentication,
            }
            for c in ciphers
        ]
        return found  # fmt: skip

    def set_ciphersuites(self, ciphersuites: str | Iterable[str], /) -> None:
        """Choose the cipher suites of TLS 1.3 by name: a colon-separated string, or an iterable of
        strings. Corresponds to SSL_CTX_set_ciphersuites(3).

        Raises:
            SSLError: the names select nothing; the suites have not changed then.
        """
        self._settings.change(ciphersuites=listing(ciphersuites))

    def set_groups(self, grouplist: str | Iterable[str], /) -> None:
        """Choose the key exchange groups by OpenSSL's names, in order of preference:
        "X25519MLKEM768:X25519", or ["X25519MLKEM768", "X25519"].

        Corresponds to SSL_CTX_set1_groups_list(3).

        Raises:
            SSLError: a name is unknown; the groups have not changed then.
        """
        self._settings.change(groups=listing(grouplist))

    def get_groups(self, *, include_aliases: bool = False) -> list[str]:
        """Return the groups that this context's protocol versions could use. Corresponds to
        SSL_CTX_get0_implemented_groups(3).

        Args:
            include_aliases: list a group under each of its names.

        Raises:
            NotImplementedError: OpenSSL is older than 3.5.
        """
        with self._settings.built() as state:
            return state.build().groups(aliases=bool(include_aliases))

    def set_client_sigalgs(self, sigalgslist: str | Iterable[str], /) -> None:
        """Choose the signature algorithms for client certificates: on a server, those that it asks
        for; on a client, those that it uses.

        Corresponds to SSL_CTX_set1_client_sigalgs_list(3).

        Raises:
            SSLError: a name is unknown, or none is given; nothing has changed then.
        """
        self._settings.change(client_sigalgs=listing(sigalgslist))

    def set_server_sigalgs(self, sigalgslist: str | Iterable[str], /) -> None:
        """Choose the signature algorithms for server certificates: on a client, those that it
        accepts; on a server, those that it uses.

        Corresponds to SSL_CTX_set1_sigalgs_list(3).

        Raises:
            SSLError: a name is unknown, or none is given; nothing has changed then.
        """
        self._settings.change(server_sigalgs=listing(sigalgslist))

    def set_ecdh_curve(self, name: str | bytes, /) -> None:
        """Allow only one key exchange group. Corresponds to SSL_CTX_set1_groups_list(3).

        Raises:
            ValueError: OpenSSL does not know the name.
            TypeError: it is not a string. A path is one, as for the stdlib.
        """
        try:
            raw = os.fsencode(name)
        except TypeError:
            kind = type(name).__name__
            raise TypeError(f"a curve's name must be str or bytes, got {kind}") from None
        if not raw.replace(b"-", b"").replace(b"_", b"").isalnum():  # a list is not one curve
            raise ValueError(f"unknown elliptic curve name {shown(name)}")
        try:
            self._settings.change(groups=raw)
        except SSLError as error:
            raise ValueError(f"unknown elliptic curve name {shown(name)}") from error

    @without_values
    def load_dh_params(self, path: Any, /) -> None:
        """Use the finite-field Diffie-Hellman parameters in this PEM file. Corresponds to
        SSL_CTX_set0_tmp_dh_pkey(3).
        """
        import re  # late: such files are rare

        block = rb"^-----BEGIN ([^\n]*PARAMETERS)-----.*?^-----END \1-----"
        with files.opened(named_path("path", path)) as content:
            found = re.search(block, content, re.MULTILINE | re.DOTALL)  # without a key beside it
            self._settings.change(dh_params=b"" if found is None else bytes(found[0]))

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Set the application protocols in order of preference: a client offers them, a server
        chooses from them (ALPN, RFC 7301).
        """
        wire = bytearray()
        for protocol in alpn_protocols:
            raw = bytes(protocol, "ascii")
            if not 0 < len(raw) < 256:
                raise unnumbered_error("ALPN protocols must be 1 to 255 in length")
            wire.append(len(raw))
            wire += raw
        self._set_alpn_protocols(wire)

    def _set_alpn_protocols(self, protos: Buffer, /) -> None:
        self._settings.change(alpn_protocols=bytes(memoryview(protos)))

    def set_npn_protocols(self, npn_protocols: Iterable[str]) -> NoReturn:
        """Raise NotImplementedError: OpenSSL no longer has NPN, the predecessor of ALPN."""
        warnings.warn("ssl NPN is deprecated, use ALPN instead", DeprecationWarning, stacklevel=2)
        raise NotImplementedError("The NPN extension requires OpenSSL 1.0.1 or later.")

    # -- early data --------------------------------------------------------------------------------

    @property
    def max_early_data(self) -> int:
        """How many bytes of early data (0-RTT, RFC 8446, 2.3) a server accepts from a client that
        resumes; 0, the default, means none.

        Early data may be a replay. Each session that allows it is therefore used only once: within
        this process by OpenSSL's cache, and among all servers that share `sessions.store` by taking
        it out of the store. Servers that share neither may each accept the same data. For this to
        work, the server keeps its TLS 1.3 sessions, and its tickets only refer to them: a keyring
        is not used. See `SSLSocket.read_early_data`. Corresponds to SSL_CTX_set_max_early_data(3).

        Raises:
            TypeError, ValueError: not an integer between 0 and 2**32 - 1, or the context is a
                client's.
        """
        return int(self._settings["max_early_data"] or 0)

    @max_early_data.setter
    def max_early_data(self, size: int) -> None:
        number = index(size)
        if not 0 <= number < 2**32:
            raise ValueError(f"max_early_data must be between 0 and 2**32 - 1, got {number}")
        if number and self._protocol is _SSLMethod.PROTOCOL_TLS_CLIENT:
            raise ValueError(
                "max_early_data is for servers: a client passes early_data to wrap_socket or "
                "wrap_bio"
            )
        self._settings.change(max_early_data=number)


def _version(which: int, value: int | str | None) -> tuple[int, bool]:
    """Return OpenSSL's number for a bound, and whether it is one version, rather than the lowest or
    highest available one.
    """
    if value is None:
        return 0, False
    number = _named(value) if isinstance(value, str) else integer(value)
    if number == (TLSVersion.MINIMUM_SUPPORTED, TLSVersion.MAXIMUM_SUPPORTED)[which]:
        return 0, False
    if number == TLSVersion.MINIMUM_SUPPORTED:
        return CONST.TLS1_VERSION, False
    if number == TLSVersion.MAXIMUM_SUPPORTED:
        return CONST.TLS1_3_VERSION, False
    if number not in _VERSIONS:
        raise ValueError(f"Unsupported TLS/SSL version {number:#x}")
    return number, True


def _named(name: str) -> int:
    """Return the number of a version by its name in `version()`, OpenSSL or TLSVersion: "TLSv1.2",
    "TLS1.2" or "TLSv1_2".
    """
    plain = name.lower().replace("_", ".").replace("tlsv", "tls").replace("sslv", "ssl")
    names = {"ssl3": 0, "tls1": 1, "tls1.0": 1, "tls1.1": 2, "tls1.2": 3, "tls1.3": 4}
    if plain not in names:
        raise ValueError(
            f"a protocol version must be TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3, got {shown(name)}"
        )
    return int(_VERSIONS[names[plain]])
