"""Encrypted ClientHello (ECH, RFC 9849): a client hides the server's name from the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .._core.encrypted_hello import usable_configs
from .._core.library import require, version_text
from .._core.names import in_certificates
from .._shown import shown
from .._state import Settings
from ..enums import _SSLMethod

ConfigLists = bytes | Mapping[str, bytes] | Callable[[str], "bytes | None"]


class EncryptedHelloSettings:
    """What a client needs to encrypt its ClientHellos."""

    _settings: Settings
    _protocol: _SSLMethod

    @property
    def ech_config_list(self) -> ConfigLists | None:
        """The keys for Encrypted ClientHello (ECH, RFC 9849), with which a client hides the
        server's name and the rest of its real ClientHello. None, the default, encrypts nothing.

        The keys of a server are an ECHConfigList: the value of `ech` in its DNS record of type
        HTTPS, decoded from base64. Set it to the list itself, for all servers; to a mapping of
        server names to lists; or to a function that is called with the name, in lower case, for
        each connection that has one, and returns the list. It must not block. Without a list, or
        without a server name to hide, the ClientHello is not encrypted (see `ech_grease`).

        An encrypted ClientHello needs TLS 1.3, and a rejected one fails the handshake with an
        SSLError whose `reason` is "ECH_REQUIRED". Its `ech_retry_configs` is a list to try again
        with; b"" if the server has turned ECH off, and may be reached without it; None if the
        server did not prove that it is the one its keys name: trust nothing that it says. A session
        made with ECH is not offered without ECH, and early data is never sent with ECH.
        `info.ech` has the outcome. Corresponds to SSL_set1_ech_config_list(3).

        Raises:
            NotImplementedError: OpenSSL is older than 4.0.
            TypeError: a list is not bytes.
            ValueError: the context is a server's, or a list is malformed or of no use to OpenSSL.

        A function's list is checked when the connection is made, which then raises ValueError.
        """
        value: ConfigLists | None = self._settings["ech_config_list"]
        return value

    @ech_config_list.setter
    def ech_config_list(self, value: ConfigLists | None) -> None:
        self._check("ech_config_list")
        if isinstance(value, Mapping):
            value = {_name_of(name): _list_of(value[name]) for name in value}
        elif value is not None and not callable(value):
            value = _list_of(value)
        self._settings.change(ech_config_list=value)

    @property
    def ech_outer_name(self) -> str | None:
        """The name that is sent in the clear instead of the server's, for ECH. None, the default,
        means the one in the server's keys, which is what RFC 9849 demands: set it for experiments
        only.

        A server that rejects ECH must prove to be this one. Corresponds to
        SSL_ech_set1_outer_server_name(3).
        """
        name: str | None = self._settings["ech_outer_name"]
        return name

    @ech_outer_name.setter
    def ech_outer_name(self, value: str | None) -> None:
        self._check("ech_outer_name")
        self._settings.change(ech_outer_name=None if value is None else _name_of(value))

    @property
    def ech_grease(self) -> bool:
        """Whether a ClientHello that is not encrypted looks as if it were (GREASE, RFC 9849, 6.2),
        so that encrypted ones do not stand out. Off by default. Corresponds to SSL_OP_ECH_GREASE
        of SSL_CTX_set_options(3).
        """
        return bool(self._settings["ech_grease"])

    @ech_grease.setter
    def ech_grease(self, value: bool) -> None:
        self._check("ech_grease")
        self._settings.change(ech_grease=bool(value))

    def _check(self, name: str) -> None:
        require("ECH", name)
        if self._protocol is _SSLMethod.PROTOCOL_TLS_SERVER:
            raise ValueError(f"{name} cannot be set on TLS_SERVER context")


def _name_of(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a server name must be str, got {type(value).__name__}")
    if not value or "\0" in value or len(value) > 255:
        raise ValueError(f"a server name has 1 to 255 characters, got {shown(value)}")
    name = value if value.isascii() else value.encode("idna").decode("ascii")
    return in_certificates(name).lower()


def _list_of(value: object) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"an ECHConfigList must be bytes, got {type(value).__name__}")
    return checked_list(bytes(value))


def checked_list(value: bytes) -> bytes:
    """Return an ECHConfigList that this OpenSSL can use.

    Raises:
        ValueError: it can use none of its configurations, or it is malformed.
    """
    if len(value) < 2 or int.from_bytes(value[:2], "big") != len(value) - 2:
        raise ValueError(
            "this is not an ECHConfigList: its first two bytes must be the length of the rest. "
            "The text in a DNS record must be decoded from base64"
        )
    if usable_configs(value) < 1:
        raise ValueError(f"the ECHConfigList has no configuration that {version_text()} can use")
    return value
