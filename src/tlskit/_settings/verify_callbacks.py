"""Callbacks that take part in verification, and how to handle a verification error."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .._core.verifying import ERRORS
from .._lazy import LateName, late_names
from .._shown import shown
from .._state import Settings
from .arguments import callback_or_none
from .requirements import check_verifies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._connection.certificate_check import CertificateCheck
    from .._connection.object import SSLObject
    from .._connection.socket import SSLSocket
else:
    CertificateCheck, SSLObject, SSLSocket = late_names(
        "tlskit", "CertificateCheck SSLObject SSLSocket"
    )
    Any = LateName("typing", "Any")

_PREFIX = "X509_V_ERR_"
_CODES = {name: code for code, name in ERRORS.items()}
#: Errors that cannot be accepted: a wrong signature proves nothing, and the others stand for this
#: context's own requirements, for compromised keys, or for a missing answer.
_FINAL = {
    "APPLICATION_VERIFICATION", "CERT_REJECTED", "CERT_SIGNATURE_FAILURE", "INVALID_CALL",
    "OUT_OF_MEM", "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY", "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
    "UNSPECIFIED",
}  # fmt: skip
_EFFECTS = ("abort", "report")


class VerifyCallbackSettings:
    """The callback for each certificate, the errors it may accept, and how others are handled."""

    _settings: Settings

    @property
    def verify_each(
        self,
    ) -> Callable[[SSLSocket | SSLObject, CertificateCheck], bool | None] | None:
        """Called as `verify_each(connection, check)` for each certificate that OpenSSL has checked,
        from the root to the peer's own, and for each error; None for no callback.

        It returns None to keep OpenSSL's verdict, True to go on, and False to refuse the peer; it
        may also raise to refuse. If `check` is an error, True accepts it, provided that
        `verify_accepts` lists its name: otherwise ValueError is raised and the handshake fails. The
        operation on this connection raises what the callback raised.

        A connection with an accepted error does not count as verified: `verify_result` is that
        error, and there is no verified chain. Pins, names and `verify_callback` still apply to it.
        As with `verify_callback`, no connection is resumed, the callback runs inside the handshake,
        and if a server's `sni_callback` sets another context, the callbacks of both contexts are
        called, and both must accept.

        Raises:
            ValueError: verify_mode is CERT_NONE, where nothing is verified.
            TypeError: the value is not callable, or is a coroutine function.

        Corresponds to SSL_CTX_set_verify(3).
        """
        callback: Callable[..., bool | None] | None = self._settings["verify_each"]
        return callback

    @verify_each.setter
    def verify_each(self, callback: Callable[..., bool | None] | None) -> None:
        callback_or_none(callback, "verify_each")
        with self._settings.held():
            if callback is not None:
                check_verifies(self._settings, "verify_each")
            self._settings.change(verify_each=callback)

    @property
    def verify_accepts(self) -> tuple[str, ...]:
        """The errors that `verify_each` may accept, by OpenSSL's names ("CERT_HAS_EXPIRED",
        "DEPTH_ZERO_SELF_SIGNED_CERT"). Empty by default. It has no effect without `verify_each`.

        Set it to names, with or without the prefix `X509_V_ERR_`, or to OpenSSL's numbers.

        Raises:
            ValueError: a name is unknown, or its error can never be accepted: a wrong signature, a
                rejected key, or a requirement of the context itself, such as pins.
        """
        codes: tuple[int, ...] = self._settings["verify_accepts"]
        return tuple(ERRORS[code] for code in codes)

    @verify_accepts.setter
    def verify_accepts(self, value: Iterable[str | int]) -> None:
        given = (value,) if isinstance(value, (str, int)) else value
        self._settings.change(verify_accepts=tuple(sorted({_code(one) for one in given})))

    @property
    def verify_errors(self) -> str:
        """What to do if the peer's certificate fails verification. "abort", the default, ends the
        handshake; "report" continues, and the connection's `verify_result` says what is wrong.

        With "report", the program itself must check `verify_result`. Such a connection never counts
        as verified: `getpeercert()` is empty, there is no verified chain, `info.asgi()` contains
        the error, and it cannot be resumed. Peers that pass are resumed as usual. A peer without a
        certificate is still refused under CERT_REQUIRED, and so is one that `verify_each` refuses.
        `verify_callback` is only called for chains that pass. Sessions made under the other value
        are not resumed.

        Raises:
            ValueError: the value is neither of the two.

        nginx calls this `ssl_verify_client optional_no_ca`, and Node `rejectUnauthorized`.
        """
        effect: str = self._settings["verify_errors"]
        return effect

    @verify_errors.setter
    def verify_errors(self, value: str) -> None:
        if value not in _EFFECTS:
            raise ValueError(f"verify_errors must be 'abort' or 'report', got {shown(value)}")
        self._settings.change(verify_errors=str(value))


def _code(given: Any) -> int:
    if isinstance(given, str):
        name = given.removeprefix(_PREFIX)
    elif isinstance(given, int):
        name = ERRORS.get(given, str(given))
    else:
        raise TypeError(
            f"a verification error must be a name or a number, got {type(given).__name__}"
        )
    if name not in _CODES:
        raise ValueError(
            f"{shown(given)} is not a verification error: use OpenSSL's names, such as "
            f"CERT_HAS_EXPIRED"
        )
    if name in _FINAL:
        raise ValueError(f"{name} cannot be accepted: such a chain proves nothing")
    return _CODES[name]
