"""SSLContext: what connections are made from."""

from __future__ import annotations

import warnings

from ._core.paths import without_values
from ._core.unpickled import Unpickled
from ._counters import Counters, NegotiatedCounters
from ._lazy import LateAttribute, LateModule, late_names
from ._settings import (
    CertificateCallbackSettings,
    CommandSettings,
    CredentialSettings,
    EncryptedHelloSettings,
    EventCallbackSettings,
    HandshakeCallbackSettings,
    PolicySettings,
    ProtocolSettings,
    RenewalSettings,
    RequirementSettings,
    StapleSettings,
    TuningSettings,
    VerificationSettings,
    VerifyCallbackSettings,
    VerifyParameterSettings,
    WholeSettings,
)
from ._settings.arguments import ascii_name, integer, is_read_only, new_ascii_name
from ._settings.protocol import FIXED
from ._settings.sessions import ContextSessions
from ._settings.tickets import ContextTickets, num_tickets
from ._state import Settings
from ._stdlib import classes as stdlib
from ._stdlib import defaults, dormant
from ._stdlib.creation import begun
from ._stdlib.identity import combined
from .enums import _SSLMethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any, ClassVar, NoReturn

    from typing_extensions import Buffer

    from . import _connection as kinds
    from ._connection.channel import Channel
    from ._connection.object import SSLObject
    from ._connection.socket import SSLSocket
    from ._connection.sockets import OwnChannel
    from ._core import bio, direct
    from .sessions.session import SSLSession
    from .stores.store import SessionStore

else:
    SSLObject, SSLSession, SSLSocket, SessionStore = late_names(
        "tlskit", "SSLObject SSLSession SSLSocket SessionStore"
    )
    Any, Buffer = late_names("tlskit._annotations", "Any Buffer")
    ClassVar, NoReturn = late_names("typing", "ClassVar NoReturn")
    bio = LateModule("._core.bio", __package__)
    direct = LateModule("._core.direct", __package__)
    kinds = LateModule("._connection", __package__)
    socket = LateModule("socket")

_CLASSES = "sslsocket_class", "sslobject_class"
_ROLES = {
    _SSLMethod.PROTOCOL_TLS: "any",
    _SSLMethod.PROTOCOL_TLS_CLIENT: "client",
    _SSLMethod.PROTOCOL_TLS_SERVER: "server",
}


class SSLContext(  # type: ignore[misc]
    ProtocolSettings,
    VerificationSettings,
    CertificateCallbackSettings,
    EventCallbackSettings,
    CommandSettings,
    CredentialSettings,
    RequirementSettings,
    VerifyParameterSettings,
    EncryptedHelloSettings,
    PolicySettings,
    HandshakeCallbackSettings,
    RenewalSettings,
    StapleSettings,
    TuningSettings,
    VerifyCallbackSettings,
    WholeSettings,
    Unpickled,
    dormant.Dormant,
):
    """Settings, certificates, trust and sessions for any number of connections.

    A subclass of `ssl.SSLContext`, so that libraries that check for one accept it. The base class
    has an unused SSL_CTX of its own: a client that trusts nobody, so that anything that bypassed
    tlskit would fail.

    Any thread may change settings at any time. A connection keeps all the settings that were in
    force when it was created; see `configure` for changing several at once.

    Attributes:
        sslsocket_class, sslobject_class: the classes of connections, derived from tlskit's or from
            the stdlib's. Their own `_create` or `__init__` runs before the handshake; both get the
            same arguments.
    """

    if TYPE_CHECKING:
        sslsocket_class: type[stdlib.SSLSocket]
        sslobject_class: type[stdlib.SSLObject]
    else:
        sslsocket_class = LateAttribute(kinds, "SSLSocket")
        sslobject_class = LateAttribute(kinds, "SSLObject")
    _store_for_all: ClassVar[SessionStore | None] = None  # see inject_into_ssl
    _aiofastnet_force_fallback_ssl = True  # it would take the SSL_CTX out of the dormant base

    def __new__(cls, protocol: int | None = None, *args: Any, **kwargs: Any) -> SSLContext:
        if protocol is None:
            warnings.warn(
                "ssl.SSLContext() without protocol argument is deprecated.",
                category=DeprecationWarning,
                stacklevel=2,
            )
            protocol = _SSLMethod.PROTOCOL_TLS
        protocol = integer(protocol)
        if protocol not in _ROLES and protocol not in FIXED:
            raise ValueError("invalid or unsupported protocol version")
        protocol = _SSLMethod(protocol)
        if protocol in FIXED or protocol is _SSLMethod.PROTOCOL_TLS:
            warnings.warn(
                f"ssl.{protocol.name} is deprecated", category=DeprecationWarning, stacklevel=2
            )
        self = begun(cls, _SSLMethod.PROTOCOL_TLS_CLIENT)
        self._setup(protocol)
        return self

    def _setup(self, protocol: _SSLMethod) -> None:
        role = _ROLES.get(protocol, "any")
        values = {**self._default_protocol(protocol), **self._default_verification(protocol)}
        self._attach(Settings(role, values))
        if protocol in FIXED:  # OpenSSL may have been built without it
            with self._settings.built():
                pass
        if role == "client" and self._store_for_all is not None:
            self.sessions.store = self._store_for_all

    def _attach(self, settings: Settings) -> None:
        self._settings = settings
        self._scope = object()  # what the sessions of this context carry, and nothing else
        self._sessions = ContextSessions(settings)
        self._tickets = ContextTickets(settings)

    @property
    def sessions(self) -> ContextSessions:
        """The session cache, its settings and its counters. `sessions.store` is where sessions are
        kept.
        """
        return self._sessions

    @sessions.setter
    def sessions(self, value: object) -> NoReturn:
        raise is_read_only(
            "sessions", value, hint="to keep sessions in a store, set ctx.sessions.store"
        )

    @property
    def tickets(self) -> ContextTickets:
        """The settings for tickets: whether and how many a server sends, how long they are valid,
        and their keys (`tickets.keyring`).
        """
        return self._tickets

    @tickets.setter
    def tickets(self, value: object) -> NoReturn:
        raise is_read_only("tickets", value, hint="to use a keyring, set ctx.tickets.keyring")

    @without_values
    def __setattr__(self, name: str, value: object) -> None:
        if name in _CLASSES:
            self._settings.refuse_if_frozen()
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name in _CLASSES:
            self._settings.refuse_if_frozen()
        super().__delattr__(name)

    def __repr__(self) -> str:
        role = self._settings.role
        side = {"any": "client and server"}.get(role, role)
        return (
            f"<{type(self).__name__}: {side}, {self.minimum_version.name} to "
            f"{self.maximum_version.name}, {self.verify_mode.name}>"
        )

    # -- connections -------------------------------------------------------------------------------

    def wrap_socket(  # type: ignore[override]
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
        *,
        early_data: Buffer | None = None,
    ) -> SSLSocket:
        """Put TLS over a connected, listening or unconnected stream socket, and take ownership of
        it.

        Args:
            sock: the socket; its descriptor moves into the result.
            server_side: whether this is the server's side.
            do_handshake_on_connect: make the handshake here, or in `connect`, or in the accepted
                connection's own call.
            suppress_ragged_eofs: treat an end without close_notify as an ordinary end, if the
                context's own `suppress_ragged_eofs` allows it.
            server_hostname: the server's name or address, for the ClientHello and for verification.
            session: a session to resume. See `SSLSocket.session`.
            early_data: bytes to send without waiting for the handshake (0-RTT). They go out with
                the ClientHello if the offered session allows it, and otherwise right after the
                handshake; either way, they are sent first. **They can be replayed** and are not
                forward secret: use them only for requests that are safe to repeat, such as a GET.
                See `early_data_status`.

        Raises:
            SSLCertVerificationError: the peer's certificate failed verification.
            SSLError: the handshake failed.
            ValueError: the arguments contradict each other or the context.
        """
        kind: Any = self.sslsocket_class
        if kind is not kinds.SSLSocket:
            kind = combined(kind, kinds.SSLSocket, stdlib.SSLSocket)
        early = None if early_data is None else _early(early_data, server_side)
        made: SSLSocket = kind._create(
            sock=sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect and early is None,
            suppress_ragged_eofs=suppress_ragged_eofs
            and bool(self._settings["suppress_ragged_eofs"]),
            server_hostname=server_hostname,
            context=self,
            session=session,
        )
        if early is not None:
            made._begin_with(early, do_handshake_on_connect)
        return made

    def wrap_bio(  # type: ignore[override]
        self,
        incoming: Any,
        outgoing: Any,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
        *,
        early_data: Buffer | None = None,
    ) -> SSLObject:
        """Put TLS over two byte queues: tlskit's MemoryBIO, the stdlib's, or any object with the
        same methods.

        Never blocks. The arguments mean what they mean in `wrap_socket`.
        """
        unnamed = not server_hostname and self._settings.use().checks_hostname
        if unnamed or (server_side and (server_hostname or session is not None)):
            _check_bio(self, server_side, server_hostname, session)
        kind: Any = self.sslobject_class
        if kind is not kinds.SSLObject:
            kind = combined(kind, kinds.SSLObject, stdlib.SSLObject)
        early = None if early_data is None else _early(early_data, server_side)
        made: SSLObject = kind._create(
            incoming,
            outgoing,
            server_side=server_side,
            server_hostname=(
                None if server_hostname is None else self._encode_hostname(server_hostname)
            ),
            session=session,
            context=self,
        )
        if early is not None:
            made._sslobj.set_early_data(early)
        return made

    def _encode_hostname(self, hostname: str | bytes | None) -> str | None:
        if hostname is None:
            return None
        plain = type(hostname) is str or type(hostname) is bytes  # others may not be hashable
        return ascii_name(hostname) if plain else new_ascii_name(hostname)

    def _wrap_bio(
        self,
        incoming: Any,
        outgoing: Any,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: SSLSession | None = None,
    ) -> Channel:
        """Make the channel of an SSLObject, tlskit's or the stdlib's."""
        own = type(incoming) is bio.MemoryBIO and type(outgoing) is bio.MemoryBIO
        if own or (type(incoming) is stdlib.MemoryBIO and type(outgoing) is stdlib.MemoryBIO):
            kind: Any = kinds.MemoryChannel if own else kinds.QueueChannel
            bios: Any = (incoming, outgoing) if own else (bio.MemoryBIO(), bio.MemoryBIO())
            channel: Channel = kind.__new__(kind)
            # calling the class takes longer: it packs and unpacks the arguments
            kinds.Channel.__init__(
                channel, self, owner, server_side=server_side, server_hostname=server_hostname,
                bios=bios,
            )  # fmt: skip
            if not own:
                kind.connect_queues(channel, bios, (incoming, outgoing))
        else:
            kind, bios, extra = kinds.transport(incoming, outgoing)
            channel = kind(
                self, owner, server_side=server_side, server_hostname=server_hostname, bios=bios,
                **extra,
            )  # fmt: skip
        if session is not None:
            channel.session = session
        return channel

    def _wrap_socket(
        self,
        sock: Any,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: SSLSession | None = None,
    ) -> Channel:
        """Make the channel of another library's SSLSocket: the stdlib's, gevent's or eventlet's."""
        channel = kinds.SocketChannel(
            self, owner, sock, server_side=server_side, server_hostname=server_hostname
        )
        if session is not None:
            channel.session = session
        return channel

    def _connection(
        self,
        owner: Any,
        *,
        server_side: bool,
        server_hostname: str | None,
        fd: int,
        session: SSLSession | None,
    ) -> OwnChannel:
        """Make the channel of an SSLSocket."""
        channel = kinds.OwnChannel.__new__(kinds.OwnChannel)
        kinds.Channel.__init__(  # as in _wrap_bio
            channel, self, owner, server_side=server_side, server_hostname=server_hostname, fd=fd
        )
        channel.carrier = direct.over_socket(channel)
        if session is not None:
            channel.session = session
        return channel

    # -- sessions ----------------------------------------------------------------------------------

    @property
    def num_tickets(self) -> int:
        """How many tickets a TLS 1.3 server sends after a full handshake. Corresponds to
        SSL_CTX_set_num_tickets(3).
        """
        return num_tickets(self._settings)

    @num_tickets.setter
    def num_tickets(self, value: int) -> None:
        number = integer(value, bits=64)
        if number < 0:
            raise ValueError("value must be non-negative")
        if self._protocol is not _SSLMethod.PROTOCOL_TLS_SERVER:
            raise ValueError("SSLContext is not a server context.")
        self._settings.change(num_tickets=number)

    @property
    def handshake_failures(self) -> Counters:
        """How many handshakes of this context have failed, by reason. The reason is that of the
        SSLError (such as "certificate_verify_failed"), or the name of another exception
        ("timeouterror"). Common reasons are listed from the start, with 0; others once they occur.
        Safe from any thread.
        """
        return self._settings.failures.snapshot()

    def negotiated(self) -> NegotiatedCounters:
        """Return how often this context has negotiated each group and each signature algorithm.

        `group` counts key exchanges by the group's name; a TLS 1.2 resumption has none.
        `signature` counts full handshakes by what the server signed with, by IANA's name. "other"
        has what exceeds two dozen names. Any thread may ask. Its name in the stdlib: none.
        """
        with self._settings.built() as state:
            found = state.build().negotiated()
        return NegotiatedCounters(
            {kind: names for kind, names in found.items() if names or kind != "other"}
        )

    def session_stats(self) -> dict[str, int]:
        """Return the stdlib's eleven counters; `sessions.stats()` has twelve. Corresponds to
        SSL_CTX_sess_number(3).
        """
        with self._settings.built() as state:
            counters = state.build().statistics()
        del counters["cb_hits"]
        return counters


dormant.cover_inherited(SSLContext)


def _check_bio(
    context: SSLContext,
    server_side: bool,
    server_hostname: str | bytes | None,
    session: SSLSession | None,
) -> None:
    """Refuse contradictory arguments, or warn about them, as the running Python does: 3.14.10
    refuses, Debian's 3.11.2 warns. The others do neither; there a client without a name verifies
    the chain but not the name, which is what asyncio's `server_hostname=""` means.
    """
    if server_side and (server_hostname or session is not None) and defaults.refuses_for_server():
        if server_hostname:
            raise ValueError("server_hostname can only be specified in client mode")
        if session is not None:
            raise ValueError("session can only be specified in client mode")
    if server_hostname not in (None, "", b"") or not context.check_hostname:
        return
    found = defaults.without_name()
    if found is not None and not issubclass(found, Warning):
        raise ValueError("check_hostname requires server_hostname")
    if not server_side and server_hostname is None:
        warnings.warn(
            "check_hostname requires server_hostname: without one, the server's certificate is "
            "verified, but not whose it is",
            found or RuntimeWarning,
            stacklevel=3,
        )


def _early(data: Buffer, server_side: bool) -> bytes:
    if server_side:
        raise ValueError("early_data can only be specified in client mode")
    return bytes(memoryview(data))
