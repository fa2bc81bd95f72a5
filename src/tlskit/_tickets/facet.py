"""`ctx.tickets`: the tickets of a context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _tlsbind import CONST

from .._core.context import Context
from .keyring import WEEK, TicketKeyring
from .sources import key_from, whole

if TYPE_CHECKING:
    from typing_extensions import Buffer


class ContextTickets:
    """The tickets of one context. Safe from any thread; settings apply to connections made
    later.
    """

    __slots__ = ("_context", "_keyring")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._keyring: TicketKeyring | None = None

    def __repr__(self) -> str:
        keys = "OpenSSL's own keys" if self._keyring is None else repr(self._keyring)
        return f"<{type(self).__name__}: {keys if self.enabled else 'off'}>"

    @property
    def enabled(self) -> bool:
        """Whether there are tickets that hold a session; a client that has them off asks for none
        up to TLS 1.2.

        Without them a server keeps sessions itself, and its TLS 1.3 tickets only name one.
        Corresponds to SSL_OP_NO_TICKET.

        Raises:
            ValueError: they are to be off, and there is a keyring.
        """
        return not self._context.options & CONST.SSL_OP_NO_TICKET

    @enabled.setter
    def enabled(self, on: object) -> None:
        if not on and self._keyring is not None:
            raise ValueError(
                "tickets cannot be off while there is a keyring for them: set keyring = None first"
            )
        options, bit = self._context.options, CONST.SSL_OP_NO_TICKET
        self._context.options = options & ~bit if on else options | bit

    @property
    def count(self) -> int:
        """How many tickets a TLS 1.3 server sends after a full handshake: 2 unless changed.
        `num_tickets` in the stdlib.

        Corresponds to SSL_CTX_set_num_tickets(3).
        """
        return self._context.num_tickets

    @count.setter
    def count(self, value: int) -> None:
        self._servers_only()
        self._context.num_tickets = whole(value, "the number of tickets", 0, 2**31 - 1)

    @property
    def keyring(self) -> TicketKeyring | None:
        """The keys for tickets; None: OpenSSL's own, made with the context, never changed, and
        nobody else's.

        Setting one sets `lifetime` to the keyring's. Sessions are still resumed only under the id
        context, and on a server that verifies its clients only under the policy, that they were
        made with; only for the server name, and before a certificate for the names, that they were
        made with; and never for more than 7 days after the full handshake, nor when the client's
        certificate has ended (also TLS 1.3, which goes from ticket to ticket). With an
        `sni_callback`, tickets are those of the context that the connection began with.

        Raises:
            TypeError: it is no TicketKeyring.
            ValueError: this is a client's context, or tickets are off.
        """
        return self._keyring

    @keyring.setter
    def keyring(self, value: TicketKeyring | None) -> None:
        if value is not None:
            if not isinstance(value, TicketKeyring):
                raise TypeError(f"a keyring is a TicketKeyring or None, not {type(value).__name__}")
            self._servers_only()
            if not self.enabled:
                raise ValueError(
                    "there are no tickets to have keys for: they are off (OP_NO_TICKET); set "
                    "enabled = True first"
                )
        self._context.set_ring(None if value is None else value._keys)
        self._keyring = value
        if value is not None:
            self._context.session_timeout = value.lifetime

    @property
    def lifetime(self) -> int:
        """How many seconds a ticket says that it is good for: the session timeout, 7 days or the
        keyring's, what is least.

        Setting it sets `ctx.sessions.timeout`. Corresponds to SSL_CTX_set_timeout(3).

        Raises:
            ValueError: it is longer than 7 days, or than the keyring keeps its keys for.
        """
        most = WEEK if self._keyring is None else self._keyring.lifetime
        return min(self._context.session_timeout, most)

    @lifetime.setter
    def lifetime(self, seconds: int) -> None:
        number = whole(seconds, "the lifetime of tickets", 1, WEEK, "seconds")
        if self._keyring is not None and number > self._keyring.lifetime:
            raise ValueError(
                f"the keyring keeps its keys for tickets of {self._keyring.lifetime} seconds: "
                f"for {number}, make one with lifetime={number}"
            )
        self._context.session_timeout = number

    @property
    def dangerous_keys(self) -> bytes:
        """OpenSSL's own key for tickets, where there is no keyring: 80 bytes, as for
        `TicketKeyring.from_keys`.

        Corresponds to SSL_CTX_get_tlsext_ticket_keys(3).

        Raises (also when it is set):
            ValueError: there is a keyring, or these are no 80 bytes of a key, or it is a client's
                context.
        """
        self._without_keyring()
        return self._context.ticket_keys

    @dangerous_keys.setter
    def dangerous_keys(self, value: Buffer) -> None:
        self._without_keyring()
        raw = bytes(memoryview(value))
        if len(raw) != 80:
            raise ValueError(f"OpenSSL's own ticket key has 80 bytes, not {len(raw)}")
        key_from(raw)
        self._context.ticket_keys = raw

    def _servers_only(self) -> None:
        if self._context.role == "client":
            raise ValueError("only a server makes tickets, and this is a client's context")

    def _without_keyring(self) -> None:
        self._servers_only()
        if self._keyring is not None:
            raise ValueError("OpenSSL's own ticket key is not in use: there is a keyring")

    def _before_connection(self) -> None:
        if self._keyring is not None:
            self._keyring._before_connection()
