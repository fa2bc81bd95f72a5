"""The owner of a tk_credential: a certificate with its chain and its private key."""

from __future__ import annotations

from ..errors import SSLError
from .certificate import Certificate
from .fault import from_queue
from .native import ffi, lib, listed, owned
from .wiping import wipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from .._frozen import NamedTuple


class PasswordWanted(Exception):
    """The private key is encrypted, and no password was given."""


class Source(NamedTuple):
    """Bytes and their format: PEM, DER, PKCS12, or the text of a URI."""

    form: int
    data: bytes | bytearray

    def __repr__(self) -> str:
        return f"<Source of {len(self.data)} bytes>"  # the bytes may be a key

    def wipe(self) -> None:
        """Overwrite the bytes, if they are tlskit's own copy."""
        wipe(self.data)


_PIN = r"(pin-value=)[^;&?]*"

PEM, DER, PKCS12, URI = lib.TK_FORM_PEM, lib.TK_FORM_DER, lib.TK_FORM_PKCS12, lib.TK_FORM_URI


class Credential:
    """A certificate, its chain and its key, parsed together and checked against each other.
    Immutable; any number of contexts can share it.

    Args:
        chain: the source of the certificate and its chain.
        key: the source of the private key; None if the first source contains it (PKCS#12, a URI).
        password: the key's password, or None.

    Attributes:
        kind: the type of the key, by OpenSSL's name. A context has one credential of each type.
        names: 32 bytes that stand for the names in the certificate. A new certificate for the same
            names has the same value.
        subject: 32 bytes that stand for its subject, its issuer and its names.

    Raises:
        PasswordWanted: the key is encrypted and `password` is None.
        ValueError: the password is longer than OpenSSL allows.
        SSLError: a part cannot be parsed, or the key does not match the certificate.
    """

    __slots__ = ("_credential", "kind", "names", "subject")

    def __init__(self, chain: Source, key: Source | None, password: bytearray | None) -> None:
        fault, out = ffi.new("tk_fault *"), ffi.new("tk_credential **")
        given, size = ffi.NULL, -1
        if password is not None:
            given, size = ffi.from_buffer(password), len(password)
        sources = ffi.new("tk_source *"), ffi.new("tk_source *")
        buffers = []  # buffers that the sources point to
        for source, one in zip(sources, (chain, key), strict=True):
            if one is not None:
                buffers.append(ffi.from_buffer(one.data))
                source.form, source.data, source.size = one.form, buffers[-1], len(one.data)
        status = lib.tk_credential_from(*sources, given, size, out, fault)
        if status == lib.TK_PASSWORD:
            raise PasswordWanted
        if status == lib.TK_PASSWORD_LONG:
            raise ValueError("password cannot be longer than 1024 bytes")
        if status < 0:
            encrypted = status == lib.TK_PASSWORD_WRONG
            from .diagnosis import explain_loading

            error = explain_loading(from_queue(fault), fault, encrypted=encrypted)
            if any(one is not None and one.form == URI for one in (chain, key)):
                _hide_pins(error)
            raise error
        self._credential = owned(out[0], lib.tk_credential_free)
        facts = ffi.new("tk_credential_facts *")
        lib.tk_credential_facts_of(self._credential, facts)
        self.kind: str = ffi.string(facts.kind).decode()
        self.names: bytes = bytes(ffi.buffer(facts.names))
        self.subject: bytes = bytes(ffi.buffer(facts.subject))

    def unsigned(self) -> int | None:
        """Return the index of the first certificate that is not signed by the key of the next one,
        counting from 0; None if the chain is sound. Corresponds to X509_verify(3).
        """
        found: int = lib.tk_credential_unsigned(self._credential)
        return None if found < 0 else found

    def certificates(self) -> list[Certificate]:
        """Return the certificate and its chain."""
        found = listed(lambda out: lib.tk_credential_chain(self._credential, out))
        return [Certificate.from_der(der) for _, der in found]


def _hide_pins(error: SSLError) -> None:
    """OpenSSL repeats a URI that it cannot open, and the PIN of a token may be in it (RFC 7512)."""
    import re

    error.errors = tuple(  # type: ignore[attr-defined]
        entry._replace(data=re.sub(_PIN, r"\1...", entry.data))
        for entry in error.errors  # type: ignore[attr-defined]
    )
