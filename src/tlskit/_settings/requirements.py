"""What a context requires of its peers besides a valid chain: pins, a callback, trusted CAs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable

from _tlsbind import CONST

from .._core.certificate import Certificate
from .._core.der import split
from .._lazy import LateName, late_names
from .._state import Settings
from .._trust_store import TrustStore
from . import sources
from .arguments import callback_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._connection.object import SSLObject
    from .._connection.socket import SSLSocket
else:
    SSLObject, SSLSocket = late_names("tlskit", "SSLObject SSLSocket")
    Any = LateName("typing", "Any")

_DIGEST = 32  # bytes of SHA-256
_BASE64 = 44  # characters of that in base64
Name = tuple[tuple[tuple[str, str], ...], ...]


class RequirementSettings:
    """Pins, the trust store as a value, and the authorities that a server names to its clients."""

    _settings: Settings

    @property
    def trust_store(self) -> TrustStore:
        """The authorities that this context trusts, as a value that other contexts can share.

        Setting it replaces everything that was loaded before.
        """
        return TrustStore._of(self._settings.trust)

    @trust_store.setter
    def trust_store(self, value: TrustStore) -> None:
        if not isinstance(value, TrustStore):
            raise TypeError(f"trust_store must be a TrustStore, got {type(value).__name__}")
        self._settings.change(trust=value._content)

    @property
    def pins(self) -> tuple[bytes, ...]:
        """SHA-256 digests, one of which must be in the peer's verified chain. Each is the digest of
        a public key (SubjectPublicKeyInfo) or of a whole certificate. If empty, no pin is required.

        A chain must pass verification and also contain a pinned key. Set it to digests of 32 bytes,
        or to text: 64 hexadecimal digits (colons between them are allowed), or "sha256/BASE64", the
        format of curl and HTTP pins. Pin a second key, kept in a separate place, in case the first
        has to be replaced. Sessions made under other pins are not resumed.

        Raises (when it is set):
            ValueError: a pin is not a SHA-256 digest, or verify_mode is CERT_NONE, where nothing is
                verified.
        """
        pins: tuple[bytes, ...] = self._settings["pins"]
        return pins

    @pins.setter
    def pins(self, value: Iterable[str | bytes]) -> None:
        given = (value,) if isinstance(value, (str, bytes)) else value
        digests = tuple(sorted({_digest(one) for one in given}))
        with self._settings.held():
            if digests:
                check_verifies(self._settings, "pins")
            self._settings.change(pins=digests)

    @property
    def verify_callback(
        self,
    ) -> Callable[[SSLSocket | SSLObject, tuple[bytes, ...]], Awaitable[None] | None] | None:
        """Called as `verify_callback(connection, chain)` when the peer's chain has passed
        verification, including its name and the pins; None for no callback.

        The chain is a sequence of verified certificates in DER, from the peer's own to the root.
        The callback returns None to accept it, or raises to refuse it: the handshake then ends with
        an alert, and the operation on this connection raises that exception. A chain that fails
        verification is refused without a call.

        It is called for every connection, so none is resumed: clients offer no session, and servers
        accept none. It is not called where no certificate is verified: for a client without one
        under CERT_OPTIONAL, or with a pre-shared key. It runs inside the handshake, in the same
        thread, and must not use another connection that waits for this one. If a server's
        `sni_callback` sets another context, the callbacks of both contexts are called.

        It may be `async def` on connections of `tlskit.aio` (also through `aio.install()`). It then
        suspends only its own handshake, for `callback_timeout` seconds at most. On a server, the
        client's handshake is complete by then, so a refused client is disconnected without an
        alert; nothing that it sent is read before that. Any other connection refuses such a
        callback when it is created.

        It may also return a future of `concurrent.futures`, which is completed with None, or with
        an exception to refuse the chain. A blocking socket waits for it. A client's connection in
        memory or over a non-blocking socket raises SSLWantReadError until the future is done: call
        the operation again then. A server's refuses a future that is not done, except on
        connections of `tlskit.aio`, because OpenSSL cannot pause there. `callback_timeout` limits
        this, too.

        Raises (when it is set):
            ValueError: verify_mode is CERT_NONE, where nothing is verified.
            TypeError: the value is not callable.

        Corresponds to SSL_CTX_set_cert_verify_callback(3) and SSL_set_retry_verify(3).
        """
        callback: Callable[..., None] | None = self._settings["verify_callback"]
        return callback

    @verify_callback.setter
    def verify_callback(self, callback: Callable[..., Any] | None) -> None:
        callback_or_none(callback, "verify_callback", awaited=True)
        with self._settings.held():
            if callback is not None:
                check_verifies(self._settings, "verify_callback")
            self._settings.change(verify_callback=callback)

    @property
    def client_ca_names(self) -> tuple[Name, ...]:
        """The authorities that a server names when it requests a client certificate, in the format
        of a `getpeercert()` subject. They only help a client choose between several certificates;
        which ones the server accepts depends on what it trusts.

        Set it to CA certificates, each in any form that `add_certificate` takes, or to a
        TrustStore. Empty by default. Corresponds to SSL_CTX_set_client_CA_list(3).
        """
        ders: tuple[bytes, ...] = self._settings["client_ca_names"] or ()
        return tuple(Certificate.from_der(der).fields().get("subject", ()) for der in ders)

    @client_ca_names.setter
    def client_ca_names(self, value: Any) -> None:
        if isinstance(value, TrustStore):
            ders = value.authorities()
        else:
            joined = sources.chain("client_ca_names", value)
            ders = list(split(joined))
        self._settings.change(client_ca_names=tuple(ders))


def check_verifies(settings: Settings, name: str) -> None:
    """Refuse a setting that has no meaning where nothing is verified."""
    if settings["verify_mode"] == CONST.SSL_VERIFY_NONE:
        verb = "need" if name.endswith("s") else "needs"
        raise ValueError(f"{name} {verb} a verify_mode other than CERT_NONE")


def _digest(pin: str | bytes) -> bytes:
    if isinstance(pin, (bytes, bytearray)):
        raw = bytes(pin)
    elif not isinstance(pin, str):
        raise TypeError(f"a pin must be bytes or text, got {type(pin).__name__}")
    else:
        try:
            if pin.startswith("sha256/"):
                text = pin.removeprefix("sha256/")
                if len(text) > _BASE64:  # curl's form, "sha256//"; the digest may begin with / too
                    text = text.removeprefix("/")
                raw = base64.b64decode(text, validate=True)
            else:
                raw = bytes.fromhex(pin.replace(":", ""))
        except (ValueError, binascii.Error):
            raise ValueError(
                "a pin must be 64 hexadecimal digits or sha256/BASE64, got other text"
            ) from None
    if len(raw) != _DIGEST:
        raise ValueError(f"a pin must be a SHA-256 digest of {_DIGEST} bytes, got {len(raw)}")
    return raw
