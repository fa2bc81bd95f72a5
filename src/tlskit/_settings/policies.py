"""Named policies: protocol versions, cipher suites, groups and signature algorithms in one word."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .._core.context import Context
from .._core.library import version_text
from .._core.negotiation import POST_QUANTUM
from .._memo import remembered
from .._shown import shown
from .._state import Settings
from ..enums import TLSVersion
from ..errors import SSLError
from ..sessions.registry import GROUPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from .._frozen import NamedTuple


class Policy(NamedTuple):
    """The exact settings of a policy.

    Attributes:
        minimum_version: the lowest protocol version.
        groups: key exchange groups, in order of preference.
        optional: those groups that an older OpenSSL may lack; the policy requires all others.
        ciphers: TLS 1.2 cipher suites; None if TLS 1.2 is not allowed.
        ciphersuites: TLS 1.3 cipher suites; None for OpenSSL's defaults.
        sigalgs: signature algorithms of both sides; None for OpenSSL's defaults.
    """

    minimum_version: TLSVersion
    groups: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    ciphers: str | None = None
    ciphersuites: str | None = None
    sigalgs: str | None = None


_HYBRID = ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024")
_SUITES = ":".join(
    f"{exchange}-{suite}"
    for suite in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for exchange in ("ECDHE-ECDSA", "ECDHE-RSA")
)
_USUAL = ("X25519MLKEM768", "X25519", "P-256", "P-384")

POLICIES = {
    "intermediate": Policy(
        TLSVersion.TLSv1_2, _USUAL, optional=frozenset(_HYBRID), ciphers=_SUITES
    ),
    "modern": Policy(TLSVersion.TLSv1_3, _USUAL, optional=frozenset(_HYBRID)),
    "post-quantum": Policy(TLSVersion.TLSv1_3, _HYBRID),
    "cnsa2": Policy(
        TLSVersion.TLSv1_3,
        ("MLKEM1024", "SecP384r1MLKEM1024"),
        ciphersuites="TLS_AES_256_GCM_SHA384",
        sigalgs="mldsa87",
    ),
}


class PolicySettings:
    """Named policies."""

    _settings: Settings
    configure: Callable[..., None]

    @property
    def require_group(self) -> tuple[str, ...]:
        """Groups, one of which the key exchange must use; otherwise the connection is refused.
        Empty by default: any negotiated group is accepted.

        Set it to one name, several separated by colons, or a list of names. It is checked when the
        handshake is complete, before any data is read or written: an SSLError with the reason
        GROUP_NOT_ALLOWED names the negotiated group, while `set_groups` alone would only give both
        sides an alert. It applies to resumed connections too: with TLS 1.3 to their own key
        exchange, without which none is resumed (OP_ALLOW_NO_DHE_KEX is off); up to TLS 1.2 to that
        of the session's handshake. Sessions made under another requirement are not resumed.

        Raises (when it is set):
            ValueError: this OpenSSL does not support one of the groups.
        """
        names: tuple[str, ...] = self._settings["require_group"]
        return names

    @require_group.setter
    def require_group(self, value: str | Iterable[str] | None) -> None:
        given = value.split(":") if isinstance(value, str) else [] if value is None else value
        names = tuple(map(_canonical, given))
        self._settings.change(require_group=names)

    @property
    def require_pq(self) -> bool:
        """Whether the key exchange must resist quantum computers: ML-KEM, or a hybrid with it such
        as X25519MLKEM768. Off by default. To require particular groups, see `require_group`.

        It applies to the key exchange, so that traffic recorded today stays secret; certificates
        depend on the signature algorithms instead.

        Raises (when it is set):
            NotImplementedError: this OpenSSL has no such group; 3.5 and later do.
        """
        return bool(self._settings["require_pq"])

    @require_pq.setter
    def require_pq(self, value: bool) -> None:
        if value and not any(map(has_group, POST_QUANTUM)):
            raise NotImplementedError(
                "require_pq needs a post-quantum group, which OpenSSL has from 3.5 on: tlskit "
                f"runs on {version_text()}."
            )
        self._settings.change(require_pq=bool(value))

    def set_policy(self, name: str) -> None:
        """Set protocol versions, cipher suites, groups and signature algorithms by a policy's name.

        Each policy is a set of exact settings; you may change single ones afterwards. The handshake
        fails with a peer that supports none of them.

        Args:
            name: "intermediate", for every client of the last ten years: TLS 1.2 and 1.3, only with
                forward secrecy and authenticated encryption. "modern": TLS 1.3. "post-quantum": TLS
                1.3 with hybrid groups only (such as X25519MLKEM768), so that traffic recorded today
                stays secret. "cnsa2": the algorithms of CNSA 2.0 (ML-KEM-1024, AES-256, ML-DSA-87),
                also for certificates.

        Raises:
            ValueError: there is no such policy.
            NotImplementedError: this OpenSSL lacks an algorithm of the policy; the last two need
                OpenSSL 3.5.
            RuntimeError: the context is frozen.
        """
        policy = POLICIES.get(name)
        if policy is None:
            raise ValueError(f"policy must be {', '.join(map(repr, POLICIES))}, got {shown(name)}")
        groups = [group for group in policy.groups if has_group(group)]
        missing = [g for g in policy.groups if g not in groups and g not in policy.optional]
        if missing:
            raise NotImplementedError(
                f"policy {name!r} needs {', '.join(missing)}, which OpenSSL has from 3.5 on: "
                "tlskit "
                f"runs on {version_text()}."
            )
        settings: dict[str, Any] = {
            "maximum_version": TLSVersion.MAXIMUM_SUPPORTED,
            "minimum_version": policy.minimum_version,
            "groups": ":".join(groups),
        }
        for argument in ("ciphers", "ciphersuites"):
            if (value := getattr(policy, argument)) is not None:
                settings[argument] = value
        if policy.sigalgs is not None:
            settings["client_sigalgs"] = settings["server_sigalgs"] = policy.sigalgs
        self.configure(**settings)


_ALIASES = {
    "p-256": "secp256r1", "prime256v1": "secp256r1", "p-384": "secp384r1", "p-521": "secp521r1",
}  # fmt: skip
_KNOWN = {name.lower(): name for name in (*GROUPS.values(), *POST_QUANTUM)}


def _canonical(name: object) -> str:
    """Return the TLS name of a group."""
    if not isinstance(name, str):
        raise TypeError(f"require_group must hold names, got {type(name).__name__}")
    if not name or ":" in name or "\0" in name or not has_group(name):
        raise ValueError(f"require_group: this OpenSSL has no group {shown(name)}")
    lower = name.lower()
    lower = _ALIASES.get(lower, lower)
    return _KNOWN.get(lower, name)


@remembered(256)
def has_group(name: str) -> bool:
    """Return whether this OpenSSL supports a key exchange group of this name."""
    try:
        Context("any").set_groups(name.encode())
    except SSLError:
        return False
    return True
