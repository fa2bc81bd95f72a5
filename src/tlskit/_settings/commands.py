"""OpenSSL's configuration commands, translated into settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from _tlsbind import CONST

from .._lazy import LateName
from .._shown import shown
from ..enums import VerifyMode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")

_OPTIONS = {  # a word of the Options command: its bit, and whether the word sets the bit
    "SessionTicket": ("NO_TICKET", False),
    "Compression": ("NO_COMPRESSION", False),
    "EmptyFragments": ("DONT_INSERT_EMPTY_FRAGMENTS", False),
    "ServerPreference": ("CIPHER_SERVER_PREFERENCE", True),
    "PrioritizeChaCha": ("PRIORITIZE_CHACHA", True),
    "NoResumptionOnRenegotiation": ("NO_SESSION_RESUMPTION_ON_RENEGOTIATION", True),
    "UnsafeLegacyRenegotiation": ("ALLOW_UNSAFE_LEGACY_RENEGOTIATION", True),
    "UnsafeLegacyServerConnect": ("LEGACY_SERVER_CONNECT", True),
    "ClientRenegotiation": ("ALLOW_CLIENT_RENEGOTIATION", True),
    "NoRenegotiation": ("NO_RENEGOTIATION", True),
    "EncryptThenMac": ("NO_ENCRYPT_THEN_MAC", False),
    "ExtendedMasterSecret": ("NO_EXTENDED_MASTER_SECRET", False),
    "AllowNoDHEKEX": ("ALLOW_NO_DHE_KEX", True),
    "PreferNoDHEKEX": ("PREFER_NO_DHE_KEX", True),
    "MiddleboxCompat": ("ENABLE_MIDDLEBOX_COMPAT", True),
    "AntiReplay": ("NO_ANTI_REPLAY", False),
    "CANames": ("DISABLE_TLSEXT_CA_NAMES", False),
    "RxCertificateCompression": ("NO_RX_CERTIFICATE_COMPRESSION", False),
    "TxCertificateCompression": ("NO_TX_CERTIFICATE_COMPRESSION", False),
}
_MODES = {  # on a server: request a certificate, or require one; a client always requires one
    "Peer": VerifyMode.CERT_OPTIONAL,
    "Request": VerifyMode.CERT_OPTIONAL,
    "Require": VerifyMode.CERT_REQUIRED,
}


class CommandSettings:
    """Settings in the syntax of OpenSSL's configuration files."""

    configure: Callable[..., None]
    options: Any

    def configure_openssl(self, commands: Mapping[str, str] | Iterable[tuple[str, str]], /) -> None:
        """Apply commands of OpenSSL's configuration files (SSL_CONF_cmd(3), "supported
        configuration file commands"), as nginx's `ssl_conf_command` does: all of them, or none.

        Each becomes the corresponding setting of this context, so `describe`, `copy` and
        `configure` include it. The names are `CipherString`, `Ciphersuites`, `Groups` (`Curves`),
        `SignatureAlgorithms`, `ClientSignatureAlgorithms`, `MinProtocol`, `MaxProtocol`, `Options`,
        `VerifyMode`, `Certificate` with `PrivateKey`, `VerifyCAFile`, `VerifyCAPath`,
        `ClientCAFile` (`RequestCAFile`), `DHParameters`, `RecordPadding` and `NumTickets`, in upper
        or lower case.

        Args:
            commands: a mapping of names to values, or pairs of a name and a value.

        Raises:
            ValueError: tlskit has no setting for a command or for a word in its value.
            Exception: any error that the setting itself raises. Nothing has changed then.

        Safe from any thread.
        """
        pairs = commands.items() if isinstance(commands, Mapping) else commands
        settings: dict[str, Any] = {}
        for name, value in pairs:
            setting = _COMMANDS.get(name.lower())
            if setting is None:
                raise ValueError(f"tlskit has no setting for the OpenSSL command {shown(name)}")
            self._translate(setting, value, settings)
        if "private_key" in settings:
            if "cert_chain" not in settings:
                raise ValueError("PrivateKey needs a Certificate beside it")
            settings["cert_chain"] = (settings["cert_chain"], settings.pop("private_key"))
        self.configure(**settings)

    def _translate(self, setting: str, value: str, settings: dict[str, Any]) -> None:
        if setting == "options":
            settings[setting] = _options(settings.get(setting, int(self.options)), value)
        elif setting == "verify_mode":
            settings[setting] = _verify_mode(value)
        elif setting in ("num_tickets", "block_padding"):
            settings[setting] = int(value)
        elif setting.endswith("_version"):
            settings[setting] = None if value == "None" else value
        elif setting in ("cafile", "capath"):
            settings.setdefault("verify_locations", {})[setting] = value
        else:
            settings[setting] = value


_COMMANDS = {
    "cipherstring": "ciphers", "ciphersuites": "ciphersuites", "groups": "groups",
    "curves": "groups", "signaturealgorithms": "server_sigalgs",
    "clientsignaturealgorithms": "client_sigalgs", "minprotocol": "minimum_version",
    "maxprotocol": "maximum_version", "options": "options", "verifymode": "verify_mode",
    "certificate": "cert_chain", "privatekey": "private_key", "verifycafile": "cafile",
    "verifycapath": "capath", "clientcafile": "client_ca_names",
    "requestcafile": "client_ca_names", "dhparameters": "dh_params",
    "recordpadding": "block_padding", "numtickets": "num_tickets",
}  # fmt: skip


def _options(bits: int, words: str) -> int:
    names = {word.lower(): row for word, row in _OPTIONS.items()}
    for word in words.split(","):
        plain = word.strip()
        on = not plain.startswith("-")
        row = names.get(plain.lstrip("+-").lower())
        if row is None:
            raise ValueError(f"tlskit does not know {shown(plain)} in the OpenSSL command Options")
        bit = getattr(CONST, f"SSL_OP_{row[0]}", 0)
        bits = bits | bit if on is row[1] else bits & ~bit
    return bits


def _verify_mode(words: str) -> VerifyMode:
    mode = VerifyMode.CERT_NONE
    for word in words.split(","):
        plain = word.strip().capitalize()
        if plain not in _MODES:
            raise ValueError(
                f"VerifyMode must be Peer, Request or Require, got {shown(word.strip())}"
            )
        mode = max(mode, _MODES[plain])
    return mode
