"""SSLSession: what a handshake leaves behind for later ones to resume from."""

from __future__ import annotations

import base64
from time import time as now

from .._core.notes import Notes
from .._core.session import Session
from .._lazy import late_names
from ..errors import SSLError
from .binding import Binding
from .info import SessionInfo, expiry, info_of, notes_of
from .registry import VERSIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import Any, NoReturn, final

    from . import envelope
else:

    def final(kind):
        return kind

    datetime, timedelta = late_names("datetime", "datetime timedelta")


_BEGINS, _ENDS = (b"-----%s SSL SESSION PARAMETERS-----" % word for word in (b"BEGIN", b"END"))
_LATEST = (2**64 - 1) // 10**9  # libssl counts nanoseconds in 64 bits: until the year 2554


@final
class SSLSession:
    """A TLS session: the parameters and the secret of a handshake, from which later connections
    resume.

    Get it from a connection (`sock.session`) or from bytes; set it before the handshake of another
    connection (`sock.session = ...`, `wrap_socket(session=...)`). It is immutable, and any thread
    may use it.

    It holds a secret: anyone who can read it can resume in your place, and anyone who can alter it
    can impersonate the server. Its repr shows neither secret nor ticket, and it cannot be pickled;
    `to_bytes`, `to_der` and `to_pem` write it. Two sessions are equal if they have the same id,
    ticket, secret and time.
    """

    __slots__ = ("__weakref__", "_binding", "_number", "_port", "_scope", "_session", "_sound")

    _binding: Binding | None
    _number: int | None
    _port: int | None
    _scope: object
    _session: Session
    _sound: bool

    def __init__(self) -> None:
        raise TypeError(
            "SSLSession has no public constructor: read a connection's session, or use "
            "from_bytes(), from_der() or from_pem()"
        )

    @classmethod
    def _make(
        cls,
        session: Session,
        binding: Binding | None = None,
        scope: object = None,
        *,
        sound: bool = True,
        port: int | None = None,
    ) -> SSLSession:
        self = object.__new__(cls)
        self._session, self._binding, self._scope, self._sound = session, binding, scope, sound
        self._port = port  # of the server; None: not known
        self._number = None  # which of its connection's sessions this is, counting from 1
        return self

    # -- what the stdlib has -----------------------------------------------------------------------

    @property
    def id(self) -> bytes:
        """The session id: chosen by the server in TLS 1.2, derived from the ticket by the client in
        TLS 1.3.
        """
        return self._session.id

    @property
    def time(self) -> int:
        """When the session was made, in seconds since 1970."""
        return self._session.time

    @property
    def timeout(self) -> int:
        """How long this side keeps the session, in seconds. The peer may keep it for a shorter
        time: see `ticket_lifetime_hint`.
        """
        return self._session.timeout

    @property
    def ticket_lifetime_hint(self) -> int:
        """The ticket's lifetime in seconds, as the server gave it."""
        return self._session.lifetime_hint

    @property
    def has_ticket(self) -> bool:
        """Whether there is a ticket. With TLS 1.3 it arrives after the handshake, with the first
        read.
        """
        return self._session.has_ticket

    # -- and beyond --------------------------------------------------------------------------------

    @property
    def info(self) -> SessionInfo:
        """Everything that is known of the handshake that made this session."""
        return info_of(self._session)

    @property
    def is_resumable(self) -> bool:
        """Whether it can be offered: it has an id or a ticket, its handshake was complete, and it
        has not been withdrawn.
        """
        return self._sound and self._session.is_resumable

    @property
    def hostname(self) -> str | None:
        """The server name that it was made with, in lower case; None if no name was given or it is
        not known.
        """
        if self._binding is not None:
            return self._binding.hostname
        return self._session.hostname or notes_of(self._session).server_name

    @property
    def protocol(self) -> str:
        """The protocol version, as in `SSLSocket.version()`."""
        return VERSIONS.get(self._session.version, f"{self._session.version:#06x}")

    @property
    def cipher(self) -> str | None:
        """OpenSSL's name of the cipher suite."""
        return self._session.cipher

    @property
    def alpn(self) -> str | None:
        """The negotiated application protocol (ALPN), or None."""
        return self._session.alpn

    @property
    def max_early_data(self) -> int:
        """How many bytes of early data the server accepts (TLS 1.3); 0 means none."""
        return self._session.max_early_data

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's own certificate in DER."""
        peer = self._session.peer()
        return None if peer is None else peer.der

    @property
    def ticket(self) -> bytes:
        """The ticket, which only the server can read; b"" if there is none.

        It is useless for resuming without the session's secret. But it goes over the wire
        unencrypted and identifies the client: do not log it. Corresponds to
        SSL_SESSION_get0_ticket(3).
        """
        return self._session.ticket

    @property
    def expires_at(self) -> int:
        """When it is no longer worth offering, in seconds since 1970.

        That follows from the server's hint, up to seven days (RFC 8446, 4.6.1). If a TLS 1.2 server
        gave none, and on a server, it follows from `timeout`.
        """
        return expiry(self._session)

    @property
    def expires_in(self) -> float:
        """How many seconds are left until `expires_at`; 0.0 once it has passed."""
        return max(0.0, self.expires_at - now())

    def with_times(
        self, *, time: int | datetime | None = None, timeout: int | timedelta | None = None
    ) -> SSLSession:
        """Return a copy with another time or timeout; the session itself does not change.

        Args:
            time: when it was made: seconds since 1970, or an aware datetime. A TLS 1.3 server
                compares it with its own clock when early data is sent.
            timeout: how long this side keeps it, in seconds.

        Raises:
            ValueError: a time before the first second of 1970 or after the year 2554, or a timeout
                of less than a second or more than 68 years.
            TypeError: not an integer.

        Corresponds to SSL_SESSION_set_time(3).
        """
        from datetime import datetime, timedelta

        if isinstance(time, datetime):
            time = int(time.timestamp())
        if isinstance(timeout, timedelta):
            timeout = int(timeout.total_seconds())
        for value, most, what in (
            (time, _LATEST, "a session's time"),
            (timeout, 2**31 - 1, "a session's timeout"),
        ):
            if value is not None and not isinstance(value, int):
                raise TypeError(
                    f"{what} must be an integer number of seconds, got {type(value).__name__}"
                )
            if value is not None and not 1 <= value <= most:  # in DER, 0 means not given
                raise ValueError(f"{what} must be between 1 and {most} seconds, got {value}")
        return SSLSession._make(
            self._session.with_times(time=time, timeout=timeout),
            self._binding,
            self._scope,
            sound=self._sound,
            port=self._port,
        )

    def dangerous_master_secret(self) -> bytes:
        """Return the session's secret: the master secret, or with TLS 1.3 the resumption secret.

        Anyone who has it can resume in your place and, up to TLS 1.2, decrypt what was sent. It is
        for debugging and for protocols that need it; to derive keys, use an exporter. Corresponds
        to SSL_SESSION_get_master_key(3).
        """
        return self._session.secret()

    # -- as bytes ----------------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """Write the complete session, **including its secret**: everything that is in its DER, the
        name and policy it is bound to, and its info.

        A checksum detects accidental damage. It does not protect against anyone who can write these
        bytes: keep them as you keep a private key, or in a store that encrypts.

        Raises:
            ValueError: no cipher has been negotiated yet.
        """
        from . import envelope

        contents = envelope.Contents(self._session, self._binding, self._sound, self._port)
        return envelope.encode(contents, self._notes())

    @classmethod
    def from_bytes(cls, data: bytes) -> SSLSession:
        """Read what `to_bytes` wrote, in this or another process, in this version of tlskit or an
        earlier one.

        Only read bytes that you trust: anyone who can write them can impersonate the server. The
        session belongs to no context. It is offered only under the name and the policy that it was
        made with.

        Raises:
            SSLError: `data` is not one complete session, is damaged, or is from a later version.
            TypeError: `data` is not bytes-like.
        """
        from . import envelope

        return cls._of(envelope.decode(bytes(memoryview(data))))

    def to_text(self) -> str:
        """Describe the session on several lines, like `openssl sess_id -text`, but without the
        secret and the ticket.
        """
        s, info = self._session, self.info
        ticket = f"{len(s.ticket)} bytes" if s.ticket else "none"
        verified = (
            "not known"
            if info.verify_code is None
            else f"{info.verify_code} ({info.verify_message})"
        )
        rows = [
            ("Protocol", self.protocol), ("Cipher", s.cipher or "none"), ("Session-ID",
            s.id.hex().upper()),
            ("Session-ID-ctx", s.id_context.hex().upper()), ("Server name",
            self.hostname or "none"), ("ALPN protocol", s.alpn or "none"),
            ("Key exchange group", info.group or "not known"), ("TLS session ticket", ticket),
            ("TLS session ticket lifetime hint", f"{s.lifetime_hint} (seconds)"), ("Start Time",
            _moment(s.time)),
            ("Timeout", f"{s.timeout} (sec)"), ("Expires", _moment(self.expires_at)),
            ("Verify return code", verified),
            ("Extended master secret", _word(info.extended_master_secret)), ("Encrypt-then-MAC",
            _word(info.encrypt_then_mac)),
            ("Max Early Data", str(s.max_early_data)), ("Resumable", _word(self.is_resumable)),
        ]  # fmt: skip
        return "SSL-Session:\n" + "".join(f"    {name:<32}: {value}\n" for name, value in rows)

    def to_der(self) -> bytes:
        """Return the session as DER, **secret included**. Corresponds to i2d_SSL_SESSION(3)."""
        return self._session.der()

    @classmethod
    def from_der(cls, data: bytes) -> SSLSession:
        """Read what `to_der` wrote, in this or another process.

        Only read bytes that you trust: anyone who can write them can impersonate the server. The
        session belongs to no context. DER does not record the name and policy that it was made
        with, so the connection that is to resume it first verifies its certificate again; if that
        fails, the handshake is a full one.

        Raises:
            SSLError: `data` is not one complete session.
            TypeError: `data` is not bytes-like.
        """
        try:
            return cls._make(Session.from_der(bytes(memoryview(data))))
        except SSLError as error:
            raise _unreadable("DER") from error

    def to_pem(self) -> str:
        """Return the session as PEM, **including its secret**: the format of `openssl s_client
        -sess_out` and `-sess_in`.
        """
        text = base64.encodebytes(self.to_der()).decode().replace("\n", "")
        lines = [text[i : i + 64] for i in range(0, len(text), 64)]
        return "\n".join(
            [
                "-----BEGIN SSL SESSION PARAMETERS-----",
                *lines,
                "-----END SSL SESSION PARAMETERS-----",
                "",
            ]
        )

    @classmethod
    def from_pem(cls, data: str | bytes) -> SSLSession:
        """Read what `to_pem` or `openssl s_client -sess_out` wrote. All that is said of `from_der`
        applies here too.
        """
        raw = data.encode("ascii", "replace") if isinstance(data, str) else bytes(memoryview(data))
        begin = raw.find(_BEGINS)
        end = raw.find(_ENDS, begin) if begin >= 0 else -1
        if end < 0:
            raise _unreadable("PEM")
        body = b"".join(raw[begin + len(_BEGINS) : end].split())
        try:
            return cls.from_der(base64.b64decode(body, validate=True))
        except ValueError as error:
            raise _unreadable("PEM") from error

    # -- in a store --------------------------------------------------------------------------------

    def _to_value(self, *, in_process: bool) -> Any:
        """Return what to put into a store: the session itself, or bytes if the store is outside the
        process.
        """
        return self if in_process else self.to_bytes()

    @classmethod
    def _from_value(cls, value: object) -> SSLSession | None:
        """Return the session in a store's value; None if the value is not a session."""
        if isinstance(value, SSLSession):
            return value
        try:
            return cls.from_bytes(value) if isinstance(value, bytes) else None
        except SSLError:
            return None

    @classmethod
    def _of(cls, contents: envelope.Contents) -> SSLSession:
        return cls._make(contents.core, contents.binding, sound=contents.sound, port=contents.port)

    def _notes(self) -> Notes:
        return notes_of(self._session)

    # -- identity ----------------------------------------------------------------------------------

    def _key(self) -> tuple[object, ...]:
        s = self._session
        digest = s.secret_digest()
        if not digest:  # nothing identifies it before its TLS 1.3 ticket has arrived
            return (s.address,)
        return (s.version, s.id, s.ticket, s.time, digest)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, SSLSession) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        what = "a ticket" if self.has_ticket else "an id" if self.id else "nothing to resume by"
        return (
            f"<SSLSession {self.protocol} {self.cipher} with {what}, id "
            f"{self.id.hex()[:16] or 'none'}>"
        )

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self._session.size()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an SSLSession cannot be pickled, because it holds a secret: write it with to_bytes() "
            "or to_pem() if you mean to"
        )

    def __copy__(self) -> SSLSession:
        return self

    def __deepcopy__(self, memo: Any) -> SSLSession:
        return self


def _moment(seconds: int) -> str:
    try:
        from datetime import datetime, timezone

        return f"{seconds} ({datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S} UTC)"
    except (OverflowError, ValueError, OSError):  # DER can hold it, but no calendar can
        return str(seconds)


def _word(flag: bool | None) -> str:
    return "not known" if flag is None else "yes" if flag else "no"


def _unreadable(form: str) -> SSLError:
    error = SSLError(1, f"these bytes are not one whole session in {form}")
    error.library = error.reason = None  # type: ignore[assignment]
    return error
