"""SSLSession: what a handshake has left, for later ones."""

from __future__ import annotations

import base64
import re
from typing import Any, NoReturn, final

from .._core.session import Session
from ..errors import SSLError
from .key import Binding

_PEM = re.compile(rb"-----BEGIN SSL SESSION PARAMETERS-----\s*([A-Za-z0-9+/=\s]+?)-----END SSL SESSION PARAMETERS-----")
_LONGEST = 7 * 24 * 3600  # RFC 8446, 4.6.1


@final
class SSLSession:
    """A TLS session: the parameters and the secret of a handshake, from which later connections resume.

    Read it off a connection (`sock.session`), or from bytes; set it before another connection's handshake
    (`sock.session = ...`, `wrap_socket(session=...)`). It is immutable and may be used by any thread.

    It holds a secret: whoever reads it can resume in your place, and whoever changes it can pretend to be the server.
    Neither shows in its repr, and it refuses to be pickled; `to_der` and `to_pem` write it.
    """

    __slots__ = ("__weakref__", "_binding", "_scope", "_session", "_sound")

    _binding: Binding | None
    _scope: object
    _session: Session
    _sound: bool

    def __init__(self) -> None:
        raise TypeError("SSLSession has no public constructor: read a connection's session, or use from_der() or from_pem()")

    @classmethod
    def _make(cls, session: Session, binding: Binding | None = None, scope: object = None, *, sound: bool = True) -> SSLSession:
        self = object.__new__(cls)
        self._session, self._binding, self._scope, self._sound = session, binding, scope, sound
        return self

    # -- what the stdlib has --------------------------------------------------------------------------------------

    @property
    def id(self) -> bytes:
        """The session id: the server's in TLS 1.2; in TLS 1.3 one that the client derives from the ticket."""
        return self._session.id

    @property
    def time(self) -> int:
        """When the session was made, in seconds since 1970."""
        return self._session.time

    @property
    def timeout(self) -> int:
        """How long this side keeps it, in seconds. It says nothing about the peer: see `ticket_lifetime_hint`."""
        return self._session.timeout

    @property
    def ticket_lifetime_hint(self) -> int:
        """How long the server said that the ticket is good for, in seconds."""
        return self._session.lifetime_hint

    @property
    def has_ticket(self) -> bool:
        """Whether there is a ticket. With TLS 1.3 it comes after the handshake, with the first read."""
        return self._session.has_ticket

    # -- and beyond -----------------------------------------------------------------------------------------------

    @property
    def is_resumable(self) -> bool:
        """Whether it can be offered: it has an id or a ticket, and OpenSSL has not withdrawn it."""
        return self._session.is_resumable

    @property
    def protocol(self) -> str:
        """The protocol version, as `SSLSocket.version()` says it."""
        return _VERSIONS.get(self._session.version, f"{self._session.version:#06x}")

    @property
    def cipher(self) -> str | None:
        """OpenSSL's name of the cipher suite."""
        return self._session.cipher

    @property
    def expires_at(self) -> int:
        """When offering it becomes pointless, in seconds since 1970.

        The server's hint counts, up to seven days (RFC 8446, 4.6.1); where a TLS 1.2 server gave none, `timeout` does.
        """
        hint = self._session.lifetime_hint
        lifetime = self._session.timeout if hint == 0 and self.protocol != "TLSv1.3" else hint
        return self._session.time + min(lifetime, _LONGEST)

    def to_der(self) -> bytes:
        """The session as DER, **with its secret**. Corresponds to i2d_SSL_SESSION(3)."""
        return self._session.der()

    @classmethod
    def from_der(cls, data: bytes) -> SSLSession:
        """Read what `to_der` wrote, here or in another process.

        Read only what you trust: who can write these bytes can pretend to be the server. The result belongs to no
        context. DER does not say under which name and policy the session was made, so before it is offered its
        certificate is verified again by the connection that is to resume; when that fails, the handshake is a full one.

        Raises:
            SSLError: `data` is not one whole session.
            TypeError: `data` is not bytes-like.
        """
        try:
            return cls._make(Session.from_der(bytes(memoryview(data))))
        except SSLError as error:
            raise _unreadable("DER") from error

    def to_pem(self) -> str:
        """The session as PEM, **with its secret**: what `openssl s_client -sess_out` writes, and `-sess_in` reads."""
        text = base64.encodebytes(self.to_der()).decode().replace("\n", "")
        lines = [text[i : i + 64] for i in range(0, len(text), 64)]
        return "\n".join(["-----BEGIN SSL SESSION PARAMETERS-----", *lines, "-----END SSL SESSION PARAMETERS-----", ""])

    @classmethod
    def from_pem(cls, data: str | bytes) -> SSLSession:
        """Read what `to_pem` or `openssl s_client -sess_out` wrote. All that `from_der` says holds here too."""
        raw = data.encode("ascii", "replace") if isinstance(data, str) else bytes(memoryview(data))
        found = _PEM.search(raw)
        if found is None:
            raise _unreadable("PEM")
        try:
            return cls.from_der(base64.b64decode(b"".join(found.group(1).split()), validate=True))
        except ValueError as error:
            raise _unreadable("PEM") from error

    # -- identity -------------------------------------------------------------------------------------------------

    def _key(self) -> tuple[object, ...]:
        s = self._session
        return (s.version, s.id, s.ticket, s.time)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, SSLSession) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        what = "a ticket" if self.has_ticket else "an id" if self.id else "nothing to resume by"
        return f"<SSLSession {self.protocol} {self.cipher} with {what}, id {self.id.hex()[:16] or 'none'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an SSLSession holds a secret, and is not pickled: write it with to_der() or to_pem() where that is meant")

    def __copy__(self) -> SSLSession:
        return self

    def __deepcopy__(self, memo: Any) -> SSLSession:
        return self


_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


def _unreadable(form: str) -> SSLError:
    error = SSLError(1, f"these bytes are not one whole session in {form}")
    error.library = error.reason = None  # type: ignore[assignment]
    return error
