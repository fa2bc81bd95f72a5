"""`ctx.tickets`: the tickets of a context."""

from __future__ import annotations

from collections.abc import Callable

from _tlsbind import CONST

from .._state import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

    from .._tickets.keyring import TicketKeyring


_DATA_MOST = 4096  # bytes: with a client's chain beside it, a ClientHello still fits


class ContextTickets:
    """The tickets of one context. Safe from any thread; settings apply to connections made
    later.
    """

    __slots__ = ("_settings",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __repr__(self) -> str:
        keys = "OpenSSL's own keys" if self.keyring is None else repr(self.keyring)
        return f"<{type(self).__name__}: {keys if self.enabled else 'off'}>"

    @property
    def enabled(self) -> bool:
        """Whether tickets hold sessions. Up to TLS 1.2, a client that has them off asks for none.

        A server that has them off keeps sessions itself, and its TLS 1.3 tickets only refer to one.
        Corresponds to SSL_OP_NO_TICKET.

        Raises:
            ValueError: set to False although there is a keyring.
        """
        return not self._settings["options"] & CONST.SSL_OP_NO_TICKET

    @enabled.setter
    def enabled(self, on: object) -> None:
        with self._settings.held():
            if not on and self.keyring is not None:
                raise ValueError(
                    "tickets cannot be turned off while there is a keyring for them: set keyring = "
                    "None first"
                )
            options, bit = self._settings["options"], CONST.SSL_OP_NO_TICKET
            self._settings.change(options=options & ~bit if on else options | bit)

    @property
    def count(self) -> int:
        """How many tickets a TLS 1.3 server sends after a full handshake; 2 by default. The
        stdlib's name is `SSLContext.num_tickets`.

        Corresponds to SSL_CTX_set_num_tickets(3).
        """
        return num_tickets(self._settings)

    @count.setter
    def count(self, value: int) -> None:
        self._servers_only()
        from .._tickets.sources import whole

        number = whole(value, "the number of tickets", 0, 2**31 - 1)
        self._settings.change(num_tickets=number)

    @property
    def app_data(self) -> bytes | Callable[[Any], bytes | None] | None:
        """Data of your own that a server puts into each ticket that it makes: bytes, or a function
        that is called with the connection and returns them. None, the default, for no data.

        The connection that resumes from the ticket has the data as `ticket_app_data`. It is
        encrypted with the ticket, so the client can neither read nor change it; but a client can
        keep a ticket and show old data. At most 4096 bytes; each byte makes the ClientHello
        longer. If the function returns None, the ticket has no data; if it raises, the handshake
        fails with that exception. A ticket that a resumed connection gets does not inherit the
        data: return `connection.ticket_app_data` for that. Sessions without tickets (session ids,
        up to TLS 1.2) have none. Corresponds to SSL_SESSION_set1_ticket_appdata(3).

        Raises (when it is set):
            TypeError: it is neither bytes nor callable.
            ValueError: it is longer than 4096 bytes, or the context is a client's.
        """
        data: bytes | Callable[[Any], bytes | None] | None = self._settings["app_data"]
        return data

    @app_data.setter
    def app_data(self, value: bytes | Callable[[Any], bytes | None] | None) -> None:
        if value is not None:
            self._servers_only()
            if not callable(value):
                if not isinstance(value, (bytes, bytearray, memoryview)):
                    raise TypeError(
                        f"app_data must be bytes, a function or None, got {type(value).__name__}"
                    )
                value = bytes(value)
                if len(value) > _DATA_MOST:
                    raise ValueError(
                        f"app_data must have at most {_DATA_MOST} bytes, got {len(value)}"
                    )
        self._settings.change(app_data=value)

    @property
    def keyring(self) -> TicketKeyring | None:
        """The ticket keys. None means OpenSSL's own key, which is made with the context, never
        changes, and is not shared.

        Setting a keyring sets `lifetime` to the keyring's. Whatever the keys, a session is resumed
        only under the id context that it was made with; on a server that verifies its clients, only
        under the same policy; and only for the same server name, on a server whose certificate has
        the same names. It is never resumed more than 7 days after the full handshake, nor once the
        client's certificate has expired (nor by a TLS 1.3 chain of tickets). With an
        `sni_callback`, tickets belong to the context that the connection began with.

        Raises:
            TypeError: not a TicketKeyring.
            ValueError: this is a client's context, or tickets are off.
        """
        keyring: TicketKeyring | None = self._settings["keyring"]
        return keyring

    @keyring.setter
    def keyring(self, value: TicketKeyring | None) -> None:
        if value is not None:
            from .._tickets.keyring import TicketKeyring

            if not isinstance(value, TicketKeyring):
                raise TypeError(
                    f"keyring must be a TicketKeyring or None, got {type(value).__name__}"
                )
            self._servers_only()
        with self._settings.held():
            if value is None:
                self._settings.change(keyring=None)
                return
            if not self.enabled:
                raise ValueError(
                    "a keyring cannot be used while tickets are off (OP_NO_TICKET): set enabled = "
                    "True first"
                )
            sessions = self._settings["sessions"].changed("", timeout=value.lifetime)
            self._settings.change(keyring=value, sessions=sessions)

    @property
    def lifetime(self) -> int:
        """The lifetime in seconds that a ticket announces: the session timeout, the keyring's
        lifetime or 7 days, whichever is shortest.

        Setting it sets `ctx.sessions.timeout`. Corresponds to SSL_CTX_set_timeout(3).

        Raises:
            ValueError: longer than 7 days, or longer than the keyring keeps its keys.
        """
        from .._tickets.keyring import WEEK

        most = WEEK if self.keyring is None else self.keyring.lifetime
        return min(session_timeout(self._settings), most)

    @lifetime.setter
    def lifetime(self, seconds: int) -> None:
        from .._tickets.keyring import WEEK
        from .._tickets.sources import whole

        number = whole(seconds, "the lifetime of tickets", 1, WEEK, "seconds")
        with self._settings.held():
            if self.keyring is not None and number > self.keyring.lifetime:
                raise ValueError(
                    f"the keyring keeps its keys for tickets of {self.keyring.lifetime} seconds: "
                    f"for {number}, make one with lifetime={number}"
                )
            self._settings.change_sessions(timeout=number)

    @property
    def dangerous_keys(self) -> bytes:
        """OpenSSL's own ticket key, which is in use without a keyring: 80 bytes, as for
        `TicketKeyring.from_keys`.

        As with a keyring, a ticket is resumed only for the server name that it was made with, on a
        server whose certificate has the same names. But this key never rotates, and servers without
        tlskit do not check the names: share it with such a server only if its certificate has the
        same names. Otherwise an attacker who can divert a client's connection to the other server
        can have it resumed there, and the client does not notice, because a resumed handshake shows
        no certificate.

        Corresponds to SSL_CTX_get_tlsext_ticket_keys(3).

        Raises (also when it is set):
            ValueError: there is a keyring, the key does not have 80 bytes, or this is a client's
                context.
        """
        self._without_keyring()
        with self._settings.built() as state:
            return state.build().ticket_keys

    @dangerous_keys.setter
    def dangerous_keys(self, value: Buffer) -> None:
        self._without_keyring()
        raw = bytes(memoryview(value))
        if len(raw) != 80:
            raise ValueError(f"dangerous_keys must have 80 bytes, got {len(raw)}")
        from .._tickets.sources import key_from

        key_from(raw)
        self._settings.change(ticket_keys=raw)

    def _servers_only(self) -> None:
        if self._settings.role == "client":
            raise ValueError("only servers issue tickets, and this is a client context")

    def _without_keyring(self) -> None:
        self._servers_only()
        if self.keyring is not None:
            raise ValueError("OpenSSL's own ticket key is not in use: there is a keyring")


def num_tickets(settings: Settings) -> int:
    """How many tickets a TLS 1.3 server sends after a full handshake."""
    number = settings["num_tickets"]
    if number is None:
        with settings.built() as state:
            number = state.build().num_tickets
    return int(number)


def session_timeout(settings: Settings) -> int:
    """For how many seconds a new session is valid."""
    seconds = settings["sessions"].timeout
    if seconds is None:
        with settings.built() as state:
            seconds = state.build().session_timeout
    return int(seconds)
