"""Credential: the owner of a tk_credential, a certificate with its chain and its private key."""

from __future__ import annotations

from .certificate import Certificate
from .fault import from_queue
from .native import ffi, lib, listed, owned


class PasswordWanted(Exception):
    """The private key is encrypted, and no password was given."""


class Credential:
    """A certificate, its chain and its key, read whole and checked against each other. Immutable;
    any number of contexts share it.

    Args:
        chain: the certificate and after it its chain, in PEM.
        key: the private key in PEM.
        password: of the key; None: none is given.

    Attributes:
        kind: of the key, by OpenSSL's name. A context has one credential of each kind.
        names: 32 bytes that stand for the names in the certificate. A new one for the same names
            has the same.
        subject: 32 bytes that stand for its subject, its issuer and its names.

    Raises:
        PasswordWanted: the key is encrypted and `password` is None.
        ValueError: the password is longer than OpenSSL takes.
        SSLError: one of them cannot be read, or does not go with the other.
    """

    __slots__ = ("_credential", "kind", "names", "subject")

    def __init__(self, chain: bytes, key: bytes, password: bytes | None) -> None:
        fault, out = ffi.new("tk_fault *"), ffi.new("tk_credential **")
        given, size = (ffi.NULL, -1) if password is None else (password, len(password))
        status = lib.tk_credential_new(chain, len(chain), key, len(key), given, size, out, fault)
        if status == lib.TK_PASSWORD:
            raise PasswordWanted
        if status == lib.TK_PASSWORD_LONG:
            raise ValueError("password cannot be longer than 1024 bytes")
        if status < 0:
            raise from_queue(fault)
        self._credential = owned(out[0], lib.tk_credential_free)
        facts = ffi.new("tk_credential_facts *")
        lib.tk_credential_facts_of(self._credential, facts)
        self.kind: str = ffi.string(facts.kind).decode()
        self.names: bytes = bytes(ffi.buffer(facts.names))
        self.subject: bytes = bytes(ffi.buffer(facts.subject))

    def certificates(self) -> list[Certificate]:
        """The certificate and its chain."""
        found = listed(lambda out: lib.tk_credential_chain(self._credential, out))
        return [Certificate.from_der(der) for _, der in found]
