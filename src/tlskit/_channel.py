"""Channel: a connection with the rules of tlskit. It is what `SSLSocket._sslobj` and `SSLObject._sslobj` are.

The rules: the server's name goes into the ClientHello and is what the certificate is verified against; a session is
offered only where its own handshake would have been accepted (sessions/key.py).
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from weakref import ref

from ._core.bio import MemoryBIO
from ._core.certificate import Certificate
from ._core.connection import Connection
from ._core.session import Session
from .sessions import SSLSession
from .sessions.key import Binding

if TYPE_CHECKING:
    from ._context import SSLContext


class Channel(Connection):
    """A Connection that knows its SSLContext, its owner and its session.

    Attributes:
        binding: the name and the policy that this handshake is made under.
        resumption_objection: why the session that was set has not been offered; None when it was, or none was set.
    """

    __slots__ = ("_binding", "_context_now", "_offered", "_owner", "_verifies", "resumption_objection", "server_hostname", "server_side")

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
        super().__init__(context._core, server=server_side, fd=fd, bios=bios)
        self._owner = ref(owner)
        self._context_now = context
        self.server_side = server_side
        self.server_hostname = server_hostname
        self.resumption_objection: str | None = None
        self.hostname = server_hostname
        self._offered: SSLSession | None = None
        self._binding = self._bind()
        self._verifies = bool(self._binding.policy[0])
        if server_side and self._verifies:
            self.set_id_context(self._binding.id_context(context.sessions.id_context))
        if server_hostname is not None and not server_side:
            self._name_server(server_hostname, context.check_hostname)
        if context.sessions.on_new is not None:
            self.on_session = self._new_session

    def _bind(self) -> Binding:
        """The name and the policy as they are now."""
        context, name = self._context_now, self.server_hostname
        return Binding(name.lower() if name else None, context.check_hostname, context._host_flags, context._core.policy())

    def _name_server(self, name: str, checked: bool) -> None:
        packed = _packed_address(name)
        raw = name.encode("ascii")
        if packed is None:
            self.set_hostname(raw, raw if checked else None, None)
        elif checked:
            self.set_hostname(None, None, packed)  # RFC 6066, 3: no literal addresses in server_name

    # -- context --------------------------------------------------------------------------------------------------

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
        from ._context import SSLContext

        if not isinstance(value, SSLContext):
            raise TypeError("The value must be a SSLContext")
        self.set_context(value._core)
        self._context_now = value

    def on_servername(self, name: str | None) -> object:
        callback, owner = self._context_now.sni_callback, self._owner()
        return None if callback is None or owner is None else callback(owner, name, self._context_now)

    def get_verified_chain(self) -> list[Certificate] | None:
        """The verified chain as objects: what reaches into `_sslobj` expects."""
        return [Certificate.from_der(der) for der in self.chain(verified=True)] or None

    def get_unverified_chain(self) -> list[Certificate] | None:
        """The peer's chain as objects."""
        return [Certificate.from_der(der) for der in self.chain(verified=False)] or None

    # -- session --------------------------------------------------------------------------------------------------

    @property
    def session(self) -> SSLSession | None:
        """The session of this connection as it is now; a server's is its own matter, as in the stdlib."""
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
        self._offered = value
        self._offer()

    def before_handshake(self) -> None:
        """Between setting a session and shaking hands, the context may have changed: it is weighed again."""
        if self._offered is not None and self.resumption_objection is None:
            self._binding = self._bind()
            self._offer()
        self._offered = None

    def _offer(self) -> None:
        assert self._offered is not None
        self.resumption_objection = self._offered._objection(self, self._binding, self._verifies)
        self.set_session(self._offered._session if self.resumption_objection is None else None)

    @property
    def session_reused(self) -> bool:
        """Whether the handshake resumed a session."""
        return self.facts().reused

    def _made(self, session: Session) -> SSLSession:
        binding = None if self.server_side else self._binding
        return SSLSession._make(session, binding, self._context_now._scope, finished=self.handshake_done)

    def _new_session(self, session: Session) -> None:
        on_new = self._context_now.sessions.on_new
        owner = self._owner()
        if on_new is not None and owner is not None:
            on_new(owner, self._made(session))


def _packed_address(name: str) -> bytes | None:
    """The bytes of a literal IP address, or None when it is a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, name)
        except (OSError, ValueError):
            continue
    return None
