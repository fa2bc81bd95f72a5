"""Which certificate is shown, when a program decides that for each connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from os import urandom
from typing import TYPE_CHECKING, Any

from .._state import Settings
from .._state.values import CertificateChoice
from .arguments import callback_or_none

if TYPE_CHECKING:
    from typing import TypeAlias

    from .._connection.requests import CertificateRequest
    from .certified import CertifiedKey

    Shown: TypeAlias = "CertifiedKey | tuple[Any, ...] | list[Any] | None"
    CertificateCallback: TypeAlias = "Callable[[Any, CertificateRequest], Shown | Awaitable[Shown]]"


class ChoosingSettings:
    """The callback that chooses certificates."""

    _settings: Settings

    @property
    def certificate_callback(self) -> CertificateCallback | None:
        """Called as `certificate_callback(connection, request)` when a certificate is to be shown:
        on a client when the server asks for one, also after the handshake, and on a server when it
        has read the ClientHello and will not resume a session.

        `request` is a `CertificateRequest`: the authorities and the signature algorithms that the
        peer accepts, and the server name. The callback returns a `CertifiedKey`, or a tuple of what
        `add_certificate` takes (certificate, key, chain); a list of several, for different kinds of
        keys; an empty list to show none; or None to show what the context has. Prefer a
        `CertifiedKey`: it is read only once.

        It may be `async def` on connections of `tlskit.aio`, as `client_hello_callback` may, or
        return a future of `concurrent.futures`, as `verify_callback` may on a client. What
        it raises comes out of the operation on this connection, and the peer gets an alert. If a
        server's `sni_callback` sets another context, the callback of that one is called.

        A client under it offers no session: the server would take it for whom it was before. A
        server resumes only sessions that were made under the same setting, in this context or a
        copy of it.

        Raises:
            TypeError: the value is not callable.

        Corresponds to SSL_CTX_set_cert_cb(3).
        """
        choice: CertificateChoice | None = self._settings["certificate_callback"]
        return None if choice is None else choice.callback

    @certificate_callback.setter
    def certificate_callback(self, callback: CertificateCallback | None) -> None:
        from .certified import as_credentials

        given = callback_or_none(callback, "certificate_callback", awaited=True)
        self._settings.change(
            certificate_callback=None
            if given is None
            else CertificateChoice(given, urandom(16), as_credentials)
        )
