"""Settings as text, for `describe`: stable, one line each, and never a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .._core.verifying import error_name
from .._digest import sha256
from ..enums import Options, SessionCacheMode, VerifyFlags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._core.credential import Credential
    from .._core.trust import TrustStore
    from .sessions import SessionSettings


def words(value: bytes) -> str:
    """Return a list in OpenSSL's notation."""
    return value.decode()


def _flags(value: Any) -> str:
    """Return the names of the bits that are set, in alphabetical order; then the rest."""
    named = sorted(str(member.name) for member in type(value) if member & value and member.name)
    rest = int(value)
    for member in type(value):
        rest &= ~int(member)
    return " ".join([*named, *([hex(rest)] if rest else [])]) or "none"


def options(value: int) -> str:
    """Return the SSL_OP_ bits."""
    return _flags(Options(value))


def staples(value: tuple[tuple[bytes, int, bytes], ...]) -> str:
    """Return OCSP responses by the certificates that they are for, and their digests."""
    shown = (
        f"SHA-256 {sha256(response).hexdigest()} for SHA-256 {certificate.hex()}"
        for certificate, _, response in value
    )
    return ", ".join(shown) or "none"


def authorities(value: tuple[bytes, ...]) -> str:
    """Return the number of names of authorities, and a digest."""
    return f"{len(value)} authorities, {digest(b''.join(value))}"


def names(value: tuple[str, ...]) -> str:
    """Return names, separated by spaces."""
    return " ".join(value) or "none"


def pins(value: tuple[bytes, ...]) -> str:
    """Return digests of keys and certificates; they are public."""
    return " ".join(one.hex() for one in value) or "none"


def verify_accepts(value: tuple[int, ...]) -> str:
    """Return errors by OpenSSL's names."""
    return " ".join(map(error_name, value)) or "none"


def verify_flags(value: int) -> str:
    """Return the X509_V_FLAG_ bits."""
    return _flags(VerifyFlags(value))


def alpn(value: bytes) -> str:
    """Return application protocols, in order of preference."""
    names, at = [], 0
    while at < len(value):
        names.append(value[at + 1 : at + 1 + value[at]].decode("ascii", "backslashreplace"))
        at += 1 + value[at]
    return " ".join(names) or "none"


def digest(value: bytes) -> str:
    """Return the digest of something long that is not secret."""
    return f"SHA-256 {sha256(value).hexdigest()}"


def hidden_names(value: Any) -> str:
    """Return what the keys for Encrypted ClientHello are for, and their digests."""
    if isinstance(value, Mapping):
        return ", ".join(f"for {name} {digest(value[name])}" for name in sorted(value)) or "none"
    return digest(value) if isinstance(value, bytes) else call(value)


def secret(value: bytes) -> str:
    """Say that there is a secret, and nothing else."""
    return "set"


def trust(store: TrustStore) -> str:
    """Return the number of certificates, and a digest."""
    count = store.count()
    parts = [f"{count['x509']} certificates ({count['x509_ca']} authorities), {count['crl']} CRLs"]
    parts.append(f"content {store.identity.hex()}")
    parts += [f"directory {directory.path}" for directory in store.directories]
    return ", ".join(parts)


def credentials(value: Iterable[Credential]) -> str:
    """Return each of the context's certificates by the type of its key and its SHA-256
    fingerprint, with those of its chain.
    """
    shown = []
    for one in value:
        chain = one.certificates()
        leaf, *above = (sha256(certificate.der).hexdigest() for certificate in chain)
        over = f", below {' '.join(above)}" if above else ""
        shown.append(f"{one.kind} SHA-256 {leaf}{over}")
    return "; ".join(shown) or "none"


def keylog(value: Any) -> str:
    """Return the path: anyone who can read that file can decrypt the connections."""
    return str(value.given)


def keyring(value: Any) -> str:
    """Return the kind of keys, and their lifetimes."""
    return repr(value)


def call(value: Any) -> str:
    """Return a callback's name: an address would differ in each process."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    return f"{module}.{name}" if module and name else type(value).__qualname__


def psk(value: Any) -> str:
    """Return the name of a callback that is stored with other values, and the hint, which every
    client may see.
    """
    hint = getattr(value, "hint", None)
    return call(value.callback) + (f", hint {hint!r}" if hint is not None else "")


def sessions(value: SessionSettings) -> str:
    """Return all settings of `ctx.sessions`, by their names."""
    shown: dict[str, object] = {
        "mode": _flags(SessionCacheMode(value.effective_mode)), "size": value.size,
        "timeout": "OpenSSL's" if value.timeout is None else value.timeout,
        "id_context": value.id_context.hex() or "none",
        "id_prefix": value.id_prefix.hex() or "none",
        "store": "none" if value.store is None else type(value.store).__qualname__,
        "resume": value.resume, "per_peer": value.per_peer,
        "single_use": value.single_use, "loop_patience": value.loop_patience,
        "client_certificates": value.client_certificates, "reverify": value.reverify,
    }  # fmt: skip
    for name in ("generate_id", "on_new", "on_get", "on_remove"):
        callback = getattr(value, name)
        shown[name] = "none" if callback is None else call(callback)
    return ", ".join(f"{name}={text}" for name, text in shown.items())
