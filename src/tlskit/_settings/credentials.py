"""Credentials of a context: certificates with their keys, and pre-shared keys."""

from __future__ import annotations

from collections.abc import Callable
from os import urandom as token_bytes

from .._core.credential import DER, PEM, Credential, PasswordWanted, Source
from .._core.fault import plain_error
from .._core.library import require
from .._core.paths import without_values
from .._core.psk import PreSharedKey
from .._core.wiping import wipe
from .._lazy import LateName
from .._state import Settings
from .._state.coroutines import is_coroutine_function
from .._state.values import PreSharedKeys
from ..enums import _SSLMethod
from ..errors import SSLError
from . import sources
from .arguments import password_of, words
from .chains import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = LateName("typing", "Any")


class CredentialSettings:
    """Own certificates with chains and keys, and pre-shared keys."""

    _settings: Settings
    _protocol: _SSLMethod

    @without_values
    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        """Load a certificate, its chain and its private key. Certificates with other key types can
        be loaded beside it.

        Args:
            certfile: the path of a file with the certificate followed by its chain, in PEM or DER;
                or anything else that `add_certificate` takes: PEM or DER itself, an object of
                `cryptography`, a URI.
            keyfile: the private key in any of these forms; by default it is with the certificate.
            password: for an encrypted key: text, bytes, or a function that returns either, which is
                called only if needed.

        Raises:
            OSError: a file cannot be read.
            SSLError: there is no certificate or key in it, they do not match, or they are too weak
                for `security_level`.
            ValueError: the password is longer than 1024 bytes.
            TypeError: an argument has the wrong type.

        If it fails, the previous certificate stays.
        """
        self._use(load(certfile, keyfile, password))

    @without_values
    def add_certificate(
        self, certificate: Any, key: Any = None, chain: Any = (), *, password: Any = None
    ) -> None:
        """Use this certificate, and replace the one with the same type of key, if there is one.

        A context may have one certificate per key type (RSA, ECDSA, Ed25519, ML-DSA), each with its
        chain; the handshake uses one that the peer can verify. This is stricter than
        `load_cert_chain`: it refuses what peers would refuse.

        Args:
            certificate: a path, PEM or DER bytes, PEM text, a certificate of `cryptography` or
                pyOpenSSL, a URI for OSSL_STORE (`pkcs11:`, `file:`), or a `CertifiedKey`. Its chain
                may follow it.
            key: the private key in any of these forms; by default it is with the certificate.
            chain: further certificates, each in any of these forms: the issuer of the certificate
                first, then the issuer's issuer.
            password: for an encrypted key: text, bytes, or a function that returns either.

        Raises:
            OSError: a file cannot be read.
            SSLError: one of them cannot be parsed, or the key belongs to another certificate, is
                encrypted, or is too weak for `security_level`.
            ValueError: the certificate has expired, or the chain is out of order.
            TypeError: an argument has the wrong type.

        If it fails, the previous certificate stays. Corresponds to SSL_CTX_use_cert_and_key(3).
        """
        shared = getattr(certificate, "_credential", None)  # a CertifiedKey's
        if not isinstance(shared, Credential):
            shared = read_checked(certificate, key, chain, password)
        elif key is not None or chain or password is not None:
            raise TypeError("a CertifiedKey already has its key and its chain")
        self._use(shared)

    @without_values
    def load_pkcs12(self, file: Any, password: Any = None) -> None:
        """Use the certificate, key and chain of a PKCS#12 file (.p12, .pfx).

        The certificates in such a file have no order. The chain begins with the certificate of the
        key; certificates that do not belong to its chain are left out.

        Args:
            file: its path, or its bytes.
            password: text, bytes, or a function that returns either; None if there is none.

        Raises:
            OSError, SSLError, ValueError, TypeError: as `add_certificate`. Files of old programs
                may be encrypted with RC2, which only OpenSSL 3's legacy provider has.

        If it fails, the previous certificate stays. Corresponds to PKCS12_parse(3).
        """
        credential = _read(sources.pkcs12("file", file), None, password)
        check(credential.certificates())
        self._use(credential)

    def _use(self, credential: Credential) -> None:
        """Use this certificate, and replace the one with the same type of key."""
        with self._settings.held():
            others = (c for c in self._settings["credentials"] if c.kind != credential.kind)
            self._settings.change(credentials=(*others, credential))

    def set_psk_client_callback(
        self,
        callback: Callable[[str | None], tuple[str | bytes | None, bytes | PreSharedKey] | None]
        | None,
    ) -> None:
        """Authenticate a client's connections by a pre-shared key, beside or instead of
        certificates (RFC 4279, RFC 8446 4.2.11).

        When a key is used, the server sends no certificate, so neither its name nor its chain is
        verified, whatever `verify_mode` says. Such a context offers no sessions: a handshake with a
        key is as short as a resumption.

        Args:
            callback: called in the handshake as `callback(hint)`, with the server's identity hint
                or None (always None in TLS 1.3). It returns the identity and the key. The identity
                is str, bytes, or None for an empty one: up to 4096 bytes of any kind in TLS 1.3,
                and up to 255 bytes without a zero byte in TLS 1.2. The key is bytes, up to 512, for
                SHA-256; or a `PreSharedKey`, which names the hash. None or an empty key means to
                use no key. Passing None instead of a callback removes it.

        Raises:
            SSLError: the context is a server's.
            TypeError: the callback is not callable.
            NotImplementedError: OpenSSL was built without pre-shared keys.

        The operation that makes the handshake raises what the callback raises, and TypeError or
        ValueError for an unusable answer; the stdlib hides them.
        Corresponds to SSL_CTX_set_psk_client_callback(3).
        """
        require("PSK", "set_psk_client_callback()")
        if self._protocol is _SSLMethod.PROTOCOL_TLS_SERVER:
            raise plain_error("Cannot add PSK client callback to a PROTOCOL_TLS_SERVER context")
        _check_callable(callback)
        self._settings.change(psk_client=_keys(callback, None))

    def set_psk_server_callback(
        self,
        callback: Callable[[Any], bytes | PreSharedKey | None] | None,
        identity_hint: str | None = None,
        *,
        raw_identity: bool = False,
    ) -> None:
        """Authenticate a server's clients by pre-shared keys. See `set_psk_client_callback`.

        Sessions made under one callback are not resumed under another one, nor without one.

        Args:
            callback: called in the handshake as `callback(identity)`, with the client's identity
                (None for an empty one). It returns that identity's key: bytes, up to 512, or a
                `PreSharedKey`; None or an empty key refuses the client. Passing None instead of a
                callback removes it. Afterwards, the connection's `psk_identity` is the client's
                identity. OpenSSL chooses the cipher suite before it asks, and prefers one with
                SHA-256: a server whose keys are for SHA-384 also needs
                `set_ciphersuites("TLS_AES_256_GCM_SHA384")`.
            identity_hint: tells a TLS 1.2 client which identity is wanted: up to 256 bytes in
                UTF-8.
            raw_identity: pass identities as bytes, of any length and content. In TLS 1.3 a client
                sends tickets in the same place, so the callback is called with tickets too, and
                must return None for whatever it does not know. Without it, identities that are not
                UTF-8, or have more than 256 bytes, are unknown.

        Raises:
            SSLError: the context is a client's.
            TypeError, ValueError: an argument is not valid; nothing has changed then.
            NotImplementedError: OpenSSL was built without pre-shared keys.

        Corresponds to SSL_CTX_set_psk_server_callback(3) and SSL_CTX_use_psk_identity_hint(3).
        """
        require("PSK", "set_psk_server_callback()")
        hint = None if identity_hint is None else words(identity_hint)
        if self._protocol is _SSLMethod.PROTOCOL_TLS_CLIENT:
            raise plain_error("Cannot add PSK server callback to a PROTOCOL_TLS_CLIENT context")
        _check_callable(callback)
        self._settings.change(psk_server=_keys(callback, hint, raw_identity=raw_identity))


def read_checked(certificate: Any, key: Any, chain: Any, password: Any) -> Credential:
    """Read what `add_certificate` takes, and refuse what peers would refuse."""
    shown = sources.certificate("certificate", certificate)
    given = None if key is None else sources.key("key", key)
    if given is None and shown.form in (PEM, DER):
        given = shown
    above = sources.chain("chain", chain)
    if above:
        shown = Source(DER, sources.in_der("certificate", shown) + above)
    credential = _read(shown, given, password)
    check(credential.certificates())
    return credential


def load(certfile: Any, keyfile: Any, password: Any) -> Credential:
    """Read the arguments of `load_cert_chain`. A `password` function is called only if needed."""
    chain = sources.certificate("certfile", certfile)
    beside = chain if chain.form in (PEM, DER) else None
    return _read(chain, beside if keyfile is None else sources.key("keyfile", keyfile), password)


def _read(chain: Source, key: Source | None, password: Any) -> Credential:
    try:
        return _asking(chain, key, password)
    finally:
        chain.wipe()
        if key is not None:
            key.wipe()


def _asking(chain: Source, key: Source | None, password: Any) -> Credential:
    if password is not None and not callable(password):
        return _opened(chain, key, password_of(password))
    try:
        return Credential(chain, key, None)
    except PasswordWanted:
        if password is None:
            raise SSLError(1, "the private key is encrypted, and no password was given") from None
    given = password_of(password(), "password callback must return a string")
    return _opened(chain, key, given)


def _opened(chain: Source, key: Source | None, password: bytearray) -> Credential:
    try:
        return Credential(chain, key, password)
    finally:
        wipe(password)


def _keys(
    callback: Callable[[Any], object] | None, hint: bytes | None, *, raw_identity: bool = False
) -> PreSharedKeys | None:
    if callback is None:
        return None
    return PreSharedKeys(callback, token_bytes(16), hint, raw_identity)


def _check_callable(callback: object) -> None:
    if callback is not None and not callable(callback):
        raise TypeError("callback must be callable")
    if is_coroutine_function(callback):
        raise TypeError(
            "a PSK callback cannot be a coroutine function (async def): OpenSSL cannot wait for a "
            "pre-shared key. Use a plain function"
        )
