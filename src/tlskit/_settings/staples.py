"""Stapled OCSP responses: whether a client requests them, and which ones a server sends."""

from __future__ import annotations

from time import gmtime, strftime

from _tlsbind import CONST

from .._digest import sha256
from .._lazy import LateName
from .._state import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._core.certificate import Certificate
else:
    Any = LateName("typing", "Any")

_MOST = 65535  # bytes of a response: it must fit into a handshake message


class StapleSettings:
    """OCSP stapling (RFC 6066, 8)."""

    _settings: Settings

    @property
    def request_staple(self) -> bool:
        """Whether a client asks its server for a staple, an OCSP response for its certificate. Off
        by default; `require_staple` turns it on.

        `info.ocsp_response` and `info.staple` hold the result. The handshake fails if a verified
        staple says that the certificate is revoked, or if the certificate requires a staple
        (must-staple, RFC 7633) and there is none that says it is good. Nothing is ever fetched:
        otherwise a server without a staple is accepted. Corresponds to
        SSL_set_tlsext_status_type(3).
        """
        return bool(self._settings["staple"])

    @request_staple.setter
    def request_staple(self, value: bool) -> None:
        with self._settings.held():
            if value and not self.require_staple:
                self._settings.change(staple="requested")
            elif not value:
                self._settings.change(staple="")

    @property
    def require_staple(self) -> bool:
        """Whether a client accepts only servers that send a staple, an OCSP response that says that
        the certificate is good, is signed by the issuer or its delegate, and is in date. Off by
        default.

        A resumed handshake carries no certificate and no staple. Therefore a session is resumed
        only while the staple of its full handshake is in date, and sessions made without this
        setting are never resumed. Setting it to False leaves `request_staple` on.

        Raises (when it is set):
            ValueError: verify_mode is CERT_NONE, where nothing is verified.
        """
        return bool(self._settings["staple"] == "required")

    @require_staple.setter
    def require_staple(self, value: bool) -> None:
        with self._settings.held():
            if value and self._settings["verify_mode"] == CONST.SSL_VERIFY_NONE:
                raise ValueError("require_staple needs a verify_mode other than CERT_NONE")
            if value:
                self._settings.change(staple="required")
            elif self.require_staple:
                self._settings.change(staple="requested")

    @property
    def ocsp_responses(self) -> tuple[bytes, ...]:
        """The OCSP responses that a server staples to its certificates, in DER. See
        `set_ocsp_response`.
        """
        held: tuple[tuple[bytes, int, bytes], ...] = self._settings["ocsp_responses"]
        return tuple(response for _, _, response in held)

    def set_ocsp_response(self, response: Any) -> None:
        """Staple an OCSP response to the certificate of this server that it is for.

        Clients that request one get it until it expires, and then none; set the next one in time,
        from any thread. With several certificates, call this once for each. After a certificate is
        replaced, for example by a reload, the old one's response is not sent with the new one. If
        the certificate's chain includes the issuer, the response's signature is checked.

        Args:
            response: the response in DER; None to stop stapling.

        Raises:
            ValueError: the response cannot be parsed, has expired, is not from the issuer, or is
                for none of this context's certificates. The previous responses are kept.
            TypeError: it is not bytes.
            RuntimeError: the context is frozen.

        Corresponds to SSL_set_tlsext_status_ocsp_resp(3).
        """
        with self._settings.held():
            if response is None:
                self._settings.change(ocsp_responses=())
                return
            try:
                raw = bytes(memoryview(response))
            except TypeError:
                raise TypeError(
                    f"an OCSP response must be bytes or None, got {type(response).__name__}"
                ) from None
            if len(raw) > _MOST:
                raise ValueError(f"an OCSP response must have at most {_MOST} bytes")
            digest, until = self._about(raw)
            own = {_print(chain[0]) for chain in self._chains()}
            others = (
                one
                for one in self._settings["ocsp_responses"]
                if one[0] in own and one[0] != digest
            )
            self._settings.change(ocsp_responses=(*others, (digest, until, raw)))

    def _chains(self) -> list[list[Certificate]]:
        return [one.certificates() for one in self._settings["credentials"]]

    def _about(self, response: bytes) -> tuple[bytes, int]:
        """Return the SHA-256 of the certificate that a response is for, and when it expires."""
        verdict, until = "other", -1
        for leaf, *above in self._chains():
            from .._core.staple import judge

            verdict, until = judge(leaf, above[0] if above else None, response)
            if verdict in ("good", "revoked", "unknown"):
                return _print(leaf), until
            if verdict != "other":
                break
        ended = strftime("%Y-%m-%d %H:%M UTC", gmtime(max(until, 0)))
        raise ValueError(_REFUSED[verdict].format(ended=ended))


_REFUSED = {
    "other": "the OCSP response is about none of this context's certificates",
    "malformed": "the OCSP response cannot be read: it must be DER of an OCSPResponse (RFC 6960)",
    "unsuccessful": "the OCSP response says only that the responder failed",
    "untrusted": "the OCSP response is not signed by the certificate's issuer or its delegate",
    "stale": "the OCSP response is not in date: it is good until {ended}",
}


def _print(certificate: Certificate) -> bytes:
    return sha256(certificate.der).digest()
