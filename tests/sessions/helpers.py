"""Earning and spending sessions of every kind, over memory and over sockets; and an authority that
revokes.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

import tlskit

from ..support.pairs import Background, client_context, memory_pair, only, server_context
from ..support.pki import PKI, Identity


@dataclass(frozen=True)
class Kind:
    """What a session is resumed by."""

    name: str
    version: tlskit.TLSVersion
    tickets: bool
    """Whether the ticket holds the session, or only names it in the server's cache."""

    @property
    def modern(self) -> bool:
        return self.version is tlskit.TLSVersion.TLSv1_3

    @property
    def brought(self) -> int:
        """How many sessions a full handshake brings a client."""
        return 2 if self.modern else 1


KINDS = [
    Kind("tls12-id", tlskit.TLSVersion.TLSv1_2, False),
    Kind("tls12-ticket", tlskit.TLSVersion.TLSv1_2, True),
    Kind("tls13-stateful", tlskit.TLSVersion.TLSv1_3, False),
    Kind("tls13-ticket", tlskit.TLSVersion.TLSv1_3, True),
]


def server_for(
    kind: Kind, pki: PKI, *, identity: Identity | None = None, module: ModuleType = tlskit
) -> Any:
    """A server's context that gives sessions of this kind."""
    context = server_context(pki, identity=identity, module=module)
    only(kind.version, context)
    if not kind.tickets:
        context.options |= module.OP_NO_TICKET
    return context


def client_for(kind: Kind, pki: PKI, *, module: ModuleType = tlskit) -> Any:
    """A client's context that trusts the root."""
    context = client_context(pki, module=module)
    only(kind.version, context)
    return context


class Link:
    """A way to connect two contexts. What it connected stays open until `close`."""

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self._open = contextlib.ExitStack()

    def connect(
        self, client: Any, server: Any, *, hostname: str | None = "localhost", session: Any = None
    ) -> tuple[Any, Any]:
        """Two ends after their handshake, the client's first, which has read its tickets."""
        if self.transport == "memory":
            return memory_pair(client, server, hostname=hostname, session=session)
        plain, other = socket.socketpair()
        for one in (plain, other):
            one.settimeout(20)
        accepting = Background(lambda: server.wrap_socket(other, server_side=True))
        try:
            near = self._open.enter_context(
                client.wrap_socket(plain, server_hostname=hostname, session=session)
            )
        except BaseException:
            plain.close()
            if accepting.error is None:
                accepting.result().close()
            other.close()
            raise
        far = self._open.enter_context(accepting.result())
        far.sendall(b"x")
        assert near.recv(1) == b"x"
        return near, far

    def earn(
        self, client: Any, server: Any, *, hostname: str | None = "localhost"
    ) -> tlskit.SSLSession:
        """The session that a full handshake leaves to the client."""
        near, _ = self.connect(client, server, hostname=hostname)
        assert not near.session_reused
        return near.session

    def close(self) -> None:
        self._open.close()


def greet(near: Any, far: Any) -> None:
    """Show that bytes go both ways."""
    far.write(b"hello")
    assert near.read(5) == b"hello"
    near.write(b"and you")
    assert far.read(7) == b"and you"


def hello(end: Any, outgoing: Any) -> bytes:
    """The ClientHello of an in-memory client."""
    with contextlib.suppress(tlskit.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()


def aged(session: tlskit.SSLSession, seconds: int) -> tlskit.SSLSession:
    """The same session, made so much earlier, bound and belonging as before."""
    return session.with_times(time=session.time - seconds)


def outcome(work: Any) -> tuple[str, Any]:
    """What a call comes to: its value, or the class and words of its exception."""
    try:
        return "gave", work()
    except Exception as error:
        return type(error).__name__, str(error)


def drained(end: Any) -> bytes:
    """All that an in-memory end can read now."""
    got = b""
    with contextlib.suppress(tlskit.SSLWantReadError):
        while data := end.read(65536):
            got += data
    return got


def alone(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this in an interpreter of its own, which finds what this one finds, and may crash."""
    paths = os.pathsep.join([str(Path(__file__).resolve().parents[2]), *filter(None, sys.path)])
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    try:
        return subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError("the other interpreter did not end") from error


class Authority:
    """A root with the means to make odd certificates and to revoke them."""

    def __init__(self, folder: Path, name: str = "An authority") -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._build(self.name, self.key.public_key(), authority=True)
        self.root = folder / f"{name}.pem"
        self.root.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self._issued = 0

    def issue(
        self,
        *names: str,
        bits: int = 0,
        not_after: datetime.datetime | None = None,
        common_name: str | None = None,
    ) -> tuple[Identity, x509.Certificate]:
        """A certificate for DNS names; with an RSA key when `bits` are given."""
        key: Any = (
            rsa.generate_private_key(65537, bits)
            if bits
            else ec.generate_private_key(ec.SECP256R1())
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or "A server")])
        certificate = self._build(subject, key.public_key(), names=names, not_after=not_after)
        self._issued += 1
        paths = [
            self.folder / f"leaf{self._issued}.{part}.pem" for part in ("chain", "key", "both")
        ]
        text = certificate.public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        for path, content in zip(paths, (text, secret, secret + text), strict=True):
            path.write_bytes(content)
        return Identity(*paths), certificate

    def revoke(self, *certificates: x509.Certificate) -> Path:
        """A file with the list of what is revoked; the longer list is the newer one, which
        counts.
        """
        now = datetime.datetime.now(datetime.timezone.utc)
        made = now - datetime.timedelta(days=1) + datetime.timedelta(hours=len(certificates))
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(made)
        builder = builder.next_update(now + datetime.timedelta(days=30))
        builder = builder.add_extension(x509.CRLNumber(1 + len(certificates)), critical=False)
        for certificate in certificates:
            one = (
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(now)
            )
            builder = builder.add_revoked_certificate(one.build())
        path = self.folder / f"revoked{len(certificates)}.crl.pem"
        path.write_bytes(
            builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _build(
        self,
        subject: x509.Name,
        key: Any,
        *,
        names: tuple[str, ...] = (),
        authority: bool = False,
        not_after: datetime.datetime | None = None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
        )
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(
            now - datetime.timedelta(days=1)
        )
        builder = builder.not_valid_after(not_after or now + datetime.timedelta(days=30))
        builder = builder.add_extension(
            x509.BasicConstraints(ca=authority, path_length=None), critical=True
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
            )
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key), critical=False
        )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
            critical=False,
        )
        if authority:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self.key, hashes.SHA256())
