"""Channel: a connection with the rules of tlskit. It is what `SSLSocket._sslobj` and
`SSLObject._sslobj` are.

The rules: the server's name goes into the ClientHello and is what the certificate is verified
against; a session is offered only where its own handshake would have been accepted
(sessions/key.py).
"""

from __future__ import annotations

import socket
from enum import Enum
from secrets import token_bytes
from ssl import AlertDescription, _TLSAlertType, _TLSContentType, _TLSMessageType  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any
from weakref import ref

from .._core.bio import MemoryBIO
from .._core.certificate import Certificate
from .._core.connection import Connection, Timeout
from .._core.context import Context
from .._core.fault import plain_error
from .._core.library import require
from .._core.session import Session
from .._resumption.attempt import Attempt
from .._resumption.reasons import NotOffered, Reason, Resumption
from .._resumption.server_cache import Service
from ..enums import TLSVersion
from ..sessions import SessionInfo, SSLSession
from ..sessions.binding import Binding, policy_digest
from ..sessions.info import info_of

if TYPE_CHECKING:
    from .._context import SSLContext


class Channel(Connection):
    """A Connection that knows its SSLContext, its owner and its session."""

    __slots__ = (
        "_attempt", "_binding", "_by_key", "_context_now", "_key_given", "_owner", "_service",
        "_switched", "_verifies",
        "server_hostname", "server_side",
    )  # fmt: skip

    def __init__(
        self,
        context: SSLContext,
        owner: Any,
        *,
        server_side: bool,
        server_hostname: str | None,
        fd: int = -1,
        bios: tuple[MemoryBIO, MemoryBIO] | None = None,
    ) -> None:
        context._check_role(server_side)
        if server_side:
            context.tickets._before_connection()
        self._context_now = context
        self.server_side = server_side
        self.server_hostname = server_hostname
        checked, policy = context.check_hostname, context._core.policy()
        self._binding = self._bind(checked, policy)
        super().__init__(context._core, server=server_side, fd=fd, bios=bios)
        self._owner: ref[Any] = ref(self if owner is None else owner)
        self.hostname = server_hostname
        self._by_key = context._core.authenticates_by_key
        self._key_given = False
        self._attempt = Attempt(
            None if server_side or self._by_key else context.sessions._client_cache
        )
        if self._by_key:
            self._attempt.set(None, Reason.PRE_SHARED_KEY)
        self._service = Service(context.sessions._server_cache if server_side else None)
        copied = self.policy()
        self._verifies = bool(copied[0])
        self.reverifies = context.sessions.reverify
        if server_hostname is not None and not server_side:
            self._name_server(server_hostname, checked)
        # By another thread, and maybe back again: libssl may have copied either, or a mixture.
        self._switched = copied != policy[0] or self._changed_since()
        if server_side and (self._verifies or self._by_key):
            self.set_id_context(self._id_context())
        if self._attempt.cache is not None:
            self.pause()
        if self._service.cache is not None:
            self.use_external()
        if context.sessions.watched or context._msg_callback is not None:
            self.on_session = self._new_session
            self.always_hands_out = context.sessions.on_remove is not None

    def _bind(self, checked: bool, policy: tuple[object, ...]) -> Binding:
        name = self.server_hostname
        return Binding(
            name.lower() if name else None,
            policy_digest(checked, self._context_now._host_flags, policy),
        )

    def _changed_since(self) -> bool:
        return (
            self._bind(self._context_now.check_hostname, self._context_now._core.policy())
            != self._binding
        )

    def _name_server(self, name: str, checked: bool) -> None:
        packed = _packed_address(name)
        raw = name.encode("ascii")
        if packed is None:
            self.set_hostname(raw, raw if checked else None, None)
        elif checked:
            self.set_hostname(
                None, None, packed
            )  # RFC 6066, 3: no literal addresses in server_name

    # -- context -----------------------------------------------------------------------------------

    @property
    def owner(self) -> Any:
        """The SSLSocket or SSLObject, or None when it is gone."""
        return self._owner()

    @property
    def context(self) -> SSLContext:
        """The context in force; in a server's `sni_callback` it may be set."""
        return self._context_now

    @context.setter
    def context(self, value: SSLContext) -> None:
        if not isinstance(getattr(value, "_core", None), Context):
            raise TypeError("The value must be a SSLContext")
        self.set_context(value._core)
        self._switched = self._switched or value is not self._context_now
        self._context_now = value

    def on_servername(self, name: str | None) -> object:
        callback, owner = (
            self._context_now._sni_callback,
            self._owner(),
        )  # as it was set: a subclass may show another (gevent's does)
        if callback is None:
            return None
        if owner is None:
            return int(
                AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR
            )  # the answer may depend on what it would be asked about
        return callback(owner, name, self._context_now)

    def chain(self, *, verified: bool) -> list[bytes]:
        """As in Connection; a resumed connection has them from the handshake that made its
        session.
        """
        found = super().chain(verified=verified)
        info = self.info if self.session_reused else None
        if info is None:
            return found
        noted = info.verified_chain if verified else info.peer_certificate_chain
        return list(noted) if len(noted) > len(found) else found

    @property
    def info(self) -> SessionInfo | None:
        """Everything that was negotiated; None before the handshake is complete."""
        session = self.current_session() if self.handshake_done else None
        return None if session is None else info_of(session, self.notes(), self.vouched)

    def on_psk_client(self, hint: str | None) -> object:
        callback = self._context_now._psk_client_callback
        return (None, b"") if callback is None else callback(hint)

    def on_psk_server(self, identity: str | None) -> object:
        callback = self._context_now._psk_server_callback
        key = b"" if callback is None else callback(identity)
        self._key_given = bool(key)
        return key

    def on_message(
        self, direction: str, version: int, content_type: int, msg_type: int, data: bytes
    ) -> None:
        callback, owner = self._context_now._msg_callback, self._owner()
        if callback is None or owner is None:
            return
        kinds = {_TLSContentType.HEADER: _TLSContentType, _TLSContentType.ALERT: _TLSAlertType}
        kind = kinds.get(content_type, _TLSMessageType)
        callback(
            owner,
            direction,
            *map(_member, (TLSVersion, _TLSContentType, kind), (version, content_type, msg_type)),
            data,
        )

    def get_verified_chain(self) -> list[Certificate] | None:
        """The verified chain as objects: what reaches into `_sslobj` expects."""
        return [Certificate.from_der(der) for der in self.chain(verified=True)] or None

    def get_unverified_chain(self) -> list[Certificate] | None:
        """The peer's chain as objects."""
        return [Certificate.from_der(der) for der in self.chain(verified=False)] or None

    # -- under the names of the stdlib's inner object, which libraries reach for -------------------

    def version(self) -> str | None:
        facts = self.facts()
        return facts.version_name if facts.done else None

    def cipher(self) -> tuple[str, str, int] | None:
        facts = self.facts()
        return (
            None
            if facts.cipher_name is None
            else (facts.cipher_name, facts.cipher_protocol or "", facts.cipher_bits)
        )

    def group(self) -> str | None:
        return self.facts().group

    def client_sigalg(self) -> str | None:
        require("SIGALG_NAMES", "client_sigalg()")
        return self.signature_algorithm(peer=self.server_side)

    def server_sigalg(self) -> str | None:
        require("SIGALG_NAMES", "server_sigalg()")
        return self.signature_algorithm(peer=not self.server_side)

    def uses_ktls_for_send(self) -> bool:
        return False  # the transport is tlskit's own, and kernel TLS needs OpenSSL's

    def uses_ktls_for_recv(self) -> bool:
        return False

    def sendfile(self, fd: int, offset: int, size: int, flags: int = 0, /) -> int:
        self.write(b"")  # a connection that has ended says so
        raise plain_error("sendfile() is for connections with kernel TLS, and this one has none")

    def compression(self) -> str | None:
        return self.facts().compression

    def selected_alpn_protocol(self) -> str | None:
        return self.facts().alpn

    def getpeercert(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        if not self.handshake_done:
            raise ValueError("handshake not done yet")
        peer = self.peer()
        if peer is None:
            return None
        return peer.der if binary_form else peer.fields() if self._verifies else {}

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        if cb_type != "tls-unique":
            raise ValueError(f"{cb_type} channel binding type not implemented")
        facts = self.facts()
        return self.finished(peer=facts.reused == (not facts.server)) or None

    def verify_client_post_handshake(self) -> None:
        self.request_certificate()

    # -- session -----------------------------------------------------------------------------------

    @property
    def session(self) -> SSLSession | None:
        """The session of this connection as it is now; a server's is its own matter, as in the
        stdlib.
        """
        current = self.current_session()
        return None if current is None else self._made(current)

    @session.setter
    def session(self, value: SSLSession) -> None:
        if not isinstance(value, SSLSession):
            raise TypeError("Value is not a SSLSession.")
        if value._scope is not None and value._scope is not self._context_now._scope:
            raise ValueError("Session refers to a different SSLContext.")
        if self.server_side:
            raise ValueError("Cannot set session for server-side SSLSocket.")
        if self.handshake_done:
            raise ValueError("Cannot set session after handshake.")
        if self.handshake_begun:
            self._attempt.set(None, Reason.TOO_LATE)
            return
        self._attempt.set(value, None)
        self._offer()

    def before_handshake(self) -> None:
        """Since the session was set, or the connection made, time has passed and the context may
        have changed.
        """
        if not self.server_side:
            self._offer()
        elif wanted := self.wanted():
            once = (
                self._context_now.max_early_data > 0 and self.facts().offered == "psk"
            )  # what comes early must not come twice
            found = self._service.look(self._owner(), wanted, once=once)
            if found.session is not None:
                self.found(found.session, once=found.once)
        elif self._verifies or self._by_key:
            self.set_id_context(self._id_context())

    def _id_context(self) -> bytes:
        """A server's id context. Where it verifies its clients, or asks them for keys, it stands
        for the policy too; under a mixture of policies, for nothing else."""
        given = self._context_now.sessions.id_context
        if not self._verifies and not self._by_key:
            return given
        return token_bytes(32) if self._changed() else self._binding.id_context(given)

    def _offer(self) -> None:
        if self._by_key:
            self._attempt.set(None, Reason.PRE_SHARED_KEY)
        session = self._attempt.look(
            self, self._binding, verifies=self._verifies, changed=self._changed()
        )
        self.set_session(None if session is None else session._session)

    def _changed(self) -> bool:
        """Whether the context is another than at the beginning. Part of it was copied then (mode,
        flags), and part is looked up in the handshake (authorities): what was verified by a mixture
        of both stands for neither."""
        return self._switched or self._changed_since()

    @property
    def resumption(self) -> Resumption | None:
        """Why the handshake resumed a session, or did not; None until it is complete."""
        if not self.handshake_done:
            return None
        if self._key_given:  # in TLS 1.3, libssl treats such a handshake as a resumption
            return NotOffered(Reason.PRE_SHARED_KEY)
        if self.server_side:
            return self._service.conclude(self.facts(), self._id_context())
        return self._attempt.conclude(self)

    def do_handshake(self, timeout: Timeout = 0.0) -> None:
        super().do_handshake(timeout)
        if self._attempt.cache is not None or self._service.cache is not None:
            _ = self.resumption  # counted now, if nobody asks for it

    def handshake_failed(self) -> None:
        self._attempt.failed()

    def _made(self, session: Session) -> SSLSession:
        if self.server_side:
            return SSLSession._make(session, None, self._context_now._scope)
        sound = self.handshake_done and not self._changed()
        return SSLSession._make(session, self._binding, self._context_now._scope, sound=sound)

    def hand_out(self) -> None:
        super().hand_out()
        self._context_now.sessions.tell_removed()

    def _new_session(self, session: Session) -> None:
        made = self._made(session)
        if not self.server_side:
            self._attempt.came(
                made, self._binding, with_certificate=bool(self._context_now._core.own_identity)
            )
        elif self._service.cache is not None:
            self._service.cache.keep(session)
        on_new, owner = self._context_now.sessions.on_new, self._owner()
        if on_new is not None and owner is not None:
            on_new(owner, made)


def _member(kind: type[Enum], number: int) -> Any:
    """The member of an enumeration, or the number where it has none."""
    try:
        return kind(number)
    except ValueError:
        return number


def _packed_address(name: str) -> bytes | None:
    """The bytes of a literal IP address, or None when it is a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, name)
        except (OSError, ValueError):
            continue
    return None
