"""What a context shows of itself: certificates with their keys."""

from __future__ import annotations

from typing import Any

from .._core.context import Context, PasswordWanted
from ..errors import SSLError
from .arguments import content_of, password_of


class CredentialSettings:
    """The own certificate, its chain and its key."""

    _core: Context

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        """Put a certificate, its chain and its private key in. Another key type may be put in beside it.

        Args:
            certfile: a file with the certificate, and after it its chain, in PEM.
            keyfile: a file with the private key in PEM; the certificate's file when left out.
            password: for an encrypted key: text, bytes, or a function that gives either; called only when needed.

        Raises:
            OSError: a file cannot be read.
            SSLError: what it holds is no certificate or key, they do not match, or are too weak for `security_level`.
            ValueError: the password is longer than 1024 bytes.
            TypeError: an argument has the wrong type.

        On any error, the certificate that was there before stays.
        """
        chain = content_of("certfile", certfile)
        key = chain if keyfile is None else content_of("keyfile", keyfile)
        if password is not None and not callable(password):
            return self._core.use_chain(chain, key, password_of(password))
        try:
            return self._core.use_chain(chain, key, None)
        except PasswordWanted:
            if password is None:
                raise SSLError(1, "the private key is encrypted, and no password was given") from None
        return self._core.use_chain(chain, key, password_of(password(), "password callback must return a string"))
