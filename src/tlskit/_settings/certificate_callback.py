"""A callback that chooses the certificate to send for each connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from os import urandom

from .._lazy import LateName, late_names
from .._state import Settings
from .._state.values import CertificateChoice
from .arguments import callback_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._connection.requests import CertificateRequest
    from .certified_key import CertifiedKey
else:
    CertificateRequest, CertifiedKey = late_names("tlskit", "CertificateRequest CertifiedKey")
    Any = LateName("typing", "Any")

CertificateCallback = Callable[
    [Any, "CertificateRequest"],
    "CertifiedKey | tuple[Any, ...] | list[Any]"
    " | Awaitable[CertifiedKey | tuple[Any, ...] | list[Any] | None] | None",
]


class CertificateCallbackSettings:
    """The callback that chooses certificates."""

    _settings: Settings

    @property
    def certificate_callback(self) -> CertificateCallback | None:
        """Called as `certificate_callback(connection, request)` when this side needs a certificate:
        on a client when the server requests one, also after the handshake; on a server once it has
        read the ClientHello, unless it resumes a session.

        `request` is a `CertificateRequest`: the authorities and signature algorithms that the peer
        accepts, and the server name. The callback returns a `CertifiedKey`, or a tuple with the
        arguments of `add_certificate` (certificate, key, chain); a list of several, for different
        types of keys; an empty list to send none; or None to use the context's certificates. Prefer
        a `CertifiedKey`, which is parsed only once.

        It may be `async def` on connections of `tlskit.aio`, as `client_hello_callback` may, or
        return a future of `concurrent.futures`, as `verify_callback` may. If it raises,
        the operation on this connection raises that exception, and the peer gets an alert. If a
        server's `sni_callback` sets another context, that context's callback is called.

        A client with this callback offers no session: the server would assume the identity from the
        earlier handshake. A server resumes only sessions made under the same setting, in this
        context or a copy of it.

        Raises:
            TypeError: the value is not callable.

        Corresponds to SSL_CTX_set_cert_cb(3).
        """
        choice: CertificateChoice | None = self._settings["certificate_callback"]
        return None if choice is None else choice.callback

    @certificate_callback.setter
    def certificate_callback(self, callback: CertificateCallback | None) -> None:
        from .certified_key import as_credentials

        given = callback_or_none(callback, "certificate_callback", awaited=True)
        self._settings.change(
            certificate_callback=None
            if given is None
            else CertificateChoice(given, urandom(16), as_credentials)
        )
